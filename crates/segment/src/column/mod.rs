//! Columns of a file: how they are written, found again and put together without a copy.
//!
//! A field's column is up to four sections: `field/ID/values`, or for values of variable length `field/ID/offsets` and
//! `field/ID/bytes`, for TEXT in place of the bytes `field/ID/packed` and `field/ID/frames`, and `field/ID/validity` when a value is absent. An array is `field/ID/lists` and the sections of its
//! elements, under `field/ID/items/`.

mod decode;
mod encode;
mod packed;
mod slots;
mod zones;

pub(crate) use decode::check_lengths;
pub(crate) use encode::{Encoded, encode_column};
pub(crate) use slots::Slots;
pub(crate) use zones::write_zones;

use data::FieldId;

/// The parts a column is stored as.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Values of fixed width, one after the other; bools as bits.
    Values,
    /// Values of variable length: where in `Bytes` each value begins, and where the last ends.
    Offsets,
    /// Values of variable length, one after the other.
    Bytes,
    /// One bit a row: one where the value is present.
    Validity,
    /// Long texts: the values, compressed frame by frame.
    Packed,
    /// Long texts: of each frame the first row and the first byte in `Packed`, and where the last ends.
    Frames,
    /// Arrays: at which element each begins, and where the last ends.
    Lists,
}

/// Which column's sections are meant.
#[derive(Debug, Clone, Copy)]
struct Place {
    field: FieldId,
    /// Whether the column of all elements of the field's arrays is meant.
    is_items: bool,
}

impl Place {
    fn of(field: FieldId) -> Self {
        Self { field, is_items: false }
    }

    fn items(self) -> Self {
        Self { is_items: true, ..self }
    }

    /// The name of the section that holds `part`.
    fn section(self, part: Part) -> String {
        let part = match part {
            Part::Values => "values",
            Part::Offsets => "offsets",
            Part::Bytes => "bytes",
            Part::Validity => "validity",
            Part::Packed => "packed",
            Part::Frames => "frames",
            Part::Lists => "lists",
        };
        let items = if self.is_items { "items/" } else { "" };
        format!("field/{}/{items}{part}", self.field)
    }
}
