//! The file of an index, of either kind: written, opened, attached to its segment and taken off again.

use crate::catalog::{Index, IndexSpec};
use crate::{Error, ErrorKind};
use bytes::Bytes;
use data::{Column, FieldId, IndexId};
use host::{Cancel, Pool, Progress};
use index::BuildBytes;
use segment::{ScalarIndex, Sealed};
use std::io;
use std::sync::Arc;
use store::{Blobs, Pieces, file};

/// What kind of file an index on vectors is, and its version.
const KIND: [u8; 8] = *b"ELINDEX\0";
const VERSION: u32 = 1;
/// The same rows and parameters make the same index.
const SEED: u64 = 42;

/// An open index; its file stays mapped, or open where it is read in pages.
#[derive(Debug, Clone)]
pub(crate) enum Opened {
    /// On vectors.
    Vector(Arc<index::Index>),
    /// On anything else.
    Scalar(Arc<ScalarIndex>),
}

/// What an index on vectors is made by, and of: the rows of `column`, or the vectors of all its lists. `with` is handed both.
fn with_vectors<T>(
    spec: &IndexSpec,
    column: &Column,
    with: impl FnOnce(&index::Spec, index::Vectors<'_>) -> T,
) -> Result<T, Error> {
    let none = || Error::internal("an index on no vectors");
    match spec {
        IndexSpec::Vector(spec) => Ok(with(spec, segment::vectors_of(column).ok_or_else(none)?)),
        IndexSpec::Items(items) => {
            let lists = segment::items_of(column).ok_or_else(none)?;
            Ok(with(&items.spec, segment::vectors_of(lists.items()).ok_or_else(none)?))
        }
        IndexSpec::Scalar(_) => Err(none()),
    }
}

/// Bytes of memory that [`build`] takes with the threads of `pool`.
pub(crate) fn build_bytes(spec: &IndexSpec, column: &Column, pool: &Pool) -> Result<BuildBytes, Error> {
    with_vectors(spec, column, |spec, vectors| spec.build_bytes(vectors, pool.threads()))
}

/// Builds what `spec` asks for over all rows of `column`, which are vectors or lists of them, and writes it as `file`; its size in bytes.
/// A graph on disk takes no more than `memory_bytes` to build, if that is enough for it made in parts.
pub(crate) fn build(
    spec: &IndexSpec,
    column: &Column,
    place: (&Blobs, &str),
    pool: &Pool,
    (cancel, progress): (&Cancel, &Progress),
    memory_bytes: u64,
) -> Result<u64, Error> {
    let work = (cancel, progress, memory_bytes);
    with_vectors(spec, column, |spec, vectors| write(spec, vectors, place, pool, work))?
}

impl Opened {
    /// Opens `file`, which [`build`] has written for `spec` over `field` of `sealed`.
    pub(crate) fn open(
        spec: &IndexSpec,
        blobs: &Blobs,
        file: &str,
        (sealed, field): (&Sealed, FieldId),
    ) -> Result<Self, Error> {
        let rows = sealed.rows();
        Ok(match spec {
            IndexSpec::Items(items) => {
                let count = segment::items_of(&sealed.column(field)?).map_or(0, |lists| lists.items().len());
                Self::Vector(Arc::new(open_index(&items.spec, blobs, file, count)?))
            }
            IndexSpec::Vector(spec) => Self::Vector(Arc::new(open_index(spec, blobs, file, rows)?)),
            IndexSpec::Scalar(spec) => Self::Scalar(Arc::new(ScalarIndex::open(spec, blobs, file, rows)?)),
        })
    }

    /// What was built, as names and values.
    pub(crate) fn effective(&self, spec: &IndexSpec) -> Vec<(String, String)> {
        match self {
            Self::Vector(_) => spec.effective(),
            Self::Scalar(index) => index.effective(),
        }
    }

    /// Lets reads of `sealed` use it.
    pub(crate) fn attach(self, sealed: &Sealed, index: &Index) {
        match self {
            Self::Vector(opened) => sealed.attach_index(index.field, opened),
            Self::Scalar(opened) => sealed.attach_scalar(index.id, opened),
        }
    }
}

/// Takes an index off a segment. A field has vectors or something else, so at most one of the two was there.
pub(crate) fn detach(sealed: &Sealed, index: IndexId, field: FieldId) {
    sealed.detach_index(field);
    sealed.detach_scalar(index);
}

/// Whether reads of `sealed` use `index`.
pub(crate) fn is_attached(sealed: &Sealed, index: &Index) -> bool {
    sealed.index(index.field).is_some() || sealed.scalar(index.id).is_some()
}

/// Builds an index and writes its file. What is read in pages is written as it is made.
fn write(
    spec: &index::Spec,
    vectors: index::Vectors<'_>,
    (blobs, name): (&Blobs, &str),
    pool: &Pool,
    (cancel, progress, memory_bytes): (&Cancel, &Progress, u64),
) -> Result<u64, Error> {
    static ZEROS: [u8; index::PAGE_BYTES] = [0; index::PAGE_BYTES];
    let mut writer = file::Writer::new(blobs.create(name)?, KIND, VERSION)?;
    if let Some(section) = spec.paged_section() {
        // What is read in pages begins at one.
        let position = writer.position();
        let missing = position.next_multiple_of(index::PAGE_BYTES as u64) - position;
        writer.section(GAP, &[Bytes::from_static(&ZEROS).slice(..missing as usize)])?;
        writer.begin(section)?;
    }
    let mut refused = None;
    let mut append = |bytes: Vec<u8>| {
        writer.append(&[Bytes::from(bytes)]).map_err(|error| {
            let text = error.to_string();
            refused = Some(error);
            io::Error::other(text)
        })
    };
    let pages = (memory_bytes, &mut append as &mut dyn FnMut(Vec<u8>) -> io::Result<()>);
    let image = index::build_paged(spec, vectors, SEED, pool, cancel, progress, pages);
    if let Some(error) = refused {
        return Err(error.into());
    }
    let image = image?;
    if spec.paged_section().is_some() {
        writer.end()?;
    }
    for (section, bytes) in &image.sections {
        writer.section(section, std::slice::from_ref(bytes))?;
    }
    Ok(writer.finish()?)
}

fn open_file(blobs: &Blobs, name: &str) -> Result<file::Reader, Error> {
    let reader = file::Reader::open_blob(blobs, name)?;
    if reader.kind() != KIND || reader.version() != VERSION {
        let text = format!("{name} is no index file of version {VERSION}");
        return Err(Error::new(ErrorKind::Corrupt, text));
    }
    Ok(reader)
}

fn open_index(spec: &index::Spec, blobs: &Blobs, name: &str, rows: usize) -> Result<index::Index, Error> {
    let reader = open_file(blobs, name)?;
    let mut image = index::Image::default();
    let mut nodes = None;
    for section in reader.sections() {
        if spec.paged_section() == Some(section.name) {
            let pages = section.length / index::PAGE_BYTES as u64;
            nodes = Some(Nodes { file: blobs.pieces(name)?, offset: section.offset, pages });
            continue;
        }
        if spec.paged_section().is_some() {
            // What is copied into memory is read now.
            reader.verify_section(section.name)?;
        }
        let bytes = reader.section(section.name)?.unwrap_or_default();
        image.sections.push((section.name.to_owned(), bytes));
    }
    Ok(match nodes {
        Some(nodes) => index::Index::open_paged(spec, &image, rows, Arc::new(nodes))?,
        None => index::Index::open(spec, image, rows)?,
    })
}

/// The bytes of the index file `name` that memory is taken for: all but what is read in pages.
pub(crate) fn kept_bytes(spec: &IndexSpec, blobs: &Blobs, name: &str) -> Result<u64, Error> {
    let paged = paged_section(spec);
    let reader = open_file(blobs, name)?;
    Ok(reader.sections().filter(|section| Some(section.name) != paged).map(|section| section.length).sum())
}

/// The section of an index's file that is read in pages, if its kind has one.
pub(crate) fn paged_section(spec: &IndexSpec) -> Option<&'static str> {
    match spec {
        IndexSpec::Vector(spec) => spec.paged_section(),
        IndexSpec::Items(items) => items.spec.paged_section(),
        IndexSpec::Scalar(_) => None,
    }
}

