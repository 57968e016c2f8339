//! Some fields of rows that are there already: the rest comes from the rows as they are. To be called while nobody else
//! writes to the collection.

use super::check::{self, Checked};
use super::{Prepared, batch, fill, prepared, route};
use crate::Error;
use crate::api::{FieldOp, Update};
use crate::catalog::Collection;
use crate::find::Current;
use crate::node::Node;
use crate::record::Deletes;
use data::{Column, ColumnBuilder, Field, Keys, Type, Values, Zone};
use std::collections::HashSet;
use std::sync::Arc;

/// Makes a record of changed rows.
pub(crate) fn update(
    node: &Node,
    collection: &Arc<Collection>,
    update: Update,
    zone: &Zone,
) -> Result<Prepared, Error> {
    let partition = route::named(collection, &update.rows.partition)?;
    check_ops(collection, &update)?;
    let mut checked = check::some_columns(collection, update.rows, &node.settings, zone)?;
    let keys = keys_of(collection, &checked)?;
    let current = Current::of(node, collection, partition, &keys)?;
    for (place, field) in collection.schema.fields.iter().enumerate() {
        if field.is_primary {
            continue;
        }
        let op = update.ops.iter().find(|(name, _)| *name == field.name).map(|(_, op)| *op);
        let made = match (checked.columns[place].take(), op) {
            (Some(new), Some(op)) => changed(field, &current.column(field)?, &new, op)?,
            (Some(new), None) if field.is_dynamic => merged(field, &current.column(field)?, &new)?,
            // What was checked when it came, now or then, is not checked again.
            (new, _) => {
                checked.columns[place] = match new {
                    Some(new) => Some(new),
                    None => kept(field, &current, checked.rows)?,
                };
                continue;
            }
        };
        check::made(field, &made, &node.settings)?;
        checked.columns[place] = Some(made);
    }
    let replaced = fill::take_auto_keys(collection, &mut checked)?;
    let columns = fill::columns(collection, checked, &node.oracle)?;
    let (batch, keys) = batch(collection, columns)?;
    let deletes = Deletes { partition, keys: replaced.unwrap_or_else(|| keys.clone()) };
    let inserts = route::partitions(collection, partition, batch);
    Ok(prepared(collection, Some(deletes), inserts, keys))
}

fn check_ops(collection: &Collection, update: &Update) -> Result<(), Error> {
    for (name, op) in &update.ops {
        let field = collection.schema.field(name).ok_or_else(|| Error::field_not_found(name))?;
        let in_struct = collection.schema.structure_of(field.id).is_some();
        if field.data_type != Type::Array || in_struct {
            return Err(Error::invalid(format!(
                "field op {op:?} is only for array fields, field {name} is none"
            )));
        }
        if !update.rows.columns.iter().any(|column| column.name == *name) {
            return Err(Error::invalid(format!("field op {op:?} on field {name}, which has no data")));
        }
    }
    Ok(())
}

fn keys_of(collection: &Collection, checked: &Checked) -> Result<Keys, Error> {
    let place = collection.schema.fields.iter().position(|field| field.is_primary);
    let column = place.and_then(|place| checked.columns[place].clone());
    let column =
        column.ok_or_else(|| Error::invalid("a partial update needs the primary key of every row"))?;
    let keys = Keys::new(column).ok_or_else(|| Error::invalid("primary key values must not be null"))?;
    let mut seen = HashSet::with_capacity(keys.len());
    let twice = keys.iter().find(|key| !seen.insert(*key)).map(|key| key.to_key());
    drop(seen);
    match twice {
        Some(key) => {
            Err(Error::invalid(format!("duplicate primary keys are not allowed in the same batch: {key}")))
        }
        None => Ok(keys),
    }
}

/// What a field keeps that is not to be changed; `None` leaves it to defaults.
fn kept(field: &Field, current: &Current, rows: usize) -> Result<Option<Column>, Error> {
    let column = current.column(field)?;
    let lacks = (0..rows).any(|row| !current.has(row));
    if lacks && !field.nullable && field.default.is_none() && !field.is_dynamic {
        let name = &field.name;
        return Err(Error::invalid(format!(
            "fieldSchema({name}) has no corresponding fieldData pass in: field {name} not passed, and not all keys have a row to keep it from"
        )));
    }
    if !lacks {
        return Ok(Some(column));
    }
    // New rows have what an insert would give them.
    let absent = fill::absent(field, 1);
    let mut builder = ColumnBuilder::of(field.kind());
    for row in 0..rows {
        if current.has(row) { builder.push_from(&column, row) } else { builder.push_from(&absent, 0) }
    }
    Ok(Some(builder.finish()))
}

