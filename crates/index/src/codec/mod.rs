//! What is looked at of a row while searching. Invariant: a smaller [`Codes::scores`] means nearer, whatever the
//! metric, and depends on nothing but the two rows.

mod beside;
mod bits;
mod byte;
mod float;
mod sketch;
mod varied;

pub(crate) use beside::Beside;
pub(crate) use bits::BitRows;
pub(crate) use byte::{ByteRows, Bytes8, Space};
pub(crate) use float::{FloatAim, FloatRows};
pub(crate) use sketch::{
    Aim as SketchAim, Members, PACKED, ROW_BY_ROW, Recipe, Sketch, SketchRows, Turn, factors_of,
};
pub(crate) use varied::{Varied, read_kept};

use simd::TILE_ROWS;

use crate::Vectors;

/// Rows in a form made for scoring, many against one *probe* (a query, or a row in the role of one).
pub(crate) trait Codes: Sync {
    /// A query in the form that scoring wants.
    type Probe: Send;

    /// How many rows.
    fn len(&self) -> usize;

    /// A probe that is aimed at nothing yet.
    fn probe(&self) -> Self::Probe;

    /// Aims at query `query`.
    fn aim(&self, probe: &mut Self::Probe, queries: Vectors<'_>, query: usize);

    /// What is to be added to the scores of rows that are in list `list`.
    fn term(&self, _: &Self::Probe, _: u32) -> f32 {
        0.0
    }

    /// What is looked at of `row`, as it lies in memory.
    fn place(&self, row: u32) -> &[u8];

    /// How far each of `rows` is from the probe.
    fn scores(&self, probe: &Self::Probe, rows: &[u32], reach: Reach, out: &mut Vec<f32>);
}

/// Rows that can also be held against each other, as building needs it: two are equally far from each other either way.
pub(crate) trait Pairs: Codes {
    /// Aims at a row of its own.
    fn aim_row(&self, probe: &mut Self::Probe, row: u32);

    /// The chosen rows in a form to be held against many, if there is a quicker one.
    fn side_by_side(&self, _: &[u32]) -> Option<Beside> {
        None
    }

    /// Puts the scores of rows side by side into `out`, 16 for each probe, as [`Codes::scores`] has them.
    fn scores_beside(
        &self,
        _: &Beside,
        _tile: usize,
        _probes: &[Self::Probe],
        _out: &mut [[f32; TILE_ROWS]],
    ) {
    }
}

/// Where in memory the rows of a call are; a matter of speed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Here and there.
    Scattered,
    /// One after the other.
    Streamed,
    /// In a cache already.
    Cached,
}
