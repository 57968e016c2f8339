//! Rows of bits, folded. Most rows of thin ones (molecular fingerprints, sets of words) are ruled out by an eighth of
//! their bytes.
//!
//! Invariant: [`scan_folded`] finds what [`crate::scan()`] finds, row by row and score by score. A row is folded by XOR of its pieces; the
//! folds of `a` and `b` differ in at most `|a ^ b|` bits, and `|a & b| = (|a| + |b| - |a ^ b|) / 2`, so that the fold of a row and the number of
//! its bits bound both distances. What the bounds leave open is scored exactly.

use host::{Cancel, Pool};
use simd::{Bits, FOLD_ROWS, near_folds};

use crate::course::{Course, in_waves};
use crate::hits::Top;
use crate::image::{Array, Image};
use crate::outline::{bar_of, ones};
use crate::scan::{BLOCK, Exact, GROUP, check_alike, start, word_at};
use crate::score::Scorer;
use crate::{Error, Hits, Metric, Query, Vectors};

/// How many times as many bits as rows have on the average a fold has at least: then few meet in it.
const ROOM: usize = 5;
/// Words of a fold, at least and at most.
const WORDS: [usize; 8] = [4, 8, 16, 32, 64, 128, 256, 512];
/// Rows folded by one task; a multiple of [`BLOCK`].
const CHUNK: usize = 1024;
/// Of fewer rows than this in a block that match it is quicker to look at the rows themselves.
const FEW: u32 = 8;
/// What rounding may take from a bar.
const SLACK: f32 = 1e-5;

/// All rows, folded.
#[derive(Debug)]
pub(crate) struct Folds {
    words: usize,
    /// As [`near_folds`] wants them, up to a multiple of [`FOLD_ROWS`].
    lanes: Array<u32>,
    /// How many bits each row has, as far as `lanes` goes.
    ones: Array<f32>,
}

/// The words of a row; the last may be of fewer bytes.
fn words_of(row: &[u8]) -> impl Iterator<Item = u32> {
    let (whole, rest) = row.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let last = (!rest.is_empty()).then(|| u32::from_le_bytes(last));
    whole.iter().map(|word| u32::from_le_bytes(*word)).chain(last)
}

/// Folds a row into words of which each is `step` after the other.
fn fold(row: &[u8], (words, step): (usize, usize), out: &mut [u32]) {
    words_of(row).enumerate().for_each(|(i, word)| out[i % words * step] ^= word);
}

/// How many words a fold of each of `rows` rows has that have `all` bits together; none if rows are too full.
fn words(all: u64, rows: usize, dim: usize) -> Option<usize> {
    let mean = usize::try_from(all.div_ceil(rows.max(1) as u64)).ok()?;
    let fits = |words: &usize| *words * 32 >= mean.saturating_mul(ROOM) && *words * 64 <= dim;
    WORDS.into_iter().find(fits)
}

fn count_ones(row: &[u8]) -> u64 {
    words_of(row).map(|word| u64::from(word.count_ones())).sum()
}

impl Folds {
    /// The folds of all rows, if they are thin enough to be told apart by them.
    pub(crate) fn build(
        vectors: Vectors<'_>,
        (pool, cancel): (&Pool, &Cancel),
        course: &mut Course<'_>,
    ) -> Result<Option<Self>, Error> {
        let rows = vectors.len();
        let mut ones = vec![0f32; rows.next_multiple_of(FOLD_ROWS)];
        let chunks = rows.div_ceil(CHUNK);
        let count = |c: usize| {
            let range = c * CHUNK..((c + 1) * CHUNK).min(rows);
            range.map(|row| count_ones(vectors.bytes(row)) as f32).collect::<Vec<f32>>()
        };
        in_waves(chunks, (pool, cancel), count, |c, counts| {
            ones[c * CHUNK..][..counts.len()].copy_from_slice(&counts);
            course.at(c + 1, 2 * chunks);
            Ok(())
        })?;
        let all = ones.iter().map(|ones| *ones as u64).sum();
        let Some(words) = words(all, rows, vectors.dim()) else { return Ok(None) };
        let mut lanes = vec![0; ones.len() * words];
        pool.fill(&mut lanes, CHUNK * words, |c, lanes| {
            let range = c * CHUNK..((c + 1) * CHUNK).min(rows);
            for (i, row) in range.enumerate().take_while(|_| !cancel.is_cancelled()) {
                let place = i / FOLD_ROWS * FOLD_ROWS * words + i % FOLD_ROWS;
                fold(vectors.bytes(row), (words, FOLD_ROWS), &mut lanes[place..]);
            }
        });
        cancel.check()?;
        Ok(Some(Self { words, lanes: Array::Copied(lanes), ones: Array::Copied(ones) }))
    }

    /// Bytes that [`Folds::build`] takes at most of rows of `dim` bits.
    pub(crate) fn need_bytes(rows: usize, dim: usize) -> usize {
        // Folds of half as many words as rows have, at most.
        let words = WORDS.into_iter().rfind(|words| *words * 64 <= dim).unwrap_or(0);
        4 * rows.next_multiple_of(FOLD_ROWS) * (1 + words)
    }

    /// Writes the sections `folds` and `ones`.
    pub(crate) fn write(self, image: &mut Image) {
        image.push("folds", self.lanes.into_vec());
        image.push("ones", self.ones.into_vec());
    }

