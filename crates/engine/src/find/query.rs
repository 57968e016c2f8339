//! Rows by what they say: get, query, count, and the rows an expression deletes.

use super::fetch::{self, Output};
use super::{Place, Scope, Wanted, aggregate, check_window, order, predicate};
use crate::api::{Queried, Query, ReadTime, Target};
use crate::catalog::Collection;
use crate::node::Node;
use crate::record::Deletes;
use crate::{Error, ErrorKind};
use data::{Column, Key, KeyRef, Keys, Timestamp, Type, Value};
use filter::Predicate;
use host::Ticket;
use std::collections::BTreeMap;

const COUNT: &str = "count(*)";

/// Answers a query.
pub(crate) fn query(node: &Node, query: Query) -> Result<Queried, Error> {
    let wanted = Wanted {
        target: &query.target,
        partitions: &query.partitions,
        time: query.time,
        ignore_growing: query.ignore_growing,
        zone: query.zone.as_ref(),
    };
    let is_aggregate = aggregate::is_wanted(&query);
    let is_count = is_aggregate
        && query.group_by.is_empty()
        && matches!(&query.output[..], [name] if name.eq_ignore_ascii_case(COUNT));
    let has_filter = !query.filter.trim().is_empty() || query.keys.is_some();
    if !is_aggregate && !has_filter && query.limit.is_none() {
        return Err(Error::invalid("empty expression should be used with limit"));
    }
    if let Some(limit) = query.limit {
        if is_count {
            return Err(Error::invalid("count entities with pagination is not allowed"));
        }
        check_window(limit, query.offset, node.settings.limit_max, "limit")?;
    }
    let scope = Scope::new(node, &wanted)?;
    let schema = scope.schema();
    let predicate = predicate(schema, &scope.zone, &query.filter, &query.templates, "query")?;
    let predicate = predicate.map(|predicate| predicate.with_seed(scope.at.0));
    let (primary, timestamp) = (scope.primary_name(), scope.at);
    if is_count {
        let count = Some(count(&scope, predicate.as_ref())?);
        return Ok(Queried { count, keys: None, primary, fields: Vec::new(), elements: None, timestamp });
    }
    if is_aggregate {
        return aggregate::query(&scope, predicate.as_ref(), &query);
    }
    let output = Output::new(schema, &query.output, true)?;
    let places = match &query.keys {
        Some(keys) => by_keys(&scope, &keys.iter().collect::<Vec<_>>())?,
        None => match_rows(&scope, predicate.as_ref())?,
    };
    let _ticket = take_memory(node, places.len(), &query)?;
    let filtered = predicate.as_ref().filter(|predicate| predicate.filtered_struct().is_some());
    // With a filter of structs the window is one of structs.
    let window = if filtered.is_some() { (0, None) } else { (query.offset, query.limit) };
    let (places, keys) = if query.order.is_empty() {
        in_key_order(&scope, places, window)?
    } else {
        let (places, keys) = in_key_order(&scope, places, (0, None))?;
        let picks = order::rows(&scope, &places, &query.order)?;
        cut(&places, &keys, picks.into_iter(), window)?
    };
    let (places, keys, elements) = match filtered {
        Some(predicate) => {
            let (picks, elements) = struct_window(&scope, predicate, &places, &keys, &query)?;
            let (places, keys) = cut(&places, &keys, picks.into_iter(), (0, None))?;
            (places, keys, Some(elements))
        }
        None => (places, keys, None),
    };
    output.check_size(places.len(), node.settings.output_bytes_max)?;
    let fields = output.fetch(&scope, &places)?;
    Ok(Queried { count: None, keys: Some(keys), primary, fields, elements, timestamp })
}

