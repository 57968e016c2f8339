//! Answers to the questions of [`api`](crate::api). Everything is derived from the catalogue and the segments of this
//! moment.

use crate::api::{
    AliasInfo, Aliases, Collection, CollectionInfo, Collections, DatabaseInfo, Databases, LoadInfo,
    LoadState, Loaded, NodeInfo, PartitionInfo, Question, RowCount, SegmentInfo, SegmentState, Segments,
    System, TimeZone,
};
use crate::catalog::{self, Catalog, database_name};
use crate::load;
use crate::shard::Role;
use crate::{Engine, Error, ErrorKind};
use data::Zone;
use segment::Segment;
use std::sync::{Arc, PoisonError};

impl Question for Databases {
    type Answer = Vec<DatabaseInfo>;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let catalog = engine.node().registry.current();
        let info = |(name, database): (&String, &catalog::Database)| DatabaseInfo {
            name: name.clone(),
            id: database.id,
            created_at: database.created_at,
            properties: database.properties.clone(),
        };
        Ok(catalog.root.databases.iter().map(info).collect())
    }
}

impl Question for Collections {
    type Answer = Vec<CollectionInfo>;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let catalog = engine.node().registry.current();
        let database = catalog.database(&self.database)?;
        let collections = database.collections.values().filter_map(|id| catalog.collections.get(id));
        Ok(collections.map(|collection| collection_info(&catalog, collection)).collect())
    }
}

impl Question for Collection {
    type Answer = CollectionInfo;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let catalog = engine.node().registry.current();
        let collection = match self.id {
            Some(id) => catalog.collection_by_id(id)?,
            None => catalog.collection(&self.target)?,
        };
        Ok(collection_info(&catalog, collection))
    }
}

fn collection_info(catalog: &Catalog, collection: &catalog::Collection) -> CollectionInfo {
    let database = catalog.root.databases.get(&collection.database);
    let aliases = database.map(|database| {
        let own = database.aliases.iter().filter(|(_, id)| **id == collection.id);
        own.map(|(alias, _)| alias.clone()).collect()
    });
    let partition = |partition: &catalog::Partition| PartitionInfo {
        id: partition.id,
        name: partition.name.clone(),
        created_at: partition.created_at,
        load: load::info(&[partition]),
    };
    CollectionInfo {
        id: collection.id,
        database: collection.database.clone(),
        name: collection.name.clone(),
        schema: Arc::clone(&collection.schema),
        schema_version: collection.schema_version,
        shards: collection.shards,
        consistency: collection.consistency,
        properties: collection.properties.clone(),
        aliases: aliases.unwrap_or_default(),
        partitions: collection.partitions.iter().map(partition).collect(),
        created_at: collection.created_at,
        updated_at: collection.updated_at,
        load: load::info(&collection.partitions.iter().collect::<Vec<_>>()),
    }
}

impl Question for TimeZone {
    type Answer = Zone;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let catalog = engine.node().registry.current();
        Ok(catalog.zone(catalog.collection(&self.target)?))
    }
}

impl Question for Loaded {
    type Answer = LoadInfo;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        const NOT_EXIST: LoadInfo = LoadInfo { state: LoadState::NotExist, percent: 0 };
        let catalog = engine.node().registry.current();
        let Ok(collection) = catalog.collection(&self.target) else { return Ok(NOT_EXIST) };
        let named: Result<Vec<_>, _> =
            self.partitions.iter().map(|name| collection.partition(name)).collect();
        let Ok(named) = named else { return Ok(NOT_EXIST) };
        let all = || collection.partitions.iter().collect();
        Ok(load::info(&if named.is_empty() { all() } else { named }))
    }
}

impl Question for RowCount {
    type Answer = u64;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let node = engine.node();
        let catalog = node.registry.current();
        let collection = catalog.collection(&self.target)?;
        let partition =
            self.partition.map(|name| collection.partition(&name).map(|one| one.id)).transpose()?;
        let shard = node.shard(collection.id)?;
        let (now, members) = node.members_now(&shard);
        let mut rows = 0;
        for member in &members.list {
            if partition.is_none_or(|partition| partition == member.segment.partition()) {
                rows += member.segment.live_rows(now)? as u64;
            }
        }
        Ok(rows)
    }
}

impl Question for Segments {
    type Answer = Vec<SegmentInfo>;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let node = engine.node();
        let catalog = node.registry.current();
        let collection = catalog.collection(&self.target)?;
        let shard = node.shard(collection.id)?;
        let members = shard.members();
        let info = |member: &crate::shard::Member| {
            let segment = &member.segment;
            let entry = collection.segments.iter().find(|entry| entry.id == segment.id());
            let built = entry.map(|entry| entry.indexes.as_slice()).unwrap_or_default();
            let named =
                built.iter().filter_map(|built| collection.indexes.iter().find(|one| one.id == built.index));
            let loaded = collection.partitions.iter().find(|partition| partition.id == segment.partition());
            SegmentInfo {
                id: segment.id(),
                collection: collection.id,
                partition: segment.partition(),
                rows: segment.rows() as u64,
                deleted_rows: segment.deleted_rows() as u64,
                bytes: segment.bytes() as u64,
                state: match (segment, member.role) {
                    (Segment::Sealed(_), Role::Sealed { .. }) => SegmentState::Sealed,
                    _ => SegmentState::Growing,
                },
                is_loaded: loaded.is_some_and(|partition| partition.is_loaded),
                indexes: named.map(|index| (index.id, index.name.clone())).collect(),
            }
        };
        Ok(members.list.iter().filter(|member| member.segment.rows() > 0).map(info).collect())
    }
}

impl Question for Aliases {
    type Answer = Vec<AliasInfo>;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let catalog = engine.node().registry.current();
        let name = database_name(&self.database);
        let database = catalog.database(name)?;
        let of = match self.collection.as_str() {
            "" => None,
            collection => Some(catalog.collection(&crate::api::Target::new(name, collection))?.id),
        };
        let wanted = |(alias, id): &(&String, &data::CollectionId)| {
            (self.alias.is_empty() || **alias == self.alias) && of.is_none_or(|of| of == **id)
        };
        let info = |(alias, id): (&String, &data::CollectionId)| AliasInfo {
            database: name.to_owned(),
            alias: alias.clone(),
            collection: catalog
                .collections
                .get(id)
                .map(|collection| collection.name.clone())
                .unwrap_or_default(),
        };
        let found: Vec<AliasInfo> = database.aliases.iter().filter(wanted).map(info).collect();
        if found.is_empty() && !self.alias.is_empty() {
            let text = format!("alias not found[database={name}][alias={}]", self.alias);
            return Err(Error::new(ErrorKind::AliasNotFound, text));
        }
        Ok(found)
    }
}

impl Question for System {
    type Answer = NodeInfo;

    fn answer(self, engine: &Engine) -> Result<Self::Answer, Error> {
        let node = engine.node();
        let catalog = node.registry.current();
        let segments = catalog.collections.values().flat_map(|collection| &collection.segments);
        let files: u64 = segments
            .map(|entry| entry.bytes + entry.indexes.iter().map(|index| index.bytes).sum::<u64>())
            .sum();
        Ok(NodeInfo {
            folder: node.settings.folder.display().to_string(),
            started_ms: node.started_ms,
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_limit_bytes: node.settings.memory_limit_bytes,
            memory_used_bytes: node.budget.used_bytes(),
            disk_used_bytes: files + node.log.bytes(),
            subgraphs: node.subgraphs(),
            troubles: node.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        })
    }
}