    /// Reads them back, if they are there.
    pub(crate) fn read(dim: usize, rows: usize, image: &Image) -> Result<Option<Self>, Error> {
        if !["folds", "ones"].into_iter().any(|name| image.has(name)) {
            return Ok(None);
        }
        let corrupt = Error::Corrupt { what: "ones" };
        let ones: Array<f32> = image.array("ones", rows.next_multiple_of(FOLD_ROWS))?;
        let all = ones.iter().map(|ones| *ones as u64).fold(0, u64::saturating_add);
        let words = words(all, rows, dim).ok_or(corrupt)?;
        Ok(Some(Self { words, lanes: image.array("folds", words * ones.len())?, ones }))
    }

    /// Bytes it has in memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.lanes[..]) + size_of_val(&self.ones[..])
    }
}

/// As [`crate::scan()`] of all rows of an index, with the same answer, for HAMMING and JACCARD.
///
/// # Errors
/// As [`crate::scan()`].
pub(crate) fn scan_folded(
    metric: Metric,
    (vectors, folds): (Vectors<'_>, &Folds),
    queries: Vectors<'_>,
    mask: Option<&Bits>,
    query: &Query,
    into: &mut [Hits],
    cancel: &Cancel,
) -> Result<(), Error> {
    check_alike(vectors, queries)?;
    for (group, into) in into.chunks_mut(GROUP).enumerate() {
        let queries = queries.slice(group * GROUP..group * GROUP + into.len());
        let mut scan = Scan::new(metric, (vectors, folds), queries, query, into);
        for first in (0..vectors.len()).step_by(BLOCK) {
            cancel.check()?;
            scan.block(first, mask.map_or(u64::MAX, |mask| word_at(mask, first)));
        }
        for (hits, top) in into.iter_mut().zip(scan.tops) {
            *hits = top.into_hits();
        }
    }
    Ok(())
}

/// A scan for a few queries on its way.
struct Scan<'a> {
    metric: Metric,
    vectors: Vectors<'a>,
    folds: &'a Folds,
    query: &'a Query,
    scorer: Scorer<'a>,
    tops: Vec<Top>,
    /// The folds of the queries, and how many bits these have.
    folded: Vec<u32>,
    counts: Vec<f32>,
    exact: Exact,
}

impl<'a> Scan<'a> {
    fn new(
        metric: Metric,
        (vectors, folds): (Vectors<'a>, &'a Folds),
        queries: Vectors<'a>,
        query: &'a Query,
        into: &[Hits],
    ) -> Self {
        let mut folded = vec![0; queries.len() * folds.words];
        for (q, folded) in folded.chunks_exact_mut(folds.words).enumerate() {
            fold(queries.bytes(q), (folds.words, 1), folded);
        }
        Self {
            metric,
            vectors,
            folds,
            query,
            scorer: Scorer::new(metric, queries, query),
            tops: into.iter().map(|hits| start(metric, query, hits)).collect(),
            folded,
            counts: (0..queries.len()).map(|q| count_ones(queries.bytes(q)) as f32).collect(),
            exact: Exact::default(),
        }
    }

    /// Looks at the rows from `first` on whose bit is set in `word`.
    fn block(&mut self, first: usize, word: u64) {
        let Self { metric, vectors, folds, query, .. } = *self;
        let end = (first + BLOCK).min(vectors.len());
        let word = word & (u64::MAX >> (BLOCK - (end - first)));
        if word == 0 {
            return;
        }
        let lanes = first..end.next_multiple_of(FOLD_ROWS);
        let ones_of = &folds.ones[lanes.clone()];
        let lanes = &folds.lanes[lanes.start * folds.words..lanes.end * folds.words];
        for (q, top) in self.tops.iter_mut().enumerate() {
            let count = self.counts[q];
            let mut open = word;
            if let Some(worst) = bar_of(top, query).filter(|_| word.count_ones() >= FEW) {
                let folded = &self.folded[q * folds.words..][..folds.words];
                open &= near_folds(folded, lanes, ones_of, bar(metric, worst, count));
                let is_far = |i: &usize| least(metric, count, ones_of[*i]) > worst;
                open &= !ones(open).filter(is_far).fold(0, |far, i| far | 1 << i);
            }
            self.exact.show((&self.scorer, query, q), (vectors, 0), (first, open), top);
        }
    }
}

/// In how many bits a row that is to score no worse than `worst` may differ from a query of `count` bits: so many, and so many for
/// each bit it has.
fn bar(metric: Metric, worst: f32, count: f32) -> (f32, f32) {
    if metric == Metric::Hamming {
        return (worst, 0.0);
    }
    // 1 - and / or <= w is xor / (|a| + |b|) <= w / (2 - w), since 2 or = |a| + |b| + xor.
    let worst = worst.min(1.0);
    let share = worst / (2.0 - worst) * (1.0 + SLACK) + SLACK;
    (share * count + SLACK, share)
}

/// How near rows of so many bits are at best.
fn least(metric: Metric, a: f32, b: f32) -> f32 {
    match metric {
        Metric::Hamming => (a - b).abs(),
        _ if a == b => 0.0,
        _ => 1.0 - a.min(b) / a.max(b),
    }
}
