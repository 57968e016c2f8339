//! Lists of rows beside a graph on disk, for searches among the rows of a mask. Invariant: what [`Lists::read`] accepts names
//! every row that exists once, and no other.
//!
//! Codes of all rows are in memory, so a list need say no more than which rows are in it: those that match are scored by
//! their codes, list after list from the nearest on, until what is looked at brings few rows that are kept (as beside a graph in
//! memory, docs/decisions/0360). Only the best are read.

use host::{Cancel, Pool, Rng};
use simd::Bits;

use crate::codec::{ByteRows, Bytes8, Codes, Reach, SketchRows, Space};
use crate::hits::{key_of, order};
use crate::image::{Array, Image};
use crate::kmeans::{nearest, train};
use crate::{Error, Vectors};

/// Rows that have no lists: all their codes are looked at in less time than lists take.
const ROWS_MIN: usize = 256;
/// Rows assigned by one task.
const TASK: usize = 1024;
/// Lists that are put in order at first; then twice as many, and so on.
const FIRST: usize = 32;
/// Lists that tell what lies around a query.
const NEAR: usize = 3;
/// What share of the rows kept the later half of what was looked at may have brought at the end.
const LATE: f32 = 0.1;

/// Lists that can be searched.
#[derive(Debug)]
pub(super) struct Lists {
    /// Where each list starts among the members, and where the last ends.
    starts: Array<u32>,
    /// Row numbers, list by list.
    members: Array<u32>,
    /// The centres, a byte an element.
    centers: Array<i8>,
    /// The slot of each row.
    slots: Vec<u32>,
}

/// Lists that were made.
pub(super) struct Shared {
    starts: Vec<u32>,
    members: Vec<u32>,
    centers: Vec<i8>,
}

impl Shared {
    /// Shares out `vectors`, which `rows` are coded, if there are enough.
    pub(super) fn new(
        rows: &ByteRows<'_>,
        vectors: Vectors<'_>,
        seed: u64,
        (pool, cancel): (&Pool, &Cancel),
    ) -> Result<Option<Self>, Error> {
        let (space, len) = (rows.space, vectors.len());
        if len < ROWS_MIN {
            return Ok(None);
        }
        let mut rng = Rng::new(seed).child("lists");
        let near = |centers: &Vec<i8>, ids: &[u32]| nearest(rows, ids, &ByteRows::new(space, centers), pool);
        let means = |lists: &[Vec<u32>]| space.means(vectors, lists, pool);
        let coded = train((len, len.isqrt() * 3 / 2), &mut rng, cancel, near, means)?;
        let stride = space.stride();
        let mut lists = vec![Vec::new(); coded.len() / stride];
        let ids: Vec<u32> = (0..len as u32).collect();
        for ids in ids.chunks(TASK) {
            cancel.check()?;
            ids.iter().zip(near(&coded, ids)).for_each(|(id, list)| lists[list as usize].push(*id));
        }
        let filled = coded.chunks_exact(stride).zip(&lists).filter(|(_, list)| !list.is_empty());
        let centers = filled.flat_map(|(center, _)| center).copied().collect();
        lists.retain(|list| !list.is_empty());
        let mut starts = vec![0u32];
        lists.iter().for_each(|list| starts.push(starts[starts.len() - 1] + list.len() as u32));
        Ok(Some(Self { starts, members: lists.concat(), centers }))
    }

    /// Bytes in memory, that of the slots of rows among them.
    pub(super) fn bytes(&self) -> usize {
        4 * (self.starts.len() + 2 * self.members.len()) + self.centers.len()
    }

    /// Adds the sections to an image.
    pub(super) fn write(self, image: &mut Image) {
        image.push("list-starts", self.starts);
        image.push("list-members", self.members);
        image.push("list-centers", self.centers);
    }
}

impl Lists {
    /// Reads back what [`Shared::write`] wrote, if there is any; `order` has the row of each slot.
    pub(super) fn read(
        (space, order): (&Space, &[u32]),
        is_copied: bool,
        image: &Image,
    ) -> Result<Option<Self>, Error> {
        if !image.sections.iter().any(|(name, _)| name.starts_with("list-")) {
            return Ok(None);
        }
        let rows = order.len();
        let starts: Array<u32> = image.list("list-starts")?;
        let members: Array<u32> = image.array("list-members", rows)?;
        let rising = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rising || starts.first() != Some(&0) || starts.last() != Some(&(rows as u32)) {
            return Err(Error::Corrupt { what: "list-starts" });
        }
        let mut seen = Bits::zeros(rows);
        for row in members.iter() {
            if *row as usize >= rows || seen.get(*row as usize) {
                return Err(Error::Corrupt { what: "list-members" });
            }
            seen.set(*row as usize, true);
        }
        let centers: Array<i8> = image.array("list-centers", (starts.len() - 1) * space.stride())?;
        let mut slots = vec![0; rows];
        (0..).zip(order).for_each(|(slot, row)| slots[*row as usize] = slot);
        Ok(Some(match is_copied {
            true => {
                Self { starts: starts.copied(), members: members.copied(), centers: centers.copied(), slots }
            }
            false => Self { starts, members, centers, slots },
        }))
    }

    /// Bytes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        4 * (self.starts.len() + self.members.len() + self.slots.len()) + self.centers.len()
    }

    /// The slots of the rows of `mask`.
    pub(super) fn slots_of<'a>(&'a self, mask: &'a Bits) -> impl Iterator<Item = u32> + 'a {
        mask.iter().map(|row| self.slots[row])
    }

    fn members(&self, list: usize) -> &[u32] {
        &self.members[self.starts[list] as usize..self.starts[list + 1] as usize]
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
        let centers = ByteRows::new(space, &lists.centers);
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
        let (mut all, mut matching) = (0usize, 0usize);
        for list in self.ranked.iter().take(NEAR) {
            let members = lists.members(*list as u32 as usize);
            all += members.len();
            matching += members.iter().filter(|row| mask.get(**row as usize)).count();
        }
        matching as f32 / all.max(1) as f32
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
            let members = lists.members(ranked[rank] as u32 as usize);
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

/// Leaves the smallest `keep`; gives the last of them, if there are so many.
fn cut(kept: &mut Vec<u64>, keep: usize) -> u64 {
    if kept.len() < keep || keep == 0 {
        return u64::MAX;
    }
    let (_, last, _) = kept.select_nth_unstable(keep - 1);
    let last = *last;
    kept.truncate(keep);
    last
}
