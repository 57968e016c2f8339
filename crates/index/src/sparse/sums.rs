//! Search by whole numbers: in windows of rows, what the codes of a query's dimensions say is added up in two bytes a row,
//! and the rows that may be among the best are measured. Invariant: how far a sum may lie from the score is known before
//! anything is added up, so no row of the best is passed over.
//!
//! Windows whose sums stay in the nearest cache are those of Li et al., "SINDI: an efficient index for approximate maximum inner
//! product search on sparse vectors" (arXiv 2509.08395); here what is found is exact.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use host::Cancel;
use simd::Bits;

use super::coded::{CODE_MAX, Coded, WINDOW};
use crate::refine::Refiner;
use crate::vectors::pairs_of;
use crate::{Error, Hits, Query, scan};

/// The largest sum.
const SUM_MAX: f64 = 65_000.0;
/// A sum of nothing. With a sign, the larger of two sums is one instruction everywhere.
const NONE: i16 = i16::MIN;
/// The most dimensions of a query that are added up.
const TERMS_MAX: usize = 4096;
/// Groups of sums; a group is every so many-th sum, so that the peaks of all are found side by side.
const GROUPS: usize = 1024;
/// How far scores added up in another order may lie from each other, in parts of the largest sum.
const ROUNDING: u32 = 8;
/// What measuring a row costs, in postings added up.
const MEASURE_COST: usize = 500;
/// Rows measured at first, besides those asked for.
const FIRST: usize = 6;
/// What of the mean bound of a query's dimensions a posting must add for one of `drop_ratio_search`.
const CUT_SHARE: f64 = 0.5;
/// Bytes of a row that is to be measured that are asked for ahead.
const AHEAD: usize = 1024;
/// Postings of which it is asked once whether they still count, and groups of which it is asked once whether any may be among the best.
const STEP: usize = 16;

/// A dimension of the query.
struct Term {
    /// What a code counts, in parts of 256 of a unit.
    weight: u16,
    /// The least code that counts.
    cut: u8,
    /// Its runs that were not looked at yet.
    runs: Range<usize>,
    /// Its first posting, and the first that was not looked at yet.
    first: usize,
    next: usize,
}

/// A query in units of sums.
struct Scale {
    /// Units of a score of 1.
    unit: f64,
    /// How many units a sum may be below the score, and above it.
    below: u32,
    above: u32,
}

impl Scale {
    /// Whether sums say how large scores are. They do not where something is left out.
    fn is_known(&self) -> bool {
        self.above > 0
    }
}

/// The answers to all queries.
pub(super) fn search(
    coded: &Coded,
    refiner: &Refiner<'_>,
    query: &Query,
    mask: Option<&Bits>,
    cancel: &Cancel,
) -> Result<Vec<Hits>, Error> {
    let mut walk = Walk {
        coded,
        query,
        mask,
        sums: Box::new([NONE; WINDOW]),
        peaks: Box::new([NONE; GROUPS]),
        ordered: Box::new([NONE; GROUPS]),
        found: Vec::new(),
        best: BinaryHeap::new(),
        least: 0,
    };
    (0..refiner.queries.len())
        .map(|q| {
            cancel.check()?;
            walk.one(refiner, q, cancel)
        })
        .collect()
}

struct Walk<'a> {
    coded: &'a Coded,
    query: &'a Query,
    mask: Option<&'a Bits>,
    /// Sums of the window's rows, from [`NONE`] on.
    sums: Box<[i16; WINDOW]>,
    /// The largest sum of each group, and room to order them.
    peaks: Box<[i16; GROUPS]>,
    ordered: Box<[i16; GROUPS]>,
    /// Rows that were good enough when they were found, and their sums.
    found: Vec<(u32, u32)>,
    /// The best sums so far, the worst of them first.
    best: BinaryHeap<Reverse<u32>>,
    /// What the sum of a row must be at least.
    least: u32,
}

