//! Columns survive the way to a message and back, and wrong ones are refused by name.

#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use data::{Column, ColumnBuilder, Field, Kind, Type, Value, Values, Zone};
use proptest::prelude::*;
use prost::Message;
use wire::columns::decode;
use wire::proto::schema::{DataType, FieldData};

fn encode(field: &Field, column: &Column) -> FieldData {
    wire::columns::encode(field, column, &Zone::default())
}

fn there_and_back(field: &Field, column: &Column) -> Column {
    let bytes = encode(field, column).encode_to_vec();
    let message = FieldData::decode(bytes::Bytes::from(bytes)).unwrap();
    let decoded = decode(message, column.len()).unwrap();
    assert_eq!(decoded.name, field.name);
    decoded.column
}

fn assert_same(a: &Column, b: &Column) {
    assert_eq!((a.len(), a.data_type(), a.null_count()), (b.len(), b.data_type(), b.null_count()));
    for row in 0..a.len() {
        assert_eq!(a.value(row), b.value(row), "row {row}");
    }
    match (a.values(), b.values()) {
        (Values::FloatVector { dim, values }, Values::FloatVector { dim: d, values: v }) => {
            assert_eq!((dim, &values[..]), (d, &v[..]));
        }
        (Values::BinaryVector { dim, bytes }, Values::BinaryVector { dim: d, bytes: v }) => {
            assert_eq!((dim, bytes.as_slice()), (d, v.as_slice()));
        }
        _ => {}
    }
}

fn value_of(data_type: Type) -> BoxedStrategy<Value> {
    match data_type {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int8 => any::<i8>().prop_map(|x| Value::Int(x.into())).boxed(),
        Type::Int16 => any::<i16>().prop_map(|x| Value::Int(x.into())).boxed(),
        Type::Int32 => any::<i32>().prop_map(|x| Value::Int(x.into())).boxed(),
        Type::Int64 => any::<i64>().prop_map(Value::Int).boxed(),
        Type::Float | Type::Double => (-1e30_f32..1e30).prop_map(|x| Value::Double(x.into())).boxed(),
        Type::VarChar => "\\PC{0,12}".prop_map(Value::Text).boxed(),
        _ => "[a-z]{0,9}".prop_map(|text| Value::Json(format!("{{\"k\":\"{text}\"}}"))).boxed(),
    }
}

const SCALARS: [Type; 9] = [
    Type::Bool,
    Type::Int8,
    Type::Int16,
    Type::Int32,
    Type::Int64,
    Type::Float,
    Type::Double,
    Type::VarChar,
    Type::Json,
];

fn scalars() -> impl Strategy<Value = (Type, Vec<Option<Value>>)> {
    prop::sample::select(&SCALARS[..]).prop_flat_map(|data_type| {
        (Just(data_type), prop::collection::vec(prop::option::of(value_of(data_type)), 0..20))
    })
}

proptest! {
    #[test]
    fn scalars_survive((data_type, values) in scalars()) {
        let field = Field { nullable: true, ..Field::new("f", data_type) };
        let mut padded = ColumnBuilder::new(data_type, 0);
        let mut compact = ColumnBuilder::new(data_type, 0);
        for value in &values {
            padded.push(value.as_ref().unwrap_or(&Value::Null));
            value.iter().for_each(|value| compact.push(value));
        }
        let padded = padded.finish();
        assert_same(&there_and_back(&field, &padded), &padded);
        // The other form clients send: values of present rows only.
        let mut message = encode(&field, &compact.finish());
        message.valid_data = values.iter().map(Option::is_some).collect();
        assert_same(&decode(message, values.len()).unwrap().column, &padded);
    }

    #[test]
    fn vectors_survive(rows in prop::collection::vec(prop::option::of(prop::array::uniform8(-9_f32..9.0)), 1..12)) {
        let field = Field { nullable: true, ..Field::new("v", Type::FloatVector).with_dim(8) };
        let mut builder = ColumnBuilder::new(Type::FloatVector, 8);
        for row in &rows {
            match row {
                Some(vector) => builder.push_from(&Column::from_vectors(8, vector.to_vec()).unwrap(), 0),
                None => builder.push_null(),
            }
        }
        let column = builder.finish();
        assert_same(&there_and_back(&field, &column), &column);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..120), rows in 0..40_usize) {
        if let Ok(message) = FieldData::decode(bytes::Bytes::from(bytes)) {
            let _ = decode(message, rows);
        }
    }

    #[test]
    fn messages_with_one_byte_changed_never_panic(at in 0..400_usize, to: u8, rows in 0..4_usize) {
        let texts = Column::from_texts(["a", "bc", "def"]);
        let vectors = Column::from_vectors(2, vec![0.5; 6]).unwrap();
        for (field, column) in [(Field::new("t", Type::VarChar), texts), (Field::new("v", Type::FloatVector), vectors)] {
            let mut bytes = encode(&Field { nullable: true, ..field }, &column).encode_to_vec();
            let len = bytes.len();
            bytes[at % len] = to;
            if let Ok(message) = FieldData::decode(bytes::Bytes::from(bytes)) {
                let _ = decode(message, rows);
            }
        }
    }
}

