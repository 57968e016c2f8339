//! Exact scores for rows that were found by their codes. Invariant: a score is the one [`crate::scan()`] would give.

use simd::Op;

use crate::hits::Top;
use crate::scan::{cosine, norm, score};
use crate::{Hits, Metric, Query, Vectors};

/// What came of measuring.
pub(crate) struct Refined {
    /// The best, within the range asked for.
    pub(crate) hits: Hits,
    /// Whether a row was too far for the range, so that looking further is in vain.
    pub(crate) beyond: bool,
}

/// Measures candidates on the raw rows.
pub(crate) struct Refiner<'a> {
    pub(crate) metric: Metric,
    pub(crate) vectors: Vectors<'a>,
    pub(crate) queries: Vectors<'a>,
}

impl Refiner<'_> {
    /// How many candidates are worth measuring to find the best `k` among them with certainty enough: codes of a
    /// byte an element swap only rows that are nearly equally near.
    pub(crate) fn depth(k: usize) -> usize {
        k + (k / 2).max(8)
    }

    /// The best of `rows` for query `q`.
    pub(crate) fn refine(&self, q: usize, rows: &[u32], query: &Query) -> Refined {
        let mut scores = vec![0.0; rows.len()];
        self.measure(q, rows, &mut scores);
        let mut top = Top::new(self.metric, query.k());
        let mut beyond = false;
        for (row, score) in rows.iter().zip(&scores) {
            if query.admits(*score) {
                top.push(*score, *row);
            } else {
                beyond |= query.reaches(*score);
            }
        }
        Refined { hits: top.into_hits(), beyond }
    }

    fn measure(&self, q: usize, rows: &[u32], scores: &mut [f32]) {
        let Vectors::F32 { values, .. } = self.vectors else {
            for (row, out) in rows.iter().zip(scores) {
                *out = score(self.metric, self.queries, q, self.vectors, *row as usize);
            }
            return;
        };
        for row in rows {
            simd::prefetch(&self.vectors.floats(*row as usize)[..PREFETCH.min(self.vectors.dim())]);
        }
        let query = self.queries.floats(q);
        let op = if self.metric == Metric::L2 { Op::L2 } else { Op::Ip };
        op.chosen(query, values, rows, scores);
        if self.metric == Metric::Cosine {
            let length = norm(query);
            for (row, out) in rows.iter().zip(scores) {
                *out = cosine(*out, length, norm(self.vectors.floats(*row as usize)));
            }
        }
    }
}

/// Floats of a row that are asked for ahead; the memory guesses the rest.
const PREFETCH: usize = 64;
