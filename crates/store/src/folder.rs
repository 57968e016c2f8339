//! A disk that is a folder of a real file system.

use std::any::Any;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::disk::{Disk, DiskFile};
use crate::error::Error;
use crate::map;
#[cfg(target_os = "linux")]
use crate::pieces::{FilePieces, Pieces};

/// The file that a process holds while it uses the folder.
const LOCK: &str = "LOCK";

/// The most slices one system call takes on Linux.
const SLICES_MAX: usize = 1024;

/// A [`Disk`] over a folder of the machine.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`, made with its parents if it is missing.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|e| named(&root, &e))?;
        Ok(Self { root })
    }

    /// Where the folder is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn at<T>(&self, path: &str, run: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
        let full = if path.is_empty() { self.root.clone() } else { self.root.join(path) };
        run(&full).map_err(|e| named(&full, &e))
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Disk for Folder {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.at(path, |full| {
            let file = OpenOptions::new().write(true).create(true).truncate(true).open(full)?;
            Ok(Box::new(FolderFile { file, path: full.to_owned(), length: 0 }) as Box<dyn DiskFile>)
        })
    }

    fn open_append(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        self.at(path, |full| {
            let mut file = OpenOptions::new().write(true).open(full)?;
            let length = file.seek(SeekFrom::End(0))?;
            Ok(Box::new(FolderFile { file, path: full.to_owned(), length }) as Box<dyn DiskFile>)
        })
    }

    fn read(&self, path: &str) -> io::Result<Bytes> {
        self.at(path, |full| Ok(Bytes::from(fs::read(full)?)))
    }

    fn map(&self, path: &str) -> io::Result<Bytes> {
        self.at(path, |full| map::map(&File::open(full)?))
    }

    #[cfg(target_os = "linux")]
    fn pieces(&self, path: &str) -> io::Result<Box<dyn Pieces>> {
        self.at(path, |full| Ok(Box::new(FilePieces::open(full)?) as Box<dyn Pieces>))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.at(from, |full| fs::rename(full, self.root.join(to)))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.at(path, |full| fs::remove_file(full))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.at(folder, |full| {
            let mut names = Vec::new();
            for entry in fs::read_dir(full)? {
                let entry = entry?;
                let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
                names.push(format!("{}{slash}", entry.file_name().to_string_lossy()));
            }
            names.sort_unstable();
            Ok(names)
        })
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.at(folder, |full| match fs::create_dir(full) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && full.is_dir() => Ok(()),
            other => other,
        })
    }

    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.at(folder, |full| fs::remove_dir(full))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        // Elsewhere folders cannot be opened, and names are journalled by the file system.
        if cfg!(unix) { self.at(folder, |full| File::open(full)?.sync_all()) } else { Ok(()) }
    }

    fn len(&self, path: &str) -> io::Result<u64> {
        self.at(path, |full| Ok(fs::metadata(full)?.len()))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.at(path, |full| full.try_exists())
    }

    fn lock(&self) -> Result<Box<dyn Any + Send + Sync>, Error> {
        let path = self.root.join(LOCK);
        let failed = |e: io::Error| Error::io("lock the data folder", named(&path, &e));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The number is a courtesy: without it the answer is still that somebody holds the folder.
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(Error::Locked { folder: self.root.display().to_string(), pid });
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        // On a full disk this may fail; the lock holds all the same.
        drop(file.set_len(0).and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes())));
        Ok(Box::new(file))
    }

    #[cfg(unix)]
    fn free_bytes(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(&self.root).ok()?;
        stat.f_bavail.checked_mul(stat.f_frsize)
    }
}

/// A file of a [`Folder`], written at its end.
#[derive(Debug)]
struct FolderFile {
    file: File,
    path: PathBuf,
    length: u64,
}

impl DiskFile for FolderFile {
    fn append(&mut self, parts: &[Bytes]) -> io::Result<()> {
        for parts in parts.chunks(SLICES_MAX) {
            let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
            let mut rest = slices.as_mut_slice();
            // An empty first slice would look like a file that takes no more bytes.
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                match self.file.write_vectored(rest) {
                    Ok(0) => return Err(named(&self.path, &io::ErrorKind::WriteZero.into())),
                    Ok(written) => {
                        self.length += written as u64;
                        IoSlice::advance_slices(&mut rest, written);
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(named(&self.path, &e)),
                }
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data().map_err(|e| named(&self.path, &e))
    }

    fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.write_all(bytes))
            .and_then(|()| self.file.seek(SeekFrom::Start(self.length)).map(drop))
            .map_err(|e| named(&self.path, &e))
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file
            .set_len(length)
            .and_then(|()| self.file.seek(SeekFrom::Start(length)))
            .map_err(|e| named(&self.path, &e))?;
        self.length = length;
        Ok(())
    }

    fn len(&self) -> u64 {
        self.length
    }
}