impl Walk<'_> {
    fn one(&mut self, refiner: &Refiner<'_>, q: usize, cancel: &Cancel) -> Result<Hits, Error> {
        let mut pairs: Vec<(u32, f32)> =
            pairs_of(refiner.queries.bytes(q)).filter(|(_, weight)| *weight != 0.0).collect();
        let ratio = f64::from(self.query.real("drop_ratio_search"));
        let dropped = if self.coded.is_ranked { 0 } else { (ratio * pairs.len() as f64) as usize };
        if dropped > 0 {
            pairs.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            pairs.truncate(pairs.len() - dropped);
        }
        if pairs.iter().any(|(_, weight)| *weight < 0.0) || pairs.len() > TERMS_MAX {
            return self.measure_all(refiner, q, cancel);
        }
        let (mut terms, scale) = self.terms(&pairs);
        if self.mask.is_some_and(|mask| mask.count() * MEASURE_COST < postings(&terms, self.coded)) {
            return self.measure_all(refiner, q, cancel);
        }
        // What is left out is unknown; the best by the rest are measured.
        let partial = Scale { unit: scale.unit, below: 0, above: 0 };
        if self.coded.is_ranked && ratio > 0.0 {
            cut(&mut terms, ratio);
            self.walk(&mut terms, &partial, cancel)?;
            if self.found.len() >= self.query.k() {
                return Ok(self.measure(refiner, q, &partial));
            }
            terms = self.terms(&pairs).0;
        }
        let scale = if dropped > 0 { partial } else { scale };
        self.walk(&mut terms, &scale, cancel)?;
        Ok(self.measure(refiner, q, &scale))
    }

    /// Finds what may be among the best, window after window.
    fn walk(&mut self, terms: &mut [Term], scale: &Scale, cancel: &Cancel) -> Result<(), Error> {
        let depth = if scale.is_known() { self.query.k() } else { self.query.depth() };
        self.found.clear();
        self.best.clear();
        self.least = 1;
        if let Some(radius) = self.query.radius().filter(|_| scale.is_known()) {
            let least = (f64::from(radius) * scale.unit).max(0.0) as u32;
            self.least = least.saturating_sub(scale.below).max(1);
        }
        for window in 0..self.coded.rows().div_ceil(WINDOW) as u32 {
            cancel.check()?;
            self.window(window, terms, depth, scale);
        }
        Ok(())
    }

    /// The dimensions that rows have, and the scale of their sums.
    fn terms(&self, pairs: &[(u32, f32)]) -> (Vec<Term>, Scale) {
        let coded = self.coded;
        let known: Vec<_> =
            pairs.iter().filter_map(|(dim, weight)| Some((coded.of(*dim)?, f64::from(*weight)))).collect();
        for ((at, runs), _) in &known {
            simd::prefetch(&coded.starts[*at..=*at]);
            simd::prefetch(&coded.windows[runs.start..][..1]);
            simd::prefetch(&coded.ends[runs.start..][..1]);
            simd::prefetch(&coded.peaks[runs.start..][..1]);
        }
        let steps = known.iter().map(|((at, _), weight)| weight * f64::from(coded.steps[*at]));
        let most = steps.clone().map(|step| step * f64::from(CODE_MAX)).sum::<f64>();
        let unit = if most > 0.0 { (SUM_MAX - pairs.len() as f64) / most } else { 0.0 };
        let mut below = 0.0;
        let terms: Vec<Term> = (known.iter().zip(steps))
            .map(|(((at, runs), _), step)| {
                let step = step * unit;
                below += step + 1.0;
                let first = coded.starts[*at] as usize;
                Term { weight: (step * 256.0) as u16, cut: 0, runs: runs.clone(), first, next: first }
            })
            .collect();
        let scale =
            Scale { unit, below: below.ceil() as u32 + ROUNDING, above: terms.len() as u32 + ROUNDING };
        (terms, scale)
    }

    /// Takes what may be among the best out of a window.
    fn window(&mut self, window: u32, terms: &mut [Term], depth: usize, scale: &Scale) {
        let coded = self.coded;
        let mut bound = 0;
        let here = terms.iter_mut().filter_map(|term| {
            let run = term.runs.start;
            if term.runs.is_empty() || coded.windows[run] != window {
                return None;
            }
            let postings = term.next..term.first + coded.ends[run] as usize;
            (term.runs.start, term.next) = (run + 1, postings.end);
            if coded.peaks[run] < term.cut {
                return None;
            }
            simd::prefetch(&coded.places[postings.start..][..1]);
            simd::prefetch(&coded.codes[postings.start..][..1]);
            bound += u32::from(share(coded.peaks[run], term.weight));
            Some((term.weight, term.cut, postings))
        });
        let here: Vec<(u16, u8, Range<usize>)> = here.collect();
        if here.is_empty() || bound < self.least && self.query.name("search_algo") != "TAAT_NAIVE" {
            return;
        }
        for (weight, cut, postings) in here {
            let places = &coded.places[postings.clone()];
            add_up(&mut self.sums, places, &coded.codes[postings], weight, cut);
        }
        let start = window as usize * WINDOW;
        if let Some(mask) = self.mask {
            leave(&mut self.sums, &mask.words()[start / 64..]);
        }
        self.take_out(start as u32, depth, scale);
        self.sums.fill(NONE);
    }

    /// Takes out the rows whose sums are large enough.
    fn take_out(&mut self, start: u32, depth: usize, scale: &Scale) {
        peaks(&self.sums, &mut self.peaks);
        let rises = self.query.range_filter().is_none() && depth > 0;
        let margin = scale.below + scale.above;
        if rises && self.best.len() < depth && depth <= self.peaks.len() {
            // As many rows as are asked for have sums no smaller than this.
            self.ordered.copy_from_slice(&*self.peaks);
            let (_, peak, _) = self.ordered.select_nth_unstable_by(depth - 1, |a, b| b.cmp(a));
            self.least = self.least.max(count(*peak).saturating_sub(margin)).max(1);
        }
        for first in (0..GROUPS).step_by(STEP) {
            let bar = (i32::from(NONE) + self.least.min(u32::from(u16::MAX)) as i32) as i16;
            if self.peaks[first..first + STEP].iter().all(|peak| *peak < bar) {
                continue;
            }
            for group in first..first + STEP {
                if count(self.peaks[group]) >= self.least {
                    self.take_group(start, group, depth, margin);
                }
            }
        }
    }

    /// Takes out the rows of a group whose sums are large enough.
    fn take_group(&mut self, start: u32, group: usize, depth: usize, margin: u32) {
        for at in (group..WINDOW).step_by(GROUPS) {
            let sum = count(self.sums[at]);
            if sum < self.least {
                continue;
            }
            self.found.push((start + at as u32, sum));
            if self.query.range_filter().is_some() || depth == 0 {
                continue;
            }
            self.best.push(Reverse(sum));
            if self.best.len() > depth {
                self.best.pop();
            }
            if let Some(Reverse(worst)) = self.best.peek().filter(|_| self.best.len() == depth) {
                self.least = self.least.max(worst.saturating_sub(margin));
            }
        }
    }

    /// Measures what was found, the best first, until no other can be among the best.
    fn measure(&mut self, refiner: &Refiner<'_>, q: usize, scale: &Scale) -> Hits {
        let least = self.least;
        self.found.retain(|(_, sum)| *sum >= least);
        self.found.sort_unstable_by_key(|(row, sum)| (Reverse(*sum), *row));
        let k = self.query.k();
        let first = if scale.is_known() { k + FIRST } else { self.found.len() };
        let split = first.min(self.found.len());
        let rows = |found: &[(u32, u32)]| {
            let rows: Vec<u32> = found.iter().map(|(row, _)| *row).collect();
            for row in &rows {
                let bytes = refiner.vectors.bytes(*row as usize);
                simd::prefetch(&bytes[..bytes.len().min(AHEAD)]);
            }
            rows
        };
        let mut hits = refiner.refine(q, &rows(&self.found[..split]), self.query).hits;
        let worst = hits.scores.get(k.wrapping_sub(1));
        let least =
            worst.map_or(0, |worst| ((f64::from(*worst) * scale.unit) as u32).saturating_sub(scale.below));
        let others = &self.found[split..];
        let others = &others[..others.partition_point(|(_, sum)| *sum >= least)];
        if !others.is_empty() {
            hits = hits.merge(&refiner.refine(q, &rows(others), self.query).hits, refiner.metric, k);
        }
        // Products may be too small for a number.
        let count = hits.scores.partition_point(|score| *score > 0.0);
        hits.rows.truncate(count);
        hits.scores.truncate(count);
        hits
    }

    /// Measures all rows that match: there are few of them, or the query is none that can be added up.
    fn measure_all(&self, refiner: &Refiner<'_>, q: usize, cancel: &Cancel) -> Result<Hits, Error> {
        let Refiner { metric, vectors, queries, .. } = *refiner;
        let mut hits = [Hits::default()];
        scan(metric, vectors, queries.slice(q..q + 1), 0, self.mask, self.query, &mut hits, cancel)?;
        let [hits] = hits;
        Ok(hits)
    }
}

