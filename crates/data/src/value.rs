//! A single value, outside of any column: defaults, template values, min and max.

use serde::{Deserialize, Serialize};

/// One value of any type a scalar field can have, or a list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Absent.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating number.
    Double(f64),
    /// Text.
    Text(String),
    /// JSON text.
    Json(String),
    /// Several values.
    List(Vec<Value>),
}
