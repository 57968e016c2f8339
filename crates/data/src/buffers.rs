//! A column as plain buffers and back: the form in which columns go into files and logs. Nothing is copied when the
//! column's buffers are whole.
//!
//! The buffers of a column, in this order: validity bits (only when some value is absent), then for texts and JSON
//! `rows + 1` offsets (i64) starting at zero and the bytes they point into, for all other types the values. Bits are
//! packed least significant first, numbers are little-endian.

use crate::{Column, Type, Values, VarLen};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use bytes::Bytes;

/// A column's buffers and what is needed to read them.
#[derive(Debug, Clone)]
pub struct Buffers {
    /// The type of its values.
    pub data_type: Type,
    /// Components of a vector; zero for other types.
    pub dim: usize,
    /// How many rows.
    pub rows: usize,
    /// Whether the first buffer holds validity bits.
    pub has_nulls: bool,
    /// The buffers.
    pub parts: Vec<Bytes>,
}

/// Buffers that are no column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a column of {rows} values of {data_type:?} cannot be read: {reason}")]
pub struct BuffersError {
    /// The type it should have.
    pub data_type: Type,
    /// The rows it should have.
    pub rows: usize,
    /// What does not fit.
    pub reason: &'static str,
}

struct Owner(Buffer);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn shared(buffer: Buffer) -> Bytes {
    Bytes::from_owner(Owner(buffer))
}

fn scalars<T: ArrowNativeType>(values: &ScalarBuffer<T>) -> Bytes {
    shared(values.inner().clone())
}

fn var_len(texts: &VarLen) -> [Bytes; 2] {
    let (first, last) = (texts.offsets()[0], texts.offsets()[texts.len()]);
    let bytes = texts.buffer().slice_with_length(first as usize, (last - first) as usize);
    if first == 0 {
        return [shared(texts.offsets_buffer().inner().clone()), shared(bytes)];
    }
    let offsets: Vec<i64> = texts.offsets().iter().map(|offset| offset - first).collect();
    [shared(Buffer::from(offsets)), shared(bytes)]
}

impl Buffers {
    /// The buffers of `column`.
    pub fn of(column: &Column) -> Self {
        let mut parts = Vec::with_capacity(3);
        if let Some(bits) = column.validity() {
            parts.push(shared(bits.inner().sliced()));
        }
        let dim = match column.values() {
            Values::FloatVector { dim, .. } | Values::BinaryVector { dim, .. } => *dim,
            _ => 0,
        };
        match column.values() {
            Values::Bool(v) => parts.push(shared(v.sliced())),
            Values::Int8(v) => parts.push(scalars(v)),
            Values::Int16(v) => parts.push(scalars(v)),
            Values::Int32(v) => parts.push(scalars(v)),
            Values::Int64(v) => parts.push(scalars(v)),
            Values::Float(v) => parts.push(scalars(v)),
            Values::Double(v) => parts.push(scalars(v)),
            Values::Text(v) | Values::Json(v) => parts.extend(var_len(v)),
            Values::FloatVector { values, .. } => parts.push(scalars(values)),
            Values::BinaryVector { bytes, .. } => parts.push(shared(bytes.clone())),
        }
        let (data_type, rows, has_nulls) = (column.data_type(), column.len(), column.validity().is_some());
        Self { data_type, dim, rows, has_nulls, parts }
    }

