//! Nearest neighbours over all segments of a collection: plan, ask each segment, bring the answers together, and only
//! then read the fields of the winners.

use super::fetch::{self, Output};
use super::{Place, Scope, Wanted, check_window, predicate, queries};
use crate::api::{Found, Queries, Search};
use crate::catalog::{Collection, element_of, index_spec};
use crate::node::Node;
use crate::{Error, ErrorKind};
use data::{Column, Field, KeyRef, Keys, Schema};
use filter::Predicate;
use host::{Cancel, Pool};
use index::{Hits, Metric, Vectors};
use segment::{Nearest, Segment};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// Searches expected to take less than this run on the caller, without a hand-over to another thread.
const QUICK_NS_MAX: u64 = 1_000_000;
/// What a search of an index of one segment costs, about, and what a scan costs a byte.
const INDEX_NS: u64 = 100_000;
const SCAN_BYTES_PER_NS: u64 = 15;
/// What a filter costs a row, about.
const FILTER_NS_PER_ROW: u64 = 2;

/// A search, checked against the collection.
struct Plan<'a> {
    field: &'a Field,
    metric: Metric,
    query: index::Query,
    predicate: Option<Predicate>,
    queries: Column,
}

/// Answers a search.
pub(crate) fn search(node: &Node, search: Search) -> Result<Found, Error> {
    check(node, &search)?;
    node.last_search_ms.store(node.oracle.clock().now_ms(), Ordering::Relaxed);
    let wanted = Wanted {
        target: &search.target,
        partitions: &search.partitions,
        time: search.time,
        ignore_growing: search.ignore_growing,
    };
    let scope = Scope::new(node, &wanted)?;
    let output = Output::new(scope.schema(), &search.output, false)?;
    let mut plan = plan(&scope, &search)?;
    let count = plan.queries.len();
    let rows: usize = scope.segments.iter().map(Segment::rows).sum();
    output.check_size(count.saturating_mul(search.limit.min(rows)), node.settings.output_bytes_max)?;
    let cost_ns = cost_ns(&scope.segments, plan.field, count, plan.predicate.is_some());
    let inline = Pool::inline();
    let pool = if cost_ns <= QUICK_NS_MAX { &inline } else { &node.pools.search };
    let window = Window { offset: search.offset, limit: search.limit, k: search.offset + search.limit };
    let mut reduced = reduce(&scope, &ask_segments(&scope, &plan, pool)?, plan.metric, count, &window)?;
    let mut k = window.k;
    while reduced.is_short {
        // Rows with the same key took the places of others: ask for more of them.
        k = k.saturating_mul(4);
        plan.query = wider_query(&scope.collection, plan.field, &search, k)?;
        let window = Window { k, ..window };
        reduced = reduce(&scope, &ask_segments(&scope, &plan, pool)?, plan.metric, count, &window)?;
    }
    let fields = output.fetch(&scope, &reduced.places)?;
    let mut scores = reduced.scores;
    round(&mut scores, search.round_decimal);
    let primary = scope.schema().primary().map(|field| field.name.clone()).unwrap_or_default();
    Ok(Found {
        queries: count,
        limit: search.limit,
        counts: reduced.counts,
        keys: reduced.keys,
        scores,
        primary,
        fields,
        timestamp: scope.at,
    })
}

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
        Queries::Keys(keys) => keys.len(),
    };
    cost_ns(&segments, field, count, !search.filter.is_empty()) <= QUICK_NS_MAX
}

fn cost_ns(segments: &[Segment], field: &Field, queries: usize, has_filter: bool) -> u64 {
    let of = |segment: &Segment| {
        let rows = segment.rows() as u64;
        let indexed = matches!(segment, Segment::Sealed(sealed) if sealed.index(field.id).is_some());
        let scan_ns = rows * field.vector_bytes() as u64 / SCAN_BYTES_PER_NS;
        let nearest_ns = if indexed { scan_ns.min(INDEX_NS) } else { scan_ns };
        nearest_ns * queries as u64 + if has_filter { rows * FILTER_NS_PER_ROW } else { 0 }
    };
    segments.iter().map(of).sum()
}

