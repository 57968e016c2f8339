//! Vector search inside one segment: by the index where there is one, else by a scan of the vectors.
//! Invariant: only rows of the mask that have a vector are ever scored.

use crate::{Error, Growing, Mask, Sealed, items_of};
use data::{Column, FieldId, NullBuffer, Values};
use host::{Cancel, OutOfMemory, Pool, Ticket};
use index::{Hits, Metric, Outline, Outlined, Query, Vectors, Way, scan, scan_outlined};
use simd::Bits;
use std::borrow::Cow;
use std::sync::Arc;

/// Of fewer rows than this part of a segment it is quicker to look at the rows than to make an outline of all.
const OUTLINED_SHARE_MIN: usize = 8;

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
    /// Whether an index may answer; otherwise every row of the mask is scored exactly.
    pub use_index: bool,
    /// Whether the field is to have an index: a sealed segment that still lacks it is scanned through an outline.
    pub awaits_index: bool,
    /// Looked at once per block.
    pub cancel: &'a Cancel,
}

/// A column of vectors as the index crate takes them, in place; `None` for other types.
pub fn vectors_of(column: &Column) -> Option<Vectors<'_>> {
    match column.values() {
        Values::FloatVector { dim, values } => Some(Vectors::F32 { dim: *dim, values }),
        Values::BinaryVector { dim, bytes } => Some(Vectors::Bits { dim: *dim, bytes }),
        Values::Float16Vector { dim, bytes } => Some(Vectors::F16 { dim: *dim, bytes }),
        Values::BFloat16Vector { dim, bytes } => Some(Vectors::Bf16 { dim: *dim, bytes }),
        Values::Int8Vector { dim, values } => Some(Vectors::I8 { dim: *dim, values }),
        Values::SparseVector(rows) => Some(Vectors::Sparse { offsets: rows.offsets(), bytes: rows.buffer() }),
        _ => None,
    }
}

/// Some vectors of a segment.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The number of the first row.
    pub(crate) first: u32,
    pub(crate) column: Column,
    /// The outline of the vectors, if it is worth to have one.
    pub(crate) outline: Option<Arc<Outline>>,
}

impl Growing {
    /// As [`crate::Segment::search`].
    ///
    /// # Errors
    /// As [`crate::Segment::search`].
    pub fn search(&self, request: &Nearest<'_>) -> Result<Vec<Hits>, Error> {
        let pieces = self.view().outlined(request.field);
        let pieces = pieces.ok_or(Error::NoField { segment: self.id(), field: request.field })?;
        scan_pieces(&pieces, request)
    }
}

impl Sealed {
    /// As [`crate::Segment::way`].
    pub(crate) fn way(&self, field: FieldId, metric: Metric, query: &Query, mask: &Mask) -> Way {
        let Some(index) = self.index(field).filter(|index| index.metric() == metric) else {
            return Way::Rows;
        };
        match mask.bits() {
            Some(bits) => index.way_among(query, bits),
            None => index.way(query, mask.count()),
        }
    }

    /// As [`crate::Segment::wants_subgraph`].
    pub fn wants_subgraph(&self, field: FieldId) -> bool {
        self.index(field).is_some_and(|index| index.wants_subgraph().is_some())
    }

    /// How many graphs that were made for filters there are now, and the bytes they take.
    pub fn subgraphs(&self) -> (usize, u64) {
        let indexes = self.indexed_fields().into_iter().filter_map(|field| self.index(field));
        indexes
            .map(|index| index.subgraphs())
            .fold((0, 0), |(count, bytes), (more, more_bytes)| (count + more, bytes + more_bytes))
    }

    /// Builds the graph that [`Sealed::wants_subgraph`] speaks of and lets searches use it; whether there was still one to build. `take` gives
    /// memory, first for the build and then for what is kept. Where it gives none, the graph is wanted again when as much has been searched anew.
    ///
    /// # Errors
    /// [`Error::Memory`] when `take` does, [`Error::Cancelled`], and what [`Sealed::column`] says.
    pub fn build_subgraph(
        &self,
        field: FieldId,
        seed: u64,
        take: &dyn Fn(u64) -> Result<Ticket, OutOfMemory>,
        (pool, cancel): (&Pool, &Cancel),
    ) -> Result<bool, Error> {
        let Some(index) = self.index(field) else { return Ok(false) };
        let Some(mask) = index.wants_subgraph() else { return Ok(false) };
        let build = || -> Result<bool, Error> {
            let column = self.column(field)?;
            let lists = items_of(&column);
            let vectors = vectors_of(lists.as_ref().map_or(&column, |lists| lists.items()));
            let vectors = vectors.ok_or_else(|| no_vectors(field, &column))?;
            let meanwhile = take(index.subgraph_build_bytes(&mask))?;
            let mut subgraph = index.build_subgraph(vectors, &mask, seed, pool, cancel)?;
            drop(meanwhile);
            subgraph.charge(take(subgraph.memory_bytes())?);
            index.keep_subgraph(subgraph);
            Ok(true)
        };
        build().inspect_err(|_| index.decline_subgraph(&mask))
    }

