//! `apply`: from one catalogue and an edit to the next catalogue. Pure: no clock, no files, so that every rule about
//! what may exist is here and can be tested without a database.

use super::{
    Catalog, Collection, DEFAULT_DATABASE, DEFAULT_PARTITION, Database, IndexEntry, Partition, Root,
    SegmentEntry, check, database_name, timezone,
};
use crate::api::{Change, CreateCollection, Properties, Target};
use crate::{Error, ErrorKind, Settings};
use data::{CollectionId, Field, IndexId, NameKind, PartitionId, SegmentId, Timestamp, Type, Zone};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Partitions a partition key makes when the user names no number.
const KEY_PARTITIONS: u32 = 16;

/// An edit of the catalogue: a user's change, or what background work has brought about.
#[derive(Debug)]
pub(crate) enum Edit {
    /// What a user asked for.
    User(Change),
    /// Partitions (none named = all) begin or stop to answer reads.
    Loaded { collection: CollectionId, partitions: Vec<PartitionId>, is_loaded: bool },
    /// Rows moved from the log and other segments into new files.
    Moved(Moved),
    /// A segment got an index.
    Built { collection: CollectionId, segment: SegmentId, entry: IndexEntry },
    /// The file of an index cannot be read; it is to be built again.
    Lost { collection: CollectionId, segment: SegmentId, index: IndexId },
}

/// Rows moved into new files: by a flush from the log, by a merge from other segments.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) collection: CollectionId,
    /// Log records before this place are now in files; `None` = unchanged.
    pub(crate) checkpoint: Option<u64>,
    /// Segments that are gone.
    pub(crate) removed: Vec<SegmentId>,
    /// Segments that are new.
    pub(crate) added: Vec<SegmentEntry>,
    /// New files of deletes, by segment.
    pub(crate) deletes: Vec<(SegmentId, String)>,
    /// Rows that died up to this moment were left out.
    pub(crate) floor: Timestamp,
}

impl Catalog {
    /// The catalogue after `edit`, made at `now`.
    pub(crate) fn apply(&self, edit: Edit, now: Timestamp, limits: &Settings) -> Result<Self, Error> {
        let mut next = self.clone();
        match edit {
            Edit::User(change) => next.change(change, now, limits)?,
            Edit::Loaded { collection, partitions, is_loaded } => {
                let collection = next.collection_mut(collection)?;
                for partition in &mut collection.partitions {
                    if partitions.is_empty() || partitions.contains(&partition.id) {
                        partition.is_loaded = is_loaded;
                    }
                }
            }
            Edit::Moved(moved) => next.moved(moved, limits)?,
            Edit::Built { collection, segment, entry } => next.built(collection, segment, entry)?,
            Edit::Lost { collection, segment, index } => {
                let collection = next.collection_mut(collection)?;
                for entry in collection.segments.iter_mut().filter(|entry| entry.id == segment) {
                    entry.indexes.retain(|built| built.index != index);
                }
            }
        }
        Ok(next)
    }

    fn change(&mut self, change: Change, now: Timestamp, limits: &Settings) -> Result<(), Error> {
        match change {
            Change::CreateDatabase { name, properties } => {
                self.create_database(&name, properties, now, limits)
            }
            Change::DropDatabase { name } => self.drop_database(&name),
            Change::AlterDatabase { name, set, delete } => {
                zone_of(&[&set])?;
                alter(&mut self.database_mut(&name)?.properties, set, &delete);
                Ok(())
            }
            Change::CreateCollection(create) => {
                check::properties(&create.properties)?;
                self.create_collection(create, now, limits)
            }
            Change::DropCollection(target) => self.drop_collection(&target),
            Change::RenameCollection { from, to } => self.rename(&from, &to, now),
            Change::AlterCollection { target, set, delete } => {
                zone_of(&[&set])?;
                check::properties(&set)?;
                self.alter_dynamic(&target, &set, now)?;
                let collection = self.target_mut(&target)?;
                alter(&mut collection.properties, set, &delete);
                collection.updated_at = now;
                Ok(())
            }
            Change::AlterField { target, field, set, delete } => {
                self.alter_field(&target, &field, set, &delete, now, limits)
            }
            Change::AddField { target, field } => self.add_field(&target, *field, now, limits),
            Change::AddStruct { target, structure, fields } => {
                self.add_struct(&target, structure, fields, now, limits)
            }
            Change::DropField { target, field } => self.drop_field(&target, &field, now),
            Change::CreatePartition { target, partition } => {
                self.create_partition(&target, &partition, now, limits)
            }
            Change::DropPartition { target, partition } => self.drop_partition(&target, &partition),
            Change::CreateAlias { target, alias } => self.create_alias(&target, &alias, false),
            Change::AlterAlias { target, alias } => self.create_alias(&target, &alias, true),
            Change::DropAlias { database, alias } => self.drop_alias(&database, &alias),
            Change::CreateIndex(create) => self.create_index(create, now),
            Change::AlterIndex { target, index, set, delete } => {
                self.alter_index(&target, &index, set, &delete)
            }
            Change::DropIndex { target, index, field } => self.drop_index(&target, &index, &field, limits),
        }
    }

