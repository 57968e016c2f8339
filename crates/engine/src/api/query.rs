//! Rows by what they say.

use super::{Order, OutputField, ReadTime, Target};
use data::{Key, Keys, Timestamp, Value, Zone};
use std::collections::BTreeMap;

/// A query.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of which collection.
    pub target: Target,
    /// Of which partitions; empty = of all.
    pub partitions: Vec<String>,
    /// Rows with these keys, when given (get); else by `filter`.
    pub keys: Option<Keys>,
    /// Which rows; empty = all, which needs a limit or `count(*)`.
    pub filter: String,
    /// Values for `{names}` in the filter.
    pub templates: BTreeMap<String, Value>,
    /// Fields to give back: names, keys of the dynamic field, `*`; or aggregates, `count(*)` and `count sum avg min
    /// max` of a field, and then no fields but those of `group_by`.
    pub output: Vec<String>,
    /// Aggregates are taken over the rows with the same values of these fields; empty = over all rows.
    pub group_by: Vec<String>,
    /// Sorts by fields, or by aggregates that were asked for; empty = by key.
    pub order: Vec<Order>,
    /// With an `element_filter`: goes on after this struct (by its place in the array) of the row with this key, which may
    /// be written as a text.
    pub after: Option<(Key, u32)>,
    /// How many rows at most (with an `element_filter`: structs that pass it); `None` = all.
    pub limit: Option<usize>,
    /// How many to leave out, in key order.
    pub offset: usize,
    /// Leave out rows that are still in memory.
    pub ignore_growing: bool,
    /// The time zone of moments that the filter names without an offset; `None` = the collection's.
    pub zone: Option<Zone>,
    /// At which moment.
    pub time: ReadTime,
}

/// What a query found, in key order.
#[derive(Debug, Clone)]
pub struct Queried {
    /// How many rows, when `count(*)` was asked for.
    pub count: Option<u64>,
    /// Keys of the rows.
    pub keys: Option<Keys>,
    /// The name of the primary key.
    pub primary: String,
    /// The fields asked for (the primary key is always one but for aggregates), each with a value a row.
    pub fields: Vec<OutputField>,
    /// With an `element_filter`: the structs of each row that pass it, by their places in the array.
    pub elements: Option<Vec<Vec<u32>>>,
    /// The moment that was read.
    pub timestamp: Timestamp,
}
