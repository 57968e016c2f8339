//! The file at the end of a log: recovering it, writing on it, beginning the next.
//!
//! Invariant: the file being written holds whole groups up to `good_bytes`, or the log is poisoned. A file is synced
//! before the next one is begun, and the header of a file before its first record; so a torn end can only be in the
//! newest file, and a torn header only in a newest file without records.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;

use super::record::{
    Cursor, FILE_HEADER_BYTES, FileHeader, KIND_MARK, KIND_RECORD, RECORD_HEADER_BYTES, RecordHeader, Step,
    padding,
};
use super::replay::{LogFile, Replay, open_file, path_of};
use super::{LogSettings, Queued, SyncPolicy};
use crate::disk::{Disk, DiskFile};
use crate::error::Error;

/// Payloads up to this size are copied beside their headers: cheaper than a slice of their own.
const COPY_BYTES_MAX: usize = 1024;

/// Why a group was not written, and whether the file is in doubt since.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) poisons: bool,
}

/// The writing end of a log.
#[derive(Debug)]
pub(super) struct Tail {
    disk: Arc<dyn Disk>,
    folder: String,
    file_bytes_max: u64,
    sync: SyncPolicy,
    salt: u64,
    /// Finished files, oldest first.
    finished: VecDeque<LogFile>,
    /// The file being written; none before the first record.
    open: Option<Open>,
    /// The last record written, and the last one synced.
    previous: u64,
    settled: u64,
    /// The least number for the next record.
    next_min: u64,
}

#[derive(Debug)]
struct Open {
    file: Box<dyn DiskFile>,
    path: String,
    first: u64,
    salt: u64,
    good_bytes: u64,
    /// Everything in it was trimmed: do not write on it.
    spent: bool,
    /// Its last bytes are a mark.
    marked: bool,
}

impl Tail {
    /// Finds the end of the log in `files` and cuts off what is torn.
    pub(super) fn recover(
        disk: Arc<dyn Disk>,
        settings: &LogSettings,
        mut files: VecDeque<LogFile>,
    ) -> Result<(Self, Replay), Error> {
        let mut tail = Self {
            disk: Arc::clone(&disk),
            folder: settings.folder.clone(),
            file_bytes_max: settings.file_bytes_max,
            sync: settings.sync,
            salt: settings.salt,
            finished: VecDeque::new(),
            open: None,
            previous: 0,
            settled: 0,
            next_min: settings.first.0.max(1),
        };
        let mut cut_bytes = 0;
        let Some(mut newest) = files.pop_back() else {
            return Ok((tail, Replay::new(disk, files, None, 0)));
        };
        let mut opened = open_file(&disk, &newest);
        let mut may_be_torn = true;
        if let (Err(Error::Corrupt { .. }), true) = (&opened, newest.bytes <= FILE_HEADER_BYTES as u64) {
            // Its header never became durable, so it has no records, and the file before it is whole.
            disk.remove(&newest.path).map_err(|e| Error::io("remove a torn log file", e))?;
            disk.sync_folder(&settings.folder).map_err(|e| Error::io("sync the log folder", e))?;
            cut_bytes = newest.bytes;
            tail.next_min = tail.next_min.max(newest.first);
            let Some(before) = files.pop_back() else {
                return Ok((tail, Replay::new(disk, files, None, cut_bytes)));
            };
            newest = before;
            opened = open_file(&disk, &newest);
            may_be_torn = false;
        }
        let (header, bytes) = opened?;
        let end = find_end(&newest, &header, &bytes, may_be_torn)?;
        cut_bytes += (bytes.len() - end.at) as u64;
        tail.reopen(&newest, &header, &bytes, &end)?;
        tail.previous = end.previous;
        tail.settled = end.previous;
        tail.next_min = tail.next_min.max(header.first).max(end.previous + 1);
        tail.finished.clone_from(&files);
        let bytes = bytes.slice(..end.at);
        Ok((tail, Replay::new(disk, files, Some((newest, header, bytes)), cut_bytes)))
    }

