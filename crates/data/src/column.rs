//! The values of one field for several rows: typed Arrow buffers and, where values may be absent, validity bits.
//! Invariant: every buffer holds exactly as many values as the column has rows; text and JSON are valid UTF-8.

use crate::{Type, Value};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, ScalarBuffer};

/// Values of variable length: `rows + 1` offsets into one buffer of bytes.
#[derive(Debug, Clone)]
pub struct VarLen {
    offsets: ScalarBuffer<i64>,
    bytes: Buffer,
}

impl VarLen {
    /// Checks and takes offsets and bytes.
    ///
    /// # Errors
    /// [`ColumnError::Offsets`] when offsets are missing, fall, or point outside of `bytes`.
    pub fn new(offsets: ScalarBuffer<i64>, bytes: Buffer) -> Result<Self, ColumnError> {
        let first = *offsets.first().ok_or(ColumnError::Offsets)?;
        let last = *offsets.last().ok_or(ColumnError::Offsets)?;
        let rising = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        let inside = usize::try_from(last).is_ok_and(|last| last <= bytes.len());
        if first < 0 || !rising || !inside {
            return Err(ColumnError::Offsets);
        }
        Ok(Self { offsets, bytes })
    }

    /// Copies `values` into one buffer.
    pub fn from_values<T: AsRef<[u8]>>(values: impl IntoIterator<Item = T>) -> Self {
        let (mut offsets, mut bytes) = (vec![0_i64], Vec::new());
        for value in values {
            bytes.extend_from_slice(value.as_ref());
            offsets.push(bytes.len() as i64);
        }
        Self { offsets: offsets.into(), bytes: bytes.into() }
    }

    /// How many values.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of value `row`.
    ///
    /// # Panics
    /// When `row >= len()`.
    pub fn get(&self, row: usize) -> &[u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// Value `row` as text; empty should it not be UTF-8, which [`Column::new`] rules out.
    pub fn text(&self, row: usize) -> &str {
        std::str::from_utf8(self.get(row)).unwrap_or_default()
    }

    /// All values in row order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// The offsets, `len() + 1` of them; the first need not be zero.
    pub fn offsets(&self) -> &[i64] {
        &self.offsets
    }

    /// The offsets as a buffer.
    pub fn offsets_buffer(&self) -> &ScalarBuffer<i64> {
        &self.offsets
    }

    /// The buffer the offsets point into.
    pub fn buffer(&self) -> &Buffer {
        &self.bytes
    }

    fn slice(&self, start: usize, len: usize) -> Self {
        Self { offsets: self.offsets.slice(start, len + 1), bytes: self.bytes.clone() }
    }
}

/// Typed values, one per row. Absent values hold zero, `false` or nothing.
#[derive(Debug, Clone)]
pub enum Values {
    /// Of [`Type::Bool`].
    Bool(BooleanBuffer),
    /// Of [`Type::Int8`].
    Int8(ScalarBuffer<i8>),
    /// Of [`Type::Int16`].
    Int16(ScalarBuffer<i16>),
    /// Of [`Type::Int32`].
    Int32(ScalarBuffer<i32>),
    /// Of [`Type::Int64`].
    Int64(ScalarBuffer<i64>),
    /// Of [`Type::Float`].
    Float(ScalarBuffer<f32>),
    /// Of [`Type::Double`].
    Double(ScalarBuffer<f64>),
    /// Of [`Type::VarChar`].
    Text(VarLen),
    /// Of [`Type::Json`].
    Json(VarLen),
    /// Of [`Type::FloatVector`]: `dim` floats a row, row after row.
    FloatVector {
        /// Floats a row.
        dim: usize,
        /// `rows * dim` floats.
        values: ScalarBuffer<f32>,
    },
    /// Of [`Type::BinaryVector`]: `dim / 8` bytes a row, row after row.
    BinaryVector {
        /// Bits a row.
        dim: usize,
        /// `rows * dim / 8` bytes.
        bytes: Buffer,
    },
}

impl Values {
    /// The type of field these are values of.
    pub fn data_type(&self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::Int8(_) => Type::Int8,
            Self::Int16(_) => Type::Int16,
            Self::Int32(_) => Type::Int32,
            Self::Int64(_) => Type::Int64,
            Self::Float(_) => Type::Float,
            Self::Double(_) => Type::Double,
            Self::Text(_) => Type::VarChar,
            Self::Json(_) => Type::Json,
            Self::FloatVector { .. } => Type::FloatVector,
            Self::BinaryVector { .. } => Type::BinaryVector,
        }
    }

