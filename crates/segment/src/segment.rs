//! One face for both kinds of segment. Invariant: growing and sealed give the same answers for the same rows.

use crate::{DeleteList, Error, Growing, Mask, Nearest, Sealed};
use data::{Column, FieldId, KeyRef, Keys, Kind, PartitionId, Schema, SegmentId, Timestamp, Type};
use filter::Predicate;
use std::sync::Arc;

/// What a sparse vector has, about.
const SPARSE_ROW_BYTES: usize = 1024;

/// A unit of rows; clones share it.
#[derive(Debug, Clone)]
pub enum Segment {
    /// Rows in memory that are still being added to.
    Growing(Arc<Growing>),
    /// Rows in a file.
    Sealed(Arc<Sealed>),
}

macro_rules! both {
    ($self:ident, $segment:ident => $answer:expr) => {
        match $self {
            Self::Growing($segment) => $answer,
            Self::Sealed($segment) => $answer,
        }
    };
}

impl Segment {
    /// Its number.
    pub fn id(&self) -> SegmentId {
        both!(self, segment => segment.id())
    }

    /// The partition its rows belong to.
    pub fn partition(&self) -> PartitionId {
        both!(self, segment => segment.partition())
    }

    /// The schema its rows are read by.
    pub fn schema(&self) -> Arc<Schema> {
        both!(self, segment => segment.schema())
    }

    /// Goes over to a later schema of the same collection; rows that are there hold the default, or nothing, in
    /// fields that are new.
    pub fn adopt(&self, schema: &Arc<Schema>) {
        both!(self, segment => segment.adopt(schema));
    }

    /// How many rows were written, dead ones included.
    pub fn rows(&self) -> usize {
        both!(self, segment => segment.rows())
    }

    /// How many rows were deleted, at whatever time.
    pub fn deleted_rows(&self) -> usize {
        both!(self, segment => segment.deleted_rows())
    }

    /// How many rows a reader at `at` sees, exactly.
    ///
    /// # Errors
    /// [`Error::Damaged`] when stamps had to be looked at and are not what was written.
    pub fn live_rows(&self, at: Timestamp) -> Result<usize, Error> {
        self.matches(None, at).map(|mask| mask.count())
    }

    /// The smallest stamp of a row; [`Timestamp::MAX`] when there are none.
    pub fn min_stamp(&self) -> Timestamp {
        both!(self, segment => segment.min_stamp())
    }

    /// The largest stamp of a row; zero when there are none.
    pub fn max_stamp(&self) -> Timestamp {
        both!(self, segment => segment.max_stamp())
    }

    /// Bytes it takes in memory (growing) or in its file (sealed).
    pub fn bytes(&self) -> usize {
        both!(self, segment => segment.bytes())
    }

    /// Deletes at `stamp` the rows with one of `keys` and a smaller stamp of their own. How many newly died.
    ///
    /// # Errors
    /// [`Error::Damaged`] when keys or stamps of a sealed segment are not what was written.
    pub fn delete(&self, keys: &Keys, stamp: Timestamp) -> Result<usize, Error> {
        match self {
            Self::Growing(segment) => Ok(segment.delete(keys, stamp)),
            Self::Sealed(segment) => segment.delete(keys, stamp),
        }
    }

    /// The rows that died at or before `up_to`, by number and stamp, for saving.
    pub fn deletes(&self, up_to: Timestamp) -> DeleteList {
        both!(self, segment => segment.deletes(up_to))
    }

    /// Lets rows die as `list` says. Saying it twice changes nothing. How many newly died.
    pub fn apply_deletes(&self, list: &DeleteList) -> usize {
        both!(self, segment => segment.apply_deletes(list))
    }

    /// The rows that a reader at `at` sees and `predicate` (none: every row) holds for.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a column the predicate looks at is not what was written.
    pub fn matches(&self, predicate: Option<&Predicate>, at: Timestamp) -> Result<Mask, Error> {
        match self {
            Self::Growing(segment) => Ok(segment.matches(predicate, at)),
            Self::Sealed(segment) => segment.matches(predicate, at),
        }
    }

    /// For each query the nearest rows of the mask, best first, by row number. Rows without a vector never count.
    ///
    /// # Errors
    /// [`Error::NoField`], [`Error::NotSearchable`], [`Error::Cancelled`], or what the index says.
    pub fn search(&self, request: &Nearest<'_>) -> Result<Vec<index::Hits>, Error> {
        both!(self, segment => segment.search(request))
    }

    /// Lets the index of `field` measure what its searches cost, if it has a choice that depends on it and has not done so;
    /// `now_ns` tells the time in nanoseconds.
    pub fn calibrate(&self, field: FieldId, now_ns: &dyn Fn() -> u64) {
        if let Self::Sealed(segment) = self {
            segment.calibrate(field, now_ns);
        }
    }

    /// By which costs a search with a filter chooses its way, if it has a choice.
    pub fn costs(&self, field: FieldId) -> Option<index::Costs> {
        match self {
            Self::Growing(_) => None,
            Self::Sealed(segment) => segment.index(field).and_then(|index| index.costs()),
        }
    }

