//! The rows that some keys stand for at this moment, to be changed by a write.

use super::query::newest;
use super::{Place, Scope, fetch};
use crate::Error;
use crate::catalog::Collection;
use crate::node::Node;
use data::{Column, ColumnBuilder, Field, Keys, PartitionId, Zone};
use std::sync::Arc;

/// For each of some keys the row that it stands for.
pub(crate) struct Current {
    scope: Scope,
    /// For each key which of `found` is its row.
    rows: Vec<Option<u32>>,
    found: Vec<Place>,
}

impl Current {
    /// Finds the rows of `keys`, in one partition or in all. Of several rows with one key the last counts.
    pub(crate) fn of(
        node: &Node,
        collection: &Arc<Collection>,
        partition: Option<PartitionId>,
        keys: &Keys,
    ) -> Result<Self, Error> {
        let shard = node.shard(collection.id)?;
        let (at, members) = node.members_now(&shard);
        let segments = members.list.iter().map(|member| &member.segment);
        let segments = segments.filter(|segment| partition.is_none_or(|one| one == segment.partition()));
        // There is no filter whose moments would need a zone.
        let zone = Zone::default();
        let scope =
            Scope { collection: Arc::clone(collection), segments: segments.cloned().collect(), at, zone };
        let (mut rows, mut found) = (Vec::with_capacity(keys.len()), Vec::new());
        for key in keys.iter() {
            let mut places: Vec<Place> = Vec::new();
            for (segment, number) in scope.segments.iter().zip(0_u32..) {
                places.extend(segment.find(&[key], at)?.into_iter().map(|row| (number, row)));
            }
            rows.push(newest(&scope, &places)?.map(|place| {
                found.push(place);
                found.len() as u32 - 1
            }));
        }
        Ok(Self { scope, rows, found })
    }

    /// Whether every key has a row.
    pub(crate) fn is_complete(&self) -> bool {
        self.found.len() == self.rows.len()
    }

    /// What the rows hold in `field`; nothing where there is no row.
    pub(crate) fn column(&self, field: &Field) -> Result<Column, Error> {
        let found = fetch::read(&self.scope, field, &self.found)?;
        if self.is_complete() {
            return Ok(found);
        }
        let mut builder = ColumnBuilder::of(field.kind());
        for row in &self.rows {
            match row {
                Some(row) => builder.push_from(&found, *row as usize),
                None => builder.push_null(),
            }
        }
        Ok(builder.finish())
    }

    /// Whether key number `row` has a row.
    pub(crate) fn has(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(Option::is_some)
    }
}
