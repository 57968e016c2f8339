//! Ordered records with group commit.
//!
//! Invariant: a record whose [`Log::commit`] returned is in the file, synced, behind every record that was enqueued
//! before it and did not fail. Records get their order when they are enqueued; the first thread that asks for
//! durability writes everything queued with one gather write and one sync while the others wait.
//!
//! After a failed write the file is cut back to its last good byte and the log goes on. After a failed sync (or a
//! failed cut) nobody can tell what the disk holds, since the system may have dropped the bytes it could not write
//! (Rebello et al., "Can applications recover from fsync failures?", USENIX ATC 2020): the log takes no more writes.

mod record;
mod replay;
mod tail;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::crc::crc32c_parts;
use crate::disk::{Disk, lock};
use crate::error::Error;
use record::{BadHeader, Cursor, FileHeader, Step};
pub use replay::Replay;
use tail::{Failure, Tail};

/// The number of a record: 1, 2, 3 ... in the order of enqueueing. Numbers of records that failed stay unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When [`Log::commit`] may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncPolicy {
    /// When the disk says that the bytes are durable.
    #[default]
    Always,
    /// When the operating system has the bytes: they survive this process, but not a power cut. A power cut then
    /// loses the newest records, never older ones alone.
    None,
}

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The folder of the log's files; made if it is missing.
    pub folder: String,
    /// A new file is begun when one would grow beyond this.
    pub file_bytes_max: u64,
    /// The most bytes that may wait to be written; more is refused.
    pub queue_bytes_max: u64,
    /// When `commit` may return.
    pub sync: SyncPolicy,
    /// The first number given, if the log does not know a higher one. Say here what is known to have been used, so
    /// that numbers are not given twice even if all files are lost.
    pub first: Lsn,
    /// Random bits for new files. They keep records apart from look-alikes inside the payload of others.
    pub salt: u64,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            folder: "log".to_owned(),
            file_bytes_max: 64 << 20,
            queue_bytes_max: 2 << 30,
            sync: SyncPolicy::Always,
            first: Lsn(1),
            salt: 0,
        }
    }
}

/// Ordered records; see the module's head. Share it by reference or in an `Arc`.
#[derive(Debug)]
pub struct Log {
    state: Mutex<State>,
    /// Rung when a group was written or failed.
    settled: Condvar,
    /// Taken by the leader alone, never while `state` is held.
    tail: Mutex<Tail>,
    queue_bytes_max: u64,
}

#[derive(Debug)]
struct State {
    queue: Vec<Queued>,
    queue_bytes: u64,
    next: u64,
    /// Every record below this is durable, but for those in `failed`.
    durable: u64,
    writing: bool,
    failed: Vec<Failed>,
    poisoned: Option<Error>,
    bytes: u64,
}

/// A record that waits to be written.
#[derive(Debug)]
struct Queued {
    lsn: u64,
    parts: Vec<Bytes>,
    length: u32,
    crc: u32,
}

/// Neighbouring records that were not written, and why.
#[derive(Debug)]
struct Failed {
    first: u64,
    last: u64,
    error: Error,
}

impl Log {
    /// Opens the log, and what must be applied again. A torn end, as a power cut leaves it, is cut off (see
    /// [`Replay::cut_bytes`]); damage anywhere else is [`Error::Corrupt`], here or from the replay.
    pub fn open(disk: Arc<dyn Disk>, settings: LogSettings) -> Result<(Self, Replay), Error> {
        let found = replay::find(&disk, &settings.folder)?;
        let (tail, replay) = Tail::recover(disk, &settings, found)?;
        let next = tail.next();
        let state = State {
            queue: Vec::new(),
            queue_bytes: 0,
            next,
            durable: next,
            writing: false,
            failed: Vec::new(),
            poisoned: None,
            bytes: tail.bytes(),
        };
        let log = Self {
            state: Mutex::new(state),
            settled: Condvar::new(),
            tail: Mutex::new(tail),
            queue_bytes_max: settings.queue_bytes_max,
        };
        Ok((log, replay))
    }

    /// Gives a record its place in the order and returns its number. Cheap: one checksum over the parts, which are
    /// not copied, and no input or output. The record is not durable before [`Log::commit`] of it or a later one.
    pub fn enqueue(&self, parts: Vec<Bytes>) -> Result<Lsn, Error> {
        let bytes = parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let bytes_max = record::RECORD_BYTES_MAX.min(self.queue_bytes_max);
        if bytes > bytes_max {
            return Err(Error::TooLarge { what: "a log record", bytes, bytes_max });
        }
        let crc = crc32c_parts(&parts);
        let mut state = lock(&self.state);
        if let Some(error) = &state.poisoned {
            return Err(error.clone());
        }
        let waiting = state.queue_bytes + bytes;
        if waiting > self.queue_bytes_max {
            let what = "the queue of the log";
            return Err(Error::TooLarge { what, bytes: waiting, bytes_max: self.queue_bytes_max });
        }
        let lsn = state.next;
        state.next += 1;
        state.queue_bytes = waiting;
        state.queue.push(Queued { lsn, parts, length: bytes as u32, crc });
        Ok(Lsn(lsn))
    }

