//! The sections of an index at rest. Invariant: what [`Head::read`] accepts was written for this specification and
//! this many rows; numbers are little-endian.

use std::ops::Deref;

use bytemuck::{AnyBitPattern, NoUninit};
use bytes::Bytes;

use crate::spec::Shape;
use crate::{Element, Error, Metric, Spec};

/// An index as named sections, to be put into a file and read back from one. Sections of a mapped file should start
/// at multiples of 64 bytes; others are copied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Image {
    /// Name and content of each section.
    pub sections: Vec<(String, Bytes)>,
}

impl Image {
    /// Bytes in all sections.
    pub fn bytes(&self) -> u64 {
        self.sections.iter().map(|(_, content)| content.len() as u64).sum()
    }

    /// The section `name`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is missing.
    pub(crate) fn section(&self, name: &'static str) -> Result<Bytes, Error> {
        let found = self.sections.iter().find(|(key, _)| key == name);
        found.map(|(_, content)| content.clone()).ok_or(Error::Corrupt { what: name })
    }

    /// Whether there is a section `name`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.sections.iter().any(|(key, _)| key == name)
    }

    /// The section `name` as exactly `len` numbers.
    pub(crate) fn array<T: Number>(&self, name: &'static str, len: usize) -> Result<Array<T>, Error> {
        let array = Array::read(self.section(name)?, name)?;
        if array.len() == len { Ok(array) } else { Err(Error::Corrupt { what: name }) }
    }

    /// The section `name` as however many numbers it has.
    pub(crate) fn list<T: Number>(&self, name: &'static str) -> Result<Array<T>, Error> {
        Array::read(self.section(name)?, name)
    }

    pub(crate) fn push<T: Number>(&mut self, name: &str, numbers: Vec<T>) {
        self.sections.push((name.to_owned(), Bytes::from_owner(Owned(numbers))));
    }
}

/// A plain number that a section is made of.
pub(crate) trait Number: AnyBitPattern + NoUninit + Send + Sync {}
impl<T: AnyBitPattern + NoUninit + Send + Sync> Number for T {}

struct Owned<T>(Vec<T>);

impl<T: Number> AsRef<[u8]> for Owned<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// The numbers of a section: in place if it is aligned, else a copy.
#[derive(Debug, Clone)]
pub(crate) enum Array<T> {
    Placed(Bytes),
    Copied(Vec<T>),
}

impl<T: Number> Array<T> {
    fn read(bytes: Bytes, what: &'static str) -> Result<Self, Error> {
        match bytemuck::try_cast_slice::<u8, T>(&bytes) {
            Ok(_) => Ok(Self::Placed(bytes)),
            Err(bytemuck::PodCastError::TargetAlignmentGreaterAndInputNotAligned) => {
                let len = bytes.len() / size_of::<T>();
                let mut numbers = vec![T::zeroed(); len];
                if len * size_of::<T>() != bytes.len() {
                    return Err(Error::Corrupt { what });
                }
                bytemuck::cast_slice_mut::<T, u8>(&mut numbers).copy_from_slice(&bytes);
                Ok(Self::Copied(numbers))
            }
            Err(_) => Err(Error::Corrupt { what }),
        }
    }
}

impl<T: Number> Array<T> {
    /// The same in memory of its own.
    pub(crate) fn copied(&self) -> Self {
        Self::Copied(self.to_vec())
    }

    /// The numbers by themselves.
    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::Placed(_) => self.to_vec(),
            Self::Copied(numbers) => numbers,
        }
    }
}

impl<T: Number> Deref for Array<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Placed(bytes) => bytemuck::cast_slice(bytes),
            Self::Copied(numbers) => numbers,
        }
    }
}

/// The section that says what the others are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(crate) struct Head {
    magic: [u8; 4],
    version: u32,
    /// The built kind's name, filled up with zeros.
    name: [u8; 32],
    element: u32,
    metric: [u8; 12],
    dim: u64,
    rows: u64,
}

const MAGIC: [u8; 4] = *b"eIDX";
/// The version of a graph, perhaps with lists beside it; that of outlines, folds, planes and rows coded twice; and that of all else. Older
/// ones are read for ever.
const VERSION_GRAPH: u32 = VERSION_NARROW;
/// The version since which counts of words have codes.
const VERSION_COUNTS: u32 = 8;
/// The version since which row numbers of a graph have no more bits than they need, and blocks a byte a factor.
pub(crate) const VERSION_NARROW: u32 = 8;
/// The version since which codes of sparse rows stand in the order of what they say.
pub(crate) const VERSION_RANKED: u32 = 7;
/// The version since which a graph without blocks takes no more room than it must either: as many numbers of a row as it has links, and codes
/// of the elements alone in which rows differ.
pub(crate) const VERSION_LEAN: u32 = 6;
/// The version since which blocks and byte rows of graphs with blocks take no more room than they must.
pub(crate) const VERSION_TIGHT: u32 = 5;
/// The version of a graph on disk, which since then may have lists of rows beside it, and plans of its own for AISAQ.
pub(crate) const VERSION_DISK_LISTS: u32 = 4;
/// The version since which lists beside a graph have their rows by themselves, too.
pub(crate) const VERSION_LIST_ROWS: u32 = 4;
const VERSION_SECOND: u32 = 2;
const VERSION: u32 = 1;

impl Head {
    fn of(spec: &Spec, rows: usize) -> Self {
        let element = match spec.element() {
            Element::F32 => 1,
            Element::Bits => 2,
            Element::F16 => 3,
            Element::Bf16 => 4,
            Element::I8 => 5,
            Element::Sparse => 6,
        };
        Self {
            magic: MAGIC,
            version: if spec.shape() == Shape::Graph {
                VERSION_GRAPH
            } else if spec.shape() == Shape::Disk {
                VERSION_DISK_LISTS
            } else if spec.shape() == Shape::Inverted {
                if spec.metric() == Metric::Bm25 { VERSION_COUNTS } else { VERSION_RANKED }
            } else if spec.is_outlined() || spec.is_folded() || spec.is_planed() || spec.may_be_coded_twice()
            {
                VERSION_SECOND
            } else {
                VERSION
            },
            name: filled(spec.built_name()),
            element,
            metric: filled(spec.metric().name()),
            dim: spec.dim() as u64,
            rows: rows as u64,
        }
    }

    pub(crate) fn write(spec: &Spec, rows: usize, image: &mut Image) {
        image.push("head", vec![Self::of(spec, rows)]);
    }

    /// The version of an image, of which [`Head::read`] says whether it is one.
    pub(crate) fn version(image: &Image) -> Result<u32, Error> {
        Ok(image.array::<Self>("head", 1)?[0].version)
    }

    /// Checks that the image is one of `spec` for `rows` rows.
    pub(crate) fn read(spec: &Spec, rows: usize, image: &Image) -> Result<(), Error> {
        let head = image.array::<Self>("head", 1)?[0];
        let mut want = Self::of(spec, rows);
        want.version = head.version.clamp(VERSION, want.version);
        let corrupt = |what| Err(Error::Corrupt { what });
        match head {
            _ if head.magic != want.magic => corrupt("magic"),
            _ if head.version != want.version => corrupt("version"),
            _ if head.rows != want.rows => corrupt("number of rows"),
            _ if head != want => corrupt("kind, metric or dimension"),
            _ => Ok(()),
        }
    }
}

fn filled<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    bytes
}
