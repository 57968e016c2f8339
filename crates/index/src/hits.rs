//! The best rows of a search. Invariant: best first, equal scores by rising row.

use std::collections::BinaryHeap;

use crate::Metric;

/// Rows and their scores, best first; ties stand in the order of rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hits {
    /// Row numbers.
    pub rows: Vec<u32>,
    /// One score a row.
    pub scores: Vec<f32>,
}

impl Hits {
    /// How many.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The best `k` of both, where the two are of different rows.
    pub fn merge(&self, other: &Self, metric: Metric, k: usize) -> Self {
        let mut top = Top::new(metric, k);
        top.extend(self);
        top.extend(other);
        top.into_hits()
    }
}

/// A number that sorts as the score does, best first and NaN last, and then by row.
#[inline]
pub(crate) fn order(key: f32, row: u32) -> u64 {
    // Adding zero turns -0 into 0, so that the two are one score.
    let bits = if key.is_nan() { f32::INFINITY.to_bits() } else { (key + 0.0).to_bits() };
    let rising = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(rising) << 32 | u64::from(row)
}

/// The key that went into an [`order`].
#[inline]
pub(crate) fn key_of(order: u64) -> f32 {
    let rising = (order >> 32) as u32;
    f32::from_bits(if rising >> 31 == 1 { rising & !(1 << 31) } else { !rising })
}

/// The best `k` of what is pushed.
#[derive(Debug)]
pub(crate) struct Top {
    metric: Metric,
    k: usize,
    heap: BinaryHeap<u64>,
    /// The order that a newcomer must be below.
    limit: u64,
}

impl Top {
    pub(crate) fn new(metric: Metric, k: usize) -> Self {
        Self {
            metric,
            k,
            heap: BinaryHeap::with_capacity(k.min(1024) + 1),
            limit: if k == 0 { 0 } else { u64::MAX },
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, score: f32, row: u32) {
        let order = order(if self.metric.smaller_is_better() { score } else { -score }, row);
        if order < self.limit {
            self.heap.push(order);
            if self.heap.len() > self.k {
                self.heap.pop();
            }
            if self.heap.len() == self.k {
                self.limit = self.heap.peek().copied().unwrap_or(u64::MAX);
            }
        }
    }

    /// The score that a newcomer must beat, once there are `k`.
    pub(crate) fn worst(&self) -> Option<f32> {
        let full = self.heap.len() >= self.k;
        let key = key_of(self.limit);
        full.then(|| if self.metric.smaller_is_better() { key } else { -key })
    }

    /// Whether any of `scores` may be among the best.
    #[inline]
    pub(crate) fn is_open(&self, scores: &[f32]) -> bool {
        let Some(worst) = self.worst() else { return true };
        // What is no number counts as open. Without an exit in between this becomes vector code.
        if self.metric.smaller_is_better() {
            !scores.iter().fold(true, |ruled_out, score| ruled_out & (*score > worst))
        } else {
            !scores.iter().fold(true, |ruled_out, score| ruled_out & (*score < worst))
        }
    }

    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    pub(crate) fn extend(&mut self, hits: &Hits) {
        for (row, score) in hits.rows.iter().zip(&hits.scores) {
            self.push(*score, *row);
        }
    }

    pub(crate) fn into_hits(self) -> Hits {
        let sign = if self.metric.smaller_is_better() { 1.0 } else { -1.0 };
        let sorted = self.heap.into_sorted_vec();
        Hits {
            rows: sorted.iter().map(|order| *order as u32).collect(),
            scores: sorted.iter().map(|order| sign * key_of(*order) + 0.0).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_sort_like_scores_then_rows_and_give_the_key_back() {
        let keys = [f32::NEG_INFINITY, -2.5, -1e-40, 0.0, 1e-40, 3.0, f32::INFINITY];
        for pair in keys.windows(2) {
            assert!(order(pair[0], 9) < order(pair[1], 3), "{pair:?}");
        }
        assert_eq!(order(0.0, 1), order(-0.0, 1));
        assert!(order(1.0, 1) < order(1.0, 2));
        for key in keys {
            assert_eq!(key_of(order(key, 5)), key);
        }
        assert_eq!(order(f32::NAN, 5), order(f32::INFINITY, 5));
    }

    #[test]
    fn the_best_k_with_ties_by_row() {
        for (metric, want) in [(Metric::L2, [2, 7]), (Metric::Ip, [1, 4])] {
            let mut top = Top::new(metric, 2);
            for (score, row) in [(5.0, 4), (1.0, 7), (5.0, 9), (1.0, 2), (5.0, 1)] {
                top.push(score, row);
            }
            assert!(top.is_open(&[3.0, f32::NAN]), "what is no number is looked at");
            let worst = top.worst().expect("two are there");
            let (better, worse) = if metric == Metric::L2 { (-1.0, 1.0) } else { (1.0, -1.0) };
            assert!(top.is_open(&[worst + worse, worst]) && top.is_open(&[worst + better]));
            assert!(!top.is_open(&[worst + worse, worst + 2.0 * worse]));
            assert_eq!(top.into_hits().rows, want);
        }
        let mut none = Top::new(Metric::L2, 0);
        none.push(1.0, 1);
        assert!(none.into_hits().is_empty());
    }
}
