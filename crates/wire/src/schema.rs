//! Schemas as messages and as the database's own.
//!
//! Invariant: what this file does not understand is refused by name, never dropped; what users set and this server
//! only keeps (`mmap.enabled` ...) comes back unchanged.

use crate::proto::schema::value_field::Data;
use crate::proto::schema::{CollectionSchema, DataType, FieldSchema, StructArrayFieldSchema, ValueField};
use crate::{Error, params};
use data::{Field, FieldId, Schema, Struct, Type, Value, Zone};

const DIM: &str = "dim";
const MAX_LENGTH: &str = "max_length";
const MAX_CAPACITY: &str = "max_capacity";

/// A collection's schema with what else its message holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The collection's name.
    pub name: String,
    /// The fields; `$meta` is last when there is a dynamic field. Ids are zero; structs have their sub-fields by name only.
    pub schema: Schema,
    /// Properties sent with the schema.
    pub properties: params::Params,
}

/// Reads the bytes of a `CollectionSchema`.
///
/// # Errors
/// When the bytes are no such message, or hold a type or a function this server does not know.
pub fn decode(bytes: impl bytes::Buf) -> Result<Decoded, Error> {
    let message: CollectionSchema = crate::error::decode("the collection schema", bytes)?;
    if !message.functions.is_empty() {
        return Err(Error::Unsupported { what: "functions" });
    }
    if !message.external_source.is_empty() {
        return Err(Error::Unsupported { what: "external collections" });
    }
    #[expect(deprecated, reason = "old clients set it here")]
    let auto_id = message.auto_id;
    let mut fields = Vec::with_capacity(message.fields.len() + 1);
    let mut has_dynamic = message.enable_dynamic_field;
    for field in message.fields {
        if field.is_dynamic {
            has_dynamic = true;
            continue;
        }
        let mut field = decode_field(field)?;
        field.auto_id |= auto_id && field.is_primary;
        fields.push(field);
    }
    let mut structs = Vec::with_capacity(message.struct_array_fields.len());
    for message in message.struct_array_fields {
        let (one, sub_fields) = decode_struct(message)?;
        structs.push(one);
        fields.extend(sub_fields);
    }
    if has_dynamic {
        fields.push(Field::dynamic());
    }
    let schema = Schema { description: message.description, fields, structs };
    Ok(Decoded { name: message.name, schema, properties: params::decode(message.properties) })
}

/// Reads one field.
///
/// # Errors
/// When its type is not known here, or its dimension, length or default is not what the type needs.
pub fn decode_field(message: FieldSchema) -> Result<Field, Error> {
    let name = message.name;
    let data_type = decode_type(&name, message.data_type)?;
    if message.is_function_output {
        return Err(Error::Unsupported { what: "function output fields" });
    }
    let mut settings = params::decode(message.type_params);
    let element = take_element(&name, data_type, message.element_type)?;
    let one = element.unwrap_or(data_type);
    let dim = take_dim(&name, one, &mut settings)?;
    let max_length = take_max_length(&name, one, &mut settings)?;
    let max_capacity = take_max_capacity(&name, data_type, &mut settings)?;
    let default =
        message.default_value.and_then(|value| value.data).map(|value| decode_value(&name, data_type, value));
    Ok(Field {
        description: message.description,
        dim,
        max_length,
        element,
        max_capacity,
        is_primary: message.is_primary_key,
        auto_id: message.auto_id,
        nullable: message.nullable,
        default: default.transpose()?,
        is_partition_key: message.is_partition_key,
        is_clustering_key: message.is_clustering_key,
        params: settings.into_iter().collect(),
        ..Field::new(&name, data_type)
    })
}

/// Reads the bytes of a `FieldSchema`.
///
/// # Errors
/// When the bytes are no field, or as [`decode_field`].
pub fn decode_field_bytes(bytes: impl bytes::Buf) -> Result<Field, Error> {
    decode_field(crate::error::decode("the field schema", bytes)?)
}

