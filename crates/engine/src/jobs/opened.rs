//! The file of an index, of either kind: written, opened, attached to its segment and taken off again.

use crate::catalog::{Index, IndexSpec};
use crate::{Error, ErrorKind};
use bytes::Bytes;
use data::{Column, FieldId, IndexId};
use host::{Cancel, Pool, Progress};
use segment::{ScalarIndex, Sealed};
use std::sync::Arc;
use store::{Blobs, file};

/// What kind of file an index on vectors is, and its version.
const KIND: [u8; 8] = *b"ELINDEX\0";
const VERSION: u32 = 1;
/// The same rows and parameters make the same index.
const SEED: u64 = 42;

/// An open index; its file stays mapped.
#[derive(Debug, Clone)]
pub(crate) enum Opened {
    /// On vectors.
    Vector(Arc<index::Index>),
    /// On anything else.
    Scalar(Arc<ScalarIndex>),
}

/// Builds what `spec` asks for over all rows of `column` and writes it as `file`; its size in bytes.
pub(crate) fn build(
    spec: &IndexSpec,
    column: &Column,
    (blobs, file): (&Blobs, &str),
    pool: &Pool,
    (cancel, progress): (&Cancel, &Progress),
) -> Result<u64, Error> {
    match spec {
        IndexSpec::Vector(spec) => {
            let vectors =
                segment::vectors_of(column).ok_or_else(|| Error::internal("an index on no vectors"))?;
            let image = index::build(spec, vectors, SEED, pool, cancel, progress)?;
            write_image(blobs, file, &image)
        }
        IndexSpec::Items(items) => {
            let lists = segment::items_of(column);
            let lists = lists.ok_or_else(|| Error::internal("an index on no lists of vectors"))?;
            let vectors = segment::vectors_of(lists.items());
            let vectors = vectors.ok_or_else(|| Error::internal("an index on no vectors"))?;
            let image = index::build(&items.spec, vectors, SEED, pool, cancel, progress)?;
            write_image(blobs, file, &image)
        }
        IndexSpec::Scalar(spec) => Ok(segment::build_scalar(spec, column, blobs, file, cancel, progress)?),
    }
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
                let image = read_image(blobs, file)?;
                Self::Vector(Arc::new(index::Index::open(&items.spec, image, count)?))
            }
            IndexSpec::Vector(spec) => {
                let image = read_image(blobs, file)?;
                Self::Vector(Arc::new(index::Index::open(spec, image, rows)?))
            }
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

fn write_image(blobs: &Blobs, name: &str, image: &index::Image) -> Result<u64, Error> {
    let mut writer = file::Writer::new(blobs.create(name)?, KIND, VERSION)?;
    for (section, bytes) in &image.sections {
        writer.section(section, std::slice::from_ref(bytes))?;
    }
    Ok(writer.finish()?)
}

fn read_image(blobs: &Blobs, name: &str) -> Result<index::Image, Error> {
    let reader = file::Reader::open_blob(blobs, name)?;
    if reader.kind() != KIND || reader.version() != VERSION {
        let text = format!("{name} is no index file of version {VERSION}");
        return Err(Error::new(ErrorKind::Corrupt, text));
    }
    let mut sections: Vec<(String, Bytes)> = Vec::new();
    for section in reader.sections() {
        let bytes = reader.section(section.name)?.unwrap_or_default();
        sections.push((section.name.to_owned(), bytes));
    }
    Ok(index::Image { sections })
}
