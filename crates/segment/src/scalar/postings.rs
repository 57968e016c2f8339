//! For each of some values the rows that hold it. Invariant: the rows of a list rise, are distinct and less than the
//! number of rows.
//!
//! Lists lie one after the other, so that neighbouring values (a range of a sorted dictionary) are one slice. A list that
//! is longer than a bit a row is a bitmap instead.

use crate::Error;
use crate::files::{Opened, SectionWriter};
use data::ScalarBuffer;
use simd::Bits;
use std::ops::Range;

/// A list with more than one row in so many is kept as a bitmap, which then is smaller.
const ROWS_A_LISTED: usize = 32;

/// What adding a listed row costs, what a word of a bitmap costs, and what finding a list costs, in eighths of a
/// nanosecond, about.
pub(super) const ROW_COST: usize = 7;
const WORD_COST: usize = 4;
pub(super) const LIST_COST: usize = 400;

/// What an answer costs at least, in eighths of a nanosecond, about: a bit for each of so many rows.
pub(super) fn bits_cost(row_count: usize) -> usize {
    row_count / 64 * WORD_COST
}

/// Lists being gathered, in the order of their values.
#[derive(Debug)]
pub(super) struct PostingsBuilder {
    row_count: usize,
    starts: Vec<u32>,
    rows: Vec<u32>,
    dense: Vec<u32>,
    words: Vec<u64>,
}

impl PostingsBuilder {
    pub(super) fn new(row_count: usize) -> Self {
        Self { row_count, starts: vec![0], rows: Vec::new(), dense: Vec::new(), words: Vec::new() }
    }

    /// Adds the rows of the next value, which rise.
    pub(super) fn push(&mut self, rows: &[u32]) -> Result<(), Error> {
        let start = self.starts.last().copied().unwrap_or_default();
        let end = u32::try_from(rows.len()).ok().and_then(|len| start.checked_add(len));
        let end = end.ok_or_else(|| Error::Shape("an index holds at most 4294967295 values".to_owned()))?;
        if rows.len() > self.row_count / ROWS_A_LISTED {
            self.dense.push(self.starts.len() as u32 - 1);
            let first = self.words.len();
            self.words.resize(first + self.row_count.div_ceil(64), 0);
            for row in rows {
                self.words[first + *row as usize / 64] |= 1 << (row % 64);
            }
        } else {
            self.rows.extend_from_slice(rows);
        }
        self.starts.push(end);
        Ok(())
    }

    pub(super) fn write(&self, part: &str, file: &mut SectionWriter) -> Result<(), Error> {
        write_numbers(file, part, "starts", &self.starts)?;
        write_numbers(file, part, "rows", &self.rows)?;
        write_numbers(file, part, "dense", &self.dense)?;
        write_numbers(file, part, "bitmaps", &self.words)
    }
}

/// A number as it is stored.
pub(super) trait Stored: Copy {
    fn put(self, bytes: &mut Vec<u8>);
}

