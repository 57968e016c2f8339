//! Best-first search. Invariant: `pool` is sorted, nearest first, and holds a row at most once.

use std::sync::{Mutex, PoisonError};

use simd::Bits;

use super::links::Links;
use crate::codec::{Codes, Reach};
use crate::hits::{key_of, order};

/// Who is linked to whom.
pub(crate) trait Neighbours {
    /// Calls `each` for every row that `row` links to.
    fn each(&self, row: u32, each: impl FnMut(u32));

    /// Asks the memory for the links of `row`.
    fn prefetch(&self, row: u32);
}

/// What a search needs besides the graph; kept from one to the next, so that nothing is allocated a query.
#[derive(Debug, Default)]
pub(crate) struct Beam {
    /// `order(score, row * 2 + expanded)`.
    pool: Vec<u64>,
    seen: Seen,
    fresh: Vec<u32>,
    /// Neighbours that do not match and whose own neighbours are looked at.
    detours: Vec<u32>,
    scores: Vec<f32>,
}

/// Which rows were scored, one bit each, and which words of that must be wiped.
#[derive(Debug, Default)]
struct Seen {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Seen {
    fn wipe(&mut self, rows: usize) {
        for word in self.touched.drain(..) {
            self.words[word as usize] = 0;
        }
        self.words.resize(rows.div_ceil(64), 0);
    }

    /// Marks a row; false if it was marked already.
    #[inline]
    fn mark(&mut self, row: u32) -> bool {
        let (word, bit) = (row / 64, 1u64 << (row % 64));
        let before = self.words[word as usize];
        if before & bit != 0 {
            return false;
        }
        if before == 0 {
            self.touched.push(word);
        }
        self.words[word as usize] = before | bit;
        true
    }

    fn unmark(&mut self, row: u32) {
        self.words[row as usize / 64] &= !(1 << (row % 64));
    }
}

impl Beam {
    /// Fills the pool with up to `ef` near rows: starts with `entries` and follows the links of the nearest row not
    /// yet followed, until the `ef` nearest rows seen are all followed.
    pub(crate) fn search<C: Codes>(
        &mut self,
        codes: &C,
        probe: &C::Probe,
        links: &impl Neighbours,
        entries: &[u32],
        ef: usize,
    ) {
        self.seen.wipe(codes.len());
        self.pool.clear();
        self.fresh.clear();
        for entry in entries {
            if self.seen.mark(*entry) {
                self.fresh.push(*entry);
            }
        }
        self.score_fresh(codes, probe, ef);
        let mut next = 0;
        while next < self.pool.len() {
            self.pool[next] |= 1;
            let row = row_of(self.pool[next]);
            let Self { fresh, seen, .. } = self;
            fresh.clear();
            links.each(row, |row| {
                if seen.mark(row) {
                    fresh.push(row);
                }
            });
            let nearest = self.score_fresh(codes, probe, ef);
            next = nearest.min(next);
            while self.pool.get(next).is_some_and(|entry| entry & 1 == 1) {
                next += 1;
            }
            if let Some(entry) = self.pool.get(next) {
                links.prefetch(row_of(*entry));
            }
        }
    }

    /// The same among the rows that are in `mask`. A row that is not is never scored and never in the pool; its links are
    /// followed in its place, until there are half as many rows to score as a row has links (the predicate subgraph with
    /// two-hop neighbours of ACORN-1: Patel et al., SIGMOD 2024, section 5).
    pub(crate) fn search_among<C: Codes>(
        &mut self,
        codes: &C,
        probe: &C::Probe,
        links: &Links,
        entries: impl Iterator<Item = u32>,
        (ef, mask, share): (usize, &Bits, f32),
    ) {
        self.seen.wipe(codes.len());
        self.pool.clear();
        self.fresh.clear();
        self.fresh.extend(entries.filter(|entry| mask.get(*entry as usize) && self.seen.mark(*entry)));
        let most = (ef as f32 * LIFT_MAX) as usize;
        self.score_fresh(codes, probe, most);
        let (mut next, mut limit) = (0, ef);
        let mut met = Met::default();
        while next < self.pool.len().min(limit) {
            self.pool[next] |= 1;
            self.gather(row_of(self.pool[next]), links, mask, &mut met);
            limit = limit.max((ef as f32 * met.lift(share)) as usize);
            let nearest = self.score_fresh(codes, probe, most);
            next = nearest.min(next);
            while self.pool.get(next).is_some_and(|entry| entry & 1 == 1) {
                next += 1;
            }
            if let Some(entry) = self.pool.get(next) {
                links.prefetch(row_of(*entry));
            }
        }
    }