    /// The column of these buffers. They are used in place when they are aligned for their type, else copied. Text is
    /// not looked at: what was written as a column is one.
    ///
    /// # Errors
    /// When a buffer is missing or has another length than the rows ask for.
    pub fn into_column(self) -> Result<Column, BuffersError> {
        let (data_type, rows, dim) = (self.data_type, self.rows, self.dim);
        let fail = |reason| BuffersError { data_type, rows, reason };
        let mut parts = self.parts.into_iter();
        let mut next = || parts.next().ok_or_else(|| fail("a buffer is missing"));
        let validity = if self.has_nulls {
            let bits = boolean(next()?, rows).ok_or_else(|| fail("its validity bits have another length"))?;
            Some(NullBuffer::new(bits))
        } else {
            None
        };
        let wrong = || fail("its values have another length");
        let values = match data_type {
            Type::Bool => Values::Bool(boolean(next()?, rows).ok_or_else(wrong)?),
            Type::Int8 => Values::Int8(typed(next()?, rows).ok_or_else(wrong)?),
            Type::Int16 => Values::Int16(typed(next()?, rows).ok_or_else(wrong)?),
            Type::Int32 => Values::Int32(typed(next()?, rows).ok_or_else(wrong)?),
            Type::Int64 => Values::Int64(typed(next()?, rows).ok_or_else(wrong)?),
            Type::Float => Values::Float(typed(next()?, rows).ok_or_else(wrong)?),
            Type::Double => Values::Double(typed(next()?, rows).ok_or_else(wrong)?),
            Type::VarChar | Type::Json => {
                let offsets =
                    rows.checked_add(1).and_then(|count| next().ok().and_then(|part| typed(part, count)));
                let offsets = offsets.ok_or_else(|| fail("its offsets have another length"))?;
                let texts = VarLen::new(offsets, Buffer::from(next()?));
                let texts = texts.map_err(|_| fail("its offsets are out of order or out of range"))?;
                if data_type == Type::Json { Values::Json(texts) } else { Values::Text(texts) }
            }
            Type::FloatVector => {
                let floats = rows.checked_mul(dim).filter(|_| dim > 0).ok_or_else(wrong)?;
                Values::FloatVector { dim, values: typed(next()?, floats).ok_or_else(wrong)? }
            }
            Type::BinaryVector => {
                let bytes = Buffer::from(next()?);
                if dim < 8 || rows.checked_mul(dim / 8) != Some(bytes.len()) {
                    return Err(wrong());
                }
                Values::BinaryVector { dim, bytes }
            }
        };
        Column::trusted(values, validity).map_err(|_| wrong())
    }
}

fn boolean(bytes: Bytes, rows: usize) -> Option<BooleanBuffer> {
    (bytes.len() >= rows.div_ceil(8)).then(|| BooleanBuffer::new(Buffer::from(bytes), 0, rows))
}

fn typed<T: ArrowNativeType>(bytes: Bytes, count: usize) -> Option<ScalarBuffer<T>> {
    let size = size_of::<T>();
    if count.checked_mul(size)? != bytes.len() {
        return None;
    }
    let in_place = (bytes.as_ptr() as usize).is_multiple_of(align_of::<T>());
    // A buffer made from a slice is a copy, and aligned.
    let buffer = if in_place { Buffer::from(bytes) } else { Buffer::from(bytes.as_ref()) };
    Some(ScalarBuffer::new(buffer, 0, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnBuilder, Value};

    fn columns() -> Vec<Column> {
        let mut nullable = ColumnBuilder::new(Type::Int16, 0);
        nullable.push(&Value::Int(5));
        nullable.push_null();
        let mut flags = ColumnBuilder::new(Type::Bool, 0);
        for i in 0..70 {
            flags.push(&Value::Bool(i % 3 == 0));
        }
        vec![
            Column::from_ints(vec![1, 2, 3]),
            Column::from_texts(["a", "", "ccc"]).slice(1, 2),
            Column::from_vectors(2, vec![1.0, 2.0, 3.0, 4.0]).unwrap(),
            nullable.finish(),
            flags.finish().slice(3, 60),
            Column::from_texts(Vec::<String>::new()),
        ]
    }

    #[test]
    fn there_and_back_also_when_unaligned() {
        for column in columns() {
            let mut buffers = Buffers::of(&column);
            for part in &mut buffers.parts {
                let mut moved = vec![0_u8];
                moved.extend_from_slice(part);
                *part = Bytes::from(moved).slice(1..);
            }
            let back = buffers.into_column().unwrap();
            assert_eq!(back.len(), column.len());
            for row in 0..column.len() {
                assert_eq!(back.value(row), column.value(row));
            }
        }
    }

    #[test]
    fn cut_buffers_are_refused() {
        for column in columns().into_iter().filter(|column| !column.is_empty()) {
            let whole = Buffers::of(&column);
            for place in 0..whole.parts.len() {
                let mut cut = whole.clone();
                cut.parts[place] = Bytes::new();
                assert!(cut.into_column().is_err(), "{column:?} without part {place}");
                let mut missing = whole.clone();
                missing.parts.truncate(place);
                assert!(missing.into_column().is_err());
            }
        }
    }
}
