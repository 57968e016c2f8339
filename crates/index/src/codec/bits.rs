//! Binary rows as they are. Invariant: the score is the metric's own.

use super::{Codes, Pairs, Reach};
use crate::score::plain;
use crate::{Metric, Vectors};

/// Rows whose memory is asked for before they are scored, and how many bytes of each.
const AHEAD: usize = 8;
const PREFETCH: usize = 256;

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

    fn scores(&self, probe: &Vec<u8>, rows: &[u32], reach: Reach, out: &mut Vec<f32>) {
        out.clear();
        let ahead = |row: Option<&u32>| {
            if let Some(row) = row.filter(|_| reach != Reach::Cached) {
                let row = self.place(*row);
                simd::prefetch(&row[..PREFETCH.min(row.len())]);
            }
        };
        (0..AHEAD).for_each(|i| ahead(rows.get(i)));
        out.extend(rows.iter().enumerate().map(|(i, row)| {
            ahead(rows.get(i + AHEAD));
            self.score(probe, *row as usize)
        }));
    }
}

impl Pairs for BitRows<'_> {
    fn aim_row(&self, probe: &mut Vec<u8>, row: u32) {
        self.aim(probe, self.vectors, row as usize);
    }
}