    fn root_mut(&mut self) -> &mut Root {
        Arc::make_mut(&mut self.root)
    }

    fn database_mut(&mut self, name: &str) -> Result<&mut Database, Error> {
        let name = database_name(name);
        self.root_mut().databases.get_mut(name).ok_or_else(|| Error::database_not_found(name))
    }

    fn collection_mut(&mut self, id: CollectionId) -> Result<&mut Collection, Error> {
        let missing = || Error::collection_not_found("", &id.to_string());
        self.collections.get_mut(&id).map(Arc::make_mut).ok_or_else(missing)
    }

    pub(super) fn target_mut(&mut self, target: &Target) -> Result<&mut Collection, Error> {
        let id = self.collection(target)?.id;
        self.collection_mut(id)
    }

    fn create_database(
        &mut self,
        name: &str,
        properties: Properties,
        now: Timestamp,
        limits: &Settings,
    ) -> Result<(), Error> {
        let name = check::name(NameKind::Database, name)?;
        let databases = &self.root.databases;
        if databases.contains_key(&name) {
            return Err(Error::new(ErrorKind::Conflict, format!("database already exist: {name}")));
        }
        if databases.len() >= limits.databases_max {
            let max = limits.databases_max;
            let text = format!("exceeded the limit number of database[limit={max}]");
            return Err(Error::new(ErrorKind::DatabaseLimit, text));
        }
        let (collections, aliases) = (BTreeMap::new(), BTreeMap::new());
        let database = Database { id: now.0 as i64, created_at: now, properties, collections, aliases };
        self.root_mut().databases.insert(name, database);
        Ok(())
    }

