//! What a new collection must be like. Every mistake in a schema is found here, and told with Milvus's words.

use crate::api::Properties;
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

/// Whether two schemas say the same but for the numbers of their fields, which depend on how a schema came about, and for
/// the dynamic field's default, which it has when it came later than the first rows.
pub(super) fn are_alike(a: &Schema, b: &Schema) -> bool {
    let plain = |schema: &Schema| {
        let mut schema = schema.clone();
        for field in &mut schema.fields {
            field.id = FieldId(0);
            if field.is_dynamic {
                *field = Field { id: FieldId(0), ..Field::dynamic() };
            }
        }
        for one in &mut schema.structs {
            (one.id, one.fields) = (FieldId(0), Vec::new());
        }
        schema
    };
    plain(a) == plain(b)
}

/// The most bytes of a collection's description.
const DESCRIPTION_BYTES_MAX: usize = 1024;
/// For how long rows are wanted, in seconds, and the largest number of them: a hundred years.
const TTL: &str = "collection.ttl.seconds";
const TTL_SECONDS_MAX: i64 = 3_155_760_000;
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
    clustering_key(fields)?;
    let length = schema.description.len();
    if length > DESCRIPTION_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the description of a collection should have at most {DESCRIPTION_BYTES_MAX} bytes, but has {length}"
        )));
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

fn clustering_key(fields: &[Field]) -> Result<(), Error> {
    let keys: Vec<&Field> = fields.iter().filter(|field| field.is_clustering_key).collect();
    match keys[..] {
        [] => Ok(()),
        [key] if key.data_type.is_vector() => Err(Error::new(
            ErrorKind::ClusteringKey,
            format!("vector clustering key not allowed[field={}]", key.name),
        )),
        [_] => Ok(()),
        [first, second, ..] => Err(Error::invalid(format!(
            "there are more than one clustering key, field name = {}, {}",
            first.name, second.name
        ))),
    }
}

/// Checks the properties of a collection that this engine knows.
pub(super) fn properties(properties: &Properties) -> Result<(), Error> {
    let Some((_, text)) = properties.iter().find(|(key, _)| key == TTL) else { return Ok(()) };
    let is_fine = text.trim().parse::<i64>().is_ok_and(|seconds| (-1..=TTL_SECONDS_MAX).contains(&seconds));
    if is_fine {
        return Ok(());
    }
    Err(Error::invalid(format!("collection TTL is out of range, expect [-1, {TTL_SECONDS_MAX}], got {text}")))
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
        (Type::VarChar, Value::Text(text)) if text.len() <= field.max_length => true,
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
        (Type::VarChar, Value::Text(text)) => {
            let (length, max) = (text.len(), field.max_length);
            return Err(Error::invalid(format!(
                "the default value of field {name} exceeds max length: the length ({length}) of string exceeds max length ({max})"
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
    fn a_time_to_live_is_a_number_of_seconds() {
        let of = |value: &str| properties(&vec![(TTL.to_owned(), value.to_owned())]);
        for value in ["-1", "0", "3155760000"] {
            assert!(of(value).is_ok(), "{value}");
        }
        for value in ["-2", "3155760001", "soon", ""] {
            assert!(of(value).unwrap_err().to_string().contains("TTL is out of range"), "{value}");
        }
    }

    #[test]
    fn numbers_of_fields_do_not_tell_schemas_apart() {
        let fields = vec![Field::new("id", Type::Int64).primary(), Field::dynamic()];
        let schema = Schema { fields, ..Schema::default() };
        let mut later = schema.clone();
        later.fields[1].id = FieldId(107);
        later.fields[1].default = Some(Value::Json("{}".into()));
        assert!(are_alike(&schema, &later));
        later.fields[0].description = "key".into();
        assert!(!are_alike(&schema, &later));
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
        let short = Field::new("t", Type::VarChar).with_max_length(2);
        let clustering = |name| Field { is_clustering_key: true, ..Field::new(name, Type::Int64) };
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
                vec![key(), vector(8), with(short, Value::Text("abc".into()))],
                "the length (3) of string exceeds max length (2)",
            ),
            (
                vec![key(), Field { is_clustering_key: true, ..vector(8) }],
                "vector clustering key not allowed[field=v]",
            ),
            (vec![key(), vector(8), clustering("x"), clustering("y")], "more than one clustering key"),
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
