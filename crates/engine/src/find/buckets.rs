//! Search hits in buckets: the nearest hits of each combination of values, counted, measured, sorted and put into one
//! another. Invariant: a bucket speaks of the hits that were kept for it and of no other rows.

use super::aggregate::{self, Aggregate, Function, Tally};
use super::cells::Groups;
use super::fetch::{self, Output};
use super::plan::Plan;
use super::reduce::{Reduced, round};
use super::{Scope, group, order};
use crate::api::{Bucket, BucketOrder, Buckets, Found, Group, Search, TopHits};
use crate::node::Node;
use crate::{Error, ErrorKind};
use data::{Column, Field, Schema, Type, Values};
use std::cmp::Ordering;

/// The most levels of buckets in one another.
const LEVELS_MAX: usize = 4;
/// The most fields of all levels.
const FIELDS_MAX: usize = 10;
/// The most hits that an answer may come to (`proxy.maxSearchAggregationResultEntries`).
const ENTRIES_MAX: usize = 10_000;
/// The nearness of a hit where a field is named.
const SCORE: &str = "_score";

/// Answers a search in buckets.
pub(super) fn search(
    node: &Node,
    scope: &Scope,
    search: &Search,
    plan: Plan<'_>,
    wanted: &Buckets,
    output: &Output,
) -> Result<Found, Error> {
    check(search, wanted, plan.queries.len())?;
    let all = levels(wanted);
    all.iter().flat_map(|level| &level.fields).try_for_each(|name| check_key(scope.schema(), name))?;
    let queries = plan.queries.len();
    let levels = levels(wanted);
    let size = levels.iter().filter_map(|level| level.hits.as_ref()).map(|hits| hits.size).max().unwrap_or(1);
    let group = Group {
        fields: levels.iter().flat_map(|level| level.fields.iter().cloned()).collect(),
        size,
        is_strict: true,
    };
    let limit = levels.iter().map(|level| level.search_size.unwrap_or(level.size)).product();
    let narrowed = Search { limit, offset: 0, group: None, buckets: None, ..search.clone() };
    let (reduced, keys) = group::kept(node, scope, &narrowed, plan, &group)?;
    let mut keys = keys.into_iter();
    let levels = levels.into_iter().map(|level| {
        let keys = keys.by_ref().take(level.fields.len()).map(|one| (one.field, one.column)).collect();
        Level::new(scope, &reduced, level, keys)
    });
    let levels = levels.collect::<Result<Vec<_>, _>>()?;
    let (mut found, mut shown, mut start) = (Vec::with_capacity(queries), Vec::new(), 0_u32);
    for count in &reduced.counts {
        let hits: Vec<u32> = (start..start + *count as u32).collect();
        found.push(fill(&levels, &hits, &mut shown)?);
        start += *count as u32;
    }
    let named = reduced.pick(&shown, vec![0; queries])?;
    output.check_size(named.places.len(), node.settings.output_bytes_max)?;
    let mut scores = named.scores;
    round(&mut scores, search.round_decimal);
    Ok(Found {
        queries,
        limit: wanted.size,
        counts: named.counts,
        keys: named.keys,
        scores,
        primary: scope.primary_name(),
        fields: output.fetch(scope, &named.places)?,
        groups: Vec::new(),
        buckets: Some(found),
        elements: None,
        bound: None,
        explained: Vec::new(),
        timestamp: scope.at,
    })
}

/// The levels from the outermost inwards.
fn levels(wanted: &Buckets) -> Vec<&Buckets> {
    std::iter::successors(Some(wanted), |level| level.inner.as_deref()).take(LEVELS_MAX + 1).collect()
}

