//! What can go wrong where bytes rest. Every text says what was wrong and what would be right.
//!
//! Errors are cheap to clone, because one failed group write is answered to many callers.

use std::io;
use std::sync::Arc;

use crate::registers::Version;

/// Why a store operation did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The disk refused. The source names the path.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, as a verb with its object.
        action: &'static str,
        /// The disk's own words.
        source: Arc<io::Error>,
    },
    /// No space is left. Nothing that was acknowledged is lost.
    #[error(
        "disk full: cannot {action}: {source}; nothing acknowledged is lost, free some space (or move the data \
         folder to a larger disk) and try again"
    )]
    DiskFull {
        /// What was tried, as a verb with its object.
        action: &'static str,
        /// The disk's own words.
        source: Arc<io::Error>,
    },
    /// Stored bytes are not what was written.
    #[error("{path} is damaged at byte {offset}: {reason}")]
    Corrupt {
        /// The file, relative to the data folder, or the name of the container.
        path: String,
        /// Where the damage was noticed, in bytes from the start of the file.
        offset: u64,
        /// What does not fit.
        reason: String,
    },
    /// A register was changed by somebody else since it was loaded: load it again and decide anew.
    #[error("register {name} has changed: expected {}, found {}", shown(*expected), shown(*found))]
    Conflict {
        /// The register.
        name: String,
        /// The version the caller had seen; none for "must not exist yet".
        expected: Option<Version>,
        /// The version that is there.
        found: Option<Version>,
    },
    /// After a failed sync the operating system may have dropped what it had not written, so nothing more is
    /// accepted here.
    #[error(
        "{what} takes no more writes because {reason}; restart the process: it recovers what was acknowledged from \
         disk"
    )]
    Poisoned {
        /// The log or registers concerned.
        what: &'static str,
        /// What failed.
        reason: String,
    },
    /// Another process uses the folder.
    #[error("{folder} is in use by {}; stop that process first, or choose another data folder", holder(*pid))]
    Locked {
        /// The data folder.
        folder: String,
        /// The process that holds it, if it left its number.
        pid: Option<u32>,
    },
    /// The folder is not one of ours; it was left untouched.
    #[error(
        "not a data folder of ours, left untouched: {reason}; choose an empty folder or one made by Elanus"
    )]
    Foreign {
        /// What was found.
        reason: String,
    },
    /// Written by a newer release.
    #[error("{path} has format version {found}, this release reads up to {known}; use a newer release")]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// There is no such blob or register.
    #[error("{name} does not exist")]
    NotFound {
        /// The name asked for.
        name: String,
    },
    /// Blobs are immutable: a name is given once.
    #[error("{name} exists already or is being written; blobs are immutable, choose another name")]
    Exists {
        /// The name asked for.
        name: String,
    },
    /// A name that could not be kept on every back end.
    #[error("bad name {name:?}: {reason}")]
    BadName {
        /// The name asked for.
        name: String,
        /// What is not allowed about it.
        reason: &'static str,
    },
    /// More bytes than a format or a queue takes.
    #[error("{what} would have {bytes} bytes, more than the {bytes_max} allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The most that is allowed.
        bytes_max: u64,
    },
    /// The caller asked for something that makes no sense here.
    #[error("wrong use of {what}: {reason}")]
    Misuse {
        /// The part concerned.
        what: &'static str,
        /// What was wrong about the call.
        reason: String,
    },
}

impl Error {
    /// The error of a disk operation, `action` being a verb with its object.
    pub(crate) fn io(action: &'static str, source: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        let full = matches!(source.kind(), StorageFull | QuotaExceeded);
        let source = Arc::new(source);
        if full { Self::DiskFull { action, source } } else { Self::Io { action, source } }
    }

    /// Stored bytes that are not what was written.
    pub(crate) fn corrupt(path: &str, offset: u64, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), offset, reason: reason.into() }
    }
}

fn shown(version: Option<Version>) -> String {
    version.map_or_else(|| "no value".to_owned(), |v| format!("version {}", v.0))
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