/// Before what is read in pages.
const GAP: &str = "gap";

/// The pages of a section.
#[derive(Debug)]
struct Nodes {
    file: Box<dyn Pieces>,
    offset: u64,
    pages: u64,
}

impl index::Pages for Nodes {
    fn count(&self) -> u64 {
        self.pages
    }

    fn read(&self, first: &[u64], into: &mut [u8]) -> io::Result<()> {
        let place = |page: &u64| self.offset + page * index::PAGE_BYTES as u64;
        let places: Vec<u64> = first.iter().map(place).collect();
        self.file.read(&places, into)
    }

    fn announce(&self, first: &[u64], each: usize) {
        let place = |page: &u64| self.offset + page * index::PAGE_BYTES as u64;
        let places: Vec<u64> = first.iter().map(place).collect();
        self.file.announce(&places, each * index::PAGE_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::{Field, Lists, Schema, Struct, Type, Values};

    #[test]
    fn lists_of_vectors_are_charged_for_all_their_vectors() {
        let pool = Pool::inline();
        let name = Struct::field_name("parts", "lists");
        let field = Field { dim: 8, ..Field::new(&name, Type::Array).with_elements(Type::FloatVector, 25) };
        let params = [("index_type", "HNSW"), ("metric_type", "MAX_SIM_L2"), ("M", "16")];
        let params = params.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let items = IndexSpec::parse(&field, &Schema::default(), &params).unwrap();
        let values = vec![1.0; 8 * 1000];
        let offsets: Vec<i64> = (0..=40).map(|list| 25 * list).collect();
        let lists = Lists::new(offsets.into(), Column::from_vectors(8, values.clone()).unwrap()).unwrap();
        let column = Column::new(Values::Array(lists), None).unwrap();
        let params = params.map(|(key, value)| (key, value.replace("MAX_SIM_", "")));
        let spec = index::Spec::parse(index::Element::F32, 8, &params).unwrap();
        let vectors = index::Vectors::F32 { dim: 8, values: &values };
        let said = build_bytes(&items, &column, &pool).unwrap();
        assert_eq!(said, spec.build_bytes(vectors, 1));
        assert!(said.whole > 1000 * 8 * 4);
    }
}
