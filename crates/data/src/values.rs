//! Typed values, one a row, in Arrow buffers.
//! Invariant: offsets begin at or after zero, never fall and stay within what they point into.

use crate::{Column, ColumnError, Kind, Type};
use arrow_buffer::{BooleanBuffer, Buffer, ScalarBuffer};

/// Values of variable length: `rows + 1` offsets into one buffer of bytes.
#[derive(Debug, Clone)]
pub struct VarLen {
    offsets: ScalarBuffer<i64>,
    bytes: Buffer,
}

fn check_offsets(offsets: &[i64], end: usize) -> Result<(), ColumnError> {
    let first = *offsets.first().ok_or(ColumnError::Offsets)?;
    let last = *offsets.last().ok_or(ColumnError::Offsets)?;
    let rising = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
    let inside = usize::try_from(last).is_ok_and(|last| last <= end);
    if first < 0 || !rising || !inside { Err(ColumnError::Offsets) } else { Ok(()) }
}

impl VarLen {
    /// Checks and takes offsets and bytes.
    ///
    /// # Errors
    /// [`ColumnError::Offsets`] when offsets are missing, fall, or point outside of `bytes`.
    pub fn new(offsets: ScalarBuffer<i64>, bytes: Buffer) -> Result<Self, ColumnError> {
        check_offsets(&offsets, bytes.len())?;
        Ok(Self { offsets, bytes })
    }

    /// Offsets and bytes that a builder made.
    pub(crate) fn built(offsets: Vec<i64>, bytes: Vec<u8>) -> Self {
        Self { offsets: offsets.into(), bytes: bytes.into() }
    }

    /// Copies `values` into one buffer.
    pub fn from_values<T: AsRef<[u8]>>(values: impl IntoIterator<Item = T>) -> Self {
        let (mut offsets, mut bytes) = (vec![0_i64], Vec::new());
        for value in values {
            bytes.extend_from_slice(value.as_ref());
            offsets.push(bytes.len() as i64);
        }
        Self::built(offsets, bytes)
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

    /// Value `row` as text; empty should it not be UTF-8, which [`Column::new`] rules out for texts and JSON.
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

    /// Bytes that offsets and values take.
    pub(crate) fn size(&self) -> usize {
        self.offsets.len() * 8 + (self.offsets[self.len()] - self.offsets[0]) as usize
    }

    pub(crate) fn slice(&self, start: usize, len: usize) -> Self {
        Self { offsets: self.offsets.slice(start, len + 1), bytes: self.bytes.clone() }
    }
}

/// Lists of items: `rows + 1` offsets into one column of items, which are never absent and no lists themselves.
#[derive(Debug, Clone)]
pub struct Lists {
    offsets: ScalarBuffer<i64>,
    items: Box<Column>,
}

impl Lists {
    /// Checks and takes offsets and items.
    ///
    /// # Errors
    /// [`ColumnError::Offsets`] when offsets are missing, fall, or point outside of `items`; [`ColumnError::Items`] when
    /// an item is absent or a list.
    pub fn new(offsets: ScalarBuffer<i64>, items: Column) -> Result<Self, ColumnError> {
        if items.null_count() > 0 || items.data_type() == Type::Array {
            return Err(ColumnError::Items);
        }
        check_offsets(&offsets, items.len())?;
        Ok(Self { offsets, items: Box::new(items) })
    }

    pub(crate) fn built(offsets: Vec<i64>, items: Column) -> Self {
        Self { offsets: offsets.into(), items: Box::new(items) }
    }

    /// How many lists.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the items of list `row` are in [`Lists::items`].
    ///
    /// # Panics
    /// When `row >= len()`.
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// The items of list `row`, sharing the buffers.
    ///
    /// # Panics
    /// When `row >= len()`.
    pub fn get(&self, row: usize) -> Column {
        let range = self.range(row);
        self.items.slice(range.start, range.len())
    }

    /// The offsets, `len() + 1` of them; the first need not be zero.
    pub fn offsets(&self) -> &[i64] {
        &self.offsets
    }

    /// The offsets as a buffer.
    pub fn offsets_buffer(&self) -> &ScalarBuffer<i64> {
        &self.offsets
    }

