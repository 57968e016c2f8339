//! A column out of sections, in place. Invariant: every length is held against the number of rows, and offsets are
//! looked through, before a column is made of them; so no later access can be out of bounds.

use super::packed::Packed;
use super::{Part, Place};
use crate::Error;
use crate::files::{FieldHead, Head, Opened};
use data::{BooleanBuffer, Buffer, Column, Kind, Lists, NullBuffer, Type, Values, VarLen};

/// Checks that every section a column of `head` needs is there and of the length that the number of rows asks for,
/// without touching any. (How many elements arrays have is seen when they are first used.)
pub(crate) fn check_lengths(file: &Opened, head: &Head) -> Result<(), Error> {
    let rows = u64::from(head.rows);
    if head.fields.is_empty() && rows > 0 {
        return Err(file.damaged("head", &format!("there are {rows} rows without a column")));
    }
    for field in &head.fields {
        let at = Place::of(field.id);
        let kind = kind_of(file, field)?;
        let (part, width) = match kind.data_type {
            Type::VarChar | Type::Text | Type::Json | Type::Geometry | Type::SparseVector => {
                (Part::Offsets, 8)
            }
            Type::Array => (Part::Lists, 8),
            Type::Bool => (Part::Values, 0),
            Type::Int8 => (Part::Values, 1),
            Type::Int16 => (Part::Values, 2),
            Type::Int32 | Type::Float => (Part::Values, 4),
            Type::Int64 | Type::Double | Type::Timestamptz => (Part::Values, 8),
            Type::FloatVector | Type::BinaryVector | Type::Int8Vector => (Part::Values, kind.vector_bytes()),
            Type::Float16Vector | Type::BFloat16Vector => (Part::Values, kind.vector_bytes()),
        };
        let length = match (kind.data_type, part) {
            (Type::Bool, _) => rows.div_ceil(8),
            (_, Part::Values) => rows.saturating_mul(width as u64),
            _ => (rows + 1) * 8,
        };
        file.check_length(&at.section(part), length)?;
        if field.has_nulls {
            file.check_length(&at.section(Part::Validity), rows.div_ceil(8))?;
        }
    }
    Ok(())
}

/// What a column holds; its vectors have a size, its arrays elements.
fn kind_of(file: &Opened, field: &FieldHead) -> Result<Kind, Error> {
    /// More than any vector has; keeps lengths in bytes far from overflow.
    const DIM_MAX: usize = 1 << 32;
    let no_element = || file.damaged("head", &format!("field {} has arrays of nothing", field.id));
    let kind = field.kind().ok_or_else(no_element)?;
    let one = if kind.data_type == Type::Array { kind.item().ok_or_else(no_element)? } else { kind };
    let step = if one.data_type == Type::BinaryVector { 8 } else { 1 };
    let has_size = (1..=DIM_MAX).contains(&one.dim) && one.dim.is_multiple_of(step);
    if one.data_type.is_dense() && !has_size {
        return Err(file.damaged("head", &format!("field {} has vectors of dim {}", field.id, one.dim)));
    }
    Ok(kind)
}

/// The column of `field`, `rows` long, whose lengths and dim were checked. Numbers, bits and offsets are held against their checksums; vectors and the
/// bytes of values of variable length are not touched.
pub(super) fn decode(file: &Opened, field: &FieldHead, rows: usize) -> Result<Column, Error> {
    let at = Place::of(field.id);
    let values = match field.packing() {
        Some(packing) => Packed::open(file, at, (packing, field.data_type), rows, None)?.all(file)?,
        None => decode_values(file, at, kind_of(file, field)?, rows)?,
    };
    let validity = validity(file, field, rows)?.map(NullBuffer::new);
    Column::trusted(values, validity)
        .map_err(|error| file.damaged(&at.section(Part::Validity), &error.to_string()))
}

/// Which of `rows` rows have a value; `None`: all.
pub(super) fn validity(
    file: &Opened,
    field: &FieldHead,
    rows: usize,
) -> Result<Option<BooleanBuffer>, Error> {
    let name = Place::of(field.id).section(Part::Validity);
    field.has_nulls.then(|| bits(file, &name, rows)).transpose()
}

fn decode_values(file: &Opened, at: Place, kind: Kind, rows: usize) -> Result<Values, Error> {
    let (dim, values) = (kind.dim, at.section(Part::Values));
    let bytes = |file: &Opened| {
        let bytes = rows.saturating_mul(kind.vector_bytes());
        file.untouched_numbers::<u8>(&values, bytes).map(data::ScalarBuffer::into_inner)
    };
    Ok(match kind.data_type {
        Type::Bool => Values::Bool(bits(file, &values, rows)?),
        Type::Int8 => Values::Int8(file.numbers(&values, rows)?),
        Type::Int16 => Values::Int16(file.numbers(&values, rows)?),
        Type::Int32 => Values::Int32(file.numbers(&values, rows)?),
        Type::Int64 => Values::Int64(file.numbers(&values, rows)?),
        Type::Timestamptz => Values::Timestamptz(file.numbers(&values, rows)?),
        Type::Float => Values::Float(file.numbers(&values, rows)?),
        Type::Double => Values::Double(file.numbers(&values, rows)?),
        Type::VarChar | Type::Text => Values::Text(var_len(file, at, rows)?),
        Type::Json => Values::Json(var_len(file, at, rows)?),
        Type::Geometry => Values::Geometry(var_len(file, at, rows)?),
        Type::SparseVector => Values::SparseVector(var_len(file, at, rows)?),
        Type::FloatVector => {
            Values::FloatVector { dim, values: file.untouched_numbers(&values, rows.saturating_mul(dim))? }
        }
        Type::Int8Vector => {
            Values::Int8Vector { dim, values: file.untouched_numbers(&values, rows.saturating_mul(dim))? }
        }
        Type::BinaryVector => Values::BinaryVector { dim, bytes: bytes(file)? },
        Type::Float16Vector => Values::Float16Vector { dim, bytes: bytes(file)? },
        Type::BFloat16Vector => Values::BFloat16Vector { dim, bytes: bytes(file)? },
        Type::Array => Values::Array(lists(file, at, kind, rows)?),
    })
}

fn bits(file: &Opened, section: &str, rows: usize) -> Result<BooleanBuffer, Error> {
    let bytes: Buffer = file.numbers::<u8>(section, rows.div_ceil(8))?.into_inner();
    Ok(BooleanBuffer::new(bytes, 0, rows))
}

fn var_len(file: &Opened, at: Place, rows: usize) -> Result<VarLen, Error> {
    let name = at.section(Part::Offsets);
    let offsets = file.numbers::<i64>(&name, rows.saturating_add(1))?;
    let bytes = file.untouched(&at.section(Part::Bytes))?;
    VarLen::new(offsets, bytes).map_err(|error| file.damaged(&name, &error.to_string()))
}

fn lists(file: &Opened, at: Place, kind: Kind, rows: usize) -> Result<Lists, Error> {
    let name = at.section(Part::Lists);
    let damaged = |what: &str| file.damaged(&name, what);
    let item = kind.item().ok_or_else(|| damaged("its arrays are of nothing"))?;
    let offsets = file.numbers::<i64>(&name, rows.saturating_add(1))?;
    let count = offsets.last().and_then(|last| usize::try_from(*last).ok());
    let count = count.ok_or_else(|| damaged("it ends before it begins"))?;
    let items = decode_values(file, at.items(), item, count)?;
    let items = Column::trusted(items, None).map_err(|error| damaged(&error.to_string()))?;
    Lists::new(offsets, items).map_err(|error| damaged(&error.to_string()))
}
