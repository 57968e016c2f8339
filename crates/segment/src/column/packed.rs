//! Long values, packed: frames of some values each, every frame compressed on its own, so that one value is read by
//! unpacking one frame, and a scan unpacks a block of rows at a time. Invariant: a frame holds whole values, of neighbouring
//! rows; every row is in exactly one.

use super::encode::{Absent, Pieces};
use super::{Part, Place};
use crate::Error;
use crate::cache::BlockCache;
use crate::files::{Opened, Packing, SectionWriter};
use data::{Buffer, Column, ScalarBuffer, Type, Values, VarLen};
use filter::{BLOCK_ROWS, ZoneBuilder};
use host::Cancelled;
use std::io::{Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How hard zstd compresses, of 1 to 22.
const LEVEL: i32 = 1;
/// Of a column that might be packed, so many bytes are tried.
const SAMPLE_BYTES: usize = 256 << 10;
/// Columns of less are not worth it.
const WORTH_BYTES: usize = 32 << 10;
/// Values of less on average are left as they are: a frame of many is unpacked for one.
const WORTH_VALUE_BYTES: usize = 96;
/// Packed to more than this many hundredths, values are left as they are.
const WORTH_PERCENT: usize = 70;

impl Packing {
    /// A frame is closed when it holds this many bytes; a longer value has one of its own.
    fn frame_bytes(self) -> usize {
        match self {
            Self::Zstd => 64 << 10,
            Self::Lz4 => 16 << 10,
        }
    }

    /// What `bytes` come to; not smaller, they stay as they are.
    fn pack(self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |error: std::io::Error| Error::Shape(format!("values cannot be compressed: {error}"));
        match self {
            Self::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
                encoder.include_checksum(true).map_err(failed)?;
                encoder.write_all(bytes).map_err(failed)?;
                encoder.finish().map_err(failed)
            }
            Self::Lz4 => {
                let packed = lz4_flex::block::compress(bytes);
                Ok(if packed.len() < bytes.len() { packed } else { bytes.to_vec() })
            }
        }
    }

    /// Adds to `bytes` what [`Packing::pack`] has made `packed` of, `length` bytes.
    fn unpack(self, packed: &[u8], length: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
        let before = bytes.len();
        match self {
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(packed).map_err(|error| error.to_string())?;
                let mut decoder = decoder.take(length as u64 + 1);
                decoder.read_to_end(bytes).map_err(|error| error.to_string())?;
            }
            Self::Lz4 if packed.len() == length => bytes.extend_from_slice(packed),
            Self::Lz4 => {
                // No block of lz4 grows more than this; so a wrong length asks for no more memory than it may.
                if length / 255 > packed.len() {
                    return Err("a frame is too short".to_owned());
                }
                bytes.resize(before + length, 0);
                let unpacked = lz4_flex::block::decompress_into(packed, &mut bytes[before..]);
                if unpacked.map_err(|error| error.to_string())? != length {
                    return Err("a frame has another length".to_owned());
                }
            }
        }
        if bytes.len() - before == length { Ok(()) } else { Err("a frame has another length".to_owned()) }
    }
}

fn var_len(at: Place, column: &Column) -> Result<&VarLen, Error> {
    let values = column.values().var_len();
    values.ok_or_else(|| Error::Shape(format!("field {} takes texts, a column holds others", at.field)))
}

/// Whether values are better packed for filters, by trying the first of them.
pub(super) fn pays(at: Place, pieces: &Pieces<'_>) -> Result<bool, Error> {
    let (mut frame, mut raw, mut packed, mut present) = (Vec::new(), 0, 0, 0);
    let tried = pieces(&mut |column, rows| {
        let values = var_len(at, column)?;
        for row in rows.filter(|row| column.is_valid(*row)) {
            present += 1;
            frame.extend_from_slice(values.get(row));
            if frame.len() >= Packing::Lz4.frame_bytes() {
                raw += frame.len();
                packed += Packing::Lz4.pack(&frame)?.len();
                frame.clear();
                if raw >= SAMPLE_BYTES {
                    // Enough is known.
                    return Err(Error::Cancelled(Cancelled));
                }
            }
        }
        Ok(())
    });
    match tried {
        Err(Error::Cancelled(_)) if raw >= SAMPLE_BYTES => {}
        other => other?,
    }
    Ok(raw >= WORTH_BYTES && raw / present.max(1) >= WORTH_VALUE_BYTES && packed * 100 <= raw * WORTH_PERCENT)
}

