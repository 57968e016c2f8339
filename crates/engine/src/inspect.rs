//! What the engine's own bytes say, for people and for the verifier.

use crate::Error;
use crate::catalog::{Collection, SegmentEntry};
use crate::record::Record;
use bytes::Bytes;

/// A log record in one line.
///
/// # Errors
/// When it is no record.
pub fn describe_record(bytes: &Bytes) -> Result<String, Error> {
    let record = Record::decode(bytes)?;
    let mut text = format!("collection {} at {}", record.collection, record.stamp.0);
    if let Some(deletes) = &record.deletes {
        text += &format!(", delete {} keys", deletes.keys.len());
    }
    for insert in &record.inserts {
        text += &format!(", insert {} rows into partition {}", insert.batch.rows(), insert.partition);
    }
    Ok(text)
}

/// The files that a register of the catalogue names.
///
/// # Errors
/// When it is no register of the catalogue.
pub fn files_named_by(value: &[u8]) -> Result<Vec<String>, Error> {
    let wrong =
        |error: serde_json::Error| Error::new(crate::ErrorKind::Corrupt, format!("not a catalogue: {error}"));
    let json: serde_json::Value = serde_json::from_slice(value).map_err(wrong)?;
    if json.get("databases").is_some() {
        return Ok(Vec::new());
    }
    let collection: Collection = serde_json::from_value(json).map_err(wrong)?;
    Ok(collection.segments.iter().flat_map(SegmentEntry::files).cloned().collect())
}
