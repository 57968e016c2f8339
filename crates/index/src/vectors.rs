//! A borrowed matrix of vectors. Invariant: the values are a whole number of vectors of `dim`.

use std::ops::Range;

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
    /// Bits: `bytes.len()` is a multiple of `dim / 8`, and `dim` of 8.
    Bits {
        /// Bits in a row.
        dim: usize,
        /// All rows.
        bytes: &'a [u8],
    },
}

impl<'a> Vectors<'a> {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Self::F32 { dim, values } => values.len().checked_div(*dim).unwrap_or(0),
            Self::Bits { dim, bytes } => bytes.len().checked_div(dim / 8).unwrap_or(0),
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
            Self::Bits { .. } => Element::Bits,
        }
    }

    /// Elements in a row.
    pub fn dim(&self) -> usize {
        match self {
            Self::F32 { dim, .. } | Self::Bits { dim, .. } => *dim,
        }
    }

    /// The rows `range`.
    ///
    /// # Panics
    /// When the range reaches past the last row.
    pub fn slice(&self, range: Range<usize>) -> Self {
        match *self {
            Self::F32 { dim, values } => {
                Self::F32 { dim, values: &values[range.start * dim..range.end * dim] }
            }
            Self::Bits { dim, bytes } => {
                Self::Bits { dim, bytes: &bytes[range.start * (dim / 8)..range.end * (dim / 8)] }
            }
        }
    }

    /// The floats of row `row`; empty if the rows are bits.
    pub(crate) fn floats(&self, row: usize) -> &'a [f32] {
        match *self {
            Self::F32 { dim, values } => &values[row * dim..(row + 1) * dim],
            Self::Bits { .. } => &[],
        }
    }

    /// The bytes of row `row`; empty if the rows are floats.
    pub(crate) fn bytes(&self, row: usize) -> &'a [u8] {
        match *self {
            Self::F32 { .. } => &[],
            Self::Bits { dim, bytes } => &bytes[row * (dim / 8)..(row + 1) * (dim / 8)],
        }
    }
}
