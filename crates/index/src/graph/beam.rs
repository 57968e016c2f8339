//! Best-first search. Invariant: `pool` is sorted, nearest first, and holds a row at most once.

use std::sync::{Mutex, PoisonError};

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