    /// The items of all lists, one list after the other; there may be items before the first list and after the last.
    pub fn items(&self) -> &Column {
        &self.items
    }

    /// Only the items that lists have, and offsets that begin at zero.
    pub fn compact(&self) -> Self {
        let (first, last) = (self.offsets[0], self.offsets[self.len()]);
        let items = self.items.slice(first as usize, (last - first) as usize);
        let offsets = match first {
            0 => self.offsets.clone(),
            _ => self.offsets.iter().map(|offset| offset - first).collect(),
        };
        Self { offsets, items: Box::new(items) }
    }

    /// Whether both have as many lists, and each of them as many items.
    pub fn same_lengths(&self, other: &Self) -> bool {
        let lengths =
            |lists: &Self| lists.offsets.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
        self.offsets == other.offsets || lengths(self) == lengths(other)
    }

    pub(crate) fn size(&self) -> usize {
        let compact = self.compact();
        compact.offsets.len() * 8 + compact.items.bytes()
    }

    pub(crate) fn slice(&self, start: usize, len: usize) -> Self {
        Self { offsets: self.offsets.slice(start, len + 1), items: self.items.clone() }
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
    /// Of [`Type::VarChar`] and [`Type::Text`].
    Text(VarLen),
    /// Of [`Type::Json`].
    Json(VarLen),
    /// Of [`Type::Timestamptz`]: microseconds since 1970-01-01 UTC.
    Timestamptz(ScalarBuffer<i64>),
    /// Of [`Type::Geometry`]: little-endian WKB.
    Geometry(VarLen),
    /// Of [`Type::Array`].
    Array(Lists),
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
    /// Of [`Type::Float16Vector`]: `dim` half floats a row, little-endian, row after row.
    Float16Vector {
        /// Half floats a row.
        dim: usize,
        /// `rows * dim * 2` bytes.
        bytes: Buffer,
    },
    /// Of [`Type::BFloat16Vector`]: `dim` numbers of two bytes a row, little-endian, row after row.
    BFloat16Vector {
        /// Numbers a row.
        dim: usize,
        /// `rows * dim * 2` bytes.
        bytes: Buffer,
    },
    /// Of [`Type::Int8Vector`]: `dim` numbers a row, row after row.
    Int8Vector {
        /// Numbers a row.
        dim: usize,
        /// `rows * dim` numbers.
        values: ScalarBuffer<i8>,
    },
    /// Of [`Type::SparseVector`]: a row is pairs of index (`u32`) and value (`f32`), little-endian, by rising index.
    SparseVector(VarLen),
}

impl Values {
    /// The type of field these are values of; texts say [`Type::VarChar`].
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
            Self::Timestamptz(_) => Type::Timestamptz,
            Self::Geometry(_) => Type::Geometry,
            Self::Array(_) => Type::Array,
            Self::FloatVector { .. } => Type::FloatVector,
            Self::BinaryVector { .. } => Type::BinaryVector,
            Self::Float16Vector { .. } => Type::Float16Vector,
            Self::BFloat16Vector { .. } => Type::BFloat16Vector,
            Self::Int8Vector { .. } => Type::Int8Vector,
            Self::SparseVector(_) => Type::SparseVector,
        }
    }