    /// How many values.
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(v) => v.len(),
            Self::Int8(v) => v.len(),
            Self::Int16(v) => v.len(),
            Self::Int32(v) => v.len(),
            Self::Int64(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Double(v) => v.len(),
            Self::Text(v) | Self::Json(v) => v.len(),
            Self::FloatVector { dim, values } => values.len().checked_div(*dim).unwrap_or(0),
            Self::BinaryVector { dim, bytes } => bytes.len().checked_div(dim / 8).unwrap_or(0),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why buffers are no column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// Offsets are missing, fall, or point outside of the bytes.
    #[error("offsets of a variable-length column are out of order or out of range")]
    Offsets,
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

/// The values of one field for several rows.
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
            Values::FloatVector { dim, values } if *dim == 0 || values.len() % dim != 0 => {
                return Err(ColumnError::Ragged { len: values.len(), dim: *dim });
            }
            Values::BinaryVector { dim, bytes } if *dim < 8 || bytes.len() % (dim / 8) != 0 => {
                return Err(ColumnError::Ragged { len: bytes.len(), dim: dim / 8 });
            }
            Values::Text(texts) | Values::Json(texts) => check_utf8(texts)?,
            _ => {}
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

    /// The typed buffers.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Which values are present; `None` = all.
    pub fn validity(&self) -> Option<&NullBuffer> {
        self.validity.as_ref()
    }

    /// The type of field this is a column of.
    pub fn data_type(&self) -> Type {
        self.values.data_type()
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
        let values = match &self.values {
            Values::Bool(v) => v.len().div_ceil(8),
            Values::Int8(v) => v.len(),
            Values::Int16(v) => v.len() * 2,
            Values::Int32(v) => v.len() * 4,
            Values::Int64(v) => v.len() * 8,
            Values::Float(v) => v.len() * 4,
            Values::Double(v) => v.len() * 8,
            Values::Text(v) | Values::Json(v) => {
                let span = v.offsets[v.len()] - v.offsets[0];
                v.offsets.len() * 8 + span as usize
            }
            Values::FloatVector { values, .. } => values.len() * 4,
            Values::BinaryVector { bytes, .. } => bytes.len(),
        };
        values + self.validity.as_ref().map_or(0, |bits| bits.len().div_ceil(8))
    }

    /// Rows `start .. start + len`, sharing the buffers.
    ///
    /// # Panics
    /// When the range is out of bounds.
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let values = match &self.values {
            Values::Bool(v) => Values::Bool(v.slice(start, len)),
            Values::Int8(v) => Values::Int8(v.slice(start, len)),
            Values::Int16(v) => Values::Int16(v.slice(start, len)),
            Values::Int32(v) => Values::Int32(v.slice(start, len)),
            Values::Int64(v) => Values::Int64(v.slice(start, len)),
            Values::Float(v) => Values::Float(v.slice(start, len)),
            Values::Double(v) => Values::Double(v.slice(start, len)),
            Values::Text(v) => Values::Text(v.slice(start, len)),
            Values::Json(v) => Values::Json(v.slice(start, len)),
            Values::FloatVector { dim, values } => {
                Values::FloatVector { dim: *dim, values: values.slice(start * dim, len * dim) }
            }
            Values::BinaryVector { dim, bytes } => Values::BinaryVector {
                dim: *dim,
                bytes: bytes.slice_with_length(start * dim / 8, len * dim / 8),
            },
        };
        Self { values, validity: self.validity.as_ref().map(|bits| bits.slice(start, len)) }
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

    /// The value of `row`; vectors are not single values and give [`Value::Null`].
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
            Values::Int64(v) => Value::Int(v[row]),
            Values::Float(v) => Value::Double(v[row].into()),
            Values::Double(v) => Value::Double(v[row]),
            Values::Text(v) => Value::Text(v.text(row).to_owned()),
            Values::Json(v) => Value::Json(v.text(row).to_owned()),
            Values::FloatVector { .. } | Values::BinaryVector { .. } => Value::Null,
        }
    }
}

fn check_utf8(texts: &VarLen) -> Result<(), ColumnError> {
    let bad = texts.iter().position(|bytes| std::str::from_utf8(bytes).is_err());
    bad.map_or(Ok(()), |row| Err(ColumnError::Utf8 { row }))
}

/// Grows a column value by value.
#[derive(Debug)]
pub struct ColumnBuilder {
    values: Growing,
    validity: BooleanBufferBuilder,
    has_nulls: bool,
}

