//! Decides which partition a row belongs to: the one named, or the one its partition key leads to.

use crate::Error;
use crate::catalog::Collection;
use crate::record::Insert;
use data::{Batch, Column, FieldId, Key, PartitionId, Values};

/// The partition a request names; `None` when the partition key chooses for each row.
pub(crate) fn named(collection: &Collection, name: &str) -> Result<Option<PartitionId>, Error> {
    if !collection.has_partition_key() {
        return collection.partition(name).map(|partition| Some(partition.id));
    }
    if name.is_empty() {
        return Ok(None);
    }
    Err(Error::invalid("not support manually specifying the partition names if partition key mode is used"))
}

/// The rows of `batch`, partition by partition.
pub(crate) fn partitions(
    collection: &Collection,
    partition: Option<PartitionId>,
    batch: Batch,
) -> Vec<Insert> {
    let fields: Vec<FieldId> = collection.schema.fields.iter().map(|field| field.id).collect();
    if let Some(partition) = partition {
        return vec![Insert { partition, fields, batch }];
    }
    let place = collection.schema.fields.iter().position(|field| field.is_partition_key);
    let keys = place.map(|place| &batch.columns()[place]);
    let count = collection.partitions.len();
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); count];
    for row in 0..batch.rows() {
        let hash = keys.map_or(0, |keys| hash(keys, row));
        rows[(hash % count as u64) as usize].push(row as u32);
    }
    let with_rows = collection.partitions.iter().zip(rows).filter(|(_, rows)| !rows.is_empty());
    let insert = |rows: &[u32]| if rows.len() == batch.rows() { batch.clone() } else { batch.take(rows) };
    with_rows
        .map(|(partition, rows)| Insert {
            partition: partition.id,
            fields: fields.clone(),
            batch: insert(&rows),
        })
        .collect()
}

/// The partition of rows with this partition key.
pub(crate) fn partition_of(collection: &Collection, key: &Key) -> Option<PartitionId> {
    let hash = match key {
        Key::Int(value) => hash_bytes(&value.to_le_bytes()),
        Key::Text(text) => hash_bytes(text.as_bytes()),
    };
    let count = collection.partitions.len().max(1) as u64;
    collection.partitions.get((hash % count) as usize).map(|partition| partition.id)
}

fn hash(keys: &Column, row: usize) -> u64 {
    match keys.values() {
        Values::Int64(values) => hash_bytes(&values[row].to_le_bytes()),
        Values::Text(texts) => hash_bytes(texts.get(row)),
        _ => finish(0),
    }
}

/// A hash of a partition key (FNV-1a, finished by a multiply-shift). It decides where rows lie on disk: it must not
/// change.
fn hash_bytes(bytes: &[u8]) -> u64 {
    finish(bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

fn finish(hash: u64) -> u64 {
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16
}
