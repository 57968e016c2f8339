//! Search by whole numbers: in windows of rows, what the codes of a query's dimensions say is added up in two bytes a row,
//! and the rows that may be among the best are measured. Invariant: how far a sum may lie from the score is known before
//! anything is added up, so no row of the best is passed over.
//!
//! Windows whose sums stay in the nearest cache are those of Li et al., "SINDI: an efficient index for approximate maximum inner
//! product search on sparse vectors" (arXiv 2509.08395); here what is found is exact.

use std::cmp::Reverse;
use std::ops::Range;

use host::Cancel;
use simd::Bits;

use super::coded::{CODE_MAX, CODES, Coded, Lists, WINDOW};
use super::levels::Levels;
use crate::refine::Refiner;
use crate::vectors::pairs_of;
use crate::{Error, Hits, Query, scan};

/// The largest sum.
const SUM_MAX: f64 = 65_000.0;
/// A sum of nothing. With a sign, the larger of two sums is one instruction everywhere; of two equal bytes, it is quickly written.
const NONE: i16 = i16::from_ne_bytes([0x80; 2]);
/// The most dimensions of a query that are added up.
const TERMS_MAX: usize = 4096;
/// Groups of sums for each row that is looked for, so that few of the best are in one group; and how many groups there are at least, and at most.
const GROUPS_EACH: usize = 8;
const GROUPS_MIN: usize = 64;
const GROUPS_MAX: usize = 1024;
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
/// Postings of which it is asked once whether they still count.
const STEP: usize = 16;
/// Matching rows of a window that are all taken out where it is not known how large sums must be.
const FEW: usize = 512;
/// Postings from which on it pays to work out first what each code adds.
const TABLE_POSTINGS_MIN: usize = 256;

/// A dimension of the query.
#[derive(Debug)]
struct Term {
    /// What a level of 65,536 would count, in units.
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

/// What a search works in. Between searches all sums are [`NONE`], and the rest is of no meaning.
#[derive(Debug)]
pub(super) struct Room {
    /// Sums of the window's rows, from [`NONE`] on, and which of them are large enough.
    sums: Box<[i16; WINDOW]>,
    words: Box<[u64; WINDOW / 64]>,
    /// The largest sum of each group.
    peaks: Box<[i16; GROUPS_MAX]>,
    /// The query; those of its dimensions that rows have, and where these stand.
    pairs: Vec<(u32, f32)>,
    terms: Vec<Term>,
    known: Vec<(usize, f64)>,
    /// What is added up in the window: weights, least codes, postings.
    here: Vec<(u16, u8, Range<usize>)>,
    /// Rows that were good enough when they were found, and their sums.
    found: Vec<(u32, u32)>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            sums: Box::new([NONE; WINDOW]),
            words: Box::new([0; WINDOW / 64]),
            peaks: Box::new([NONE; GROUPS_MAX]),
            pairs: Vec::new(),
            terms: Vec::new(),
            known: Vec::new(),
            here: Vec::new(),
            found: Vec::new(),
        }
    }
}

/// The answers to all queries.
pub(super) fn search(
    coded: &Coded,
    room: &mut Room,
    refiner: &Refiner<'_>,
    (query, mask): (&Query, Option<&Bits>),
    cancel: &Cancel,
) -> Result<Vec<Hits>, Error> {
    let is_naive = query.name("search_algo") == "TAAT_NAIVE";
    let Some(levels) = coded.levels(query) else {
        let Refiner { metric, vectors, queries, .. } = *refiner;
        let mut hits = vec![Hits::default(); queries.len()];
        scan(metric, vectors, queries, 0, mask, query, &mut hits, cancel)?;
        return Ok(hits);
    };
    let mut walk = Walk { coded, lists: coded.lists(), levels, query, mask, is_naive, room, least: 0 };
    (0..refiner.queries.len())
        .map(|q| {
            cancel.check()?;
            walk.one(refiner, q, cancel)
        })
        .collect()
}

struct Walk<'a> {
    coded: &'a Coded,
    lists: Lists<'a>,
    levels: Levels,
    query: &'a Query,
    mask: Option<&'a Bits>,
    /// Whether everything is to be added up.
    is_naive: bool,
    room: &'a mut Room,
    /// What the sum of a row must be at least.
    least: u32,
}

