//! Columns of values as messages and as the database's own.
//!
//! Invariant: a decoded column has exactly as many rows as the request says. Structure is judged here; limits (length,
//! dimension against the schema, finite numbers) are the engine's.

mod decode;
mod encode;

pub use decode::{decode, decode_all};
pub use encode::{encode, encode_struct};

use crate::proto::schema::scalar_field::Data as Scalar;
use crate::proto::schema::vector_field::Data as Vector;
use data::Column;

/// A column as a client sent it.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The field's name; for the dynamic column `$meta` or empty.
    pub name: String,
    /// Whether it holds what the schema does not name.
    pub is_dynamic: bool,
    /// The values.
    pub column: Column,
}

fn scalar_name(data: &Scalar) -> &'static str {
    match data {
        Scalar::BoolData(_) => "Bool",
        Scalar::IntData(_) => "Int32",
        Scalar::LongData(_) => "Int64",
        Scalar::FloatData(_) => "Float",
        Scalar::DoubleData(_) => "Double",
        Scalar::StringData(_) => "VarChar",
        Scalar::BytesData(_) => "Bytes",
        Scalar::ArrayData(_) => "Array",
        Scalar::JsonData(_) => "JSON",
        Scalar::GeometryData(_) | Scalar::GeometryWktData(_) => "Geometry",
        Scalar::TimestamptzData(_) => "Timestamptz",
        Scalar::MolData(_) | Scalar::MolSmilesData(_) => "Mol",
        Scalar::DateData(_) => "Date",
        Scalar::TimeData(_) => "Time",
    }
}

fn vector_name(data: &Vector) -> &'static str {
    match data {
        Vector::FloatVector(_) => "FloatVector",
        Vector::BinaryVector(_) => "BinaryVector",
        Vector::Float16Vector(_) => "Float16Vector",
        Vector::Bfloat16Vector(_) => "BFloat16Vector",
        Vector::SparseFloatVector(_) => "SparseFloatVector",
        Vector::Int8Vector(_) => "Int8Vector",
        Vector::VectorArray(_) => "ArrayOfVector",
    }
}
