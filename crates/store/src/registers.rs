//! Small named values changed by compare-and-set.
//!
//! Invariant: a register's file is always a whole value, the old one or the new one. One process owns the folder
//! (the store's lock), so a mutex makes the comparison and the change one step.
//!
//! The format is described in `docs/formats/register.md`.

use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::crc::Crc;
use crate::disk::{Disk, lock};
use crate::error::Error;
use crate::name::{UNFINISHED, file_name, name_of};

const MAGIC: [u8; 8] = *b"ELANREG\n";
const FORMAT: u32 = 1;
const HEADER_BYTES: usize = 32;

/// The most bytes of one value.
const VALUE_BYTES_MAX: u64 = 256 << 20;

/// How often a register was committed since it was created: 1, 2, 3 ...
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A folder of registers.
#[derive(Debug, Clone)]
pub struct Registers {
    disk: Arc<dyn Disk>,
    folder: Arc<str>,
    /// Held during a change; holds why no more changes are taken.
    changing: Arc<Mutex<Option<String>>>,
}

impl Registers {
    /// The registers in `folder`, which exists. What a dead process left unfinished is removed.
    pub fn over(disk: Arc<dyn Disk>, folder: &str) -> Result<Self, Error> {
        let files = disk.list(folder).map_err(|e| Error::io("list registers", e))?;
        for file in files.iter().filter(|file| file.ends_with(UNFINISHED)) {
            let path = format!("{folder}/{file}");
            disk.remove(&path).map_err(|e| Error::io("remove an unfinished register", e))?;
        }
        // A process that died between a rename and its sync leaves a value that is seen now and could be gone after a
        // power cut, when others have acted on it.
        disk.sync_folder(folder).map_err(|e| Error::io("sync the register folder", e))?;
        Ok(Self { disk, folder: folder.into(), changing: Arc::default() })
    }

    fn path(&self, name: &str) -> Result<String, Error> {
        Ok(format!("{}/{}", self.folder, file_name(name)?))
    }

    /// The value of a register and its version; none if it was never committed.
    pub fn load(&self, name: &str) -> Result<Option<(Version, Bytes)>, Error> {
        let path = self.path(name)?;
        match self.disk.read(&path) {
            Ok(bytes) => decode_register(&path, &bytes).map(Some),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read a register", e)),
        }
    }

    /// Changes a register from version `expected` (none: it must not exist) to `value`, durably, and returns the new
    /// version. Fails with [`Error::Conflict`] if it is at another version; then nothing changed.
    ///
    /// If the very last step fails, the value is the old or the new one and nobody can tell which will survive:
    /// from then on every change is refused with [`Error::Poisoned`].
    pub fn commit(&self, name: &str, expected: Option<Version>, value: &[u8]) -> Result<Version, Error> {
        let path = self.path(name)?;
        let bytes = value.len() as u64;
        if bytes > VALUE_BYTES_MAX {
            return Err(Error::TooLarge { what: "a register", bytes, bytes_max: VALUE_BYTES_MAX });
        }
        let mut poison = lock(&self.changing);
        refuse_if_poisoned(&poison)?;
        let found = self.load(name)?.map(|(version, _)| version);
        if found != expected {
            return Err(Error::Conflict { name: name.to_owned(), expected, found });
        }
        let version = Version(found.map_or(0, |v| v.0) + 1);
        let header = header(version, value);
        let unfinished = format!("{path}{UNFINISHED}");
        let written = self.write(&unfinished, [header, Bytes::copy_from_slice(value)]);
        if let Err(e) = written.and_then(|()| self.disk.rename(&unfinished, &path)) {
            drop(self.disk.remove(&unfinished));
            return Err(Error::io("write a register", e));
        }
        self.settle(&mut poison)?;
        Ok(version)
    }

    fn write(&self, path: &str, parts: [Bytes; 2]) -> std::io::Result<()> {
        let mut file = self.disk.create(path)?;
        file.append(&parts)?;
        file.sync()
    }

    /// Makes a change of names durable; if that fails, no further change is taken.
    fn settle(&self, poison: &mut Option<String>) -> Result<(), Error> {
        self.disk.sync_folder(&self.folder).map_err(|e| {
            *poison = Some(format!("a sync of their folder failed ({e})"));
            Error::io("sync the register folder", e)
        })
    }

    /// Removes a register, durably; it is fine if there is none. Its versions begin at 1 again.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name)?;
        let mut poison = lock(&self.changing);
        refuse_if_poisoned(&poison)?;
        match self.disk.remove(&path) {
            Ok(()) => self.settle(&mut poison),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::io("remove a register", e)),
        }
    }

    /// Whether a change failed at its very last step, so that it is unknown which value will survive; see
    /// [`Registers::commit`].
    pub fn is_poisoned(&self) -> bool {
        lock(&self.changing).is_some()
    }

    /// The names of registers that begin with `prefix`, sorted.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let files = self.disk.list(&self.folder).map_err(|e| Error::io("list registers", e))?;
        let mut names: Vec<String> = files.iter().filter_map(|file| name_of(file)).collect();
        names.retain(|name| name.starts_with(prefix));
        names.sort_unstable();
        Ok(names)
    }
}

fn refuse_if_poisoned(poison: &Option<String>) -> Result<(), Error> {
    match poison {
        Some(reason) => Err(Error::Poisoned { what: "the registers folder", reason: reason.clone() }),
        None => Ok(()),
    }
}

fn header(version: Version, value: &[u8]) -> Bytes {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&FORMAT.to_le_bytes());
    header.extend_from_slice(&(value.len() as u32).to_le_bytes());
    header.extend_from_slice(&version.0.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    let crc = checksum(&header, value);
    header.extend_from_slice(&crc.to_le_bytes());
    Bytes::from(header)
}

fn checksum(header: &[u8], value: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(header);
    crc.update(value);
    crc.value()
}

/// Reads the bytes of a register's file.
pub(crate) fn decode_register(path: &str, bytes: &Bytes) -> Result<(Version, Bytes), Error> {
    let short = || Error::corrupt(path, bytes.len() as u64, "the file is shorter than its header");
    let (header, value) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(short)?;
    let (told, crc) = header.split_at_checked(HEADER_BYTES - 4).ok_or_else(short)?;
    if !told.starts_with(&MAGIC) {
        return Err(Error::corrupt(path, 0, "it does not begin as a register does"));
    }
    let format = number(told, 8, 4) as u32;
    let length = number(told, 12, 4);
    // The version is judged first: a newer format may keep its checksum elsewhere.
    if format > FORMAT && length == value.len() as u64 {
        return Err(Error::Newer { path: path.to_owned(), found: format, known: FORMAT });
    }
    if length != value.len() as u64 {
        let reason = format!("its header tells of {length} bytes, {} are there", value.len());
        return Err(Error::corrupt(path, 12, reason));
    }
    if checksum(told, value) != number(crc, 0, 4) as u32 {
        return Err(Error::corrupt(path, 0, "its checksum does not fit"));
    }
    if format != FORMAT || number(told, 24, 4) != 0 {
        return Err(Error::corrupt(path, 8, "its header has values that this format never had"));
    }
    Ok((Version(number(told, 16, 8)), bytes.slice(HEADER_BYTES..)))
}

/// The little-endian number of `width` bytes at `at`; zero where there is none.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    let field = bytes.get(at..at + width).unwrap_or_default();
    field.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