impl Walk<'_> {
    fn one(&mut self, refiner: &Refiner<'_>, q: usize, cancel: &Cancel) -> Result<Hits, Error> {
        let pairs = &mut self.room.pairs;
        pairs.clear();
        pairs.extend(pairs_of(refiner.queries.bytes(q)).filter(|(_, weight)| *weight != 0.0));
        let ratio = f64::from(self.query.real("drop_ratio_search"));
        let dropped = if self.coded.is_ranked { 0 } else { (ratio * pairs.len() as f64) as usize };
        if dropped > 0 {
            pairs.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            pairs.truncate(pairs.len() - dropped);
        }
        if pairs.iter().any(|(_, weight)| *weight < 0.0) || pairs.len() > TERMS_MAX {
            return self.measure_all(refiner, q, cancel);
        }
        let scale = self.terms();
        if self.mask.is_some_and(|mask| mask.count() * MEASURE_COST < self.postings()) {
            return self.measure_all(refiner, q, cancel);
        }
        // What is left out is unknown; the best by the rest are measured.
        let partial = Scale { unit: scale.unit, below: 0, above: 0 };
        if self.coded.is_ranked && ratio > 0.0 {
            self.cut(ratio);
            self.walk(&partial, cancel)?;
            if self.room.found.len() >= self.query.k() {
                return Ok(self.measure(refiner, q, &partial));
            }
            self.terms();
        }
        let scale = if dropped > 0 { partial } else { scale };
        self.walk(&scale, cancel)?;
        Ok(self.measure(refiner, q, &scale))
    }

    /// Finds what may be among the best, window after window.
    fn walk(&mut self, scale: &Scale, cancel: &Cancel) -> Result<(), Error> {
        let depth = if scale.is_known() { self.query.k() } else { self.query.depth() };
        self.room.found.clear();
        self.least = 1;
        if let Some(radius) = self.query.radius().filter(|_| scale.is_known()) {
            let least = (f64::from(radius) * scale.unit).max(0.0) as u32;
            self.least = least.saturating_sub(scale.below).max(1);
        }
        for window in 0..self.coded.rows().div_ceil(WINDOW) as u32 {
            cancel.check()?;
            self.window(window, depth, scale);
        }
        Ok(())
    }

    /// Finds the dimensions that rows have, and gives the scale of their sums.
    fn terms(&mut self) -> Scale {
        let Self { coded, lists, levels, room: Room { pairs, terms, known, .. }, .. } = self;
        known.clear();
        known.extend(pairs.iter().filter_map(|(dim, weight)| Some((coded.of(*dim)?, f64::from(*weight)))));
        for (at, _) in &*known {
            simd::prefetch(&lists.starts[*at..=*at]);
            simd::prefetch(&lists.runs[*at..=*at]);
        }
        // What each adds at most.
        let most = known.iter().map(|(at, weight)| weight * f64::from(lists.steps[*at]) * levels.most);
        let all = most.clone().sum::<f64>();
        let unit = if all > 0.0 { (SUM_MAX - pairs.len() as f64) / all } else { 0.0 };
        let mut below = 0.0;
        terms.clear();
        terms.extend(known.iter().zip(most).map(|((at, _), most)| {
            let most = most * unit;
            below += most * levels.gap + 1.0;
            let (first, runs) =
                (lists.starts[*at] as usize, lists.runs[*at] as usize..lists.runs[at + 1] as usize);
            lists.prefetch(runs.start, first);
            // The largest level is a code of the largest times 256.
            let weight = most * (256.0 / f64::from(CODE_MAX));
            Term { weight: weight as u16, cut: 0, runs, first, next: first }
        }));
        Scale { unit, below: below.ceil() as u32 + ROUNDING, above: terms.len() as u32 + ROUNDING }
    }

    /// Gives each term the least code that counts: one that adds as much as a share of what terms add at most, on average.
    fn cut(&mut self, ratio: f64) {
        let Self { levels, room: Room { terms, .. }, .. } = self;
        let least = CUT_SHARE * ratio * SUM_MAX / terms.len().max(1) as f64;
        terms.retain_mut(|term| {
            let code = levels.code(least * 65_536.0 / f64::from(term.weight.max(1)));
            term.cut = code as u8;
            code < CODES
        });
    }

    /// Postings of all terms.
    fn postings(&self) -> usize {
        let last = |term: &Term| term.runs.end.checked_sub(1).map_or(0, |run| self.lists.ends[run] as usize);
        self.room.terms.iter().map(last).sum()
    }

    /// Takes what may be among the best out of a window.
    fn window(&mut self, window: u32, depth: usize, scale: &Scale) {
        let Self { lists, levels, room: Room { sums, terms, here, .. }, .. } = self;
        let mut bound = 0;
        here.clear();
        for term in terms.iter_mut() {
            let run = term.runs.start;
            if term.runs.is_empty() || lists.windows[run] != window {
                continue;
            }
            let postings = term.next..term.first + lists.ends[run] as usize;
            (term.runs.start, term.next) = (run + 1, postings.end);
            if !term.runs.is_empty() {
                lists.prefetch(run + 1, postings.end);
            }
            if lists.peaks[run] >= term.cut {
                bound += u32::from(share(levels.top(lists.peaks[run]), term.weight));
                here.push((term.weight, term.cut, postings));
            }
        }
        let start = window as usize * WINDOW;
        let mask = self.mask.map(|mask| &mask.words()[start / 64..]);
        let mask = mask.map(|mask| &mask[..mask.len().min(WINDOW / 64)]);
        let matching = mask.map(|mask| mask.iter().map(|word| word.count_ones() as usize).sum());
        if here.is_empty() || matching == Some(0) || bound < self.least && !self.is_naive {
            return;
        }
        for (weight, cut, postings) in here.drain(..) {
            let (places, codes) = (&lists.places[postings.clone()], &lists.codes[postings]);
            match &levels.table {
                None => add_up(sums, places, codes, cut, |code| share(u16::from(code) << 8, weight)),
                Some(table) => {
                    add_up(sums, places, codes, cut, |code| share(table[usize::from(code)], weight));
                }
            }
        }
        let margin = scale.below + scale.above;
        self.rise(mask.zip(matching), depth, margin);
        self.take_out(start as u32, mask, depth, margin);
        self.room.sums.fill(NONE);
    }

    /// Whether rows are looked for that are better than others.
    fn rises(&self, depth: usize) -> bool {
        self.query.range_filter().is_none() && depth > 0
    }

    /// Finds out how large sums must be at least where nothing is known of it yet. `mask` says which rows match, and how many.
    fn rise(&mut self, mask: Option<(&[u64], usize)>, depth: usize, margin: u32) {
        let groups = (GROUPS_EACH * depth).next_power_of_two().clamp(GROUPS_MIN, GROUPS_MAX);
        let is_early = self.rises(depth) && self.room.found.len() < depth && depth <= groups;
        if !is_early || mask.is_some_and(|(_, matching)| matching <= FEW) {
            return;
        }
        let Room { sums, peaks, .. } = &mut *self.room;
        if let Some((mask, _)) = mask {
            leave(sums, mask);
        }
        // As many rows as are asked for have sums no smaller than this.
        simd::peaks(&**sums, &mut peaks[..groups]);
        let (_, peak, _) = peaks[..groups].select_nth_unstable(groups - depth);
        self.least = self.least.max(count(*peak).saturating_sub(margin));
    }

    /// Takes out the rows whose sums are large enough; `margin` is how far below that of the worst they may be.
    fn take_out(&mut self, start: u32, mask: Option<&[u64]>, depth: usize, margin: u32) {
        let rises = self.rises(depth);
        let Room { sums, words, found, .. } = &mut *self.room;
        simd::between(&**sums, sum(self.least), i16::MAX, &mut **words);
        if let Some(mask) = mask {
            let mask = mask.iter().chain(std::iter::repeat(&0));
            words.iter_mut().zip(mask).for_each(|(word, mask)| *word &= mask);
        }
        let before = found.len();
        for (w, word) in words.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                let at = w * 64 + word.trailing_zeros() as usize;
                word &= word - 1;
                found.push((start + at as u32, count(sums[at])));
            }
        }
        if rises && found.len() > before && found.len() >= depth {
            let (_, (_, worst), _) = found.select_nth_unstable_by_key(depth - 1, |(_, sum)| Reverse(*sum));
            self.least = self.least.max(worst.saturating_sub(margin));
            found.retain(|(_, sum)| *sum >= self.least);
        }
    }

    /// Measures what was found, the best first, until no other can be among the best.
    fn measure(&mut self, refiner: &Refiner<'_>, q: usize, scale: &Scale) -> Hits {
        let (found, least, k) = (&mut self.room.found, self.least, self.query.k());
        found.retain(|(_, sum)| *sum >= least);
        let first = k.saturating_add(FIRST);
        let split = if scale.is_known() && first < found.len() {
            found.select_nth_unstable_by_key(first, |(row, sum)| (Reverse(*sum), *row));
            first
        } else {
            found.len()
        };
        let rows = |found: &mut dyn Iterator<Item = &(u32, u32)>| {
            let rows: Vec<u32> = found.map(|(row, _)| *row).collect();
            for row in &rows {
                let bytes = refiner.vectors.bytes(*row as usize);
                simd::prefetch(&bytes[..bytes.len().min(AHEAD)]);
            }
            rows
        };
        let (first, others) = found.split_at(split);
        let mut hits = refiner.refine(q, &rows(&mut first.iter()), self.query).hits;
        let worst = hits.scores.get(k.wrapping_sub(1));
        let least =
            worst.map_or(0, |worst| ((f64::from(*worst) * scale.unit) as u32).saturating_sub(scale.below));
        let others = rows(&mut others.iter().filter(|(_, sum)| *sum >= least));
        if !others.is_empty() {
            hits = hits.merge(&refiner.refine(q, &others, self.query).hits, refiner.metric, k);
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

/// What a code of this level adds to a sum: never nothing, so that a row that has something in common with the query is seen.
#[inline]
fn share(level: u16, weight: u16) -> u16 {
    // 1 more, for a product of whole numbers loses less than that.
    ((u32::from(level) * u32::from(weight)) >> 16) as u16 + 1
}

/// The sum that is meant.
#[inline]
fn count(sum: i16) -> u32 {
    (i32::from(sum) - i32::from(NONE)) as u32
}

/// The sum that stands for `count`, or the largest.
#[inline]
fn sum(count: u32) -> i16 {
    (i32::from(NONE) + count.min(u32::from(u16::MAX)) as i32).min(i32::from(i16::MAX)) as i16
}

/// Adds what postings say whose codes are `cut` or more, and maybe a few more; where there is a cut, codes fall. `share` is what a code adds.
#[inline(always)]
fn add_up(sums: &mut [i16; WINDOW], places: &[u16], codes: &[u8], cut: u8, share: impl Fn(u8) -> u16) {
    if codes.get(TABLE_POSTINGS_MIN).is_some_and(|code| *code >= cut) {
        let shares: [u16; CODES] = std::array::from_fn(|code| share(code as u8));
        add_shares(sums, places, codes, cut, |code| shares[usize::from(code)]);
    } else {
        add_shares(sums, places, codes, cut, share);
    }
}

/// The same, as `share` says it now.
#[inline(always)]
fn add_shares(sums: &mut [i16; WINDOW], places: &[u16], codes: &[u8], cut: u8, share: impl Fn(u8) -> u16) {
    let mut add = |place: u16, code: u8| {
        let sum = &mut sums[usize::from(place) % WINDOW];
        *sum = sum.wrapping_add(share(code) as i16);
    };
    let (places, last_places) = places.as_chunks::<STEP>();
    let (codes, last_codes) = codes.as_chunks::<STEP>();
    for (places, codes) in places.iter().zip(codes) {
        if codes[0] < cut {
            return;
        }
        places.iter().zip(codes).for_each(|(place, code)| add(*place, *code));
    }
    if last_codes.first().is_some_and(|code| *code >= cut) {
        last_places.iter().zip(last_codes).for_each(|(place, code)| add(*place, *code));
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
