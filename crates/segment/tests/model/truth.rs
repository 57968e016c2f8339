//! The model: a list of rows, and loops over it.

use data::{Batch, Column, ColumnBuilder, Field, FieldId, Keys, Schema, Timestamp, Type, Value};
use std::sync::Arc;

pub(crate) const ID: FieldId = FieldId(100);
pub(crate) const NUMBER: FieldId = FieldId(101);
pub(crate) const TEXT: FieldId = FieldId(102);
pub(crate) const VECTOR: FieldId = FieldId(103);

/// A filter as a loop body.
pub(crate) type Holds = fn(&Row) -> bool;

/// A row; everything but key and times follows from `serial`.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) key: u8,
    pub(crate) serial: u64,
    pub(crate) stamp: Timestamp,
    pub(crate) died: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) rows: Vec<Row>,
}

impl Truth {
    pub(crate) fn append(&mut self, names: &[u8], stamp: Timestamp) {
        for key in names {
            let serial = stamp.0 * 1000 + self.rows.len() as u64;
            self.rows.push(Row { key: *key, serial, stamp, died: None });
        }
    }

    pub(crate) fn delete(&mut self, names: &[u8], stamp: Timestamp) -> usize {
        let mut count = 0;
        for row in self.rows.iter_mut().filter(|row| names.contains(&row.key) && row.stamp < stamp) {
            count += usize::from(row.died.is_none());
            row.died = Some(row.died.map_or(stamp, |died| died.min(stamp)));
        }
        count
    }

    pub(crate) fn live(&self, at: Timestamp) -> Vec<u32> {
        let lives = |row: &Row| row.stamp <= at && row.died.is_none_or(|died| died > at);
        (0..self.rows.len() as u32).filter(|row| lives(&self.rows[*row as usize])).collect()
    }

    /// The filters under test: as text, and as a loop body.
    pub(crate) fn filters(is_text: bool) -> [(String, Holds); 4] {
        let names: Vec<_> = [3_u8, 5, 8]
            .map(|key| if is_text { format!("'{}'", key_name(key)) } else { key_number(key).to_string() })
            .into();
        [
            ("number < 50".to_owned(), |row| matches!(number(row.serial), Value::Int(n) if n < 50)),
            ("text == 'xxx' or flag == true".to_owned(), |row| {
                text(row.serial) == Value::Text("xxx".to_owned()) || row.serial.is_multiple_of(3)
            }),
            (format!("id in [{}]", names.join(", ")), |row| [3, 5, 8].contains(&row.key)),
            ("number is null and flag != true".to_owned(), |row| {
                number(row.serial) == Value::Null && !row.serial.is_multiple_of(3)
            }),
        ]
    }

    pub(crate) fn nearest(&self, query: &[f32], at: Timestamp, k: usize) -> Vec<u32> {
        let distance = |row: &u32| {
            let vector = vector(self.rows[*row as usize].serial)?;
            Some(query.iter().zip(vector).map(|(a, b)| (a - b) * (a - b)).sum::<f32>())
        };
        let mut all: Vec<(f32, u32)> =
            self.live(at).into_iter().filter_map(|row| Some((distance(&row)?, row))).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all.into_iter().take(k).map(|pair| pair.1).collect()
    }
}

pub(crate) fn number(serial: u64) -> Value {
    if serial.is_multiple_of(5) { Value::Null } else { Value::Int((serial % 100) as i64) }
}

pub(crate) fn text(serial: u64) -> Value {
    Value::Text("x".repeat((serial % 7) as usize))
}

/// Small whole numbers, so that distances are exact in any order of addition.
pub(crate) fn vector(serial: u64) -> Option<[f32; 4]> {
    (serial % 4 != 1).then(|| [1, 3, 7, 11].map(|factor| (serial * factor % 8) as f32 - 4.0))
}

pub(crate) fn key_number(key: u8) -> i64 {
    i64::from(key) * 7919 - 100_000
}

pub(crate) fn key_name(key: u8) -> String {
    format!("key number {key}")
}

pub(crate) fn schema(is_text: bool) -> Arc<Schema> {
    let key = if is_text { Type::VarChar } else { Type::Int64 };
    let nullable = |field: Field| Field { nullable: true, ..field };
    let fields = [
        Field::new("id", key).with_max_length(100).primary(),
        nullable(Field::new("number", Type::Int64)),
        Field::new("text", Type::VarChar).with_max_length(100),
        nullable(Field::new("vector", Type::FloatVector).with_dim(4)),
        Field::new("flag", Type::Bool),
    ];
    let numbered = fields.into_iter().zip(100..).map(|(field, id)| Field { id: FieldId(id), ..field });
    Arc::new(Schema { fields: numbered.collect(), ..Schema::default() })
}

fn key_column(names: impl Iterator<Item = u8>, is_text: bool) -> Column {
    match is_text {
        true => Column::from_texts(names.map(key_name)),
        false => Column::from_ints(names.map(key_number).collect()),
    }
}

pub(crate) fn keys(names: &[u8], is_text: bool) -> Keys {
    Keys::new(key_column(names.iter().copied(), is_text)).unwrap()
}

pub(crate) fn batch(rows: &[Row], is_text: bool) -> Batch {
    let column = |data_type, value: fn(u64) -> Value| {
        let mut builder = ColumnBuilder::new(data_type, 0);
        rows.iter().for_each(|row| builder.push(&value(row.serial)));
        builder.finish()
    };
    let mut vectors = ColumnBuilder::new(Type::FloatVector, 4);
    for row in rows {
        match vector(row.serial) {
            Some(values) => vectors.push_from(&Column::from_vectors(4, values.to_vec()).unwrap(), 0),
            None => vectors.push_null(),
        }
    }
    let columns = vec![
        key_column(rows.iter().map(|row| row.key), is_text),
        column(Type::Int64, number),
        column(Type::VarChar, text),
        vectors.finish(),
        column(Type::Bool, |serial| Value::Bool(serial.is_multiple_of(3))),
    ];
    Batch::new(rows.len(), columns).unwrap()
}
