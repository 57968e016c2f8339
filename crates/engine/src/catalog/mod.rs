//! The catalogue: what exists. A value that is never changed in place: an [`Edit`] makes the next one from it
//! (`apply`), a register keeps it, readers hold the one they began with.
//!
//! Nothing that can be derived is stored: index progress, load progress and row counts come from the catalogue
//! together with the segments.

mod apply;
mod check;
mod fields;
mod indexing;
mod registry;

pub(crate) use apply::{Edit, Moved, element_of, index_not_found, index_spec};
pub(crate) use indexing::IndexSpec;
pub(crate) use indexing::ItemSpec;
pub(crate) use registry::Registry;

use crate::Error;
use crate::api::Target;
use data::{CollectionId, Consistency, FieldId, IndexId, PartitionId, Schema, SegmentId, Timestamp, Zone};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The database that is always there.
pub(crate) const DEFAULT_DATABASE: &str = "default";
/// The partition that is always there.
pub(crate) const DEFAULT_PARTITION: &str = "_default";

/// What exists.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalog {
    pub(crate) root: Arc<Root>,
    pub(crate) collections: BTreeMap<CollectionId, Arc<Collection>>,
}

/// Names: databases, and the collections and aliases in them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Root {
    pub(crate) databases: BTreeMap<String, Database>,
}

/// A database: a name space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Database {
    pub(crate) id: i64,
    pub(crate) created_at: Timestamp,
    #[serde(default)]
    pub(crate) properties: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) collections: BTreeMap<String, CollectionId>,
    #[serde(default)]
    pub(crate) aliases: BTreeMap<String, CollectionId>,
}

/// A collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Collection {
    pub(crate) id: CollectionId,
    pub(crate) database: String,
    pub(crate) name: String,
    pub(crate) schema: Arc<Schema>,
    pub(crate) schema_version: u32,
    pub(crate) shards: u32,
    pub(crate) consistency: Consistency,
    #[serde(default)]
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) partitions: Vec<Partition>,
    #[serde(default)]
    pub(crate) indexes: Vec<Index>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// The largest number a field has had, once fields went; zero before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) last_field: i64,
    /// Rows in files.
    #[serde(default)]
    pub(crate) segments: Vec<SegmentEntry>,
    /// Log records before this place are in `segments`.
    #[serde(default)]
    pub(crate) checkpoint: u64,
    /// Rows that died before this moment may be gone: no reader may look at an earlier one.
    #[serde(default)]
    pub(crate) floor: Timestamp,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Partition {
    pub(crate) id: PartitionId,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    /// Whether it answers reads.
    #[serde(default)]
    pub(crate) is_loaded: bool,
}

/// The wish for an index. Which segments have it is in their entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub(crate) id: IndexId,
    pub(crate) name: String,
    pub(crate) field: FieldId,
    /// What the user set, flat.
    pub(crate) params: Vec<(String, String)>,
    /// What the user set, as it was written; empty = like `params`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) echo: Vec<(String, String)>,
    pub(crate) created_at: Timestamp,
}

/// A sealed segment and its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentEntry {
    pub(crate) id: SegmentId,
    pub(crate) partition: PartitionId,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// The name of the file with the rows.
    pub(crate) file: String,
    /// The name of the file with the deletes up to the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deletes: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) indexes: Vec<IndexEntry>,
}

/// An index of a segment and its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct IndexEntry {
    pub(crate) index: IndexId,
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) build_ms: u64,
    /// Index type and parameters in force.
    pub(crate) effective: Vec<(String, String)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

impl SegmentEntry {
    /// Every file of the segment.
    pub(crate) fn files(&self) -> impl Iterator<Item = &String> {
        let indexes = self.indexes.iter().map(|entry| &entry.file);
        std::iter::once(&self.file).chain(&self.deletes).chain(indexes)
    }
}

impl Collection {
    pub(crate) fn partition(&self, name: &str) -> Result<&Partition, Error> {
        let name = if name.is_empty() { DEFAULT_PARTITION } else { name };
        let found = self.partitions.iter().find(|partition| partition.name == name);
        found.ok_or_else(|| Error::partition_not_found(name))
    }

    pub(crate) fn index_on(&self, field: FieldId) -> Option<&Index> {
        self.indexes.iter().find(|index| index.field == field)
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.partitions.iter().any(|partition| partition.is_loaded)
    }

    /// Whether the schema's partition key chooses the partition.
    pub(crate) fn has_partition_key(&self) -> bool {
        self.schema.fields.iter().any(|field| field.is_partition_key)
    }
}

/// The time zone that properties name.
pub(crate) fn timezone(properties: &[(String, String)]) -> Option<&str> {
    // The longer names are those that the Node SDK and early servers give it.
    let named = |key: &str| properties.iter().find(|(known, _)| known == key);
    let found = ["timezone", "collection.timezone", "database.timezone"].into_iter().find_map(named);
    found.map(|(_, name)| name.as_str())
}

/// `name`, or the default database for an empty name.
pub(crate) fn database_name(name: &str) -> &str {
    if name.is_empty() { DEFAULT_DATABASE } else { name }
}

impl Catalog {
    pub(crate) fn database(&self, name: &str) -> Result<&Database, Error> {
        let name = database_name(name);
        self.root.databases.get(name).ok_or_else(|| Error::database_not_found(name))
    }

    /// The collection with this name or alias.
    pub(crate) fn collection(&self, target: &Target) -> Result<&Arc<Collection>, Error> {
        let database = self.database(&target.database)?;
        let name = &target.collection;
        let id = database.collections.get(name).or_else(|| database.aliases.get(name));
        let missing = || Error::collection_not_found(database_name(&target.database), name);
        id.and_then(|id| self.collections.get(id)).ok_or_else(missing)
    }

    pub(crate) fn collection_by_id(&self, id: CollectionId) -> Result<&Arc<Collection>, Error> {
        let missing = || Error::collection_not_found("", &id.to_string());
        self.collections.get(&id).ok_or_else(missing)
    }

    /// The time zone of a collection: its own, else that of its database, else UTC.
    pub(crate) fn zone(&self, collection: &Collection) -> Zone {
        let database = self.root.databases.get(&collection.database);
        let properties = [Some(&collection.properties), database.map(|database| &database.properties)];
        let named = properties.into_iter().flatten().find_map(|properties| timezone(properties));
        named.and_then(|name| Zone::named(name).ok()).unwrap_or_default()
    }

    pub(crate) fn has_index(&self, id: CollectionId, index: IndexId) -> bool {
        self.collections
            .get(&id)
            .is_some_and(|collection| collection.indexes.iter().any(|one| one.id == index))
    }

    /// Names of all files that belong to something.
    pub(crate) fn files(&self) -> impl Iterator<Item = &String> {
        let segments = self.collections.values().flat_map(|collection| &collection.segments);
        segments.flat_map(SegmentEntry::files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What older versions have written must be read, with every field kept.
    #[test]
    fn the_fixtures_open() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/engine");
        let root = std::fs::read_to_string(folder.join("root-1.json")).unwrap();
        let collection = std::fs::read_to_string(folder.join("collection-1.json")).unwrap();
        let read: Root = serde_json::from_str(&root).unwrap();
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), root.trim_end());
        let read: Collection = serde_json::from_str(&collection).unwrap();
        if std::env::var_os("ELANUS_BLESS").is_some() {
            std::fs::write(
                folder.join("collection-1.json"),
                serde_json::to_string_pretty(&read).unwrap() + "\n",
            )
            .unwrap();
        }
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), collection.trim_end());
        assert_eq!(read.segments[0].indexes[0].index, read.indexes[0].id);
    }
}
