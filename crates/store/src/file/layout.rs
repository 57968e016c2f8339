//! The bytes of a container: header, footer, trailer. Nothing here panics, whatever the bytes.

use crate::crc::crc32c;
use crate::error::Error;

pub(super) const HEADER_MAGIC: [u8; 8] = *b"ELANFIL\n";
pub(super) const TRAILER_MAGIC: [u8; 8] = *b"\nLIFNALE";
pub(super) const FORMAT: u32 = 1;

/// The bytes of the header, and of the trailer.
pub(super) const EDGE_BYTES: usize = 64;

/// Sections, footer and trailer begin at multiples of this.
pub(super) const ALIGN_BYTES: u64 = 64;

/// The bytes under one checksum; the last block of a section is shorter.
pub(super) const BLOCK_BYTES: u64 = 1 << 20;

pub(super) const SECTIONS_MAX: usize = 1 << 20;
pub(super) const NAME_BYTES_MAX: usize = 255;

/// The kind and version that a file claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: [u8; 8],
    pub(super) version: u32,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(EDGE_BYTES);
        out.extend_from_slice(&HEADER_MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.kind);
        sealed(out)
    }

    pub(super) fn decode(path: &str, bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = unsealed(path, 0, "header", HEADER_MAGIC, bytes)?;
        let mut read = || fields.u32().zip(fields.u32()).zip(fields.take(8));
        let ((format, version), kind) = read().ok_or_else(|| short(path, 0))?;
        check_format(path, format)?;
        let kind = kind.try_into().map_err(|_| short(path, 0))?;
        let header = Self { kind, version };
        rest_is_zero(path, 0, &fields)?;
        Ok(header)
    }
}

/// Where the footer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) footer_offset: u64,
    pub(super) footer_bytes: u64,
    pub(super) footer_crc: u32,
    pub(super) file_bytes: u64,
}

impl Trailer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(EDGE_BYTES);
        out.extend_from_slice(&TRAILER_MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&self.footer_crc.to_le_bytes());
        out.extend_from_slice(&self.footer_offset.to_le_bytes());
        out.extend_from_slice(&self.footer_bytes.to_le_bytes());
        out.extend_from_slice(&self.file_bytes.to_le_bytes());
        sealed(out)
    }

    pub(super) fn decode(path: &str, offset: u64, bytes: &[u8]) -> Result<Self, Error> {
        let mut fields = unsealed(path, offset, "trailer", TRAILER_MAGIC, bytes)?;
        let format = fields.u32().ok_or_else(|| short(path, offset))?;
        check_format(path, format)?;
        let mut read = || {
            Some(Self {
                footer_crc: fields.u32()?,
                footer_offset: fields.u64()?,
                footer_bytes: fields.u64()?,
                file_bytes: fields.u64()?,
            })
        };
        let trailer = read().ok_or_else(|| short(path, offset))?;
        rest_is_zero(path, offset, &fields)?;
        Ok(trailer)
    }
}

/// One row of the table of sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// The checksum of each block.
    pub(super) blocks: Vec<u32>,
}

/// The footer: a count, then the rows in the order of the file.
pub(super) fn encode_footer(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&(rows.len() as u32).to_le_bytes());
    for row in rows {
        out.push(row.name.len() as u8);
        out.extend_from_slice(row.name.as_bytes());
        out.extend_from_slice(&row.offset.to_le_bytes());
        out.extend_from_slice(&row.length.to_le_bytes());
        row.blocks.iter().for_each(|crc| out.extend_from_slice(&crc.to_le_bytes()));
    }
    out
}

/// The rows of a footer whose checksum fits. Sections are where the writer would have put them, up to `end`.
pub(super) fn decode_footer(path: &str, offset: u64, bytes: &[u8], end: u64) -> Result<Vec<Row>, Error> {
    let bad = |reason: &str| Error::corrupt(path, offset, format!("the footer {reason}"));
    let mut fields = Fields(bytes);
    let count = fields.u32().ok_or_else(|| bad("is too short"))? as usize;
    if count > SECTIONS_MAX {
        return Err(bad("tells of too many sections"));
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut expected = EDGE_BYTES as u64;
    for _ in 0..count {
        let row = decode_row(&mut fields).ok_or_else(|| bad("breaks off or has a name that is not text"))?;
        let stop = row.offset.checked_add(row.length).filter(|stop| *stop <= end);
        let stop = stop.ok_or_else(|| bad("tells of a section beyond the end"))?;
        if row.offset != expected {
            return Err(bad("tells of a section at a place where none can be"));
        }
        expected = aligned(stop).ok_or_else(|| bad("tells of a section beyond the end"))?;
        rows.push(row);
    }
    if !fields.0.is_empty() {
        return Err(bad("has more bytes than rows"));
    }
    if expected != end {
        return Err(bad("does not follow the last section"));
    }
    Ok(rows)
}

fn decode_row(fields: &mut Fields<'_>) -> Option<Row> {
    let name_bytes = *fields.take(1)?.first()? as usize;
    let name = std::str::from_utf8(fields.take(name_bytes)?).ok()?.to_owned();
    let (offset, length) = (fields.u64()?, fields.u64()?);
    let blocks = usize::try_from(length.div_ceil(BLOCK_BYTES)).ok()?;
    let blocks = fields.take(blocks.checked_mul(4)?)?;
    let (crcs, _) = blocks.as_chunks::<4>();
    let blocks = crcs.iter().map(|crc| u32::from_le_bytes(*crc)).collect();
    Some(Row { name, offset, length, blocks })
}

/// The next multiple of the alignment.
pub(super) fn aligned(offset: u64) -> Option<u64> {
    offset.checked_next_multiple_of(ALIGN_BYTES)
}

/// Fills an edge with zeros and puts its checksum at the end.
fn sealed(mut out: Vec<u8>) -> Vec<u8> {
    out.resize(EDGE_BYTES - 4, 0);
    let crc = crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// The fields of an edge behind its magic, once its checksum fits.
fn unsealed<'a>(
    path: &str,
    offset: u64,
    what: &str,
    magic: [u8; 8],
    bytes: &'a [u8],
) -> Result<Fields<'a>, Error> {
    let mut fields = Fields(bytes);
    if fields.take(8) != Some(&magic) {
        let reason = format!("the {what} does not begin as that of one of our files does");
        return Err(Error::corrupt(path, offset, reason));
    }
    let inner = fields.take(EDGE_BYTES - 12).ok_or_else(|| short(path, offset))?;
    let crc = fields.u32().ok_or_else(|| short(path, offset))?;
    let covered = bytes.get(..EDGE_BYTES - 4).unwrap_or_default();
    if crc32c(covered) != crc {
        return Err(Error::corrupt(path, offset, format!("the checksum of the {what} does not fit")));
    }
    Ok(Fields(inner))
}

fn short(path: &str, offset: u64) -> Error {
    Error::corrupt(path, offset, "the file is too short to be one of ours")
}

fn check_format(path: &str, format: u32) -> Result<(), Error> {
    match format {
        FORMAT => Ok(()),
        newer if newer > FORMAT => Err(Error::Newer { path: path.to_owned(), found: newer, known: FORMAT }),
        _ => Err(Error::corrupt(path, 8, "its format version was never used")),
    }
}

fn rest_is_zero(path: &str, offset: u64, fields: &Fields<'_>) -> Result<(), Error> {
    if fields.0.iter().any(|byte| *byte != 0) {
        return Err(Error::corrupt(path, offset, "bytes that must be zero are not"));
    }
    Ok(())
}

/// Bytes read from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}
