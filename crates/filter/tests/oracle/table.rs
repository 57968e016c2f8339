//! Rows in memory.

use data::{Column, Field, FieldId, Schema, Type};
use filter::Rows;

/// The two texts can be asked for words.
pub(crate) const TYPES: [(&str, Type); 13] = [
    ("id", Type::Int64),
    ("i8", Type::Int8),
    ("i16", Type::Int16),
    ("i32", Type::Int32),
    ("i64", Type::Int64),
    ("f32", Type::Float),
    ("f64", Type::Double),
    ("flag", Type::Bool),
    ("flag2", Type::Bool),
    ("name", Type::VarChar),
    ("city", Type::VarChar),
    ("doc", Type::Json),
    ("$meta", Type::Json),
];

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<Option<Column>>,
    pub(crate) nullable: Vec<bool>,
}

impl Rows for Table {
    fn len(&self) -> usize {
        self.rows
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.columns[(field.0 - 100) as usize].as_ref()
    }
}

impl Table {
    pub(crate) fn schema(&self) -> Schema {
        let fields = TYPES.iter().enumerate().map(|(i, (name, data_type))| Field {
            id: FieldId(100 + i as i64),
            nullable: self.nullable[i],
            is_primary: i == 0,
            is_dynamic: *name == "$meta",
            params: [("enable_match".to_owned(), "true".to_owned())].into(),
            ..Field::new(name, *data_type)
        });
        Schema { fields: fields.collect(), ..Schema::default() }
    }
}
