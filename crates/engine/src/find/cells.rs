//! Rows told apart by the values they have in some columns. Invariant: equal values, and only they, have one number.

use super::Place;
use super::Scope;
use super::fetch;
use crate::{Error, ErrorKind};
use data::{Column, ColumnBuilder, Field, Schema, Type, Values};
use std::collections::HashMap;

/// Numbers for combinations of values, from 0, in the order in which they are first seen.
#[derive(Debug, Default)]
pub(super) struct Groups {
    numbers: HashMap<Vec<u8>, u32>,
    cell: Vec<u8>,
}

impl Groups {
    /// The number of what `columns` hold in `row`, and whether it is new.
    pub(super) fn number(&mut self, columns: &[Column], row: usize) -> (u32, bool) {
        self.cell.clear();
        for column in columns {
            write_cell(column, row, &mut self.cell);
        }
        if let Some(number) = self.numbers.get(&self.cell) {
            return (*number, false);
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(self.cell.clone(), number);
        (number, true)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
    }
}

/// Appends bytes that no other value of the same column has.
fn write_cell(column: &Column, row: usize, cell: &mut Vec<u8>) {
    cell.push(u8::from(column.is_valid(row)));
    if !column.is_valid(row) {
        return;
    }
    match column.values() {
        Values::Bool(v) => cell.push(u8::from(v.value(row))),
        Values::Int8(v) => cell.extend(v[row].to_le_bytes()),
        Values::Int16(v) => cell.extend(v[row].to_le_bytes()),
        Values::Int32(v) => cell.extend(v[row].to_le_bytes()),
        Values::Int64(v) | Values::Timestamptz(v) => cell.extend(v[row].to_le_bytes()),
        Values::Text(v) | Values::Json(v) => {
            let text = v.get(row);
            cell.extend((text.len() as u64).to_le_bytes());
            cell.extend(text);
        }
        // Nothing else is let in by `GroupField`.
        _ => {}
    }
}

/// What rows are grouped by: a field, or a place in a JSON field.
#[derive(Debug)]
pub(super) struct GroupField {
    field: Field,
    path: Option<Vec<String>>,
}

impl GroupField {
    /// Finds what `name` says: a field, `field["key"]`, or a key of the dynamic field.
    pub(super) fn new(schema: &Schema, name: &str) -> Result<Self, Error> {
        if let Some(field) = schema.field(name) {
            return Self::whole(field);
        }
        let (base, path) = split_path(name);
        match schema.field(base) {
            Some(field) if field.data_type == Type::Json => {
                return Ok(Self { field: field.clone(), path: Some(path) });
            }
            // Not a key of the dynamic field: that has none of a field's name.
            Some(field) => return Err(unsupported(&format!("{:?}", field.data_type), name)),
            None if schema.structure(base).is_some() => return Err(unsupported("ArrayOfStruct", name)),
            None => {}
        }
        match schema.dynamic() {
            Some(dynamic) => {
                let path = std::iter::once(base.to_owned()).chain(path).collect();
                Ok(Self { field: dynamic.clone(), path: Some(path) })
            }
            None => Err(Error::new(
                ErrorKind::FieldNotFound,
                format!("group by field {name} does not exist: field not found[field={name}]"),
            )),
        }
    }

    fn whole(field: &Field) -> Result<Self, Error> {
        match field.data_type {
            Type::Bool | Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => {}
            Type::VarChar | Type::Timestamptz => {}
            other => return Err(unsupported(&format!("{other:?}"), &field.name)),
        }
        Ok(Self { field: field.clone(), path: None })
    }

    /// The field as it stands in results.
    pub(super) fn shown(&self, name: &str) -> Field {
        match self.path {
            None => self.field.clone(),
            Some(_) => Field { nullable: true, ..Field::new(name, Type::VarChar) },
        }
    }