/// Writes values as frames, in one pass; what else is to be known of the rows is gathered on the way.
pub(super) fn encode_packed(
    at: Place,
    packing: Packing,
    pieces: &Pieces<'_>,
    file: &mut SectionWriter,
    absent: &mut Absent,
    mut zones: Option<&mut ZoneBuilder>,
) -> Result<(), Error> {
    // First row and first byte of each frame, and where the last ends.
    let mut frames: Vec<u64> = Vec::new();
    let mut offsets: Vec<u8> = 0_i64.to_le_bytes().to_vec();
    let (mut row, mut end, mut length) = (0_u64, 0_u64, 0_i64);
    let mut gathered: Vec<u8> = Vec::new();
    file.begin(&at.section(Part::Packed))?;
    pieces(&mut |column, rows| {
        absent.add(column, rows.clone());
        if let Some(zones) = &mut zones {
            zones.add(column, rows.clone());
        }
        let values = var_len(at, column)?;
        for value in rows.map(|row| values.get(row)) {
            // A scan asks for blocks of rows: no frame is part of two.
            let is_full = gathered.len() + value.len() > packing.frame_bytes() && !gathered.is_empty();
            if is_full || row.is_multiple_of(BLOCK_ROWS as u64) {
                end += flush(packing, &mut gathered, file)?;
                frames.extend([row, end]);
            }
            gathered.extend_from_slice(value);
            length += value.len() as i64;
            offsets.extend_from_slice(&length.to_le_bytes());
            row += 1;
        }
        Ok(())
    })?;
    end += flush(packing, &mut gathered, file)?;
    frames.extend([row, end]);
    file.end()?;
    let frames: Vec<u8> = frames.iter().flat_map(|number| number.to_le_bytes()).collect();
    file.whole(&at.section(Part::Frames), &frames)?;
    file.whole(&at.section(Part::Offsets), &offsets)
}

/// Writes what is gathered as a frame; its size.
fn flush(packing: Packing, gathered: &mut Vec<u8>, file: &mut SectionWriter) -> Result<u64, Error> {
    if gathered.is_empty() {
        return Ok(0);
    }
    let frame = packing.pack(gathered)?;
    gathered.clear();
    file.put(&frame)?;
    Ok(frame.len() as u64)
}

/// Packed values of a file.
#[derive(Debug)]
pub(super) struct Packed {
    /// No other column of this process has it.
    number: u64,
    section: String,
    packing: Packing,
    data_type: Type,
    /// Where each value begins among all bytes unpacked, and where the last ends.
    offsets: ScalarBuffer<i64>,
    /// First row and first byte of each frame, and where the last ends.
    frames: ScalarBuffer<u64>,
    bytes: Buffer,
    /// Where unpacked blocks are kept.
    cache: Option<Arc<BlockCache>>,
}

