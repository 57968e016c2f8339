//! How near two lists of vectors are, by late interaction (Khattab and Zaharia, "ColBERT", SIGIR 2020). Invariant: the
//! score is the sum, over the vectors of the query, of each one's best score among the vectors of the row.

use crate::scan::{GROUP, check_alike};
use crate::score::Scorer;
use crate::{Error, Metric, Query, Vectors};

/// Rows scored at once.
const BLOCK: usize = 64;

/// A list of query vectors, ready to be held against lists of their kind.
pub struct MaxSim<'a> {
    metric: Metric,
    queries: Vectors<'a>,
    groups: Vec<(usize, Scorer<'a>)>,
    lengths: Vec<f32>,
    scores: Vec<f32>,
}

impl std::fmt::Debug for MaxSim<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} vectors by {}", self.queries.len(), self.metric)
    }
}

impl<'a> MaxSim<'a> {
    /// Of `queries`, by `metric`.
    pub fn new(metric: Metric, queries: Vectors<'a>, query: &Query) -> Self {
        let groups = (0..queries.len()).step_by(GROUP).map(|start| {
            let group = queries.slice(start..(start + GROUP).min(queries.len()));
            (group.len(), Scorer::new(metric, group, query))
        });
        let groups = groups.collect();
        Self { metric, queries, groups, lengths: vec![0.0; BLOCK], scores: vec![0.0; BLOCK * GROUP] }
    }

    /// The score of `items`; `None` for an empty list, which is near to nothing.
    ///
    /// # Errors
    /// [`Error::OtherVectors`] when they are not of the queries' kind.
    pub fn score(&mut self, items: Vectors<'_>) -> Result<Option<f32>, Error> {
        check_alike(items, self.queries)?;
        if items.is_empty() || self.queries.is_empty() {
            return Ok(None);
        }
        let mut sum = 0.0_f64;
        for (count, scorer) in &self.groups {
            let mut best: Vec<Option<f32>> = vec![None; *count];
            for start in (0..items.len()).step_by(BLOCK) {
                let rows = items.slice(start..(start + BLOCK).min(items.len()));
                scorer.block(rows, u64::MAX, &mut self.lengths, &mut self.scores);
                for (best, scores) in best.iter_mut().zip(self.scores.chunks(rows.len())) {
                    for score in scores {
                        if best.is_none_or(|best| self.metric.better(*score, best)) {
                            *best = Some(*score);
                        }
                    }
                }
            }
            sum += best.into_iter().flatten().map(f64::from).sum::<f64>();
        }
        Ok(Some(sum as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hits, scan};
    use host::{Cancel, Rng};

    #[test]
    fn the_sum_of_the_best_of_each() {
        let mut rng = Rng::new(7);
        let dim = 12;
        let mut floats = |count: usize| -> Vec<f32> {
            (0..count * dim).map(|_| (rng.next_u64() % 2_000) as f32 / 1_000.0 - 1.0).collect()
        };
        let (rows, queries) = (floats(150), floats(37));
        let (rows, queries) = (Vectors::F32 { dim, values: &rows }, Vectors::F32 { dim, values: &queries });
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            let one = Query::exact(metric, 1);
            for range in [0..1, 3..66, 0..150] {
                let items = rows.slice(range);
                let mut hits = vec![Hits::default(); queries.len()];
                scan(metric, items, queries, 0, None, &one, &mut hits, &Cancel::new()).unwrap();
                let want: f64 = hits.iter().map(|hits| f64::from(hits.scores[0])).sum();
                let got = MaxSim::new(metric, queries, &one).score(items).unwrap().unwrap();
                assert!((f64::from(got) - want).abs() < 1e-3, "{metric}: {got} {want}");
            }
            let mut empty = MaxSim::new(metric, queries, &one);
            assert_eq!(empty.score(rows.slice(5..5)).unwrap(), None);
        }
        let bits = [0b1010_u8, 0b1111, 0b0001];
        let rows = Vectors::Bits { dim: 8, bytes: &bits };
        let mut near = MaxSim::new(Metric::Hamming, rows.slice(0..2), &Query::exact(Metric::Hamming, 1));
        assert_eq!(near.score(rows.slice(1..3)).unwrap(), Some(2.0));
    }
}
