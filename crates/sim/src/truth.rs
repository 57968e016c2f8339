//! What a database should hold: lists of rows, walked from end to end. Invariant: nothing here is clever, so that a
//! difference between this and the engine is the engine's fault.

use crate::field::{self, Added};
use crate::parts;
use data::{Timestamp, Value};
use std::collections::BTreeMap;

/// How near is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Squared Euclidean distance.
    L2,
    /// Inner product.
    Ip,
    /// Cosine of the angle.
    Cosine,
}

/// How an index is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Exact.
    Flat,
    /// Lists.
    Ivf,
    /// Graph.
    Hnsw,
}

/// A row as a user sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The key.
    pub key: i64,
    /// Whole numbers, so that sums of products are exact in `f32`.
    pub vector: Vec<f32>,
    /// A number below 100.
    pub number: i64,
    /// One of ten texts.
    pub tag: String,
    /// What it holds in fields that were added later.
    pub added: Added,
}

/// Which rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every row.
    All,
    /// Rows whose number is smaller.
    Below(i64),
    /// Rows with this tag.
    Tag(String),
    /// Rows for which both hold.
    Both(i64, String),
    /// Rows whose added number is smaller; there must be such a field.
    Extra(i64),
    /// Rows whose note is smaller; there must be a dynamic field.
    Note(i64),
    /// Rows with a struct whose number is smaller; there must be an array of structs, here and below.
    SomePart(i64),
    /// Rows of whose structs all have a smaller number; those without any, too, but not those without an array.
    EachPart(i64),
    /// Rows with so many structs.
    Parts(usize),
    /// Rows with one of these keys.
    Keys(Vec<i64>),
}

/// A row and its life.
#[derive(Debug, Clone)]
struct Life {
    row: Row,
    partition: String,
    written: Timestamp,
    /// [`Timestamp::MAX`] while it lives.
    died: Timestamp,
}

/// A collection.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Components of a vector.
    pub dim: usize,
    /// Whether keys are texts.
    pub text_keys: bool,
    /// Partitions, and whether they answer reads.
    pub partitions: BTreeMap<String, bool>,
    /// The index on the vectors.
    pub index: Option<(Kind, Metric)>,
    /// Indexes on other fields: the field, and the kind.
    pub scalars: BTreeMap<&'static str, &'static str>,
    /// Fields that were added, and what rows hold there that bring nothing.
    pub fields: Added,
    rows: Vec<Life>,
}

/// The database.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Its collections by name.
    pub collections: BTreeMap<String, Collection>,
}

/// The partition that is always there.
pub const DEFAULT_PARTITION: &str = "_default";

impl Metric {
    /// Its name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Ip => "IP",
            Self::Cosine => "COSINE",
        }
    }

    /// How near `a` and `b` are.
    pub fn score(self, a: &[f32], b: &[f32]) -> f32 {
        let sum = |term: fn(f64, f64) -> f64| -> f64 {
            a.iter().zip(b).map(|(a, b)| term(f64::from(*a), f64::from(*b))).sum()
        };
        let product = sum(|a, b| a * b);
        let score = match self {
            Self::L2 => sum(|a, b| (a - b) * (a - b)),
            Self::Ip => product,
            Self::Cosine => {
                let lengths = sum(|a, _| a * a).sqrt() * sum(|_, b| b * b).sqrt();
                if lengths > 0.0 { product / lengths } else { 0.0 }
            }
        };
        score as f32
    }

    /// The better score first.
    pub fn order(self, a: f32, b: f32) -> std::cmp::Ordering {
        if self == Self::L2 { a.total_cmp(&b) } else { b.total_cmp(&a) }
    }

    /// Whether two scores are the same, as far as rounding lets one tell.
    pub fn same(self, a: f32, b: f32) -> bool {
        if self == Self::Cosine { (a - b).abs() < 1e-5 } else { a == b }
    }
}

