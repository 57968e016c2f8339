//! A column into sections. Invariant: what is written for absent values is zero, or nothing, as columns have it.

use super::packed::{encode_packed, pays};
use super::{Part, Place};
use crate::Error;
use crate::blocks::{Block, Visit};
use crate::files::{Packing, SectionWriter};
use arrow_buffer::BooleanBufferBuilder;
use data::{Buffer, Column, Field, Kind, Type, Values};
use filter::{ZoneBuilder, Zones};
use host::Cancel;
use std::ops::Range;

/// Offsets are gathered up to this many bytes before they are written.
const OFFSETS_BYTES: usize = 64 << 10;
/// Rows between two looks at the cancel flag.
const PIECE_ROWS: usize = 8192;

/// Shows a column piece by piece.
pub(super) type Pieces<'a> = dyn Fn(&mut Visit<'_>) -> Result<(), Error> + 'a;

/// What a column turned out to be while it was written.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// Whether a value is absent.
    pub(crate) has_nulls: bool,
    /// How it was compressed, where that is not a matter of its type.
    pub(crate) packing: Option<Packing>,
    /// What is known of its rows, zone by zone, where its type has zones.
    pub(crate) zones: Option<Zones>,
}

/// Which values are absent.
#[derive(Debug)]
pub(super) struct Absent {
    present: BooleanBufferBuilder,
    count: usize,
}

impl Absent {
    fn new() -> Self {
        Self { present: BooleanBufferBuilder::new(0), count: 0 }
    }

    pub(super) fn add(&mut self, column: &Column, rows: Range<usize>) {
        match column.validity() {
            Some(validity) => {
                let part = validity.slice(rows.start, rows.len());
                self.count += part.null_count();
                self.present.append_buffer(part.inner());
            }
            None => self.present.append_n(rows.len(), true),
        }
    }

    /// Writes the validity bits, if any value is absent; says so.
    fn write(&self, field: &Field, file: &mut SectionWriter) -> Result<bool, Error> {
        if self.count > 0 {
            file.whole(&Place::of(field.id).section(Part::Validity), self.present.as_slice())?;
        }
        Ok(self.count > 0)
    }
}

/// Writes the column of `field` for the kept rows of `blocks`.
pub(crate) fn encode_column(
    field: &Field,
    blocks: &[Block],
    file: &mut SectionWriter,
    cancel: &Cancel,
) -> Result<Encoded, Error> {
    let pieces = |visit: &mut Visit<'_>| each_piece(field, blocks, cancel, visit);
    let mut absent = Absent::new();
    let packing = packing_of(field, &pieces)?;
    if let Some(packing) = packing {
        let mut zones = Zones::are_of(field.data_type).then(ZoneBuilder::default);
        encode_packed(Place::of(field.id), packing, &pieces, file, &mut absent, zones.as_mut())?;
        let has_nulls = absent.write(field, file)?;
        let packing = Some(packing).filter(|_| field.data_type != Type::Text);
        return Ok(Encoded { has_nulls, packing, zones: zones.map(ZoneBuilder::finish) });
    }
    encode_values(Place::of(field.id), field.kind(), &pieces, file)?;
    pieces(&mut |column, rows| {
        absent.add(column, rows);
        Ok(())
    })?;
    let has_nulls = absent.write(field, file)?;
    let zones = Zones::are_of(field.data_type).then(|| zones_of(&pieces)).transpose()?;
    Ok(Encoded { has_nulls, packing: None, zones })
}

/// Texts are always packed, which keeps them out of line; texts of a limited length and JSON where it pays. Keys are
/// looked up, which wants them in place.
fn packing_of(field: &Field, pieces: &Pieces<'_>) -> Result<Option<Packing>, Error> {
    Ok(match field.data_type {
        Type::Text => Some(Packing::Zstd),
        Type::VarChar | Type::Json if !field.is_primary && pays(Place::of(field.id), pieces)? => {
            Some(Packing::Lz4)
        }
        _ => None,
    })
}

fn zones_of(pieces: &Pieces<'_>) -> Result<Zones, Error> {
    let mut zones = ZoneBuilder::default();
    pieces(&mut |column, rows| {
        zones.add(column, rows);
        Ok(())
    })?;
    Ok(zones.finish())
}