    /// Opens the newest file for writing behind its last good record. What will be replayed is made durable first,
    /// or it could be seen now and be gone after a power cut.
    fn reopen(
        &mut self,
        newest: &LogFile,
        header: &FileHeader,
        bytes: &Bytes,
        end: &Cursor,
    ) -> Result<(), Error> {
        let failed = |e| Error::io("reopen the log", e);
        let good_bytes = end.at as u64;
        let mut file = self.disk.open_append(&newest.path).map_err(failed)?;
        if file.len() > good_bytes {
            file.truncate(good_bytes).map_err(failed)?;
        }
        // If a sync failed before, the system may think that these bytes are on disk though they are not.
        let unsettled = bytes.get(end.settled_at..end.at).unwrap_or_default();
        match file.rewrite(end.settled_at as u64, unsettled) {
            // Some file systems want new space for old bytes. A full disk must not keep the log from opening, or
            // nobody could delete anything.
            Err(e) if e.kind() == ErrorKind::StorageFull => {}
            other => other.map_err(failed)?,
        }
        file.sync().map_err(failed)?;
        self.disk.sync_folder(&self.folder).map_err(failed)?;
        let (path, first, salt) = (newest.path.clone(), newest.first, header.salt);
        self.open = Some(Open { file, path, first, salt, good_bytes, spent: false, marked: end.marked });
        Ok(())
    }

    /// The number for the next record, as the log was opened.
    pub(super) fn next(&self) -> u64 {
        self.next_min
    }

    pub(super) fn bytes(&self) -> u64 {
        let finished: u64 = self.finished.iter().map(|file| file.bytes).sum();
        finished + self.open.as_ref().map_or(0, |open| open.good_bytes)
    }

    /// Writes a group of records and makes it durable, all or none.
    pub(super) fn write(&mut self, group: &[Queued]) -> Result<(), Failure> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
        let group_bytes = group.iter().map(|record| framed_bytes(record.length)).sum();
        let (sync, settled, previous) = (self.sync, self.settled, self.previous);
        let open = self.room_for(first.lsn, group_bytes)?;
        let parts = frame(group, open.salt, previous, settled);
        open.append(&parts)?;
        if sync == SyncPolicy::Always {
            open.file.sync().map_err(|e| Failure::poisoning("sync the log", e))?;
            self.settled = last.lsn;
        }
        self.previous = last.lsn;
        Ok(())
    }

    /// The file to write `group_bytes` on, a new one if they do not fit.
    fn room_for(&mut self, lsn: u64, group_bytes: u64) -> Result<&mut Open, Failure> {
        let fits = self.open.as_ref().is_some_and(|open| {
            let has_records = open.good_bytes > FILE_HEADER_BYTES as u64;
            !open.spent && (!has_records || open.good_bytes + group_bytes <= self.file_bytes_max)
        });
        if !fits {
            self.begin_file(lsn)?;
        }
        let missing = || Failure::poisoning("write the log", std::io::Error::other("it has no open file"));
        self.open.as_mut().ok_or_else(missing)
    }

    /// Finishes the open file and begins one whose first record will be `first`.
    fn begin_file(&mut self, first: u64) -> Result<(), Failure> {
        if let Some(open) = &mut self.open {
            open.file.sync().map_err(|e| Failure::poisoning("sync the log", e))?;
            self.settled = self.previous;
        }
        let path = path_of(&self.folder, first);
        let header = FileHeader { first, previous: self.previous, salt: self.salt };
        let file = self.create_file(&path, &header)?;
        let good_bytes = FILE_HEADER_BYTES as u64;
        let next = Open { file, path, first, salt: self.salt, good_bytes, spent: false, marked: false };
        if let Some(before) = self.open.replace(next) {
            let (path, first, bytes) = (before.path, before.first, before.good_bytes);
            self.finished.push_back(LogFile { path, first, bytes });
        }
        Ok(())
    }

    fn create_file(&self, path: &str, header: &FileHeader) -> Result<Box<dyn DiskFile>, Failure> {
        let harmless = |e| Failure { error: Error::io("begin a log file", e), poisons: false };
        let mut file = self.disk.create(path).map_err(harmless)?;
        if let Err(e) = file.append(&[header.encode()]) {
            // It must not stay: a later file would make its torn header look like damage.
            let gone = self.disk.remove(path).and_then(|()| self.disk.sync_folder(&self.folder));
            return Err(Failure { error: Error::io("begin a log file", e), poisons: gone.is_err() });
        }
        file.sync()
            .and_then(|()| self.disk.sync_folder(&self.folder))
            .map_err(|e| Failure::poisoning("begin a log file", e))?;
        Ok(file)
    }

    /// Deletes finished files whose records are all below `below`, oldest first, so that what stays has no hole.
    pub(super) fn trim(&mut self, below: u64) -> Result<(), Error> {
        let mut removed = false;
        loop {
            let after = self.finished.get(1).map(|file| file.first);
            let ends = after.or(self.open.as_ref().map(|open| open.first));
            let Some(file) = self.finished.front().filter(|_| ends.is_some_and(|end| end <= below)) else {
                break;
            };
            self.disk.remove(&file.path).map_err(|e| Error::io("trim the log", e))?;
            self.finished.pop_front();
            removed = true;
        }
        if let Some(open) = self.open.as_mut().filter(|_| self.previous < below) {
            open.spent = open.good_bytes > FILE_HEADER_BYTES as u64;
        }
        if removed {
            self.disk.sync_folder(&self.folder).map_err(|e| Error::io("trim the log", e))?;
        }
        Ok(())
    }

    /// Says in the file that everything in it is durable. Nobody relies on it, so failure is silent.
    pub(super) fn mark(&mut self) {
        let (previous, settled) = (self.previous, self.settled);
        let has_records = |open: &&mut Open| open.good_bytes > FILE_HEADER_BYTES as u64;
        let Some(open) = self.open.as_mut().filter(has_records) else { return };
        if settled < previous || open.marked {
            return;
        }
        let mark =
            RecordHeader { length: 0, kind: KIND_MARK, lsn: previous, previous, settled, payload_crc: 0 };
        let mut bytes = Vec::with_capacity(RECORD_HEADER_BYTES);
        mark.encode(open.salt, &mut bytes);
        open.marked = open.append(&[Bytes::from(bytes)]).is_ok();
    }
}

