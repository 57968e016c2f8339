//! Load and release: a flag in the catalogue. Rows are mapped files, so a load opens the indexes and takes a ticket for
//! the memory; a load that cannot fit fails at once with both figures.

use crate::api::{Load, LoadInfo, LoadState, Release, Task};
use crate::catalog::{Collection, Edit, Index, IndexEntry, IndexSpec, SegmentEntry};
use crate::jobs::{Opened, detach, is_attached, kept_bytes, paged_section};
use crate::node::Node;
use crate::shard::Shard;
use crate::{Engine, Error, ErrorKind};
use data::PartitionId;
use segment::Sealed;
use std::sync::PoisonError;

impl Task for Load {
    type Outcome = ();

    fn run(self, engine: &Engine) -> Result<(), Error> {
        let node = engine.node();
        let catalog = node.registry.current();
        let collection = catalog.collection(&self.target)?;
        let partitions = named(collection, &self.partitions)?;
        if !node.settings.load_without_index {
            let bare = collection.schema.vectors().find(|field| collection.index_on(field.id).is_none());
            if let Some(field) = bare {
                let name = &field.name;
                return Err(Error::invalid(format!(
                    "there is no vector index on field: [{name}], please create index firstly"
                )));
            }
        }
        node.attach_loaded(collection)?;
        let edit = Edit::Loaded { collection: collection.id, partitions, is_loaded: true };
        let (_, catalog) = node.edit(edit)?;
        // Segments and indexes may have come in between.
        node.attach_loaded(catalog.collection_by_id(collection.id)?)
    }
}

impl Task for Release {
    type Outcome = ();

    fn run(self, engine: &Engine) -> Result<(), Error> {
        let node = engine.node();
        let catalog = node.registry.current();
        let collection = catalog.collection(&self.target)?;
        let partitions = named(collection, &self.partitions)?;
        if collection.is_loaded() || node.registry.is_in_doubt() {
            node.edit(Edit::Loaded { collection: collection.id, partitions, is_loaded: false })?;
        }
        Ok(())
    }
}

fn named(collection: &Collection, names: &[String]) -> Result<Vec<PartitionId>, Error> {
    names.iter().map(|name| collection.partition(name).map(|partition| partition.id)).collect()
}

/// Whether some partitions (none named = all) answer reads.
pub(crate) fn info(partitions: &[&crate::catalog::Partition]) -> LoadInfo {
    let is_loaded = !partitions.is_empty() && partitions.iter().any(|partition| partition.is_loaded);
    if is_loaded {
        LoadInfo { state: LoadState::Loaded, percent: 100 }
    } else {
        LoadInfo { state: LoadState::NotLoaded, percent: 0 }
    }
}

impl Node {
    /// Takes the memory for a collection and opens the indexes of its segments.
    pub(crate) fn attach_loaded(&self, collection: &Collection) -> Result<(), Error> {
        let shard = self.shard(collection.id)?;
        let bytes = collection.segments.iter().map(|entry| self.kept_bytes(collection, &shard, entry)).sum();
        {
            let mut ticket = shard.ticket.lock().unwrap_or_else(PoisonError::into_inner);
            let had_bytes = ticket.take().map(|ticket| ticket.bytes());
            match self.take_memory(bytes) {
                Ok(new) => *ticket = Some(new),
                Err(refusal) => {
                    *ticket = had_bytes.and_then(|bytes| self.budget.take(bytes).ok());
                    let name = &collection.name;
                    let text = format!("memory limit exceeded: load of collection {name} {refusal}");
                    return Err(Error::new(ErrorKind::MemoryLimit, text));
                }
            }
        }
        for entry in &collection.segments {
            let Some(sealed) = shard.sealed(entry.id) else { continue };
            for file in &entry.indexes {
                let index = collection.indexes.iter().find(|index| index.id == file.index);
                let Some(index) = index.filter(|index| !is_attached(&sealed, index)) else { continue };
                // A derived file that is missing or damaged is rebuilt, never fatal.
                if let Err(error) = self.attach(collection, &sealed, index, file) {
                    // What went away with its segment or its index is not missing.
                    if !self.registry.current().files().any(|named| *named == file.file) {
                        continue;
                    }
                    self.trouble(format!(
                        "index {} of segment {}: {error}; it is rebuilt",
                        index.name, entry.id
                    ));
                    self.forget_index(collection, entry.id, index.id);
                }
                // It may have been dropped in the meantime.
                if !self.registry.current().has_index(collection.id, index.id) {
                    detach(&sealed, index.id, index.field);
                }
            }
        }
        Ok(())
    }

    /// What a loaded segment keeps in memory, or mapped: rows and indexes, but of an index on disk only what it holds, and not
    /// the vectors it is made of, which it reads where they lie.
    fn kept_bytes(&self, collection: &Collection, shard: &Shard, entry: &SegmentEntry) -> u64 {
        let mut bytes = entry.bytes;
        for built in &entry.indexes {
            let index = collection.indexes.iter().find(|index| index.id == built.index);
            let field = index.and_then(|index| collection.schema.field_by_id(index.field));
            let spec = index
                .zip(field)
                .and_then(|(index, field)| IndexSpec::parse(field, &collection.schema, &index.params).ok());
            let kept = spec.as_ref().map_or(built.bytes, |spec| self.kept_index_bytes(spec, built));
            bytes += kept;
            if let (Some(field), Some(IndexSpec::Vector(_))) = (field, &spec)
                && kept < built.bytes
                && let Some(sealed) = shard.sealed(entry.id)
                && let Ok(column) = sealed.column(field.id)
            {
                bytes = bytes.saturating_sub(column.bytes() as u64);
            }
        }
        bytes
    }

    /// What an index keeps in memory, or mapped.
    pub(crate) fn kept_index_bytes(&self, spec: &IndexSpec, built: &IndexEntry) -> u64 {
        match paged_section(spec) {
            Some(_) => kept_bytes(spec, &self.blobs, &built.file).unwrap_or(built.bytes),
            None => built.bytes,
        }
    }

    /// Opens the file of an index and lets searches use it.
    pub(crate) fn attach(
        &self,
        collection: &Collection,
        sealed: &Sealed,
        index: &Index,
        entry: &IndexEntry,
    ) -> Result<(), Error> {
        let field = collection.schema.field_by_id(index.field);
        let field = field.ok_or_else(|| Error::internal("an index without its field"))?;
        let spec = IndexSpec::parse(field, &collection.schema, &index.params)?;
        Opened::open(&spec, &self.blobs, &entry.file, (sealed, index.field))?.attach(sealed, index);
        Ok(())
    }

    /// Gives back what [`Node::attach_loaded`] took.
    pub(crate) fn unload(&self, shard: &Shard, collection: &Collection) {
        for entry in &collection.segments {
            if let Some(sealed) = shard.sealed(entry.id) {
                for index in &collection.indexes {
                    detach(&sealed, index.id, index.field);
                }
            }
        }
        shard.ticket.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