fn check(node: &Node, search: &Search) -> Result<(), Error> {
    let limits = &node.settings;
    check_window(search.limit, search.offset, limits.limit_max, "topk")?;
    let count = match &search.queries {
        Queries::Vectors(column) => column.len(),
        Queries::Keys(keys) => keys.len(),
    };
    if !(1..=limits.queries_max).contains(&count) {
        let max = limits.queries_max;
        return Err(Error::invalid(format!(
            "nq (number of search vector per search request) should be in range [1, {max}], but got {count}"
        )));
    }
    if !(-1..=6).contains(&search.round_decimal) {
        let got = search.round_decimal;
        return Err(Error::invalid(format!(
            "round_decimal [{got}] is invalid, it should be -1 or an integer in range [0, 6]"
        )));
    }
    Ok(())
}

fn vector_field<'a>(schema: &'a Schema, name: &str) -> Result<&'a Field, Error> {
    if name.is_empty() {
        let mut fields = schema.vectors();
        return match (fields.next(), fields.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(Error::invalid(
                "multiple anns_fields exist, please specify a anns_field in search_params",
            )),
        };
    }
    let field = schema.field(name).ok_or_else(|| {
        Error::new(ErrorKind::FieldNotFound, format!("failed to get field schema by name: fieldName({name}) not found: field not found[field={name}]"))
    })?;
    if field.data_type.is_vector() {
        return Ok(field);
    }
    Err(Error::invalid(format!("anns_field {name} is not a vector field")))
}

fn plan<'a>(scope: &'a Scope, search: &Search) -> Result<Plan<'a>, Error> {
    let field = vector_field(scope.schema(), &search.field)?;
    let (metric, query) = index_query(&scope.collection, field, search, search.limit + search.offset)?;
    let predicate = predicate(scope.schema(), &search.filter, &search.templates, "query")?;
    let predicate = predicate.map(|predicate| predicate.with_seed(scope.at.0));
    let queries = match &search.queries {
        Queries::Vectors(column) => queries::fit(field, column.clone())?,
        Queries::Keys(keys) => vectors_of_keys(scope, field, keys)?,
    };
    Ok(Plan { field, metric, query, predicate, queries })
}

/// What to ask an index, or a scan when there is none: then any metric of the field's type will do.
fn index_query(
    collection: &Collection,
    field: &Field,
    search: &Search,
    k: usize,
) -> Result<(Metric, index::Query), Error> {
    let spec = match collection.index_on(field.id) {
        Some(index) => index_spec(field, &index.params)?,
        None => {
            let named = (!search.metric.is_empty()).then_some(search.metric.as_str());
            index::Spec::unindexed(element_of(field)?, field.dim, named)?
        }
    };
    let metric = spec.metric();
    if !search.metric.is_empty() && !search.metric.eq_ignore_ascii_case(metric.name()) {
        return Err(Error::expected("metric type not match", metric.name(), &search.metric));
    }
    Ok((metric, spec.query(k, &search.params)?))
}

/// The same question for `k` rows, with no less effort than that takes.
fn wider_query(
    collection: &Collection,
    field: &Field,
    search: &Search,
    k: usize,
) -> Result<index::Query, Error> {
    let mut wider = search.clone();
    let is_enough = |text: &str| text.trim().parse::<usize>().is_ok_and(|ef| ef >= k);
    let is_effort = |key: &str| matches!(key, "ef" | "search_list" | "reorder_k");
    wider.params.retain(|(key, value)| !is_effort(key) || is_enough(value));
    index_query(collection, field, &wider, k).map(|(_, query)| query)
}

fn vectors_of_keys(scope: &Scope, field: &Field, keys: &Keys) -> Result<Column, Error> {
    let mut places: Vec<Place> = Vec::with_capacity(keys.len());
    for key in keys.iter() {
        let found = (0_u32..).zip(&scope.segments).find_map(|(place, segment)| {
            match segment.find(&[key], scope.at) {
                Ok(rows) => rows.last().map(|row| Ok((place, *row))),
                Err(error) => Some(Err(Error::from(error))),
            }
        });
        let missing = || Error::invalid(format!("primary key {} to search by does not exist", key.to_key()));
        places.push(found.ok_or_else(missing)??);
    }
    fetch::read(scope, field, &places)
}

