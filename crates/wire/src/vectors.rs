//! The queries of a search as they travel: a placeholder group, itself protobuf inside of a bytes field.
//!
//! Invariant: what comes out is one column of whole vectors of one dimension; 32-bit floats are finite.

use crate::Error;
use crate::proto::common::{PlaceholderGroup, PlaceholderType, PlaceholderValue};
use bytes::Bytes;
use data::{Buffer, Column, ScalarBuffer, Values, VarLen};

/// Reads a placeholder group of dense or sparse vectors, or of lists of dense ones.
///
/// # Errors
/// When it is none, is empty, is of a type this server does not know, has vectors of different dimensions, or a
/// component that is no finite number.
pub fn decode(group: Bytes) -> Result<Column, Error> {
    let group: PlaceholderGroup = crate::error::decode("the placeholder group", group)?;
    let Some(placeholder) = group.placeholders.into_iter().next() else {
        return Err(refuse("the search has no vectors"));
    };
    if placeholder.r#type() == PlaceholderType::SparseFloatVector && !placeholder.values.is_empty() {
        return column(Values::SparseVector(VarLen::from_values(&placeholder.values)));
    }
    if let Some(list) = list_of(placeholder.r#type()) {
        return lists(list, &placeholder.values);
    }
    let first = placeholder.values.first().map_or(0, Bytes::len);
    if first == 0 {
        return Err(refuse("the search has no vectors, or empty ones"));
    }
    if let Some((row, odd)) = placeholder.values.iter().enumerate().find(|(_, value)| value.len() != first) {
        let actual = odd.len();
        return Err(refuse(format!(
            "vector dimension mismatch, expected vector size(byte) {first}, actual {actual} (query {row})"
        )));
    }
    match placeholder.r#type() {
        PlaceholderType::FloatVector => floats(&placeholder.values, first),
        PlaceholderType::BinaryVector => {
            column(Values::BinaryVector { dim: first * 8, bytes: joined(&placeholder.values) })
        }
        PlaceholderType::Float16Vector => {
            column(Values::Float16Vector { dim: half_dim(first)?, bytes: joined(&placeholder.values) })
        }
        PlaceholderType::BFloat16Vector => {
            column(Values::BFloat16Vector { dim: half_dim(first)?, bytes: joined(&placeholder.values) })
        }
        PlaceholderType::Int8Vector => {
            let values = ScalarBuffer::new(joined(&placeholder.values), 0, first * placeholder.values.len());
            column(Values::Int8Vector { dim: first, values })
        }
        // A number this contract does not know reads as None.
        PlaceholderType::None => Err(unsupported(placeholder.r#type.to_string())),
        other => Err(unsupported(other.as_str_name())),
    }
}

/// What the vectors of a list of queries are made of, and how many bytes the least of them takes.
fn list_of(kind: PlaceholderType) -> Option<(PlaceholderType, usize)> {
    Some(match kind {
        PlaceholderType::EmbListFloatVector => (PlaceholderType::FloatVector, 4),
        PlaceholderType::EmbListBinaryVector => (PlaceholderType::BinaryVector, 1),
        PlaceholderType::EmbListFloat16Vector => (PlaceholderType::Float16Vector, 2),
        PlaceholderType::EmbListBFloat16Vector => (PlaceholderType::BFloat16Vector, 2),
        PlaceholderType::EmbListInt8Vector => (PlaceholderType::Int8Vector, 1),
        _ => return None,
    })
}

/// Lists of vectors. Of what dimension these are is not said on the wire: they come out with one component each (bits:
/// eight).
fn lists((kind, unit): (PlaceholderType, usize), queries: &[Bytes]) -> Result<Column, Error> {
    let mut offsets = vec![0_i64];
    for (row, query) in queries.iter().enumerate() {
        if query.is_empty() || !query.len().is_multiple_of(unit) {
            let size = query.len();
            return Err(refuse(format!(
                "an embedding list of {size} bytes: should be vectors of a multiple of {unit} (query {row})"
            )));
        }
        offsets.push(offsets[row] + (query.len() / unit) as i64);
    }
    let (all, count) = (joined(queries), offsets[queries.len()] as usize);
    let values = match kind {
        PlaceholderType::FloatVector => floats(queries, 4)?.values().clone(),
        PlaceholderType::BinaryVector => Values::BinaryVector { dim: 8, bytes: all },
        PlaceholderType::Float16Vector => Values::Float16Vector { dim: 1, bytes: all },
        PlaceholderType::BFloat16Vector => Values::BFloat16Vector { dim: 1, bytes: all },
        _ => Values::Int8Vector { dim: 1, values: ScalarBuffer::new(all, 0, count) },
    };
    let lists = data::Lists::new(offsets.into(), column(values)?).map_err(|why| refuse(why.to_string()))?;
    column(Values::Array(lists))
}

fn floats(queries: &[Bytes], size: usize) -> Result<Column, Error> {
    if !size.is_multiple_of(4) {
        return Err(refuse(format!("a float vector of {size} bytes: should be a multiple of 4")));
    }
    let mut values = Vec::with_capacity(queries.len() * size / 4);
    for (row, query) in queries.iter().enumerate() {
        let before = values.len();
        values.extend(crate::flat::floats_of(query));
        let this = values.get(before..).unwrap_or_default();
        if let Some(bad) = this.iter().find(|value| !value.is_finite()) {
            return Err(refuse(format!("value '{bad}' is not a number or infinity (query {row})")));
        }
    }
    column(Values::FloatVector { dim: size / 4, values: values.into() })
}

