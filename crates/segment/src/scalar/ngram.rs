//! Runs of characters, each with the rows whose text contains it. Invariant: a text that contains a run of a length that
//! is kept is in the run's list; so the rows of all runs of a pattern are all rows that can match it.
//!
//! Of the lengths from `min_gram` to `max_gram` the two ends are kept: any run of a length between is made of
//! overlapping runs of the least one.

use super::postings::{PostingsBuilder, ROW_COST};
use super::sorted::{Of, Sorted, write_texts};
use crate::Error;
use crate::files::{Opened, SectionWriter};
use filter::{Probe, Question};
use simd::Bits;
use std::collections::HashMap;

/// The most lists that a pattern is looked up in: after a few, what remains is quicker read.
const LISTS_MAX: usize = 8;

/// What a run takes beside its characters, and what a row of its list takes, with room to grow and a copy to be written.
const RUN_BYTES: usize = 128;
const ROW_BYTES: usize = 12;

/// Runs on their way into a file.
#[derive(Debug)]
pub(super) struct Grams {
    lengths: Vec<usize>,
    rows: HashMap<Box<str>, Vec<u32>>,
    /// What is in it, about.
    bytes: usize,
}

impl Grams {
    pub(super) fn new((least, most): (usize, usize)) -> Self {
        let lengths = if least == most { vec![least] } else { vec![least, most] };
        Self { lengths, rows: HashMap::new(), bytes: 0 }
    }

    /// What this takes in memory, now and while it is written, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the runs of the text of `row`; rows rise.
    pub(super) fn add(&mut self, text: &str, row: u32) {
        for length in &self.lengths {
            for run in runs(text, *length) {
                match self.rows.get_mut(run) {
                    Some(rows) if rows.last() == Some(&row) => {}
                    Some(rows) => {
                        rows.push(row);
                        self.bytes += ROW_BYTES;
                    }
                    None => {
                        self.bytes += run.len() + RUN_BYTES;
                        self.rows.insert(run.into(), vec![row]);
                    }
                }
            }
        }
    }

    /// Writes them as `part`; how many distinct ones there are.
    pub(super) fn write(
        self,
        part: &str,
        row_count: usize,
        file: &mut SectionWriter,
    ) -> Result<usize, Error> {
        let mut sorted: Vec<_> = self.rows.into_iter().collect();
        sorted.sort_unstable();
        let mut postings = PostingsBuilder::new(row_count);
        for (_, rows) in &sorted {
            postings.push(rows)?;
        }
        let texts: Vec<&[u8]> = sorted.iter().map(|(run, _)| run.as_bytes()).collect();
        write_texts(&texts, part, file)?;
        postings.write(part, file)?;
        Ok(texts.len())
    }
}

/// All runs of `length` characters of `text`.
fn runs(text: &str, length: usize) -> impl Iterator<Item = &str> {
    let starts = text.char_indices().map(|(at, _)| at);
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]).skip(length);
    starts.zip(ends).filter_map(|(start, end)| text.get(start..end))
}

/// Runs in a file.
#[derive(Debug)]
pub(super) struct Ngram {
    lengths: (usize, usize),
    sorted: Sorted,
}

impl Ngram {
    pub(super) fn open(
        file: &Opened,
        part: &str,
        lengths: (usize, usize),
        len: usize,
        row_count: usize,
    ) -> Result<Self, Error> {
        Ok(Self { lengths, sorted: Sorted::open(file, part, Of::Texts, len, row_count)? })
    }

    /// How many distinct runs.
    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The rows that can match; `None` when the pattern has no run that is long enough, or so many rows would have to be asked
    /// that the column costs less.
    pub(super) fn candidates(&self, probe: &Probe<'_>, row_count: usize, column_cost: usize) -> Option<Bits> {
        let Question::Like { prefix, parts, .. } = probe.question() else { return None };
        let mut lists = Vec::new();
        for part in parts.into_iter().chain([prefix]).filter_map(|part| std::str::from_utf8(part).ok()) {
            let (least, most) = self.lengths;
            let chars = part.chars().count();
            if chars < least {
                continue;
            }
            for run in runs(part, if chars < most { least } else { most }) {
                match self.sorted.place_of(run.as_bytes()) {
                    Some(place) => lists.push(place),
                    // No row contains it.
                    None => return Some(Bits::zeros(row_count)),
                }
            }
        }
        let count = |list: &usize| self.sorted.postings.count(&(*list..list + 1));
        lists.sort_unstable_by_key(count);
        let candidates = count(lists.first()?);
        if candidates.saturating_mul(probe.apart_cost() + ROW_COST) > column_cost {
            return None;
        }
        lists.dedup();
        lists.truncate(LISTS_MAX);
        let mut bits = Bits::zeros(row_count);
        for row in self.sorted.postings.intersection(&lists) {
            bits.set(row as usize, true);
        }
        Some(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_of_characters() {
        assert_eq!(runs("añb", 2).collect::<Vec<_>>(), ["añ", "ñb"]);
        assert_eq!(runs("añb", 3).collect::<Vec<_>>(), ["añb"]);
        assert_eq!(runs("añb", 4).count(), 0);
        assert_eq!(runs("", 1).count(), 0);
    }
}
