//! Distinct values in order, each with the rows that hold it: what STL_SORT, Trie, INVERTED and BITMAP are made of, and
//! the parts of an index on JSON. Invariant: values rise strictly; whole numbers of every width are kept as 64 bits,
//! floating ones as doubles without NaN and without the sign of zero.

use super::Class;
use super::postings::{LIST_COST, Postings, PostingsBuilder, write_numbers};
use crate::Error;
use crate::files::{Opened, SectionWriter};
use crate::keys::Sampled;
use data::{Column, ScalarBuffer, Values, VarLen};
use filter::{Probe, Question};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::{Bound, Range};

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Of {
    /// Whole numbers, and `false` and `true` as 0 and 1.
    Ints,
    Floats,
    Texts,
}

/// Values with their rows, to be sorted and written.
#[derive(Debug)]
pub(super) enum Pairs<'a> {
    Ints(Vec<(i64, u32)>),
    /// By [`order_of`].
    Floats(Vec<(u64, u32)>),
    Texts(Vec<(&'a [u8], u32)>),
    /// Texts that do not stay where they are.
    Passing(Texts),
}

/// Texts with their rows, of which each distinct one is kept once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Box<[u8]>, u32>,
    /// The number of a text and its row.
    pairs: Vec<(u32, u32)>,
    text_bytes: usize,
}

impl Texts {
    /// Notes that the row holds `text`; rows rise.
    pub(super) fn add(&mut self, text: &[u8], row: u32) {
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                let next = self.numbers.len() as u32;
                self.text_bytes += text.len();
                self.numbers.insert(text.into(), next);
                next
            }
        };
        self.pairs.push((number, row));
    }

    /// What this takes in memory, now and while it is written, about.
    pub(super) fn bytes(&self) -> usize {
        /// A number, the reference to a text, its place in the table and its allocation.
        const TEXT_BYTES: usize = 96;
        const PAIR_BYTES: usize = 24;
        self.text_bytes + self.numbers.len() * TEXT_BYTES + self.pairs.len() * PAIR_BYTES
    }

    /// The distinct ones in order; their rows go to `postings`.
    fn group(self, postings: &mut PostingsBuilder) -> Result<Vec<Box<[u8]>>, Error> {
        let mut sorted: Vec<(Box<[u8]>, u32)> = self.numbers.into_iter().collect();
        sorted.sort_unstable();
        // Where the rows of each number begin; then where the next one of them goes.
        let mut starts = vec![0_usize; sorted.len() + 1];
        self.pairs.iter().for_each(|(number, _)| starts[*number as usize + 1] += 1);
        (1..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
        let mut next = starts.clone();
        let mut rows = vec![0_u32; self.pairs.len()];
        for (number, row) in self.pairs {
            let place = &mut next[number as usize];
            rows[*place] = row;
            *place += 1;
        }
        let mut distinct: Vec<u32> = Vec::new();
        for (_, number) in &sorted {
            distinct.clear();
            distinct.extend_from_slice(&rows[starts[*number as usize]..starts[*number as usize + 1]]);
            // A list may hold a text twice.
            distinct.dedup();
            postings.push(&distinct)?;
        }
        Ok(sorted.into_iter().map(|(text, _)| text).collect())
    }
}

/// A number that is ordered as the float is; NaN has none.
pub(super) fn order_of(float: f64) -> Option<u64> {
    if float.is_nan() {
        return None;
    }
    let bits = (float + 0.0).to_bits();
    Some(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
}

fn float_of(order: u64) -> f64 {
    f64::from_bits(if order >> 63 == 1 { order & !(1 << 63) } else { !order })
}

impl Pairs<'_> {
    /// Sorts and writes them as `part`; how many distinct values there are.
    pub(super) fn write(
        self,
        part: &str,
        row_count: usize,
        file: &mut SectionWriter,
    ) -> Result<usize, Error> {
        let mut postings = PostingsBuilder::new(row_count);
        let distinct = match self {
            Self::Ints(pairs) => {
                let values = group(pairs, &mut postings)?;
                write_numbers(file, part, "values", &values)?;
                values.len()
            }
            Self::Floats(pairs) => {
                let values: Vec<f64> = group(pairs, &mut postings)?.into_iter().map(float_of).collect();
                write_numbers(file, part, "values", &values)?;
                values.len()
            }
            Self::Texts(pairs) => write_texts(&group(pairs, &mut postings)?, part, file)?,
            Self::Passing(texts) => write_texts(&texts.group(&mut postings)?, part, file)?,
        };
        postings.write(part, file)?;
        Ok(distinct)
    }
}

