//! Primary keys: one number or one text a row.

use crate::{Column, Values};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// Of an Int64 field.
    Int(i64),
    /// Of a VarChar field.
    Text(String),
}

impl Key {
    /// The key without owning its text.
    pub fn as_ref(&self) -> KeyRef<'_> {
        match self {
            Self::Int(value) => KeyRef::Int(*value),
            Self::Text(text) => KeyRef::Text(text.as_bytes()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// A primary key borrowed from a column. Texts compare by bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyRef<'a> {
    /// Of an Int64 field.
    Int(i64),
    /// Of a VarChar field; UTF-8.
    Text(&'a [u8]),
}

impl KeyRef<'_> {
    /// The key with its own text.
    pub fn to_key(self) -> Key {
        match self {
            Self::Int(value) => Key::Int(value),
            Self::Text(bytes) => Key::Text(String::from_utf8_lossy(bytes).into_owned()),
        }
    }
}

/// The keys of several rows: a column that is known to hold Int64 or VarChar without nulls.
#[derive(Debug, Clone)]
pub struct Keys(Column);

impl Keys {
    /// Takes `column` as keys; `None` when it is of another type or holds nulls.
    pub fn new(column: Column) -> Option<Self> {
        let keyed = matches!(column.values(), Values::Int64(_) | Values::Text(_));
        (keyed && column.null_count() == 0).then_some(Self(column))
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key of row `row`.
    ///
    /// # Panics
    /// When `row >= len()`.
    pub fn get(&self, row: usize) -> KeyRef<'_> {
        match self.0.values() {
            Values::Int64(values) => KeyRef::Int(values[row]),
            Values::Text(texts) => KeyRef::Text(texts.get(row)),
            other => unreachable!("Keys::new lets no {:?} in", other.data_type()),
        }
    }

    /// The keys in row order.
    pub fn iter(&self) -> impl Iterator<Item = KeyRef<'_>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The numbers, when the keys are numbers.
    pub fn ints(&self) -> Option<&[i64]> {
        match self.0.values() {
            Values::Int64(values) => Some(values),
            _ => None,
        }
    }

    /// The keys as a column.
    pub fn column(&self) -> &Column {
        &self.0
    }
}
