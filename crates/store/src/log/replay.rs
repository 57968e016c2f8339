//! Finding the files of a log and reading them again.
//!
//! Invariant: records come in order, each once, and a hole in their row is an error, never skipped. Files are read,
//! not mapped: a bad sector then is an error and not a signal that kills the process.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Lsn;
use super::record::{BadHeader, Cursor, FORMAT, FileHeader, Step};
use crate::disk::Disk;
use crate::error::Error;

const ENDING: &str = ".log";

/// One file of a log.
#[derive(Debug, Clone)]
pub(super) struct LogFile {
    pub(super) path: String,
    /// Every record in it has this number or a higher one.
    pub(super) first: u64,
    pub(super) bytes: u64,
}

/// The path of the file that begins at record `first`.
pub(super) fn path_of(folder: &str, first: u64) -> String {
    format!("{folder}/{first:016x}{ENDING}")
}

/// The files of the log, oldest first; the folder is made if it is missing.
pub(super) fn find(disk: &Arc<dyn Disk>, folder: &str) -> Result<VecDeque<LogFile>, Error> {
    let failed = |e| Error::io("open the log folder", e);
    if !disk.exists(folder).map_err(failed)? {
        let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        disk.create_folder(folder).and_then(|()| disk.sync_folder(parent)).map_err(failed)?;
    }
    let mut files = VecDeque::new();
    for name in disk.list(folder).map_err(failed)? {
        let number = name.strip_suffix(ENDING).filter(|digits| digits.len() == 16);
        let Some(first) = number.and_then(|digits| u64::from_str_radix(digits, 16).ok()) else {
            let reason = format!("{folder}/{name} is no log file");
            return Err(Error::Foreign { reason });
        };
        let path = path_of(folder, first);
        let bytes = disk.len(&path).map_err(failed)?;
        files.push_back(LogFile { path, first, bytes });
    }
    Ok(files)
}

/// Reads a file and its header.
pub(super) fn open_file(disk: &Arc<dyn Disk>, file: &LogFile) -> Result<(FileHeader, Bytes), Error> {
    let bytes = match disk.read(&file.path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(Error::corrupt(&file.path, 0, "the file has vanished"));
        }
        other => other.map_err(|e| Error::io("read the log", e))?,
    };
    match FileHeader::decode(&bytes) {
        Ok(header) if header.first == file.first => Ok((header, bytes)),
        Ok(_) => Err(Error::corrupt(&file.path, 16, "its name and its header disagree")),
        Err(BadHeader::Damaged(reason)) => Err(Error::corrupt(&file.path, 0, reason)),
        Err(BadHeader::Newer(found)) => Err(Error::Newer { path: file.path.clone(), found, known: FORMAT }),
    }
}

/// The records of a log as it was opened, oldest first. Ends after the first error. Payloads share the memory of
/// their whole file: copy what is kept for long.
#[derive(Debug)]
pub struct Replay {
    disk: Arc<dyn Disk>,
    /// The files before the newest one, still to be read.
    files: VecDeque<LogFile>,
    /// The newest file, read already to find its end.
    newest: Option<(LogFile, FileHeader, Bytes)>,
    current: Option<(LogFile, Cursor)>,
    /// The last record read; none before the first file.
    previous: Option<u64>,
    cut_bytes: u64,
    ended: bool,
}

impl Replay {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        files: VecDeque<LogFile>,
        newest: Option<(LogFile, FileHeader, Bytes)>,
        cut_bytes: u64,
    ) -> Self {
        Self { disk, files, newest, current: None, previous: None, cut_bytes, ended: false }
    }

    /// How many bytes of a torn end were cut off when the log was opened. They belonged to records that were never
    /// acknowledged as durable.
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// Begins the next file; false if there is none.
    fn next_file(&mut self) -> Result<bool, Error> {
        let (file, header, bytes) = match self.files.pop_front() {
            Some(file) => {
                let (header, bytes) = open_file(&self.disk, &file)?;
                (file, header, bytes)
            }
            None => match self.newest.take() {
                Some(newest) => newest,
                None => return Ok(false),
            },
        };
        if self.previous.is_some_and(|previous| previous != header.previous) {
            let previous = self.previous.unwrap_or(0);
            let reason =
                format!("it follows record {}, but the files before end with {previous}", header.previous);
            return Err(Error::corrupt(&file.path, 24, reason));
        }
        self.current = Some((file, Cursor::new(bytes, &header)));
        Ok(true)
    }

    fn read(&mut self) -> Result<Option<(Lsn, Bytes)>, Error> {
        loop {
            if let Some((file, cursor)) = &mut self.current {
                match cursor.step() {
                    Step::Record(lsn, payload) => return Ok(Some((Lsn(lsn), payload))),
                    Step::Bad(reason) => return Err(Error::corrupt(&file.path, cursor.at as u64, reason)),
                    Step::End => self.previous = Some(cursor.previous),
                }
            }
            if !self.next_file()? {
                return Ok(None);
            }
        }
    }
}

impl Iterator for Replay {
    type Item = Result<(Lsn, Bytes), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.read().transpose();
        self.ended = !matches!(step, Some(Ok(_)));
        if self.ended {
            // Let go of the files' memory.
            self.current = None;
            self.newest = None;
        }
        step
    }
}
