//! Several searches whose hits are ranked together. All of them read one moment.
//! Invariant: a row (or a struct, where all searches are of structs of one array) counts once a search; ties stand in the
//! order in which the searches found them.

use super::cells::{GroupField, Groups};
use super::fetch::{self, Output};
use super::plan::Aim;
use super::reduce::{Reduced, round};
use super::{Place, Scope, Wanted, check_window, group, plan, search};
use crate::Error;
use crate::api::{Collapse, Found, Group, GroupScore, Hybrid, OutputField, Rank, Search};
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
        zone: hybrid.zone.as_ref(),
    };
    let scope = Scope::new(node, &wanted)?;
    let output = Output::new(scope.schema(), &hybrid.output, false)?;
    let lists = best_of_each(node, &scope, &hybrid)?;
    let queries = lists.first().map_or(0, |list| list.reduced.counts.len());
    if let Some(other) = lists.iter().find(|list| list.reduced.counts.len() != queries) {
        return Err(Error::invalid(format!(
            "the searches of a hybrid search must have as many queries each, but one has {queries} and another {}: nq mismatch",
            other.reduced.counts.len()
        )));
    }
    let fused = fuse(&lists, queries, &hybrid.rank);
    let (fused, groups) = match &hybrid.group {
        Some(group) => {
            let (fused, groups) = in_groups(&scope, &hybrid, group, &fused)?;
            (fused, groups)
        }
        None => (fused.window(hybrid.offset, hybrid.limit), Vec::new()),
    };
    output.check_size(fused.places.len(), node.settings.output_bytes_max)?;
    let places = fused.places;
    let mut scores: Vec<f32> = fused.scores.into_iter().map(|score| score as f32).collect();
    round(&mut scores, hybrid.round_decimal);
    Ok(Found {
        queries,
        limit: hybrid.limit,
        counts: fused.counts,
        keys: fetch::keys(&scope, &places)?,
        scores,
        primary: scope.primary_name(),
        fields: output.fetch(&scope, &places)?,
        groups,
        buckets: None,
        elements: fused.elements,
        bound: None,
        explained: Vec::new(),
        timestamp: scope.at,
    })
}

/// What one of the searches found.
struct List {
    metric: Metric,
    reduced: Reduced,
}

/// Asks each search. Their hits are structs when all of them look at structs of one array, else rows.
fn best_of_each(node: &Node, scope: &Scope, hybrid: &Hybrid) -> Result<Vec<List>, Error> {
    let (mut lists, mut parents) = (Vec::with_capacity(hybrid.searches.len()), Vec::new());
    for one in &hybrid.searches {
        let one = Search { group: hybrid.group.clone(), iteration: None, ..one.clone() };
        plan::check(node, &one)?;
        let plan = plan::plan(scope, &one)?;
        plan.refuse_controls_in_hybrid(&one)?;
        check_collapse(&plan, one.collapse)?;
        let parent = plan.field.name.split_once('[').map(|(parent, _)| parent.to_owned());
        parents.push(parent.filter(|_| plan.aim == Aim::Elements));
        let metric = plan.metric;
        let reduced = match &one.group {
            Some(group) => group::best(node, scope, &one, plan, group)?.0,
            None => search::best(node, scope, &one, plan)?,
        };
        lists.push(List { metric, reduced });
    }
    let is_one_struct =
        parents.first().is_some_and(Option::is_some) && parents.windows(2).all(|pair| pair[0] == pair[1]);
    if !is_one_struct {
        if hybrid.group.is_some() && parents.iter().any(Option::is_some) {
            return Err(Error::invalid(
                "a hybrid search of structs in groups must have all its searches on one array of structs",
            ));
        }
        let rows = |(list, one): (List, &Search)| {
            let collapse = one.collapse.unwrap_or(Collapse::Best);
            Ok(List { reduced: scores_of_rows(list.reduced, list.metric, collapse)?, ..list })
        };
        return lists.into_iter().zip(&hybrid.searches).map(rows).collect();
    }
    if hybrid.searches.iter().any(|one| one.collapse.is_some()) {
        return Err(Error::invalid(
            "element_scope is not allowed for same-struct element-level hybrid search",
        ));
    }
    Ok(lists)
}

