//! Exact scores for rows that were found by their codes. Invariant: a score is the one [`crate::scan()`] would give.

use crate::hits::Top;
use crate::score::Scorer;
use crate::{Hits, Metric, Query, Vectors};

/// What came of measuring.
pub(crate) struct Refined {
    /// The best, within the range asked for.
    pub(crate) hits: Hits,
    /// Whether many rows were too far for the range, so that looking further is in vain. A few may be there only because
    /// their codes are coarse.
    pub(crate) beyond: bool,
}

/// Measures candidates on the raw rows.
pub(crate) struct Refiner<'a> {
    pub(crate) metric: Metric,
    pub(crate) vectors: Vectors<'a>,
    pub(crate) queries: Vectors<'a>,
    scorer: Scorer<'a>,
}

impl<'a> Refiner<'a> {
    pub(crate) fn new(metric: Metric, vectors: Vectors<'a>, queries: Vectors<'a>, query: &Query) -> Self {
        Self { metric, vectors, queries, scorer: Scorer::new(metric, queries, query) }
    }

    /// The best of `rows` for query `q`.
    pub(crate) fn refine(&self, q: usize, rows: &[u32], query: &Query) -> Refined {
        let mut scores = vec![0.0; rows.len()];
        self.measure(q, rows, &mut scores);
        let mut top = Top::new(self.metric, query.k());
        let mut too_far = 0;
        for (row, score) in rows.iter().zip(&scores) {
            if query.admits(*score) {
                top.push(*score, *row);
            } else {
                too_far += usize::from(query.reaches(*score));
            }
        }
        Refined { hits: top.into_hits(), beyond: too_far * 4 > rows.len() }
    }

    /// The score of query `q` and the first of `rows`.
    pub(crate) fn score(&self, q: usize, rows: Vectors<'_>) -> f32 {
        let mut score = [0.0];
        self.scorer.chosen(q, rows, &[0], &mut score);
        score[0]
    }

    fn measure(&self, q: usize, rows: &[u32], scores: &mut [f32]) {
        for row in rows {
            let row = self.vectors.bytes(*row as usize);
            simd::prefetch(&row[..PREFETCH.min(row.len())]);
        }
        self.scorer.chosen(q, self.vectors, rows, scores);
    }
}

/// Bytes of a row that are asked for ahead; the memory guesses the rest.
const PREFETCH: usize = 256;
