//! Columns survive the way to a message and back, and wrong ones are refused by name.

#![expect(clippy::unwrap_used, reason = "tests say what they expect")]

use data::{Column, ColumnBuilder, Field, Type, Value, Values, Zone};
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