    /// What searches of `field` have read of an index on disk since it was opened.
    pub fn reads(&self, field: FieldId) -> Option<index::Reads> {
        match self {
            Self::Growing(_) => None,
            Self::Sealed(segment) => segment.index(field).and_then(|index| index.reads()),
        }
    }

    /// Whether a search has found the index on `field` damaged since it was opened.
    pub fn is_damaged(&self, field: FieldId) -> bool {
        match self {
            Self::Growing(_) => false,
            Self::Sealed(segment) => segment.index(field).is_some_and(|index| index.is_damaged()),
        }
    }

    /// Bytes a search of `field` without a filter goes through for each query, about; `None` when an index leads it to few rows.
    /// `awaits_index` as in [`Nearest::awaits_index`].
    pub fn scanned_bytes(&self, field: FieldId, kind: Kind, awaits_index: bool) -> Option<u64> {
        let is_outlined = match self {
            Self::Growing(_) => true,
            Self::Sealed(segment) => match segment.index(field) {
                Some(index) if !index.is_scan() => return None,
                Some(_) => true,
                None => awaits_index,
            },
        };
        let row = match kind.data_type {
            Type::SparseVector => SPARSE_ROW_BYTES,
            Type::FloatVector | Type::Float16Vector | Type::BFloat16Vector if is_outlined => {
                index::Outline::scanned_bytes(kind.dim).min(kind.vector_bytes())
            }
            _ => kind.item().unwrap_or(kind).vector_bytes(),
        };
        Some((self.rows() * row) as u64)
    }

    /// Whether so much was searched among the rows of a filter that a graph of theirs is worth building.
    pub fn wants_subgraph(&self, field: FieldId) -> bool {
        match self {
            Self::Growing(_) => false,
            Self::Sealed(segment) => segment.wants_subgraph(field),
        }
    }

    /// How a search among the rows of `mask` goes about it.
    pub fn way(
        &self,
        field: FieldId,
        metric: index::Metric,
        query: &index::Query,
        mask: &Mask,
    ) -> index::Way {
        match self {
            Self::Growing(_) => index::Way::Rows,
            Self::Sealed(segment) => segment.way(field, metric, query, mask),
        }
    }

    /// The values of `field` at `rows`, in that order, copied.
    ///
    /// # Errors
    /// [`Error::NoField`]; [`Error::Damaged`] when the column is not what was written.
    ///
    /// # Panics
    /// When a row is out of bounds.
    pub fn read(&self, field: FieldId, rows: &[u32]) -> Result<Column, Error> {
        match self {
            Self::Growing(segment) => {
                let missing = Error::NoField { segment: segment.id(), field };
                segment.view().read(field, rows).ok_or(missing)
            }
            Self::Sealed(segment) => segment.read(field, rows),
        }
    }

    /// The keys of `rows`, in that order, copied.
    ///
    /// # Errors
    /// As [`Segment::read`]; [`Error::Shape`] when the schema has no primary key.
    ///
    /// # Panics
    /// When a row is out of bounds.
    pub fn keys(&self, rows: &[u32]) -> Result<Keys, Error> {
        let schema = self.schema();
        let primary = schema.primary().ok_or_else(|| Error::Shape("there is no primary key".to_owned()))?;
        let column = self.read(primary.id, rows)?;
        Keys::new(column)
            .ok_or_else(|| Error::Shape("primary keys must be Int64 or VarChar without nulls".to_owned()))
    }

    /// When `rows` were written, in that order.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the stamps are not what was written.
    ///
    /// # Panics
    /// When a row is out of bounds.
    pub fn stamps(&self, rows: &[u32]) -> Result<Vec<Timestamp>, Error> {
        match self {
            Self::Growing(segment) => {
                let view = segment.view();
                Ok(rows.iter().map(|row| view.stamp(*row)).collect())
            }
            Self::Sealed(segment) => rows.iter().map(|row| segment.stamp(*row)).collect(),
        }
    }

    /// The rows with one of `keys` that a reader at `at` sees, in the order of `keys`; by the key's own order, not by
    /// a scan.
    ///
    /// # Errors
    /// [`Error::Damaged`] when keys or stamps of a sealed segment are not what was written.
    pub fn find(&self, keys: &[KeyRef<'_>], at: Timestamp) -> Result<Vec<u32>, Error> {
        match self {
            Self::Growing(segment) => Ok(segment.find(keys, at)),
            Self::Sealed(segment) => segment.find(keys, at),
        }
    }

    /// All values of `field` without a copy: columns of neighbouring rows, each with the number of its first row,
    /// rising and without gaps. For scans and aggregation.
    ///
    /// # Errors
    /// As [`Segment::read`].
    pub fn pieces(&self, field: FieldId) -> Result<Vec<(u32, Column)>, Error> {
        match self {
            Self::Growing(segment) => {
                segment.view().pieces(field).ok_or(Error::NoField { segment: segment.id(), field })
            }
            Self::Sealed(segment) => segment.column(field).map(|column| vec![(0, column)]),
        }
    }
}
