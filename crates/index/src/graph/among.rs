//! Best-first search among the rows of a mask. Invariant: as for [`Beam`], and only rows of the mask are in its pool.
//!
//! A row that does not match is never scored; its links are followed in its place (the predicate subgraph with two-hop
//! neighbours of ACORN-1: Patel et al., SIGMOD 2024, section 5), and theirs again while too few rows have come together.
//!
//! How long the walk goes on depends on what it finds. Where the rows it keeps are much farther away than the `k`-th of
//! them, the `k` nearest are surely among them; where many rows are almost equally near, as they are for a query that lies far
//! from all rows that match, more must be looked at. (Stopping by distance instead of by count: Al-Jazzazi et al.,
//! "Distance adaptive beam search for provably accurate graph-based nearest neighbor search", arXiv 2505.15636, 2025.)

use simd::Bits;

use super::beam::{Beam, Neighbours, insert, row_of};
use super::links::Links;
use crate::codec::{Codes, Reach};
use crate::hits::{key_of, order};

/// Lists of links that are asked for ahead.
pub(super) const AHEAD: usize = 6;

/// When a walk has seen enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// How many rows are asked for.
    pub(super) k: usize,
    /// Rows that are followed at least, and at most.
    pub(super) least: usize,
    pub(super) most: usize,
    /// In between it ends with a row that is so many times as far away as the `k`-th.
    pub(super) reach: f32,
    /// How many of all rows match.
    pub(super) share: f32,
    /// Lists of links that are read for one row that is followed, at most, unless it has more links itself.
    pub(super) lists: usize,
}

impl Effort {
    /// The score from which on rows need not be followed.
    fn bound(&self, pool: &[u64]) -> f32 {
        match pool.get(self.k - 1) {
            Some(last) if pool.len() >= self.least => key_of(*last) * self.reach,
            _ => f32::INFINITY,
        }
    }
}

/// The links from a row to rows of a mask.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinksAmong<'a> {
    pub(super) links: &'a Links,
    pub(super) mask: &'a Bits,
}

impl Neighbours for LinksAmong<'_> {
    fn width(&self) -> usize {
        self.links.width()
    }

    #[inline]
    fn each(&self, row: u32, mut each: impl FnMut(u32)) {
        self.links.each(row, |near| {
            if self.mask.get(near as usize) {
                each(near);
            }
        });
    }

    fn prefetch(&self, row: u32) {
        self.links.prefetch(row);
    }

    #[inline]
    fn announce(&self, row: u32) {
        self.links.announce(row);
    }
}

/// Rows that come together around one row; kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Those that match.
    fresh: Vec<u32>,
    /// Those that do not, whose own neighbours may be looked at.
    detours: Vec<u32>,
}

impl Beam {
    /// Fills the pool with near rows of `mask`: starts with those of `entries`, and with those around the row that [`Beam::start`]
    /// finds.
    pub(super) fn search_among<C: Codes>(
        &mut self,
        codes: &C,
        probe: &C::Probe,
        links: &Links,
        entries: impl Iterator<Item = u32>,
        (mask, effort): (&Bits, Effort),
    ) {
        let mut around = std::mem::take(&mut self.around);
        around.fresh.clear();
        around.fresh.extend(entries);
        let start = self.start(codes, probe, links, &around.fresh, (mask, effort.share));
        self.forget(codes.len());
        around.fresh.retain(|entry| mask.get(*entry as usize) && self.seen.mark(*entry));
        self.score_some(codes, probe, &around.fresh, effort);
        if let Some(start) = start {
            let count = self.gather(start, links, (mask, effort.lists), &mut around);
            self.score_some(codes, probe, &around.fresh[..count], effort);
        }
        let mut next = 0;
        while let Some(entry) = self.pool.get(next).filter(|_| next < effort.most) {
            if next >= effort.least && key_of(*entry) > effort.bound(&self.pool) {
                break;
            }
            let row = row_of(*entry);
            self.pool[next] |= 1;
            let count = self.gather(row, links, (mask, effort.lists), &mut around);
            let nearest = self.score_some(codes, probe, &around.fresh[..count], effort);
            next = nearest.min(next);
            while self.pool.get(next).is_some_and(|entry| entry & 1 == 1) {
                next += 1;
            }
            if let Some(entry) = self.pool.get(next) {
                links.prefetch(row_of(*entry));
            }
        }
        self.around = around;
    }

    /// A row near the query, if the nearest entry does not match. Where fewer rows match than elsewhere the query may lie among such
    /// as mostly do not, and to which no walk among those that do leads: then it is as near as links lead.
    fn start<C: Codes>(
        &mut self,
        codes: &C,
        probe: &C::Probe,
        links: &Links,
        entries: &[u32],
        (mask, share): (&Bits, f32),
    ) -> Option<u32> {
        codes.scores(probe, entries, Reach::Scattered, &mut self.scores);
        let scored = entries.iter().zip(&self.scores);
        let (nearest, _) = scored.min_by(|a, b| a.1.total_cmp(b.1))?;
        let (mut near, mut matching) = (0, 0);
        links.each(*nearest, |row| {
            near += 1;
            matching += usize::from(mask.get(row as usize));
        });
        if matching as f32 >= share * near as f32 / 2.0 {
            return Some(*nearest).filter(|row| !mask.get(*row as usize));
        }
        self.search(codes, probe, links, &[*nearest], (1, 1));
        self.found().next().map(|(row, _)| row)
    }

    /// Puts rows of `mask` around `row` that were not seen first in `around.fresh`; returns how many. Half of what matches
    /// is hard to guess, so there are no branches on it.
    fn gather(
        &mut self,
        row: u32,
        links: &Links,
        (mask, most): (&Bits, usize),
        around: &mut Around,
    ) -> usize {
        let enough = links.width / 2;
        let most = most.max(links.width);
        let Around { fresh, detours } = around;
        fresh.resize(enough + 2 * links.width, 0);
        detours.resize(most + links.width, 0);
        let (mut count, mut open) = (0, 0);
        links.each(row, |near| {
            let matches = mask.get(near as usize);
            fresh[count] = near;
            count += usize::from(self.seen.mark_if(near, matches));
            detours[open] = near;
            open += usize::from(!matches);
        });
        if count >= enough {
            return count;
        }
        detours[..open].iter().take(AHEAD).for_each(|near| links.prefetch(*near));
        let mut at = 0;
        while at < open && count < enough {
            let detour = detours[at];
            at += 1;
            if let Some(near) = detours[..open].get(at + AHEAD) {
                links.prefetch(*near);
            }
            if !self.seen.mark(detour) {
                continue;
            }
            let goes_on = open < most;
            links.each(detour, |near| {
                let matches = mask.get(near as usize);
                fresh[count] = near;
                count += usize::from(self.seen.mark_if(near, matches));
                if goes_on {
                    detours[open] = near;
                    open += usize::from(!matches);
                }
            });
        }
        count
    }

    /// Scores rows into the pool, without those that need not be followed; returns the lowest place that changed.
    #[inline]
    fn score_some<C: Codes>(&mut self, codes: &C, probe: &C::Probe, rows: &[u32], effort: Effort) -> usize {
        let Self { pool, scores, .. } = self;
        codes.scores(probe, rows, Reach::Scattered, scores);
        let bound = effort.bound(pool);
        let mut lowest = usize::MAX;
        for (row, score) in rows.iter().zip(scores.iter()) {
            if *score <= bound || key_of(pool[effort.least - 1]) > *score {
                lowest = lowest.min(insert(pool, order(*score, row << 1), effort.most));
            }
        }
        lowest
    }
}