impl Filter {
    /// Whether it holds for `row`.
    pub fn holds(&self, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Below(number) => row.number < *number,
            Self::Tag(tag) => row.tag == *tag,
            Self::Both(number, tag) => row.number < *number && row.tag == *tag,
            Self::Extra(number) => matches!(row.added.get(field::EXTRA), Some(Value::Int(x)) if x < number),
            Self::Note(number) => matches!(row.added.get(field::NOTE), Some(Value::Int(x)) if x < number),
            Self::SomePart(age) => parts_of(row).is_some_and(|all| all.iter().any(|one| one.0 < *age)),
            Self::EachPart(age) => parts_of(row).is_some_and(|all| all.iter().all(|one| one.0 < *age)),
            Self::Parts(count) => parts_of(row).is_some_and(|all| all.len() == *count),
            Self::Keys(keys) => keys.contains(&row.key),
        }
    }
}

fn parts_of(row: &Row) -> Option<Vec<(i64, [f32; 2])>> {
    parts::structs(row.added.get(parts::PARTS))
}

impl Collection {
    /// An empty one.
    pub fn new(dim: usize, text_keys: bool) -> Self {
        let partitions = BTreeMap::from([(DEFAULT_PARTITION.to_owned(), false)]);
        let (scalars, fields) = (BTreeMap::new(), Added::new());
        Self { dim, text_keys, partitions, index: None, scalars, fields, rows: Vec::new() }
    }

    /// Whether any partition answers reads.
    pub fn is_loaded(&self) -> bool {
        self.partitions.values().any(|loaded| *loaded)
    }

    /// The partitions that answer reads.
    pub fn loaded(&self) -> Vec<String> {
        self.partitions.iter().filter(|(_, loaded)| **loaded).map(|(name, _)| name.clone()).collect()
    }

    /// New rows, beside those with the same keys.
    pub fn insert(&mut self, partition: &str, rows: &[Row], at: Timestamp) {
        let life = |row: &Row| Life {
            row: Row { added: self.filled(&row.added), ..row.clone() },
            partition: partition.to_owned(),
            written: at,
            died: Timestamp::MAX,
        };
        let new: Vec<Life> = rows.iter().map(life).collect();
        self.rows.extend(new);
    }

    /// What a row holds in added fields that brings `given`.
    fn filled(&self, given: &Added) -> Added {
        let value = |(name, default): (&&'static str, &Value)| {
            let given = given.get(name).filter(|value| **value != Value::Null);
            (*name, given.unwrap_or(default).clone())
        };
        self.fields.iter().map(value).collect()
    }

    /// A new field: all rows hold `default` there, those that died, too.
    pub fn add_field(&mut self, name: &'static str, default: &Value) {
        self.fields.insert(name, default.clone());
        self.rows.iter_mut().for_each(|life| drop(life.row.added.insert(name, default.clone())));
    }

    /// A field less, with its index.
    pub fn drop_field(&mut self, name: &str) {
        self.fields.remove(name);
        self.scalars.retain(|field, _| field.split('[').next() != Some(name));
        self.rows.iter_mut().for_each(|life| drop(life.row.added.remove(name)));
    }

    /// The row of `key` in a partition; of several the one written last.
    pub fn newest(&self, partition: &str, key: i64) -> Option<&Row> {
        let alive = |life: &&Life| life.died == Timestamp::MAX && life.partition == partition;
        let of_key = self.rows.iter().filter(alive).filter(|life| life.row.key == key);
        // The last of those that are equally new.
        of_key.max_by_key(|life| life.written).map(|life| &life.row)
    }

    /// New rows in the place of those with the same keys in that partition; the last of each key counts.
    pub fn upsert(&mut self, partition: &str, rows: &[Row], at: Timestamp) {
        let keys: Vec<i64> = rows.iter().map(|row| row.key).collect();
        self.delete(Some(partition), &keys, at);
        for (place, row) in rows.iter().enumerate() {
            if !keys[place + 1..].contains(&row.key) {
                self.insert(partition, std::slice::from_ref(row), at);
            }
        }
    }

    /// Takes out rows by key, of one partition or of all.
    pub fn delete(&mut self, partition: Option<&str>, keys: &[i64], at: Timestamp) {
        let keys: std::collections::BTreeSet<i64> = keys.iter().copied().collect();
        for life in &mut self.rows {
            let here = partition.is_none_or(|partition| partition == life.partition);
            if here && life.died == Timestamp::MAX && life.written < at && keys.contains(&life.row.key) {
                life.died = at;
            }
        }
    }

