//! Indexes on scalar fields: from a leaf of a filter to the rows that pass it, without a look at the column.
//!
//! Few structures serve many names. STL_SORT, Trie, INVERTED and BITMAP are one: the distinct values in order, each with
//! its rows as a list or, where that is smaller, as bits (`sorted`, `postings`). On JSON there is one of them for each
//! kind of value at a path (`paths`), for NGRAM one over runs of characters (`ngram`). Invariant: an answer is what the
//! column would have said; where an index cannot know, it says which rows to ask.

mod ngram;
mod paths;
mod postings;
mod sorted;
mod spec;

pub use spec::{ScalarError, ScalarKind, ScalarSpec};

use crate::Error;
use crate::files::{Opened, SectionWriter};
use data::{Column, FieldId, Type, Values, VarLen};
use filter::{Answer, Probe, Question};
use host::{Cancel, Progress};
use ngram::{Grams, Ngram};
use paths::{Path, PathHead};
use serde::{Deserialize, Serialize};
use simd::Bits;
use sorted::{Of, Pairs, Sorted, order_of};
use spec::{Cast, Over};
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
}

/// Builds the index that `spec` asks for over all rows of `column`, and writes it as file `name`; its size in bytes.
///
/// # Errors
/// [`Error::Shape`] when the column is not of the type the specification was made for; [`Error::Store`];
/// [`Error::Cancelled`].
pub fn build_scalar(
    spec: &ScalarSpec,
    column: &Column,
    blobs: &Blobs,
    name: &str,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<u64, Error> {
    let rows = column.len();
    let mut file = SectionWriter::create_kind(blobs, name, KIND, VERSION)?;
    let validity = column.validity().filter(|validity| validity.null_count() > 0);
    if let Some(validity) = validity {
        let words: Vec<u64> = validity.inner().bit_chunks().iter_padded().take(rows.div_ceil(64)).collect();
        postings::write_numbers(&mut file, "valid", "bits", &words)?;
    }
    let body = match (&spec.over, column.values()) {
        (Over::Json { path, cast }, Values::Json(documents)) => {
            write_json(spec, documents, column, (path, *cast), &mut file, cancel)?
        }
        (Over::Values(_), Values::Text(texts)) if spec.kind() == ScalarKind::Ngram => {
            let texts = (0..rows).filter(|row| column.is_valid(*row)).map(|row| (texts.text(row), row));
            write_grams(texts, spec, rows, &mut file, cancel)?
        }
        (Over::Values(_) | Over::Elements(_), _) => {
            let (of, pairs, is_total) = pairs_of(column).ok_or_else(|| unfit(column))?;
            cancel.check()?;
            BodyHead::Values { of, distinct: pairs.write(PART, rows, &mut file)?, is_total }
        }
        _ => return Err(unfit(column)),
    };
    cancel.check()?;
    progress.add(rows as u64);
    let head = Head { field: spec.field, rows: rows as u32, has_nulls: validity.is_some(), body };
    let text = serde_json::to_vec(&head).map_err(|error| Error::Shape(error.to_string()))?;
    file.whole(HEAD, &text)?;
    file.finish()
}

fn unfit(column: &Column) -> Error {
    Error::Shape(format!("an index for another type than {:?}", column.data_type()))
}

/// The values with their rows, and whether none was left out.
fn pairs_of(column: &Column) -> Option<(Of, Pairs<'_>, bool)> {
    fn ints<T: Copy + Into<i64>>(values: &[T], column: &Column) -> (Of, Pairs<'static>, bool) {
        let present = (0_u32..).zip(values).filter(|(row, _)| column.is_valid(*row as usize));
        (Of::Ints, Pairs::Ints(present.map(|(row, value)| ((*value).into(), row)).collect()), true)
    }
    fn floats<T: Copy + Into<f64>>(values: &[T], column: &Column) -> (Of, Pairs<'static>, bool) {
        let present = (0_u32..).zip(values).filter(|(row, _)| column.is_valid(*row as usize));
        let pairs = present.filter_map(|(row, value)| Some((order_of((*value).into())?, row)));
        let pairs: Vec<_> = pairs.collect();
        let is_total = pairs.len() == column.len() - column.null_count();
        (Of::Floats, Pairs::Floats(pairs), is_total)
    }
    let present = || (0..column.len()).filter(|row| column.is_valid(*row));
    Some(match column.values() {
        Values::Bool(values) => {
            let pairs = present().map(|row| (i64::from(values.value(row)), row as u32));
            (Of::Ints, Pairs::Ints(pairs.collect()), true)
        }
        Values::Int8(values) => ints(values, column),
        Values::Int16(values) => ints(values, column),
        Values::Int32(values) => ints(values, column),
        Values::Int64(values) => ints(values, column),
        Values::Float(values) => floats(values, column),
        Values::Double(values) => floats(values, column),
        Values::Text(texts) => {
            let pairs = present().map(|row| (texts.get(row), row as u32));
            (Of::Texts, Pairs::Texts(pairs.collect()), true)
        }
        Values::Timestamptz(values) => ints(values, column),
        Values::Array(lists) => (of_items(lists.items())?, element_pairs(column, lists)?, false),
        _ => return None,
    })
}

fn of_items(items: &Column) -> Option<Of> {
    Some(match Class::of(items.data_type())? {
        Class::Bool | Class::Int | Class::Time => Of::Ints,
        Class::Float => Of::Floats,
        Class::Text => Of::Texts,
        Class::Shape => return None,
    })
}

/// The elements of lists with the rows of their lists.
fn element_pairs<'a>(column: &Column, lists: &'a data::Lists) -> Option<Pairs<'a>> {
    let rows = (0..column.len()).filter(|row| column.is_valid(*row));
    // For each element its place among the items and its row.
    let places = rows.flat_map(|row| lists.range(row).map(move |place| (place, row as u32)));
    let ints = |value: &dyn Fn(usize) -> i64, places: &mut dyn Iterator<Item = (usize, u32)>| {
        Pairs::Ints(places.map(|(place, row)| (value(place), row)).collect())
    };
    let floats = |value: &dyn Fn(usize) -> f64, places: &mut dyn Iterator<Item = (usize, u32)>| {
        Pairs::Floats(places.filter_map(|(place, row)| Some((order_of(value(place))?, row))).collect())
    };
    let mut places = places;
    Some(match lists.items().values() {
        Values::Bool(items) => ints(&|place| i64::from(items.value(place)), &mut places),
        Values::Int8(items) => ints(&|place| items[place].into(), &mut places),
        Values::Int16(items) => ints(&|place| items[place].into(), &mut places),
        Values::Int32(items) => ints(&|place| items[place].into(), &mut places),
        Values::Int64(items) | Values::Timestamptz(items) => ints(&|place| items[place], &mut places),
        Values::Float(items) => floats(&|place| items[place].into(), &mut places),
        Values::Double(items) => floats(&|place| items[place], &mut places),
        Values::Text(items) => Pairs::Texts(places.map(|(place, row)| (items.get(place), row)).collect()),
        _ => return None,
    })
}

