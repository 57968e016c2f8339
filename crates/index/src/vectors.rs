//! A borrowed matrix of vectors. Invariant: the values are a whole number of vectors of `dim`.

use std::ops::Range;

use simd::Half;

use crate::Element;

/// Rows of one dimension, one after the other.
#[derive(Debug, Clone, Copy)]
pub enum Vectors<'a> {
    /// Floats: `values.len()` is a multiple of `dim`.
    F32 {
        /// Floats in a row.
        dim: usize,
        /// All rows.
        values: &'a [f32],
    },
    /// Half-precision floats, two bytes each, little-endian, at any address.
    F16 {
        /// Floats in a row.
        dim: usize,
        /// All rows, `2 * dim` bytes each.
        bytes: &'a [u8],
    },
    /// bfloat16 numbers, two bytes each, little-endian, at any address.
    Bf16 {
        /// Floats in a row.
        dim: usize,
        /// All rows, `2 * dim` bytes each.
        bytes: &'a [u8],
    },
    /// Signed bytes.
    I8 {
        /// Bytes in a row.
        dim: usize,
        /// All rows.
        values: &'a [i8],
    },
    /// Bits: `bytes.len()` is a multiple of `dim / 8`, and `dim` of 8.
    Bits {
        /// Bits in a row.
        dim: usize,
        /// All rows.
        bytes: &'a [u8],
    },
    /// Sparse rows: pairs of a rising index (u32) and a value (f32), little-endian. Their dimension counts as 0.
    Sparse {
        /// Where each row starts in `bytes`, and where the last ends: one more than there are rows.
        offsets: &'a [i64],
        /// All rows, eight bytes a pair.
        bytes: &'a [u8],
    },
}

impl<'a> Vectors<'a> {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::F32 { dim, values } => values.len().checked_div(*dim).unwrap_or(0),
            Self::F16 { dim, bytes } | Self::Bf16 { dim, bytes } => {
                bytes.len().checked_div(2 * dim).unwrap_or(0)
            }
            Self::I8 { dim, values } => values.len().checked_div(*dim).unwrap_or(0),
            Self::Bits { dim, bytes } => bytes.len().checked_div(dim / 8).unwrap_or(0),
            Self::Sparse { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a vector is made of.
    pub fn element(&self) -> Element {
        match self {
            Self::F32 { .. } => Element::F32,
            Self::F16 { .. } => Element::F16,
            Self::Bf16 { .. } => Element::Bf16,
            Self::I8 { .. } => Element::I8,
            Self::Bits { .. } => Element::Bits,
            Self::Sparse { .. } => Element::Sparse,
        }
    }

    /// Elements in a row; 0 for sparse rows.
    pub fn dim(&self) -> usize {
        match self {
            Self::F32 { dim, .. }
            | Self::F16 { dim, .. }
            | Self::Bf16 { dim, .. }
            | Self::I8 { dim, .. }
            | Self::Bits { dim, .. } => *dim,
            Self::Sparse { .. } => 0,
        }
    }

    /// The rows `range`.
    ///
    /// # Panics
    /// When the range reaches past the last row.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let scaled = |width: usize| range.start * width..range.end * width;
        match *self {
            Self::F32 { dim, values } => Self::F32 { dim, values: &values[scaled(dim)] },
            Self::F16 { dim, bytes } => Self::F16 { dim, bytes: &bytes[scaled(2 * dim)] },
            Self::Bf16 { dim, bytes } => Self::Bf16 { dim, bytes: &bytes[scaled(2 * dim)] },
            Self::I8 { dim, values } => Self::I8 { dim, values: &values[scaled(dim)] },
            Self::Bits { dim, bytes } => Self::Bits { dim, bytes: &bytes[scaled(dim / 8)] },
            Self::Sparse { offsets, bytes } => {
                Self::Sparse { offsets: &offsets[range.start..range.end + 1], bytes }
            }
        }
    }

    /// The row `row` as floats, in place if it is made of them, else widened into `room`; empty if the rows are no
    /// rows of numbers.
    pub(crate) fn floats<'r>(&self, row: usize, room: &'r mut Vec<f32>) -> &'r [f32]
    where
        'a: 'r,
    {
        let dim = self.dim();
        let halves = |half: Half, bytes: &[u8], room: &'r mut Vec<f32>| {
            room.resize(dim, 0.0);
            half.widen(&bytes[row * 2 * dim..][..2 * dim], room);
            &room[..]
        };
        match *self {
            Self::F32 { values, .. } => &values[row * dim..][..dim],
            Self::F16 { bytes, .. } => halves(Half::F16, bytes, room),
            Self::Bf16 { bytes, .. } => halves(Half::Bf16, bytes, room),
            Self::I8 { values, .. } => {
                room.clear();
                room.extend(values[row * dim..][..dim].iter().map(|value| f32::from(*value)));
                room
            }
            Self::Bits { .. } | Self::Sparse { .. } => &[],
        }
    }

    /// The row `row` as it lies in memory.
    #[inline]
    pub(crate) fn bytes(&self, row: usize) -> &'a [u8] {
        match *self {
            Self::F32 { dim, values } => bytemuck::cast_slice(&values[row * dim..][..dim]),
            Self::F16 { dim, bytes } | Self::Bf16 { dim, bytes } => &bytes[row * 2 * dim..][..2 * dim],
            Self::I8 { dim, values } => bytemuck::cast_slice(&values[row * dim..][..dim]),
            Self::Bits { dim, bytes } => &bytes[row * (dim / 8)..][..dim / 8],
            Self::Sparse { offsets, bytes } => {
                let place = |row: usize| usize::try_from(offsets[row]).unwrap_or(usize::MAX);
                bytes.get(place(row)..place(row + 1)).unwrap_or_default()
            }
        }
    }
}

/// Some rows of a matrix, or all of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen<'a> {
    pub(crate) vectors: Vectors<'a>,
    /// Which; `None` for all.
    pub(crate) rows: Option<&'a [u32]>,
}

impl<'a> Chosen<'a> {
    /// All rows.
    pub(crate) fn all(vectors: Vectors<'a>) -> Self {
        Self { vectors, rows: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.map_or(self.vectors.len(), <[u32]>::len)
    }

    /// The row of the matrix that is the `i`-th of these.
    pub(crate) fn row(&self, i: usize) -> usize {
        self.rows.map_or(i, |rows| rows[i] as usize)
    }

    /// The `i`-th row as [`Vectors::floats`] gives it.
    pub(crate) fn floats<'r>(&self, i: usize, room: &'r mut Vec<f32>) -> &'r [f32]
    where
        'a: 'r,
    {
        self.vectors.floats(self.row(i), room)
    }
}

/// Sparse pairs as they come over the wire.
#[inline]
pub(crate) fn pairs_of(bytes: &[u8]) -> impl Iterator<Item = (u32, f32)> + use<'_> {
    bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|[a, b, c, d, value @ ..]| (u32::from_le_bytes([*a, *b, *c, *d]), f32::from_le_bytes(*value)))
}