/// Whether the hits of a search can be brought together as it says.
fn check_collapse(plan: &plan::Plan<'_>, collapse: Option<Collapse>) -> Result<(), Error> {
    match collapse {
        Some(_) if plan.aim != Aim::Elements => Err(Error::invalid(
            "element_scope is only supported for element-level search on struct array vector sub-fields",
        )),
        Some(Collapse::Sum(of)) if plan.metric.smaller_is_better() => {
            let strategy = if of.is_some() { "topk_sum" } else { "sum" };
            Err(Error::invalid(format!(
                "element_scope.collapse.strategy {strategy} is only supported for positively related metrics, not for {}",
                plan.metric
            )))
        }
        _ => Ok(()),
    }
}

/// Hits on structs as hits on their rows, each with what `collapse` makes of its structs' scores.
fn scores_of_rows(reduced: Reduced, metric: Metric, collapse: Collapse) -> Result<Reduced, Error> {
    if reduced.elements.is_none() {
        return Ok(reduced);
    }
    let (mut picks, mut counts, mut scores, mut start) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for count in &reduced.counts {
        // The first hit of each row, and the scores of all of them, best first.
        let mut rows: Vec<(u32, Vec<f32>)> = Vec::new();
        let mut known: HashMap<Place, usize> = HashMap::new();
        for hit in start..start + count {
            let at = *known.entry(reduced.places[hit]).or_insert_with(|| {
                rows.push((hit as u32, Vec::new()));
                rows.len() - 1
            });
            rows[at].1.push(reduced.scores[hit]);
        }
        let mut scored: Vec<(u32, f32)> =
            rows.iter().map(|(hit, scores)| (*hit, score_of(scores, collapse))).collect();
        scored.sort_by(
            |a, b| {
                if metric.smaller_is_better() { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) }
            },
        );
        counts.push(scored.len());
        picks.extend(scored.iter().map(|(hit, _)| *hit));
        scores.extend(scored.iter().map(|(_, score)| *score));
        start += count;
    }
    Ok(Reduced { elements: None, scores, ..reduced.pick(&picks, counts)? })
}

/// The score of a row whose structs have these, best first.
fn score_of(scores: &[f32], collapse: Collapse) -> f32 {
    let best = |of: Option<usize>| &scores[..of.unwrap_or(usize::MAX).min(scores.len())];
    let sum = |scores: &[f32]| scores.iter().map(|score| f64::from(*score)).sum::<f64>();
    match collapse {
        Collapse::Best => scores.first().copied().unwrap_or(0.0),
        Collapse::Sum(of) => sum(best(of)) as f32,
        Collapse::Mean(of) => (sum(best(of)) / best(of).len().max(1) as f64) as f32,
    }
}

/// Hits of all queries under their common scores, best first.
#[derive(Debug, Default)]
struct Fused {
    counts: Vec<usize>,
    places: Vec<Place>,
    elements: Option<Vec<u32>>,
    scores: Vec<f64>,
    /// Whether the smallest score is the best.
    is_rising: bool,
}

impl Fused {
    fn pick(&self, picks: &[usize], counts: Vec<usize>) -> Self {
        Self {
            counts,
            places: picks.iter().map(|pick| self.places[*pick]).collect(),
            elements: self.elements.as_ref().map(|all| picks.iter().map(|pick| all[*pick]).collect()),
            scores: picks.iter().map(|pick| self.scores[*pick]).collect(),
            is_rising: self.is_rising,
        }
    }

    /// Of each query, `limit` hits after the first `offset`.
    fn window(&self, offset: usize, limit: usize) -> Self {
        let (mut picks, mut counts, mut start) = (Vec::new(), Vec::new(), 0);
        for count in &self.counts {
            let before = picks.len();
            picks.extend((start..start + count).skip(offset).take(limit));
            counts.push(picks.len() - before);
            start += count;
        }
        self.pick(&picks, counts)
    }
}

