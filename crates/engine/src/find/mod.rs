//! Finding rows: by nearness (`search`) and by what they say (`query`). Both read one moment of one collection: the
//! scope takes the moment first and the list of segments second, so that nothing written up to the moment is missed.

mod aggregate;
mod buckets;
mod cells;
mod current;
mod fetch;
mod group;
mod hybrid;
mod iterate;
mod order;
mod plan;
mod queries;
mod query;
mod reduce;
mod scatter;
mod search;

pub(crate) use current::Current;
pub(crate) use hybrid::hybrid;
pub(crate) use query::{is_quick_query, keys_to_delete, query};
pub(crate) use scatter::is_quick;
pub(crate) use search::search;

use crate::api::{ReadTime, Target};
use crate::catalog::Collection;
use crate::ingest;
use crate::node::Node;
use crate::shard::Members;
use crate::{Error, ErrorKind};
use data::{PartitionId, Schema, Timestamp, Value, Zone};
use filter::Predicate;
use segment::{Mask, Segment};
use std::collections::BTreeMap;
use std::sync::Arc;

/// More partition keys than this are taken to lead to every partition.
const PRUNED_KEYS_MAX: usize = 1_000;

/// A row of a scope: which segment, which row of it.
type Place = (u32, u32);

/// What a read looks at.
struct Scope {
    collection: Arc<Collection>,
    segments: Vec<Segment>,
    at: Timestamp,
    /// Of moments that a filter names without an offset.
    zone: Zone,
}

/// What a read names.
struct Wanted<'a> {
    target: &'a Target,
    partitions: &'a [String],
    time: ReadTime,
    ignore_growing: bool,
    /// Of moments without an offset, if it is not to be the collection's.
    zone: Option<&'a Zone>,
}

impl Scope {
    fn new(node: &Node, wanted: &Wanted<'_>) -> Result<Self, Error> {
        let catalog = node.registry.current();
        let collection = catalog.collection(wanted.target)?;
        if !collection.is_loaded() {
            return Err(Error::collection_not_loaded(&collection.name));
        }
        let partitions = loaded_partitions(collection, wanted.partitions)?;
        let shard = node.shard(collection.id)?;
        let (at, members) = loop {
            // Waits for the moment, if it lies ahead, before it is held.
            let mut at = node.read_time(wanted.time)?;
            if wanted.time.hold {
                let now_ms = node.oracle.clock().now_ms();
                at = node.holds.hold(collection.id, now_ms, || node.read_time(wanted.time))?;
            }
            let members = shard.members();
            if members.floor <= at {
                break (at, members);
            }
            if wanted.time.travel != Timestamp::ZERO {
                let ms = node.settings.retention_ms;
                let text = format!("only support to travel back to {} s so far", ms / 1_000);
                return Err(Error::invalid(text));
            }
            // A merge has just forgotten this moment; the next one is fine.
        };
        let segments = chosen(&members, &partitions, wanted.ignore_growing);
        let zone = wanted.zone.cloned().unwrap_or_else(|| catalog.zone(collection));
        Ok(Self { collection: Arc::clone(collection), segments, at, zone })
    }

    /// The rows of a segment that are visible and match. Segments of partitions that the filter's partition keys do not
    /// lead to are not looked at.
    fn matches(&self, segment: &Segment, predicate: Option<&Predicate>) -> Result<Mask, Error> {
        let is_excluded = predicate.is_some_and(|predicate| !self.may_hold(segment, predicate));
        if is_excluded { Ok(Mask::all(0)) } else { Ok(segment.matches(predicate, self.at)?) }
    }

    /// Whether rows of the segment's partition can match.
    fn may_hold(&self, segment: &Segment, predicate: &Predicate) -> bool {
        let Some(key) = self.schema().fields.iter().find(|field| field.is_partition_key) else { return true };
        match predicate.values_of(key.id) {
            Some(values) if values.len() <= PRUNED_KEYS_MAX => values
                .iter()
                .any(|value| ingest::partition_of(&self.collection, value) == Some(segment.partition())),
            Some(_) | None => true,
        }
    }

    fn primary_name(&self) -> String {
        self.schema().primary().map(|field| field.name.clone()).unwrap_or_default()
    }

    fn schema(&self) -> &Schema {
        &self.collection.schema
    }
}

fn loaded_partitions(collection: &Collection, names: &[String]) -> Result<Vec<PartitionId>, Error> {
    if names.is_empty() {
        let loaded = collection.partitions.iter().filter(|partition| partition.is_loaded);
        return Ok(loaded.map(|partition| partition.id).collect());
    }
    let named = names.iter().map(|name| {
        let missing = |error: Error| error.context(&format!("partition name {name} not found"));
        let partition = collection.partition(name).map_err(missing)?;
        if partition.is_loaded {
            return Ok(partition.id);
        }
        Err(Error::new(ErrorKind::PartitionNotLoaded, format!("partition not loaded[partition={name}]")))
    });
    named.collect()
}

fn chosen(members: &Members, partitions: &[PartitionId], ignore_growing: bool) -> Vec<Segment> {
    let segments = members.list.iter().map(|member| &member.segment);
    segments
        .filter(|segment| partitions.contains(&segment.partition()))
        .filter(|segment| !ignore_growing || matches!(segment, Segment::Sealed(_)))
        .cloned()
        .collect()
}

/// Parses and binds a filter; the empty one holds for every row. `plan` says what it was for, as Milvus does.
fn predicate(
    schema: &Schema,
    zone: &Zone,
    text: &str,
    templates: &BTreeMap<String, Value>,
    plan: &str,
) -> Result<Option<Predicate>, Error> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let bound = filter::parse(text).and_then(|ast| filter::bind_in(&ast, schema, templates, zone));
    bound.map(Some).map_err(|error| {
        let kind = match error.kind() {
            filter::ErrorKind::Parameter => ErrorKind::Invalid,
            filter::ErrorKind::Plan => ErrorKind::Plan,
        };
        // A long list of values helps nobody in a message.
        let shown: String = text.chars().take(256).collect();
        let text = format!("failed to create {plan} plan: cannot parse expression: {shown}, error: {error}");
        Error::new(kind, format!("{text}: invalid parameter"))
    })
}

/// Holds limit and offset against the largest window.
fn check_window(limit: usize, offset: usize, max: usize, what: &str) -> Result<(), Error> {
    if !(1..=max).contains(&limit) {
        let text = format!("{what} [{limit}] is invalid, it should be in range [1, {max}], but got {limit}");
        return Err(Error::invalid(text));
    }
    let sum = limit.saturating_add(offset);
    if sum > max {
        return Err(Error::invalid(format!("(offset+limit) should be in range [1, {max}], but got {sum}")));
    }
    Ok(())
}