/// Sorts, and gives the distinct values; their rows go to `postings`.
fn group<V: Ord>(mut pairs: Vec<(V, u32)>, postings: &mut PostingsBuilder) -> Result<Vec<V>, Error> {
    pairs.sort_unstable();
    pairs.dedup();
    let (mut values, mut rows): (Vec<V>, Vec<u32>) = (Vec::new(), Vec::new());
    for (value, row) in pairs {
        if values.last() != Some(&value) {
            if !values.is_empty() {
                postings.push(&rows)?;
                rows.clear();
            }
            values.push(value);
        }
        rows.push(row);
    }
    if !values.is_empty() {
        postings.push(&rows)?;
    }
    Ok(values)
}

pub(super) fn write_texts<T: AsRef<[u8]>>(
    values: &[T],
    part: &str,
    file: &mut SectionWriter,
) -> Result<usize, Error> {
    let mut end = 0_i64;
    let ends = values.iter().map(|value| {
        end += value.as_ref().len() as i64;
        end
    });
    let offsets: Vec<i64> = std::iter::once(0).chain(ends).collect();
    write_numbers(file, part, "offsets", &offsets)?;
    file.begin(&format!("{part}/bytes"))?;
    for value in values {
        file.put(value.as_ref())?;
    }
    file.end()?;
    Ok(values.len())
}

#[derive(Debug)]
enum Entries {
    Ints(ScalarBuffer<i64>, Sampled),
    Floats(ScalarBuffer<f64>),
    Texts(VarLen),
}

/// Distinct values in a file, each with its rows.
#[derive(Debug)]
pub(super) struct Sorted {
    entries: Entries,
    pub(super) postings: Postings,
}

impl Sorted {
    /// Opens `part`, which has `len` values over `row_count` rows.
    pub(super) fn open(
        file: &Opened,
        part: &str,
        of: Of,
        len: usize,
        row_count: usize,
    ) -> Result<Self, Error> {
        let section = |name: &str| format!("{part}/{name}");
        let entries = match of {
            Of::Ints => {
                let values: ScalarBuffer<i64> = file.numbers(&section("values"), len)?;
                let sampled = Sampled::new(&values);
                Entries::Ints(values, sampled)
            }
            Of::Floats => Entries::Floats(file.numbers(&section("values"), len)?),
            Of::Texts => {
                let offsets = file.numbers(&section("offsets"), len.saturating_add(1))?;
                let bytes = file.checked(&section("bytes"))?.into();
                let texts = VarLen::new(offsets, bytes);
                let texts = texts.map_err(|error| file.damaged(&section("offsets"), &error.to_string()))?;
                Entries::Texts(texts)
            }
        };
        let is_rising = match &entries {
            Entries::Ints(values, _) => values.windows(2).all(|pair| pair[0] < pair[1]),
            Entries::Floats(values) => values.windows(2).all(|pair| pair[0] < pair[1]),
            Entries::Texts(texts) => (1..texts.len()).all(|i| texts.get(i - 1) < texts.get(i)),
        };
        if !is_rising {
            return Err(file.damaged(&section("values"), "the values do not rise"));
        }
        let postings = Postings::open(file, part, len, row_count)?;
        Ok(Self { entries, postings })
    }

    /// How many distinct values.
    pub(super) fn len(&self) -> usize {
        match &self.entries {
            Entries::Ints(values, _) => values.len(),
            Entries::Floats(values) => values.len(),
            Entries::Texts(texts) => texts.len(),
        }
    }

