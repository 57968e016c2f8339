//! Rows on their way into a file: from chunks or from other files, some of them left out.
//! Invariant: runs rise, do not touch and lie within the source.

use crate::chunk::{Chunk, absent};
use crate::{Error, Sealed, Segment};
use data::{Column, Field, Timestamp};
use simd::Bits;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a field that no file has are made up in pieces of this size.
const ABSENT_ROWS: usize = 1024;

/// Is shown part of a column.
pub(crate) type Visit<'a> = dyn FnMut(&Column, Range<usize>) -> Result<(), Error> + 'a;

#[derive(Debug)]
enum Source {
    Chunk(Arc<Chunk>),
    Sealed(Arc<Sealed>),
}

/// Some rows of one source.
#[derive(Debug)]
pub(crate) struct Block {
    source: Source,
    runs: Vec<Range<usize>>,
    kept: usize,
}

impl Block {
    /// All rows of `chunk`.
    pub(crate) fn of_chunk(chunk: Arc<Chunk>) -> Self {
        let rows = chunk.rows as usize;
        Self { source: Source::Chunk(chunk), runs: std::iter::once(0..rows).collect(), kept: rows }
    }

    /// The rows of `segment` that are in `keep`.
    pub(crate) fn of_segment(segment: &Segment, keep: &Bits) -> Vec<Self> {
        let of = |source, first, rows| {
            let (runs, kept) = runs_of(keep, first, rows);
            Self { source, runs, kept }
        };
        match segment {
            Segment::Growing(growing) => {
                let chunks = growing.view().chunks;
                let each = chunks.iter();
                each.map(|chunk| {
                    of(Source::Chunk(Arc::clone(chunk)), chunk.first as usize, chunk.rows as usize)
                })
                .collect()
            }
            Segment::Sealed(sealed) => vec![of(Source::Sealed(Arc::clone(sealed)), 0, sealed.rows())],
        }
    }

    /// How many rows are kept.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// The stamps of the kept rows, in order.
    pub(crate) fn each_stamp(&self, mut visit: impl FnMut(Timestamp)) -> Result<(), Error> {
        match &self.source {
            Source::Chunk(chunk) => {
                self.runs.iter().cloned().flatten().for_each(|row| visit(chunk.stamps.get(row as u32)));
            }
            Source::Sealed(sealed) => match sealed.stamps()? {
                Some(stamps) => {
                    self.runs.iter().cloned().flatten().for_each(|row| visit(Timestamp(stamps[row])))
                }
                None => (0..self.kept).for_each(|_| visit(sealed.max_stamp())),
            },
        }
        Ok(())
    }

    /// The values of `field` in the kept rows, in order, as parts of columns.
    pub(crate) fn each_piece(&self, field: &Field, visit: &mut Visit<'_>) -> Result<(), Error> {
        match &self.source {
            Source::Chunk(chunk) => {
                if let Some(column) = chunk.column(field.id) {
                    return self.runs.iter().try_for_each(|run| visit(column, run.clone()));
                }
            }
            Source::Sealed(sealed) => {
                if sealed.slots().each_stored(field.id, &self.runs, visit)? {
                    return Ok(());
                }
            }
        }
        let column = absent(field, ABSENT_ROWS.min(self.kept));
        (0..self.kept)
            .step_by(ABSENT_ROWS)
            .try_for_each(|start| visit(&column, 0..ABSENT_ROWS.min(self.kept - start)))
    }
}

/// The runs of ones among bits `first .. first + rows` of `keep`, counted from `first`, and how many ones there are.
fn runs_of(keep: &Bits, first: usize, rows: usize) -> (Vec<Range<usize>>, usize) {
    let (mut runs, mut kept) = (Vec::<Range<usize>>::new(), 0);
    for row in (0..rows.min(keep.len().saturating_sub(first))).filter(|row| keep.get(first + row)) {
        kept += 1;
        match runs.last_mut() {
            Some(run) if run.end == row => run.end += 1,
            _ => runs.push(row..row + 1),
        }
    }
    (runs, kept)
}
