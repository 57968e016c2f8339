//! What can be done to a database: by the engine, and by the [`truth`](crate::truth). Invariant: what an operation
//! does to the truth depends on nothing but the truth and the operation's stamp.

use crate::client;
use crate::truth::{Collection, DEFAULT_PARTITION, Filter, Kind, Metric, Row, Truth};
use data::Timestamp;
use engine::api::{self, Change, Write};
use engine::{Engine, Error, ErrorKind};
use host::Rng;

/// Something to do.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A new collection.
    Create { name: String, dim: usize, text_keys: bool },
    /// Removes a collection.
    Drop { name: String },
    /// Gives a collection another name.
    Rename { name: String, to: String },
    /// A new partition.
    CreatePartition { name: String, partition: String },
    /// Removes a partition.
    DropPartition { name: String, partition: String },
    /// New rows: keys, and the number that their contents are drawn from.
    Insert { name: String, partition: String, keys: Vec<i64>, draw: u64 },
    /// New rows in the place of old ones.
    Upsert { name: String, partition: String, keys: Vec<i64>, draw: u64 },
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

    /// The same with the keys that an expression stands for.
    pub(crate) fn resolved(&self, truth: &Truth) -> Self {
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
        let change = |change| engine.change(change).map(|_| None);
        match self {
            Self::Create { name, dim, text_keys } => {
                client::create(engine, name, *dim, *text_keys).map(|_| None)
            }
            Self::Drop { name } => change(Change::DropCollection(client::target(name))),
            Self::Rename { name, to } => {
                change(Change::RenameCollection { from: client::target(name), to: client::target(to) })
            }
            Self::CreatePartition { name, partition } => {
                change(Change::CreatePartition { target: client::target(name), partition: partition.clone() })
            }
            Self::DropPartition { name, partition } => {
                change(Change::DropPartition { target: client::target(name), partition: partition.clone() })
            }
            Self::Insert { name, partition, keys, draw } => {
                let (dim, text_keys) = like(name);
                let rows = client::rows(name, partition, text_keys, dim, &contents(keys, *draw, dim));
                engine.write(Write::Insert(rows)).map(|written| Some(written.timestamp))
            }
            Self::Upsert { name, partition, keys, draw } => {
                let (dim, text_keys) = like(name);
                let rows = client::rows(name, partition, text_keys, dim, &contents(keys, *draw, dim));
                engine.write(Write::Upsert(rows)).map(|written| Some(written.timestamp))
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

    /// Does it to the truth, which is left as it is when the operation is not allowed.
    ///
    /// # Errors
    /// The kind of error that the engine has to give. `online`: indexes of loaded collections can be dropped.
    pub(crate) fn apply(&self, truth: &mut Truth, at: Timestamp, online: bool) -> Result<(), ErrorKind> {
        match self {
            Self::Create { name, dim, text_keys } => {
                let new = Collection::new(*dim, *text_keys);
                match truth.collections.get(name) {
                    None => drop(truth.collections.insert(name.clone(), new)),
                    Some(old) if (old.dim, old.text_keys) == (*dim, *text_keys) => {}
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
            Self::Insert { partition, keys, draw, .. } => {
                let partition = known(collection, partition)?;
                let rows = contents(keys, *draw, collection.dim);
                collection.insert(&partition, &rows, at);
            }
            Self::Upsert { partition, keys, draw, .. } => {
                let partition = known(collection, partition)?;
                let rows = contents(keys, *draw, collection.dim);
                collection.upsert(&partition, &rows, at);
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
            Self::DropScalar { field, .. } => drop(collection.scalars.remove(field)),
            Self::Load { partitions, .. } => set_loaded(collection, partitions, true)?,
            Self::Release { partitions, .. } => set_loaded(collection, partitions, false)?,
            Self::Create { .. } | Self::Drop { .. } | Self::Rename { .. } | Self::Tend => {}
            Self::Flush { .. } | Self::Compact { .. } => {}
        }
        Ok(())
    }
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
pub(crate) fn contents(keys: &[i64], draw: u64, dim: usize) -> Vec<Row> {
    let row = |(place, key): (usize, &i64)| {
        let mut rng = Rng::new((*key as u64) << 32 ^ draw << 12 ^ place as u64);
        Row {
            key: *key,
            vector: vector(&mut rng, dim),
            number: rng.below(100) as i64,
            tag: format!("t{}", rng.below(10)),
        }
    };
    keys.iter().enumerate().map(row).collect()
}

/// A vector of small whole numbers.
pub(crate) fn vector(rng: &mut Rng, dim: usize) -> Vec<f32> {
    (0..dim).map(|_| rng.below(19) as f32 - 9.0).collect()
}

/// How large the operations of a world are.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    /// Collections at a time.
    pub(crate) collections_max: u64,
    /// Rows of an ordinary insert.
    pub(crate) rows_max: u64,
    /// Rows of a large insert, which comes now and then.
    pub(crate) large_rows_max: u64,
    /// Rows alive in a collection, about.
    pub(crate) alive_max: u64,
    /// Components of a vector.
    pub(crate) dim_max: u64,
}

impl Scale {
    /// Draws what to do next.
    pub(crate) fn next(&self, truth: &Truth, rng: &mut Rng) -> Op {
        let name = format!("c{}", rng.below(self.collections_max));
        let Some(collection) = truth.collections.get(&name) else {
            // Now and then something is asked of a collection that is not there.
            if rng.chance(0.9) {
                let dim = 2 + rng.below(self.dim_max - 1) as usize;
                return Op::Create { name, dim, text_keys: rng.chance(0.3) };
            }
            return Op::Flush { name };
        };
        match rng.below(100) {
            0..32 => self.insert(name, collection, rng),
            32..44 => {
                let keys = some_keys(collection, rng, self.rows_max, true);
                Op::Upsert { name, partition: partition(collection, rng), keys, draw: rng.below(1 << 20) }
            }
            44..58 => {
                let filter = match rng.below(3) {
                    0 => filter(rng),
                    _ => Filter::Keys(some_keys(collection, rng, self.rows_max, false)),
                };
                let partition = if rng.chance(0.7) { String::new() } else { partition(collection, rng) };
                Op::Delete { name, partition, filter }
            }
            58..70 => Op::Flush { name },
            70..73 => Op::Compact { name },
            73..80 => self.create_index(name, rng),
            80..83 => Op::DropIndex { name },
            93..96 => create_scalar(name, rng),
            96..97 => Op::DropScalar { name, field: SCALARS[rng.below(SCALARS.len() as u64) as usize].0 },
            83..87 => Op::Load { name, partitions: some_partitions(collection, rng) },
            87..89 => Op::Release { name, partitions: some_partitions(collection, rng) },
            89..91 => Op::CreatePartition { name, partition: format!("p{}", rng.below(3)) },
            91..92 => Op::DropPartition { name, partition: format!("p{}", rng.below(3)) },
            92..93 if rng.chance(0.5) => Op::Drop { name },
            92..93 => Op::Rename { name, to: format!("c{}", rng.below(self.collections_max)) },
            _ => Op::Tend,
        }
    }

    fn insert(&self, name: String, collection: &Collection, rng: &mut Rng) -> Op {
        let alive = collection.count(None);
        let most = if rng.chance(0.04) { self.large_rows_max } else { self.rows_max };
        let rows = 1 + rng.below(most.min(self.alive_max.saturating_sub(alive).max(1)));
        // Mostly new keys in a row, sometimes ones that exist.
        let first = collection.keys().last().copied().unwrap_or(0) + rng.below(5) as i64 - 1;
        let keys = (first.max(0)..first.max(0) + rows as i64).collect();
        Op::Insert { name, partition: partition(collection, rng), keys, draw: rng.below(1 << 20) }
    }

    fn create_index(&self, name: String, rng: &mut Rng) -> Op {
        let kind = [Kind::Flat, Kind::Ivf, Kind::Hnsw, Kind::Hnsw][rng.below(4) as usize];
        let metric = [Metric::L2, Metric::L2, Metric::Ip, Metric::Cosine][rng.below(4) as usize];
        Op::CreateIndex { name, kind, metric }
    }
}

/// Fields beside the vectors, and kinds of indexes that fit them.
const SCALARS: [(&str, [&str; 4]); 2] = [
    ("number", ["STL_SORT", "INVERTED", "BITMAP", "AUTOINDEX"]),
    ("tag", ["Trie", "INVERTED", "BITMAP", "NGRAM"]),
];

fn create_scalar(name: String, rng: &mut Rng) -> Op {
    let (field, kinds) = SCALARS[rng.below(SCALARS.len() as u64) as usize];
    Op::CreateScalar { name, field, kind: kinds[rng.below(4) as usize] }
}

/// A filter that is not a list of keys.
pub(crate) fn filter(rng: &mut Rng) -> Filter {
    let tag = format!("t{}", rng.below(11));
    match rng.below(3) {
        0 => Filter::Below(rng.below(40) as i64),
        1 => Filter::Tag(tag),
        _ => Filter::Both(rng.below(110) as i64, tag),
    }
}

fn partition(collection: &Collection, rng: &mut Rng) -> String {
    let names: Vec<&String> = collection.partitions.keys().collect();
    match rng.below(8) {
        0..5 => String::new(),
        5..7 => names[rng.below(names.len() as u64) as usize].clone(),
        // Perhaps one that is not there.
        _ => format!("p{}", rng.below(3)),
    }
}

fn some_partitions(collection: &Collection, rng: &mut Rng) -> Vec<String> {
    if rng.chance(0.75) {
        return Vec::new();
    }
    collection.partitions.keys().filter(|_| rng.chance(0.5)).cloned().collect()
}

/// Keys, most of them alive; `twice`: one may come twice.
pub(crate) fn some_keys(collection: &Collection, rng: &mut Rng, most: u64, twice: bool) -> Vec<i64> {
    let alive = collection.keys();
    let count = 1 + rng.below(most);
    let mut keys: Vec<i64> = Vec::new();
    for _ in 0..count {
        let key = match alive.len() {
            0 => rng.below(50) as i64,
            len if rng.chance(0.8) => alive[rng.below(len as u64) as usize],
            _ => alive[0] + rng.below(200) as i64,
        };
        if twice || !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}
