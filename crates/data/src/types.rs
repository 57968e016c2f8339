//! The types a field can have, and the few facts every layer asks of them.

use serde::{Deserialize, Serialize};

/// The type of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// True or false.
    Bool,
    /// 8-bit signed integer.
    Int8,
    /// 16-bit signed integer.
    Int16,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// 32-bit IEEE float.
    Float,
    /// 64-bit IEEE float.
    Double,
    /// UTF-8 text of at most `max_length` bytes.
    VarChar,
    /// One JSON document a row, stored as its text.
    Json,
    /// `dim` 32-bit floats.
    FloatVector,
    /// `dim` bits, eight to a byte, most significant first.
    BinaryVector,
}

impl Type {
    /// Whether values are vectors.
    pub fn is_vector(self) -> bool {
        matches!(self, Self::FloatVector | Self::BinaryVector)
    }

    /// Whether values are whole numbers.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }

    /// Whether values are whole or floating numbers.
    pub fn is_number(self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double)
    }

    /// Whether a primary key can have this type.
    pub fn is_key(self) -> bool {
        matches!(self, Self::Int64 | Self::VarChar)
    }

    /// The smallest and largest value, for integers.
    pub fn integer_range(self) -> Option<(i64, i64)> {
        match self {
            Self::Int8 => Some((i8::MIN.into(), i8::MAX.into())),
            Self::Int16 => Some((i16::MIN.into(), i16::MAX.into())),
            Self::Int32 => Some((i32::MIN.into(), i32::MAX.into())),
            Self::Int64 => Some((i64::MIN, i64::MAX)),
            Self::Bool | Self::Float | Self::Double | Self::VarChar | Self::Json => None,
            Self::FloatVector | Self::BinaryVector => None,
        }
    }
}
