//! One batch of an iteration by nearness. Invariant: batches follow each other without gap and without overlap, because
//! a batch never ends between rows of equal score.

use super::Scope;
use super::plan::{self, Aim, Plan};
use super::reduce::{Reduced, Window, reduce};
use super::scatter;
use crate::Error;
use crate::api::{Iteration, Search};
use crate::node::Node;

/// The rows after the last batch, about `search.limit` of them.
pub(super) fn next(
    node: &Node,
    scope: &Scope,
    search: &Search,
    mut plan: Plan<'_>,
    iteration: Iteration,
) -> Result<Reduced, Error> {
    if plan.queries.len() != 1 {
        return Err(Error::invalid(format!(
            "an iteration is of one vector, but {} were given: not support multi-vector search iterator",
            plan.queries.len()
        )));
    }
    // One row more than a batch shows whether equal scores go on behind its end.
    let mut k = search.limit.saturating_add(1);
    loop {
        plan.query = plan::wider_query(&scope.collection, plan.field, search, k)?;
        if let Some(score) = iteration.after {
            plan.query = plan.query.after(score);
        }
        let window = Window { offset: 0, limit: k, k, elements: plan.aim == Aim::Elements };
        let hits = scatter::ask(node, scope, &plan)?;
        let reduced = reduce(scope, &hits, plan.metric, 1, &window)?;
        let has_more = reduced.keys.len() == k || reduced.is_short.contains(&true);
        if let Some(end) = batch_end(&reduced.scores, search.limit, has_more) {
            return reduced.cut(end);
        }
        k = k.saturating_mul(4);
    }
}

/// How many of the best rows make a batch; `None`: more must be known.
fn batch_end(scores: &[f32], limit: usize, has_more: bool) -> Option<usize> {
    if scores.len() <= limit {
        return (!has_more).then_some(scores.len());
    }
    let is_end = |end: &usize| scores[end - 1] != scores[*end];
    let behind = || (limit + 1..scores.len()).find(is_end);
    (1..=limit).rev().find(is_end).or_else(behind).or_else(|| (!has_more).then_some(scores.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_between_different_scores() {
        let cases: [(&[f32], usize, bool, Option<usize>); 8] = [
            (&[], 2, false, Some(0)),
            (&[1.0, 2.0], 2, false, Some(2)),
            (&[1.0, 2.0], 2, true, None),
            (&[1.0, 2.0, 3.0], 2, true, Some(2)),
            (&[1.0, 2.0, 2.0], 2, true, Some(1)),
            (&[1.0, 1.0, 1.0], 2, true, None),
            (&[1.0, 1.0, 1.0], 2, false, Some(3)),
            (&[1.0, 1.0, 1.0, 2.0], 2, true, Some(3)),
        ];
        for (scores, limit, has_more, end) in cases {
            assert_eq!(batch_end(scores, limit, has_more), end, "{scores:?} {limit} {has_more}");
        }
    }
}
