//! What a new collection must be like. Every mistake in a schema is found here, and told with Milvus's words.

use crate::{Error, ErrorKind, Settings};
use data::{Field, FieldId, Name, NameKind, Schema, Struct, Type, Value, Zone};
use std::collections::HashSet;

/// A legal name of `kind`.
pub(crate) fn name(kind: NameKind, text: &str) -> Result<String, Error> {
    Name::new(kind, text).map(String::from).map_err(|error| match kind {
        NameKind::Field => {
            Error::new(ErrorKind::FieldName, format!("field name invalid[field={text}]: {error}"))
        }
        NameKind::Database => {
            Error::new(ErrorKind::DatabaseName, format!("invalid database name[database={text}]: {error}"))
        }
        NameKind::Collection | NameKind::Partition | NameKind::Index => Error::invalid(error),
    })
}

/// The most elements of an array.
pub(super) const ARRAY_CAPACITY_MAX: usize = 4096;

/// Checks a schema and numbers its fields. Moments without an offset are in `zone`.
pub(super) fn schema(mut schema: Schema, limits: &Settings, zone: &Zone) -> Result<Schema, Error> {
    for field in &mut schema.fields {
        read_default(field, zone)?;
    }
    let fields = &schema.fields;
    if fields.len() > limits.fields_max {
        return Err(Error::invalid(format!(
            "maximum field's number should be limited to {}",
            limits.fields_max
        )));
    }
    let vectors = fields.iter().filter(|field| field.element.unwrap_or(field.data_type).is_vector()).count();
    if vectors == 0 {
        return Err(Error::invalid("schema does not contain vector field"));
    }
    if vectors > limits.vector_fields_max {
        let max = limits.vector_fields_max;
        return Err(Error::invalid(format!("maximum vector field's number should be limited to {max}")));
    }
    let mut names = HashSet::new();
    let structs = schema.structs.iter().map(|one| one.name.as_str());
    let all = fields.iter().map(|field| field.name.as_str()).chain(structs);
    for one in all {
        if !names.insert(one) {
            return Err(Error::invalid(format!("duplicated field name {one}")));
        }
    }
    for one in fields {
        let parent = schema.structs.iter().find(|parent| parent.sub_name(&one.name).is_some());
        field(one, parent, limits)?;
    }
    for one in &schema.structs {
        structure(one, fields)?;
    }
    primary(&schema)?;
    let partition_keys: Vec<&Field> = fields.iter().filter(|field| field.is_partition_key).collect();
    match partition_keys[..] {
        [] => {}
        [key] if key.is_primary => {
            return Err(Error::invalid("the partition key field must not be primary field"));
        }
        [key] if !key.data_type.is_key() => {
            return Err(Error::invalid("the data type of partition key should be Int64 or VarChar"));
        }
        [key] if key.nullable => return Err(Error::invalid("partition key field not support nullable")),
        [_] => {}
        _ => return Err(Error::invalid("there are more than one partition key")),
    }
    for (place, field) in (FieldId::FIRST.0..).zip(&mut schema.fields) {
        field.id = FieldId(place);
    }
    let first = FieldId::FIRST.0 + schema.fields.len() as i64;
    for (id, one) in (first..).zip(&mut schema.structs) {
        one.id = FieldId(id);
        one.fields = sub_fields(one, &schema.fields);
    }
    Ok(schema)
}

/// The numbers of the fields that are parts of `one` by their names.
pub(super) fn sub_fields(one: &Struct, fields: &[Field]) -> Vec<FieldId> {
    fields.iter().filter(|field| one.sub_name(&field.name).is_some()).map(|field| field.id).collect()
}

/// Checks an array of structs, whose sub-fields are among `fields`.
pub(super) fn structure(one: &Struct, fields: &[Field]) -> Result<(), Error> {
    name(NameKind::Field, &one.name)?;
    capacity(&one.name, one.max_capacity)?;
    let mut parts = fields.iter().filter(|field| one.sub_name(&field.name).is_some()).peekable();
    if parts.peek().is_none() {
        return Err(Error::invalid(format!(
            "struct array field {} should have one sub-field at least",
            one.name
        )));
    }
    for part in parts {
        if part.max_capacity != one.max_capacity {
            let (want, got) = (one.max_capacity, part.max_capacity);
            return Err(Error::expected(
                format!("max_capacity of sub-field {} differs from that of its struct", part.name),
                want,
                got,
            ));
        }
    }
    Ok(())
}

