//! Reading a container in place.

use std::collections::HashMap;

use bytes::Bytes;

use super::layout::{ALIGN_BYTES, BLOCK_BYTES, EDGE_BYTES, Header, Row, Trailer, aligned, decode_footer};
use crate::blobs::Blobs;
use crate::crc::crc32c;
use crate::error::Error;

/// Sections up to this size are checked whenever they are asked for.
const CHECKED_BYTES_MAX: u64 = 64 << 10;

/// An open container. Sections are slices of its bytes; cheap to clone from.
#[derive(Debug, Clone)]
pub struct Reader {
    path: String,
    bytes: Bytes,
    header: Header,
    rows: Vec<Row>,
    by_name: HashMap<String, usize>,
    trailer: Trailer,
}

/// What the table says about a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it begins, in bytes from the start of the file; a multiple of 64.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl Reader {
    /// Opens a container that lies in memory, mapped or not. Checks its edges, its table and all bounds; sections
    /// are not touched.
    pub fn open(bytes: Bytes) -> Result<Self, Error> {
        Self::open_named("the container", bytes)
    }

    /// Opens a blob as a container; errors name the blob.
    pub fn open_blob(blobs: &Blobs, name: &str) -> Result<Self, Error> {
        Self::open_named(name, blobs.open(name)?)
    }

    /// Opens a container; errors call it `path`.
    pub fn open_named(path: &str, bytes: Bytes) -> Result<Self, Error> {
        let header = Header::decode(path, &bytes)?;
        let length = bytes.len() as u64;
        let short = || Error::corrupt(path, length, "the file is too short to be one of ours");
        let trailer_at =
            bytes.len().checked_sub(EDGE_BYTES).filter(|at| *at >= EDGE_BYTES).ok_or_else(short)?;
        let edge = bytes.get(trailer_at..).unwrap_or_default();
        let trailer = Trailer::decode(path, trailer_at as u64, edge)?;
        let footer_end = trailer.footer_offset.checked_add(trailer.footer_bytes);
        let fits = trailer.file_bytes == length
            && trailer.footer_offset.is_multiple_of(ALIGN_BYTES)
            && footer_end.and_then(aligned) == Some(trailer_at as u64);
        let footer = span(&bytes, trailer.footer_offset, trailer.footer_bytes).filter(|_| fits);
        let misled = || Error::corrupt(path, trailer_at as u64, "the trailer does not fit the file's length");
        let footer = footer.ok_or_else(misled)?;
        if crc32c(footer) != trailer.footer_crc {
            let reason = "the checksum of the table of sections does not fit";
            return Err(Error::corrupt(path, trailer.footer_offset, reason));
        }
        let rows = decode_footer(path, trailer.footer_offset, footer, trailer.footer_offset)?;
        let by_name: HashMap<String, usize> = rows.iter().map(|r| r.name.clone()).zip(0..).collect();
        if by_name.len() != rows.len() {
            return Err(Error::corrupt(path, trailer.footer_offset, "two sections have the same name"));
        }
        Ok(Self { path: path.to_owned(), bytes, header, rows, by_name, trailer })
    }

    /// What kind of file it is, as its writer said.
    pub fn kind(&self) -> [u8; 8] {
        self.header.kind
    }

    /// The version of that kind.
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// The length of the whole file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// All sections in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.rows.iter().map(|row| Section { name: &row.name, offset: row.offset, length: row.length })
    }

    /// The bytes of a section, in place; none if there is no such section. One of at most 64 KiB is checked now,
    /// larger ones by [`Reader::verify`] and [`Reader::verify_section`].
    pub fn section(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let Some(row) = self.by_name.get(name).and_then(|at| self.rows.get(*at)) else { return Ok(None) };
        if row.length <= CHECKED_BYTES_MAX {
            self.verify_row(row)?;
        }
        // The bounds were checked when the file was opened.
        Ok(span_range(row.offset, row.length).map(|range| self.bytes.slice(range)))
    }

    /// Checks every block of one section; it is fine if there is no such section.
    pub fn verify_section(&self, name: &str) -> Result<(), Error> {
        match self.by_name.get(name).and_then(|at| self.rows.get(*at)) {
            Some(row) => self.verify_row(row),
            None => Ok(()),
        }
    }

    /// Checks every byte of the file. The error names the first bad section and block.
    pub fn verify(&self) -> Result<(), Error> {
        let reopened = Self::open_named(&self.path, self.bytes.clone())?;
        for row in &reopened.rows {
            self.verify_row(row)?;
            self.verify_zeros(row.offset + row.length)?;
        }
        self.verify_zeros(self.trailer.footer_offset + self.trailer.footer_bytes)
    }

    fn verify_row(&self, row: &Row) -> Result<(), Error> {
        let section = span(&self.bytes, row.offset, row.length).unwrap_or_default();
        for (number, (block, crc)) in section.chunks(BLOCK_BYTES as usize).zip(&row.blocks).enumerate() {
            if crc32c(block) != *crc {
                let offset = row.offset + number as u64 * BLOCK_BYTES;
                let reason = format!("the checksum of section {}, block {number} does not fit", row.name);
                return Err(Error::corrupt(&self.path, offset, reason));
            }
        }
        Ok(())
    }

    /// Checks that the bytes from `offset` to the next multiple of the alignment are zero.
    fn verify_zeros(&self, offset: u64) -> Result<(), Error> {
        let count = aligned(offset).map_or(0, |end| end - offset);
        let zeros = span(&self.bytes, offset, count).unwrap_or_default();
        match zeros.iter().position(|byte| *byte != 0) {
            Some(at) => {
                let reason = "bytes between sections that must be zero are not";
                Err(Error::corrupt(&self.path, offset + at as u64, reason))
            }
            None => Ok(()),
        }
    }
}

fn span_range(offset: u64, length: u64) -> Option<std::ops::Range<usize>> {
    let end = usize::try_from(offset.checked_add(length)?).ok()?;
    Some(usize::try_from(offset).ok()?..end)
}

fn span(bytes: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    bytes.get(span_range(offset, length)?)
}
