//! The part of a file system that the store uses, so that a simulated one can stand in.

use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::Error;
use crate::pieces::Pieces;

/// A folder of files. Paths are relative to it and separated by `/`; the empty path is the folder itself.
///
/// The promises are those of POSIX: bytes are durable after [`DiskFile::sync`], and a name (created, renamed or
/// removed) after [`Disk::sync_folder`] of its folder. Every error names the path.
pub trait Disk: Debug + Send + Sync {
    /// A file to write, empty, whatever was there.
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// An existing file to write on at its end.
    fn open_append(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// All bytes of a file, copied.
    fn read(&self, path: &str) -> io::Result<Bytes>;
    /// All bytes of a file, in place where the disk can do that, aligned to 64 bytes or more. The file must not be
    /// changed while the bytes are held; removing it is fine.
    fn map(&self, path: &str) -> io::Result<Bytes>;
    /// A file to be read in pieces, while it is not changed; removing it is fine. What is read is not kept by the disk.
    fn pieces(&self, path: &str) -> io::Result<Box<dyn Pieces>> {
        Ok(Box::new(self.map(path)?))
    }
    /// Gives a file another name in the same folder, in one step, replacing what bore it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// What is in a folder, sorted; the names of folders end with `/`.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Makes a folder; it is fine if it exists.
    fn create_folder(&self, folder: &str) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// The length of a file in bytes.
    fn len(&self, path: &str) -> io::Result<u64>;
    /// Whether there is a file or folder of that name.
    fn exists(&self, path: &str) -> io::Result<bool>;
    /// Takes the folder for this process until the returned value is dropped. Fails with [`Error::Locked`].
    fn lock(&self) -> Result<Box<dyn Any + Send + Sync>, Error>;
    /// Bytes that can still be written, if the disk knows.
    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

/// A file being written at its end.
#[expect(clippy::len_without_is_empty, reason = "a file that is written is never asked whether it is empty")]
pub trait DiskFile: Debug + Send {
    /// Writes the parts one after the other at the end, in as few system calls as possible. After an error any part
    /// of them may have been written: cut the file back.
    fn append(&mut self, parts: &[Bytes]) -> io::Result<()>;
    /// Makes the bytes of this file durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Writes bytes that are in the file already once more, without moving its end. After a failed sync the system
    /// believes that it wrote them; this makes the next sync write them for certain.
    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to `length` bytes; later appends go there.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Bytes in the file by this handle's own count.
    fn len(&self) -> u64;
}

/// Locks a mutex whose holder never leaves its data half changed, so a panic elsewhere does not matter.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