    /// Removes a partition with all its rows.
    pub fn drop_partition(&mut self, partition: &str) {
        self.partitions.remove(partition);
        self.rows.retain(|life| life.partition != partition);
    }

    /// The rows of `partitions` that a reader at `at` sees and `filter` holds for, in the order they were written.
    pub fn matching<'a>(
        &'a self,
        partitions: &'a [String],
        filter: &'a Filter,
        at: Timestamp,
    ) -> impl Iterator<Item = &'a Row> {
        let seen = move |life: &&Life| life.written <= at && life.died > at;
        let here = |life: &&Life| partitions.contains(&life.partition);
        self.rows.iter().filter(seen).filter(here).map(|life| &life.row).filter(|row| filter.holds(row))
    }

    /// The same in the order of keys; of several rows with one key, the one written last.
    pub fn query(&self, partitions: &[String], filter: &Filter, at: Timestamp) -> Vec<Row> {
        let rows = self.matching(partitions, filter, at).map(|row| (row.key, row.clone()));
        rows.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The scores of the `k` nearest, one row a key, best first.
    pub fn nearest(
        &self,
        partitions: &[String],
        filter: &Filter,
        at: Timestamp,
        query: &[f32],
        metric: Metric,
        k: usize,
    ) -> Vec<(f32, i64)> {
        let rows = self.matching(partitions, filter, at);
        let mut best: BTreeMap<i64, f32> = BTreeMap::new();
        for row in rows {
            let score = metric.score(&row.vector, query);
            let known = best.entry(row.key).or_insert(score);
            if metric.order(score, *known).is_lt() {
                *known = score;
            }
        }
        let mut all: Vec<(f32, i64)> = best.into_iter().map(|(key, score)| (score, key)).collect();
        all.sort_by(|a, b| metric.order(a.0, b.0));
        all.truncate(k);
        all
    }

    /// Rows alive now, in a partition or in all.
    pub fn count(&self, partition: Option<&str>) -> u64 {
        let here = |life: &&Life| partition.is_none_or(|partition| partition == life.partition);
        self.rows.iter().filter(|life| life.died == Timestamp::MAX).filter(here).count() as u64
    }

    /// Keys of rows of a partition alive now.
    pub fn keys_in(&self, partition: &str) -> Vec<i64> {
        let alive = self.rows.iter().filter(|life| life.died == Timestamp::MAX);
        alive.filter(|life| life.partition == partition).map(|life| life.row.key).collect()
    }

    /// Keys of rows alive now.
    pub fn keys(&self) -> Vec<i64> {
        let alive = self.rows.iter().filter(|life| life.died == Timestamp::MAX);
        alive.map(|life| life.row.key).collect()
    }

    /// Whether any row has died: then merges may make segments shorter.
    pub fn has_dead(&self) -> bool {
        self.rows.iter().any(|life| life.died != Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: i64, x: f32) -> Row {
        Row { key, vector: vec![x], number: key, tag: "t0".to_owned(), added: Added::new() }
    }

    #[test]
    fn rows_live_from_their_stamp_to_their_death() {
        let mut collection = Collection::new(1, false);
        let all = vec![DEFAULT_PARTITION.to_owned()];
        collection.insert(DEFAULT_PARTITION, &[row(1, 1.0), row(2, 2.0)], Timestamp(10));
        collection.upsert(DEFAULT_PARTITION, &[row(2, 8.0), row(2, 9.0)], Timestamp(20));
        collection.delete(None, &[1], Timestamp(30));
        let keys = |at| -> Vec<(i64, f32)> {
            let rows = collection.query(&all, &Filter::All, Timestamp(at));
            rows.iter().map(|row| (row.key, row.vector[0])).collect()
        };
        assert_eq!(keys(9), []);
        assert_eq!(keys(10), [(1, 1.0), (2, 2.0)]);
        assert_eq!(keys(20), [(1, 1.0), (2, 9.0)]);
        assert_eq!(keys(30), [(2, 9.0)]);
        let near = collection.nearest(&all, &Filter::All, Timestamp(25), &[3.0], Metric::L2, 5);
        assert_eq!(near, [(4.0, 1), (36.0, 2)]);
        assert_eq!(collection.count(None), 1);
    }
}
