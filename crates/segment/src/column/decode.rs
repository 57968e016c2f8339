//! A column out of sections, in place. Invariant: every length is held against the number of rows, and offsets are
//! looked through, before a column is made of them; so no later access can be out of bounds.

use super::{Part, section};
use crate::Error;
use crate::files::{FieldHead, Head, Opened};
use data::{BooleanBuffer, Buffer, Column, NullBuffer, Type, Values, VarLen};

/// Checks that every section a column of `head` needs is there and of the length that the number of rows asks for,
/// without touching any.
pub(crate) fn check_lengths(file: &Opened, head: &Head) -> Result<(), Error> {
    let rows = u64::from(head.rows);
    if head.fields.is_empty() && rows > 0 {
        return Err(file.damaged("head", &format!("there are {rows} rows without a column")));
    }
    for field in &head.fields {
        let step = if field.data_type == Type::BinaryVector { 8 } else { 1 };
        if field.data_type.is_vector() && (field.dim == 0 || !field.dim.is_multiple_of(step)) {
            return Err(file.damaged("head", &format!("field {} has vectors of dim {}", field.id, field.dim)));
        }
        let (part, length) = match field.data_type {
            Type::VarChar | Type::Json => (Part::Offsets, (rows + 1) * 8),
            Type::Bool => (Part::Values, rows.div_ceil(8)),
            Type::Int8 => (Part::Values, rows),
            Type::Int16 => (Part::Values, rows * 2),
            Type::Int32 | Type::Float => (Part::Values, rows * 4),
            Type::Int64 | Type::Double => (Part::Values, rows * 8),
            Type::FloatVector => (Part::Values, rows.saturating_mul((field.dim as u64).saturating_mul(4))),
            Type::BinaryVector => (Part::Values, rows.saturating_mul(field.dim as u64 / 8)),
        };
        file.check_length(&section(field.id, part), length)?;
        if field.has_nulls {
            file.check_length(&section(field.id, Part::Validity), rows.div_ceil(8))?;
        }
    }
    Ok(())
}

/// The column of `field`, `rows` long, whose lengths and dim were checked. Numbers, bits and offsets are held against their checksums; vectors and the
/// bytes of texts are not touched.
pub(super) fn decode(file: &Opened, field: &FieldHead, rows: usize) -> Result<Column, Error> {
    let values = section(field.id, Part::Values);
    let values = match field.data_type {
        Type::Bool => Values::Bool(bits(file, &values, rows)?),
        Type::Int8 => Values::Int8(file.numbers(&values, rows)?),
        Type::Int16 => Values::Int16(file.numbers(&values, rows)?),
        Type::Int32 => Values::Int32(file.numbers(&values, rows)?),
        Type::Int64 => Values::Int64(file.numbers(&values, rows)?),
        Type::Float => Values::Float(file.numbers(&values, rows)?),
        Type::Double => Values::Double(file.numbers(&values, rows)?),
        Type::VarChar => Values::Text(texts(file, field, rows)?),
        Type::Json => Values::Json(texts(file, field, rows)?),
        Type::FloatVector => {
            let dim = field.dim;
            Values::FloatVector { dim, values: file.untouched_numbers(&values, rows.saturating_mul(dim))? }
        }
        Type::BinaryVector => {
            let dim = field.dim;
            let bytes = rows.saturating_mul(dim / 8);
            Values::BinaryVector { dim, bytes: file.untouched_numbers::<u8>(&values, bytes)?.into_inner() }
        }
    };
    let validity = match field.has_nulls {
        true => Some(NullBuffer::new(bits(file, &section(field.id, Part::Validity), rows)?)),
        false => None,
    };
    Column::trusted(values, validity)
        .map_err(|error| file.damaged(&section(field.id, Part::Validity), &error.to_string()))
}

fn bits(file: &Opened, section: &str, rows: usize) -> Result<BooleanBuffer, Error> {
    let bytes: Buffer = file.numbers::<u8>(section, rows.div_ceil(8))?.into_inner();
    Ok(BooleanBuffer::new(bytes, 0, rows))
}

fn texts(file: &Opened, field: &FieldHead, rows: usize) -> Result<VarLen, Error> {
    let name = section(field.id, Part::Offsets);
    let offsets = file.numbers::<i64>(&name, rows.saturating_add(1))?;
    let bytes = file.untouched(&section(field.id, Part::Bytes))?;
    VarLen::new(offsets, bytes).map_err(|error| file.damaged(&name, &error.to_string()))
}
