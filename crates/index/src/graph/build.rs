//! Making a graph. Invariant: a row chooses its links by itself, and ways back are merged in the order of row numbers,
//! so the result does not depend on the number of threads.

use std::ops::Range;

use host::{Cancel, Pool, Progress, Rng};
use simd::Bits;

use super::beam::Neighbours;
use super::links::Draft;
use super::partition::{Candidates, candidates};
use super::prune::Pruner;
use crate::Error;
use crate::codec::Pairs;

/// Entries at most.
const ENTRIES: usize = 256;
/// Entries that may be added for parts of the graph that hang together with no other.
const MORE_ENTRIES: usize = 1024;
/// Rows worked on by one task.
const CHUNK: usize = 16;
/// Rows whose links are merged at once.
const BATCH: usize = 4096;

/// So many more links lead to a row after each round of giving free places away.
const WAYS: usize = 4;

/// A finished graph.
pub(crate) struct Built {
    /// `2 m` places a row, or as many as were to be filled.
    pub(crate) links: Vec<u32>,
    /// Where searches start.
    pub(crate) entries: Vec<u32>,
}

/// Links every row of `codes` to near ones, at most `m` of its own choice and `2 m` in all, the more candidates the more `ef`.
///
/// Where places are filled, `fill` in all, a row's own choice is of half as many again, and places that are free then go to rows that few
/// links lead to, and to the nearest candidates: see docs/decisions/0490.
pub(crate) fn build<C: Pairs>(
    codes: &C,
    (m, ef, fill): (usize, usize, usize),
    seed: u64,
    pool: &Pool,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Built, Error> {
    let (rows, rng) = (codes.len(), Rng::new(seed));
    let mut sample: Vec<u32> = (0..rows as u32).collect();
    rng.child("entries").shuffle(&mut sample);
    sample.truncate(entry_count(rows));
    let keep = if fill > 0 { ef / 8 * 3 } else { ef / 2 }.clamp(2 * m, 8 * m);
    let fan = (ef / 16).clamp(2, 32);
    let done = (cancel, |rows| progress.add(rows as u64));
    let candidates = candidates(codes, (keep, fan), &mut rng.child("groups"), pool, done)?;
    let own = if fill > 0 { m + m / 2 } else { m };
    let mut maker = Maker { codes, m, own, draft: Draft::new(rows, fill.max(3 * m)), pool };
    for start in (0..rows).step_by(BATCH) {
        cancel.check()?;
        maker.add(start..(start + BATCH).min(rows), &candidates);
    }
    maker.trim();
    maker.lead(&candidates, fill);
    maker.fill(&candidates, fill);
    connect(&maker.draft, &mut sample);
    Ok(Built { links: maker.draft.finish(fill.max(2 * m)), entries: sample })
}

/// Makes entries of rows that no entry leads to, the first of each part that hangs together.
fn connect(draft: &Draft, entries: &mut Vec<u32>) {
    let rows = draft.rows();
    let mut reached = Bits::zeros(rows);
    let mut waiting = Vec::new();
    let limit = entries.len() + MORE_ENTRIES;
    let mut given = entries.clone().into_iter();
    let mut next = 0;
    loop {
        let start = given.next().or_else(|| {
            let lost = (next..rows).find(|row| !reached.get(*row))?;
            next = lost;
            entries.push(lost as u32);
            Some(lost as u32)
        });
        let Some(start) = start.filter(|_| entries.len() <= limit) else { break };
        waiting.push(start);
        while let Some(row) = waiting.pop() {
            if !reached.get(row as usize) {
                reached.set(row as usize, true);
                draft.each(row, |row| waiting.push(row));
            }
        }
    }
    entries.truncate(limit);
}

/// As many entries as make looking at them about as dear as walking.
fn entry_count(rows: usize) -> usize {
    rows.isqrt().clamp(1, ENTRIES).min(rows)
}

struct Maker<'a, C> {
    codes: &'a C,
    m: usize,
    /// Links of a row's own choice at most.
    own: usize,
    draft: Draft,
    pool: &'a Pool,
}

