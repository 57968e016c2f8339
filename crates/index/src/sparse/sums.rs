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

/// A dimension of the query.
struct Term {
    /// What a code counts, in parts of 256 of a unit.
    weight: u32,
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
        let dropped = (f64::from(self.query.real("drop_ratio_search")) * pairs.len() as f64) as usize;
        if dropped > 0 {
            pairs.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            pairs.truncate(pairs.len() - dropped);
        }
        if pairs.iter().any(|(_, weight)| *weight < 0.0) || pairs.len() > TERMS_MAX {
            return self.measure_all(refiner, q, cancel);
        }
        let (mut terms, mut scale) = self.terms(&pairs);
        if self.mask.is_some_and(|mask| mask.count() * MEASURE_COST < postings(&terms, self.coded)) {
            return self.measure_all(refiner, q, cancel);
        }
        let mut depth = self.query.k();
        if dropped > 0 {
            // What was dropped is unknown; the best by the rest are measured.
            (scale.below, scale.above, depth) = (0, 0, self.query.depth());
        }
        self.found.clear();
        self.best.clear();
        self.least = 1;
        if let Some(radius) = self.query.radius().filter(|_| dropped == 0) {
            let least = (f64::from(radius) * scale.unit).max(0.0) as u32;
            self.least = least.saturating_sub(scale.below).max(1);
        }
        for window in 0..self.coded.rows().div_ceil(WINDOW) as u32 {
            cancel.check()?;
            self.window(window, &mut terms, depth, &scale);
        }
        Ok(self.measure(refiner, q, &scale))
    }

    /// The dimensions that rows have, and the scale of their sums.
    fn terms(&self, pairs: &[(u32, f32)]) -> (Vec<Term>, Scale) {
        let coded = self.coded;
        let known = || pairs.iter().filter_map(|(dim, weight)| Some((coded.of(*dim)?, f64::from(*weight))));
        let most: f64 =
            known().map(|((at, _), weight)| weight * f64::from(coded.steps[at]) * f64::from(CODE_MAX)).sum();
        let unit = if most > 0.0 { (SUM_MAX - pairs.len() as f64) / most } else { 0.0 };
        let mut below = 0.0;
        let terms: Vec<Term> = known()
            .map(|((at, runs), weight)| {
                let step = weight * f64::from(coded.steps[at]) * unit;
                below += step + 1.0;
                let first = coded.starts[at] as usize;
                Term { weight: (step * 256.0) as u32, runs, first, next: first }
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
            simd::prefetch(&coded.places[postings.start..][..1]);
            simd::prefetch(&coded.codes[postings.start..][..1]);
            bound += share(coded.peaks[run], term.weight);
            Some((term.weight, postings))
        });
        let here: Vec<(u32, Range<usize>)> = here.collect();
        if here.is_empty() || bound < self.least && self.query.name("search_algo") != "TAAT_NAIVE" {
            return;
        }
        for (weight, postings) in here {
            add_up(&mut self.sums, &coded.places[postings.clone()], &coded.codes[postings], weight);
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
        for group in 0..self.peaks.len() {
            if count(self.peaks[group]) < self.least {
                continue;
            }
            for at in (group..WINDOW).step_by(GROUPS) {
                let sum = count(self.sums[at]);
                if sum < self.least {
                    continue;
                }
                self.found.push((start + at as u32, sum));
                if rises {
                    self.best.push(Reverse(sum));
                    if self.best.len() > depth {
                        self.best.pop();
                    }
                    if let Some(Reverse(worst)) = self.best.peek().filter(|_| self.best.len() == depth) {
                        self.least = self.least.max(worst.saturating_sub(margin));
                    }
                }
            }
        }
    }

    /// Measures what was found, the best first, until no other can be among the best.
    fn measure(&mut self, refiner: &Refiner<'_>, q: usize, scale: &Scale) -> Hits {
        let least = self.least;
        self.found.retain(|(_, sum)| *sum >= least);
        self.found.sort_unstable_by_key(|(row, sum)| (Reverse(*sum), *row));
        let k = self.query.k();
        let split = (k + FIRST).min(self.found.len());
        let rows = |found: &[(u32, u32)]| found.iter().map(|(row, _)| *row).collect::<Vec<u32>>();
        let mut hits = refiner.refine(q, &rows(&self.found[..split]), self.query).hits;
        // Without what was dropped of a query, sums say nothing of scores.
        let is_known = scale.above > 0;
        let worst = hits.scores.get(k.wrapping_sub(1)).filter(|_| is_known);
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
fn share(code: u8, weight: u32) -> u32 {
    (u32::from(code) * weight + 256) >> 8
}

/// The sum that is meant.
#[inline]
fn count(sum: i16) -> u32 {
    (i32::from(sum) - i32::from(NONE)) as u32
}

fn add_up(sums: &mut [i16; WINDOW], places: &[u16], codes: &[u8], weight: u32) {
    for (place, code) in places.iter().zip(codes) {
        let sum = &mut sums[usize::from(*place) % WINDOW];
        *sum = sum.wrapping_add(share(*code, weight) as i16);
    }
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
