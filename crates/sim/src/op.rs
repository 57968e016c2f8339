//! What can be done to a database: by the engine, and by the [`truth`](crate::truth). Invariant: what an operation
//! does to the truth depends on nothing but the truth and the operation's stamp.

use crate::client;
use crate::field::{self, Added};
use crate::parts;
use crate::truth::{Collection, DEFAULT_PARTITION, Filter, Kind, Metric, Row, Truth};
use data::{Timestamp, Value};
use engine::api::{self, Change, Write};
use engine::{Engine, Error, ErrorKind};
use host::Rng;

/// Something to do.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A new collection; `parts`: with an array of structs.
    Create { name: String, dim: usize, text_keys: bool, parts: bool },
    /// Removes a collection.
    Drop { name: String },
    /// Gives a collection another name.
    Rename { name: String, to: String },
    /// A new partition.
    CreatePartition { name: String, partition: String },
    /// Removes a partition.
    DropPartition { name: String, partition: String },
    /// A new field of rows that are there; null = without a default.
    AddField { name: String, field: &'static str, default: Value },
    /// A dynamic field, if there is none yet.
    EnableDynamic { name: String },
    /// A field less.
    DropField { name: String, field: &'static str },
    /// New rows: keys, the number that their contents are drawn from, and the added fields they bring.
    Insert { name: String, partition: String, keys: Vec<i64>, draw: u64, added: Vec<&'static str> },
    /// New rows in the place of old ones.
    Upsert { name: String, partition: String, keys: Vec<i64>, draw: u64, added: Vec<&'static str> },
    /// Some fields of rows that are there.
    Update(Update),
    /// An update as the rows that it comes to.
    Put { name: String, partition: String, rows: Vec<Row> },
    /// Takes rows out, by keys or by what they say; an empty partition = of all.
    Delete { name: String, partition: String, filter: Filter },
    /// Writes rows to files.
    Flush { name: String },
    /// Asks for merges; the next [`Op::Tend`] does them.
    Compact { name: String },
    /// An index on the vectors.
    CreateIndex { name: String, kind: Kind, metric: Metric },
    /// No index any more.
    DropIndex { name: String },
    /// An index on another field.
    CreateScalar { name: String, field: &'static str, kind: &'static str },
    /// No index on another field any more.
    DropScalar { name: String, field: &'static str },
    /// Lets partitions (none = all) answer reads.
    Load { name: String, partitions: Vec<String> },
    /// The opposite.
    Release { name: String, partitions: Vec<String> },
    /// Background work.
    Tend,
}

/// New values of some fields. The others stay; `append` adds to arrays.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) name: String,
    pub(crate) partition: String,
    pub(crate) keys: Vec<i64>,
    pub(crate) draw: u64,
    pub(crate) fields: Vec<&'static str>,
    pub(crate) append: bool,
}

impl Update {
    /// The rows as they are afterwards.
    fn rows(&self, collection: &Collection) -> Result<Vec<Row>, ErrorKind> {
        let partition = known(collection, &self.partition)?;
        let is_twice = |(place, key): (usize, &i64)| self.keys[..place].contains(key);
        let is_known = |name: &&str| REQUIRED.contains(name) || collection.fields.contains_key(name);
        if self.keys.iter().enumerate().any(is_twice) || !self.fields.iter().all(is_known) {
            return Err(ErrorKind::Invalid);
        }
        let given = contents(&self.keys, self.draw, collection.dim, &self.added());
        let row = |given: Row| {
            let old = collection.newest(&partition, given.key);
            if old.is_none() && !REQUIRED.iter().all(|name| self.fields.contains(name)) {
                return Err(ErrorKind::Invalid);
            }
            let blank = Row { added: Added::new(), ..given.clone() };
            let mut row = old.cloned().unwrap_or(blank);
            if self.fields.contains(&"v") {
                row.vector = given.vector;
            }
            if self.fields.contains(&"number") {
                row.number = given.number;
            }
            if self.fields.contains(&"tag") {
                row.tag = given.tag;
            }
            for (name, value) in given.added {
                let appends = self.append && name == field::LIST;
                let old = row.added.get(name).unwrap_or(&Value::Null);
                let value = match value {
                    value if appends => field::appended(old, &value),
                    // An update of the dynamic field changes the keys that it brings.
                    Value::Null if name == field::NOTE => old.clone(),
                    value => value,
                };
                row.added.insert(name, value);
            }
            Ok(row)
        };
        given.into_iter().map(row).collect()
    }

    /// The added fields among those that it brings.
    fn added(&self) -> Vec<&'static str> {
        self.fields.iter().copied().filter(|name| !REQUIRED.contains(name)).collect()
    }
}

impl Op {
    /// What kind of operation, for counting.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Drop { .. } => "drop",
            Self::Rename { .. } => "rename",
            Self::CreatePartition { .. } => "create partition",
            Self::DropPartition { .. } => "drop partition",
            Self::Insert { .. } => "insert",
            Self::Upsert { .. } => "upsert",
            Self::AddField { .. } => "add field",
            Self::EnableDynamic { .. } => "enable the dynamic field",
            Self::DropField { .. } => "drop field",
            Self::Update(_) | Self::Put { .. } => "partial update",
            Self::Delete { .. } => "delete",
            Self::Flush { .. } => "flush",
            Self::Compact { .. } => "compact",
            Self::CreateIndex { .. } => "create index",
            Self::DropIndex { .. } => "drop index",
            Self::CreateScalar { .. } => "create scalar index",
            Self::DropScalar { .. } => "drop scalar index",
            Self::Load { .. } => "load",
            Self::Release { .. } => "release",
            Self::Tend => "tend",
        }
    }

    /// The same with the keys that an expression stands for, and the rows that an update comes to.
    pub(crate) fn resolved(&self, truth: &Truth) -> Self {
        if let Self::Update(update) = self
            && let Some(collection) = truth.collections.get(&update.name)
            && let Ok(rows) = update.rows(collection)
        {
            let (name, partition) = (update.name.clone(), update.partition.clone());
            return Self::Put { name, partition, rows };
        }
        if let Self::Delete { name, partition, filter } = self
            && !matches!(filter, Filter::Keys(_))
            && let Some(collection) = truth.collections.get(name)
            && let named = Some(partition.as_str()).filter(|name| !name.is_empty())
            && named.is_none_or(|name| collection.partitions.contains_key(name))
            && let Ok(keys) = keys_matching(collection, named, filter)
        {
            let (name, partition) = (name.clone(), partition.clone());
            return Self::Delete { name, partition, filter: Filter::Keys(keys) };
        }
        self.clone()
    }

    /// Does it. Gives its stamp, where it has one.
    ///
    /// # Errors
    /// The engine's.
    pub(crate) fn perform(&self, engine: &Engine, truth: &Truth) -> Result<Option<Timestamp>, Error> {
        let like = |name: &str| truth.collections.get(name).map_or((2, false), |c| (c.dim, c.text_keys));
        let write = |write| engine.write(write).map(|written| Some(written.timestamp));
        let drawn = |name: &str, partition: &str, keys: &[i64], draw: u64, added: &[&'static str]| {
            let (dim, text_keys) = like(name);
            client::rows(name, partition, text_keys, dim, &contents(keys, draw, dim, added))
        };
        match self {
            Self::Create { name, dim, text_keys, parts } => {
                client::create(engine, name, *dim, *text_keys, *parts).map(|_| None)
            }
            Self::Drop { .. }
            | Self::Rename { .. }
            | Self::CreatePartition { .. }
            | Self::DropPartition { .. }
            | Self::AddField { .. }
            | Self::EnableDynamic { .. }
            | Self::DropField { .. } => match self.change() {
                Some(change) => engine.change(change).map(|_| None),
                None => Ok(None),
            },
            Self::Insert { name, partition, keys, draw, added } => {
                write(Write::Insert(drawn(name, partition, keys, *draw, added)))
            }
            Self::Upsert { name, partition, keys, draw, added } => {
                write(Write::Upsert(drawn(name, partition, keys, *draw, added)))
            }
            Self::Update(update) => {
                let Update { name, partition, keys, draw, fields, append } = update;
                let rows = drawn(name, partition, keys, *draw, &update.added());
                write(Write::Update(client::partial(rows, fields, *append)))
            }
            Self::Put { name, partition, rows } => {
                let (dim, text_keys) = like(name);
                let rows = client::rows(name, partition, text_keys, dim, rows);
                write(Write::Upsert(rows))
            }
            Self::Delete { name, partition, filter } => {
                client::delete(engine, name, partition, filter, like(name).1).map(Some)
            }
            Self::Flush { name } => {
                engine.run(api::Flush { targets: vec![client::target(name)] }).map(|_| None)
            }
            Self::Compact { name } => {
                engine.run(api::Compact { target: client::target(name), id: None }).map(|_| None)
            }
            Self::CreateIndex { name, kind, metric } => {
                client::create_index(engine, name, *kind, *metric).map(|_| None)
            }
            Self::DropIndex { name } => client::drop_index(engine, name).map(|_| None),
            Self::CreateScalar { name, field, kind } => {
                client::create_scalar(engine, name, field, kind).map(|_| None)
            }
            Self::DropScalar { name, field } => client::drop_scalar(engine, name, field).map(|_| None),
            Self::Load { name, partitions } => client::load(engine, name, partitions).map(|()| None),
            Self::Release { name, partitions } => {
                let release = api::Release { target: client::target(name), partitions: partitions.clone() };
                engine.run(release).map(|()| None)
            }
            Self::Tend => {
                engine.tend();
                Ok(None)
            }
        }
    }

    /// What it changes of the schema, or of what there is.
    fn change(&self) -> Option<Change> {
        Some(match self {
            Self::Drop { name } => Change::DropCollection(client::target(name)),
            Self::Rename { name, to } => {
                Change::RenameCollection { from: client::target(name), to: client::target(to) }
            }
            Self::CreatePartition { name, partition } => {
                Change::CreatePartition { target: client::target(name), partition: partition.clone() }
            }
            Self::DropPartition { name, partition } => {
                Change::DropPartition { target: client::target(name), partition: partition.clone() }
            }
            Self::AddField { name, field: parts::PARTS, .. } => Change::AddStruct {
                target: client::target(name),
                structure: parts::structure(),
                fields: parts::fields(),
            },
            Self::AddField { name, field, default } => {
                let field = Box::new(field::field(field, default));
                Change::AddField { target: client::target(name), field }
            }
            Self::EnableDynamic { name } => {
                let set = vec![("dynamicfield.enabled".to_owned(), "true".to_owned())];
                Change::AlterCollection { target: client::target(name), set, delete: vec![] }
            }
            Self::DropField { name, field } => {
                let field = api::FieldName::Name((*field).to_owned());
                Change::DropField { target: client::target(name), field }
            }
            _ => return None,
        })
    }

    /// Does it to the truth, which is left as it is when the operation is not allowed.
    ///
    /// # Errors
    /// The kind of error that the engine has to give. `online`: indexes of loaded collections can be dropped.
    pub(crate) fn apply(&self, truth: &mut Truth, at: Timestamp, online: bool) -> Result<(), ErrorKind> {
        match self {
            Self::Create { name, dim, text_keys, parts } => {
                let mut new = Collection::new(*dim, *text_keys);
                if *parts {
                    new.add_field(parts::PARTS, &Value::Null);
                }
                match truth.collections.get(name) {
                    None => drop(truth.collections.insert(name.clone(), new)),
                    Some(old) if (old.dim, old.text_keys, &old.fields) == (*dim, *text_keys, &new.fields) => {
                    }
                    Some(_) => return Err(ErrorKind::Conflict),
                }
                Ok(())
            }
            Self::Drop { name } => {
                truth.collections.remove(name);
                Ok(())
            }
            Self::Rename { name, to } => {
                if !truth.collections.contains_key(name) {
                    return Err(ErrorKind::CollectionNotFound);
                }
                if truth.collections.contains_key(to) {
                    return Err(ErrorKind::Conflict);
                }
                let moved = truth.collections.remove(name);
                truth.collections.extend(moved.map(|moved| (to.clone(), moved)));
                Ok(())
            }
            Self::Tend => Ok(()),
            Self::CreatePartition { name, .. }
            | Self::DropPartition { name, .. }
            | Self::Insert { name, .. }
            | Self::Upsert { name, .. }
            | Self::AddField { name, .. }
            | Self::EnableDynamic { name }
            | Self::DropField { name, .. }
            | Self::Update(Update { name, .. })
            | Self::Put { name, .. }
            | Self::Delete { name, .. }
            | Self::Flush { name }
            | Self::Compact { name }
            | Self::CreateIndex { name, .. }
            | Self::DropIndex { name }
            | Self::CreateScalar { name, .. }
            | Self::DropScalar { name, .. }
            | Self::Load { name, .. }
            | Self::Release { name, .. } => {
                let collection = truth.collections.get_mut(name).ok_or(ErrorKind::CollectionNotFound)?;
                self.apply_to(collection, at, online)
            }
        }
    }

    fn apply_to(&self, collection: &mut Collection, at: Timestamp, online: bool) -> Result<(), ErrorKind> {
        match self {
            Self::CreatePartition { partition, .. } => {
                let is_loaded = collection.partitions.values().all(|loaded| *loaded);
                collection.partitions.entry(partition.clone()).or_insert(is_loaded);
            }
            Self::DropPartition { partition, .. } => match collection.partitions.get(partition) {
                Some(true) => return Err(ErrorKind::Conflict),
                Some(false) => collection.drop_partition(partition),
                None => {}
            },
            Self::AddField { field, .. } if collection.fields.contains_key(field) => {
                return Err(ErrorKind::Invalid);
            }
            Self::AddField { field, default, .. } => collection.add_field(field, default),
            Self::EnableDynamic { .. } if collection.fields.contains_key(field::NOTE) => {}
            Self::EnableDynamic { .. } => collection.add_field(field::NOTE, &Value::Null),
            Self::DropField { field, .. } if !collection.fields.contains_key(field) => {
                return Err(ErrorKind::FieldNotFound);
            }
            Self::DropField { field, .. } => collection.drop_field(field),
            Self::Insert { partition, keys, draw, added, .. } => {
                let partition = known(collection, partition)?;
                has_fields(collection, added)?;
                let rows = contents(keys, *draw, collection.dim, added);
                collection.insert(&partition, &rows, at);
            }
            Self::Upsert { partition, keys, draw, added, .. } => {
                let partition = known(collection, partition)?;
                has_fields(collection, added)?;
                let rows = contents(keys, *draw, collection.dim, added);
                collection.upsert(&partition, &rows, at);
            }
            Self::Update(update) => {
                let rows = update.rows(collection)?;
                collection.upsert(&known(collection, &update.partition)?, &rows, at);
            }
            Self::Put { partition, rows, .. } => {
                collection.upsert(&known(collection, partition)?, rows, at);
            }
            Self::Delete { partition, filter, .. } => {
                let partition = if partition.is_empty() { None } else { Some(known(collection, partition)?) };
                let keys = match filter {
                    Filter::Keys(keys) => keys.clone(),
                    _ => keys_matching(collection, partition.as_deref(), filter)?,
                };
                collection.delete(partition.as_deref(), &keys, at);
            }
            Self::CreateIndex { kind, metric, .. } => match collection.index {
                Some(index) if index != (*kind, *metric) => return Err(ErrorKind::Invalid),
                _ => collection.index = Some((*kind, *metric)),
            },
            Self::DropIndex { .. } => {
                if collection.index.is_some() && collection.is_loaded() && !online {
                    return Err(ErrorKind::Invalid);
                }
                collection.index = None;
            }
            Self::CreateScalar { field, kind, .. } => match collection.scalars.get(field) {
                Some(other) if other != kind => return Err(ErrorKind::Invalid),
                _ => drop(collection.scalars.insert(field, kind)),
            },
            Self::DropScalar { field, .. } => drop_scalar(collection, field, online)?,
            Self::Load { partitions, .. } => set_loaded(collection, partitions, true)?,
            Self::Release { partitions, .. } => set_loaded(collection, partitions, false)?,
            Self::Create { .. } | Self::Drop { .. } | Self::Rename { .. } | Self::Tend => {}
            Self::Flush { .. } | Self::Compact { .. } => {}
        }
        Ok(())
    }
}

