//! The values of one field for several rows: typed values and, where they may be absent, validity bits.
//! Invariant: there are as many validity bits as values; text and JSON are valid UTF-8, vectors are whole.

use crate::{ColumnBuilder, Kind, Shape, Type, Value, Values, VarLen};
use arrow_buffer::NullBuffer;

/// Bytes a component of a sparse vector has.
const SPARSE_PAIR_BYTES: usize = 8;

/// Why buffers are no column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// Offsets are missing, fall, or point outside of the bytes.
    #[error("offsets of a variable-length column are out of order or out of range")]
    Offsets,
    /// Items of lists are absent, or lists themselves.
    #[error("items of an array should be present and no arrays themselves")]
    Items,
    /// A vector buffer does not divide into whole vectors.
    #[error("{len} values are no whole number of vectors of {dim}")]
    Ragged {
        /// Values (floats or bytes) there are.
        len: usize,
        /// Values a vector has.
        dim: usize,
    },
    /// There are not as many validity bits as values.
    #[error("{validity} validity bits for {values} values")]
    Validity {
        /// How many bits.
        validity: usize,
        /// How many values.
        values: usize,
    },
    /// A text is not UTF-8.
    #[error("value {row} is not valid UTF-8")]
    Utf8 {
        /// Which one, counted from 0.
        row: usize,
    },
}

/// The values of one field for several rows. Columns are equal when they hold equal values of one kind, bit by bit.
#[derive(Debug, Clone)]
pub struct Column {
    values: Values,
    validity: Option<NullBuffer>,
}

impl Column {
    /// Checks and puts together values and validity (`true` = present; `None` = all present).
    ///
    /// # Errors
    /// [`ColumnError`] when lengths do not fit together or text is not UTF-8.
    pub fn new(values: Values, validity: Option<NullBuffer>) -> Result<Self, ColumnError> {
        match &values {
            Values::Text(texts) | Values::Json(texts) => check_utf8(texts)?,
            Values::SparseVector(rows) => check_pairs(rows)?,
            other => check_whole(other)?,
        }
        if let Some(bits) = &validity
            && bits.len() != values.len()
        {
            return Err(ColumnError::Validity { validity: bits.len(), values: values.len() });
        }
        let validity = validity.filter(|bits| bits.null_count() > 0);
        Ok(Self { values, validity })
    }

    /// Takes over values that are known to be sound (a file this program wrote, checksum verified): no look at the
    /// text, which keeps opening a mapped file from touching every page of it.
    ///
    /// # Errors
    /// [`ColumnError::Validity`] when the lengths differ.
    pub fn trusted(values: Values, validity: Option<NullBuffer>) -> Result<Self, ColumnError> {
        match &validity {
            Some(bits) if bits.len() != values.len() => {
                Err(ColumnError::Validity { validity: bits.len(), values: values.len() })
            }
            _ => Ok(Self { values, validity }),
        }
    }

    /// What a builder made.
    pub(crate) fn built(values: Values, validity: Option<NullBuffer>) -> Self {
        Self { values, validity }
    }

    /// A column of numbers.
    pub fn from_ints(values: Vec<i64>) -> Self {
        Self { values: Values::Int64(values.into()), validity: None }
    }