fn check(search: &Search, wanted: &Buckets, queries: usize) -> Result<(), Error> {
    let levels = levels(wanted);
    let with = |what: &str| Err(Error::invalid(format!("search aggregation is not supported with {what}")));
    if search.offset > 0 {
        return with("a non-zero offset");
    }
    if search.group.is_some() {
        return with("group by search");
    }
    if search.iteration.is_some() {
        return with("search iterator");
    }
    if levels.len() > LEVELS_MAX {
        return Err(Error::invalid(format!("search aggregation exceeds the maximum of {LEVELS_MAX} levels")));
    }
    let fields: Vec<&String> = levels.iter().flat_map(|level| &level.fields).collect();
    if levels.iter().any(|level| level.fields.is_empty()) {
        return Err(Error::invalid("search aggregation needs one field at least at each level"));
    }
    if fields.len() > FIELDS_MAX {
        let count = fields.len();
        return Err(Error::invalid(format!(
            "search aggregation has {count} fields, at most {FIELDS_MAX} are allowed"
        )));
    }
    if let Some(twice) = fields.iter().enumerate().find(|(place, name)| fields[..*place].contains(name)) {
        return Err(Error::invalid(format!("duplicate search aggregation field {}", twice.1)));
    }
    let hits = levels.iter().filter_map(|level| level.hits.as_ref()).map(|hits| hits.size);
    let sizes = levels.iter().flat_map(|level| [level.size, level.search_size.unwrap_or(level.size)]);
    if sizes.chain(hits.clone()).any(|size| size == 0) {
        return Err(Error::invalid("sizes of a search aggregation must be greater than 0"));
    }
    if levels.iter().any(|level| level.search_size.is_some_and(|of| of < level.size)) {
        return Err(Error::invalid("search_size of a search aggregation must not be less than its size"));
    }
    let entries = levels.iter().map(|level| level.search_size.unwrap_or(level.size));
    let entries = entries.chain([queries, hits.max().unwrap_or(1)]).fold(1, usize::saturating_mul);
    if entries > ENTRIES_MAX {
        return Err(Error::invalid(format!(
            "search aggregation may return {entries} result entries, more than the limit of {ENTRIES_MAX}"
        )));
    }
    Ok(())
}

/// One level, with the values of all hits that it asks for.
struct Level<'a> {
    wanted: &'a Buckets,
    /// The fields of its keys, and each hit's values.
    keys: Vec<(Field, Column)>,
    measures: Vec<(Aggregate, Option<Column>)>,
    /// What sorts the hits that come back.
    sort: Vec<(Column, bool)>,
}

impl<'a> Level<'a> {
    fn new(
        scope: &Scope,
        reduced: &Reduced,
        wanted: &'a Buckets,
        keys: Vec<(Field, Column)>,
    ) -> Result<Self, Error> {
        let scores = || {
            let scores: Vec<f64> = reduced.scores.iter().map(|score| f64::from(*score)).collect();
            Column::new(Values::Double(scores.into()), None)
                .map_err(|error| Error::internal(error.to_string()))
        };
        let measures = wanted.measures.iter().map(|measure| {
            if measure.field == SCORE {
                return Ok((of_score(&measure.function)?, Some(scores()?)));
            }
            let aggregate = known_aggregate(scope.schema(), &measure.function, &measure.field)?;
            let column = aggregate.field.as_ref();
            let column = column.map(|field| fetch::read(scope, field, &reduced.places)).transpose()?;
            Ok((aggregate, column))
        });
        let sort = wanted.hits.iter().flat_map(|hits: &TopHits| &hits.sort).map(|one| {
            let column = match one.field.as_str() {
                SCORE => scores()?,
                _ => fetch::read(scope, order::field(scope.schema(), one)?, &reduced.places)?,
            };
            Ok((column, one.is_falling))
        });
        let sort = sort.collect::<Result<_, Error>>()?;
        let level = Self { wanted, keys, measures: measures.collect::<Result<_, Error>>()?, sort };
        wanted.order.iter().try_for_each(|one| level.check_order(one))?;
        Ok(level)
    }

    fn check_order(&self, one: &BucketOrder) -> Result<(), Error> {
        let is_alias = self.wanted.measures.iter().any(|measure| measure.alias == one.key);
        if is_alias || ["_count", "_key"].contains(&one.key.as_str()) {
            return Ok(());
        }
        let key = &one.key;
        Err(Error::invalid(format!("order key {key} is neither a metric alias nor _count nor _key")))
    }
}

fn known_aggregate(schema: &Schema, function: &str, field: &str) -> Result<Aggregate, Error> {
    let is_json = schema.field(field).is_some_and(|field| field.data_type == Type::Json);
    if is_json {
        return Err(Error::invalid(format!("metric field {field} has unsupported data type JSON")));
    }
    let aggregate = Aggregate::new(schema, &format!("{function}({field})"))?;
    aggregate.ok_or_else(|| {
        Error::invalid(format!("metric op {function} is not supported, use count, sum, avg, min or max"))
    })
}

/// A figure of scores.
fn of_score(function: &str) -> Result<Aggregate, Error> {
    let function = match function {
        "sum" => Function::Sum,
        "avg" => Function::Avg,
        "min" => Function::Min,
        "max" => Function::Max,
        other => return Err(Error::invalid(format!("metric op {other} is not supported on _score"))),
    };
    Ok(Aggregate { text: SCORE.to_owned(), function, field: Some(Field::new(SCORE, Type::Double)) })
}