/// Shares the hits of each query out to groups, each as good as `hybrid.group_score` makes of its hits.
fn in_groups(
    scope: &Scope,
    hybrid: &Hybrid,
    group: &Group,
    fused: &Fused,
) -> Result<(Fused, Vec<OutputField>), Error> {
    let by = group.fields.iter().map(|name| GroupField::new(scope.schema(), name));
    let by = by.collect::<Result<Vec<_>, _>>()?;
    let values = by.iter().map(|by| by.read(scope, &fused.places)).collect::<Result<Vec<_>, _>>()?;
    let (mut picks, mut counts, mut start) = (Vec::new(), Vec::new(), 0);
    for count in &fused.counts {
        let mut groups = Groups::default();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for hit in start..start + count {
            let (number, is_new) = groups.number(&values, hit);
            if is_new {
                members.push(Vec::new());
            }
            if let Some(of_group) = members.get_mut(number as usize).filter(|hits| hits.len() < group.size) {
                of_group.push(hit);
            }
        }
        let score = |hits: &[usize]| {
            let sum: f64 = hits.iter().map(|hit| fused.scores[*hit]).sum();
            match hybrid.group_score {
                // Hits come best first.
                GroupScore::Max => hits.first().map_or(0.0, |hit| fused.scores[*hit]),
                GroupScore::Sum => sum,
                GroupScore::Avg => sum / hits.len().max(1) as f64,
            }
        };
        members.sort_by(|a, b| {
            let order = score(a).total_cmp(&score(b));
            if fused.is_rising { order } else { order.reverse() }
        });
        let before = picks.len();
        picks.extend(members.into_iter().skip(hybrid.offset).take(hybrid.limit).flatten());
        counts.push(picks.len() - before);
        start += count;
    }
    let taken: Vec<u32> = picks.iter().map(|pick| *pick as u32).collect();
    let shown = by.iter().zip(&group.fields).zip(&values).map(|((by, name), values)| OutputField {
        field: by.shown(name),
        column: values.take(&taken),
        dynamic_keys: Vec::new(),
    });
    Ok((fused.pick(&picks, counts), shown.collect()))
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

/// The fused hits of all queries, all of them.
fn fuse(lists: &[List], queries: usize, rank: &Rank) -> Fused {
    let scoring = Scoring::new(rank, lists);
    let has_elements = lists.iter().all(|list| list.reduced.elements.is_some());
    let mut fused = Fused { is_rising: scoring.is_rising, ..Fused::default() };
    let mut elements = Vec::new();
    let mut starts = vec![0; lists.len()];
    for query in 0..queries {
        let mut sums: Vec<((Place, u32), f64)> = Vec::new();
        let mut known: HashMap<(Place, u32), usize> = HashMap::new();
        for (s, List { metric, reduced }) in lists.iter().enumerate() {
            let range = starts[s]..starts[s] + reduced.counts[query];
            starts[s] = range.end;
            for (rank, hit) in range.enumerate() {
                let element = reduced.elements.as_ref().map_or(0, |elements| elements[hit]);
                let row = (reduced.places[hit], element);
                let at = *known.entry(row).or_insert_with(|| {
                    sums.push((row, 0.0));
                    sums.len() - 1
                });
                sums[at].1 += scoring.score(s, *metric, rank, reduced.scores[hit]);
            }
        }
        sums.sort_by(|a, b| if scoring.is_rising { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) });
        fused.counts.push(sums.len());
        for ((place, element), score) in sums {
            fused.places.push(place);
            elements.push(element);
            fused.scores.push(score);
        }
    }
    fused.elements = has_elements.then_some(elements);
    fused
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
    fn new(rank: &'a Rank, lists: &[List]) -> Self {
        let distances = lists.iter().filter(|list| list.metric.smaller_is_better()).count();
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
    fn a_row_is_as_near_as_its_structs_make_it() {
        for (collapse, want) in [
            (Collapse::Best, 4.0),
            (Collapse::Sum(None), 7.0),
            (Collapse::Sum(Some(2)), 6.0),
            (Collapse::Sum(Some(9)), 7.0),
            (Collapse::Mean(None), 7.0 / 3.0),
            (Collapse::Mean(Some(2)), 3.0),
        ] {
            assert!((score_of(&[4.0, 2.0, 1.0], collapse) - want).abs() < 1e-6, "{collapse:?}");
        }
    }

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
