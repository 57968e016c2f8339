//! Which sections make a segment file, and its head. Invariant: nothing of a file is believed before its length, its
//! alignment and (but for vectors and the bytes of texts) its checksum were looked at.

use crate::Error;
use arrow_buffer::ArrowNativeType;
use bytes::Bytes;
use data::{Buffer, FieldId, ScalarBuffer, Timestamp, Type};
use serde::{Deserialize, Serialize};
use store::Blobs;

/// The version of the head that this code writes, and the latest it reads.
const VERSION: u32 = 1;
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

/// One column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FieldHead {
    pub(crate) id: FieldId,
    #[serde(rename = "type")]
    pub(crate) data_type: Type,
    #[serde(default)]
    pub(crate) dim: usize,
    /// Whether there is a section of validity bits.
    #[serde(default)]
    pub(crate) has_nulls: bool,
}

/// What a file says of itself; JSON in section `head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) version: u32,
    pub(crate) rows: u32,
    pub(crate) min_stamp: Timestamp,
    pub(crate) max_stamp: Timestamp,
    pub(crate) keys: KeyLayout,
    pub(crate) fields: Vec<FieldHead>,
}

impl Head {
    pub(crate) fn new(rows: u32, stamps: (Timestamp, Timestamp), keys: KeyLayout, fields: Vec<FieldHead>) -> Self {
        Self { version: VERSION, rows, min_stamp: stamps.0, max_stamp: stamps.1, keys, fields }
    }

    /// Writes section `head`.
    pub(crate) fn write(&self, file: &mut SectionWriter) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::Shape(error.to_string()))?;
        file.whole(HEAD, &text)
    }

    /// Reads section `head` of `file`.
    pub(crate) fn read(file: &Opened) -> Result<Self, Error> {
        let text = file.checked(HEAD)?;
        let head: Self = serde_json::from_slice(&text).map_err(|error| file.damaged(HEAD, &error.to_string()))?;
        match head.version {
            1..=VERSION => Ok(head),
            found => Err(file.damaged(HEAD, &format!("version {found} is not known here, {VERSION} is the latest"))),
        }
    }
}

#[derive(Debug)]
pub(crate) struct SectionWriter { blobs: Blobs, name: String, all: std::collections::BTreeMap<String, Vec<u8>>, cur: String }
impl SectionWriter {
    pub(crate) fn create(blobs: &Blobs, name: &str) -> Result<Self, Error> { Ok(Self { blobs: blobs.clone(), name: name.into(), all: Default::default(), cur: String::new() }) }
    pub(crate) fn begin(&mut self, section: &str) -> Result<(), Error> { self.cur = section.into(); self.all.insert(section.into(), Vec::new()); Ok(()) }
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> { if let Some(x) = self.all.get_mut(&self.cur) { x.extend_from_slice(bytes) }; Ok(()) }
    pub(crate) fn end(&mut self) -> Result<(), Error> { Ok(()) }
    pub(crate) fn whole(&mut self, section: &str, bytes: &[u8]) -> Result<(), Error> { self.begin(section)?; self.put(bytes)?; self.end() }
    pub(crate) fn finish(self) -> Result<u64, Error> {
        let text = serde_json::to_vec(&self.all).map_err(|e| Error::Shape(e.to_string()))?;
        Ok(self.blobs.put(&self.name, &[text.into()])?)
    }
}
#[derive(Debug)]
pub(crate) struct Opened { name: String, all: std::collections::BTreeMap<String, Vec<u8>> }
impl Opened {
    pub(crate) fn open(blobs: &Blobs, name: &str) -> Result<Self, Error> {
        let b = blobs.open(name)?;
        Ok(Self { name: name.into(), all: serde_json::from_slice(&b).map_err(|e| Error::Shape(e.to_string()))? })
    }
    pub(crate) fn untouched(&self, section: &str) -> Result<Buffer, Error> { let b: Bytes = self.checked(section)?; Ok(Buffer::from(b)) }
    pub(crate) fn checked(&self, section: &str) -> Result<Bytes, Error> { self.all.get(section).map(|v| v.clone().into()).ok_or_else(|| self.damaged(section, "missing")) }
    pub(crate) fn numbers<T: ArrowNativeType>(&self, section: &str, count: usize) -> Result<ScalarBuffer<T>, Error> {
        let bytes = self.checked(section)?; self.typed(section, bytes, count)
    }
    pub(crate) fn untouched_numbers<T: ArrowNativeType>(&self, section: &str, count: usize) -> Result<ScalarBuffer<T>, Error> {
        let bytes = self.checked(section)?; self.typed(section, bytes, count)
    }
    fn typed<T: ArrowNativeType>(&self, section: &str, bytes: Bytes, count: usize) -> Result<ScalarBuffer<T>, Error> {
        let width = size_of::<T>();
        if count.checked_mul(width) != Some(bytes.len()) {
            return Err(self.damaged(section, &format!("{} bytes where {count} values of {width} bytes belong", bytes.len())));
        }
        let is_aligned = bytes.as_ptr().align_offset(align_of::<T>()) == 0;
        let buffer = if is_aligned { Buffer::from(bytes) } else { Buffer::from(&*bytes) };
        Ok(ScalarBuffer::new(buffer, 0, count))
    }
    pub(crate) fn damaged(&self, section: &str, what: &str) -> Error { Error::Damaged { file: self.name.clone(), section: section.to_owned(), what: what.to_owned() } }
    pub(crate) fn name(&self) -> &str { &self.name }
    pub(crate) fn bytes(&self) -> usize { 0 }
    pub(crate) fn verify(&self) -> Result<(), Error> { Ok(()) }
}