macro_rules! stored {
    ($($number:ty),*) => {$(
        impl Stored for $number {
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

stored!(u32, u64, i64, f64);

/// Writes section `part/name` of little-endian numbers.
pub(super) fn write_numbers<T: Stored>(
    file: &mut SectionWriter,
    part: &str,
    name: &str,
    numbers: &[T],
) -> Result<(), Error> {
    const NUMBERS_AT_ONCE: usize = 4096;
    file.begin(&format!("{part}/{name}"))?;
    for some in numbers.chunks(NUMBERS_AT_ONCE) {
        let mut bytes = Vec::with_capacity(size_of_val(some));
        some.iter().for_each(|number| number.put(&mut bytes));
        file.put(&bytes)?;
    }
    file.end()
}

/// Lists in a file.
#[derive(Debug)]
pub(super) struct Postings {
    row_count: usize,
    /// How many rows the lists before each one have together, and all have.
    starts: ScalarBuffer<u32>,
    rows: ScalarBuffer<u32>,
    /// Which lists are bitmaps, rising.
    dense: ScalarBuffer<u32>,
    words: ScalarBuffer<u64>,
    /// How many rows the first so many bitmaps have together.
    dense_rows: Vec<u32>,
}

impl Postings {
    /// Opens the lists of `part`, of which there are `lists`, over `row_count` rows.
    pub(super) fn open(file: &Opened, part: &str, lists: usize, row_count: usize) -> Result<Self, Error> {
        let section = |name: &str| format!("{part}/{name}");
        let starts: ScalarBuffer<u32> = file.numbers(&section("starts"), lists + 1)?;
        let dense: ScalarBuffer<u32> = file.all_numbers(&section("dense"))?;
        let rows: ScalarBuffer<u32> = file.all_numbers(&section("rows"))?;
        let words_each = row_count.div_ceil(64);
        let words = file.numbers(&section("bitmaps"), dense.len().saturating_mul(words_each))?;
        let bad = |name: &str, what: &str| Err(file.damaged(&section(name), what));
        if starts.first() != Some(&0) || starts.windows(2).any(|pair| pair[0] > pair[1]) {
            return bad("starts", "the lists do not follow each other");
        }
        let is_rising = dense.windows(2).all(|pair| pair[0] < pair[1]);
        if !is_rising || dense.last().is_some_and(|last| *last as usize >= lists) {
            return bad("dense", "there are no such lists");
        }
        if rows.iter().any(|row| *row as usize >= row_count) {
            return bad("rows", "there are no such rows");
        }
        let mut dense_rows = vec![0_u32];
        for list in dense.iter().map(|list| *list as usize) {
            let before = dense_rows.last().copied().unwrap_or_default();
            dense_rows.push(before + (starts[list + 1] - starts[list]));
        }
        let total = starts.last().copied().unwrap_or_default() as usize;
        if dense_rows.last().map(|dense| *dense as usize + rows.len()) != Some(total) {
            return bad("rows", "there are more or fewer than the lists have");
        }
        Ok(Self { row_count, starts, rows, dense, words, dense_rows })
    }

    /// How many rows the lists of `range` have together.
    pub(super) fn count(&self, range: &Range<usize>) -> usize {
        (self.starts[range.end] - self.starts[range.start]) as usize
    }

    /// What putting the lists of `ranges` together costs, in eighths of a nanosecond, about.
    pub(super) fn cost(&self, ranges: &[Range<usize>]) -> usize {
        let of = |range: &Range<usize>| {
            let dense = self.dense_in(range);
            let dense_rows = (self.dense_rows[dense.end] - self.dense_rows[dense.start]) as usize;
            (self.count(range) - dense_rows) * ROW_COST
                + dense.len() * self.row_count.div_ceil(64) * WORD_COST
        };
        ranges.iter().map(of).sum::<usize>() + ranges.len() * LIST_COST
    }

    /// The bitmaps among the lists of `range`.
    fn dense_in(&self, range: &Range<usize>) -> Range<usize> {
        let place = |list: usize| self.dense.partition_point(|dense| (*dense as usize) < list);
        place(range.start)..place(range.end)
    }

    /// Calls `visit` with the rows of the lists of `range`.
    fn each<'p>(&'p self, range: &Range<usize>, mut visit: impl FnMut(Run<'p>)) {
        let dense = self.dense_in(range);
        // Where the list would begin among the listed rows.
        let place = |list: usize, dense: usize| (self.starts[list] - self.dense_rows[dense]) as usize;
        let listed = self.rows.get(place(range.start, dense.start)..place(range.end, dense.end));
        visit(Run::Listed(listed.unwrap_or_default()));
        let words_each = self.row_count.div_ceil(64);
        for bitmap in dense {
            let words = self.words.get(bitmap * words_each..(bitmap + 1) * words_each);
            visit(Run::Mapped(words.unwrap_or_default()));
        }
    }

    /// The rows in one of the lists of `ranges`.
    pub(super) fn union(&self, ranges: &[Range<usize>]) -> Bits {
        let mut words = vec![0_u64; self.row_count.div_ceil(64)];
        for range in ranges {
            self.each(range, |run| match run {
                Run::Listed(rows) => {
                    for row in rows {
                        if let Some(word) = words.get_mut(*row as usize / 64) {
                            *word |= 1 << (row % 64);
                        }
                    }
                }
                Run::Mapped(bitmap) => words.iter_mut().zip(bitmap).for_each(|(word, more)| *word |= more),
            });
        }
        Bits::from_words(self.row_count, words)
    }

    /// The rows in every one of `lists`, rising.
    pub(super) fn intersection(&self, lists: &[usize]) -> Vec<u32> {
        let mut lists = lists.to_vec();
        lists.sort_unstable_by_key(|list| self.count(&(*list..list + 1)));
        lists.dedup();
        let Some((first, rest)) = lists.split_first() else { return Vec::new() };
        let mut rows = Vec::with_capacity(self.count(&(*first..first + 1)));
        self.each_row(*first, |row| rows.push(row));
        for list in rest {
            // Few enough to be looked at one by one.
            if rows.len() < 64 {
                break;
            }
            let mut is_in = |run: Run<'_>| match run {
                Run::Listed([]) => {}
                Run::Listed(listed) => retain_common(&mut rows, listed),
                Run::Mapped(bitmap) => rows.retain(|row| {
                    bitmap.get(*row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
                }),
            };
            self.each(&(*list..list + 1), &mut is_in);
        }
        rows
    }

    fn each_row(&self, list: usize, mut visit: impl FnMut(u32)) {
        self.each(&(list..list + 1), |run| match run {
            Run::Listed(rows) => rows.iter().for_each(|row| visit(*row)),
            Run::Mapped(bitmap) => {
                for (word, first) in bitmap.iter().zip((0_u32..).step_by(64)) {
                    let mut rest = *word;
                    while rest != 0 {
                        visit(first + rest.trailing_zeros());
                        rest &= rest - 1;
                    }
                }
            }
        });
    }
}

/// Rows of some lists.
enum Run<'p> {
    /// Their numbers.
    Listed(&'p [u32]),
    /// A bit a row.
    Mapped(&'p [u64]),
}

/// Keeps of `rows` those that are also in `others`; both rise.
fn retain_common(rows: &mut Vec<u32>, others: &[u32]) {
    let mut rest = others;
    rows.retain(|row| {
        // By doubling steps: the other list may be much longer.
        let mut step = 1;
        while step < rest.len() && rest[step - 1] < *row {
            step *= 2;
        }
        let low = (step / 2).min(rest.len());
        let high = step.min(rest.len());
        let at =
            low.saturating_sub(1) + rest[low.saturating_sub(1)..high].partition_point(|other| other < row);
        rest = &rest[at..];
        rest.first() == Some(row)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_rows_of_two_lists() {
        for step in [1, 2, 3, 7, 50] {
            let mut rows: Vec<u32> = (0..200).filter(|row| row % 3 != 1).collect();
            let others: Vec<u32> = (0..400).step_by(step).collect();
            let want: Vec<u32> = rows.iter().copied().filter(|row| others.contains(row)).collect();
            retain_common(&mut rows, &others);
            assert_eq!(rows, want, "every {step}");
        }
    }
}