    /// Returns when the record `lsn` and all before it are durable, or says why this record never will be. Of
    /// concurrent callers one writes for all.
    pub fn commit(&self, lsn: Lsn) -> Result<(), Error> {
        let mut state = lock(&self.state);
        loop {
            if let Some(outcome) = state.outcome(lsn.0) {
                return outcome;
            }
            if state.writing {
                state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                state = self.lead(state);
            }
        }
    }

    /// Writes all that is queued for everybody.
    fn lead<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.writing = true;
        let group = std::mem::take(&mut state.queue);
        state.queue_bytes = 0;
        drop(state);
        let mut guard = Leading { log: self, finished: false };
        let (outcome, bytes) = {
            let mut tail = lock(&self.tail);
            (tail.write(&group), tail.bytes())
        };
        guard.finished = true;
        let mut state = lock(&self.state);
        state.settle(&group, outcome);
        state.bytes = bytes;
        state.writing = false;
        self.settled.notify_all();
        state
    }

    /// Deletes the files whose records are all below `below`. The file being written stays; if all of it is below,
    /// the next record begins a new file, so that a later trim can delete this one.
    pub fn trim(&self, below: Lsn) -> Result<(), Error> {
        let mut tail = lock(&self.tail);
        let outcome = tail.trim(below.0);
        let bytes = tail.bytes();
        drop(tail);
        lock(&self.state).bytes = bytes;
        outcome
    }

    /// The number that the next record will get.
    pub fn end(&self) -> Lsn {
        Lsn(lock(&self.state).next)
    }

    /// Every record below this number is durable, or failed.
    pub fn durable(&self) -> Lsn {
        Lsn(lock(&self.state).durable)
    }

    /// Bytes of all files kept.
    pub fn bytes(&self) -> u64 {
        lock(&self.state).bytes
    }
}

/// The records of a file of a log.
pub(crate) type Records = Vec<(Lsn, Bytes)>;

/// The records of one file of a log, and where and why reading ended early.
pub(crate) fn read_records(path: &str, bytes: Bytes) -> Result<(Records, Option<(u64, String)>), Error> {
    let header = FileHeader::decode(&bytes).map_err(|bad| match bad {
        BadHeader::Newer(found) => Error::Newer { path: path.to_owned(), found, known: record::FORMAT },
        BadHeader::Damaged(reason) => Error::corrupt(path, 0, reason),
    })?;
    let mut cursor = Cursor::new(bytes, &header);
    let mut records = Vec::new();
    loop {
        match cursor.step() {
            Step::Record(lsn, payload) => records.push((Lsn(lsn), payload)),
            Step::End => return Ok((records, None)),
            Step::Bad(reason) => return Ok((records, Some((cursor.at as u64, reason.to_owned())))),
        }
    }
}

impl Drop for Log {
    /// Leaves a mark that everything before it is durable, so that damage to the last records can be told from a
    /// torn write. Without it nothing is lost but that.
    fn drop(&mut self) {
        let healthy = lock(&self.state).poisoned.is_none();
        if healthy {
            lock(&self.tail).mark();
        }
    }
}

impl State {
    /// What became of a record; none while it waits.
    fn outcome(&self, lsn: u64) -> Option<Result<(), Error>> {
        let at = self.failed.partition_point(|failed| failed.last < lsn);
        if let Some(failed) = self.failed.get(at).filter(|failed| failed.first <= lsn) {
            return Some(Err(failed.error.clone()));
        }
        if lsn < self.durable {
            return Some(Ok(()));
        }
        if lsn >= self.next {
            let reason = format!("record {lsn} was never enqueued, the next one will be {}", self.next);
            return Some(Err(Error::Misuse { what: "the log", reason }));
        }
        self.poisoned.clone().map(Err)
    }

    fn settle(&mut self, group: &[Queued], outcome: Result<(), Failure>) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return };
        let Err(failure) = outcome else {
            self.durable = last.lsn + 1;
            return;
        };
        // Groups that fail one after the other, as on a full disk, make one entry, so the list stays short.
        match self.failed.last_mut().filter(|failed| failed.last + 1 == first.lsn) {
            Some(failed) => failed.last = last.lsn,
            None => {
                let error = failure.error.clone();
                self.failed.push(Failed { first: first.lsn, last: last.lsn, error });
            }
        }
        if failure.poisons {
            let reason = format!("its file is in doubt ({})", failure.error);
            self.poison(reason);
        }
    }

    fn poison(&mut self, reason: String) {
        self.poisoned = Some(Error::Poisoned { what: "the log", reason });
        self.queue.clear();
        self.queue_bytes = 0;
    }
}

/// Frees the waiting threads if the leader panics in somebody's disk.
struct Leading<'a> {
    log: &'a Log,
    finished: bool,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let mut state = lock(&self.log.state);
            state.writing = false;
            state.poison("a write to it was aborted".to_owned());
            self.log.settled.notify_all();
        }
    }
}