fn joined(queries: &[Bytes]) -> Buffer {
    match queries {
        [one] => Buffer::from(one.clone()),
        all => Buffer::from(all.concat()),
    }
}

fn half_dim(size: usize) -> Result<usize, Error> {
    if size.is_multiple_of(2) {
        return Ok(size / 2);
    }
    Err(refuse(format!("a vector of 16-bit floats of {size} bytes: should be a multiple of 2")))
}

fn column(values: Values) -> Result<Column, Error> {
    Column::new(values, None).map_err(|why| refuse(why.to_string()))
}

fn refuse(why: impl Into<String>) -> Error {
    Error::Queries { why: why.into() }
}

fn unsupported(kind: impl Into<String>) -> Error {
    Error::Type { field: "of the queries".to_owned(), kind: kind.into() }
}

/// Float vectors of `dim` components as a placeholder group; what clients send.
pub fn encode(dim: usize, floats: &[f32]) -> PlaceholderGroup {
    let values =
        floats.chunks_exact(dim.max(1)).map(|query| crate::FloatArray::from_floats(query).data).collect();
    let kind = PlaceholderType::FloatVector.into();
    let placeholder =
        PlaceholderValue { tag: "$0".to_owned(), r#type: kind, values, ..PlaceholderValue::default() };
    PlaceholderGroup { placeholders: vec![placeholder] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message;

    fn group(kind: PlaceholderType, values: &[&[u8]]) -> Bytes {
        let values = values.iter().map(|value| Bytes::copy_from_slice(value)).collect();
        let placeholder = PlaceholderValue { r#type: kind.into(), values, ..PlaceholderValue::default() };
        PlaceholderGroup { placeholders: vec![placeholder] }.encode_to_vec().into()
    }

    #[test]
    fn floats_and_bits() {
        let column = decode(encode(2, &[1.0, 2.0, 3.0, 4.0]).encode_to_vec().into()).unwrap();
        assert_eq!(column.len(), 2);
        let Values::FloatVector { dim: 2, values } = column.values() else { panic!("two dimensions") };
        assert_eq!(values[..], [1.0, 2.0, 3.0, 4.0]);
        let column = decode(group(PlaceholderType::BinaryVector, &[&[1, 2], &[3, 4]])).unwrap();
        let Values::BinaryVector { dim: 16, bytes } = column.values() else { panic!("16 bits") };
        assert_eq!(bytes.as_slice(), [1, 2, 3, 4]);
    }

    #[test]
    fn lists_of_vectors() {
        let floats: Vec<u8> =
            [1.0_f32, 2.0, 3.0, 4.0, 5.0].iter().flat_map(|one| one.to_le_bytes()).collect();
        let lists = group(PlaceholderType::EmbListFloatVector, &[&floats[..8], &floats[8..]]);
        let column = decode(lists).unwrap();
        let Values::Array(lists) = column.values() else { panic!("lists") };
        assert_eq!(lists.offsets(), [0, 2, 5]);
        let Values::FloatVector { dim: 1, values } = lists.items().values() else { panic!("components") };
        assert_eq!(values[..], [1.0, 2.0, 3.0, 4.0, 5.0]);
        let column = decode(group(PlaceholderType::EmbListBinaryVector, &[&[1, 2, 3], &[4]])).unwrap();
        let Values::Array(lists) = column.values() else { panic!("lists") };
        assert_eq!((lists.offsets(), lists.items().kind().dim), (&[0, 3, 4][..], 8));
        for (kind, bytes, part) in [
            (PlaceholderType::EmbListFloatVector, &floats[..7], "multiple of 4"),
            (PlaceholderType::EmbListFloat16Vector, &[][..], "multiple of 2"),
            (PlaceholderType::EmbListFloatVector, &[0, 0, 0xc0, 0x7f][..], "value 'NaN' is not a number"),
            (PlaceholderType::EmbListSparseFloatVector, &floats[..8], "EmbListSparseFloatVector"),
        ] {
            let error = decode(group(kind, &[bytes])).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn what_is_refused() {
        let nan = f32::NAN.to_le_bytes();
        let cases: [(Bytes, &str); 7] = [
            (Bytes::new(), "no vectors"),
            (group(PlaceholderType::FloatVector, &[]), "no vectors"),
            (group(PlaceholderType::FloatVector, &[&[1, 2, 3]]), "multiple of 4"),
            (group(PlaceholderType::FloatVector, &[&[0; 4], &[0; 8]]), "vector dimension mismatch"),
            (group(PlaceholderType::FloatVector, &[&nan]), "value 'NaN' is not a number or infinity"),
            (group(PlaceholderType::VarChar, &[&[0; 8]]), "VarChar"),
            (Bytes::from_static(b"\xff\xff"), "cannot be decoded"),
        ];
        for (bytes, part) in cases {
            let error = decode(bytes).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(bytes.into());
        }
    }
}