fn encode_values(at: Place, kind: Kind, pieces: &Pieces<'_>, file: &mut SectionWriter) -> Result<(), Error> {
    match kind.data_type {
        Type::Bool => encode_bools(at, pieces, file),
        Type::VarChar | Type::Json | Type::Geometry | Type::SparseVector => {
            encode_var_len(at, kind, pieces, file)
        }
        Type::Array => encode_lists(at, kind, pieces, file),
        _ => {
            file.begin(&at.section(Part::Values))?;
            pieces(&mut |column, rows| match fixed(column) {
                Some((bytes, width)) => file.put_from(bytes, rows.start * width..rows.end * width),
                None => Err(mismatch(at, kind, column)),
            })?;
            file.end()
        }
    }
}

fn each_piece(field: &Field, blocks: &[Block], cancel: &Cancel, visit: &mut Visit<'_>) -> Result<(), Error> {
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

fn mismatch(at: Place, want: Kind, column: &Column) -> Error {
    let have = column.kind();
    Error::Shape(format!("field {} takes {want:?}, a column holds {have:?}", at.field))
}

/// The bytes of a column of fixed width, and bytes a row.
fn fixed(column: &Column) -> Option<(&Buffer, usize)> {
    Some(match column.values() {
        Values::Int8(v) => (v.inner(), 1),
        Values::Int16(v) => (v.inner(), 2),
        Values::Int32(v) => (v.inner(), 4),
        Values::Int64(v) | Values::Timestamptz(v) => (v.inner(), 8),
        Values::Float(v) => (v.inner(), 4),
        Values::Double(v) => (v.inner(), 8),
        Values::FloatVector { dim, values } => (values.inner(), dim * 4),
        Values::Int8Vector { dim, values } => (values.inner(), *dim),
        Values::BinaryVector { dim, bytes } => (bytes, dim / 8),
        Values::Float16Vector { dim, bytes } | Values::BFloat16Vector { dim, bytes } => (bytes, dim * 2),
        Values::Bool(_) | Values::Array(_) => return None,
        Values::Text(_) | Values::Json(_) | Values::Geometry(_) | Values::SparseVector(_) => return None,
    })
}

fn encode_bools(at: Place, pieces: &Pieces<'_>, file: &mut SectionWriter) -> Result<(), Error> {
    let mut bits = BooleanBufferBuilder::new(0);
    pieces(&mut |column, rows| match column.values() {
        Values::Bool(values) => {
            bits.append_buffer(&values.slice(rows.start, rows.len()));
            Ok(())
        }
        _ => Err(mismatch(at, Kind::new(Type::Bool, 0), column)),
    })?;
    file.whole(&at.section(Part::Values), bits.as_slice())
}

/// Writes offsets that begin at zero into section `name`.
pub(super) fn encode_offsets(
    name: &str,
    pieces: &Pieces<'_>,
    file: &mut SectionWriter,
    offsets_of: impl Fn(&Column) -> Result<&[i64], Error>,
) -> Result<(), Error> {
    file.begin(name)?;
    let mut end = 0_i64;
    let mut pending = end.to_le_bytes().to_vec();
    pieces(&mut |column, rows| {
        for pair in offsets_of(column)?[rows.start..=rows.end].windows(2) {
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
    file.end()
}

fn encode_var_len(at: Place, kind: Kind, pieces: &Pieces<'_>, file: &mut SectionWriter) -> Result<(), Error> {
    fn of(at: Place, kind: Kind, column: &Column) -> Result<&data::VarLen, Error> {
        column.values().var_len().ok_or_else(|| mismatch(at, kind, column))
    }
    encode_offsets(&at.section(Part::Offsets), pieces, file, |column| Ok(of(at, kind, column)?.offsets()))?;
    file.begin(&at.section(Part::Bytes))?;
    pieces(&mut |column, rows| {
        let values = of(at, kind, column)?;
        let offsets = values.offsets();
        file.put_from(values.buffer(), offsets[rows.start] as usize..offsets[rows.end] as usize)
    })?;
    file.end()
}

fn encode_lists(at: Place, kind: Kind, pieces: &Pieces<'_>, file: &mut SectionWriter) -> Result<(), Error> {
    fn of(at: Place, kind: Kind, column: &Column) -> Result<&data::Lists, Error> {
        match column.values() {
            Values::Array(lists) => Ok(lists),
            _ => Err(mismatch(at, kind, column)),
        }
    }
    encode_offsets(&at.section(Part::Lists), pieces, file, |column| Ok(of(at, kind, column)?.offsets()))?;
    let item =
        kind.item().ok_or_else(|| Error::Shape(format!("field {} has arrays of nothing", at.field)))?;
    let items = |visit: &mut Visit<'_>| {
        pieces(&mut |column, rows| {
            let lists = of(at, kind, column)?;
            visit(lists.items(), lists.offsets()[rows.start] as usize..lists.offsets()[rows.end] as usize)
        })
    };
    encode_values(at.items(), item, &items, file)
}
