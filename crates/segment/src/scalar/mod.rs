//! Indexes on scalar fields: from a leaf of a filter to the rows that pass it, without a look at the column.
//!
//! Few structures serve many names. STL_SORT, Trie, INVERTED and BITMAP are one: the distinct values in order, each with
//! its rows as a list or, where that is smaller, as bits (`sorted`, `postings`). On JSON there is one of them for each
//! kind of value at a path (`paths`), for NGRAM one over runs of characters (`ngram`). Invariant: an answer is what the
//! column would have said; where an index cannot know, it says which rows to ask.

mod build;
mod ngram;
mod paths;
mod postings;
mod rtree;
mod sorted;
mod source;
mod spec;

pub use build::build_scalar;
pub use source::Need;
pub use spec::{ScalarError, ScalarKind, ScalarSpec};

use crate::Error;
use crate::files::Opened;
use data::{FieldId, Type};
use filter::{Answer, Probe, Question};
use ngram::Ngram;
use paths::{Path, PathHead};
use rtree::{Rtree, TreeHead};
use serde::{Deserialize, Serialize};
use simd::Bits;
use sorted::{Of, Sorted};
use spec::Over;
use store::Blobs;

/// What marks the file of a scalar index.
const KIND: [u8; 8] = *b"scalar\0\0";
const VERSION: u32 = 1;
const HEAD: &str = "head";
const PART: &str = "values";

/// What kind of values a field holds, as far as indexes tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Bool,
    Int,
    Float,
    Text,
    Time,
    Shape,
}

impl Class {
    /// The class of a type that can be indexed as it is.
    fn of(data_type: Type) -> Option<Self> {
        Some(match data_type {
            Type::Bool => Self::Bool,
            Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 => Self::Int,
            Type::Float | Type::Double => Self::Float,
            Type::VarChar => Self::Text,
            Type::Timestamptz => Self::Time,
            Type::Geometry => Self::Shape,
            _ => return None,
        })
    }
}

/// What a file says of itself; JSON in section `head`.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    field: FieldId,
    rows: u32,
    /// Whether there is a section of validity bits.
    #[serde(default)]
    has_nulls: bool,
    body: BodyHead,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BodyHead {
    /// The distinct values. `is_total`: every row that has a value is in exactly one list.
    Values { of: Of, distinct: usize, is_total: bool },
    /// JSON at some paths.
    Paths(Vec<PathHead>),
    /// Runs of characters.
    Grams { least: usize, most: usize, distinct: usize },
    /// Rectangles around shapes.
    Boxes(TreeHead),
}

#[derive(Debug)]
enum Body {
    Values {
        sorted: Sorted,
        is_total: bool,
        class: Class,
    },
    /// Each list's elements.
    Elements {
        sorted: Sorted,
        class: Class,
    },
    Paths(Vec<Path>),
    Grams(Ngram),
    Boxes(Rtree),
}

/// An index on a scalar field, over all rows of a sealed segment; it lies in a mapped file.
#[derive(Debug)]
pub struct ScalarIndex {
    spec: ScalarSpec,
    rows: usize,
    bytes: usize,
    known: Option<Bits>,
    body: Body,
}

impl ScalarIndex {
    /// Opens file `name`, which [`build_scalar`] has written for `spec` over `rows` rows.
    ///
    /// # Errors
    /// [`Error::Store`] when there is no such file; [`Error::Damaged`] when it is not what was written, or was written
    /// for something else.
    pub fn open(spec: &ScalarSpec, blobs: &Blobs, name: &str, rows: usize) -> Result<Self, Error> {
        let file = Opened::open(blobs, name, KIND)?;
        let text = file.checked(HEAD)?;
        let head: Head =
            serde_json::from_slice(&text).map_err(|error| file.damaged(HEAD, &error.to_string()))?;
        if head.field != spec.field || head.rows as usize != rows {
            let what =
                format!("it is for {} rows of field {}, not {rows} of {}", head.rows, head.field, spec.field);
            return Err(file.damaged(HEAD, &what));
        }
        let known = if head.has_nulls {
            let words = file.numbers::<u64>("valid/bits", rows.div_ceil(64))?;
            Some(Bits::from_words(rows, words.to_vec()))
        } else {
            None
        };
        let body = match head.body {
            BodyHead::Values { of, distinct, is_total } => {
                let sorted = Sorted::open(&file, PART, of, distinct, rows)?;
                match spec.over {
                    Over::Values(class) => Body::Values { sorted, is_total, class },
                    Over::Elements(class) => Body::Elements { sorted, class },
                    Over::Json { .. } => return Err(file.damaged(HEAD, "it is not for JSON")),
                }
            }
            BodyHead::Paths(heads) => {
                let open = |(number, head): (usize, &PathHead)| {
                    Path::open(&file, &format!("{PART}/{number}"), head, rows)
                };
                Body::Paths(heads.iter().enumerate().map(open).collect::<Result<_, _>>()?)
            }
            BodyHead::Grams { least, most, distinct } => {
                Body::Grams(Ngram::open(&file, PART, (least, most), distinct, rows)?)
            }
            BodyHead::Boxes(head) => Body::Boxes(Rtree::open(&file, PART, head, rows)?),
        };
        Ok(Self { spec: spec.clone(), rows, bytes: file.bytes(), known, body })
    }

