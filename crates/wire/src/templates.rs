//! Values for `{names}` in filters.

use crate::proto::schema::template_array_value::Data as ArrayData;
use crate::proto::schema::template_value::Val;
use crate::proto::schema::{TemplateArrayValue, TemplateValue};
use data::Value;
use std::collections::{BTreeMap, HashMap};

/// The values by name.
pub fn decode(values: HashMap<String, TemplateValue>) -> BTreeMap<String, Value> {
    values.into_iter().map(|(name, value)| (name, value.val.map_or(Value::Null, decode_value))).collect()
}

fn decode_value(value: Val) -> Value {
    match value {
        Val::BoolVal(value) => Value::Bool(value),
        Val::Int64Val(value) => Value::Int(value),
        Val::FloatVal(value) => Value::Double(value),
        Val::StringVal(text) => Value::Text(text),
        Val::BytesVal(bytes) => Value::Json(String::from_utf8_lossy(&bytes).into_owned()),
        Val::ArrayVal(array) => decode_array(array),
    }
}

fn decode_array(array: TemplateArrayValue) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Value::List(match array.data {
        None => Vec::new(),
        Some(ArrayData::BoolData(array)) => array.data.into_iter().map(Value::Bool).collect(),
        Some(ArrayData::LongData(array)) => array.data.into_iter().map(Value::Int).collect(),
        Some(ArrayData::DoubleData(array)) => array.data.into_iter().map(Value::Double).collect(),
        Some(ArrayData::StringData(array)) => array.iter().map(|bytes| Value::Text(text(bytes))).collect(),
        Some(ArrayData::JsonData(array)) => array.iter().map(|bytes| Value::Json(text(bytes))).collect(),
        // Nested as deep as the decoder of the message allows, which has a limit.
        Some(ArrayData::ArrayData(array)) => array.data.into_iter().map(decode_array).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::schema::LongArray;

    #[test]
    fn scalars_and_lists() {
        let list = TemplateArrayValue { data: Some(ArrayData::LongData(LongArray { data: vec![1, 2] })) };
        let values = [
            ("a".to_owned(), TemplateValue { val: Some(Val::StringVal("x".into())) }),
            ("b".to_owned(), TemplateValue { val: Some(Val::ArrayVal(list)) }),
            ("c".to_owned(), TemplateValue { val: None }),
        ];
        let decoded = decode(values.into());
        assert_eq!(decoded["a"], Value::Text("x".into()));
        assert_eq!(decoded["b"], Value::List(vec![Value::Int(1), Value::Int(2)]));
        assert_eq!(decoded["c"], Value::Null);
    }
}
