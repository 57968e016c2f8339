//! From a column to the file of an index. Invariant: every row that has a value is in the file under its value, or said to
//! be unknown.

use super::ngram::Grams;
use super::paths;
use super::postings;
use super::rtree;
use super::sorted::{Of, Pairs, Texts, order_of};
use super::source::{Meter, Need, Source};
use super::spec::{Cast, Over, ScalarKind, ScalarSpec};
use super::{BodyHead, Class, HEAD, Head, KIND, PART, VERSION};
use crate::files::SectionWriter;
use crate::{Error, Sealed};
use data::{Column, Type, Values};
use host::{Cancel, Progress};
use store::Blobs;

/// A value or an element with its row, while they are sorted and written.
const PAIR_BYTES: usize = 32;
/// A rectangle with its row, likewise.
const BOX_BYTES: usize = 96;

/// Builds the index that `spec` asks for over all rows of `sealed`, and writes it as file `name`; its size in bytes. Before
/// more memory is used, `need` is asked for it. A compressed column is read block by block.
///
/// # Errors
/// [`Error::Shape`] when the field is not of the type the specification was made for; [`Error::Memory`];
/// [`Error::Store`]; [`Error::Cancelled`].
pub fn build_scalar(
    spec: &ScalarSpec,
    sealed: &Sealed,
    (blobs, name): (&Blobs, &str),
    need: &mut Need<'_>,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<u64, Error> {
    let (slots, rows) = (sealed.slots(), sealed.rows());
    let source = Source::open(&slots, (sealed.id(), spec.field), rows, cancel)?;
    let mut meter = Meter::new(need);
    let mut file = SectionWriter::create_kind(blobs, name, KIND, VERSION)?;
    let present = source.present()?;
    if let Some(words) = &present {
        postings::write_numbers(&mut file, "valid", "bits", words)?;
    }
    let body = write_body(spec, &source, &mut file, &mut meter)?;
    cancel.check()?;
    progress.add(rows as u64);
    let head = Head { field: spec.field, rows: rows as u32, has_nulls: present.is_some(), body };
    let text = serde_json::to_vec(&head).map_err(|error| Error::Shape(error.to_string()))?;
    file.whole(HEAD, &text)?;
    file.finish()
}

fn write_body(
    spec: &ScalarSpec,
    source: &Source<'_>,
    file: &mut SectionWriter,
    meter: &mut Meter<'_, '_>,
) -> Result<BodyHead, Error> {
    match (&spec.over, source.whole().map(Column::values)) {
        (Over::Json { path, cast }, None | Some(Values::Json(_))) => {
            write_json(spec, source, (path, *cast), file, meter)
        }
        (Over::Values(Class::Shape), Some(Values::Geometry(shapes))) => {
            meter.hold(source.rows() * BOX_BYTES)?;
            let is_valid = |row: usize| source.whole().is_some_and(|column| column.is_valid(row));
            Ok(BodyHead::Boxes(rtree::write_tree(shapes, &is_valid, PART, file)?))
        }
        (Over::Values(_), None | Some(Values::Text(_))) if spec.kind() == ScalarKind::Ngram => {
            write_grams(spec, source, file, meter, &mut |column, row, grams| {
                if let Values::Text(texts) = column.values() {
                    grams(texts.text(row));
                }
            })
        }
        (Over::Values(_) | Over::Elements(_), whole) => {
            let (of, pairs, is_total) = match (source.whole(), whole) {
                (Some(column), Some(Values::Array(lists))) => {
                    meter.hold(lists.items().len() * PAIR_BYTES)?;
                    pairs_of(column).ok_or_else(|| unfit(column.data_type()))?
                }
                (Some(column), _) => {
                    meter.hold(column.len() * PAIR_BYTES)?;
                    pairs_of(column).ok_or_else(|| unfit(column.data_type()))?
                }
                (None, _) => (Of::Texts, Pairs::Passing(passing_texts(source, meter)?), true),
            };
            let distinct = pairs.write(PART, source.rows(), file)?;
            Ok(BodyHead::Values { of, distinct, is_total })
        }
        (_, whole) => Err(unfit(whole.map_or(Type::Json, Values::data_type))),
    }
}

/// The texts of a compressed column.
fn passing_texts(source: &Source<'_>, meter: &mut Meter<'_, '_>) -> Result<Texts, Error> {
    let mut found = Texts::default();
    source.each(&mut |column, first| {
        let Values::Text(texts) = column.values() else { return Err(unfit(column.data_type())) };
        for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
            found.add(texts.get(row), (first + row) as u32);
        }
        meter.hold(found.bytes() + column.bytes())?;
        Ok(true)
    })?;
    Ok(found)
}

fn unfit(data_type: Type) -> Error {
    Error::Shape(format!("an index for another type than {data_type:?}"))
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

/// Adds the runs of the text that a row has in some column; nothing where it has none.
type AddRuns<'a> = dyn FnMut(&Column, usize, &mut dyn FnMut(&str)) + 'a;

fn write_grams(
    spec: &ScalarSpec,
    source: &Source<'_>,
    file: &mut SectionWriter,
    meter: &mut Meter<'_, '_>,
    text_of: &mut AddRuns<'_>,
) -> Result<BodyHead, Error> {
    let mut grams = Grams::new(spec.grams);
    source.each(&mut |column, first| {
        for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
            text_of(column, row, &mut |text| grams.add(text, (first + row) as u32));
        }
        meter.hold(grams.bytes() + column.bytes())?;
        Ok(true)
    })?;
    let (least, most) = spec.grams;
    Ok(BodyHead::Grams { least, most, distinct: grams.write(PART, source.rows(), file)? })
}

fn write_json(
    spec: &ScalarSpec,
    source: &Source<'_>,
    (path, cast): (&[String], Cast),
    file: &mut SectionWriter,
    meter: &mut Meter<'_, '_>,
) -> Result<BodyHead, Error> {
    if spec.kind() == ScalarKind::Ngram {
        return write_grams(spec, source, file, meter, &mut |column, row, grams| {
            let Values::Json(documents) = column.values() else { return };
            let value = filter::Json::new(documents.get(row)).at(path);
            if let Some(filter::JsonKind::Text(text)) = value.and_then(|value| value.kind())
                && let Ok(text) = std::str::from_utf8(&text)
            {
                grams(text);
            }
        });
    }
    let below = if cast == Cast::Json { paths::paths_below(source, path)? } else { vec![path.to_vec()] };
    let mut heads = Vec::with_capacity(below.len());
    for (path, number) in below.iter().zip(0_usize..) {
        heads.push(paths::write_path(source, (path, cast), &format!("{PART}/{number}"), file, meter)?);
    }
    Ok(BodyHead::Paths(heads))
}