/// The buckets that `hits` make at the first of `levels`; the hits that come back are added to `shown`.
fn fill(levels: &[Level<'_>], hits: &[u32], shown: &mut Vec<u32>) -> Result<Vec<Bucket>, Error> {
    let Some((level, inner)) = levels.split_first() else { return Ok(Vec::new()) };
    let keys: Vec<Column> = level.keys.iter().map(|(_, column)| column.clone()).collect();
    let mut groups = Groups::default();
    let mut members: Vec<Vec<u32>> = Vec::new();
    let mut numbers = Vec::with_capacity(hits.len());
    for hit in hits {
        let (number, is_new) = groups.number(&keys, *hit as usize);
        if is_new {
            members.push(Vec::new());
        }
        members[number as usize].push(*hit);
        numbers.push(number);
    }
    let figures = level.measures.iter().map(|(aggregate, column)| {
        let mut tallies = vec![Tally::default(); members.len()];
        let column = column.as_ref().map(|column| column.take(hits));
        aggregate::tally(aggregate.function, column.as_ref(), &numbers, &mut tallies);
        aggregate::values(aggregate, &tallies)
    });
    let figures: Vec<Column> = figures.collect::<Result<_, _>>()?;
    let sorted = sorted(level, &members, &figures);
    let buckets = sorted.into_iter().take(level.wanted.size).map(|at| {
        let members = &members[at];
        let first = members[0] as usize;
        let back = match &level.wanted.hits {
            Some(top) => best_hits(level, members, top.size),
            None => Vec::new(),
        };
        let place = shown.len();
        shown.extend(&back);
        Ok(Bucket {
            key: level.keys.iter().map(|(field, column)| (field.clone(), column.value(first))).collect(),
            count: members.len(),
            measures: level
                .wanted
                .measures
                .iter()
                .zip(&figures)
                .map(|(measure, column)| (measure.alias.clone(), column.value(at)))
                .collect(),
            hits: (place..place + back.len()).collect(),
            inner: fill(inner, members, shown)?,
        })
    });
    buckets.collect()
}

/// The numbers of the buckets in the order that the level asks for; in the order of their nearest hits where it does not.
fn sorted(level: &Level<'_>, members: &[Vec<u32>], figures: &[Column]) -> Vec<usize> {
    let compare_by = |one: &BucketOrder, a: usize, b: usize| match one.key.as_str() {
        "_count" => directed(members[a].len().cmp(&members[b].len()), one.is_falling),
        "_key" => {
            let (a, b) = (members[a][0] as usize, members[b][0] as usize);
            let each =
                level.keys.iter().map(|(_, column)| compare(column, one.is_falling, one.nulls_first, a, b));
            each.fold(Ordering::Equal, Ordering::then)
        }
        alias => {
            let place = level.wanted.measures.iter().position(|measure| measure.alias == alias);
            let column = place.and_then(|place| figures.get(place));
            column.map_or(Ordering::Equal, |column| compare(column, one.is_falling, one.nulls_first, a, b))
        }
    };
    let mut all: Vec<usize> = (0..members.len()).collect();
    all.sort_by(|a, b| {
        level
            .wanted
            .order
            .iter()
            .fold(Ordering::Equal, |order, one| order.then_with(|| compare_by(one, *a, *b)))
    });
    all
}

fn best_hits(level: &Level<'_>, members: &[u32], size: usize) -> Vec<u32> {
    let mut hits = members.to_vec();
    hits.sort_by(|a, b| {
        level.sort.iter().fold(Ordering::Equal, |order, (column, is_falling)| {
            order.then_with(|| compare(column, *is_falling, false, *a as usize, *b as usize))
        })
    });
    hits.truncate(size);
    hits
}

fn directed(order: Ordering, is_falling: bool) -> Ordering {
    if is_falling { order.reverse() } else { order }
}

/// Which of two values comes first; absent ones stand last, or first if so asked, in either direction.
fn compare(column: &Column, is_falling: bool, nulls_first: bool, a: usize, b: usize) -> Ordering {
    match (column.is_valid(a), column.is_valid(b)) {
        (true, true) => directed(order::compare_values(column, a, b), is_falling),
        (a, b) => directed(b.cmp(&a), nulls_first),
    }
}

/// A field that cannot make keys is refused by its name.
fn check_key(schema: &Schema, name: &str) -> Result<(), Error> {
    if schema.field(name).is_some() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::FieldNotFound,
        format!("search aggregation field {name} does not exist: field not found[field={name}]"),
    ))
}