    /// Lets all graphs that were made for filters go.
    pub fn forget_subgraphs(&self) {
        for field in self.indexed_fields() {
            if let Some(index) = self.index(field) {
                index.forget_subgraphs();
            }
        }
    }

    /// As [`crate::Segment::calibrate`].
    pub(crate) fn calibrate(&self, field: FieldId, now_ns: &dyn Fn() -> u64) {
        let (Some(index), Ok(column)) = (self.index(field), self.column(field)) else { return };
        let lists = items_of(&column);
        if let Some(vectors) = vectors_of(lists.as_ref().map_or(&column, |lists| lists.items())) {
            index.calibrate(vectors, now_ns);
        }
    }

    /// As [`crate::Segment::search`].
    ///
    /// # Errors
    /// As [`crate::Segment::search`].
    pub fn search(&self, request: &Nearest<'_>) -> Result<Vec<Hits>, Error> {
        let column = self.column(request.field)?;
        let index = if request.use_index { self.index(request.field) } else { None };
        // An index may be dropped and made anew while a search is on its way.
        let index = index.filter(|index| index.metric() == request.metric);
        let Some(index) = index else {
            let is_worth = request.awaits_index && request.mask.count() >= self.rows() / OUTLINED_SHARE_MIN;
            let outline = if is_worth { self.outline(request.field, &column) } else { None };
            return scan_pieces(&[Piece { first: 0, column, outline }], request);
        };
        let vectors = vectors_of(&column).ok_or_else(|| no_vectors(request.field, &column))?;
        if request.mask.count() == 0 || column.null_count() == column.len() {
            return Ok(vec![Hits::default(); request.queries.len()]);
        }
        let mask = with_vectors(request.mask, [(0, column.validity())]);
        Ok(index.search(vectors, request.queries, request.query, mask.as_deref(), request.cancel)?)
    }
}

fn no_vectors(field: FieldId, column: &Column) -> Error {
    Error::NotSearchable { field, why: format!("it holds {:?}, not vectors", column.data_type()) }
}

/// Scores every row of the mask in `pieces`, as far as its outline does not rule it out.
fn scan_pieces(pieces: &[Piece], request: &Nearest<'_>) -> Result<Vec<Hits>, Error> {
    let mut hits = vec![Hits::default(); request.queries.len()];
    let validities = pieces.iter().map(|piece| (piece.first, piece.column.validity()));
    let mask = with_vectors(request.mask, validities);
    for Piece { first, column, outline } in pieces {
        let vectors = vectors_of(column).ok_or_else(|| no_vectors(request.field, column))?;
        let rows = request.mask.rows().saturating_sub(*first as usize).min(vectors.len());
        if rows == 0 || request.mask.count() == 0 || column.null_count() == column.len() {
            continue;
        }
        let (metric, queries, query) = (request.metric, request.queries, request.query);
        let (vectors, mask) = (vectors.slice(0..rows), mask.as_deref());
        match outline.as_deref() {
            Some(outline) => {
                let rows = Outlined { vectors, outline };
                scan_outlined(metric, rows, queries, *first, mask, query, &mut hits, request.cancel)?;
            }
            None => scan(metric, vectors, queries, *first, mask, query, &mut hits, request.cancel)?,
        }
    }
    Ok(hits)
}

/// The bits of `mask` without the rows that lack a vector: pieces are first rows and which values are present. `None`
/// when every row takes part.
fn with_vectors<'m, 'v>(
    mask: &'m Mask,
    pieces: impl IntoIterator<Item = (u32, Option<&'v NullBuffer>)>,
) -> Option<Cow<'m, Bits>> {
    let mut bits = mask.bits().map(Cow::Borrowed);
    for (first, validity) in pieces {
        let first = first as usize;
        let Some(validity) = validity.filter(|validity| validity.null_count() > 0 && first < mask.rows())
        else {
            continue;
        };
        let bits = bits.get_or_insert_with(|| Cow::Owned(Bits::ones(mask.rows()))).to_mut();
        if first == 0 && validity.len() == mask.rows() {
            let words = validity.inner().bit_chunks().iter_padded().take(mask.rows().div_ceil(64)).collect();
            bits.and(&Bits::from_words(mask.rows(), words));
            continue;
        }
        let rows = validity.len().min(mask.rows() - first);
        for row in (0..rows).filter(|row| validity.is_null(*row)) {
            bits.set(first + row, false);
        }
    }
    bits
}