impl<C: Pairs> Maker<'_, C> {
    fn pruner(&self) -> Pruner<C::Probe> {
        let probe = self.codes.probe();
        if self.own > self.m { Pruner::of_many(probe) } else { Pruner::new(probe) }
    }

    /// Links the rows of a range to the best of their candidates, and back.
    fn add(&mut self, range: Range<usize>, candidates: &Candidates) {
        let this = &*self;
        let chosen: Vec<Vec<Vec<u64>>> = self.pool.map(range.len().div_ceil(CHUNK), |chunk| {
            let mut pruner = this.pruner();
            let rows = range.clone().skip(chunk * CHUNK).take(CHUNK);
            rows.map(|row| {
                let mut links = candidates.of(row as u32).to_vec();
                pruner.prune(this.codes, &mut links, this.own);
                links
            })
            .collect()
        });
        let mut back = Vec::new();
        for (row, links) in range.zip(chosen.into_iter().flatten()) {
            let row = row as u32;
            back.extend(links.iter().map(|link| (*link as u32, link >> 32 << 32 | u64::from(row))));
            back.extend(links.iter().map(|link| (row, *link)));
        }
        back.sort_unstable();
        back.dedup();
        self.link_back(&back);
    }

    /// Adds the way back for every link: `(to, order(distance, from))`, sorted.
    fn link_back(&mut self, back: &[(u32, u64)]) {
        let groups: Vec<&[(u32, u64)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
        let full: Vec<&[(u32, u64)]> =
            groups.into_iter().filter(|group| !self.draft.extend(group[0].0, group)).collect();
        let this = &*self;
        let pruned: Vec<Vec<Vec<u64>>> = self.pool.map(full.len().div_ceil(CHUNK), |chunk| {
            let mut pruner = this.pruner();
            let groups = full[chunk * CHUNK..].iter().take(CHUNK);
            let pruned = groups.map(|group| {
                let mut links = this.draft.of(group[0].0).to_vec();
                links.extend(group.iter().map(|(_, link)| *link));
                this.prune_sorted(links, &mut pruner)
            });
            pruned.collect()
        });
        for (group, links) in full.iter().zip(pruned.iter().flatten()) {
            self.draft.set(group[0].0, links);
        }
    }

    fn prune_sorted(&self, mut links: Vec<u64>, pruner: &mut Pruner<C::Probe>) -> Vec<u64> {
        links.sort_unstable();
        links.dedup();
        pruner.prune(self.codes, &mut links, 2 * self.m);
        links
    }

    /// Gives free places, of `width` in all, to rows that few links lead to, for as long as there are fewer than places of a row: first to
    /// those that have the fewest. A search meets a row only along links that lead to it, and misses those that have few.
    fn lead(&mut self, candidates: &Candidates, width: usize) {
        let rows = self.codes.len() as u32;
        let mut ways = vec![0u32; rows as usize];
        (0..rows).for_each(|row| self.draft.each(row, |near| ways[near as usize] += 1));
        for enough in (0..=width as u32).step_by(WAYS).skip(1) {
            for (row, ways) in (0..rows).zip(&mut ways) {
                for candidate in candidates.of(row) {
                    if *ways >= enough {
                        break;
                    }
                    let (near, back) = (*candidate as u32, candidate >> 32 << 32 | u64::from(row));
                    let links = self.draft.of(near);
                    if links.len() < width && !links.contains(&back) {
                        self.draft.extend(near, &[(near, back)]);
                        *ways += 1;
                    }
                }
            }
        }
    }

    /// Gives free places, up to `width` in all, to the nearest candidates that are not linked yet.
    fn fill(&mut self, candidates: &Candidates, width: usize) {
        for row in 0..self.codes.len() as u32 {
            let mut links = self.draft.of(row).to_vec();
            for candidate in candidates.of(row) {
                if links.len() >= width {
                    break;
                }
                if !links.contains(candidate) {
                    links.push(*candidate);
                }
            }
            self.draft.set(row, &links);
        }
    }

    /// Brings every row down to `2 m` links.
    fn trim(&mut self) {
        let long: Vec<u32> =
            (0..self.codes.len() as u32).filter(|row| self.draft.of(*row).len() > 2 * self.m).collect();
        let this = &*self;
        let pruned: Vec<Vec<Vec<u64>>> = self.pool.map(long.len().div_ceil(CHUNK), |chunk| {
            let mut pruner = this.pruner();
            let rows = long[chunk * CHUNK..].iter().take(CHUNK);
            rows.map(|row| this.prune_sorted(this.draft.of(*row).to_vec(), &mut pruner)).collect()
        });
        for (row, links) in long.iter().zip(pruned.iter().flatten()) {
            self.draft.set(*row, links);
        }
    }
}