    /// Makes the rows of `mask` around `row` that were not seen the fresh ones.
    fn gather(&mut self, row: u32, links: &Links, mask: &Bits, met: &mut Met) {
        let Self { fresh, seen, detours, .. } = self;
        fresh.clear();
        detours.clear();
        links.each(row, |near| {
            let matches = mask.get(near as usize);
            met.rows += 1;
            met.matching += u32::from(matches);
            if seen.mark(near) {
                if matches {
                    fresh.push(near);
                } else {
                    links.prefetch(near);
                    detours.push(near);
                }
            }
        });
        let enough = links.width / 2;
        for detour in detours.drain(..) {
            if fresh.len() >= enough {
                // Not followed now, so it may be met again.
                seen.unmark(detour);
                continue;
            }
            links.each(detour, |near| {
                if mask.get(near as usize) && seen.mark(near) {
                    fresh.push(near);
                }
            });
        }
    }

    /// Scores the fresh rows into the pool; returns the lowest place that changed.
    #[inline]
    fn score_fresh<C: Codes>(&mut self, codes: &C, probe: &C::Probe, ef: usize) -> usize {
        let Self { pool, fresh, scores, .. } = self;
        codes.scores(probe, fresh, Reach::Scattered, scores);
        let mut lowest = usize::MAX;
        for (row, score) in fresh.iter().zip(scores.iter()) {
            lowest = lowest.min(insert(pool, order(*score, row << 1), ef));
        }
        lowest
    }

    /// The rows found and their scores, nearest first.
    pub(crate) fn found(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.pool.iter().map(|entry| (row_of(*entry), key_of(*entry)))
    }
}

/// Neighbours met on a walk among the rows of a mask.
#[derive(Debug, Default)]
struct Met {
    rows: u32,
    matching: u32,
}

/// How much more effort a mask may ask for.
const LIFT_MAX: f32 = 3.0;
/// Neighbours after which their share is trusted.
const MET_MIN: u32 = 64;

impl Met {
    /// How many times more often neighbours match than rows at large, of which a `share` does. Far more often means that
    /// what matches lies together, and so that most queries lie elsewhere: from far away many rows look equally near, and
    /// the walk must keep more of them.
    fn lift(&self, share: f32) -> f32 {
        if self.rows < MET_MIN {
            return 1.0;
        }
        (self.matching as f32 / self.rows as f32 / share).clamp(1.0, LIFT_MAX)
    }
}

#[inline]
fn row_of(entry: u64) -> u32 {
    entry as u32 >> 1
}

/// Puts an entry in its place if it is among the `ef` nearest; returns the place, or `usize::MAX`.
#[inline]
fn insert(pool: &mut Vec<u64>, entry: u64, ef: usize) -> usize {
    if pool.len() >= ef {
        match pool.last() {
            Some(last) if entry < *last => pool.pop(),
            _ => return usize::MAX,
        };
    }
    let place = pool.partition_point(|other| *other < entry);
    pool.insert(place, entry);
    place
}

/// Beams that wait for the next search.
#[derive(Debug, Default)]
pub(crate) struct Beams {
    idle: Mutex<Vec<Beam>>,
}

impl Beams {
    /// Lends a beam to `work`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Beam) -> R) -> R {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut beam = idle().pop().unwrap_or_default();
        let result = work(&mut beam);
        idle().push(beam);
        result
    }
}