    /// The field it is on.
    pub fn field(&self) -> FieldId {
        self.spec.field
    }

    /// What it was built for.
    pub fn spec(&self) -> &ScalarSpec {
        &self.spec
    }

    /// The size of its file, all of which is mapped.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was built, as names and values: AUTOINDEX is resolved, and the structure is named.
    pub fn effective(&self) -> Vec<(String, String)> {
        let (structure, distinct) = match &self.body {
            Body::Values { sorted, .. } => ("sorted values with their rows", sorted.len()),
            Body::Elements { sorted, .. } => ("sorted elements with their rows", sorted.len()),
            Body::Paths(paths) => {
                ("sorted values with their rows, by kind", paths.iter().map(Path::distinct).sum())
            }
            Body::Grams(ngram) => ("runs of characters with their rows", ngram.len()),
            Body::Boxes(tree) => ("rectangles in a tree", tree.len()),
        };
        let mut pairs = self.spec.effective(Some(distinct));
        pairs.push(("structure".to_owned(), structure.to_owned()));
        pairs
    }

    /// The rows that pass the test of `probe`; `None` when the index does not know, or the column is cheaper to ask.
    pub fn answer(&self, probe: &Probe<'_>) -> Option<Answer> {
        self.ask(probe, probe.column_cost())
    }

    /// The same whatever it costs: `None` only when the index does not know. For tests and measurements.
    pub fn insist(&self, probe: &Probe<'_>) -> Option<Answer> {
        self.ask(probe, usize::MAX)
    }

    fn ask(&self, probe: &Probe<'_>, column_cost: usize) -> Option<Answer> {
        let is_of_elements = matches!(self.body, Body::Elements { .. });
        if probe.field() != self.spec.field || probe.is_of_elements() != is_of_elements {
            return None;
        }
        if column_cost < postings::bits_cost(self.rows) {
            return None;
        }
        let answer = match &self.body {
            Body::Values { sorted, is_total, class } if probe.path().is_empty() => {
                let yes = self.among(sorted, probe, (*is_total, *class), column_cost)?;
                Answer { yes, maybe: None, known: None }
            }
            Body::Elements { sorted, class } => Answer {
                yes: self.among(sorted, probe, (false, *class), column_cost)?,
                maybe: None,
                known: None,
            },
            Body::Values { .. } => return None,
            Body::Paths(paths) => {
                paths.iter().find(|path| path.path == probe.path())?.answer(probe, column_cost)?
            }
            Body::Grams(ngram) => {
                if self.spec.path() != probe.path() {
                    return None;
                }
                let maybe = ngram.candidates(probe, self.rows, column_cost)?;
                Answer { yes: Bits::zeros(self.rows), maybe: Some(maybe), known: None }
            }
            Body::Boxes(tree) => {
                let rectangle = match probe.question() {
                    Question::Near(rectangle) => rectangle,
                    Question::Around(rectangle) if tree.is_on_globe() => rectangle,
                    _ => return None,
                };
                let maybe = tree.candidates(&rectangle);
                Answer { yes: Bits::zeros(self.rows), maybe: Some(maybe), known: None }
            }
        };
        Some(Answer { known: self.known.clone(), ..answer })
    }

    fn among(
        &self,
        sorted: &Sorted,
        probe: &Probe<'_>,
        (is_total, class): (bool, Class),
        column_cost: usize,
    ) -> Option<Bits> {
        let ranges = sorted.passing(probe, &probe.question(), class, column_cost)?;
        let postings = &sorted.postings;
        let cost = postings.cost(&ranges);
        if is_total && ranges.len() <= 1 {
            // The rows of all other values, turned around, may be fewer.
            let range = ranges.first().cloned().unwrap_or(0..0);
            let others = [0..range.start, range.end..sorted.len()];
            let others_cost = postings.cost(&others);
            if others_cost < cost && others_cost < column_cost {
                let mut yes = postings.union(&others);
                yes.not();
                return Some(yes);
            }
        }
        (cost < column_cost).then(|| postings.union(&ranges))
    }
}
