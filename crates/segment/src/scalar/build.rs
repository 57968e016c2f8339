//! From a column to the file of an index. Invariant: every row that has a value is in the file under its value, or said to
//! be unknown.

use super::ngram::Grams;
use super::paths;
use super::postings;
use super::rtree;
use super::sorted::{Of, Pairs, order_of};
use super::spec::{Cast, Over, ScalarKind, ScalarSpec};
use super::{BodyHead, Class, HEAD, Head, KIND, PART, VERSION};
use crate::Error;
use crate::files::SectionWriter;
use data::{Column, Values, VarLen};
use host::{Cancel, Progress};
use store::Blobs;

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
        (Over::Values(Class::Shape), Values::Geometry(shapes)) => {
            let is_valid = |row: usize| column.is_valid(row);
            BodyHead::Boxes(rtree::write_tree(shapes, &is_valid, PART, &mut file)?)
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
