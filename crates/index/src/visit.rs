//! A search among the rows of a mask, through lists that say no more than which rows are in them. Invariant: only rows of the mask are
//! found, as many as asked for if there are so many.
//!
//! Rows that match are scored by the codes that there are of all rows anyway, list after list from the nearest on, until what is looked at
//! brings few rows that are kept, or until there are some to begin a walk with. (Lists with codes of their own, of a bit an element, are searched by those: `graph/visit.rs`.)

use simd::Bits;

use crate::Vectors;
use crate::codec::{Bytes8, Codes, Reach, Space};
use crate::gates;
use crate::hits::{key_of, order};
use crate::shares::{End, LATE, Shares, cut, sort_on};

/// When a search ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// Rows that are kept.
    pub(crate) keep: usize,
    /// The nearest, of which the later half of the rows looked at must have brought few.
    pub(crate) judged: usize,
    /// Whether a walk goes on from where matching rows lie together.
    pub(crate) walks: bool,
}

/// A query aimed at lists, and what a search of them needs; kept from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Visit {
    probe: Bytes8,
    gate: gates::Aim,
    wide: Vec<f32>,
    /// Lists, nearest first as far as they are put in order.
    ranked: Vec<u64>,
    some: Vec<u32>,
    terms: Vec<f32>,
    /// Where the codes are of the rows looked at, one after the other.
    looked: Vec<u32>,
    /// `order(score, place among those looked at)`.
    kept: Vec<u64>,
    judged: Vec<u64>,
}

impl Visit {
    /// Aims at query `q`.
    pub(crate) fn aim(&mut self, (shares, space): (&Shares, &Space), queries: Vectors<'_>, q: usize) {
        let Self { probe, gate, wide, ranked, terms, looked, .. } = self;
        let centers = shares.centers(space);
        centers.aim(probe, queries, q);
        if let Some(gates) = shares.gates() {
            return gates.orders(gates.aim(queries.floats(q, wide), gate), ranked);
        }
        looked.clear();
        looked.extend(0..centers.len() as u32);
        centers.scores(probe, looked, Reach::Streamed, terms);
        ranked.clear();
        ranked.extend((0..).zip(&*terms).map(|(list, term)| order(*term, list)));
    }

    /// The share of the rows in the lists nearest to the query that are in `mask`.
    pub(crate) fn share_near(&mut self, shares: &Shares, mask: &Bits) -> f32 {
        shares.share_near(&mut self.ranked, mask)
    }

    /// The rows of `mask` that seem nearest to the query that this and `probe` are aimed at, nearest first, `keep` if there are so
    /// many, each as the place of its code, which `place` gives. Returns whether these are but rows from which a walk along those of the mask
    /// leads to the nearest.
    pub(crate) fn search<C: Codes>(
        &mut self,
        (shares, space): (&Shares, &Space),
        (mask, place): (&Bits, impl Fn(u32) -> u32),
        (codes, probe): (&C, &C::Probe),
        goal: Goal,
        found: &mut Vec<(u32, f32)>,
    ) -> bool {
        let Self { probe: aimed, ranked, some, terms, looked, kept, judged, .. } = self;
        let (words, keep, centers) = (mask.words(), goal.keep.max(goal.judged), shares.centers(space));
        looked.clear();
        kept.clear();
        let (mut end, mut sorted, mut limit) = (End::new(goal.judged, LATE, goal.walks), 0, u64::MAX);
        for rank in 0..ranked.len() {
            if rank == sorted {
                sorted = sort_on((&centers, aimed), (ranked, sorted), (some, terms));
            }
            let members = shares.members(ranked[rank] as u32 as usize);
            let from = looked.len();
            let mut count = from;
            looked.resize(from + members.len(), 0);
            // Without a branch on what can't be foretold.
            for row in members {
                looked[count] = *row;
                count += (words[*row as usize / 64] >> (row % 64) & 1) as usize;
            }
            looked.truncate(count);
            looked[from..].iter_mut().for_each(|row| *row = place(*row));
            codes.scores(probe, &looked[from..], Reach::Scattered, terms);
            for (place, score) in (from as u32..).zip(&*terms) {
                let order = order(*score, place);
                if order < limit {
                    kept.push(order);
                }
            }
            if kept.len() >= 2 * keep {
                limit = cut(kept, keep);
            }
            let half = looked.len() as u32 / 2;
            end.together.note(looked.len() - from, members.len());
            if end.has_come(looked.len(), kept, judged, || move |place| place >= half) {
                break;
            }
        }
        cut(kept, keep);
        kept.sort_unstable();
        found.clear();
        found.extend(kept.iter().map(|entry| (looked[*entry as u32 as usize], key_of(*entry))));
        end.is_before_walk()
    }
}
