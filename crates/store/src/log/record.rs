//! The bytes of a log file: a header, then records, each with a header of its own.
//!
//! Invariant: every stored byte is under a checksum or known to be zero. Every record names the one before it, so
//! that none can vanish unnoticed, and the last one known durable when it was written, so that a torn write can be
//! told from damage. The format is described in `docs/formats/log.md`.

use bytes::Bytes;

use crate::crc::{Crc, crc32c};

pub(super) const MAGIC: [u8; 8] = *b"ELANLOG\n";
pub(super) const FORMAT: u32 = 1;
pub(super) const FILE_HEADER_BYTES: usize = 48;
pub(super) const RECORD_HEADER_BYTES: usize = 40;

/// Records start at multiples of this.
pub(super) const ALIGN_BYTES: usize = 8;

/// The most bytes of one record.
pub(super) const RECORD_BYTES_MAX: u64 = 1 << 30;

pub(super) const KIND_RECORD: u32 = 0;
/// A record without payload that only says what is durable; it has the number of the record before it.
pub(super) const KIND_MARK: u32 = 1;

/// The header of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// Every record in this file has this number or a higher one.
    pub(super) first: u64,
    /// The number of the last record before this file; 0 if there was none.
    pub(super) previous: u64,
    pub(super) salt: u64,
}

/// Why the header of a file is not one.
#[derive(Debug)]
pub(super) enum BadHeader {
    Newer(u32),
    Damaged(&'static str),
}

impl FileHeader {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(FILE_HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.previous.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let crc = crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        Bytes::from(out)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let header =
            bytes.get(..FILE_HEADER_BYTES).ok_or(BadHeader::Damaged("it is shorter than its header"))?;
        if !header.starts_with(&MAGIC) {
            return Err(BadHeader::Damaged("it does not begin as a log file does"));
        }
        if crc32c(&header[..FILE_HEADER_BYTES - 4]) != u32_at(header, FILE_HEADER_BYTES - 4) {
            return Err(BadHeader::Damaged("the checksum of its header does not fit"));
        }
        match u32_at(header, 8) {
            FORMAT => {}
            newer if newer > FORMAT => return Err(BadHeader::Newer(newer)),
            _ => return Err(BadHeader::Damaged("its format version was never used")),
        }
        Ok(Self { first: u64_at(header, 16), previous: u64_at(header, 24), salt: u64_at(header, 32) })
    }
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) length: u32,
    pub(super) kind: u32,
    pub(super) lsn: u64,
    /// The number of the record before this one; 0 if there was none.
    pub(super) previous: u64,
    /// The number of the last record known durable when this one was written.
    pub(super) settled: u64,
    pub(super) payload_crc: u32,
}

impl RecordHeader {
    pub(super) fn encode(&self, salt: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.kind.to_le_bytes());
        out.extend_from_slice(&self.lsn.to_le_bytes());
        out.extend_from_slice(&self.previous.to_le_bytes());
        out.extend_from_slice(&self.settled.to_le_bytes());
        out.extend_from_slice(&self.payload_crc.to_le_bytes());
        let crc = salted(salt, &out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }

    /// The header at the start of `bytes`, if its checksum fits.
    pub(super) fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let header = bytes.get(..RECORD_HEADER_BYTES)?;
        let (told, crc) = header.split_at(RECORD_HEADER_BYTES - 4);
        if salted(salt, told) != u32_at(crc, 0) {
            return None;
        }
        Some(Self {
            length: u32_at(told, 0),
            kind: u32_at(told, 4),
            lsn: u64_at(told, 8),
            previous: u64_at(told, 16),
            settled: u64_at(told, 24),
            payload_crc: u32_at(told, 32),
        })
    }
}

fn salted(salt: u64, bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(&salt.to_le_bytes());
    crc.update(bytes);
    crc.value()
}

/// How many zero bytes follow a payload of `length` bytes.
pub(super) fn padding(length: usize) -> usize {
    length.wrapping_neg() % ALIGN_BYTES
}

/// What a file holds at one place.
#[derive(Debug)]
pub(super) enum Step {
    Record(u64, Bytes),
    End,
    Bad(&'static str),
}

/// Reads the records of one file in order.
#[derive(Debug)]
pub(super) struct Cursor {
    bytes: Bytes,
    salt: u64,
    /// Where the next record begins.
    pub(super) at: usize,
    /// The number of the last record read.
    pub(super) previous: u64,
    /// Whether the last thing read was a mark.
    pub(super) marked: bool,
}

impl Cursor {
    /// A cursor behind the header of a file, whose bytes are `bytes`.
    pub(super) fn new(bytes: Bytes, header: &FileHeader) -> Self {
        Self { bytes, salt: header.salt, at: FILE_HEADER_BYTES, previous: header.previous, marked: false }
    }

    /// Moves over the next record. After [`Step::Bad`] it stays before the bad bytes.
    pub(super) fn step(&mut self) -> Step {
        loop {
            if self.at == self.bytes.len() {
                return Step::End;
            }
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(header) = RecordHeader::decode(rest, self.salt) else {
                return Step::Bad("no record begins here, though more bytes follow");
            };
            if header.previous != self.previous {
                return Step::Bad("a record is missing before this one");
            }
            let is_mark = header.kind == KIND_MARK && header.length == 0 && header.lsn == self.previous;
            let is_record = header.kind == KIND_RECORD && header.lsn > self.previous;
            if !is_mark && !is_record {
                return Step::Bad("a record has values that this format never had");
            }
            let length = header.length as usize;
            let from = self.at + RECORD_HEADER_BYTES;
            let to = from.saturating_add(length);
            let end = to.saturating_add(padding(length));
            let (Some(payload), Some(zeros)) = (self.bytes.get(from..to), self.bytes.get(to..end)) else {
                return Step::Bad("the file ends within a record");
            };
            if crc32c(payload) != header.payload_crc {
                return Step::Bad("the checksum of a record does not fit");
            }
            if zeros.iter().any(|byte| *byte != 0) {
                return Step::Bad("the bytes after a record are not zero");
            }
            self.at = end;
            self.previous = header.lsn;
            self.marked = is_mark;
            if is_record {
                return Step::Record(header.lsn, self.bytes.slice(from..to));
            }
        }
    }

    /// Where, after bad bytes at the cursor, a record stands that was written when something after the last good
    /// record was already durable. That is proof of damage: a torn write leaves none.
    pub(super) fn proof_of_damage(&self) -> Option<usize> {
        let mut at = self.at;
        while let Some(rest) = self.bytes.get(at..) {
            // The checks before the checksum are cheap and almost always fail.
            let settled = rest.get(24..32).map(|field| u64_at(field, 0))?;
            let lsn = u64_at(rest, 8);
            if settled > self.previous && lsn >= settled && RecordHeader::decode(rest, self.salt).is_some() {
                return Some(at);
            }
            at += ALIGN_BYTES;
        }
        None
    }
}

/// The little-endian number at `at`; zero where there is none.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |field| u32::from_le_bytes(*field))
}

/// The little-endian number at `at`; zero where there is none.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |field| u64::from_le_bytes(*field))
}