#[derive(Debug)]
enum Growing {
    Bool(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes { is_json: bool, offsets: Vec<i64>, bytes: Vec<u8> },
    FloatVector { dim: usize, values: Vec<f32> },
    BinaryVector { dim: usize, bytes: Vec<u8> },
}

impl ColumnBuilder {
    /// An empty column of `data_type`; `dim` matters for vectors only.
    pub fn new(data_type: Type, dim: usize) -> Self {
        let values = match data_type {
            Type::Bool => Growing::Bool(BooleanBufferBuilder::new(0)),
            Type::Int8 => Growing::Int8(Vec::new()),
            Type::Int16 => Growing::Int16(Vec::new()),
            Type::Int32 => Growing::Int32(Vec::new()),
            Type::Int64 => Growing::Int64(Vec::new()),
            Type::Float => Growing::Float(Vec::new()),
            Type::Double => Growing::Double(Vec::new()),
            Type::VarChar | Type::Json => {
                Growing::Bytes { is_json: data_type == Type::Json, offsets: vec![0], bytes: Vec::new() }
            }
            Type::FloatVector => Growing::FloatVector { dim, values: Vec::new() },
            Type::BinaryVector => Growing::BinaryVector { dim, bytes: Vec::new() },
        };
        Self { values, validity: BooleanBufferBuilder::new(0), has_nulls: false }
    }

    /// An empty column of the same type as `column`.
    pub fn like(column: &Column) -> Self {
        let dim = match column.values() {
            Values::FloatVector { dim, .. } | Values::BinaryVector { dim, .. } => *dim,
            _ => 0,
        };
        Self::new(column.data_type(), dim)
    }

    /// Makes room for `rows` more rows.
    pub fn reserve(&mut self, rows: usize) {
        match &mut self.values {
            Growing::Bool(_) => {}
            Growing::Int8(v) => v.reserve(rows),
            Growing::Int16(v) => v.reserve(rows),
            Growing::Int32(v) => v.reserve(rows),
            Growing::Int64(v) => v.reserve(rows),
            Growing::Float(v) => v.reserve(rows),
            Growing::Double(v) => v.reserve(rows),
            Growing::Bytes { offsets, .. } => offsets.reserve(rows),
            Growing::FloatVector { dim, values } => values.reserve(rows * *dim),
            Growing::BinaryVector { dim, bytes } => bytes.reserve(rows * *dim / 8),
        }
    }