    /// The place of a text.
    pub(super) fn place_of(&self, text: &[u8]) -> Option<usize> {
        let Entries::Texts(texts) = &self.entries else { return None };
        let place = lower_bound(texts, 0, |found| found < text);
        (place < texts.len() && texts.get(place) == text).then_some(place)
    }

    /// The place of a float.
    pub(super) fn place_of_float(&self, float: f64) -> Option<usize> {
        let Entries::Floats(values) = &self.entries else { return None };
        let place = values.partition_point(|value| *value < float);
        (values.get(place) == Some(&float)).then_some(place)
    }

    /// The place of a truth.
    pub(super) fn place_of_bool(&self, truth: bool) -> Option<usize> {
        let Entries::Ints(values, _) = &self.entries else { return None };
        values.binary_search(&i64::from(truth)).ok()
    }

    /// The places of the values that pass `question`, which is that of `probe` or a part of it; `None` when this cannot tell, or
    /// only by what costs more than the column.
    pub(super) fn passing(
        &self,
        probe: &Probe<'_>,
        question: &Question<'_>,
        class: Class,
        column_cost: usize,
    ) -> Option<Vec<Range<usize>>> {
        if self.search_cost(question) > column_cost {
            return None;
        }
        if let Some(places) = self.places(question) {
            return Some(places);
        }
        // Each distinct value is asked once instead of each row.
        let candidates = self.candidates(question);
        if candidates.len().saturating_mul(probe.row_cost()) > column_cost / 2 {
            return None;
        }
        self.tested(probe, candidates, class)
    }

    /// What finding the values that a question names, and their lists, costs, in eighths of a nanosecond, about.
    fn search_cost(&self, question: &Question<'_>) -> usize {
        const NUMBER_COST: usize = 500;
        const TEXT_COST: usize = 1000;
        match question {
            Question::AmongInts(values) => values.len() * (NUMBER_COST + LIST_COST),
            Question::AmongFloats(values) => values.len() * (NUMBER_COST * 2 + LIST_COST),
            Question::AmongTexts(values) => values.len() * (TEXT_COST + LIST_COST),
            _ => 0,
        }
    }

    /// The places of the values that a question is about; `None` when only [`Sorted::tested`] can tell.
    fn places(&self, question: &Question<'_>) -> Option<Vec<Range<usize>>> {
        let some = |range: Range<usize>| Some(if range.is_empty() { Vec::new() } else { vec![range] });
        match (question, &self.entries) {
            (Question::Ints(low, high), Entries::Ints(values, _)) => {
                some(values.partition_point(|v| v < low)..values.partition_point(|v| v <= high))
            }
            (Question::Floats(low, high), Entries::Floats(values)) => {
                some(values.partition_point(|v| v < low)..values.partition_point(|v| v <= high))
            }
            (Question::Bool(truth), Entries::Ints(..)) => {
                Some(self.place_of_bool(*truth).map(|place| place..place + 1).into_iter().collect())
            }
            (Question::AmongInts(wanted), Entries::Ints(values, sampled)) => {
                let mut places = Vec::new();
                sampled.lower_bounds(values, wanted, &mut places);
                let found = places.into_iter().zip(*wanted).map(|(place, want)| (place as usize, want));
                Some(joined(
                    found.filter(|(place, want)| values.get(*place) == Some(want)).map(|(place, _)| place),
                ))
            }
            (Question::AmongFloats(wanted), Entries::Floats(_)) => {
                Some(joined(wanted.iter().filter_map(|want| self.place_of_float(*want))))
            }
            (Question::Texts(low, high), Entries::Texts(texts)) => {
                let start = match low {
                    Bound::Unbounded => 0,
                    Bound::Included(low) => lower_bound(texts, 0, |text| text < *low),
                    Bound::Excluded(low) => lower_bound(texts, 0, |text| text <= *low),
                };
                let end = match high {
                    Bound::Unbounded => texts.len(),
                    Bound::Included(high) => lower_bound(texts, start, |text| text <= *high),
                    Bound::Excluded(high) => lower_bound(texts, start, |text| text < *high),
                };
                some(start..end)
            }
            (Question::AmongTexts(wanted), Entries::Texts(texts)) => {
                let mut from = 0;
                Some(joined(wanted.iter().filter_map(|want| {
                    let want = want.as_bytes();
                    from = lower_bound(texts, from, |text| text < want);
                    (from < texts.len() && texts.get(from) == want).then_some(from)
                })))
            }
            (Question::Like { prefix, is_prefix: true, .. }, Entries::Texts(texts)) => {
                some(prefixed(texts, prefix))
            }
            _ => None,
        }
    }

