//! Long texts, packed: frames of some values each, every frame compressed on its own, so that one value is read by
//! unpacking one frame. Invariant: a frame holds whole values, of neighbouring rows; every row is in exactly one.

use super::encode::{Pieces, encode_offsets};
use super::{Part, Place};
use crate::Error;
use crate::files::{Opened, SectionWriter};
use data::{Buffer, Column, ScalarBuffer, Values, VarLen};
use std::io::{Read, Write};

/// A frame is closed when it holds this many bytes; a longer value has one of its own.
const FRAME_BYTES: usize = 64 << 10;
/// How hard to compress, of 1 to 22.
const LEVEL: i32 = 1;

/// Writes texts as frames.
pub(super) fn encode_packed(at: Place, pieces: &Pieces<'_>, file: &mut SectionWriter) -> Result<(), Error> {
    fn texts(at: Place, column: &Column) -> Result<&VarLen, Error> {
        match column.values() {
            Values::Text(texts) => Ok(texts),
            _ => Err(Error::Shape(format!("field {} takes texts, a column holds others", at.field))),
        }
    }
    encode_offsets(&at.section(Part::Offsets), pieces, file, |column| Ok(texts(at, column)?.offsets()))?;
    // First row and first byte of each frame, and where the last ends.
    let mut frames: Vec<u64> = Vec::new();
    let (mut row, mut end) = (0_u64, 0_u64);
    let mut gathered: Vec<u8> = Vec::new();
    file.begin(&at.section(Part::Packed))?;
    pieces(&mut |column, rows| {
        let texts = texts(at, column)?;
        for value in rows.map(|row| texts.get(row)) {
            if gathered.is_empty() || gathered.len() + value.len() > FRAME_BYTES {
                end += flush(&mut gathered, file)?;
                frames.extend([row, end]);
            }
            gathered.extend_from_slice(value);
            row += 1;
        }
        Ok(())
    })?;
    end += flush(&mut gathered, file)?;
    frames.extend([row, end]);
    file.end()?;
    let frames: Vec<u8> = frames.iter().flat_map(|number| number.to_le_bytes()).collect();
    file.whole(&at.section(Part::Frames), &frames)
}

/// Writes what is gathered as a frame; its size.
fn flush(gathered: &mut Vec<u8>, file: &mut SectionWriter) -> Result<u64, Error> {
    if gathered.is_empty() {
        return Ok(0);
    }
    let failed = |error: std::io::Error| Error::Shape(format!("texts cannot be compressed: {error}"));
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
    encoder.include_checksum(true).map_err(failed)?;
    encoder.write_all(gathered).map_err(failed)?;
    let frame = encoder.finish().map_err(failed)?;
    gathered.clear();
    file.put(&frame)?;
    Ok(frame.len() as u64)
}

/// Packed texts of a file.
#[derive(Debug)]
pub(super) struct Packed {
    section: String,
    /// Where each value begins among all bytes unpacked, and where the last ends.
    offsets: ScalarBuffer<i64>,
    /// First row and first byte of each frame, and where the last ends.
    frames: ScalarBuffer<u64>,
    bytes: Buffer,
}

impl Packed {
    /// The packed texts at `at`, `rows` of them.
    pub(super) fn open(file: &Opened, at: Place, rows: usize) -> Result<Self, Error> {
        let name = at.section(Part::Offsets);
        let offsets = file.numbers::<i64>(&name, rows.saturating_add(1))?;
        if offsets.first() != Some(&0) || !offsets.is_sorted() {
            return Err(file.damaged(&name, "its offsets are out of order"));
        }
        let name = at.section(Part::Frames);
        let count = file.checked(&name)?.len() / 8;
        let frames = file.numbers::<u64>(&name, count)?;
        let section = at.section(Part::Packed);
        let bytes = file.untouched(&section)?;
        let pairs = frames.as_chunks::<2>();
        let sorted = |of: usize| pairs.0.windows(2).all(|two| two[0][of] <= two[1][of]);
        let whole = pairs.1.is_empty()
            && pairs.0.first().is_some_and(|first| *first == [0, 0] || rows == 0)
            && pairs.0.last() == Some(&[rows as u64, bytes.len() as u64]);
        if !whole || !sorted(0) || !sorted(1) {
            return Err(file.damaged(&name, "its frames do not cover its rows"));
        }
        Ok(Self { section, offsets, frames, bytes })
    }

    /// All values, unpacked.
    pub(super) fn all(&self, file: &Opened) -> Result<VarLen, Error> {
        let mut bytes = Vec::new();
        for frame in 0..self.frames.len() / 2 - 1 {
            self.unpack(file, frame, &mut bytes)?;
        }
        let damaged = |error: data::ColumnError| file.damaged(&self.section, &error.to_string());
        VarLen::new(self.offsets.clone(), bytes.into()).map_err(damaged)
    }

    /// The values of `rows`, in that order; rows that are near each other share the work.
    pub(super) fn read(&self, file: &Opened, rows: &[u32]) -> Result<VarLen, Error> {
        let firsts: Vec<u64> = self.frames.as_chunks::<2>().0.iter().map(|pair| pair[0]).collect();
        let (mut known, mut unpacked) = (usize::MAX, Vec::new());
        let mut values: Vec<Vec<u8>> = Vec::with_capacity(rows.len());
        for row in rows {
            // The last frame that begins at or before the row; frames of no rows come before it.
            let frame = firsts.partition_point(|first| *first <= u64::from(*row)).saturating_sub(1);
            if frame != known {
                unpacked.clear();
                self.unpack(file, frame, &mut unpacked)?;
                known = frame;
            }
            let base = self.offsets[firsts[frame] as usize];
            let (start, end) = (self.offsets[*row as usize] - base, self.offsets[*row as usize + 1] - base);
            let value = unpacked.get(start as usize..end as usize);
            values.push(value.ok_or_else(|| file.damaged(&self.section, "a frame is too short"))?.to_vec());
        }
        Ok(VarLen::from_values(values))
    }

    /// Adds what frame number `frame` holds to `bytes`.
    fn unpack(&self, file: &Opened, frame: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let damaged = |what: &str| file.damaged(&self.section, what);
        let (Some([first, start]), Some([last, end])) = (self.pair(frame), self.pair(frame + 1)) else {
            return Err(damaged("a frame is missing"));
        };
        let length = (self.offsets[last as usize] - self.offsets[first as usize]) as u64;
        if length == 0 {
            return Ok(());
        }
        let packed =
            self.bytes.get(start as usize..end as usize).ok_or_else(|| damaged("a frame is cut short"))?;
        let decoder =
            zstd::stream::read::Decoder::new(packed).map_err(|error| damaged(&error.to_string()))?;
        let before = bytes.len();
        decoder.take(length + 1).read_to_end(bytes).map_err(|error| damaged(&error.to_string()))?;
        if (bytes.len() - before) as u64 == length {
            Ok(())
        } else {
            Err(damaged("a frame has another length"))
        }
    }

    fn pair(&self, frame: usize) -> Option<[u64; 2]> {
        self.frames.as_chunks::<2>().0.get(frame).copied()
    }
}
