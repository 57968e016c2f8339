//! Which sections make a segment file, and its head. Invariant: nothing of a file is believed before its length, its
//! alignment and (but for vectors and the bytes of texts) its checksum were looked at.

use crate::Error;
use arrow_buffer::ArrowNativeType;
use bytes::Bytes;
use data::{Buffer, FieldId, Kind, ScalarBuffer, Timestamp, Type};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;
use store::Blobs;
use store::file::{Reader, Section, Writer};

/// The version that this code writes, and the latest it reads.
pub(crate) const VERSION: u32 = 3;
/// What marks a segment file.
pub(crate) const KIND: [u8; 8] = *b"segment\0";
/// Stands for what holds the sections together: header, table of sections, gaps.
const FRAME: &str = "(frame)";
const HEAD: &str = "head";

/// How the order of the keys is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyLayout {
    /// There are no keys.
    None,
    /// The keys are numbers and never fall from row to row.
    Rising,
    /// Codes and rows in sections of their own.
    Sorted,
}

/// How the values of a column are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Packing {
    /// Hard, for what is read one by one.
    Zstd,
    /// Quickly unpacked, for what filters look through.
    Lz4,
}

/// One column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FieldHead {
    pub(crate) id: FieldId,
    #[serde(rename = "type")]
    pub(crate) data_type: Type,
    #[serde(default)]
    pub(crate) dim: usize,
    /// Arrays: the type of an element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) element: Option<Type>,
    /// Whether there is a section of validity bits.
    #[serde(default)]
    pub(crate) has_nulls: bool,
    /// How it is compressed, where that is not a matter of its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) packing: Option<Packing>,
    /// Whether section `zones` knows of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_zones: bool,
}

impl FieldHead {
    /// How the values are compressed; `None`: they lie in the file as they are.
    pub(crate) fn packing(&self) -> Option<Packing> {
        match self.data_type {
            Type::Text => Some(self.packing.unwrap_or(Packing::Zstd)),
            Type::VarChar | Type::Json => self.packing,
            _ => None,
        }
    }

    /// What the column holds; `None` when the head does not say of what its arrays are.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match (self.data_type, self.element) {
            (Type::Array, Some(element)) => Some(Kind::array(element, self.dim)),
            (Type::Array, None) => None,
            (data_type, _) => Some(Kind::new(data_type, self.dim)),
        }
    }
}

/// What a file says of itself; JSON in section `head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) rows: u32,
    pub(crate) min_stamp: Timestamp,
    pub(crate) max_stamp: Timestamp,
    pub(crate) keys: KeyLayout,
    pub(crate) fields: Vec<FieldHead>,
}

impl Head {
    pub(crate) fn new(
        rows: u32,
        stamps: (Timestamp, Timestamp),
        keys: KeyLayout,
        fields: Vec<FieldHead>,
    ) -> Self {
        Self { rows, min_stamp: stamps.0, max_stamp: stamps.1, keys, fields }
    }

    /// Writes section `head`.
    pub(crate) fn write(&self, file: &mut SectionWriter) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::Shape(error.to_string()))?;
        file.whole(HEAD, &text)
    }

    /// Reads section `head` of `file`.
    pub(crate) fn read(file: &Opened) -> Result<Self, Error> {
        let text = file.checked(HEAD)?;
        serde_json::from_slice(&text).map_err(|error| file.damaged(HEAD, &error.to_string()))
    }
}

/// Pieces of at least this size are handed on as they are; smaller ones are gathered.
const GATHER_BYTES: usize = 16 << 10;

/// A segment file being written; dropped before [`SectionWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub(crate) struct SectionWriter {
    file: Writer,
    gathered: Vec<u8>,
}

impl SectionWriter {
    /// Begins file `name`.
    pub(crate) fn create(blobs: &Blobs, name: &str) -> Result<Self, Error> {
        Self::create_kind(blobs, name, KIND, VERSION)
    }

    /// Begins file `name` of another kind.
    pub(crate) fn create_kind(blobs: &Blobs, name: &str, kind: [u8; 8], version: u32) -> Result<Self, Error> {
        Ok(Self { file: Writer::new(blobs.create(name)?, kind, version)?, gathered: Vec::new() })
    }

    /// Begins a section.
    pub(crate) fn begin(&mut self, section: &str) -> Result<(), Error> {
        Ok(self.file.begin(section)?)
    }

    /// Adds bytes to the section.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Adds bytes `range` of `buffer` to the section, without a copy when they are many.
    pub(crate) fn put_from(&mut self, buffer: &Buffer, range: Range<usize>) -> Result<(), Error> {
        if range.len() < GATHER_BYTES {
            return self.put(&buffer[range]);
        }
        self.flush()?;
        let part = buffer.slice_with_length(range.start, range.len());
        Ok(self.file.append(&[Bytes::from_owner(part)])?)
    }

    fn flush(&mut self) -> Result<(), Error> {
        let gathered = std::mem::take(&mut self.gathered);
        if gathered.is_empty() { Ok(()) } else { Ok(self.file.append(&[gathered.into()])?) }
    }

