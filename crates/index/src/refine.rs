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

    /// The best of `found`, rows with their scores by codes, nearest first. Codes say not exactly how near a row is, but how far off they are
    /// shows in the rows that are measured first; those that by their codes lie farther beyond the `k`-th than that are not
    /// measured.
    pub(crate) fn refine_near(&self, q: usize, found: &[(u32, f32)], query: &Query) -> Refined {
        let k = query.k();
        let is_simple = query.radius().is_none() && query.range_filter().is_none();
        let scale = match self.metric {
            Metric::L2 => 1.0,
            // Codes give the squared distance of rows of length one.
            Metric::Cosine => -2.0,
            _ => 0.0,
        };
        let rows: Vec<u32> = found.iter().map(|(row, _)| *row).collect();
        let first = first_of(found, k);
        if !is_simple || scale == 0.0 || rows.len() <= first {
            return self.refine(q, &rows, query);
        }
        let mut scores = vec![0.0; rows.len()];
        let mut top = Top::new(self.metric, k);
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        let mut done = 0;
        while done < rows.len() {
            let mut end = if done == 0 { first } else { (done + STEP).min(rows.len()) };
            if let Some(worst) = top.worst() {
                let bar = scale * worst + most + (most - least) / 2.0;
                end = done
                    + found[done..end].iter().take_while(|(_, code)| code.total_cmp(&bar).is_le()).count();
            }
            if end == done {
                break;
            }
            self.measure(q, &rows[done..end], &mut scores[done..end]);
            for ((row, code), score) in found[done..end].iter().zip(&scores[done..end]) {
                let off = code - scale * score;
                (least, most) = (least.min(off), most.max(off));
                top.push(*score, *row);
            }
            done = end;
        }
        Refined { hits: top.into_hits(), beyond: false }
    }

    /// Scores of `rows`.
    pub(crate) fn measure(&self, q: usize, rows: &[u32], scores: &mut [f32]) {
        for row in rows {
            let row = self.vectors.bytes(*row as usize);
            simd::prefetch(&row[..PREFETCH.min(row.len())]);
        }
        self.scorer.chosen(q, self.vectors, rows, scores);
    }
}

/// How many of `found` are measured in any case. Codes that are the same are off by the same, so a few different ones must be
/// among them.
fn first_of(found: &[(u32, f32)], k: usize) -> usize {
    let mut different = 0;
    let fresh = |i: usize| i == 0 || found[i].1 != found[i - 1].1;
    let enough = (0..found.len()).position(|i| {
        different += usize::from(fresh(i));
        different == FIRST
    });
    enough.map_or(found.len(), |last| k.max(last + 1))
}

/// Rows of different codes that are measured in any case, to see how far off codes are.
const FIRST: usize = 8;
/// Rows that are measured together after these.
const STEP: usize = 4;
/// Bytes of a row that are asked for ahead; the memory guesses the rest.
const PREFETCH: usize = 256;