/// Postings of all terms.
fn postings(terms: &[Term], coded: &Coded) -> usize {
    terms.iter().map(|term| term.runs.end.checked_sub(1).map_or(0, |run| coded.ends[run] as usize)).sum()
}

/// What a code adds to a sum: never nothing, so that a row that has something in common with the query is seen.
#[inline]
fn share(code: u8, weight: u16) -> u16 {
    // 1 more, for a product of whole numbers loses less than that.
    (((u32::from(code) << 8) * u32::from(weight)) >> 16) as u16 + 1
}

/// The sum that is meant.
#[inline]
fn count(sum: i16) -> u32 {
    (i32::from(sum) - i32::from(NONE)) as u32
}

/// Adds what postings say whose codes are `cut` or more, and maybe a few more; where there is a cut, codes fall.
fn add_up(sums: &mut [i16; WINDOW], places: &[u16], codes: &[u8], weight: u16, cut: u8) {
    let steps = || codes.iter().step_by(STEP).take_while(|code| **code >= cut).count();
    let count = if cut == 0 { codes.len() } else { codes.len().min(steps() * STEP) };
    for (place, code) in places[..count].iter().zip(&codes[..count]) {
        let sum = &mut sums[usize::from(*place) % WINDOW];
        *sum = sum.wrapping_add(share(*code, weight) as i16);
    }
}

