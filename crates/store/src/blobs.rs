//! Immutable named bytes.
//!
//! Invariant: a blob that has its name is whole. It is written under another name, synced, and renamed once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::disk::{Disk, DiskFile, lock};
use crate::error::Error;
use crate::name::{UNFINISHED, file_name, name_of};
use crate::pieces::Pieces;

/// Parts are gathered until there are this many bytes, so that small appends cost no system call each.
const GATHER_BYTES: usize = 1 << 20;

/// Parts are gathered up to this many pieces.
const GATHER_PARTS: usize = 512;

/// A folder of blobs.
#[derive(Debug, Clone)]
pub struct Blobs {
    disk: Arc<dyn Disk>,
    folder: Arc<str>,
    /// The names being written now, so that two writers cannot share one file.
    writing: Arc<Mutex<HashSet<String>>>,
}

impl Blobs {
    /// The blobs in `folder`, which exists. What a dead process left unfinished is removed.
    pub fn over(disk: Arc<dyn Disk>, folder: &str) -> Result<Self, Error> {
        let files = disk.list(folder).map_err(|e| Error::io("list blobs", e))?;
        for file in files.iter().filter(|file| file.ends_with(UNFINISHED)) {
            disk.remove(&format!("{folder}/{file}"))
                .map_err(|e| Error::io("remove an unfinished blob", e))?;
        }
        Ok(Self { disk, folder: folder.into(), writing: Arc::default() })
    }

    fn path(&self, name: &str) -> Result<String, Error> {
        Ok(format!("{}/{}", self.folder, file_name(name)?))
    }

    /// Begins a blob. Nobody sees it before [`BlobWriter::finish`]. Names are 1 to 200 characters of
    /// `A-Z a-z 0-9 . _ - /`. Fails with [`Error::Exists`] if the name is taken.
    pub fn create(&self, name: &str) -> Result<BlobWriter, Error> {
        let path = self.path(name)?;
        let taken = || Error::Exists { name: name.to_owned() };
        if !lock(&self.writing).insert(path.clone()) {
            return Err(taken());
        }
        let claim = Claim { writing: Arc::clone(&self.writing), path };
        if self.disk.exists(&claim.path).map_err(|e| Error::io("look for a blob", e))? {
            return Err(taken());
        }
        let unfinished = format!("{}{UNFINISHED}", claim.path);
        let file = self.disk.create(&unfinished).map_err(|e| Error::io("create a blob", e))?;
        Ok(BlobWriter {
            blobs: self.clone(),
            claim,
            unfinished,
            file: Some(file),
            gathered: Vec::new(),
            gathered_bytes: 0,
            length: 0,
        })
    }

    /// Writes a whole blob durably.
    pub fn put(&self, name: &str, parts: &[Bytes]) -> Result<u64, Error> {
        let mut writer = self.create(name)?;
        writer.append(parts)?;
        writer.finish()
    }

    /// The bytes of a blob, mapped where the disk can do that; they stay valid when the blob is deleted.
    pub fn open(&self, name: &str) -> Result<Bytes, Error> {
        self.disk.map(&self.path(name)?).map_err(|e| missing(name, "open a blob", e))
    }

    /// A blob to be read in pieces; they can be read when the blob is deleted, too.
    pub fn pieces(&self, name: &str) -> Result<Box<dyn Pieces>, Error> {
        self.disk.pieces(&self.path(name)?).map_err(|e| missing(name, "open a blob", e))
    }

    /// The length of a blob in bytes.
    pub fn len(&self, name: &str) -> Result<u64, Error> {
        self.disk.len(&self.path(name)?).map_err(|e| missing(name, "look at a blob", e))
    }

    /// Whether there is a blob of that name.
    pub fn exists(&self, name: &str) -> Result<bool, Error> {
        self.disk.exists(&self.path(name)?).map_err(|e| Error::io("look for a blob", e))
    }

    /// Deletes a blob. After a power cut it may be there again until the next blob was finished or
    /// [`Blobs::sync`] returned; who deletes must be ready to delete twice.
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        self.disk.remove(&self.path(name)?).map_err(|e| missing(name, "delete a blob", e))
    }

    /// Makes all deletions so far durable.
    pub fn sync(&self) -> Result<(), Error> {
        self.disk.sync_folder(&self.folder).map_err(|e| Error::io("sync the blob folder", e))
    }

    /// The names of finished blobs that begin with `prefix`, sorted.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let files = self.disk.list(&self.folder).map_err(|e| Error::io("list blobs", e))?;
        let mut names: Vec<String> = files.iter().filter_map(|file| name_of(file)).collect();
        names.retain(|name| name.starts_with(prefix));
        names.sort_unstable();
        Ok(names)
    }
}

fn missing(name: &str, action: &'static str, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Error::NotFound { name: name.to_owned() };
    }
    Error::io(action, error)
}

/// The right to write one name.
#[derive(Debug)]
struct Claim {
    writing: Arc<Mutex<HashSet<String>>>,
    path: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.writing).remove(&self.path);
    }
}

/// A blob being written. Dropped before [`BlobWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    blobs: Blobs,
    claim: Claim,
    unfinished: String,
    /// None once finished.
    file: Option<Box<dyn DiskFile>>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    length: u64,
}

impl BlobWriter {
    /// Adds parts at the end; they are not copied.
    pub fn append(&mut self, parts: &[Bytes]) -> Result<(), Error> {
        for part in parts.iter().filter(|part| !part.is_empty()) {
            self.gathered.push(part.clone());
            self.gathered_bytes += part.len();
            self.length += part.len() as u64;
            if self.gathered_bytes >= GATHER_BYTES || self.gathered.len() >= GATHER_PARTS {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Bytes added so far.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn flush(&mut self) -> Result<(), Error> {
        let parts = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let file = self.file.as_mut().ok_or_else(spoiled)?;
        let outcome = file.append(&parts).map_err(|e| Error::io("write a blob", e));
        if outcome.is_err() {
            // What is in the file now is not a prefix of the blob: it must never get its name.
            self.abandon();
        }
        outcome
    }

    fn abandon(&mut self) {
        if self.file.take().is_some() {
            // If this fails too, the next opening of the folder removes the file.
            drop(self.blobs.disk.remove(&self.unfinished));
        }
    }

    /// Makes the blob durable and gives it its name; returns its length in bytes. After an error the blob does not
    /// exist, except that when the last sync fails it may appear after a power cut.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.flush()?;
        let disk = Arc::clone(&self.blobs.disk);
        let file = self.file.as_mut().ok_or_else(spoiled)?;
        file.sync().map_err(|e| Error::io("sync a blob", e))?;
        disk.rename(&self.unfinished, &self.claim.path).map_err(|e| Error::io("name a blob", e))?;
        self.file = None;
        disk.sync_folder(&self.blobs.folder).map_err(|e| {
            drop(disk.remove(&self.claim.path));
            Error::io("sync the blob folder", e)
        })?;
        Ok(self.length)
    }
}

fn spoiled() -> Error {
    Error::Misuse {
        what: "a blob being written",
        reason: "an earlier write failed; begin it again".to_owned(),
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        self.abandon();
    }
}
