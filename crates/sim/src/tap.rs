//! A disk in memory that is watched: at every change somebody may look, or take what a power cut would leave.
//!
//! Invariant: the watcher is called after the change, while nothing of the disk is locked and the caller has not yet
//! learned of it; what it does to the disk itself is not watched.

use bytes::Bytes;
use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Disk, DiskFile, MemoryDisk};

/// What is called at every change, with the path that changed.
pub(crate) type Watcher = Box<dyn FnMut(&MemoryDisk, &str) + Send>;

/// A watched disk. Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Tapped {
    disk: MemoryDisk,
    watcher: Arc<Mutex<Option<Watcher>>>,
}

impl fmt::Debug for Tapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disk.fmt(f)
    }
}

impl Tapped {
    /// The disk, watched by nobody yet.
    pub(crate) fn new(disk: MemoryDisk) -> Self {
        Self { disk, watcher: Arc::default() }
    }

    /// The disk itself.
    pub(crate) fn disk(&self) -> &MemoryDisk {
        &self.disk
    }

    /// Sets who is called from now on.
    pub(crate) fn watch(&self, watcher: Option<Watcher>) {
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = watcher;
    }

    /// Calls the watcher, who is not called again from within.
    fn changed<T>(&self, path: &str, outcome: T) -> T {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut watcher) = watcher {
            watcher(&self.disk, path);
            self.watcher.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(watcher);
        }
        outcome
    }

    fn file(&self, path: &str, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(TappedFile { disk: self.clone(), path: path.to_owned(), file })
    }
}

impl Disk for Tapped {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.changed(path, self.disk.create(path).map(|file| self.file(path, file)))
    }

    fn open_append(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open_append(path).map(|file| self.file(path, file))
    }

    fn read(&self, path: &str) -> io::Result<Bytes> {
        self.disk.read(path)
    }

    fn map(&self, path: &str) -> io::Result<Bytes> {
        self.disk.map(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.changed(to, self.disk.rename(from, to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.changed(path, self.disk.remove(path))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.changed(folder, self.disk.create_folder(folder))
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.changed(folder, self.disk.remove_folder(folder))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.changed(folder, self.disk.sync_folder(folder))
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        self.disk.len(path)
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.disk.exists(path)
    }

    fn lock(&self) -> Result<Box<dyn Any + Send + Sync>, store::Error> {
        self.disk.lock()
    }

    fn free_bytes(&self) -> Option<u64> {
        self.disk.free_bytes()
    }
}

/// A file of a watched disk.
#[derive(Debug)]
struct TappedFile {
    disk: Tapped,
    path: String,
    file: Box<dyn DiskFile>,
}

impl DiskFile for TappedFile {
    fn append(&mut self, parts: &[Bytes]) -> io::Result<()> {
        self.disk.changed(&self.path, self.file.append(parts))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.changed(&self.path, self.file.sync())
    }

    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.changed(&self.path, self.file.rewrite(offset, bytes))
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.changed(&self.path, self.file.truncate(length))
    }

    fn len(&self) -> u64 {
        self.file.len()
    }
}
