//! A search asked of all segments: on the caller when it is quick, else shared out on the search pool.

use super::Scope;
use super::plan::{Aim, Plan, vector_field};
use crate::Error;
use crate::api::{Explained, Queries, Search};
use crate::node::Node;
use data::{Field, Values};
use host::{Cancel, Pool};
use index::Vectors;
use segment::{ElementHits, Mask, Nearest, NearestLists, Segment, items_of, vectors_of};
use std::ops::Range;

/// Searches expected to take less than this run on the caller, without a hand-over to another thread.
const QUICK_NS_MAX: u64 = 1_000_000;
/// What a search of an index of one segment costs, about, and what a scan reads in a nanosecond.
const INDEX_NS: u64 = 100_000;
const SCAN_BYTES_PER_NS: u64 = 15;
/// How many vectors a list has, about.
const LIST_ITEMS: u64 = 16;
/// What a filter costs a row, about.
const FILTER_NS_PER_ROW: u64 = 2;

/// Whether a search is expected to be over in well under a millisecond.
pub(crate) fn is_quick(node: &Node, search: &Search) -> bool {
    let catalog = node.registry.current();
    let Ok(collection) = catalog.collection(&search.target) else { return true };
    let (Ok(shard), Ok(field)) = (node.shard(collection.id), vector_field(&collection.schema, &search.field))
    else {
        return true;
    };
    let segments: Vec<Segment> = shard.members().list.iter().map(|member| member.segment.clone()).collect();
    let count = match &search.queries {
        Queries::Vectors(column) => column.len(),
        // Lists take their time.
        Queries::Lists(_) => return false,
        Queries::Keys(keys) => keys.len(),
    };
    let awaits_index = collection.index_on(field.id).is_some();
    cost_ns(&segments, (field, awaits_index), count, !search.filter.is_empty()) <= QUICK_NS_MAX
}

fn cost_ns(
    segments: &[Segment],
    (field, awaits_index): (&Field, bool),
    queries: usize,
    has_filter: bool,
) -> u64 {
    let lists = if field.element.is_some() { LIST_ITEMS } else { 1 };
    let of = |segment: &Segment| {
        let scanned = segment.scanned_bytes(field.id, field.kind(), awaits_index);
        let nearest_ns = scanned.map_or(INDEX_NS, |bytes| bytes * lists / SCAN_BYTES_PER_NS);
        let filter_ns = if has_filter { segment.rows() as u64 * FILTER_NS_PER_ROW } else { 0 };
        nearest_ns * queries as u64 + filter_ns
    };
    segments.iter().map(of).sum()
}

/// The hits of each query in each segment: outer by segment, inner by query.
pub(super) fn ask(node: &Node, scope: &Scope, plan: &Plan<'_>) -> Result<Vec<Vec<ElementHits>>, Error> {
    let count = plan.queries.len();
    let cost_ns = cost_ns(&scope.segments, (plan.field, plan.awaits_index), count, plan.predicate.is_some());
    let inline = Pool::inline();
    let is_quick = cost_ns <= QUICK_NS_MAX && plan.aim != Aim::Lists;
    let pool = if is_quick { &inline } else { &node.pools.search };
    let cancel = Cancel::new();
    let masks =
        pool.map(scope.segments.len(), |s| scope.matches(&scope.segments[s], plan.predicate.as_ref()));
    let masks = masks.into_iter().collect::<Result<Vec<_>, _>>()?;
    if plan.predicate.is_some() {
        calibrate(node, scope, plan);
    }
    // Many queries of few segments are shared out, too.
    let per_unit = count.div_ceil(pool.threads());
    let units: Vec<(usize, Range<usize>)> = (0..scope.segments.len())
        .flat_map(|s| (0..count).step_by(per_unit).map(move |q| (s, q..(q + per_unit).min(count))))
        .collect();
    let answers = pool.map(units.len(), |u| {
        let (s, range) = &units[u];
        ask_one(&scope.segments[*s], &masks[*s], plan, range.clone(), &cancel)
    });
    let mut hits: Vec<Vec<ElementHits>> = vec![Vec::with_capacity(count); scope.segments.len()];
    for ((segment, _), answer) in units.iter().zip(answers) {
        hits[*segment].extend(answer?);
    }
    // Rows by whose vectors is searched may have none: nothing is near to nothing.
    for query in (0..count).filter(|query| !has_vector(plan, *query)) {
        hits.iter_mut().for_each(|of_segment| of_segment[query] = ElementHits::default());
    }
    // What was damaged is built again; for filters that are asked for often a graph is made.
    let is_wanted = |segment: &Segment| {
        segment.is_damaged(plan.field.id) || plan.predicate.is_some() && segment.wants_subgraph(plan.field.id)
    };
    if scope.segments.iter().any(is_wanted) {
        node.bells.builder.ring();
    }
    Ok(hits)
}

