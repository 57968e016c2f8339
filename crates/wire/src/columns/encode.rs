//! Columns as messages.

use crate::proto::schema::field_data::Field as Payload;
use crate::proto::schema::scalar_field::Data as Scalar;
use crate::proto::schema::vector_field::Data as Vector;
use crate::proto::schema::{
    ArrayArray, BoolArray, DoubleArray, FieldData, GeometryWktArray, IntArray, LongArray, ScalarField,
    SparseFloatArray, StructArrayField, VectorArray, VectorField,
};
use crate::{FloatArray, TextArray, schema};
use bytes::Bytes;
use data::{Column, Field, Lists, Shape, Struct, Values, Zone};
use std::borrow::Cow;

/// A column of `field` as a message. Absent scalars are padded with zeros, absent vectors are left out, as clients
/// expect of results. Moments are texts in `zone`, shapes WKT.
pub fn encode(field: &Field, column: &Column, zone: &Zone) -> FieldData {
    let valid_data = match column.validity() {
        Some(bits) => bits.iter().collect(),
        None if field.nullable => vec![true; column.len()],
        None => Vec::new(),
    };
    FieldData {
        r#type: schema::encode_type_of(field).into(),
        field_name: field.name.clone(),
        field_id: field.id.0,
        is_dynamic: field.is_dynamic,
        valid_data,
        field: Some(payload(column, zone)),
    }
}

/// The columns of an array of structs as one message; sub-fields go by the names users gave them.
pub fn encode_struct(of: &Struct, fields: Vec<FieldData>) -> FieldData {
    let bare = |mut field: FieldData| {
        if let Some(name) = of.sub_name(&field.field_name) {
            field.field_name = name.to_owned();
        }
        field
    };
    FieldData {
        r#type: crate::proto::schema::DataType::ArrayOfStruct.into(),
        field_name: of.name.clone(),
        field_id: of.id.0,
        is_dynamic: false,
        valid_data: Vec::new(),
        field: Some(Payload::StructArrays(StructArrayField {
            fields: fields.into_iter().map(bare).collect(),
        })),
    }
}

fn payload(column: &Column, zone: &Zone) -> Payload {
    if let Some(vectors) = vectors(column) {
        return Payload::Vectors(vectors);
    }
    Payload::Scalars(ScalarField { data: Some(scalars(column, zone)), ..ScalarField::default() })
}

/// The vectors of a column that are there; `None` when it holds none.
fn vectors(column: &Column) -> Option<VectorField> {
    let bytes = |bytes: &[u8], width| Bytes::from(present(bytes, width, column).into_owned());
    let (dim, data) = match column.values() {
        Values::FloatVector { dim, values } => {
            (*dim, Vector::FloatVector(FloatArray::from_floats(&present(values, *dim, column))))
        }
        Values::BinaryVector { dim, bytes: all } => (*dim, Vector::BinaryVector(bytes(all, dim / 8))),
        Values::Float16Vector { dim, bytes: all } => (*dim, Vector::Float16Vector(bytes(all, dim * 2))),
        Values::BFloat16Vector { dim, bytes: all } => (*dim, Vector::Bfloat16Vector(bytes(all, dim * 2))),
        Values::Int8Vector { dim, values } => (*dim, Vector::Int8Vector(bytes(values.inner(), *dim))),
        Values::SparseVector(rows) => {
            let valid = (0..rows.len()).filter(|row| column.is_valid(*row));
            let contents: Vec<Bytes> = valid.map(|row| Bytes::copy_from_slice(rows.get(row))).collect();
            let dim =
                contents.iter().filter_map(|row| last_index(row)).max().map_or(0, |last| i64::from(last) + 1);
            let data = Vector::SparseFloatVector(SparseFloatArray { contents, dim });
            return Some(VectorField { dim, data: Some(data), ..VectorField::default() });
        }
        Values::Array(lists) if lists.items().data_type().is_vector() => {
            let data = Vector::VectorArray(vector_arrays(lists));
            let dim = lists.items().kind().dim as i64;
            return Some(VectorField { dim, data: Some(data), ..VectorField::default() });
        }
        _ => return None,
    };
    Some(VectorField { dim: dim as i64, data: Some(data), ..VectorField::default() })
}

fn last_index(row: &[u8]) -> Option<u32> {
    row.as_chunks::<8>().0.last().map(|pair| u32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]]))
}

/// One message a row, empty where there is nothing.
fn vector_arrays(lists: &Lists) -> VectorArray {
    let kind = lists.items().kind();
    let data = (0..lists.len()).map(|row| vectors(&lists.get(row)).unwrap_or_default());
    VectorArray {
        dim: kind.dim as i64,
        data: data.collect(),
        element_type: schema::encode_type(kind.data_type).into(),
    }
}

/// The components of the vectors that are there.
fn present<'a, T: Copy>(data: &'a [T], width: usize, column: &Column) -> Cow<'a, [T]> {
    if column.null_count() == 0 {
        return data.into();
    }
    let rows = data.chunks_exact(width.max(1)).enumerate();
    rows.filter(|(row, _)| column.is_valid(*row)).flat_map(|(_, vector)| vector.iter().copied()).collect()
}

fn scalars(column: &Column, zone: &Zone) -> Scalar {
    match column.values() {
        Values::Bool(v) => Scalar::BoolData(BoolArray { data: v.iter().collect() }),
        Values::Int8(v) => Scalar::IntData(IntArray { data: v.iter().map(|x| i32::from(*x)).collect() }),
        Values::Int16(v) => Scalar::IntData(IntArray { data: v.iter().map(|x| i32::from(*x)).collect() }),
        Values::Int32(v) => Scalar::IntData(IntArray { data: v.to_vec() }),
        Values::Int64(v) => Scalar::LongData(LongArray { data: v.to_vec() }),
        Values::Float(v) => Scalar::FloatData(FloatArray::from_floats(v)),
        Values::Double(v) => Scalar::DoubleData(DoubleArray { data: v.to_vec() }),
        Values::Json(v) => Scalar::JsonData(v.iter().collect()),
        Values::Text(v) => Scalar::StringData(v.iter().collect()),
        Values::Timestamptz(v) => {
            let text = |row| if column.is_valid(row) { zone.format(v[row]) } else { String::new() };
            Scalar::StringData((0..v.len()).map(text).collect())
        }
        Values::Geometry(v) => {
            let text = |wkb: &[u8]| Shape::from_wkb(wkb).map(|shape| shape.to_wkt()).unwrap_or_default();
            Scalar::GeometryWktData(GeometryWktArray { data: v.iter().map(text).collect() })
        }
        Values::Array(lists) => {
            let row = |row| {
                let data = scalars(&lists.get(row), zone);
                ScalarField { data: Some(data), ..ScalarField::default() }
            };
            let element_type = schema::encode_type(lists.items().data_type()).into();
            Scalar::ArrayData(ArrayArray { data: (0..lists.len()).map(row).collect(), element_type })
        }
        Values::FloatVector { .. }
        | Values::BinaryVector { .. }
        | Values::Float16Vector { .. }
        | Values::BFloat16Vector { .. }
        | Values::Int8Vector { .. }
        | Values::SparseVector(_) => Scalar::BytesData(TextArray::default()),
    }
}