/// Gives each of `terms` the least code that counts: one that adds as much as a share of what they add at most, on average.
fn cut(terms: &mut Vec<Term>, ratio: f64) {
    let least = CUT_SHARE * ratio * SUM_MAX / terms.len().max(1) as f64;
    terms.retain_mut(|term| {
        let code = (least * 256.0 / f64::from(term.weight.max(1))).ceil();
        term.cut = code as u8;
        code <= f64::from(CODE_MAX)
    });
}

/// The largest sum of each group.
fn peaks(sums: &[i16; WINDOW], peaks: &mut [i16; GROUPS]) {
    peaks.fill(NONE);
    for sums in sums.chunks_exact(GROUPS) {
        peaks.iter_mut().zip(sums).for_each(|(peak, sum)| *peak = (*peak).max(*sum));
    }
}

/// Leaves only the sums of rows that match.
fn leave(sums: &mut [i16; WINDOW], mask: &[u64]) {
    let words = mask.iter().copied().chain(std::iter::repeat(0));
    for (sums, word) in sums.chunks_exact_mut(64).zip(words) {
        match word {
            0 => sums.fill(NONE),
            u64::MAX => {}
            _ => sums
                .iter_mut()
                .enumerate()
                .for_each(|(i, sum)| *sum = if word >> i & 1 == 1 { *sum } else { NONE }),
        }
    }
}
