//! Writing a container, section after section. Payloads are not copied.

use std::collections::HashSet;

use bytes::Bytes;

use super::layout::{
    ALIGN_BYTES, BLOCK_BYTES, Header, NAME_BYTES_MAX, Row, SECTIONS_MAX, Trailer, aligned, encode_footer,
};
use crate::blobs::BlobWriter;
use crate::crc::{Crc, crc32c};
use crate::error::Error;

/// A container being written into a blob. Dropped before [`Writer::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Writer {
    blob: BlobWriter,
    rows: Vec<Row>,
    names: HashSet<String>,
    open: Option<OpenSection>,
}

#[derive(Debug)]
struct OpenSection {
    row: Row,
    /// The checksum of the block under way, if it has any bytes.
    block: Crc,
}

impl Writer {
    /// Begins a container in an empty blob. `kind` and `version` are the caller's, to tell its files apart.
    pub fn new(mut blob: BlobWriter, kind: [u8; 8], version: u32) -> Result<Self, Error> {
        if !blob.is_empty() {
            return Err(misuse("a container begins an empty blob"));
        }
        blob.append(&[Bytes::from(Header { kind, version }.encode())])?;
        Ok(Self { blob, rows: Vec::new(), names: HashSet::new(), open: None })
    }

    /// Writes a whole section.
    pub fn section(&mut self, name: &str, parts: &[Bytes]) -> Result<(), Error> {
        self.begin(name)?;
        self.append(parts)?;
        self.end()
    }

    /// Bytes written so far: where the next section begins.
    pub fn position(&self) -> u64 {
        self.blob.len()
    }

    /// Begins a section. Names are 1 to 255 bytes and given once per file.
    pub fn begin(&mut self, name: &str) -> Result<(), Error> {
        if let Some(open) = &self.open {
            return Err(misuse(&format!("section {} is still open", open.row.name)));
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let reason = "a section's name has 1 to 255 bytes";
            return Err(Error::BadName { name: name.to_owned(), reason });
        }
        if self.rows.len() == SECTIONS_MAX {
            let (bytes, bytes_max) = (self.rows.len() as u64 + 1, SECTIONS_MAX as u64);
            return Err(Error::TooLarge { what: "the table of sections", bytes, bytes_max });
        }
        if !self.names.insert(name.to_owned()) {
            return Err(Error::Exists { name: name.to_owned() });
        }
        let row = Row { name: name.to_owned(), offset: self.blob.len(), length: 0, blocks: Vec::new() };
        self.open = Some(OpenSection { row, block: Crc::new() });
        Ok(())
    }

    /// Adds bytes to the open section.
    pub fn append(&mut self, parts: &[Bytes]) -> Result<(), Error> {
        let open = self.open.as_mut().ok_or_else(|| misuse("no section is open"))?;
        parts.iter().for_each(|part| open.add(part));
        self.blob.append(parts)
    }

    /// Ends the open section.
    pub fn end(&mut self) -> Result<(), Error> {
        let mut open = self.open.take().ok_or_else(|| misuse("no section is open"))?;
        if !open.row.length.is_multiple_of(BLOCK_BYTES) {
            open.row.blocks.push(open.block.value());
        }
        self.rows.push(open.row);
        self.pad()
    }

    fn pad(&mut self) -> Result<(), Error> {
        static ZEROS: [u8; ALIGN_BYTES as usize] = [0; ALIGN_BYTES as usize];
        let length = self.blob.len();
        let missing = aligned(length).map_or(0, |end| end - length) as usize;
        self.blob.append(&[Bytes::from_static(&ZEROS).slice(..missing)])
    }

    /// Writes the footer and makes the blob durable; returns its length in bytes.
    pub fn finish(mut self) -> Result<u64, Error> {
        if let Some(open) = &self.open {
            return Err(misuse(&format!("section {} is still open", open.row.name)));
        }
        let footer = encode_footer(&self.rows);
        let footer_offset = self.blob.len();
        let footer_bytes = footer.len() as u64;
        let footer_crc = crc32c(&footer);
        self.blob.append(&[Bytes::from(footer)])?;
        self.pad()?;
        let file_bytes = self.blob.len() + super::layout::EDGE_BYTES as u64;
        let trailer = Trailer { footer_offset, footer_bytes, footer_crc, file_bytes };
        self.blob.append(&[Bytes::from(trailer.encode())])?;
        self.blob.finish()
    }
}

impl OpenSection {
    fn add(&mut self, mut part: &[u8]) {
        while !part.is_empty() {
            let room = (BLOCK_BYTES - self.row.length % BLOCK_BYTES) as usize;
            let (now, later) = part.split_at(room.min(part.len()));
            self.block.update(now);
            self.row.length += now.len() as u64;
            if self.row.length.is_multiple_of(BLOCK_BYTES) {
                let full = std::mem::replace(&mut self.block, Crc::new());
                self.row.blocks.push(full.value());
            }
            part = later;
        }
    }
}

fn misuse(reason: &str) -> Error {
    Error::Misuse { what: "a container being written", reason: reason.to_owned() }
}