fn write_grams<T: AsRef<str>>(
    texts: impl Iterator<Item = (T, usize)>,
    spec: &ScalarSpec,
    rows: usize,
    file: &mut SectionWriter,
    cancel: &Cancel,
) -> Result<BodyHead, Error> {
    const ROWS_BETWEEN_CHECKS: usize = 4096;
    let mut grams = Grams::new(spec.grams);
    for (text, row) in texts {
        if row % ROWS_BETWEEN_CHECKS == 0 {
            cancel.check()?;
        }
        grams.add(text.as_ref(), row as u32);
    }
    let (least, most) = spec.grams;
    Ok(BodyHead::Grams { least, most, distinct: grams.write(PART, rows, file)? })
}

fn write_json(
    spec: &ScalarSpec,
    documents: &VarLen,
    column: &Column,
    (path, cast): (&[String], Cast),
    file: &mut SectionWriter,
    cancel: &Cancel,
) -> Result<BodyHead, Error> {
    let is_valid = |row: usize| column.is_valid(row);
    if spec.kind() == ScalarKind::Ngram {
        let texts =
            (0..column.len()).filter(|row| is_valid(*row)).filter_map(|row| {
                match filter::Json::new(documents.get(row)).at(path)?.kind()? {
                    filter::JsonKind::Text(text) => Some((String::from_utf8(text.into_owned()).ok()?, row)),
                    _ => None,
                }
            });
        return write_grams(texts, spec, column.len(), file, cancel);
    }
    let below =
        if cast == Cast::Json { paths::paths_below(documents, &is_valid, path) } else { vec![path.to_vec()] };
    let mut heads = Vec::with_capacity(below.len());
    for (path, number) in below.iter().zip(0_usize..) {
        cancel.check()?;
        heads.push(paths::write_path(documents, &is_valid, (path, cast), &format!("{PART}/{number}"), file)?);
    }
    Ok(BodyHead::Paths(heads))
}