/// Reads an array of structs and its sub-fields, which are called `struct[sub]`.
///
/// # Errors
/// When a sub-field is no array, or as [`decode_field`].
pub fn decode_struct(message: StructArrayFieldSchema) -> Result<(Struct, Vec<Field>), Error> {
    let name = message.name;
    let mut settings = params::decode(message.type_params);
    let mut max_capacity = params::take_number(&mut settings, MAX_CAPACITY)?;
    let mut fields = Vec::with_capacity(message.fields.len());
    for sub_field in message.fields {
        let data_type = decode_type(&sub_field.name, sub_field.data_type)?;
        if data_type != Type::Array {
            let kind = encode_type(data_type).as_str_name();
            let kind = format!("{kind} inside of a struct, where Array or ArrayOfVector is expected");
            return Err(Error::Type { field: sub_field.name, kind });
        }
        let mut field = decode_field(sub_field)?;
        max_capacity = max_capacity.or(Some(field.max_capacity));
        if !(field.name.starts_with(&format!("{name}[")) && field.name.ends_with(']')) {
            field.name = Struct::field_name(&name, &field.name);
        }
        field.nullable |= message.nullable;
        fields.push(field);
    }
    let (description, nullable) = (message.description, message.nullable);
    let missing = || {
        let what = format!("type param(max_capacity) should be specified for the field({name})");
        Error::Missing { what, param: MAX_CAPACITY }
    };
    let max_capacity = max_capacity.ok_or_else(missing)?;
    let params = settings.into_iter().collect();
    Ok((
        Struct { id: FieldId(0), name, description, max_capacity, nullable, fields: Vec::new(), params },
        fields,
    ))
}

fn take_element(field: &str, data_type: Type, element: i32) -> Result<Option<Type>, Error> {
    if data_type != Type::Array {
        return Ok(None);
    }
    let element = decode_type(field, element)?;
    if !element.is_element() && !element.is_dense() {
        let kind = format!("Array of {}", encode_type(element).as_str_name());
        return Err(Error::Type { field: field.to_owned(), kind });
    }
    Ok(Some(element))
}

fn take_max_capacity(field: &str, data_type: Type, settings: &mut params::Params) -> Result<usize, Error> {
    if data_type != Type::Array {
        return Ok(0);
    }
    let what = || format!("type param(max_capacity) should be specified for the field({field})");
    params::take_number(settings, MAX_CAPACITY)?
        .ok_or_else(|| Error::Missing { what: what(), param: MAX_CAPACITY })
}

fn take_dim(field: &str, data_type: Type, settings: &mut params::Params) -> Result<usize, Error> {
    if data_type == Type::SparseVector
        && let Some(dim) = params::take(settings, DIM)
    {
        let why = "dim should not be specified for sparse vector field";
        return Err(Error::Dim { field: field.to_owned(), dim, why });
    }
    if !data_type.is_dense() {
        return Ok(0);
    }
    let Some(text) = params::take(settings, DIM) else {
        return Err(Error::Missing {
            what: format!("dimension is not defined in field type params of field {field}"),
            param: DIM,
        });
    };
    let why = "should be a whole number";
    text.trim().parse().map_err(|_| Error::Dim { field: field.to_owned(), dim: text, why })
}

fn take_max_length(field: &str, data_type: Type, settings: &mut params::Params) -> Result<usize, Error> {
    if data_type != Type::VarChar {
        return Ok(0);
    }
    let what = || format!("type param(max_length) should be specified for the field({field})");
    params::take_number(settings, MAX_LENGTH)?
        .ok_or_else(|| Error::Missing { what: what(), param: MAX_LENGTH })
}

/// The type with number `number` in the contract.
pub(crate) fn decode_type(field: &str, number: i32) -> Result<Type, Error> {
    let known = DataType::try_from(number).ok();
    let ours = match known {
        Some(DataType::Bool) => Type::Bool,
        Some(DataType::Int8) => Type::Int8,
        Some(DataType::Int16) => Type::Int16,
        Some(DataType::Int32) => Type::Int32,
        Some(DataType::Int64) => Type::Int64,
        Some(DataType::Float) => Type::Float,
        Some(DataType::Double) => Type::Double,
        Some(DataType::VarChar) => Type::VarChar,
        Some(DataType::Json) => Type::Json,
        Some(DataType::Text) => Type::Text,
        Some(DataType::Timestamptz) => Type::Timestamptz,
        Some(DataType::Geometry) => Type::Geometry,
        Some(DataType::Array | DataType::ArrayOfVector) => Type::Array,
        Some(DataType::FloatVector) => Type::FloatVector,
        Some(DataType::BinaryVector) => Type::BinaryVector,
        Some(DataType::Float16Vector) => Type::Float16Vector,
        Some(DataType::BFloat16Vector) => Type::BFloat16Vector,
        Some(DataType::Int8Vector) => Type::Int8Vector,
        Some(DataType::SparseFloatVector) => Type::SparseVector,
        Some(DataType::String) => {
            let kind = "String (please use VarChar instead)".to_owned();
            return Err(Error::Type { field: field.to_owned(), kind });
        }
        _ => {
            let kind = known.map_or_else(|| number.to_string(), |known| known.as_str_name().to_owned());
            return Err(Error::Type { field: field.to_owned(), kind });
        }
    };
    Ok(ours)
}

