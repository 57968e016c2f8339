//! Rows of floats as they are, for a graph that grows. Invariant: a score is a squared distance, by COSINE that of the rows
//! brought to length one.

use simd::Op;

use super::{Codes, Pairs, Reach};
use crate::score::norm;
use crate::{Metric, Vectors};

/// Rows that more are added to.
#[derive(Debug)]
pub(crate) struct FloatRows {
    pub(crate) metric: Metric,
    pub(crate) dim: usize,
    pub(crate) values: Vec<f32>,
    /// What brings each row to length one; empty by L2.
    inverses: Vec<f32>,
}

/// A query, and what brings it to length one.
#[derive(Debug, Default)]
pub(crate) struct FloatAim {
    values: Vec<f32>,
    inverse: f32,
}

impl FloatRows {
    pub(crate) fn new(metric: Metric, dim: usize) -> Self {
        Self { metric, dim, values: Vec::new(), inverses: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: &[f32]) {
        self.values.extend_from_slice(row);
        if self.metric == Metric::Cosine {
            self.inverses.push(inverse(row));
        }
    }

    pub(crate) fn vectors(&self) -> Vectors<'_> {
        Vectors::F32 { dim: self.dim, values: &self.values }
    }

    fn row(&self, row: u32) -> &[f32] {
        &self.values[row as usize * self.dim..][..self.dim]
    }

    fn take(&self, probe: &mut FloatAim, values: &[f32]) {
        probe.values.clear();
        probe.values.extend_from_slice(values);
        probe.inverse = inverse(values);
    }
}

/// Nothing brings a row of zeros to length one.
fn inverse(row: &[f32]) -> f32 {
    let length = norm(row);
    if length > 0.0 { 1.0 / length } else { 0.0 }
}

impl Codes for FloatRows {
    type Probe = FloatAim;

    fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    fn probe(&self) -> FloatAim {
        FloatAim::default()
    }

    fn aim(&self, probe: &mut FloatAim, queries: Vectors<'_>, query: usize) {
        self.take(probe, queries.floats(query, &mut Vec::new()));
    }

    #[inline]
    fn place(&self, row: u32) -> &[u8] {
        bytemuck::cast_slice(self.row(row))
    }

    fn scores(&self, probe: &FloatAim, rows: &[u32], _: Reach, out: &mut Vec<f32>) {
        out.resize(rows.len(), 0.0);
        if self.metric == Metric::Cosine {
            Op::Ip.chosen(&probe.values, &self.values, rows, out);
            for (score, row) in out.iter_mut().zip(rows) {
                *score = 2.0 - 2.0 * *score * (probe.inverse * self.inverses[*row as usize]);
            }
        } else {
            Op::L2.chosen(&probe.values, &self.values, rows, out);
        }
    }
}

impl Pairs for FloatRows {
    fn aim_row(&self, probe: &mut FloatAim, row: u32) {
        self.take(probe, self.row(row));
    }
}
