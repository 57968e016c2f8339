//! Binary rows as they are. Invariant: the score is the metric's own.

use super::{Codes, Pairs, Reach};
use crate::score::plain;
use crate::{Metric, Vectors};

/// Raw binary rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BitRows<'a> {
    pub(crate) metric: Metric,
    pub(crate) vectors: Vectors<'a>,
}

impl BitRows<'_> {
    #[inline]
    pub(crate) fn score(&self, query: &[u8], row: usize) -> f32 {
        plain(self.metric, query, self.vectors.bytes(row))
    }
}

impl Codes for BitRows<'_> {
    type Probe = Vec<u8>;

    fn len(&self) -> usize {
        self.vectors.len()
    }

    fn probe(&self) -> Vec<u8> {
        Vec::new()
    }

    fn aim(&self, probe: &mut Vec<u8>, queries: Vectors<'_>, query: usize) {
        probe.clear();
        probe.extend_from_slice(queries.bytes(query));
    }

    #[inline]
    fn place(&self, row: u32) -> &[u8] {
        self.vectors.bytes(row as usize)
    }

    fn scores(&self, probe: &Vec<u8>, rows: &[u32], _: Reach, out: &mut Vec<f32>) {
        out.clear();
        out.extend(rows.iter().map(|row| self.score(probe, *row as usize)));
    }
}

impl Pairs for BitRows<'_> {
    fn aim_row(&self, probe: &mut Vec<u8>, row: u32) {
        self.aim(probe, self.vectors, row as usize);
    }
}