/// The number of a type in the contract.
pub fn encode_type(data_type: Type) -> DataType {
    match data_type {
        Type::Bool => DataType::Bool,
        Type::Int8 => DataType::Int8,
        Type::Int16 => DataType::Int16,
        Type::Int32 => DataType::Int32,
        Type::Int64 => DataType::Int64,
        Type::Float => DataType::Float,
        Type::Double => DataType::Double,
        Type::VarChar => DataType::VarChar,
        Type::Json => DataType::Json,
        Type::Text => DataType::Text,
        Type::Timestamptz => DataType::Timestamptz,
        Type::Geometry => DataType::Geometry,
        Type::Array => DataType::Array,
        Type::FloatVector => DataType::FloatVector,
        Type::BinaryVector => DataType::BinaryVector,
        Type::Float16Vector => DataType::Float16Vector,
        Type::BFloat16Vector => DataType::BFloat16Vector,
        Type::Int8Vector => DataType::Int8Vector,
        Type::SparseVector => DataType::SparseFloatVector,
    }
}

/// The number of a field's type in the contract: arrays of vectors have one of their own.
pub fn encode_type_of(field: &Field) -> DataType {
    match field.element {
        Some(element) if field.data_type == Type::Array && element.is_vector() => DataType::ArrayOfVector,
        _ => encode_type(field.data_type),
    }
}

fn decode_value(field: &str, data_type: Type, value: Data) -> Result<Value, Error> {
    let (value, actual) = match value {
        Data::BoolData(value) => (Value::Bool(value), "Bool"),
        Data::IntData(value) => (Value::Int(value.into()), "Int32"),
        Data::LongData(value) => (Value::Int(value), "Int64"),
        Data::FloatData(value) => (Value::Double(value.into()), "Float"),
        Data::DoubleData(value) => (Value::Double(value), "Double"),
        Data::StringData(value) => (Value::Text(value), "VarChar"),
        Data::BytesData(value) => (Value::Json(String::from_utf8_lossy(&value).into_owned()), "JSON"),
        Data::TimestamptzData(value) => (Value::Int(value), "Timestamptz"),
        Data::DateData(_) | Data::TimeData(_) => (Value::Null, "a time"),
    };
    let fits = match (&value, data_type) {
        (Value::Bool(_), Type::Bool) | (Value::Json(_), Type::Json) => true,
        (Value::Text(_), Type::VarChar | Type::Text | Type::Timestamptz | Type::Geometry) => true,
        (Value::Int(_), _) => data_type.is_integer() || data_type == Type::Timestamptz,
        (Value::Double(_), Type::Float | Type::Double) => true,
        _ => false,
    };
    if !fits {
        let kind = encode_type(data_type).as_str_name();
        return Err(Error::Payload { field: format!("{field} (its default value)"), kind, actual });
    }
    if let (Value::Int(value), Some((low, high))) = (&value, data_type.integer_range())
        && !(low..=high).contains(value)
    {
        let kind = encode_type(data_type).as_str_name();
        return Err(Error::Range { field: field.to_owned(), kind, value: *value, low, high });
    }
    Ok(value)
}

/// The schema as a message: without `$meta`, which only sets the flag. Moments are texts in `zone`.
pub fn encode(name: &str, schema: &Schema, version: u32, zone: &Zone) -> CollectionSchema {
    let plain = |field: &&Field| !field.is_dynamic && schema.structure_of(field.id).is_none();
    CollectionSchema {
        name: name.to_owned(),
        description: schema.description.clone(),
        fields: schema.fields.iter().filter(plain).map(|field| encode_field(field, zone)).collect(),
        struct_array_fields: schema.structs.iter().map(|one| encode_struct(one, schema, zone)).collect(),
        enable_dynamic_field: schema.dynamic().is_some(),
        version: i32::try_from(version).unwrap_or(i32::MAX),
        ..CollectionSchema::default()
    }
}

