//! A column into sections. Invariant: what is written for absent values is zero, or nothing, as columns have it.

use super::{Part, section};
use crate::Error;
use crate::blocks::Block;
use crate::files::SectionWriter;
use arrow_buffer::BooleanBufferBuilder;
use data::{Buffer, Column, Field, Type, Values};
use host::Cancel;
use std::ops::Range;

/// Offsets are gathered up to this many bytes before they are written.
const OFFSETS_BYTES: usize = 64 << 10;
/// Rows between two looks at the cancel flag.
const PIECE_ROWS: usize = 8192;

/// Writes the column of `field` for the kept rows of `blocks`; says whether a value is absent.
pub(crate) fn encode_column(
    field: &Field,
    blocks: &[Block],
    file: &mut SectionWriter,
    cancel: &Cancel,
) -> Result<bool, Error> {
    match field.data_type {
        Type::Bool => encode_bools(field, blocks, file)?,
        Type::VarChar | Type::Json => encode_texts(field, blocks, file, cancel)?,
        _ => {
            file.begin(&section(field.id, Part::Values))?;
            each_piece(field, blocks, cancel, |column, rows| match fixed(column) {
                Some((bytes, width)) => file.put_from(bytes, rows.start * width..rows.end * width),
                None => Err(mismatch(field, column)),
            })?;
            file.end()?;
        }
    }
    encode_validity(field, blocks, file, cancel)
}

fn each_piece(
    field: &Field,
    blocks: &[Block],
    cancel: &Cancel,
    mut visit: impl FnMut(&Column, Range<usize>) -> Result<(), Error>,
) -> Result<(), Error> {
    for block in blocks {
        block.each_piece(field, &mut |column, rows| {
            rows.clone().step_by(PIECE_ROWS).try_for_each(|start| {
                cancel.check()?;
                visit(column, start..(start + PIECE_ROWS).min(rows.end))
            })
        })?;
    }
    Ok(())
}

fn mismatch(field: &Field, column: &Column) -> Error {
    let (name, have, want) = (&field.name, column.data_type(), field.data_type);
    Error::Shape(format!("field {name} takes {want:?}, a column holds {have:?}"))
}

/// The bytes of a column of fixed width, and bytes a row.
fn fixed(column: &Column) -> Option<(&Buffer, usize)> {
    Some(match column.values() {
        Values::Int8(v) => (v.inner(), 1),
        Values::Int16(v) => (v.inner(), 2),
        Values::Int32(v) => (v.inner(), 4),
        Values::Int64(v) => (v.inner(), 8),
        Values::Float(v) => (v.inner(), 4),
        Values::Double(v) => (v.inner(), 8),
        Values::FloatVector { dim, values } => (values.inner(), dim * 4),
        Values::BinaryVector { dim, bytes } => (bytes, dim / 8),
        Values::Bool(_) | Values::Text(_) | Values::Json(_) => return None,
    })
}

fn encode_bools(field: &Field, blocks: &[Block], file: &mut SectionWriter) -> Result<(), Error> {
    let mut bits = BooleanBufferBuilder::new(0);
    each_piece(field, blocks, &Cancel::new(), |column, rows| match column.values() {
        Values::Bool(values) => {
            bits.append_buffer(&values.slice(rows.start, rows.len()));
            Ok(())
        }
        _ => Err(mismatch(field, column)),
    })?;
    file.whole(&section(field.id, Part::Values), bits.as_slice())
}

fn encode_texts(
    field: &Field,
    blocks: &[Block],
    file: &mut SectionWriter,
    cancel: &Cancel,
) -> Result<(), Error> {
    file.begin(&section(field.id, Part::Offsets))?;
    let mut end = 0_i64;
    let mut pending = end.to_le_bytes().to_vec();
    each_piece(field, blocks, cancel, |column, rows| {
        let (Values::Text(texts) | Values::Json(texts)) = column.values() else {
            return Err(mismatch(field, column));
        };
        for pair in texts.offsets()[rows.start..=rows.end].windows(2) {
            end += pair[1] - pair[0];
            pending.extend_from_slice(&end.to_le_bytes());
            if pending.len() >= OFFSETS_BYTES {
                file.put(&pending)?;
                pending.clear();
            }
        }
        Ok(())
    })?;
    file.put(&pending)?;
    file.end()?;

    file.begin(&section(field.id, Part::Bytes))?;
    each_piece(field, blocks, cancel, |column, rows| {
        let (Values::Text(texts) | Values::Json(texts)) = column.values() else {
            return Err(mismatch(field, column));
        };
        let offsets = texts.offsets();
        file.put_from(texts.buffer(), offsets[rows.start] as usize..offsets[rows.end] as usize)
    })?;
    file.end()
}

fn encode_validity(
    field: &Field,
    blocks: &[Block],
    file: &mut SectionWriter,
    cancel: &Cancel,
) -> Result<bool, Error> {
    let mut bits = BooleanBufferBuilder::new(0);
    let mut absent = 0;
    each_piece(field, blocks, cancel, |column, rows| {
        match column.validity() {
            Some(validity) => {
                let part = validity.slice(rows.start, rows.len());
                absent += part.null_count();
                bits.append_buffer(part.inner());
            }
            None => bits.append_n(rows.len(), true),
        }
        Ok(())
    })?;
    if absent > 0 {
        file.whole(&section(field.id, Part::Validity), bits.as_slice())?;
    }
    Ok(absent > 0)
}