impl Open {
    /// Appends all parts or none.
    fn append(&mut self, parts: &[Bytes]) -> Result<(), Failure> {
        let Err(e) = self.file.append(parts) else {
            self.good_bytes = self.file.len();
            self.marked = false;
            return Ok(());
        };
        // The cut is synced, so that a record whose commit failed cannot come back after a power cut.
        let cut = self.file.truncate(self.good_bytes).and_then(|()| self.file.sync());
        Err(Failure { error: Error::io("write the log", e), poisons: cut.is_err() })
    }
}

impl Failure {
    fn poisoning(action: &'static str, source: std::io::Error) -> Self {
        Self { error: Error::io(action, source), poisons: true }
    }
}

/// A cursor behind the last good record of a file.
fn find_end(file: &LogFile, header: &FileHeader, bytes: &Bytes, may_be_torn: bool) -> Result<Cursor, Error> {
    let mut cursor = Cursor::new(bytes.clone(), header);
    let reason = loop {
        match cursor.step() {
            Step::Record(..) => {}
            Step::End => return Ok(cursor),
            Step::Bad(reason) => break reason,
        }
    };
    let at = cursor.at as u64;
    if !may_be_torn {
        return Err(Error::corrupt(&file.path, at, reason));
    }
    match cursor.proof_of_damage() {
        Some(proof) => {
            let reason = format!("{reason}; the record at byte {proof} shows that these bytes were durable");
            Err(Error::corrupt(&file.path, at, reason))
        }
        None => Ok(cursor),
    }
}

/// The bytes that a record of `length` bytes takes in the file.
fn framed_bytes(length: u32) -> u64 {
    let length = length as usize;
    (RECORD_HEADER_BYTES + length + padding(length)) as u64
}

/// The bytes of a group: headers and small payloads in one buffer, large payloads as they are.
fn frame(group: &[Queued], salt: u64, mut previous: u64, settled: u64) -> Vec<Bytes> {
    let small = |record: &Queued| record.length as usize <= COPY_BYTES_MAX;
    let copied = |record: &Queued| if small(record) { record.length as usize + 8 } else { 8 };
    let mut buffer = Vec::with_capacity(group.iter().map(|r| RECORD_HEADER_BYTES + copied(r)).sum());
    // Where in the buffer each large payload belongs.
    let mut large: Vec<(usize, &[Bytes])> = Vec::new();
    for record in group {
        let (lsn, length, payload_crc) = (record.lsn, record.length, record.crc);
        let header = RecordHeader { length, kind: KIND_RECORD, lsn, previous, settled, payload_crc };
        header.encode(salt, &mut buffer);
        if small(record) {
            record.parts.iter().for_each(|part| buffer.extend_from_slice(part));
        } else {
            large.push((buffer.len(), &record.parts));
        }
        buffer.resize(buffer.len() + padding(length as usize), 0);
        previous = lsn;
    }
    let buffer = Bytes::from(buffer);
    let mut parts = Vec::with_capacity(1 + large.iter().map(|(_, parts)| parts.len() + 1).sum::<usize>());
    let mut from = 0;
    for (at, payload) in large {
        parts.push(buffer.slice(from..at));
        parts.extend_from_slice(payload);
        from = at;
    }
    parts.push(buffer.slice(from..));
    parts
}
