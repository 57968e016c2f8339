//! Nearest neighbours over all segments of a collection: plan, ask each segment, bring the answers together, and only
//! then read the fields of the winners.

use super::fetch::Output;
use super::plan::{self, Aim, Plan};
use super::reduce::{Reduced, Window, reduce, round};
use super::{Scope, Wanted, buckets, group, iterate, order, scatter};
use crate::Error;
use crate::api::{Found, OutputField, Search};
use crate::node::Node;
use segment::Segment;
use std::sync::atomic::Ordering;

/// Answers a search.
pub(crate) fn search(node: &Node, search: Search) -> Result<Found, Error> {
    plan::check(node, &search)?;
    let wanted = Wanted {
        target: &search.target,
        partitions: &search.partitions,
        time: search.time,
        ignore_growing: search.ignore_growing,
        zone: search.zone.as_ref(),
    };
    let scope = Scope::new(node, &wanted)?;
    let output = Output::new(scope.schema(), &search.output, false)?;
    let plan = plan::plan(&scope, &search)?;
    plan.refuse_controls(&search)?;
    let count = plan.queries.len();
    let rows: usize = scope.segments.iter().map(Segment::rows).sum();
    let hits = search.limit.saturating_mul(search.group.as_ref().map_or(1, |group| group.size));
    output.check_size(count.saturating_mul(hits.min(rows)), node.settings.output_bytes_max)?;
    if let Some(wanted) = &search.buckets {
        return buckets::search(node, &scope, &search, plan, wanted, &output);
    }
    let explained = if search.explain { scatter::explain(node, &scope, &plan)? } else { Vec::new() };
    let (mut reduced, groups) = winners(node, &scope, &search, plan)?;
    if !search.order.is_empty() {
        reduced = order::hits(&scope, &reduced, &search.order)?;
    }
    let found = finish(&scope, search, reduced, groups, &output)?;
    Ok(Found { explained, ..found })
}

/// The best rows, in the shape that was asked for.
fn winners(
    node: &Node,
    scope: &Scope,
    search: &Search,
    plan: Plan<'_>,
) -> Result<(Reduced, Vec<OutputField>), Error> {
    node.last_search_ms.store(node.oracle.clock().now_ms(), Ordering::Relaxed);
    match (&search.group, search.iteration) {
        (Some(group), _) => group::best(node, scope, search, plan, group),
        (None, Some(iteration)) => Ok((iterate::next(node, scope, search, plan, iteration)?, Vec::new())),
        (None, None) => Ok((best(node, scope, search, plan)?, Vec::new())),
    }
}

/// The best rows of a plain search.
pub(super) fn best(
    node: &Node,
    scope: &Scope,
    search: &Search,
    mut plan: Plan<'_>,
) -> Result<Reduced, Error> {
    let mut window = Window {
        offset: search.offset,
        limit: search.limit,
        k: search.offset + search.limit,
        elements: plan.aim == Aim::Elements,
    };
    loop {
        let hits = scatter::ask(node, scope, &plan)?;
        let reduced = reduce(scope, &hits, plan.metric, plan.queries.len(), &window)?;
        if !reduced.is_short.contains(&true) {
            return Ok(reduced);
        }
        // Rows with the same key took the places of others: ask for more of them.
        window.k = window.k.saturating_mul(4);
        plan.query = plan::wider_query(&scope.collection, plan.field, search, window.k)?;
    }
}

fn finish(
    scope: &Scope,
    search: Search,
    reduced: Reduced,
    groups: Vec<OutputField>,
    output: &Output,
) -> Result<Found, Error> {
    let fields = output.fetch(scope, &reduced.places)?;
    let mut scores = reduced.scores;
    let bound = scores.last().copied();
    let elements = reduced.elements;
    round(&mut scores, search.round_decimal);
    Ok(Found {
        queries: reduced.counts.len(),
        limit: search.limit,
        counts: reduced.counts,
        keys: reduced.keys,
        scores,
        primary: scope.primary_name(),
        fields,
        groups,
        buckets: None,
        elements,
        bound,
        explained: Vec::new(),
        timestamp: scope.at,
    })
}