fn has_vector(plan: &Plan<'_>, query: usize) -> bool {
    let is_empty = matches!(plan.queries.values(), Values::Array(lists) if lists.range(query).is_empty());
    plan.queries.is_valid(query) && !is_empty
}

/// The hits of some queries in one segment.
fn ask_one(
    segment: &Segment,
    mask: &Mask,
    plan: &Plan<'_>,
    range: Range<usize>,
    cancel: &Cancel,
) -> Result<Vec<ElementHits>, Error> {
    let no_vectors = || Error::internal("query vectors of no vector type");
    let (field, metric, query) = (plan.field.id, plan.metric, &plan.query);
    let whole = |hits| ElementHits { hits, elements: Vec::new() };
    if plan.aim == Aim::Lists {
        let lists = items_of(&plan.queries).ok_or_else(no_vectors)?;
        let vectors = vectors_of(lists.items()).ok_or_else(no_vectors)?;
        let queries: Vec<Vectors<'_>> = range.map(|list| vectors.slice(lists.range(list))).collect();
        let ratio = plan.list_ratio;
        let request = NearestLists { field, queries: &queries, query, ratio, metric, mask, cancel };
        return Ok(segment.search_lists(&request)?.into_iter().map(whole).collect());
    }
    let queries = vectors_of(&plan.queries).ok_or_else(no_vectors)?.slice(range);
    let awaits_index = plan.awaits_index;
    let request = Nearest { field, queries, query, metric, mask, use_index: true, awaits_index, cancel };
    if plan.aim == Aim::Rows {
        return Ok(segment.search(&request)?.into_iter().map(whole).collect());
    }
    let filter = plan.predicate.as_ref().filter(|_| plan.filters_elements());
    let elements = filter.map(|predicate| segment.elements(predicate)).transpose()?.flatten();
    Ok(segment.search_elements(&request, elements.as_ref())?)
}

/// Lets each index measure what it costs before its first search with a filter, on a clock by which that takes time.
fn calibrate(node: &Node, scope: &Scope, plan: &Plan<'_>) {
    let clock = node.oracle.clock();
    if clock.ticks_ns().is_some() {
        let now_ns = || clock.ticks_ns().unwrap_or(0);
        scope.segments.iter().for_each(|segment| segment.calibrate(plan.field.id, &now_ns));
    }
}

/// How the segments are searched.
pub(super) fn explain(node: &Node, scope: &Scope, plan: &Plan<'_>) -> Result<Vec<Explained>, Error> {
    if plan.predicate.is_some() {
        calibrate(node, scope, plan);
    }
    let of = |segment: &Segment| {
        let mask = scope.matches(segment, plan.predicate.as_ref())?;
        let way = match &plan.predicate {
            Some(predicate) if !scope.may_hold(segment, predicate) => "ruled out by partition key",
            _ => segment.way(plan.field.id, plan.metric, &plan.query, &mask).name(),
        };
        let costs = plan.predicate.as_ref().and_then(|_| segment.costs(plan.field.id));
        Ok(Explained {
            segment: segment.id(),
            rows: segment.rows(),
            matching: mask.count(),
            way,
            costs,
            reads: segment.reads(plan.field.id),
        })
    };
    scope.segments.iter().map(of).collect()
}
