//! From what a client sent to rows as the schema wants them: checked, filled, routed. Nothing is written before all
//! of it is known to be right.

mod check;
mod fill;
mod fit;
mod route;
mod update;
mod vectors;

pub(crate) use check::numbers as check_numbers;
pub(crate) use fill::absent;
pub(crate) use route::partition_of;
pub(crate) use update::update;

use crate::api::Rows;
use crate::catalog::Collection;
use crate::record::{Deletes, Insert, Record};
use crate::time::Oracle;
use crate::{Error, Settings};
use data::{Batch, Keys, Timestamp, Zone};
use std::collections::HashSet;

/// Rows ready for the log, and their keys in the order they came.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) record: Record,
    pub(crate) keys: Keys,
    pub(crate) inserted: u64,
}

/// Makes a record of new rows. Moments without an offset are in `zone`.
pub(crate) fn insert(
    collection: &Collection,
    rows: Rows,
    oracle: &Oracle,
    limits: &Settings,
    zone: &Zone,
) -> Result<Prepared, Error> {
    let partition = route::named(collection, &rows.partition)?;
    let columns = check::columns(collection, rows, limits, false, zone)?;
    let columns = fill::columns(collection, columns, oracle)?;
    let (batch, keys) = batch(collection, columns)?;
    let inserts = route::partitions(collection, partition, batch);
    Ok(prepared(collection, None, inserts, keys))
}

/// Makes a record of rows that take the place of those with the same keys. Of several rows with one key the last
/// counts.
pub(crate) fn upsert(
    collection: &Collection,
    rows: Rows,
    oracle: &Oracle,
    limits: &Settings,
    zone: &Zone,
) -> Result<Prepared, Error> {
    let partition = route::named(collection, &rows.partition)?;
    let mut columns = check::columns(collection, rows, limits, true, zone)?;
    // With auto ids, the keys sent name the rows to replace; the new rows get new keys.
    let replaced = fill::take_auto_keys(collection, &mut columns)?;
    let columns = fill::columns(collection, columns, oracle)?;
    let (mut batch, keys) = batch(collection, columns)?;
    let mut deleted = replaced.unwrap_or_else(|| keys.clone());
    if let Some(last) = last_of_each(&deleted) {
        batch = batch.take(&last);
        deleted = Keys::new(deleted.column().take(&last)).ok_or_else(|| Error::internal("keys stay keys"))?;
    }
    let deletes = Deletes { partition, keys: deleted };
    let inserts = route::partitions(collection, partition, batch);
    Ok(prepared(collection, Some(deletes), inserts, keys))
}

fn prepared(collection: &Collection, deletes: Option<Deletes>, inserts: Vec<Insert>, keys: Keys) -> Prepared {
    let inserted = inserts.iter().map(|insert| insert.batch.rows() as u64).sum();
    let record = Record { collection: collection.id, stamp: Timestamp::ZERO, deletes, inserts };
    Prepared { record, keys, inserted }
}

fn batch(collection: &Collection, columns: Vec<data::Column>) -> Result<(Batch, Keys), Error> {
    let place = collection.schema.fields.iter().position(|field| field.is_primary);
    let keys = place.and_then(|place| Keys::new(columns[place].clone()));
    let keys = keys.ok_or_else(|| Error::internal("a checked batch has keys"))?;
    let batch =
        Batch::new(keys.len(), columns).ok_or_else(|| Error::internal("checked columns are equally long"))?;
    Ok((batch, keys))
}

/// The rows that are the last with their key; `None` when no key comes twice.
fn last_of_each(keys: &Keys) -> Option<Vec<u32>> {
    let mut seen = HashSet::with_capacity(keys.len());
    let mut last: Vec<u32> =
        (0..keys.len()).rev().filter(|row| seen.insert(keys.get(*row))).map(|r| r as u32).collect();
    if last.len() == keys.len() {
        return None;
    }
    last.reverse();
    Some(last)
}
