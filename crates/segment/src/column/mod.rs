//! Columns of a file: how they are written, found again and put together without a copy.
//!
//! A field's column is up to four sections: `field/ID/values`, or for text and JSON `field/ID/offsets` and
//! `field/ID/bytes`, and `field/ID/validity` when a value is absent.

mod decode;
mod encode;
mod slots;

pub(crate) use decode::check_lengths;
pub(crate) use encode::encode_column;
pub(crate) use slots::Slots;

use data::FieldId;

/// The parts a column is stored as.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Values of fixed width, one after the other; bools as bits.
    Values,
    /// Text and JSON: where in `Bytes` each value begins, and where the last ends.
    Offsets,
    /// Text and JSON: the values, one after the other.
    Bytes,
    /// One bit a row: one where the value is present.
    Validity,
}

/// The name of the section that holds `part` of the column of `field`.
fn section(field: FieldId, part: Part) -> String {
    let part = match part {
        Part::Values => "values",
        Part::Offsets => "offsets",
        Part::Bytes => "bytes",
        Part::Validity => "validity",
    };
    format!("field/{field}/{part}")
}
