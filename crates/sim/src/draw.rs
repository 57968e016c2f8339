//! Draws what to do next. Invariant: it depends on the truth and the generator alone, and mostly it is something that is
//! allowed.

use crate::field;
use crate::op::{Op, REQUIRED, Update};
use crate::parts;
use crate::truth::{Collection, DEFAULT_PARTITION, Filter, Kind, Metric, Truth};
use host::Rng;
use std::collections::BTreeSet;

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
                return Op::Create { name, dim, text_keys: rng.chance(0.3), parts: rng.chance(0.5) };
            }
            return Op::Flush { name };
        };
        match rng.below(116) {
            114..116 => Op::EnableDynamic { name },
            112..114 => Op::DropField { name, field: field::NAMES[rng.below(4) as usize] },
            100..103 => {
                let field = field::NAMES[rng.below(4) as usize];
                Op::AddField { name, field, default: field::default(field, rng) }
            }
            103..112 => Op::Update(self.update(name, collection, rng)),
            0..32 => self.insert(name, collection, rng),
            32..44 => {
                let keys = some_keys(collection, rng, self.rows_max, true);
                let (partition, added) = (partition(collection, rng), field::some(&collection.fields, rng));
                Op::Upsert { name, partition, keys, draw: rng.below(1 << 20), added }
            }
            44..58 => {
                let filter = match rng.below(3) {
                    0 => filter(collection, rng),
                    _ => Filter::Keys(some_keys(collection, rng, self.rows_max, false)),
                };
                let partition = if rng.chance(0.7) { String::new() } else { partition(collection, rng) };
                Op::Delete { name, partition, filter }
            }
            58..70 => Op::Flush { name },
            70..73 => Op::Compact { name },
            73..80 => self.create_index(name, rng),
            80..83 => Op::DropIndex { name },
            93..96 => create_scalar(name, collection, rng),
            96..97 => Op::DropScalar { name, field: scalar(collection, rng).0 },
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
        let (partition, added) = (partition(collection, rng), field::some(&collection.fields, rng));
        Op::Insert { name, partition, keys, draw: rng.below(1 << 20), added }
    }

    fn update(&self, name: String, collection: &Collection, rng: &mut Rng) -> Update {
        let partition = partition(collection, rng);
        let here = if partition.is_empty() { DEFAULT_PARTITION } else { &partition };
        let alive = collection.keys_in(here);
        let keys = match alive.len() as u64 {
            // Mostly rows that are there: others need a value for every field.
            len if len > 0 && rng.chance(0.8) => {
                let count = 1 + rng.below(self.rows_max);
                let picked = (0..count).map(|_| alive[rng.below(len) as usize]);
                picked.collect::<BTreeSet<i64>>().into_iter().collect()
            }
            _ => {
                let twice = rng.chance(0.1);
                some_keys(collection, rng, self.rows_max, twice)
            }
        };
        let mut fields = field::some(&collection.fields, rng);
        let all = rng.chance(0.2);
        fields.extend(REQUIRED.into_iter().filter(|_| all || rng.chance(0.3)));
        let append = fields.contains(&field::LIST) && rng.chance(0.6);
        Update { name, partition, keys, draw: rng.below(1 << 20), fields, append }
    }

    fn create_index(&self, name: String, rng: &mut Rng) -> Op {
        let kind = [Kind::Flat, Kind::Ivf, Kind::Hnsw, Kind::Hnsw][rng.below(4) as usize];
        let metric = [Metric::L2, Metric::L2, Metric::Ip, Metric::Cosine][rng.below(4) as usize];
        Op::CreateIndex { name, kind, metric }
    }
}

/// Fields beside the vectors (but for those in structs), and kinds of indexes that fit them.
const SCALARS: [(&str, [&str; 4]); 5] = [
    ("number", ["STL_SORT", "INVERTED", "BITMAP", "AUTOINDEX"]),
    ("tag", ["Trie", "INVERTED", "BITMAP", "NGRAM"]),
    (field::EXTRA, ["STL_SORT", "INVERTED", "BITMAP", "AUTOINDEX"]),
    (parts::AGE, ["STL_SORT", "INVERTED", "BITMAP", "AUTOINDEX"]),
    (parts::PLACE, ["HNSW", "FLAT", "IVF_FLAT", "IVF_FLAT"]),
];

/// One of these fields that is there.
fn scalar(collection: &Collection, rng: &mut Rng) -> (&'static str, [&'static str; 4]) {
    let is_there = |name: &str| {
        let name = name.split('[').next().unwrap_or(name);
        REQUIRED.contains(&name) || collection.fields.contains_key(name)
    };
    let there: Vec<_> = SCALARS.iter().filter(|(name, _)| is_there(name)).collect();
    *there[rng.below(there.len() as u64) as usize]
}

fn create_scalar(name: String, collection: &Collection, rng: &mut Rng) -> Op {
    let (field, kinds) = scalar(collection, rng);
    Op::CreateScalar { name, field, kind: kinds[rng.below(4) as usize] }
}

/// A filter that is not a list of keys.
pub(crate) fn filter(collection: &Collection, rng: &mut Rng) -> Filter {
    let tag = format!("t{}", rng.below(11));
    if collection.fields.contains_key(field::EXTRA) && rng.chance(0.4) {
        return Filter::Extra(rng.below(110) as i64);
    }
    if collection.fields.contains_key(field::NOTE) && rng.chance(0.3) {
        return Filter::Note(rng.below(110) as i64);
    }
    if collection.fields.contains_key(parts::PARTS) && rng.chance(0.4) {
        return match rng.below(3) {
            0 => Filter::SomePart(rng.below(8) as i64),
            1 => Filter::EachPart(rng.below(20) as i64),
            _ => Filter::Parts(rng.below(5) as usize),
        };
    }
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