/// The rows some of whose structs pass the filter and lie in the query's window, and which structs these are.
fn struct_window(
    scope: &Scope,
    predicate: &Predicate,
    places: &[Place],
    keys: &Keys,
    query: &Query,
) -> Result<(Vec<u32>, Vec<Vec<u32>>), Error> {
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); scope.segments.len()];
    places.iter().for_each(|(segment, row)| rows[*segment as usize].push(*row));
    let passing = scope.segments.iter().zip(&rows).map(|(segment, rows)| {
        let passing = if rows.is_empty() { None } else { segment.elements_of(predicate, rows)? };
        Ok(passing.unwrap_or_default().into_iter())
    });
    let mut passing = passing.collect::<Result<Vec<_>, Error>>()?;
    let (mut skip, mut left) = (query.offset, query.limit.unwrap_or(usize::MAX));
    let (mut picks, mut kept) = (Vec::new(), Vec::new());
    for (at, (segment, _)) in places.iter().enumerate() {
        let mut elements = passing[*segment as usize].next().unwrap_or_default();
        if let Some((_, last)) =
            query.after.as_ref().filter(|(key, _)| key.to_string() == keys.get(at).to_key().to_string())
        {
            elements.retain(|element| element > last);
        }
        let skipped = skip.min(elements.len());
        skip -= skipped;
        elements.drain(..skipped);
        elements.truncate(left);
        left -= elements.len();
        if !elements.is_empty() {
            picks.push(at as u32);
            kept.push(elements);
        }
    }
    Ok((picks, kept))
}

/// The memory that sorting so many rows takes, for as long as the query runs.
fn take_memory(node: &Node, rows: usize, query: &Query) -> Result<Ticket, Error> {
    /// A row's place, its key, and where it stands in the order, about.
    const ROW_BYTES: u64 = 48;
    /// A value to sort by, about.
    const SORTED_BYTES: u64 = 16;
    let bytes = rows as u64 * (ROW_BYTES + SORTED_BYTES * query.order.len() as u64);
    node.take_memory(bytes).map_err(|refusal| {
        let text =
            format!("memory limit exceeded: query of {rows} matching rows {refusal}; narrow its filter");
        Error::new(ErrorKind::MemoryLimit, text)
    })
}

/// Whether a query is expected to be over in well under a millisecond: it names keys, or there are few rows.
pub(crate) fn is_quick_query(node: &Node, query: &Query) -> bool {
    const ROWS_MAX: usize = 100_000;
    if query.keys.is_some() || query.filter.trim().is_empty() && query.limit.is_none() {
        return true;
    }
    let catalog = node.registry.current();
    let shard = catalog.collection(&query.target).and_then(|collection| node.shard(collection.id));
    let Ok(shard) = shard else { return true };
    shard.members().list.iter().map(|member| member.segment.rows()).sum::<usize>() <= ROWS_MAX
}

/// How many rows there are; with a filter of structs, how many structs, as many as a query would tell of.
fn count(scope: &Scope, predicate: Option<&Predicate>) -> Result<u64, Error> {
    let of_structs = predicate.filter(|predicate| predicate.filtered_struct().is_some());
    let mut count = 0;
    for segment in &scope.segments {
        let matching = scope.matches(segment, predicate)?;
        count += match of_structs {
            Some(predicate) if matching.count() > 0 => {
                let rows: Vec<u32> = matching.iter().collect();
                let passing = segment.element_counts(predicate, &rows)?.unwrap_or_default();
                passing.iter().map(|count| *count as usize).sum()
            }
            _ => matching.count(),
        } as u64;
    }
    Ok(count)
}

/// The rows a predicate holds for; by their keys, without a scan, when it names them.
fn match_rows(scope: &Scope, predicate: Option<&Predicate>) -> Result<Vec<Place>, Error> {
    if let Some(keys) = predicate.and_then(Predicate::keys) {
        let keys: Vec<KeyRef<'_>> = keys.iter().map(Key::as_ref).collect();
        return by_keys(scope, &keys);
    }
    let mut places = Vec::new();
    for (place, segment) in (0_u32..).zip(&scope.segments) {
        let mask = scope.matches(segment, predicate)?;
        places.extend(mask.iter().map(|row| (place, row)));
    }
    Ok(places)
}