/// Arrays after `op`. An absent array counts as empty, unless nothing is added to it.
fn changed(field: &Field, old: &Column, new: &Column, op: FieldOp) -> Result<Column, Error> {
    let (Values::Array(before), Values::Array(given)) = (old.values(), new.values()) else {
        return Err(Error::internal(format!("field {} holds no arrays", field.name)));
    };
    let mut builder = ColumnBuilder::of(field.kind());
    for row in 0..new.len() {
        if !new.is_valid(row) || (!old.is_valid(row) && op == FieldOp::Remove) {
            builder.push_from(old, row);
            continue;
        }
        let (before, given) = (before.get(row), given.get(row));
        let mut items = ColumnBuilder::like(&before);
        match op {
            FieldOp::Append => {
                items.extend_from(&before);
                items.extend_from(&given);
            }
            FieldOp::Remove => {
                let stays = |item: &usize| !(0..given.len()).any(|gone| before.same(*item, &given, gone));
                (0..before.len()).filter(stays).for_each(|item| items.push_from(&before, item));
            }
        }
        builder.push_items(&items.finish());
    }
    Ok(builder.finish())
}

/// Dynamic fields: the keys given take the place of those there, the others stay.
fn merged(field: &Field, old: &Column, new: &Column) -> Result<Column, Error> {
    type Object = std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>;
    let (Values::Json(before), Values::Json(given)) = (old.values(), new.values()) else {
        return Err(Error::internal("the dynamic field holds no JSON"));
    };
    let wrong =
        |error: serde_json::Error| Error::internal(format!("a dynamic row that was checked: {error}"));
    let mut builder = ColumnBuilder::of(field.kind());
    for row in 0..new.len() {
        let mut object = if old.is_valid(row) {
            serde_json::from_str::<Object>(before.text(row)).map_err(wrong)?
        } else {
            Object::new()
        };
        if new.is_valid(row) {
            object.extend(serde_json::from_str::<Object>(given.text(row)).map_err(wrong)?);
        }
        builder.push_bytes(&serde_json::to_vec(&object).map_err(wrong)?);
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::{Kind, Value};

    #[test]
    fn arrays_grow_and_shrink() {
        let list = |values: &[i64]| Value::List(values.iter().copied().map(Value::Int).collect());
        let column = |values: &[Value]| {
            let mut builder = ColumnBuilder::of(Kind::array(Type::Int32, 0));
            values.iter().for_each(|value| builder.push(value));
            builder.finish()
        };
        let field = Field::new("a", Type::Array).with_elements(Type::Int32, 9);
        let old = column(&[list(&[1, 2, 1]), Value::Null, list(&[3])]);
        let new = column(&[list(&[1, 5]), list(&[7]), Value::Null]);
        let after = changed(&field, &old, &new, FieldOp::Append).unwrap();
        assert_eq!(after, column(&[list(&[1, 2, 1, 1, 5]), list(&[7]), list(&[3])]));
        let after = changed(&field, &old, &new, FieldOp::Remove).unwrap();
        assert_eq!(after, column(&[list(&[2]), Value::Null, list(&[3])]));
    }

    #[test]
    fn dynamic_rows_are_merged_by_key() {
        let column = |texts: &[&str]| {
            let mut builder = ColumnBuilder::new(Type::Json, 0);
            texts.iter().for_each(|text| builder.push_bytes(text.as_bytes()));
            builder.finish()
        };
        let big = "{\"a\":12345678901234567890,\"b\":[1]}";
        let after = merged(&Field::dynamic(), &column(&[big, "{}"]), &column(&["{\"b\":2}", "{\"c\":null}"]))
            .unwrap();
        assert_eq!(after, column(&["{\"a\":12345678901234567890,\"b\":2}", "{\"c\":null}"]));
    }
}
