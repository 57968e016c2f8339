//! What a file of a data folder is, told from its bytes alone; for people and for the verifier.

use bytes::Bytes;

use crate::error::Error;
use crate::file::Reader;
use crate::log::{Lsn, read_records};
use crate::registers::{Version, decode_register};

/// A file of ours, read.
#[derive(Debug)]
pub enum Recognised {
    /// A container of sections: rows, deletes, an index.
    Container(Reader),
    /// A register and its value.
    Register {
        /// Its version.
        version: Version,
        /// Its value.
        value: Bytes,
    },
    /// A file of the log.
    Log {
        /// Its records in order.
        records: Vec<(Lsn, Bytes)>,
        /// Why reading ended before the end of the file, and where; a torn end is normal after a crash.
        torn: Option<(u64, String)>,
    },
}

/// Reads `bytes` as one of our files; errors call it `path`.
///
/// # Errors
/// [`Error::Foreign`] when it is none of ours, [`Error::Corrupt`] or [`Error::Newer`] when it is one that cannot be read.
pub fn recognise(path: &str, bytes: Bytes) -> Result<Recognised, Error> {
    match bytes.get(..8) {
        Some(b"ELANFIL\n") => Reader::open_named(path, bytes).map(Recognised::Container),
        Some(b"ELANREG\n") => {
            decode_register(path, &bytes).map(|(version, value)| Recognised::Register { version, value })
        }
        Some(b"ELANLOG\n") => {
            let (records, torn) = read_records(path, bytes)?;
            Ok(Recognised::Log { records, torn })
        }
        _ => Err(Error::Foreign { reason: format!("{path} begins like none of our files") }),
    }
}
