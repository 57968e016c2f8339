//! Rows in and rows out. Durable and visible when [`Engine::write`](crate::Engine::write) returns.

use super::Target;
use data::{Column, Keys, Timestamp, Value};
use std::collections::BTreeMap;

/// What to write.
#[derive(Debug, Clone)]
pub enum Write {
    /// New rows. A key that exists already makes a second row with that key.
    Insert(Rows),
    /// New rows that take the place of those with the same keys.
    Upsert(Rows),
    /// Changes some fields of the rows with the same keys; the other fields keep what they hold. A key that is not there
    /// makes a new row.
    Update(Update),
    /// Removes the rows that match.
    Delete {
        /// Of which collection.
        target: Target,
        /// Of which partition; empty = of all.
        partition: String,
        /// Which rows; must not be empty.
        filter: String,
        /// Values for `{names}` in the filter.
        templates: BTreeMap<String, Value>,
    },
}

/// Rows by column.
#[derive(Debug, Clone)]
pub struct Rows {
    /// For which collection.
    pub target: Target,
    /// For which partition; empty = `_default`.
    pub partition: String,
    /// How many rows; every column has as many values.
    pub rows: usize,
    /// The columns the client sent, in any order.
    pub columns: Vec<NamedColumn>,
}

/// Some fields of rows, found by their keys.
#[derive(Debug, Clone)]
pub struct Update {
    /// The keys, and the fields to change.
    pub rows: Rows,
    /// What to do with arrays among the fields, by name; without, the new value takes the place of the old one.
    pub ops: Vec<(String, FieldOp)>,
}

/// What to do with the array that a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldOp {
    /// Adds the elements given to its end.
    Append,
    /// Takes out every element that is equal to one of those given.
    Remove,
}

/// A column and the name of its field.
#[derive(Debug, Clone)]
pub struct NamedColumn {
    /// The field's name; for the dynamic column `$meta` or empty.
    pub name: String,
    /// Whether it holds what the schema does not name: one JSON object a row.
    pub is_dynamic: bool,
    /// The values.
    pub column: Column,
}

/// What a write did.
#[derive(Debug, Clone)]
pub struct Written {
    /// The keys of inserted or upserted rows, in the order they came (auto ids included); of deletes by key the keys
    /// asked for.
    pub keys: Keys,
    /// Rows put in.
    pub inserted: u64,
    /// Rows taken out.
    pub deleted: u64,
    /// When, in the order of writes.
    pub timestamp: Timestamp,
}