    /// How many rows so far.
    pub fn len(&self) -> usize {
        self.validity.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an absent value.
    pub fn push_null(&mut self) {
        self.has_nulls = true;
        self.validity.append(false);
        self.push_zero();
    }

    fn push_zero(&mut self) {
        match &mut self.values {
            Growing::Bool(v) => v.append(false),
            Growing::Int8(v) => v.push(0),
            Growing::Int16(v) => v.push(0),
            Growing::Int32(v) => v.push(0),
            Growing::Int64(v) => v.push(0),
            Growing::Float(v) => v.push(0.0),
            Growing::Double(v) => v.push(0.0),
            Growing::Bytes { offsets, bytes, .. } => offsets.push(bytes.len() as i64),
            Growing::FloatVector { dim, values } => values.extend(std::iter::repeat_n(0.0, *dim)),
            Growing::BinaryVector { dim, bytes } => bytes.extend(std::iter::repeat_n(0, *dim / 8)),
        }
    }

    /// Adds `value`. A value of another kind of type becomes absent; numbers are cut to the column's width.
    pub fn push(&mut self, value: &Value) {
        let fits = match (&mut self.values, value) {
            (Growing::Bool(v), Value::Bool(x)) => {
                v.append(*x);
                true
            }
            (Growing::Int8(v), Value::Int(x)) => push_to(v, *x as i8),
            (Growing::Int16(v), Value::Int(x)) => push_to(v, *x as i16),
            (Growing::Int32(v), Value::Int(x)) => push_to(v, *x as i32),
            (Growing::Int64(v), Value::Int(x)) => push_to(v, *x),
            (Growing::Float(v), Value::Double(x)) => push_to(v, *x as f32),
            (Growing::Float(v), Value::Int(x)) => push_to(v, *x as f32),
            (Growing::Double(v), Value::Double(x)) => push_to(v, *x),
            (Growing::Double(v), Value::Int(x)) => push_to(v, *x as f64),
            (Growing::Bytes { offsets, bytes, .. }, Value::Text(text) | Value::Json(text)) => {
                bytes.extend_from_slice(text.as_bytes());
                push_to(offsets, bytes.len() as i64)
            }
            _ => false,
        };
        if fits {
            self.validity.append(true);
        } else {
            self.push_null();
        }
    }

    /// Adds the bytes of a text or of a JSON document.
    ///
    /// # Panics
    /// In debug builds, when the column is of another type.
    pub fn push_bytes(&mut self, value: &[u8]) {
        let Growing::Bytes { offsets, bytes, .. } = &mut self.values else {
            debug_assert!(false, "bytes go into text and JSON columns only");
            return self.push_null();
        };
        bytes.extend_from_slice(value);
        offsets.push(bytes.len() as i64);
        self.validity.append(true);
    }

    /// Adds row `row` of `column`, which must have this builder's type.
    ///
    /// # Panics
    /// When `row` is out of bounds; in debug builds, when the types differ.
    pub fn push_from(&mut self, column: &Column, row: usize) {
        if !column.is_valid(row) {
            return self.push_null();
        }
        match (&mut self.values, column.values()) {
            (Growing::Bool(v), Values::Bool(from)) => v.append(from.value(row)),
            (Growing::Int8(v), Values::Int8(from)) => v.push(from[row]),
            (Growing::Int16(v), Values::Int16(from)) => v.push(from[row]),
            (Growing::Int32(v), Values::Int32(from)) => v.push(from[row]),
            (Growing::Int64(v), Values::Int64(from)) => v.push(from[row]),
            (Growing::Float(v), Values::Float(from)) => v.push(from[row]),
            (Growing::Double(v), Values::Double(from)) => v.push(from[row]),
            (Growing::Bytes { offsets, bytes, .. }, Values::Text(from) | Values::Json(from)) => {
                bytes.extend_from_slice(from.get(row));
                offsets.push(bytes.len() as i64);
            }
            (Growing::FloatVector { dim, values }, Values::FloatVector { values: from, .. }) => {
                values.extend_from_slice(&from[row * *dim..(row + 1) * *dim]);
            }
            (Growing::BinaryVector { dim, bytes }, Values::BinaryVector { bytes: from, .. }) => {
                bytes.extend_from_slice(&from[row * *dim / 8..(row + 1) * *dim / 8]);
            }
            _ => {
                debug_assert!(false, "a column of another type");
                return self.push_null();
            }
        }
        self.validity.append(true);
    }

    /// Adds all rows of `column`, which must have this builder's type. Vectors and numbers are copied in one piece.
    pub fn extend_from(&mut self, column: &Column) {
        if column.null_count() == 0 {
            let whole = match (&mut self.values, column.values()) {
                (Growing::Int64(v), Values::Int64(from)) => extend(v, from),
                (Growing::Int32(v), Values::Int32(from)) => extend(v, from),
                (Growing::Float(v), Values::Float(from)) => extend(v, from),
                (Growing::Double(v), Values::Double(from)) => extend(v, from),
                (Growing::FloatVector { values: v, .. }, Values::FloatVector { values: from, .. }) => {
                    extend(v, from)
                }
                (Growing::BinaryVector { bytes: v, .. }, Values::BinaryVector { bytes: from, .. }) => {
                    extend(v, from)
                }
                _ => false,
            };
            if whole {
                return self.validity.append_n(column.len(), true);
            }
        }
        for row in 0..column.len() {
            self.push_from(column, row);
        }
    }

    /// The column.
    pub fn finish(mut self) -> Column {
        let values = match self.values {
            Growing::Bool(mut v) => Values::Bool(v.finish()),
            Growing::Int8(v) => Values::Int8(v.into()),
            Growing::Int16(v) => Values::Int16(v.into()),
            Growing::Int32(v) => Values::Int32(v.into()),
            Growing::Int64(v) => Values::Int64(v.into()),
            Growing::Float(v) => Values::Float(v.into()),
            Growing::Double(v) => Values::Double(v.into()),
            Growing::Bytes { is_json, offsets, bytes } => {
                let texts = VarLen { offsets: offsets.into(), bytes: bytes.into() };
                if is_json { Values::Json(texts) } else { Values::Text(texts) }
            }
            Growing::FloatVector { dim, values } => Values::FloatVector { dim, values: values.into() },
            Growing::BinaryVector { dim, bytes } => Values::BinaryVector { dim, bytes: bytes.into() },
        };
        let validity = self.has_nulls.then(|| NullBuffer::new(self.validity.finish()));
        Column { values, validity }
    }
}

fn push_to<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    true
}

fn extend<T: Copy>(values: &mut Vec<T>, from: &[T]) -> bool {
    values.extend_from_slice(from);
    true
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
    }

    #[test]
    fn extend_equals_push() {
        let column = Column::from_texts(["x", "y"]);
        let mut builder = ColumnBuilder::like(&column);
        builder.extend_from(&column);
        builder.extend_from(&column.slice(1, 1));
        let all = builder.finish();
        assert_eq!((all.len(), all.value(2)), (3, Value::Text("y".into())));
    }
}
