//! Vector search inside one segment: by the index where there is one, else by a scan of the vectors.
//! Invariant: only rows of the mask that have a vector are ever scored.

use crate::Mask;
use data::{Column, FieldId, Values};
use host::Cancel;
use index::{Metric, Query, Vectors};

/// A search for nearest rows.
#[derive(Debug, Clone, Copy)]
pub struct Nearest<'a> {
    /// The vector field.
    pub field: FieldId,
    /// One vector a query, of the field's kind and dim.
    pub queries: Vectors<'a>,
    /// How many rows are wanted, and with how much effort.
    pub query: &'a Query,
    /// How near is measured when there is no index.
    pub metric: Metric,
    /// Which rows count, as [`crate::Segment::matches`] of the same segment gave them.
    pub mask: &'a Mask,
    /// Whether an index may answer; otherwise every row is scored exactly.
    pub use_index: bool,
    /// Looked at once per block.
    pub cancel: &'a Cancel,
}

/// A column of vectors as the index crate takes them; `None` for other types.
pub fn vectors_of(column: &Column) -> Option<Vectors<'_>> {
    match column.values() {
        Values::FloatVector { .. } | Values::BinaryVector { .. } => None,
        _ => None,
    }
}