#[derive(Debug)]
enum Body {
    Values {
        sorted: Sorted,
        is_total: bool,
        is_bool: bool,
    },
    /// Each list's elements.
    Elements(Sorted),
    Paths(Vec<Path>),
    Grams(Ngram),
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
            BodyHead::Values { of, distinct, .. } if matches!(spec.over, Over::Elements(_)) => {
                Body::Elements(Sorted::open(&file, PART, of, distinct, rows)?)
            }
            BodyHead::Values { of, distinct, is_total } => Body::Values {
                sorted: Sorted::open(&file, PART, of, distinct, rows)?,
                is_total,
                is_bool: spec.over == Over::Values(Class::Bool),
            },
            BodyHead::Paths(heads) => {
                let open = |(number, head): (usize, &PathHead)| {
                    Path::open(&file, &format!("{PART}/{number}"), head, rows)
                };
                Body::Paths(heads.iter().enumerate().map(open).collect::<Result<_, _>>()?)
            }
            BodyHead::Grams { least, most, distinct } => {
                Body::Grams(Ngram::open(&file, PART, (least, most), distinct, rows)?)
            }
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
            Body::Elements(sorted) => ("sorted elements with their rows", sorted.len()),
            Body::Paths(paths) => {
                ("sorted values with their rows, by kind", paths.iter().map(Path::distinct).sum())
            }
            Body::Grams(ngram) => ("runs of characters with their rows", ngram.len()),
        };
        let mut pairs = self.spec.effective(Some(distinct));
        pairs.push(("structure".to_owned(), structure.to_owned()));
        pairs
    }

    /// The rows that pass the test of `probe`; `None` when the index does not know, or the column is cheaper to ask.
    pub fn answer(&self, probe: &Probe<'_>) -> Option<Answer> {
        if probe.field() != self.spec.field {
            return None;
        }
        let answer = match &self.body {
            Body::Values { sorted, is_total, is_bool } if probe.path().is_empty() => {
                let yes = self.among(sorted, probe, (*is_total, *is_bool))?;
                Answer { yes, maybe: None, known: None }
            }
            Body::Elements(sorted) => {
                Answer { yes: holding(sorted, &probe.question())?, maybe: None, known: None }
            }
            Body::Values { .. } => return None,
            Body::Paths(paths) => {
                paths.iter().find(|path| path.path == probe.path())?.answer(&probe.question())?
            }
            Body::Grams(ngram) => {
                if self.spec.path() != probe.path() {
                    return None;
                }
                let maybe = ngram.candidates(&probe.question(), self.rows)?;
                Answer { yes: Bits::zeros(self.rows), maybe: Some(maybe), known: None }
            }
        };
        Some(Answer { known: self.known.clone(), ..answer })
    }

    fn among(&self, sorted: &Sorted, probe: &Probe<'_>, (is_total, is_bool): (bool, bool)) -> Option<Bits> {
        let column_cost = self.rows * probe.row_cost() as usize;
        let question = probe.question();
        let ranges = match sorted.places(&question) {
            Some(ranges) => ranges,
            None => {
                // Each distinct value is asked once instead of each row.
                let candidates = sorted.candidates(&question);
                if candidates.len() * probe.row_cost() as usize > column_cost / 2 {
                    return None;
                }
                sorted.tested(probe, candidates, is_bool)?
            }
        };
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

/// The rows whose lists hold all or any of some elements.
fn holding(sorted: &Sorted, question: &Question<'_>) -> Option<Bits> {
    let Question::Contains(all, values) = question else { return None };
    let rows_of = |value: &serde_json::Value| {
        let place = sorted.place_of_json(value)?.map(|place| place..place + 1);
        Some(sorted.postings.union(place.as_slice()))
    };
    let mut rows = rows_of(values.first()?)?;
    for value in &values[1..] {
        let more = rows_of(value)?;
        if *all { rows.and(&more) } else { rows.or(&more) }
    }
    Some(rows)
}
