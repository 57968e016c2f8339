//! Query vectors, held against the field they are for.

use crate::Error;
use data::{Buffer, Column, Field, Kind, Lists, Type, Values};
use half::{bf16, f16};

/// `column` as queries of `field`: of its type and dimension. 32-bit floats become 16-bit ones where the field has
/// those.
pub(super) fn fit(field: &Field, column: Column) -> Result<Column, Error> {
    fit_kind(field.kind(), column)
}

/// The same for single vectors among the lists that are the values of `field`.
pub(super) fn fit_items(field: &Field, column: Column) -> Result<Column, Error> {
    let item = field.kind().item();
    fit_kind(item.ok_or_else(|| Error::internal("a field of lists without a kind of items"))?, column)
}

/// `column` as lists of queries of `field`, whose values are lists of vectors.
pub(super) fn fit_lists(field: &Field, column: &Column) -> Result<Column, Error> {
    let (Some(want), Values::Array(lists)) = (field.kind().item(), column.values()) else {
        return Err(Error::invalid("vector type must be the same: lists of vectors are searched by lists"));
    };
    let lists = lists.compact();
    let unit = match want.data_type {
        Type::BinaryVector => 8,
        _ => 1,
    };
    let (per_vector, items) = match lists.items().kind().dim {
        dim if dim == want.dim => (1, lists.items().clone()),
        dim if dim == unit => (want.dim / unit, joined(lists.items(), want.dim)?),
        _ => (1, lists.items().clone()),
    };
    let mut offsets = Vec::with_capacity(lists.len() + 1);
    for offset in lists.offsets() {
        if offset % per_vector as i64 != 0 {
            let bytes = want.vector_bytes();
            return Err(Error::invalid(format!(
                "vector dimension mismatch, expected lists of vectors of size(byte) {bytes}, but one is no multiple of it"
            )));
        }
        offsets.push(offset / per_vector as i64);
    }
    if offsets.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::invalid("an embedding list to search by is empty"));
    }
    let items = fit_kind(want, items)?;
    let lists = Lists::new(offsets.into(), items).map_err(|error| Error::internal(error.to_string()))?;
    halves(Values::Array(lists))
}

/// Vectors of one component each as vectors of `dim`.
fn joined(items: &Column, dim: usize) -> Result<Column, Error> {
    let values = match items.values().clone() {
        Values::FloatVector { values, .. } => {
            Values::FloatVector { dim, values: values.slice(0, values.len() / dim * dim) }
        }
        Values::Int8Vector { values, .. } => {
            Values::Int8Vector { dim, values: values.slice(0, values.len() / dim * dim) }
        }
        Values::BinaryVector { bytes, .. } => {
            let len = bytes.len() / (dim / 8) * (dim / 8);
            Values::BinaryVector { dim, bytes: bytes.slice_with_length(0, len) }
        }
        Values::Float16Vector { bytes, .. } => {
            let len = bytes.len() / (2 * dim) * (2 * dim);
            Values::Float16Vector { dim, bytes: bytes.slice_with_length(0, len) }
        }
        Values::BFloat16Vector { bytes, .. } => {
            let len = bytes.len() / (2 * dim) * (2 * dim);
            Values::BFloat16Vector { dim, bytes: bytes.slice_with_length(0, len) }
        }
        other => other,
    };
    halves(values)
}

fn fit_kind(want: Kind, column: Column) -> Result<Column, Error> {
    let got = column.kind();
    let column = match (want.data_type, column.values()) {
        (Type::Float16Vector, Values::FloatVector { dim, values }) => {
            let bytes = values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes());
            halves(Values::Float16Vector { dim: *dim, bytes: Buffer::from(bytes.collect::<Vec<u8>>()) })?
        }
        (Type::BFloat16Vector, Values::FloatVector { dim, values }) => {
            let bytes = values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes());
            halves(Values::BFloat16Vector { dim: *dim, bytes: Buffer::from(bytes.collect::<Vec<u8>>()) })?
        }
        _ if want.data_type == got.data_type => column,
        _ => {
            let (want, got) = (format!("{:?}", want.data_type), format!("{:?}", got.data_type));
            return Err(Error::expected("vector type must be the same", want, got));
        }
    };
    if column.kind() != want {
        let (want, got) = (want.vector_bytes(), got.data_type.vector_bytes(got.dim));
        return Err(Error::invalid(format!(
            "vector dimension mismatch, expected vector size(byte) {want}, actual {got}"
        )));
    }
    crate::ingest::check_numbers("of the query vectors", column.values())?;
    Ok(column)
}

fn halves(values: Values) -> Result<Column, Error> {
    Column::new(values, None).map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_become_what_the_field_has() {
        let floats = Column::from_vectors(2, vec![1.0, -2.0]).unwrap();
        let half = Field::new("h", Type::Float16Vector).with_dim(2);
        let Values::Float16Vector { bytes, .. } = fit(&half, floats.clone()).unwrap().values().clone() else {
            panic!("half floats");
        };
        assert_eq!(bytes.as_slice(), [0x00, 0x3c, 0x00, 0xc0]);
        let brain = Field::new("b", Type::BFloat16Vector).with_dim(2);
        let Values::BFloat16Vector { bytes, .. } = fit(&brain, floats.clone()).unwrap().values().clone()
        else {
            panic!("bfloat16 floats");
        };
        assert_eq!(bytes.as_slice(), [0x80, 0x3f, 0x00, 0xc0]);
        let text = |field: Field, column: &Column| fit(&field, column.clone()).unwrap_err().to_string();
        assert!(
            text(Field::new("i", Type::Int8Vector).with_dim(2), &floats)
                .contains("vector type must be the same")
        );
        assert!(text(half.with_dim(3), &floats).contains("expected vector size(byte) 6, actual 8"));
        let nan = Column::from_vectors(2, vec![f32::NAN, 0.0]).unwrap();
        assert!(
            text(Field::new("f", Type::FloatVector).with_dim(2), &nan)
                .contains("value 'NaN' is not a number")
        );
        // Too large for the field's floats.
        let large = Column::from_vectors(2, vec![1e6, 0.0]).unwrap();
        assert!(
            text(Field::new("h", Type::Float16Vector).with_dim(2), &large)
                .contains("not a number or infinity")
        );
    }
}