    /// The values at `places`. Of JSON: texts as they are, other values as JSON writes them; what is missing is absent.
    pub(super) fn read(&self, scope: &Scope, places: &[Place]) -> Result<Column, Error> {
        let column = fetch::read(scope, &self.field, places)?;
        Ok(match &self.path {
            None => column,
            Some(path) => extract(&column, path),
        })
    }
}

/// The refusal to group by `name`, which is of `data_type`.
fn unsupported(data_type: &str, name: &str) -> Error {
    Error::invalid(format!(
        "unsupported data type {data_type} for group by operator: field {name}; whole numbers, BOOL, VARCHAR, TIMESTAMPTZ and places in JSON can be grouped by"
    ))
}

/// `name["a"]['b'][0]` as its name and the keys; what does not read so is all name.
fn split_path(text: &str) -> (&str, Vec<String>) {
    let Some((base, mut rest)) = text.split_once('[') else { return (text, Vec::new()) };
    let mut path = Vec::new();
    loop {
        let Some((key, behind)) = rest.split_once(']') else { return (text, Vec::new()) };
        path.push(key.trim().trim_matches(['"', '\'']).to_owned());
        match behind.trim().strip_prefix('[') {
            Some(next) => rest = next,
            None if behind.trim().is_empty() => return (base.trim(), path),
            None => return (text, Vec::new()),
        }
    }
}

fn extract(column: &Column, path: &[String]) -> Column {
    let mut builder = ColumnBuilder::new(Type::VarChar, 0);
    for row in 0..column.len() {
        let found = match column.values() {
            Values::Json(texts) if column.is_valid(row) => value_at(texts.get(row), path),
            _ => None,
        };
        match found {
            None | Some(serde_json::Value::Null) => builder.push_null(),
            Some(serde_json::Value::String(text)) => builder.push_bytes(text.as_bytes()),
            Some(other) => builder.push_bytes(other.to_string().as_bytes()),
        }
    }
    builder.finish()
}

fn value_at(json: &[u8], path: &[String]) -> Option<serde_json::Value> {
    let document: serde_json::Value = serde_json::from_slice(json).ok()?;
    let found = path.iter().try_fold(&document, |value, key| match value {
        serde_json::Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    });
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_schema_names_is_no_key_of_the_dynamic_field() {
        let fields = ["id", "list", "doc"].into_iter().zip([Type::Int64, Type::Array, Type::Json]);
        let fields = fields.map(|(name, data_type)| Field::new(name, data_type)).chain([Field::dynamic()]);
        let parts = data::Struct { name: "parts".to_owned(), ..data::Struct::default() };
        let schema = Schema { fields: fields.collect(), structs: vec![parts], ..Schema::default() };
        for name in ["id", "doc['a']", "other", "other['a'][0]"] {
            assert!(GroupField::new(&schema, name).is_ok(), "{name}");
        }
        for name in ["list", "list[0]", "id['a']", "doc", "parts", "parts[0]"] {
            let refused = GroupField::new(&schema, name).err().map(|error| error.to_string());
            assert!(refused.is_some_and(|text| text.contains("for group by operator")), "{name}");
        }
    }

    #[test]
    fn paths_are_split() {
        assert_eq!(split_path("a"), ("a", vec![]));
        assert_eq!(split_path("a[\"b\"]['c'][0]"), ("a", vec!["b".into(), "c".into(), "0".into()]));
        assert_eq!(split_path("a[b"), ("a[b", vec![]));
        assert_eq!(split_path("a[b]c"), ("a[b]c", vec![]));
    }

    #[test]
    fn equal_values_have_one_number() {
        let mut texts = ColumnBuilder::new(Type::VarChar, 0);
        for text in ["a", "", "a", "b"] {
            texts.push_bytes(text.as_bytes());
        }
        texts.push_null();
        texts.push_null();
        let columns = [texts.finish(), Column::from_ints(vec![1, 1, 1, 1, 1, 2])];
        let mut groups = Groups::default();
        let numbers: Vec<u32> = (0..6).map(|row| groups.number(&columns, row).0).collect();
        assert_eq!((numbers, groups.len()), (vec![0, 1, 0, 2, 3, 4], 5));
    }
}
