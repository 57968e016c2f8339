//! What can go wrong in a segment.

use data::{FieldId, SegmentId};

/// Why a question to a segment has no answer, or why a file is no segment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The schema of the segment has no such field.
    #[error("segment {segment} has no field {field}")]
    NoField {
        /// The segment.
        segment: SegmentId,
        /// The field asked for.
        field: FieldId,
    },
    /// A batch does not look like the schema says.
    #[error("rows do not fit the schema: {0}")]
    Shape(String),
    /// The field cannot be searched the way it was asked for.
    #[error("field {field} cannot be searched: {why}")]
    NotSearchable {
        /// The field asked for.
        field: FieldId,
        /// What is in the way.
        why: String,
    },
    /// The segment is full: rows are numbered by 32 bits.
    #[error("segment {0} is full: a segment holds at most 4294967294 rows")]
    Full(SegmentId),
    /// The bytes of a file are not what was written.
    #[error("file {file} is damaged: section {section}: {what}")]
    Damaged {
        /// Its name.
        file: String,
        /// The section at fault.
        section: String,
        /// What is wrong with it.
        what: String,
    },
    /// The disk, or what lies on it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The index, or the search of vectors.
    #[error(transparent)]
    Index(index::Error),
    /// There is not as much memory as it takes.
    #[error(transparent)]
    Memory(#[from] host::OutOfMemory),
    /// The work was told to stop.
    #[error(transparent)]
    Cancelled(#[from] host::Cancelled),
}

impl From<index::Error> for Error {
    fn from(error: index::Error) -> Self {
        match error {
            index::Error::Cancelled => Self::Cancelled(host::Cancelled),
            error => Self::Index(error),
        }
    }
}