fn ints_of(values: &[i64]) -> Column {
    let mut builder = ColumnBuilder::new(Type::Int32, 0);
    values.iter().for_each(|value| builder.push(&Value::Int(*value)));
    builder.finish()
}

#[test]
fn wrong_columns_are_refused_by_name() {
    let ints = encode(&Field::new("f", Type::Int32), &ints_of(&[1, 300]));
    let error = |message: FieldData, rows| decode(message, rows).unwrap_err().to_string();
    assert_eq!(
        error(ints.clone(), 3),
        "the num_rows (2) of field (f) is not equal to passed num_rows (3): \
         invalid parameter[expected=3][actual=2]"
    );
    let narrow = FieldData { r#type: DataType::Int8.into(), ..ints.clone() };
    assert!(error(narrow, 2).starts_with("value 300 of field f does not fit Int8"));
    let text = FieldData { r#type: DataType::VarChar.into(), ..ints.clone() };
    assert!(error(text, 2).starts_with("field f says it is VarChar, but its values are not"));
    let valid = FieldData { valid_data: vec![true; 5], ..ints };
    assert!(error(valid, 2).contains("passed num_rows (2)"));
    let bad = Column::trusted(Values::Text(data::VarLen::from_values([b"\xff"])), None).unwrap();
    assert!(error(encode(&Field::new("t", Type::VarChar), &bad), 1).contains("not valid UTF-8"));
}

/// A column of `kind` with nulls, made of `seeds`.
fn column_of(kind: Kind, seeds: &[u8]) -> Column {
    let mut builder = ColumnBuilder::of(kind);
    for seed in seeds {
        if seed % 5 == 4 { builder.push_null() } else { builder.push_from(&one(kind, *seed), 0) }
    }
    builder.finish()
}

fn one(kind: Kind, seed: u8) -> Column {
    let (dim, byte) = (kind.dim, |i: usize| seed.wrapping_mul(7).wrapping_add(i as u8));
    let bytes = |count: usize| data::Buffer::from((0..count).map(byte).collect::<Vec<_>>());
    let values = match kind.data_type {
        Type::FloatVector => {
            Values::FloatVector { dim, values: (0..dim).map(|i| f32::from(byte(i))).collect() }
        }
        Type::BinaryVector => Values::BinaryVector { dim, bytes: bytes(dim / 8) },
        Type::Float16Vector => Values::Float16Vector { dim, bytes: bytes(dim * 2) },
        Type::BFloat16Vector => Values::BFloat16Vector { dim, bytes: bytes(dim * 2) },
        Type::Int8Vector => Values::Int8Vector { dim, values: bytes(dim).into() },
        Type::SparseVector => {
            Values::SparseVector(data::VarLen::from_values([bytes(usize::from(seed % 4) * 8)]))
        }
        Type::Array => {
            let item = kind.item().unwrap();
            let mut items = ColumnBuilder::of(item);
            (0..seed % 4).for_each(|i| items.push_from(&one(item, seed.wrapping_add(i)), 0));
            let mut builder = ColumnBuilder::of(kind);
            builder.push_items(&items.finish());
            return builder.finish();
        }
        _ => {
            let mut builder = ColumnBuilder::of(kind);
            builder.push(&match kind.data_type {
                Type::Bool => Value::Bool(seed.is_multiple_of(2)),
                Type::Float | Type::Double => Value::Double(f64::from(seed) / 4.0),
                Type::VarChar => Value::Text("é".repeat(usize::from(seed % 3))),
                Type::Geometry => Value::Text(format!("POINT ({seed} 2)")),
                _ => Value::Int(i64::from(seed as i8)),
            });
            return builder.finish();
        }
    };
    Column::new(values, None).unwrap()
}

const DENSE: [Type; 5] =
    [Type::FloatVector, Type::BinaryVector, Type::Float16Vector, Type::BFloat16Vector, Type::Int8Vector];
const ELEMENTS: [Type; 8] =
    [Type::Bool, Type::Int8, Type::Int16, Type::Int32, Type::Int64, Type::Float, Type::Double, Type::VarChar];

fn kinds() -> Vec<Kind> {
    let dense = DENSE.map(|data_type| Kind::new(data_type, 16));
    let arrays = ELEMENTS.map(|element| Kind::array(element, 0));
    let vectors = DENSE.map(|element| Kind::array(element, 16));
    dense.into_iter().chain(arrays).chain(vectors).chain([Kind::new(Type::SparseVector, 0)]).collect()
}

proptest! {
    #[test]
    fn vectors_and_arrays_survive(kind in prop::sample::select(kinds()), seeds in prop::collection::vec(any::<u8>(), 1..20)) {
        let element = kind.element.filter(|_| kind.data_type == Type::Array);
        let field = Field { nullable: true, element, ..Field::new("f", kind.data_type).with_dim(kind.dim) };
        let column = column_of(kind, &seeds);
        let back = there_and_back(&field, &column);
        let nothing = column.null_count() == column.len();
        let has_items = match column.values() {
            Values::Array(lists) => !lists.items().is_empty(),
            _ => true,
        };
        if nothing || (!has_items && kind.item().is_some_and(|item| item.data_type.is_dense())) {
            // Of which kind they are only the schema knows.
            prop_assert_eq!((back.len(), back.validity()), (column.len(), column.validity()));
        } else {
            prop_assert_eq!(back, column);
        }
    }

    #[test]
    fn changed_bytes_of_vectors_and_arrays_never_panic(kind in prop::sample::select(kinds()), seeds in prop::collection::vec(any::<u8>(), 1..6), at: prop::sample::Index, to: u8) {
        let element = kind.element.filter(|_| kind.data_type == Type::Array);
        let field = Field { nullable: true, element, ..Field::new("f", kind.data_type).with_dim(kind.dim) };
        let mut bytes = encode(&field, &column_of(kind, &seeds)).encode_to_vec();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(message) = FieldData::decode(bytes::Bytes::from(bytes)) {
            let _ = wire::columns::decode_all(message, seeds.len());
        }
    }
}

#[test]
fn moments_and_shapes_go_out_as_texts() {
    let moments = column_of(Kind::new(Type::Timestamptz, 0), &[0, 1, 4]);
    let zone = Zone::named("Asia/Shanghai").unwrap();
    let field = Field { nullable: true, ..Field::new("t", Type::Timestamptz) };
    let back = decode(wire::columns::encode(&field, &moments, &zone), 3).unwrap().column;
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(back.value(1), text("1970-01-01T08:00:00.000001+08:00"));
    assert_eq!(back.value(2), Value::Null);
    let shapes = column_of(Kind::new(Type::Geometry, 0), &[7]);
    let back = decode(encode(&Field::new("g", Type::Geometry), &shapes), 1).unwrap().column;
    assert_eq!(back.value(0), text("POINT (7 2)"));
}

#[test]
fn structs_come_as_their_parts() {
    let of = data::Struct { name: "s".to_owned(), ..data::Struct::default() };
    let part = |name: &str, element| {
        let field = Field::new(name, Type::Array).with_elements(element, 4);
        encode(&field, &column_of(Kind::array(element, 0), &[1, 2]))
    };
    let message =
        wire::columns::encode_struct(&of, vec![part("s[a]", Type::Int64), part("s[b]", Type::VarChar)]);
    let Some(wire::proto::schema::field_data::Field::StructArrays(parts)) = &message.field else {
        panic!("parts")
    };
    assert_eq!(parts.fields.iter().map(|part| part.field_name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let decoded = wire::columns::decode_all(message, 2).unwrap();
    assert_eq!(decoded.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["s[a]", "s[b]"]);
    assert_eq!(decoded[0].column, column_of(Kind::array(Type::Int64, 0), &[1, 2]));
}
