//! Buckets of a search as messages.

use crate::proto::schema::agg_hit::Pk;
use crate::proto::schema::{AggHit, AggHitField, BucketKeyEntry, MetricValue};
use crate::proto::schema::{agg_hit_field, bucket_key_entry, metric_value};
use data::{Column, Field, KeyRef, Value, Values, Zone};

/// One part of a bucket's key; an absent value has no value in the message, either.
pub fn key(field: &Field, value: Value) -> BucketKeyEntry {
    use bucket_key_entry::Value as Out;
    let value = match value {
        Value::Int(value) => Some(Out::IntVal(value)),
        Value::Bool(value) => Some(Out::BoolVal(value)),
        Value::Text(value) | Value::Json(value) => Some(Out::StringVal(value)),
        Value::Null | Value::Double(_) | Value::List(_) => None,
    };
    BucketKeyEntry { field_id: field.id.0, field_name: field.name.clone(), value }
}

/// A figure of a bucket.
pub fn metric(value: Value) -> MetricValue {
    use metric_value::Value as Out;
    let value = match value {
        Value::Int(value) => Some(Out::IntVal(value)),
        Value::Double(value) => Some(Out::DoubleVal(value)),
        Value::Bool(value) => Some(Out::BoolVal(value)),
        Value::Text(value) | Value::Json(value) => Some(Out::StringVal(value)),
        Value::Null | Value::List(_) => None,
    };
    MetricValue { value }
}

/// A hit of a bucket.
pub fn hit(key: KeyRef<'_>, score: f32, fields: Vec<AggHitField>) -> AggHit {
    let pk = match key {
        KeyRef::Int(key) => Pk::IntPk(key),
        KeyRef::Text(key) => Pk::StrPk(String::from_utf8_lossy(key).into_owned()),
    };
    AggHit { score, fields, pk: Some(pk) }
}

/// A field of a hit. What is absent, and what the message has no place for (arrays and vectors), is left out. Moments are
/// written in `zone`.
pub fn hit_field(field: &Field, column: &Column, row: usize, zone: &Zone) -> Option<AggHitField> {
    use agg_hit_field::Value as Out;
    if !column.is_valid(row) {
        return None;
    }
    let value = match (column.values(), column.value(row)) {
        (Values::Timestamptz(values), _) => Out::StringVal(zone.format(values[row])),
        (Values::Float(values), _) => Out::FloatVal(values[row]),
        (Values::Json(values), _) => Out::BytesVal(values.get(row).to_vec().into()),
        (_, Value::Int(value)) => Out::IntVal(value),
        (_, Value::Double(value)) => Out::DoubleVal(value),
        (_, Value::Bool(value)) => Out::BoolVal(value),
        (_, Value::Text(value)) => Out::StringVal(value),
        _ => return None,
    };
    Some(AggHitField { field_id: field.id.0, field_name: field.name.clone(), value: Some(value) })
}