    /// A column of texts.
    pub fn from_texts<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut builder = ColumnBuilder::new(Type::VarChar, 0);
        for text in texts {
            builder.push_bytes(text.as_ref().as_bytes());
        }
        builder.finish()
    }

    /// A column of float vectors, `dim` numbers each.
    ///
    /// # Errors
    /// [`ColumnError::Ragged`] when `values` is no whole number of vectors.
    pub fn from_vectors(dim: usize, values: Vec<f32>) -> Result<Self, ColumnError> {
        Self::new(Values::FloatVector { dim, values: values.into() }, None)
    }

    /// `rows` rows of `kind` without any value.
    pub fn nothing(kind: Kind, rows: usize) -> Self {
        let mut builder = ColumnBuilder::of(kind);
        builder.push_nulls(rows);
        builder.finish()
    }

    /// The typed buffers.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Which values are present; `None` = all.
    pub fn validity(&self) -> Option<&NullBuffer> {
        self.validity.as_ref()
    }

    /// The type of field this is a column of; columns of texts say [`Type::VarChar`].
    pub fn data_type(&self) -> Type {
        self.values.data_type()
    }

    /// What the values are.
    pub fn kind(&self) -> Kind {
        self.values.kind()
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values are absent.
    pub fn null_count(&self) -> usize {
        self.validity.as_ref().map_or(0, NullBuffer::null_count)
    }

    /// Whether the value of `row` is present.
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.as_ref().is_none_or(|bits| bits.is_valid(row))
    }

    /// Bytes the values have in memory.
    pub fn bytes(&self) -> usize {
        self.values.bytes() + self.validity.as_ref().map_or(0, |bits| bits.len().div_ceil(8))
    }

    /// Rows `start .. start + len`, sharing the buffers.
    ///
    /// # Panics
    /// When the range is out of bounds.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let validity = self.validity.as_ref().map(|bits| bits.slice(start, len));
        Self { values: self.values.slice(start, len), validity }
    }

    /// The rows at `picks`, in that order, copied.
    ///
    /// # Panics
    /// When a pick is out of bounds.
    pub fn take(&self, picks: &[u32]) -> Self {
        let mut builder = ColumnBuilder::like(self);
        builder.reserve(picks.len());
        for &row in picks {
            builder.push_from(self, row as usize);
        }
        builder.finish()
    }

    /// The value of `row`; a moment is its microseconds, a shape its WKT, an array a list. Vectors are not single values
    /// and give [`Value::Null`].
    ///
    /// # Panics
    /// When `row >= len()`.
    pub fn value(&self, row: usize) -> Value {
        if !self.is_valid(row) {
            return Value::Null;
        }
        match &self.values {
            Values::Bool(v) => Value::Bool(v.value(row)),
            Values::Int8(v) => Value::Int(v[row].into()),
            Values::Int16(v) => Value::Int(v[row].into()),
            Values::Int32(v) => Value::Int(v[row].into()),
            Values::Int64(v) | Values::Timestamptz(v) => Value::Int(v[row]),
            Values::Float(v) => Value::Double(v[row].into()),
            Values::Double(v) => Value::Double(v[row]),
            Values::Text(v) => Value::Text(v.text(row).to_owned()),
            Values::Json(v) => Value::Json(v.text(row).to_owned()),
            Values::Array(v) => Value::List(v.range(row).map(|item| v.items().value(item)).collect()),
            Values::Geometry(v) => {
                Shape::from_wkb(v.get(row)).map_or(Value::Null, |shape| Value::Text(shape.to_wkt()))
            }
            Values::SparseVector(_) => Value::Null,
            Values::FloatVector { .. } | Values::BinaryVector { .. } | Values::Int8Vector { .. } => {
                Value::Null
            }
            Values::Float16Vector { .. } | Values::BFloat16Vector { .. } => Value::Null,
        }
    }

    /// Whether row `row` holds what row `other_row` of `other` holds, floats bit by bit; columns of different kinds
    /// hold nothing alike.
    ///
    /// # Panics
    /// When a row is out of bounds.
    pub fn same(&self, row: usize, other: &Self, other_row: usize) -> bool {
        if !self.is_valid(row) || !other.is_valid(other_row) {
            return self.is_valid(row) == other.is_valid(other_row) && self.kind() == other.kind();
        }
        match (&self.values, &other.values) {
            (Values::Bool(a), Values::Bool(b)) => a.value(row) == b.value(other_row),
            (Values::Array(a), Values::Array(b)) => a.get(row) == b.get(other_row),
            (a, b) => match (a.var_len(), b.var_len()) {
                (Some(x), Some(y)) => a.data_type() == b.data_type() && x.get(row) == y.get(other_row),
                (None, None) => a.kind() == b.kind() && a.fixed(row) == b.fixed(other_row),
                _ => false,
            },
        }
    }
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        let same_kind = self.kind() == other.kind() && self.len() == other.len();
        same_kind && (0..self.len()).all(|row| self.same(row, other, row))
    }
}

impl Values {
    /// The bytes of a value of fixed width; nothing for other types and for bools.
    fn fixed(&self, row: usize) -> &[u8] {
        let (bytes, width) = match self {
            Self::Int8(v) => (v.inner(), 1),
            Self::Int16(v) => (v.inner(), 2),
            Self::Int32(v) => (v.inner(), 4),
            Self::Int64(v) | Self::Timestamptz(v) => (v.inner(), 8),
            Self::Float(v) => (v.inner(), 4),
            Self::Double(v) => (v.inner(), 8),
            Self::FloatVector { dim, values } => (values.inner(), dim * 4),
            Self::Int8Vector { dim, values } => (values.inner(), *dim),
            Self::BinaryVector { dim, bytes } => (bytes, dim / 8),
            Self::Float16Vector { dim, bytes } | Self::BFloat16Vector { dim, bytes } => (bytes, dim * 2),
            Self::Bool(_) | Self::Array(_) => return &[],
            Self::Text(_) | Self::Json(_) | Self::Geometry(_) | Self::SparseVector(_) => return &[],
        };
        bytes.get(row * width..(row + 1) * width).unwrap_or_default()
    }
}