    fn drop_database(&mut self, name: &str) -> Result<(), Error> {
        let name = database_name(name);
        if name == DEFAULT_DATABASE {
            return Err(Error::invalid("can not drop default database"));
        }
        if !self.database(name)?.collections.is_empty() {
            let text = format!("database:{name} not empty, must drop all collections before drop database");
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        self.root_mut().databases.remove(name);
        Ok(())
    }

    fn create_collection(
        &mut self,
        create: CreateCollection,
        now: Timestamp,
        limits: &Settings,
    ) -> Result<(), Error> {
        let database = database_name(&create.target.database).to_owned();
        let name = check::name(NameKind::Collection, &create.target.collection)?;
        if create.shards > limits.shards_max {
            let max = limits.shards_max;
            return Err(Error::invalid(format!("maximum shards's number should be limited to {max}")));
        }
        let names = self.database(&database)?;
        let zone = zone_of(&[&create.properties, &names.properties])?;
        let schema = check::schema(create.schema, limits, &zone)?;
        if names.aliases.contains_key(&name) {
            let text = format!(
                "collection name [{name}] conflicts with an existing alias, please choose a unique name"
            );
            return Err(Error::new(ErrorKind::AliasNameTaken, text));
        }
        if let Some(existing) = names.collections.get(&name).and_then(|id| self.collections.get(id)) {
            if check::are_alike(&existing.schema, &schema) && existing.shards == create.shards.max(1) {
                return Ok(());
            }
            let text = format!("create duplicate collection with different parameters, collection: {name}");
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        if self.collections.len() >= limits.collections_max {
            let max = limits.collections_max;
            let text = format!("exceeded the limit number of collections[dbName={database}][limit={max}]");
            return Err(Error::new(ErrorKind::CollectionLimit, text));
        }
        let id = CollectionId(now.0 as i64);
        let has_key = schema.fields.iter().any(|field| field.is_partition_key);
        let partition = |name: String, place: u32| Partition {
            id: PartitionId(id.0 + 1 + i64::from(place)),
            name,
            created_at: now,
            is_loaded: false,
        };
        let partitions = if has_key {
            let count = if create.partitions == 0 { KEY_PARTITIONS } else { create.partitions };
            if count as usize > limits.partitions_max {
                return Err(too_many_partitions(count as usize, limits));
            }
            (0..count).map(|place| partition(format!("{DEFAULT_PARTITION}_{place}"), place)).collect()
        } else {
            vec![partition(DEFAULT_PARTITION.to_owned(), 0)]
        };
        let collection = Collection {
            id,
            database: database.clone(),
            name: name.clone(),
            schema: Arc::new(schema),
            schema_version: 0,
            shards: create.shards.max(1),
            consistency: create.consistency,
            properties: create.properties,
            partitions,
            indexes: Vec::new(),
            created_at: now,
            updated_at: now,
            last_field: 0,
            segments: Vec::new(),
            checkpoint: 0,
            floor: Timestamp::ZERO,
        };
        self.database_mut(&database)?.collections.insert(name, id);
        self.collections.insert(id, Arc::new(collection));
        Ok(())
    }

    fn drop_collection(&mut self, target: &Target) -> Result<(), Error> {
        // A missing collection or database is no error: the wish is fulfilled.
        let Ok(database) = self.database(&target.database) else { return Ok(()) };
        if database.aliases.contains_key(&target.collection) {
            let text = format!("cannot drop the collection via alias = {}", target.collection);
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        let Some(&id) = database.collections.get(&target.collection) else { return Ok(()) };
        let aliases: Vec<&str> = aliases_of(database, id).collect();
        if !aliases.is_empty() {
            let (name, aliases) = (&target.collection, aliases.join(", "));
            return Err(Error::invalid(format!(
                "unable to drop the collection [{name}] because it has associated aliases [{aliases}], please remove all aliases before dropping the collection"
            )));
        }
        self.database_mut(&target.database)?.collections.remove(&target.collection);
        self.collections.remove(&id);
        Ok(())
    }

    fn rename(&mut self, from: &Target, to: &Target, now: Timestamp) -> Result<(), Error> {
        let name = check::name(NameKind::Collection, &to.collection)?;
        let source = self.database(&from.database)?;
        if source.aliases.contains_key(&from.collection) {
            let text = format!("unsupported use an alias to rename collection, alias:{}", from.collection);
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        let id = self.collection(from)?.id;
        let to_database = database_name(&to.database).to_owned();
        if to_database != database_name(&from.database) && aliases_of(source, id).next().is_some() {
            return Err(Error::new(
                ErrorKind::Conflict,
                "fail to rename collection: aliases must be dropped first",
            ));
        }
        let goal = self.database(&to_database)?;
        if goal.aliases.contains_key(&name) {
            let text = format!("cannot rename collection to an existing alias: {name}");
            return Err(Error::new(ErrorKind::AliasNameTaken, text));
        }
        if goal.collections.contains_key(&name) {
            let text = format!(
                "duplicated new collection name {name} in database {to_database} with other collection name or alias"
            );
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        self.database_mut(&from.database)?.collections.remove(&from.collection);
        self.database_mut(&to_database)?.collections.insert(name.clone(), id);
        let collection = self.collection_mut(id)?;
        collection.name = name;
        collection.database = to_database;
        collection.updated_at = now;
        Ok(())
    }

    fn create_partition(
        &mut self,
        target: &Target,
        name: &str,
        now: Timestamp,
        limits: &Settings,
    ) -> Result<(), Error> {
        let name = check::name(NameKind::Partition, name)?;
        let collection = self.collection(target)?;
        if collection.has_partition_key() {
            return Err(Error::invalid("disable create partition if partition key mode is used"));
        }
        if collection.partitions.iter().any(|partition| partition.name == name) {
            return Ok(());
        }
        if collection.partitions.len() >= limits.partitions_max {
            return Err(too_many_partitions(collection.partitions.len() + 1, limits));
        }
        // A partition made while the whole collection answers reads belongs to what was loaded.
        let is_loaded = collection.partitions.iter().all(|partition| partition.is_loaded);
        let partition = Partition { id: PartitionId(now.0 as i64), name, created_at: now, is_loaded };
        self.target_mut(target)?.partitions.push(partition);
        Ok(())
    }

    fn drop_partition(&mut self, target: &Target, name: &str) -> Result<(), Error> {
        let collection = self.target_mut(target)?;
        if name == DEFAULT_PARTITION {
            return Err(Error::invalid("default partition cannot be deleted"));
        }
        if collection.has_partition_key() {
            return Err(Error::invalid("disable drop partition if partition key mode is used"));
        }
        let Some(place) = collection.partitions.iter().position(|partition| partition.name == name) else {
            return Ok(());
        };
        if collection.partitions[place].is_loaded {
            let text = "partition cannot be dropped, partition is loaded, please release it first";
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        let gone = collection.partitions.remove(place);
        collection.segments.retain(|segment| segment.partition != gone.id);
        Ok(())
    }

    fn create_alias(&mut self, target: &Target, alias: &str, may_move: bool) -> Result<(), Error> {
        let alias = check::name(NameKind::Collection, alias)?;
        let database_name = database_name(&target.database).to_owned();
        let id = self.collection(target)?.id;
        let database = self.database(&database_name)?;
        if database.collections.contains_key(&alias) {
            let text = format!("alias and collection name conflict[database={database_name}][alias={alias}]");
            return Err(Error::new(ErrorKind::AliasNameTaken, text));
        }
        if let Some(&other) = database.aliases.get(&alias)
            && other != id
            && !may_move
        {
            let other = self.collection_by_id(other)?;
            let text = format!(
                "{database_name}:{alias} is alias to another collection: {}: alias already exist[database={database_name}][alias={alias}]",
                other.name
            );
            return Err(Error::new(ErrorKind::AliasExists, text));
        }
        self.database_mut(&database_name)?.aliases.insert(alias, id);
        Ok(())
    }

    fn drop_alias(&mut self, database: &str, alias: &str) -> Result<(), Error> {
        let name = database_name(database);
        if self.database(name)?.aliases.contains_key(alias) {
            self.database_mut(name)?.aliases.remove(alias);
        }
        Ok(())
    }

    fn alter_index(
        &mut self,
        target: &Target,
        name: &str,
        set: Properties,
        delete: &[String],
    ) -> Result<(), Error> {
        const ALTERABLE: [&str; 3] = ["mmap.enabled", "indexoffsetcache.enabled", "warmup"];
        let named = set.iter().map(|(key, _)| key).chain(delete);
        for key in named {
            if !ALTERABLE.contains(&key.as_str()) {
                return Err(Error::invalid(format!("{key} is not a configable index property")));
            }
        }
        let collection = self.target_mut(target)?;
        let index = collection.indexes.iter_mut().find(|index| index.name == name);
        let index = index.ok_or_else(|| index_not_found("indexName", name))?;
        if !index.echo.is_empty() {
            alter(&mut index.echo, set.clone(), delete);
        }
        alter(&mut index.params, set, delete);
        Ok(())
    }

    fn drop_index(
        &mut self,
        target: &Target,
        name: &str,
        field: &str,
        limits: &Settings,
    ) -> Result<(), Error> {
        let collection = self.target_mut(target)?;
        let field_id = collection.schema.field(field).map(|field| field.id);
        // Clients name an index by its name, by its field, or (old ones) by a default name and its field.
        let by_name: Vec<IndexId> =
            collection.indexes.iter().filter(|index| index.name == name).map(|index| index.id).collect();
        let by_field = || {
            let of_field =
                collection.indexes.iter().filter(|index| field.is_empty() || Some(index.field) == field_id);
            of_field.map(|index| index.id).collect::<Vec<_>>()
        };
        let found = match (name, by_name) {
            ("", _) => by_field(),
            (_, found) if !found.is_empty() => found,
            ("_default_idx", _) if !field.is_empty() => by_field(),
            _ => Vec::new(),
        };
        let id = match found[..] {
            [] => return Ok(()),
            [id] => id,
            _ => {
                let text = "there are several indexes, please specify the index_name of the one to drop: index duplicates";
                return Err(Error::new(ErrorKind::IndexAmbiguous, text));
            }
        };
        let is_vector = collection
            .indexes
            .iter()
            .find(|index| index.id == id)
            .and_then(|index| collection.schema.field_by_id(index.field))
            .is_some_and(|field| field.element.unwrap_or(field.data_type).is_vector());
        if is_vector && collection.is_loaded() && !limits.drop_index_online {
            let id = collection.id;
            return Err(Error::invalid(format!("vector index cannot be dropped on loaded collection: {id}")));
        }
        collection.indexes.retain(|index| index.id != id);
        for segment in &mut collection.segments {
            segment.indexes.retain(|entry| entry.index != id);
        }
        Ok(())
    }

    fn moved(&mut self, moved: Moved, limits: &Settings) -> Result<(), Error> {
        let collection = self.collection_mut(moved.collection)?;
        let partitions: Vec<PartitionId> =
            collection.partitions.iter().map(|partition| partition.id).collect();
        let mut living = moved.added;
        living.retain(|segment| partitions.contains(&segment.partition));
        for segment in &mut living {
            // An index that was dropped in the meantime is dropped here, too.
            segment.indexes.retain(|built| collection.indexes.iter().any(|index| index.id == built.index));
        }
        check_merge(collection, &moved.removed, &living, limits)?;
        collection.segments.retain(|segment| !moved.removed.contains(&segment.id));
        collection.segments.extend(living);
        for (id, file) in moved.deletes {
            if let Some(segment) = collection.segments.iter_mut().find(|segment| segment.id == id) {
                segment.deletes = Some(file);
            }
        }
        if let Some(checkpoint) = moved.checkpoint {
            collection.checkpoint = checkpoint;
        }
        collection.floor = collection.floor.max(moved.floor);
        Ok(())
    }

    fn built(
        &mut self,
        collection: CollectionId,
        segment: SegmentId,
        entry: IndexEntry,
    ) -> Result<(), Error> {
        let collection = self.collection_mut(collection)?;
        if !collection.indexes.iter().any(|index| index.id == entry.index) {
            return Err(index_not_found("indexName", &entry.index.to_string()));
        }
        let found = collection.segments.iter_mut().find(|one| one.id == segment);
        let found =
            found.ok_or_else(|| Error::new(ErrorKind::Cancelled, format!("segment {segment} is gone")))?;
        found.indexes.retain(|old| old.index != entry.index);
        found.indexes.push(entry);
        Ok(())
    }
}

/// Holds a merge against what happened while it ran: its sources must be there still, and what an index covers of them
/// it must cover of the merged segment.
fn check_merge(
    collection: &Collection,
    removed: &[SegmentId],
    added: &[SegmentEntry],
    limits: &Settings,
) -> Result<(), Error> {
    let sources: Vec<&SegmentEntry> =
        collection.segments.iter().filter(|segment| removed.contains(&segment.id)).collect();
    if sources.len() != removed.len() {
        return Err(Error::new(ErrorKind::Cancelled, "a segment went away while it was merged"));
    }
    let covers = |entry: &SegmentEntry, index: IndexId| {
        entry.rows < limits.index_rows_min || entry.indexes.iter().any(|built| built.index == index)
    };
    for index in &collection.indexes {
        let had = sources.iter().any(|source| covers(source, index.id));
        if had && !added.iter().all(|entry| covers(entry, index.id)) {
            return Err(Error::new(ErrorKind::Cancelled, "an index came while segments were merged"));
        }
    }
    Ok(())
}

/// What an index's parameters mean for `field`, which holds vectors; every mistake in them is found here.
pub(crate) fn index_spec(field: &Field, params: &[(String, String)]) -> Result<index::Spec, Error> {
    Ok(index::Spec::parse(element_of(field)?, field.dim, params)?)
}

/// What the vectors of `field` are made of.
pub(crate) fn element_of(field: &Field) -> Result<index::Element, Error> {
    Ok(match field.element.unwrap_or(field.data_type) {
        Type::FloatVector => index::Element::F32,
        Type::BinaryVector => index::Element::Bits,
        Type::Float16Vector => index::Element::F16,
        Type::BFloat16Vector => index::Element::Bf16,
        Type::Int8Vector => index::Element::I8,
        Type::SparseVector => index::Element::Sparse,
        Type::Bool | Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => {
            return Err(no_vector(field));
        }
        Type::Float | Type::Double | Type::VarChar | Type::Json => return Err(no_vector(field)),
        Type::Text | Type::Timestamptz | Type::Geometry | Type::Array => return Err(no_vector(field)),
    })
}

/// The first time zone that one of several sets of properties names, else UTC.
fn zone_of(properties: &[&Properties]) -> Result<Zone, Error> {
    let named = properties.iter().find_map(|properties| timezone(properties));
    named.map_or(Ok(Zone::default()), |name| Zone::named(name).map_err(Error::invalid))
}

fn no_vector(field: &Field) -> Error {
    let (name, data_type) = (&field.name, field.data_type);
    Error::invalid(format!("index on field {name} of type {data_type:?}, which holds no vectors"))
}

/// An index that is not there; `key` says by what it was named.
pub(crate) fn index_not_found(key: &str, value: &str) -> Error {
    Error::new(ErrorKind::IndexNotFound, format!("index not found[{key}={value}]"))
}

fn too_many_partitions(count: usize, limits: &Settings) -> Error {
    let max = limits.partitions_max;
    Error::new(ErrorKind::Conflict, format!("partition number ({count}) exceeds max configuration ({max})"))
}

fn alter(properties: &mut Properties, set: Properties, delete: &[String]) {
    for (key, value) in set {
        match properties.iter_mut().find(|(existing, _)| *existing == key) {
            Some((_, old)) => *old = value,
            None => properties.push((key, value)),
        }
    }
    properties.retain(|(key, _)| !delete.contains(key));
}

fn aliases_of(database: &Database, id: CollectionId) -> impl Iterator<Item = &str> {
    database.aliases.iter().filter(move |(_, of)| **of == id).map(|(alias, _)| alias.as_str())
}