/// The index of the vectors in structs is that of a vector field: a loaded collection keeps it, unless that is allowed.
fn drop_scalar(collection: &mut Collection, field: &str, online: bool) -> Result<(), ErrorKind> {
    let is_there = collection.scalars.contains_key(field);
    if field == parts::PLACE && is_there && collection.is_loaded() && !online {
        return Err(ErrorKind::Invalid);
    }
    collection.scalars.remove(field);
    Ok(())
}

/// The keys of the rows that an expression deletes: those of rows that can be read.
fn keys_matching(
    collection: &Collection,
    partition: Option<&str>,
    filter: &Filter,
) -> Result<Vec<i64>, ErrorKind> {
    if !collection.is_loaded() {
        return Err(ErrorKind::CollectionNotLoaded);
    }
    let among = match partition {
        Some(name) if !collection.partitions[name] => return Err(ErrorKind::PartitionNotLoaded),
        Some(name) => vec![name.to_owned()],
        None => collection.loaded(),
    };
    let now = Timestamp(u64::MAX - 1);
    Ok(collection.matching(&among, filter, now).map(|row| row.key).collect())
}

/// Fields that are always there.
pub(crate) const REQUIRED: [&str; 3] = ["v", "number", "tag"];

fn has_fields(collection: &Collection, added: &[&'static str]) -> Result<(), ErrorKind> {
    let all = added.iter().all(|name| collection.fields.contains_key(name));
    all.then_some(()).ok_or(ErrorKind::Invalid)
}

fn known(collection: &Collection, partition: &str) -> Result<String, ErrorKind> {
    let name = if partition.is_empty() { DEFAULT_PARTITION } else { partition };
    let found = collection.partitions.contains_key(name).then(|| name.to_owned());
    found.ok_or(ErrorKind::PartitionNotFound)
}

fn set_loaded(collection: &mut Collection, partitions: &[String], loaded: bool) -> Result<(), ErrorKind> {
    if partitions.iter().any(|name| !collection.partitions.contains_key(name)) {
        return Err(ErrorKind::PartitionNotFound);
    }
    for (name, is_loaded) in &mut collection.partitions {
        if partitions.is_empty() || partitions.contains(name) {
            *is_loaded = loaded;
        }
    }
    Ok(())
}

/// The rows of an insert: each key's contents follow from the key and `draw`.
pub(crate) fn contents(keys: &[i64], draw: u64, dim: usize, added: &[&'static str]) -> Vec<Row> {
    let row = |(place, key): (usize, &i64)| {
        let mut rng = Rng::new((*key as u64) << 32 ^ draw << 12 ^ place as u64);
        Row {
            key: *key,
            vector: vector(&mut rng, dim),
            number: rng.below(100) as i64,
            tag: format!("t{}", rng.below(10)),
            added: added.iter().map(|name| (*name, field::value(name, &mut rng))).collect(),
        }
    };
    keys.iter().enumerate().map(row).collect()
}

/// A vector of small whole numbers.
pub(crate) fn vector(rng: &mut Rng, dim: usize) -> Vec<f32> {
    (0..dim).map(|_| rng.below(19) as f32 - 9.0).collect()
}
