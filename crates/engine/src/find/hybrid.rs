//! Several searches whose hits are ranked together. All of them read one moment.
//! Invariant: a row counts once a search; ties stand in the order in which the searches found the rows.

use super::fetch::{self, Output};
use super::reduce::{Reduced, round};
use super::{Place, Scope, Wanted, check_window, plan, search};
use crate::Error;
use crate::api::{Found, Hybrid, Rank};
use crate::node::Node;
use index::Metric;
use std::collections::HashMap;
use std::f64::consts::PI;

/// The most searches at once.
const SEARCHES_MAX: usize = 1_024;
/// Below this lies the constant of reciprocal rank fusion.
const RRF_K_MAX: f64 = 16_384.0;

/// Answers a hybrid search.
pub(crate) fn hybrid(node: &Node, hybrid: Hybrid) -> Result<Found, Error> {
    check(node, &hybrid)?;
    let wanted = Wanted {
        target: &hybrid.target,
        partitions: &hybrid.partitions,
        time: hybrid.time,
        ignore_growing: hybrid.ignore_growing,
    };
    let scope = Scope::new(node, &wanted)?;
    let output = Output::new(scope.schema(), &hybrid.output, false)?;
    let mut lists = Vec::with_capacity(hybrid.searches.len());
    for one in &hybrid.searches {
        plan::check(node, one)?;
        let plan = plan::plan(&scope, one)?;
        let metric = plan.metric;
        lists.push((metric, search::best(node, &scope, one, plan)?));
    }
    let queries = lists.first().map_or(0, |(_, list)| list.counts.len());
    if let Some((_, other)) = lists.iter().find(|(_, list)| list.counts.len() != queries) {
        return Err(Error::invalid(format!(
            "the searches of a hybrid search must have as many queries each, but one has {queries} and another {}: nq mismatch",
            other.counts.len()
        )));
    }
    let (places, mut scores, counts) = fuse(&lists, queries, &hybrid);
    output.check_size(places.len(), node.settings.output_bytes_max)?;
    round(&mut scores, hybrid.round_decimal);
    Ok(Found {
        queries,
        limit: hybrid.limit,
        counts,
        keys: fetch::keys(&scope, &places)?,
        scores,
        primary: scope.primary_name(),
        fields: output.fetch(&scope, &places)?,
        groups: None,
        bound: None,
        explained: Vec::new(),
        timestamp: scope.at,
    })
}

fn check(node: &Node, hybrid: &Hybrid) -> Result<(), Error> {
    check_window(hybrid.limit, hybrid.offset, node.settings.limit_max, "limit")?;
    let count = hybrid.searches.len();
    if !(1..=SEARCHES_MAX).contains(&count) {
        return Err(Error::invalid(format!(
            "the number of searches in a hybrid search should be in range [1, {SEARCHES_MAX}], but got {count}"
        )));
    }
    match &hybrid.rank {
        Rank::Rrf { k } if !(*k > 0.0 && *k < RRF_K_MAX) => {
            Err(Error::invalid(format!("The rank params k should be in range (0, {RRF_K_MAX}), but got {k}")))
        }
        Rank::Weighted { weights, .. } if weights.len() != count => Err(Error::invalid(format!(
            "the length of weights param mismatch with ann search requests: expected {count}, but got {}",
            weights.len()
        ))),
        Rank::Weighted { weights, .. } => {
            match weights.iter().find(|weight| !(0.0..=1.0).contains(*weight)) {
                Some(weight) => Err(Error::invalid(format!(
                    "rank param weight should be in range [0, 1], but got {weight}"
                ))),
                None => Ok(()),
            }
        }
        Rank::Rrf { .. } => Ok(()),
    }
}

/// The fused hits of all queries: places, scores, and how many each query has.
fn fuse(lists: &[(Metric, Reduced)], queries: usize, hybrid: &Hybrid) -> (Vec<Place>, Vec<f32>, Vec<usize>) {
    let scoring = Scoring::new(&hybrid.rank, lists);
    let (mut places, mut scores, mut counts) = (Vec::new(), Vec::new(), Vec::with_capacity(queries));
    let mut starts = vec![0; lists.len()];
    for query in 0..queries {
        let mut sums: Vec<(Place, f64)> = Vec::new();
        let mut known: HashMap<Place, usize> = HashMap::new();
        for (s, (metric, list)) in lists.iter().enumerate() {
            let range = starts[s]..starts[s] + list.counts[query];
            starts[s] = range.end;
            for (rank, hit) in range.enumerate() {
                let at = *known.entry(list.places[hit]).or_insert_with(|| {
                    sums.push((list.places[hit], 0.0));
                    sums.len() - 1
                });
                sums[at].1 += scoring.score(s, *metric, rank, list.scores[hit]);
            }
        }
        sums.sort_by(|a, b| if scoring.is_rising { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) });
        let before = places.len();
        for (place, score) in sums.into_iter().skip(hybrid.offset).take(hybrid.limit) {
            places.push(place);
            scores.push(score as f32);
        }
        counts.push(places.len() - before);
    }
    (places, scores, counts)
}

/// What a hit adds to its row.
struct Scoring<'a> {
    rank: &'a Rank,
    /// Whether distances are turned into nearness, because not all searches measure distances.
    is_mixed: bool,
    /// Whether the smallest sum is the best: sums of plain distances.
    is_rising: bool,
}

impl<'a> Scoring<'a> {
    fn new(rank: &'a Rank, lists: &[(Metric, Reduced)]) -> Self {
        let distances = lists.iter().filter(|(metric, _)| metric.smaller_is_better()).count();
        let is_plain = matches!(rank, Rank::Weighted { is_normalised: false, .. });
        Self {
            rank,
            is_mixed: distances > 0 && distances < lists.len(),
            is_rising: is_plain && distances == lists.len(),
        }
    }

    fn score(&self, search: usize, metric: Metric, rank: usize, score: f32) -> f64 {
        let score = f64::from(score);
        match self.rank {
            Rank::Rrf { k } => 1.0 / (k + rank as f64 + 1.0),
            Rank::Weighted { weights, is_normalised } => {
                let distance = metric.smaller_is_better();
                let score = match (is_normalised, distance) {
                    (true, _) => normal(metric, score),
                    (false, true) if self.is_mixed => normal(metric, score),
                    (false, _) => score,
                };
                weights.get(search).copied().unwrap_or(0.0) * score
            }
        }
    }
}

/// A score brought to 0 to 1, larger being nearer.
fn normal(metric: Metric, score: f64) -> f64 {
    match metric {
        Metric::Cosine => f64::midpoint(1.0, score),
        _ if metric.smaller_is_better() => 1.0 - 2.0 * score.atan() / PI,
        _ => 0.5 + score.atan() / PI,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_brought_to_zero_to_one() {
        for (metric, score, want) in [
            (Metric::Cosine, 1.0, 1.0),
            (Metric::Cosine, -1.0, 0.0),
            (Metric::L2, 0.0, 1.0),
            (Metric::L2, 1.0, 0.5),
            (Metric::Ip, 0.0, 0.5),
            (Metric::Ip, 1.0, 0.75),
        ] {
            assert!((normal(metric, score) - want).abs() < 1e-12, "{metric:?} {score}");
        }
    }
}
