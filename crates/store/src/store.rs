//! One data folder: blobs, registers and logs behind one lock and one format mark.
//!
//! Invariant: a folder that is not ours, or newer than this release, is refused before a byte of it is changed.

use std::any::Any;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::blobs::Blobs;
use crate::crc::crc32c;
use crate::disk::Disk;
use crate::error::Error;
use crate::log::{Log, LogSettings, Replay};
use crate::registers::Registers;

/// The file that says whose folder this is and how it is laid out.
const MARK: &str = "FORMAT";
const MARK_UNFINISHED: &str = "FORMAT.tmp";
const LAYOUT: u32 = 1;
const MARK_START: &str = "elanus data folder";

const BLOBS: &str = "blobs";
const REGISTERS: &str = "registers";
const LOGS: &str = "log";

/// A data folder in use by this process.
#[derive(Debug)]
pub struct Store {
    disk: Arc<dyn Disk>,
    blobs: Blobs,
    registers: Registers,
    _lock: Box<dyn Any + Send + Sync>,
}

impl Store {
    /// Takes the folder for this process and opens it; an empty folder is made ready. Fails with
    /// [`Error::Locked`], [`Error::Foreign`] or [`Error::Newer`] and leaves the folder as it was.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self, Error> {
        // Looked at before the lock, which writes a file, and again behind it.
        is_ours(&disk)?;
        let lock = disk.lock()?;
        if !is_ours(&disk)? {
            make_ready(&disk).map_err(|e| Error::io("make the data folder", e))?;
        }
        let blobs = Blobs::over(Arc::clone(&disk), BLOBS)?;
        let registers = Registers::over(Arc::clone(&disk), REGISTERS)?;
        Ok(Self { disk, blobs, registers, _lock: lock })
    }

    /// The blobs of this folder.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The registers of this folder.
    pub fn registers(&self) -> &Registers {
        &self.registers
    }

    /// Opens a log of this folder; `settings.folder` is `log` for the one of a single node, `log/NAME` for others
    /// (not both).
    pub fn open_log(&self, settings: LogSettings) -> Result<(Log, Replay), Error> {
        let ours = settings.folder == LOGS || settings.folder.strip_prefix("log/").is_some_and(is_plain);
        if !ours {
            let reason = format!("its folder is log or log/NAME, not {:?}", settings.folder);
            return Err(Error::Misuse { what: "the log", reason });
        }
        Log::open(Arc::clone(&self.disk), settings)
    }

    /// The disk underneath.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Bytes that can still be written, if the disk knows.
    pub fn free_bytes(&self) -> Option<u64> {
        self.disk.free_bytes()
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// Whether the folder is one of ours; false if it can become one; an error if it is something else.
fn is_ours(disk: &Arc<dyn Disk>) -> Result<bool, Error> {
    let failed = |e| Error::io("look at the data folder", e);
    match disk.read(MARK) {
        Ok(mark) => return check_mark(&mark).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    for name in disk.list("").map_err(failed)? {
        match name.as_str() {
            // lost+found stands at the top of every ext4 volume.
            "LOCK" | MARK_UNFINISHED | "lost+found/" => {}
            // A first start that was killed leaves these, empty.
            "blobs/" | "registers/" | "log/" => {
                if !disk.list(name.trim_end_matches('/')).map_err(failed)?.is_empty() {
                    let reason = format!("{name} has files but the file {MARK} is missing");
                    return Err(Error::Foreign { reason });
                }
            }
            _ => return Err(Error::Foreign { reason: format!("it has {name}, but no file {MARK}") }),
        }
    }
    Ok(false)
}

fn mark(layout: u32) -> String {
    let text = format!("{MARK_START}\nlayout {layout}\n");
    let crc = crc32c(text.as_bytes());
    format!("{text}crc32c {crc:08x}\n")
}

fn check_mark(found: &[u8]) -> Result<(), Error> {
    if found == mark(LAYOUT).as_bytes() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(found);
    let mut lines = text.lines();
    if lines.next() != Some(MARK_START) {
        return Err(Error::Foreign { reason: format!("its file {MARK} is not one of ours") });
    }
    let layout = lines.next().and_then(|line| line.strip_prefix("layout ")?.parse().ok());
    match layout {
        Some(layout) if layout > LAYOUT && text == mark(layout) => {
            Err(Error::Newer { path: MARK.to_owned(), found: layout, known: LAYOUT })
        }
        _ => Err(Error::corrupt(MARK, 0, "its checksum does not fit")),
    }
}

fn make_ready(disk: &Arc<dyn Disk>) -> io::Result<()> {
    for folder in [BLOBS, REGISTERS, LOGS] {
        disk.create_folder(folder)?;
    }
    disk.sync_folder("")?;
    let mut file = disk.create(MARK_UNFINISHED)?;
    file.append(&[Bytes::from(mark(LAYOUT))])?;
    file.sync()?;
    disk.rename(MARK_UNFINISHED, MARK)?;
    disk.sync_folder("")
}