fn check_utf8(texts: &VarLen) -> Result<(), ColumnError> {
    let bad = texts.iter().position(|bytes| std::str::from_utf8(bytes).is_err());
    bad.map_or(Ok(()), |row| Err(ColumnError::Utf8 { row }))
}

fn check_pairs(rows: &VarLen) -> Result<(), ColumnError> {
    let ragged = rows.iter().map(<[u8]>::len).find(|len| !len.is_multiple_of(SPARSE_PAIR_BYTES));
    ragged.map_or(Ok(()), |len| Err(ColumnError::Ragged { len, dim: SPARSE_PAIR_BYTES }))
}

/// Whether the buffers of dense vectors divide into whole vectors.
fn check_whole(values: &Values) -> Result<(), ColumnError> {
    let (len, dim) = match values {
        Values::FloatVector { dim, values } => (values.len(), *dim),
        Values::Int8Vector { dim, values } => (values.len(), *dim),
        Values::BinaryVector { dim, bytes } => (bytes.len(), dim / 8),
        Values::Float16Vector { dim, bytes } | Values::BFloat16Vector { dim, bytes } => {
            (bytes.len(), dim * 2)
        }
        _ => return Ok(()),
    };
    if dim == 0 || !len.is_multiple_of(dim) { Err(ColumnError::Ragged { len, dim }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_slice_and_nulls() {
        let mut builder = ColumnBuilder::new(Type::Int32, 0);
        builder.push(&Value::Int(1));
        builder.push_null();
        builder.push(&Value::Int(3));
        let column = builder.finish();
        let taken = column.take(&[2, 1, 0]);
        assert_eq!(
            (taken.value(0), taken.value(1), taken.value(2)),
            (Value::Int(3), Value::Null, Value::Int(1))
        );
        assert_eq!(column.slice(2, 1).null_count(), 0);
        assert_eq!(column.slice(1, 2).value(1), Value::Int(3));
    }

    #[test]
    fn texts_slice_without_copy_and_refuse_bad_utf8() {
        let column = Column::from_texts(["a", "bc", ""]);
        assert_eq!(column.slice(1, 2).value(0), Value::Text("bc".into()));
        let bad = VarLen::from_values([b"ok".as_slice(), b"\xff"]);
        assert_eq!(Column::new(Values::Text(bad), None).unwrap_err(), ColumnError::Utf8 { row: 1 });
    }

    #[test]
    fn vectors_must_be_whole() {
        assert!(Column::from_vectors(3, vec![0.0; 7]).is_err());
        let column = Column::from_vectors(2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((column.len(), column.take(&[1]).bytes()), (2, 8));
        let half = |bytes: usize| Values::Float16Vector { dim: 2, bytes: vec![0_u8; bytes].into() };
        assert!(Column::new(half(6), None).is_err());
        assert_eq!(Column::new(half(8), None).unwrap().len(), 2);
        let sparse = |bytes: usize| Values::SparseVector(VarLen::from_values([vec![0_u8; bytes]]));
        assert!(Column::new(sparse(4), None).is_err());
        assert!(Column::new(sparse(16), None).is_ok() && Column::new(sparse(0), None).is_ok());
    }

    #[test]
    fn columns_are_equal_by_what_they_hold() {
        let all = Column::from_texts(["a", "b", "c"]);
        assert_eq!(all.slice(1, 2), Column::from_texts(["b", "c"]));
        assert_ne!(all.slice(1, 2), Column::from_texts(["b", "d"]));
        assert_ne!(all.slice(1, 2), Column::from_texts(["b"]));
        assert_ne!(Column::from_ints(vec![1]), Column::from_texts(["1"]));
        assert_ne!(Column::nothing(Kind::new(Type::Int64, 0), 1), Column::from_ints(vec![0]));
        let nan = || Column::from_vectors(1, vec![f32::NAN]).unwrap();
        assert_eq!(nan(), nan());
    }
}