    /// What these values are.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Array(lists) => {
                let item = lists.items().kind();
                Kind::array(item.data_type, item.dim)
            }
            Self::FloatVector { dim, .. }
            | Self::BinaryVector { dim, .. }
            | Self::Float16Vector { dim, .. }
            | Self::BFloat16Vector { dim, .. }
            | Self::Int8Vector { dim, .. } => Kind::new(self.data_type(), *dim),
            _ => Kind::new(self.data_type(), 0),
        }
    }

    /// How many values.
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(v) => v.len(),
            Self::Int8(v) => v.len(),
            Self::Int16(v) => v.len(),
            Self::Int32(v) => v.len(),
            Self::Int64(v) | Self::Timestamptz(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Double(v) => v.len(),
            Self::Text(v) | Self::Json(v) | Self::Geometry(v) | Self::SparseVector(v) => v.len(),
            Self::Array(v) => v.len(),
            Self::FloatVector { dim, values } => values.len().checked_div(*dim).unwrap_or(0),
            Self::BinaryVector { dim, bytes } => bytes.len().checked_div(dim / 8).unwrap_or(0),
            Self::Float16Vector { dim, bytes } | Self::BFloat16Vector { dim, bytes } => {
                bytes.len().checked_div(dim * 2).unwrap_or(0)
            }
            Self::Int8Vector { dim, values } => values.len().checked_div(*dim).unwrap_or(0),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values of variable length, when these are such: texts, JSON, shapes, sparse vectors.
    pub fn var_len(&self) -> Option<&VarLen> {
        match self {
            Self::Text(v) | Self::Json(v) | Self::Geometry(v) | Self::SparseVector(v) => Some(v),
            _ => None,
        }
    }

    /// Variable-length values of `data_type`; `None` for types of other values.
    pub fn from_var_len(data_type: Type, values: VarLen) -> Option<Self> {
        Some(match data_type {
            Type::VarChar | Type::Text => Self::Text(values),
            Type::Json => Self::Json(values),
            Type::Geometry => Self::Geometry(values),
            Type::SparseVector => Self::SparseVector(values),
            _ => return None,
        })
    }

    /// Bytes the values take.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Bool(v) => v.len().div_ceil(8),
            Self::Int8(v) => v.len(),
            Self::Int16(v) => v.len() * 2,
            Self::Int32(v) => v.len() * 4,
            Self::Int64(v) | Self::Timestamptz(v) => v.len() * 8,
            Self::Float(v) => v.len() * 4,
            Self::Double(v) => v.len() * 8,
            Self::Text(v) | Self::Json(v) | Self::Geometry(v) | Self::SparseVector(v) => v.size(),
            Self::Array(v) => v.size(),
            Self::FloatVector { values, .. } => values.len() * 4,
            Self::BinaryVector { bytes, .. }
            | Self::Float16Vector { bytes, .. }
            | Self::BFloat16Vector { bytes, .. } => bytes.len(),
            Self::Int8Vector { values, .. } => values.len(),
        }
    }

    pub(crate) fn slice(&self, start: usize, len: usize) -> Self {
        match self {
            Self::Bool(v) => Self::Bool(v.slice(start, len)),
            Self::Int8(v) => Self::Int8(v.slice(start, len)),
            Self::Int16(v) => Self::Int16(v.slice(start, len)),
            Self::Int32(v) => Self::Int32(v.slice(start, len)),
            Self::Int64(v) => Self::Int64(v.slice(start, len)),
            Self::Float(v) => Self::Float(v.slice(start, len)),
            Self::Double(v) => Self::Double(v.slice(start, len)),
            Self::Text(v) => Self::Text(v.slice(start, len)),
            Self::Json(v) => Self::Json(v.slice(start, len)),
            Self::Timestamptz(v) => Self::Timestamptz(v.slice(start, len)),
            Self::Geometry(v) => Self::Geometry(v.slice(start, len)),
            Self::SparseVector(v) => Self::SparseVector(v.slice(start, len)),
            Self::Array(v) => Self::Array(v.slice(start, len)),
            Self::FloatVector { dim, values } => {
                Self::FloatVector { dim: *dim, values: values.slice(start * dim, len * dim) }
            }
            Self::Int8Vector { dim, values } => {
                Self::Int8Vector { dim: *dim, values: values.slice(start * dim, len * dim) }
            }
            Self::BinaryVector { dim, bytes } => Self::BinaryVector {
                dim: *dim,
                bytes: bytes.slice_with_length(start * (dim / 8), len * (dim / 8)),
            },
            Self::Float16Vector { dim, bytes } => Self::Float16Vector {
                dim: *dim,
                bytes: bytes.slice_with_length(start * dim * 2, len * dim * 2),
            },
            Self::BFloat16Vector { dim, bytes } => Self::BFloat16Vector {
                dim: *dim,
                bytes: bytes.slice_with_length(start * dim * 2, len * dim * 2),
            },
        }
    }
}