fn encode_struct(one: &Struct, schema: &Schema, zone: &Zone) -> StructArrayFieldSchema {
    let bare = |field: &Field| {
        let name = one.sub_name(&field.name).unwrap_or(&field.name).to_owned();
        FieldSchema { name, ..encode_field(field, zone) }
    };
    let fields = one.fields.iter().filter_map(|id| schema.field_by_id(*id));
    let settings = params::encode(one.params.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    StructArrayFieldSchema {
        field_id: one.id.0,
        name: one.name.clone(),
        description: one.description.clone(),
        fields: fields.map(bare).collect(),
        type_params: settings,
        nullable: one.nullable,
    }
}

/// One field as a message. Moments are texts in `zone`.
pub fn encode_field(field: &Field, zone: &Zone) -> FieldSchema {
    let mut type_params = Vec::new();
    let one = field.element.unwrap_or(field.data_type);
    if one.is_dense() {
        type_params.push(params::pair(DIM, field.dim.to_string()));
    }
    if one == Type::VarChar {
        type_params.push(params::pair(MAX_LENGTH, field.max_length.to_string()));
    }
    if field.data_type == Type::Array {
        type_params.push(params::pair(MAX_CAPACITY, field.max_capacity.to_string()));
    }
    type_params
        .extend(params::encode(field.params.iter().map(|(key, value)| (key.as_str(), value.as_str()))));
    FieldSchema {
        field_id: field.id.0,
        name: field.name.clone(),
        is_primary_key: field.is_primary,
        description: field.description.clone(),
        data_type: encode_type_of(field).into(),
        element_type: field.element.map_or(DataType::None, encode_type).into(),
        type_params,
        auto_id: field.auto_id,
        default_value: field.default.as_ref().and_then(|value| encode_value(field.data_type, value, zone)),
        is_partition_key: field.is_partition_key,
        is_clustering_key: field.is_clustering_key,
        nullable: field.nullable,
        ..FieldSchema::default()
    }
}

fn encode_value(data_type: Type, value: &Value, zone: &Zone) -> Option<ValueField> {
    let data = match (value, data_type) {
        (Value::Bool(value), _) => Data::BoolData(*value),
        (Value::Int(value), Type::Int64) => Data::LongData(*value),
        (Value::Int(value), Type::Timestamptz) => Data::StringData(zone.format(*value)),
        (Value::Int(value), _) => Data::IntData(i32::try_from(*value).ok()?),
        (Value::Double(value), Type::Float) => Data::FloatData(*value as f32),
        (Value::Double(value), _) => Data::DoubleData(*value),
        (Value::Text(text), _) => Data::StringData(text.clone()),
        (Value::Json(text), _) => Data::BytesData(text.clone().into()),
        (Value::Null | Value::List(_), _) => return None,
    };
    Some(ValueField { data: Some(data) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message;

    fn sample() -> Schema {
        let mut fields = vec![
            Field { auto_id: true, ..Field::new("id", Type::Int64).primary() },
            Field {
                nullable: true,
                default: Some(Value::Text("x".into())),
                params: [("mmap.enabled".to_owned(), "true".to_owned())].into(),
                ..Field::new("t", Type::VarChar).with_max_length(99)
            },
            Field { default: Some(Value::Int(-3)), ..Field::new("i", Type::Int8) },
            Field { default: Some(Value::Double(0.5)), ..Field::new("f", Type::Float) },
            Field::new("v", Type::FloatVector).with_dim(8),
            Field::new("b", Type::BinaryVector).with_dim(16),
            Field::new("h", Type::Float16Vector).with_dim(8),
            Field::new("g", Type::BFloat16Vector).with_dim(8),
            Field::new("j", Type::Int8Vector).with_dim(8),
            Field { nullable: true, ..Field::new("s", Type::SparseVector) },
            Field::new("a", Type::Array).with_elements(Type::VarChar, 7).with_max_length(9),
            Field::new("w", Type::Text),
            Field { default: Some(Value::Text("POINT (1 2)".into())), ..Field::new("p", Type::Geometry) },
            Field {
                default: Some(Value::Text("1970-01-01T00:00:00Z".into())),
                ..Field::new("z", Type::Timestamptz)
            },
        ];
        fields.push(Field::dynamic());
        Schema { description: "d".into(), fields, ..Schema::default() }
    }

    #[test]
    fn there_and_back() {
        let bytes = encode("c", &sample(), 0, &Zone::default()).encode_to_vec();
        let back = decode(&bytes[..]).unwrap();
        assert_eq!((back.name.as_str(), back.schema), ("c", sample()));
    }

    /// What one changed field does to a schema.
    fn with(change: impl Fn(&mut CollectionSchema)) -> Result<Decoded, Error> {
        let mut message = encode("c", &sample(), 0, &Zone::default());
        change(&mut message);
        decode(&message.encode_to_vec()[..])
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let error = with(|schema| schema.fields[4].data_type = DataType::Mol.into()).unwrap_err();
        assert_eq!(error.to_string(), "field v has type Mol, which is not supported yet: invalid parameter");
        assert!(with(|schema| schema.fields[4].data_type = 77).unwrap_err().to_string().contains("type 77"));
        assert!(with(|schema| schema.functions.push(Default::default())).is_err());
        assert!(
            with(|schema| schema.fields[4].type_params.clear()).unwrap_err().code()
                == crate::Code::ParameterMissing
        );
        assert!(
            with(|schema| schema.fields[1].type_params.clear()).unwrap_err().code()
                == crate::Code::ParameterMissing
        );
        assert!(with(|schema| schema.fields[4].type_params[0].value = "8x".into()).is_err());
        let big = ValueField { data: Some(Data::IntData(300)) };
        assert!(with(|schema| schema.fields[2].default_value = Some(big.clone())).is_err());
        assert!(with(|schema| schema.fields[1].default_value = Some(big.clone())).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes[..]);
        }
    }
}