    /// Ends the section.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.flush()?;
        Ok(self.file.end()?)
    }

    /// Writes a whole section.
    pub(crate) fn whole(&mut self, section: &str, bytes: &[u8]) -> Result<(), Error> {
        self.begin(section)?;
        self.put(bytes)?;
        self.end()
    }

    /// Makes the file durable; its size in bytes.
    pub(crate) fn finish(self) -> Result<u64, Error> {
        Ok(self.file.finish()?)
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Opened {
    name: String,
    reader: Reader,
    lengths: HashMap<String, u64>,
}

impl Opened {
    /// Opens file `name` and checks that it is of `kind`, in its first version.
    pub(crate) fn open(blobs: &Blobs, name: &str, kind: [u8; 8]) -> Result<Self, Error> {
        Self::open_known(blobs, name, kind, 1)
    }

    /// Opens file `name` and checks that it is of `kind`, in a version up to `known`.
    pub(crate) fn open_known(blobs: &Blobs, name: &str, kind: [u8; 8], known: u32) -> Result<Self, Error> {
        let reader = match Reader::open_blob(blobs, name) {
            Err(store::Error::Corrupt { reason, .. }) => return Err(damaged(name, FRAME, &reason)),
            other => other?,
        };
        let lengths = reader.sections().map(|section| (section.name.to_owned(), section.length)).collect();
        let file = Self { name: name.to_owned(), reader, lengths };
        if file.reader.kind() != kind {
            let (found, wanted) = (file.reader.kind(), kind);
            let (found, wanted) = (String::from_utf8_lossy(&found), String::from_utf8_lossy(&wanted));
            return Err(file.damaged(FRAME, &format!("it is a file of kind {found:?}, not {wanted:?}")));
        }
        match file.reader.version() {
            found if (1..=known).contains(&found) => Ok(file),
            found => Err(store::Error::Newer { path: name.to_owned(), found, known }.into()),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> usize {
        self.reader.file_bytes() as usize
    }

    /// The error that says what is wrong with `section`.
    pub(crate) fn damaged(&self, section: &str, what: &str) -> Error {
        damaged(&self.name, section, what)
    }

    /// Holds every byte against its checksum.
    pub(crate) fn verify(&self) -> Result<(), Error> {
        let Err(error) = self.reader.verify() else { return Ok(()) };
        let store::Error::Corrupt { offset, reason, .. } = error else { return Err(error.into()) };
        let holds =
            |section: &Section<'_>| (section.offset..section.offset + section.length).contains(&offset);
        let section = self.reader.sections().find(holds).map_or(FRAME, |section| section.name);
        Err(self.damaged(section, &reason))
    }

    fn accuse(&self, section: &str, error: store::Error) -> Error {
        match error {
            store::Error::Corrupt { reason, .. } => self.damaged(section, &reason),
            error => error.into(),
        }
    }

    /// Whether `section` is `length` bytes long, by the table alone.
    pub(crate) fn check_length(&self, section: &str, length: u64) -> Result<(), Error> {
        match self.lengths.get(section) {
            Some(found) if *found == length => Ok(()),
            Some(found) => Err(self.damaged(section, &format!("it has {found} bytes where {length} belong"))),
            None => Err(self.damaged(section, "it is missing")),
        }
    }

    fn section(&self, section: &str) -> Result<Bytes, Error> {
        let found = self.reader.section(section).map_err(|error| self.accuse(section, error))?;
        found.ok_or_else(|| self.damaged(section, "it is missing"))
    }

    /// The bytes of `section`, held against their checksums.
    pub(crate) fn checked(&self, section: &str) -> Result<Bytes, Error> {
        self.reader.verify_section(section).map_err(|error| self.accuse(section, error))?;
        self.section(section)
    }

    /// The bytes of `section`, which if they are many are not looked at.
    pub(crate) fn untouched(&self, section: &str) -> Result<Buffer, Error> {
        self.section(section).map(Buffer::from)
    }

    /// `count` numbers in `section`, held against their checksums.
    pub(crate) fn numbers<T: ArrowNativeType>(
        &self,
        section: &str,
        count: usize,
    ) -> Result<ScalarBuffer<T>, Error> {
        let bytes = self.checked(section)?;
        self.typed(section, bytes, count)
    }

    /// All numbers in `section`, held against their checksums.
    pub(crate) fn all_numbers<T: ArrowNativeType>(&self, section: &str) -> Result<ScalarBuffer<T>, Error> {
        let bytes = self.checked(section)?;
        let count = bytes.len() / size_of::<T>();
        self.typed(section, bytes, count)
    }

    /// `count` numbers in `section`, which if they are many are not looked at.
    pub(crate) fn untouched_numbers<T: ArrowNativeType>(
        &self,
        section: &str,
        count: usize,
    ) -> Result<ScalarBuffer<T>, Error> {
        let bytes = self.section(section)?;
        self.typed(section, bytes, count)
    }

    /// In place where `bytes` are aligned, as they are in a mapped file; else copied.
    fn typed<T: ArrowNativeType>(
        &self,
        section: &str,
        bytes: Bytes,
        count: usize,
    ) -> Result<ScalarBuffer<T>, Error> {
        let (width, length) = (size_of::<T>(), bytes.len());
        if count.checked_mul(width) != Some(length) {
            let what = format!("it has {length} bytes where {count} values of {width} bytes belong");
            return Err(self.damaged(section, &what));
        }
        let is_aligned = bytes.as_ptr().align_offset(align_of::<T>()) == 0;
        let buffer = if is_aligned { Buffer::from(bytes) } else { Buffer::from(&*bytes) };
        Ok(ScalarBuffer::new(buffer, 0, count))
    }
}

fn damaged(file: &str, section: &str, what: &str) -> Error {
    Error::Damaged { file: file.to_owned(), section: section.to_owned(), what: what.to_owned() }
}
