//! Gives every field of the schema a column: defaults, nulls, an empty dynamic field, keys made by the system.

use super::check::Checked;
use crate::Error;
use crate::catalog::Collection;
use crate::time::Oracle;
use data::{Column, ColumnBuilder, Field, Keys, Type};

/// Takes the values of an auto-id key out of `checked`: they name rows to replace, new keys are made.
pub(crate) fn take_auto_keys(collection: &Collection, checked: &mut Checked) -> Result<Option<Keys>, Error> {
    let place = collection.schema.fields.iter().position(|field| field.is_primary && field.auto_id);
    let Some(column) = place.and_then(|place| checked.columns[place].take()) else { return Ok(None) };
    Keys::new(column).map(Some).ok_or_else(|| Error::invalid("primary key values must not be null"))
}

/// A full set of columns, in the schema's order.
pub(crate) fn columns(
    collection: &Collection,
    checked: Checked,
    oracle: &Oracle,
) -> Result<Vec<Column>, Error> {
    let Checked { rows, columns } = checked;
    let filled = collection.schema.fields.iter().zip(columns).map(|(field, column)| match column {
        Some(column) if column.null_count() == 0 => column,
        Some(column) => with_default(field, column),
        None if field.auto_id => auto_keys(field, rows, oracle),
        None => absent(field, rows),
    });
    Ok(filled.collect())
}

fn with_default(field: &Field, column: Column) -> Column {
    let Some(default) = &field.default else { return column };
    let mut builder = ColumnBuilder::like(&column);
    for row in 0..column.len() {
        if column.is_valid(row) {
            builder.push_from(&column, row);
        } else {
            builder.push(default);
        }
    }
    builder.finish()
}

/// The values of a field that no row brings: its default, an empty object, or nothing.
pub(crate) fn absent(field: &Field, rows: usize) -> Column {
    let mut builder = ColumnBuilder::of(field.kind());
    for _ in 0..rows {
        match &field.default {
            Some(default) => builder.push(default),
            None if field.is_dynamic => builder.push_bytes(b"{}"),
            None => builder.push_null(),
        }
    }
    builder.finish()
}

fn auto_keys(field: &Field, rows: usize, oracle: &Oracle) -> Column {
    let first = oracle.reserve(rows as u64).0 as i64;
    let keys = first..first + rows as i64;
    match field.data_type {
        Type::VarChar => Column::from_texts(keys.map(|key| key.to_string())),
        _ => Column::from_ints(keys.collect()),
    }
}
