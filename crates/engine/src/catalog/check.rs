//! What a new collection must be like. Every mistake in a schema is found here, and told with Milvus's words.

use crate::{Error, ErrorKind, Settings};
use data::{Field, FieldId, Name, NameKind, Schema, Type, Value};
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

/// Checks a schema and numbers its fields.
pub(crate) fn schema(mut schema: Schema, limits: &Settings) -> Result<Schema, Error> {
    let fields = &schema.fields;
    if fields.len() > limits.fields_max {
        return Err(Error::invalid(format!(
            "maximum field's number should be limited to {}",
            limits.fields_max
        )));
    }
    let vectors = schema.vectors().count();
    if vectors == 0 {
        return Err(Error::invalid("schema does not contain vector field"));
    }
    if vectors > limits.vector_fields_max {
        let max = limits.vector_fields_max;
        return Err(Error::invalid(format!("maximum vector field's number should be limited to {max}")));
    }
    let mut names = HashSet::new();
    for one in fields {
        field(one, limits)?;
        if !names.insert(one.name.as_str()) {
            return Err(Error::invalid(format!("duplicated field name {}", one.name)));
        }
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
    Ok(schema)
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

fn field(field: &Field, limits: &Settings) -> Result<(), Error> {
    if !field.is_dynamic {
        name(NameKind::Field, &field.name)?;
    }
    if field.auto_id && !field.is_primary {
        return Err(Error::invalid("only primary field can speficy AutoID with true"));
    }
    match field.data_type {
        Type::FloatVector => {
            let (dim, max) = (field.dim, limits.dim_max);
            if !(2..=max).contains(&dim) {
                return Err(Error::invalid(format!(
                    "invalid dimension: {dim}. should be in range 2 ~ {max}"
                )));
            }
        }
        Type::BinaryVector => {
            let (dim, max) = (field.dim, limits.dim_max * 8);
            if !(8..=max).contains(&dim) {
                return Err(Error::invalid(format!(
                    "invalid dimension: {dim}. should be in range 8 ~ {max}"
                )));
            }
            if dim % 8 != 0 {
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
        Type::Float | Type::Double | Type::Json => {}
        Type::Text | Type::Timestamptz | Type::Geometry | Type::Array => return Err(not_yet(field)),
        Type::Float16Vector | Type::BFloat16Vector | Type::Int8Vector => return Err(not_yet(field)),
        Type::SparseVector => return Err(not_yet(field)),
    }
    if field.nullable && field.data_type.is_vector() {
        return Err(Error::invalid(format!("vector type not support null, field: {}", field.name)));
    }
    default(field)
}

fn not_yet(field: &Field) -> Error {
    let (name, data_type) = (&field.name, field.data_type);
    Error::new(
        ErrorKind::Unsupported,
        format!("fields of type {data_type:?} are not supported yet, field: {name}"),
    )
}

fn default(field: &Field) -> Result<(), Error> {
    let Some(value) = &field.default else { return Ok(()) };
    let fits = match (field.data_type, value) {
        (Type::Bool, Value::Bool(_)) | (Type::Float | Type::Double, Value::Double(_)) => true,
        (Type::VarChar, Value::Text(text)) => text.len() <= field.max_length,
        (t, Value::Int(n)) => t.integer_range().is_some_and(|(low, high)| (low..=high).contains(n)),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let (name, data_type) = (&field.name, field.data_type);
    Err(Error::invalid(format!("the default value of field {name} does not fit its type {data_type:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: Vec<Field>) -> String {
        let limits = Settings::default();
        match schema(Schema { fields, ..Schema::default() }, &limits) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn schemas() {
        let key = || Field::new("id", Type::Int64).primary();
        let vector = |dim| Field::new("v", Type::FloatVector).with_dim(dim);
        assert_eq!(check(vec![key(), vector(8)]), "ok");
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
        ];
        for (fields, want) in cases {
            let got = check(fields);
            assert!(got.contains(want), "{got:?} should contain {want:?}");
        }
    }
}