impl Packed {
    /// The packed values at `at`, `rows` of them, of `data_type`.
    pub(super) fn open(
        file: &Opened,
        at: Place,
        (packing, data_type): (Packing, Type),
        rows: usize,
        cache: Option<Arc<BlockCache>>,
    ) -> Result<Self, Error> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let name = at.section(Part::Offsets);
        let offsets = file.numbers::<i64>(&name, rows.saturating_add(1))?;
        if offsets.first() != Some(&0) || !offsets.is_sorted() {
            return Err(file.damaged(&name, "its offsets are out of order"));
        }
        let name = at.section(Part::Frames);
        let frames = file.all_numbers::<u64>(&name)?;
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
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Ok(Self { number, section, packing, data_type, offsets, frames, bytes, cache })
    }

    fn values(&self, values: VarLen) -> Values {
        if self.data_type == Type::Json { Values::Json(values) } else { Values::Text(values) }
    }

    /// All values, unpacked.
    pub(super) fn all(&self, file: &Opened) -> Result<Values, Error> {
        self.part(file, 0..self.offsets.len() - 1).map(|values| self.values(values))
    }

    /// The values of some neighbouring rows; they are kept, should there be a place, in `complete` form, as they are asked for again.
    pub(super) fn block(
        &self,
        file: &Opened,
        rows: Range<usize>,
        complete: impl FnOnce(Values) -> Result<Column, Error>,
    ) -> Result<Arc<Column>, Error> {
        let key = (self.number, rows.start);
        if let Some(found) = self.cache.as_ref().and_then(|cache| cache.get(key)) {
            return Ok(found);
        }
        let column = Arc::new(complete(self.values(self.part(file, rows)?))?);
        if let Some(cache) = &self.cache {
            cache.put(key, &column);
        }
        Ok(column)
    }

    /// The values of neighbouring rows.
    pub(super) fn part(&self, file: &Opened, rows: Range<usize>) -> Result<VarLen, Error> {
        let pairs = self.frames.as_chunks::<2>().0;
        let damaged = |what: &str| file.damaged(&self.section, what);
        let mut frame = self.frame_of(rows.start as u64);
        let first = pairs.get(frame).map_or(0, |pair| pair[0] as usize);
        let Some(offsets) = self.offsets.get(rows.start..=rows.end) else {
            return Err(damaged("there are fewer rows"));
        };
        let base = self.offsets.get(first).copied().unwrap_or_default();
        let mut bytes = Vec::new();
        while pairs.get(frame).is_some_and(|pair| pair[0] < rows.end as u64) && frame + 1 < pairs.len() {
            self.unpack(file, frame, &mut bytes)?;
            frame += 1;
        }
        let offsets: Vec<i64> = offsets.iter().map(|offset| offset - base).collect();
        VarLen::new(offsets.into(), bytes.into()).map_err(|error| damaged(&error.to_string()))
    }

    /// The last frame that begins at or before `row`; frames of no rows come before it.
    fn frame_of(&self, row: u64) -> usize {
        self.frames.as_chunks::<2>().0.partition_point(|pair| pair[0] <= row).saturating_sub(1)
    }

    /// The values of `rows`, in that order; rows that are near each other share the work, and frames that are read again
    /// and again stay unpacked as long as there is room.
    pub(super) fn read(&self, file: &Opened, rows: &[u32]) -> Result<Values, Error> {
        let mut known: Option<(usize, Arc<Column>)> = None;
        let (mut offsets, mut bytes) = (vec![0_i64], Vec::new());
        for row in rows {
            let frame = self.frame_of(u64::from(*row));
            let column = match known.take().filter(|known| known.0 == frame) {
                Some((_, column)) => column,
                None => self.frame(file, frame)?,
            };
            let first = self.pair(frame).map_or(0, |pair| pair[0] as usize);
            let value = column.values().var_len().and_then(|values| {
                let place = (*row as usize).checked_sub(first)?;
                (place < values.len()).then(|| values.get(place))
            });
            bytes
                .extend_from_slice(value.ok_or_else(|| file.damaged(&self.section, "a frame is too short"))?);
            offsets.push(bytes.len() as i64);
            known = Some((frame, column));
        }
        let values = VarLen::new(offsets.into(), bytes.into());
        values
            .map(|values| self.values(values))
            .map_err(|error| file.damaged(&self.section, &error.to_string()))
    }

    /// The values of frame number `frame`, whether they are there or not.
    fn frame(&self, file: &Opened, frame: usize) -> Result<Arc<Column>, Error> {
        // Blocks begin where there is a row; frames are counted on the other side.
        let key = (self.number, usize::MAX - frame);
        if let Some(found) = self.cache.as_ref().and_then(|cache| cache.get(key)) {
            return Ok(found);
        }
        let damaged = |what: &str| file.damaged(&self.section, what);
        let (Some([first, _]), Some([last, _])) = (self.pair(frame), self.pair(frame + 1)) else {
            return Err(damaged("a frame is missing"));
        };
        let values = self.part(file, first as usize..last as usize)?;
        let column = Column::trusted(self.values(values), None);
        let column = Arc::new(column.map_err(|error| damaged(&error.to_string()))?);
        if let Some(cache) = &self.cache {
            cache.put(key, &column);
        }
        Ok(column)
    }

    /// Adds what frame number `frame` holds to `bytes`.
    fn unpack(&self, file: &Opened, frame: usize, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let damaged = |what: &str| file.damaged(&self.section, what);
        let (Some([first, start]), Some([last, end])) = (self.pair(frame), self.pair(frame + 1)) else {
            return Err(damaged("a frame is missing"));
        };
        let length = (self.offsets[last as usize] - self.offsets[first as usize]) as usize;
        if length == 0 {
            return Ok(());
        }
        let packed =
            self.bytes.get(start as usize..end as usize).ok_or_else(|| damaged("a frame is cut short"))?;
        self.packing.unpack(packed, length, bytes).map_err(|what| damaged(&what))
    }

    fn pair(&self, frame: usize) -> Option<[u64; 2]> {
        self.frames.as_chunks::<2>().0.get(frame).copied()
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        if let Some(cache) = &self.cache {
            cache.forget(self.number);
        }
    }
}
