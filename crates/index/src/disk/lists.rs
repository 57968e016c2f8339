//! Lists of rows beside a graph on disk, for searches among the rows of a mask. Invariant: the slot of a row holds that row.
//!
//! Codes of all rows are in memory, so a list need say no more than which rows are in it: those that match are scored by
//! their codes, list after list from the nearest on, until what is looked at brings few rows that are kept (as beside a graph in
//! memory, docs/decisions/0360). Only the best are read.

use simd::Bits;

use crate::codec::{Bytes8, Codes, Reach, SketchRows, Space};
use crate::hits::{key_of, order};
use crate::image::Image;
use crate::shares::{LATE, NEAR, Shares, cut};
use crate::{Error, Vectors};

/// Lists that are put in order at first; then twice as many, and so on.
const FIRST: usize = 32;

/// Lists that can be searched.
#[derive(Debug)]
pub(super) struct Lists {
    shares: Shares,
    /// The slot of each row.
    slots: Vec<u32>,
}

impl Lists {
    /// Reads back what [`Shared`](crate::shares::Shared) wrote, if there is any; `order` has the row of each slot.
    pub(super) fn read(
        (space, order): (&Space, &[u32]),
        is_copied: bool,
        image: &Image,
    ) -> Result<Option<Self>, Error> {
        let Some(shares) = Shares::read(space, order.len(), image)? else { return Ok(None) };
        let mut slots = vec![0; order.len()];
        (0..).zip(order).for_each(|(slot, row)| slots[*row as usize] = slot);
        let shares = if is_copied { shares.copied() } else { shares };
        Ok(Some(Self { shares, slots }))
    }

    /// Bytes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        4 * self.slots.len() + self.shares.bytes()
    }

    /// The slots of the rows of `mask`.
    pub(super) fn slots_of<'a>(&'a self, mask: &'a Bits) -> impl Iterator<Item = u32> + 'a {
        mask.iter().map(|row| self.slots[row])
    }
}

/// A query aimed at lists, and what a search of them needs; kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Visit {
    probe: Bytes8,
    /// Lists, nearest first as far as they are put in order.
    ranked: Vec<u64>,
    terms: Vec<f32>,
    /// The slots looked at, one after the other.
    looked: Vec<u32>,
    /// `order(score, place among those looked at)`.
    kept: Vec<u64>,
    judged: Vec<u64>,
}

impl Visit {
    /// Aims at query `q`.
    pub(super) fn aim(&mut self, (lists, space): (&Lists, &Space), queries: Vectors<'_>, q: usize) {
        let Self { probe, ranked, terms, looked, .. } = self;
        let centers = lists.shares.centers(space);
        centers.aim(probe, queries, q);
        looked.clear();
        looked.extend(0..centers.len() as u32);
        centers.scores(probe, looked, Reach::Streamed, terms);
        ranked.clear();
        ranked.extend((0..).zip(&*terms).map(|(list, term)| order(*term, list)));
        sort_first(ranked, FIRST);
    }

    /// The share of the rows in the lists nearest to the query that are in `mask`.
    pub(super) fn share_near(&self, lists: &Lists, mask: &Bits) -> f32 {
        lists.shares.share_of(&self.ranked[..NEAR.min(self.ranked.len())], mask)
    }

    /// The slots of rows of `mask` that seem nearest to the query that this and `probe` are aimed at, nearest first, `keep` if there
    /// are so many. It ends once the later half of the rows looked at brought few of the nearest `judged`.
    pub(super) fn search(
        &mut self,
        lists: &Lists,
        mask: &Bits,
        (codes, probe): (&SketchRows<'_>, &<SketchRows<'_> as Codes>::Probe),
        (keep, judged_count): (usize, usize),
        found: &mut Vec<(u32, f32)>,
    ) {
        let Self { ranked, terms, looked, kept, judged, .. } = self;
        let (words, keep) = (mask.words(), keep.max(judged_count));
        looked.clear();
        kept.clear();
        let (mut check, mut sorted, mut limit) = (2 * judged_count, FIRST, u64::MAX);
        for rank in 0..ranked.len() {
            if rank == sorted {
                sort_first(&mut ranked[sorted..], sorted);
                sorted *= 2;
            }
            let members = lists.shares.members(ranked[rank] as u32 as usize);
            let from = looked.len();
            let mut count = from;
            looked.resize(from + members.len(), 0);
            // Without a branch on what can't be foretold.
            for row in members {
                looked[count] = *row;
                count += (words[*row as usize / 64] >> (row % 64) & 1) as usize;
            }
            looked.truncate(count);
            looked[from..].iter_mut().for_each(|row| *row = lists.slots[*row as usize]);
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
            if looked.len() >= check && kept.len() >= judged_count {
                check = looked.len() + looked.len() / 4;
                judged.clone_from(kept);
                cut(judged, judged_count);
                let half = looked.len() / 2;
                let late = judged.iter().filter(|entry| **entry as u32 as usize >= half).count();
                if late as f32 <= LATE * judged_count as f32 {
                    break;
                }
            }
        }
        cut(kept, keep);
        kept.sort_unstable();
        found.clear();
        found.extend(kept.iter().map(|entry| (looked[*entry as u32 as usize], key_of(*entry))));
    }
}

/// Puts the `count` smallest in front, in order.
fn sort_first(entries: &mut [u64], count: usize) {
    let count = count.min(entries.len());
    if count < entries.len() {
        entries.select_nth_unstable(count);
    }
    entries[..count].sort_unstable();
}
