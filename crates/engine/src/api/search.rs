//! Nearest neighbours.

use super::{Properties, Target};
use data::{Column, Field, Keys, Timestamp, Value};
use std::collections::BTreeMap;

/// At which moment to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadTime {
    /// The read must see every write up to here; it waits if it has to. Zero: every acknowledged write. (All levels
    /// of consistency read the same on one node, where every acknowledged write is visible.)
    pub guarantee: Timestamp,
    /// Time travel: read as of this earlier moment, which must lie within the retention; zero = now.
    pub travel: Timestamp,
}

/// What to look for.
#[derive(Debug, Clone)]
pub enum Queries {
    /// Vectors to be near to: one column of the searched field's type.
    Vectors(Column),
    /// Rows, by their keys, to be near to.
    Keys(Keys),
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    /// In which collection.
    pub target: Target,
    /// In which partitions; empty = in all.
    pub partitions: Vec<String>,
    /// Near to what.
    pub queries: Queries,
    /// In which vector field; empty = in the only one.
    pub field: String,
    /// How many rows a query.
    pub limit: usize,
    /// How many of the nearest to leave out.
    pub offset: usize,
    /// The metric the client believes in; empty = the index's. Must equal the index's.
    pub metric: String,
    /// `nprobe`, `ef`, `radius`, `range_filter` and the like, flat.
    pub params: Properties,
    /// Which rows; empty = all.
    pub filter: String,
    /// Values for `{names}` in the filter.
    pub templates: BTreeMap<String, Value>,
    /// Fields to give back: names, keys of the dynamic field, `*`.
    pub output: Vec<String>,
    /// Digits after the point of scores; -1 = all.
    pub round_decimal: i32,
    /// Leave out rows that are still in memory.
    pub ignore_growing: bool,
    /// At which moment.
    pub time: ReadTime,
}

/// One field of the rows given back.
#[derive(Debug, Clone)]
pub struct OutputField {
    /// The field. For keys of the dynamic field it is `$meta` with the whole JSON object of a row.
    pub field: Field,
    /// The values, row after row.
    pub column: Column,
    /// For the dynamic field: the keys the user asked for; empty = the whole object.
    pub dynamic_keys: Vec<String>,
}

/// What a search found: the hits of all queries, one after the other, best first.
#[derive(Debug, Clone)]
pub struct Found {
    /// How many queries.
    pub queries: usize,
    /// The limit that was asked for.
    pub limit: usize,
    /// Hits of each query.
    pub counts: Vec<usize>,
    /// Keys of all hits.
    pub keys: Keys,
    /// Scores of all hits: the metric's own value (squared distance for L2).
    pub scores: Vec<f32>,
    /// The name of the primary key.
    pub primary: String,
    /// The fields asked for, each with a value a hit.
    pub fields: Vec<OutputField>,
    /// The moment that was read.
    pub timestamp: Timestamp,
}