fn by_keys(scope: &Scope, keys: &[KeyRef<'_>]) -> Result<Vec<Place>, Error> {
    let mut places = Vec::with_capacity(keys.len());
    for (place, segment) in (0_u32..).zip(&scope.segments) {
        places.extend(segment.find(keys, scope.at)?.into_iter().map(|row| (place, row)));
    }
    Ok(places)
}

/// The places of a window in key order, and their keys. Of several rows with one key the newest counts.
fn in_key_order(
    scope: &Scope,
    places: Vec<Place>,
    window: (usize, Option<usize>),
) -> Result<(Vec<Place>, Keys), Error> {
    let keys = fetch::keys(scope, &places)?;
    let mut order: Vec<u32> = (0..places.len() as u32).collect();
    order.sort_unstable_by(|a, b| keys.get(*a as usize).cmp(&keys.get(*b as usize)));
    let mut kept: Vec<u32> = Vec::with_capacity(order.len());
    for place in order {
        match kept.last_mut() {
            Some(last) if keys.get(*last as usize) == keys.get(place as usize) => {
                let (this, that) = (places[place as usize], places[*last as usize]);
                // Of rows written together the last counts.
                if (stamp(scope, this)?, this) > (stamp(scope, that)?, that) {
                    *last = place;
                }
            }
            _ => kept.push(place),
        }
    }
    cut(&places, &keys, kept.into_iter(), window)
}

/// The rows at `picks` that lie in a window of offset and limit.
fn cut(
    places: &[Place],
    keys: &Keys,
    picks: impl Iterator<Item = u32>,
    (offset, limit): (usize, Option<usize>),
) -> Result<(Vec<Place>, Keys), Error> {
    let kept: Vec<u32> = picks.skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
    let keys = Keys::new(keys.column().take(&kept)).ok_or_else(|| Error::internal("keys stay keys"))?;
    Ok((kept.into_iter().map(|place| places[place as usize]).collect(), keys))
}

/// Of the rows of one key the one that was written last; of those written together, the last.
pub(super) fn newest(scope: &Scope, places: &[Place]) -> Result<Option<Place>, Error> {
    let (&first, others) = match places {
        [] => return Ok(None),
        [one] => return Ok(Some(*one)),
        [first, others @ ..] => (first, others),
    };
    let mut best = (stamp(scope, first)?, first);
    for place in others {
        best = best.max((stamp(scope, *place)?, *place));
    }
    Ok(Some(best.1))
}

fn stamp(scope: &Scope, (segment, row): Place) -> Result<Timestamp, Error> {
    let stamps = scope.segments[segment as usize].stamps(&[row])?;
    Ok(stamps.first().copied().unwrap_or_default())
}

/// The keys of the rows an expression deletes. An expression that names keys is taken at its word; any other one is
/// asked of the rows, for which the collection must be loaded.
pub(crate) fn keys_to_delete(
    node: &Node,
    collection: &Collection,
    partition: &str,
    filter: &str,
    templates: &BTreeMap<String, Value>,
) -> Result<Deletes, Error> {
    let in_partition = match partition {
        "" => None,
        name => Some(collection.partition(name)?.id),
    };
    let refuse =
        || Error::new(ErrorKind::Invalid, "delete plan can't be empty or always true: invalid parameter");
    let zone = node.registry.current().zone(collection);
    let predicate = predicate(&collection.schema, &zone, filter, templates, "delete")?.ok_or_else(refuse)?;
    if predicate.is_always_true() {
        return Err(refuse());
    }
    if let Some(keys) = predicate.keys() {
        return Ok(Deletes { partition: in_partition, keys: key_column(collection, &keys)? });
    }
    let target = Target::new(&collection.database, &collection.name);
    let partitions: Vec<String> = if partition.is_empty() { Vec::new() } else { vec![partition.to_owned()] };
    let wanted = Wanted {
        target: &target,
        partitions: &partitions,
        time: ReadTime::default(),
        ignore_growing: false,
        zone: None,
    };
    let scope = Scope::new(node, &wanted)?;
    let predicate = predicate.with_seed(scope.at.0);
    let places = match_rows(&scope, Some(&predicate))?;
    Ok(Deletes { partition: in_partition, keys: fetch::keys(&scope, &places)? })
}

fn key_column(collection: &Collection, keys: &[Key]) -> Result<Keys, Error> {
    let is_text = collection.schema.primary().is_some_and(|field| field.data_type == Type::VarChar);
    let column = if is_text {
        Column::from_texts(keys.iter().map(Key::to_string))
    } else {
        let int = |key: &Key| match key {
            Key::Int(value) => Some(*value),
            Key::Text(_) => None,
        };
        Column::from_ints(keys.iter().filter_map(int).collect())
    };
    Keys::new(column).ok_or_else(|| Error::internal("keys are a key column"))
}