/// The hits of each query in each segment: outer by segment, inner by query.
fn ask_segments(scope: &Scope, plan: &Plan<'_>, pool: &Pool) -> Result<Vec<Vec<Hits>>, Error> {
    let Some(vectors) = segment::vectors_of(&plan.queries) else {
        return Err(Error::internal("query vectors of no vector type"));
    };
    let cancel = Cancel::new();
    let masks =
        pool.map(scope.segments.len(), |s| scope.segments[s].matches(plan.predicate.as_ref(), scope.at));
    let masks = masks.into_iter().collect::<Result<Vec<_>, _>>()?;
    // Many queries of few segments are shared out, too.
    let per_unit = vectors.len().div_ceil(pool.threads());
    let units: Vec<(usize, Range<usize>)> = (0..scope.segments.len())
        .flat_map(|s| {
            (0..vectors.len()).step_by(per_unit).map(move |q| (s, q..(q + per_unit).min(vectors.len())))
        })
        .collect();
    let answers = pool.map(units.len(), |u| {
        let (s, range) = &units[u];
        let queries: Vectors<'_> = vectors.slice(range.clone());
        let request = Nearest {
            field: plan.field.id,
            queries,
            query: &plan.query,
            metric: plan.metric,
            mask: &masks[*s],
            use_index: true,
            cancel: &cancel,
        };
        scope.segments[*s].search(&request)
    });
    let mut hits: Vec<Vec<Hits>> = vec![Vec::with_capacity(vectors.len()); scope.segments.len()];
    for ((segment, _), answer) in units.iter().zip(answers) {
        hits[*segment].extend(answer?);
    }
    Ok(hits)
}

/// The hits of all queries, one after the other.
struct Reduced {
    counts: Vec<usize>,
    places: Vec<Place>,
    keys: Keys,
    scores: Vec<f32>,
    /// Rows with the same key left some query with fewer rows than there may be.
    is_short: bool,
}

/// Which of the best are wanted, and how many each segment was asked for.
struct Window {
    offset: usize,
    limit: usize,
    k: usize,
}

/// Brings the segments' answers together: best first, one row a key, `offset` of them left out.
fn reduce(
    scope: &Scope,
    hits: &[Vec<Hits>],
    metric: Metric,
    queries: usize,
    window: &Window,
) -> Result<Reduced, Error> {
    let mut candidates: Vec<(Place, f32)> = Vec::new();
    let mut bounds = vec![0];
    // Whether a query has more rows than its candidates.
    let mut has_more = vec![false; queries];
    for (query, has_more) in has_more.iter_mut().enumerate() {
        let start = candidates.len();
        for (segment, hits) in (0_u32..).zip(hits) {
            if let Some(hits) = hits.get(query) {
                *has_more |= hits.len() >= window.k;
                candidates
                    .extend(hits.rows.iter().zip(&hits.scores).map(|(row, score)| ((segment, *row), *score)));
            }
        }
        if hits.len() > 1 {
            let order = |a: &(Place, f32), b: &(Place, f32)| {
                let by_score =
                    if metric.smaller_is_better() { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) };
                by_score.then(a.0.cmp(&b.0))
            };
            candidates[start..].sort_unstable_by(order);
            *has_more |= candidates.len() - start > window.k;
            candidates.truncate(start + window.k);
        }
        bounds.push(candidates.len());
    }
    let places: Vec<Place> = candidates.iter().map(|(place, _)| *place).collect();
    let keys = fetch::keys(scope, &places)?;
    let mut kept: Vec<u32> = Vec::with_capacity(candidates.len());
    let mut counts = Vec::with_capacity(queries);
    let mut seen: HashSet<KeyRef<'_>> = HashSet::new();
    let mut is_short = false;
    for (query, bound) in bounds.windows(2).enumerate() {
        seen.clear();
        let start = kept.len();
        let first_of_key = (bound[0]..bound[1]).filter(|place| seen.insert(keys.get(*place)));
        kept.extend(first_of_key.skip(window.offset).take(window.limit).map(|place| place as u32));
        counts.push(kept.len() - start);
        is_short |= kept.len() - start < window.limit && has_more[query];
    }
    let taken = Keys::new(keys.column().take(&kept)).ok_or_else(|| Error::internal("keys stay keys"))?;
    Ok(Reduced {
        counts,
        places: kept.iter().map(|place| places[*place as usize]).collect(),
        scores: kept.iter().map(|place| candidates[*place as usize].1).collect(),
        keys: taken,
        is_short,
    })
}

fn round(scores: &mut [f32], decimals: i32) {
    if decimals >= 0 {
        let factor = 10_f64.powi(decimals);
        for score in scores {
            *score = ((f64::from(*score) * factor).round() / factor) as f32;
        }
    }
}
