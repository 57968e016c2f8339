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
    /// UTF-8 text of any length.
    Text,
    /// One JSON document a row, stored as its text.
    Json,
    /// A moment: microseconds since 1970-01-01 UTC.
    Timestamptz,
    /// A shape in the plane, stored as little-endian WKB.
    Geometry,
    /// Up to `max_capacity` values of one element type.
    Array,
    /// `dim` 32-bit floats.
    FloatVector,
    /// `dim` bits, eight to a byte, most significant first.
    BinaryVector,
    /// `dim` IEEE half floats.
    Float16Vector,
    /// `dim` floats of the upper 16 bits of a 32-bit float.
    #[serde(rename = "bfloat16_vector")]
    BFloat16Vector,
    /// `dim` 8-bit signed integers.
    Int8Vector,
    /// Pairs of a `u32` index and an `f32` value, by rising index; what is not there is zero.
    SparseVector,
}

impl Type {
    /// Every type.
    pub const ALL: [Self; 19] = [
        Self::Bool,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float,
        Self::Double,
        Self::VarChar,
        Self::Text,
        Self::Json,
        Self::Timestamptz,
        Self::Geometry,
        Self::Array,
        Self::FloatVector,
        Self::BinaryVector,
        Self::Float16Vector,
        Self::BFloat16Vector,
        Self::Int8Vector,
        Self::SparseVector,
    ];

    /// Whether values are vectors.
    pub fn is_vector(self) -> bool {
        self.is_dense() || self == Self::SparseVector
    }

    /// Whether values are vectors that all have the same number of components.
    pub fn is_dense(self) -> bool {
        matches!(
            self,
            Self::FloatVector
                | Self::BinaryVector
                | Self::Float16Vector
                | Self::BFloat16Vector
                | Self::Int8Vector
        )
    }

    /// Whether values are whole numbers.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64)
    }

    /// Whether values are whole or floating numbers.
    pub fn is_number(self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double)
    }

    /// Whether values are texts.
    pub fn is_text(self) -> bool {
        matches!(self, Self::VarChar | Self::Text)
    }

    /// Whether a primary key can have this type.
    pub fn is_key(self) -> bool {
        matches!(self, Self::Int64 | Self::VarChar)
    }

    /// Whether arrays of scalars can hold this type.
    pub fn is_element(self) -> bool {
        self == Self::Bool || self.is_number() || self == Self::VarChar
    }

    /// The type that columns of this type say they have: TEXT is held as VARCHAR is.
    pub fn held_as(self) -> Self {
        if self == Self::Text { Self::VarChar } else { self }
    }

    /// Bytes a dense vector of `dim` components has; zero for other types.
    pub fn vector_bytes(self, dim: usize) -> usize {
        match self {
            Self::FloatVector => dim * 4,
            Self::Float16Vector | Self::BFloat16Vector => dim * 2,
            Self::Int8Vector => dim,
            Self::BinaryVector => dim / 8,
            _ => 0,
        }
    }

    /// The smallest and largest value, for integers.
    pub fn integer_range(self) -> Option<(i64, i64)> {
        match self {
            Self::Int8 => Some((i8::MIN.into(), i8::MAX.into())),
            Self::Int16 => Some((i16::MIN.into(), i16::MAX.into())),
            Self::Int32 => Some((i32::MIN.into(), i32::MAX.into())),
            Self::Int64 => Some((i64::MIN, i64::MAX)),
            _ => None,
        }
    }
}

/// What the values of a column are: their type and, where the type leaves that open, their size and their elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The type. TEXT and VARCHAR columns are alike and say VARCHAR.
    pub data_type: Type,
    /// Dense vectors, and arrays of them: components of a vector. Zero for other types.
    pub dim: usize,
    /// Arrays: the type of an element. `None` for other types.
    pub element: Option<Type>,
}

impl Kind {
    /// A kind that is no array. `dim` matters for dense vectors only.
    pub fn new(data_type: Type, dim: usize) -> Self {
        let dim = if data_type.is_dense() { dim } else { 0 };
        Self { data_type: data_type.held_as(), dim, element: None }
    }

    /// Arrays of `element`. `dim` matters for dense vectors only.
    pub fn array(element: Type, dim: usize) -> Self {
        let item = Self::new(element, dim);
        Self { data_type: Type::Array, dim: item.dim, element: Some(item.data_type) }
    }

    /// The kind of an array's elements. An array that does not say of what, and what is no array, gives `None`.
    pub fn item(self) -> Option<Self> {
        let element = self.element.filter(|_| self.data_type == Type::Array)?;
        // Arrays of arrays are not a type.
        (element != Type::Array).then(|| Self::new(element, self.dim))
    }

    /// Bytes a dense vector of this kind has; zero for other types.
    pub fn vector_bytes(self) -> usize {
        self.data_type.vector_bytes(self.dim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_name_of_its_own() {
        let mut names: Vec<String> =
            Type::ALL.iter().map(|data_type| serde_json::to_string(data_type).unwrap()).collect();
        for (data_type, name) in Type::ALL.iter().zip(&names) {
            assert_eq!(serde_json::from_str::<Type>(name).unwrap(), *data_type);
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Type::ALL.len());
    }

    #[test]
    fn arrays_know_their_items() {
        assert_eq!(Kind::array(Type::Int8, 7).item(), Some(Kind::new(Type::Int8, 0)));
        assert_eq!(Kind::array(Type::FloatVector, 7).item(), Some(Kind::new(Type::FloatVector, 7)));
        assert_eq!(Kind::new(Type::Int8, 0).item(), None);
        assert_eq!(Kind::new(Type::Array, 0).item(), None);
    }
}