fn capacity(name: &str, capacity: usize) -> Result<(), Error> {
    let max = ARRAY_CAPACITY_MAX;
    if (1..=max).contains(&capacity) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the maximum capacity specified for a Array should be in (0, {max}], but got {capacity}, field: {name}"
    )))
}

fn primary(schema: &Schema) -> Result<(), Error> {
    let mut keys = schema.fields.iter().filter(|field| field.is_primary);
    let Some(key) = keys.next() else {
        return Err(Error::new(ErrorKind::Missing, "primary key is not specified: missing parameter"));
    };
    if let Some(second) = keys.next() {
        return Err(Error::invalid(format!(
            "there are more than one primary key, field name = {}, {}",
            key.name, second.name
        )));
    }
    if !key.data_type.is_key() {
        return Err(Error::invalid("the data type of primary key should be Int64 or VarChar"));
    }
    if key.nullable || key.default.is_some() {
        return Err(Error::invalid("primary field not support nullable or default_value"));
    }
    Ok(())
}

/// Checks a field, of a struct or on its own.
pub(super) fn field(field: &Field, parent: Option<&Struct>, limits: &Settings) -> Result<(), Error> {
    if !field.is_dynamic {
        let own = parent.and_then(|parent| parent.sub_name(&field.name)).unwrap_or(&field.name);
        name(NameKind::Field, own)?;
    }
    if field.auto_id && !field.is_primary {
        return Err(Error::invalid("only primary field can speficy AutoID with true"));
    }
    let one = field.element.unwrap_or(field.data_type);
    match one {
        Type::FloatVector | Type::Float16Vector | Type::BFloat16Vector | Type::Int8Vector => {
            dim(field.dim, (2, limits.dim_max))?;
        }
        Type::BinaryVector => {
            dim(field.dim, (8, limits.dim_max * 8))?;
            if !field.dim.is_multiple_of(8) {
                let dim = field.dim;
                return Err(Error::invalid(format!("invalid dimension: {dim}. should be multiple of 8.")));
            }
        }
        Type::VarChar => {
            let (length, max) = (field.max_length, limits.varchar_bytes_max);
            if !(1..=max).contains(&length) {
                let name = &field.name;
                return Err(Error::invalid(format!(
                    "the maximum length specified for the field({name}) should be in (0, {max}], but got {length} instead"
                )));
            }
        }
        Type::Bool | Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => {}
        Type::Float | Type::Double | Type::Json | Type::Text => {}
        Type::Timestamptz | Type::Geometry | Type::SparseVector | Type::Array => {}
    }
    if field.data_type == Type::Array {
        element(field, parent.is_some())?;
    }
    if parent.is_some() && (field.data_type != Type::Array || field.is_primary || field.is_partition_key) {
        let name = &field.name;
        return Err(Error::invalid(format!(
            "fields in a struct array can only be array or array of vectors, field: {name}"
        )));
    }
    default(field)
}

fn dim(dim: usize, (min, max): (usize, usize)) -> Result<(), Error> {
    if (min..=max).contains(&dim) {
        return Ok(());
    }
    Err(Error::invalid(format!("invalid dimension: {dim}. should be in range {min} ~ {max}")))
}

fn element(field: &Field, in_struct: bool) -> Result<(), Error> {
    capacity(&field.name, field.max_capacity)?;
    match field.element {
        Some(element) if element.is_element() || (in_struct && element.is_dense()) => Ok(()),
        Some(element) => {
            let name = &field.name;
            Err(Error::invalid(format!("element type {element:?} is not supported, field: {name}")))
        }
        None => Err(Error::invalid(format!("element type of array field {} is missing", field.name))),
    }
}

/// Turns the default of a field of moments into one.
pub(super) fn read_default(field: &mut Field, zone: &Zone) -> Result<(), Error> {
    if let (Type::Timestamptz, Some(Value::Text(text))) = (field.data_type, &field.default) {
        let wrong = |error| Error::invalid(format!("the default value of field {}: {error}", field.name));
        field.default = Some(Value::Int(zone.parse(text).map_err(wrong)?));
    }
    Ok(())
}