    /// The places among which a question's values lie, all of which must be tested.
    fn candidates(&self, question: &Question<'_>) -> Range<usize> {
        match (question, &self.entries) {
            (Question::Like { prefix, .. }, Entries::Texts(texts)) => prefixed(texts, prefix),
            _ => 0..self.len(),
        }
    }

    /// The places in `range` of the values that pass the test of `probe`, asked one by one.
    fn tested(&self, probe: &Probe<'_>, range: Range<usize>, class: Class) -> Option<Vec<Range<usize>>> {
        let values = match &self.entries {
            Entries::Ints(values, _) => {
                let values = values.slice(range.start, range.len());
                match class {
                    Class::Int => Values::Int64(values),
                    Class::Time => Values::Timestamptz(values),
                    _ => return None,
                }
            }
            Entries::Floats(values) => Values::Double(values.slice(range.start, range.len())),
            Entries::Texts(texts) => {
                let offsets = texts.offsets_buffer().slice(range.start, range.len() + 1);
                Values::Text(VarLen::new(offsets, texts.buffer().clone()).ok()?)
            }
        };
        let passed = probe.test(&Column::trusted(values, None).ok()?);
        Some(joined(passed.iter().map(|place| range.start + place)))
    }
}

/// Rising places as ranges.
fn joined(places: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for place in places {
        match ranges.last_mut() {
            Some(last) if last.end == place => last.end += 1,
            Some(last) if last.end > place => {}
            _ => ranges.push(place..place + 1),
        }
    }
    ranges
}

/// The first place from `from` on that is not less, found by doubling steps and halving.
fn lower_bound(texts: &VarLen, from: usize, is_less: impl Fn(&[u8]) -> bool) -> usize {
    let (mut low, mut step) = (from, 1);
    let mut high = loop {
        let probe = low + step - 1;
        if probe >= texts.len() {
            break texts.len();
        }
        if !is_less(texts.get(probe)) {
            break probe;
        }
        low = probe + 1;
        step *= 2;
    };
    while low < high {
        let middle = low + (high - low) / 2;
        if is_less(texts.get(middle)) { low = middle + 1 } else { high = middle }
    }
    low
}

/// The places of the texts that begin with `prefix`.
fn prefixed(texts: &VarLen, prefix: &[u8]) -> Range<usize> {
    let start = lower_bound(texts, 0, |text| text < prefix);
    start..lower_bound(texts, start, |text| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_ordered_by_their_numbers() {
        let floats = [f64::NEG_INFINITY, f64::MIN, -1.5, -0.0, f64::MIN_POSITIVE, 2.0, f64::INFINITY];
        let orders: Vec<u64> = floats.iter().filter_map(|float| order_of(*float)).collect();
        assert!(orders.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(orders.iter().map(|order| float_of(*order)).collect::<Vec<_>>(), floats);
        assert_eq!((order_of(0.0), order_of(f64::NAN)), (order_of(-0.0), None));
    }

    #[test]
    fn places_of_texts() {
        let texts = VarLen::from_values(["", "a", "ab", "abc", "b", "ba"]);
        assert_eq!(prefixed(&texts, b"a"), 1..4);
        assert_eq!(prefixed(&texts, b""), 0..6);
        assert_eq!(prefixed(&texts, b"c"), 6..6);
        for from in 0..6 {
            for want in ["", "a", "aa", "abc", "b", "z"] {
                let naive = (from..6).find(|i| texts.get(*i) >= want.as_bytes()).unwrap_or(6);
                assert_eq!(lower_bound(&texts, from, |text| text < want.as_bytes()), naive);
            }
        }
    }
}
