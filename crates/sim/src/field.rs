//! Fields that come and go while a collection lives. Invariant: what a field called so holds follows from its name, so
//! that rows can be drawn without a schema.

use crate::parts::{self, PARTS};
use data::{Column, ColumnBuilder, Field, Type, Value};
use host::Rng;
use std::collections::BTreeMap;

/// The names they have.
pub(crate) const NAMES: [&str; 4] = ["extra", "list", "word", PARTS];

/// A number, for filters and indexes.
pub(crate) const EXTRA: &str = "extra";

/// An array of numbers, which partial updates append to.
pub(crate) const LIST: &str = "list";

/// A number under a key of the dynamic field, which comes with that and goes no more.
pub(crate) const NOTE: &str = "note";

/// What a row holds in fields that were added, by name.
pub(crate) type Added = BTreeMap<&'static str, Value>;

/// The field called `name`, which is no array of structs, as a request names it. `default`: what rows hold that bring nothing; null = nothing.
pub(crate) fn field(name: &str, default: &Value) -> Field {
    let field = match name {
        LIST => Field::new(name, Type::Array).with_elements(Type::Int64, 4_096),
        EXTRA => Field::new(name, Type::Int64),
        _ => Field::new(name, Type::VarChar).with_max_length(8),
    };
    Field { nullable: true, default: Some(default.clone()).filter(|value| *value != Value::Null), ..field }
}

/// A value of the field called `name`, absent now and then.
pub(crate) fn value(name: &str, rng: &mut Rng) -> Value {
    if rng.chance(0.25) {
        return Value::Null;
    }
    match name {
        PARTS => parts::value(rng),
        LIST => Value::List((0..rng.below(4)).map(|_| Value::Int(rng.below(100) as i64)).collect()),
        EXTRA | NOTE => Value::Int(rng.below(100) as i64),
        _ => Value::Text(format!("w{}", rng.below(10))),
    }
}

/// A default of the field called `name`; arrays have none, be it of structs or of numbers.
pub(crate) fn default(name: &str, rng: &mut Rng) -> Value {
    if name == LIST || name == PARTS { Value::Null } else { value(name, rng) }
}

/// Some of the fields that are there.
pub(crate) fn some(fields: &Added, rng: &mut Rng) -> Vec<&'static str> {
    fields.keys().copied().filter(|_| rng.chance(0.6)).collect()
}

/// The values of the field called `name` of some rows.
pub(crate) fn column<'a>(name: &str, rows: impl Iterator<Item = &'a Added>) -> Column {
    let mut builder = ColumnBuilder::of(field(name, &Value::Null).kind());
    rows.for_each(|row| builder.push(row.get(name).unwrap_or(&Value::Null)));
    builder.finish()
}

/// The dynamic field of some rows: an object each, with a note or without.
pub(crate) fn notes<'a>(rows: impl Iterator<Item = &'a Added>) -> Column {
    let mut builder = ColumnBuilder::new(Type::Json, 0);
    rows.for_each(|row| {
        builder.push(&Value::Json(match row.get(NOTE) {
            Some(Value::Int(note)) => format!("{{\"{NOTE}\": {note}}}"),
            _ => "{}".to_owned(),
        }));
    });
    builder.finish()
}

/// The note in the dynamic field of a row.
pub(crate) fn note_of(object: &Value) -> Value {
    let Value::Json(text) = object else { return Value::Null };
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match digits.parse() {
        Ok(note) if text.contains(NOTE) => Value::Int(note),
        _ => Value::Null,
    }
}

/// The array `old` with `more` behind it; nothing more leaves it as it is.
pub(crate) fn appended(old: &Value, more: &Value) -> Value {
    match (old, more) {
        (Value::List(old), Value::List(more)) => Value::List(old.iter().chain(more).cloned().collect()),
        (_, Value::Null) => old.clone(),
        _ => more.clone(),
    }
}