fn default(field: &Field) -> Result<(), Error> {
    let Some(value) = &field.default else { return Ok(()) };
    let (name, data_type) = (&field.name, field.data_type);
    let fits = match (data_type, value) {
        (Type::Bool, Value::Bool(_)) => true,
        (Type::Float | Type::Double, Value::Double(number)) => number.is_finite(),
        (Type::VarChar, Value::Text(text)) => text.len() <= field.max_length,
        (Type::Geometry, Value::Text(text)) => data::Shape::from_wkt(text).is_ok(),
        (Type::Timestamptz, Value::Int(_)) => true,
        (Type::Json | Type::Array | Type::Text, _) => {
            return Err(Error::invalid(format!(
                "type not support default_value, type:{data_type:?}, name:{name}"
            )));
        }
        (data_type, _) if data_type.is_vector() => {
            return Err(Error::invalid(format!(
                "type not support default_value, type:{data_type:?}, name:{name}"
            )));
        }
        (t, Value::Int(n)) => t.integer_range().is_some_and(|(low, high)| (low..=high).contains(n)),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!("the default value of field {name} does not fit its type {data_type:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: Vec<Field>) -> String {
        let limits = Settings::default();
        match schema(Schema { fields, ..Schema::default() }, &limits, &Zone::default()) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn schemas() {
        let key = || Field::new("id", Type::Int64).primary();
        let vector = |dim| Field::new("v", Type::FloatVector).with_dim(dim);
        let array = |element, capacity| Field::new("a", Type::Array).with_elements(element, capacity);
        let with = |field: Field, default| Field { default: Some(default), ..field };
        assert_eq!(check(vec![key(), vector(8)]), "ok");
        assert_eq!(check(vec![key(), Field::new("s", Type::SparseVector), array(Type::Bool, 4096)]), "ok");
        let nullable = Field { nullable: true, ..vector(8) };
        let moment = with(Field::new("t", Type::Timestamptz), Value::Text("2025-01-01T00:00:00Z".into()));
        let place = with(Field::new("g", Type::Geometry), Value::Text("POINT (1 2)".into()));
        assert_eq!(check(vec![key(), nullable, moment, place, Field::new("w", Type::Text)]), "ok");
        let cases = [
            (vec![key()], "schema does not contain vector field"),
            (vec![vector(8)], "primary key is not specified"),
            (vec![key(), vector(1)], "invalid dimension: 1. should be in range 2 ~ 32768"),
            (vec![key(), vector(40_000)], "invalid dimension: 40000. should be in range 2 ~ 32768"),
            (vec![key(), vector(8), vector(8)], "duplicated field name v"),
            (vec![Field::new("id", Type::Float).primary(), vector(8)], "should be Int64 or VarChar"),
            (vec![key(), vector(8), Field::new("t", Type::VarChar)], "should be in (0, 65535], but got 0"),
            (vec![key(), vector(8), Field::new("1t", Type::Int8)], "field name invalid[field=1t]"),
            (vec![key(), Field::new("b", Type::BinaryVector).with_dim(12)], "should be multiple of 8"),
            (vec![key(), Field::new("h", Type::Float16Vector).with_dim(1)], "should be in range 2 ~ 32768"),
            (vec![key(), vector(8), array(Type::Int8, 0)], "should be in (0, 4096], but got 0"),
            (vec![key(), vector(8), array(Type::Int8, 4097)], "should be in (0, 4096], but got 4097"),
            (vec![key(), vector(8), array(Type::Json, 4)], "element type Json is not supported"),
            (
                vec![key(), vector(8), array(Type::FloatVector, 4).with_dim(4)],
                "element type FloatVector is not",
            ),
            (vec![key(), vector(8), array(Type::VarChar, 4)], "should be in (0, 65535], but got 0"),
            (vec![key(), with(vector(8), Value::Int(1))], "type not support default_value, type:FloatVector"),
            (
                vec![key(), vector(8), with(Field::new("j", Type::Json), Value::Int(1))],
                "type not support default_value",
            ),
            (
                vec![key(), vector(8), with(Field::new("g", Type::Geometry), Value::Text("x".into()))],
                "does not fit",
            ),
            (
                vec![key(), vector(8), with(Field::new("t", Type::Timestamptz), Value::Text("x".into()))],
                "invalid timestamptz",
            ),
        ];
        for (fields, want) in cases {
            let got = check(fields);
            assert!(got.contains(want), "{got:?} should contain {want:?}");
        }
    }
}
