//! Making a graph. Invariant: a row chooses its links by itself, and ways back are merged in the order of row numbers,
//! so the result does not depend on the number of threads.

use std::ops::Range;

use host::{Cancel, Pool, Rng};
use simd::Bits;

use super::beam::Neighbours;
use super::links::Draft;
use super::partition::{self, Candidates, candidates};
use super::prune::Pruner;
use crate::Error;
use crate::codec::Pairs;
use crate::course::Course;

/// Entries at most.
const ENTRIES: usize = 256;
/// Entries that may be added for parts of the graph that hang together with no other.
const MORE_ENTRIES: usize = 1024;
/// Rows worked on by one task.
const CHUNK: usize = 16;
/// Rows whose links are merged at once.
const BATCH: usize = 4096;

/// Percent of the work that is done when candidates are found, and when they are linked.
const FOUND: u64 = 75;
const LINKED: u64 = 95;

/// So many more links lead to a row after each round of giving free places away.
const WAYS: usize = 4;

/// A finished graph.
pub(crate) struct Built {
    /// `2 m` places a row, or as many as were to be filled.
    pub(crate) links: Vec<u32>,
    /// Where searches start.
    pub(crate) entries: Vec<u32>,
}

/// How many candidates a row has, and of how many groups.
fn breadth((m, ef, fill): (usize, usize, usize)) -> (usize, usize) {
    let keep = if fill > 0 { ef / 8 * 3 } else { ef / 2 };
    (keep.clamp(2 * m, 8 * m), (ef / 16).clamp(2, 32))
}

/// Places of a row for links while these are chosen.
fn drafted((m, _, fill): (usize, usize, usize)) -> usize {
    fill.max(3 * m)
}

/// Bytes that [`build`] takes of `rows` rows of `stride` bytes with so many threads, the graph with it.
pub(crate) fn need_bytes(rows: usize, stride: usize, degree: (usize, usize, usize), threads: usize) -> usize {
    let ((keep, fan), drafted, m) = (breadth(degree), drafted(degree), degree.0);
    // What is chosen of a batch, the ways back, and those rows that these are too many for.
    let batch = BATCH.min(rows) * (56 * m + 64);
    let linking = rows * (8 * keep + 8 * drafted + 4) + batch;
    4 * rows + linking.max(partition::need_bytes(rows, stride, (keep, fan), threads))
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
    mut course: Course<'_>,
) -> Result<Built, Error> {
    let (rows, rng) = (codes.len(), Rng::new(seed));
    let mut sample: Vec<u32> = (0..rows as u32).collect();
    rng.child("entries").shuffle(&mut sample);
    sample.truncate(entry_count(rows));
    sample.shrink_to_fit();
    course.stage(FOUND);
    let (groups, done) = (&mut rng.child("groups"), (cancel, &mut course));
    let candidates = candidates(codes, breadth((m, ef, fill)), groups, pool, done)?;
    let own = if fill > 0 { m + m / 2 } else { m };
    let draft = Draft::new(rows, drafted((m, ef, fill)));
    let mut maker = Maker { codes, m, own, draft, pool, cancel };
    course.stage(LINKED);
    for start in (0..rows).step_by(BATCH) {
        cancel.check()?;
        maker.add(start..(start + BATCH).min(rows), &candidates);
        course.at(start, rows);
    }
    maker.trim()?;
    maker.lead(&candidates, fill)?;
    maker.fill(&candidates, fill)?;
    drop(candidates);
    connect(&maker.draft, &mut sample);
    let links = maker.draft.finish(fill.max(2 * m));
    course.finish();
    Ok(Built { links, entries: sample })
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
        let mut reach = |row: u32, waiting: &mut Vec<u32>| {
            if !reached.get(row as usize) {
                reached.set(row as usize, true);
                waiting.push(row);
            }
        };
        reach(start, &mut waiting);
        while let Some(row) = waiting.pop() {
            draft.each(row, |row| reach(row, &mut waiting));
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
    cancel: &'a Cancel,
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
            let (mut pruner, mut links) = (this.pruner(), Vec::new());
            let rows = range.clone().skip(chunk * CHUNK).take(CHUNK);
            rows.map(|row| {
                links.clear();
                links.extend_from_slice(candidates.of(row as u32));
                pruner.prune(this.codes, &mut links, this.own);
                // With no more room than they take.
                links.as_slice().to_vec()
            })
            .collect()
        });
        let all: usize = chosen.iter().flatten().map(Vec::len).sum();
        let mut back = Vec::with_capacity(2 * all);
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
            let (mut pruner, mut links) = (this.pruner(), Vec::new());
            let groups = full[chunk * CHUNK..].iter().take(CHUNK);
            let pruned = groups.map(|group| {
                links.clear();
                links.extend_from_slice(this.draft.of(group[0].0));
                links.extend(group.iter().map(|(_, link)| *link));
                this.prune_sorted(&mut links, &mut pruner)
            });
            pruned.collect()
        });
        for (group, links) in full.iter().zip(pruned.iter().flatten()) {
            self.draft.set(group[0].0, links);
        }
    }

    fn prune_sorted(&self, links: &mut Vec<u64>, pruner: &mut Pruner<C::Probe>) -> Vec<u64> {
        links.sort_unstable();
        links.dedup();
        pruner.prune(self.codes, links, 2 * self.m);
        links.as_slice().to_vec()
    }

    /// Gives free places, of `width` in all, to rows that few links lead to, for as long as there are fewer than places of a row: first to
    /// those that have the fewest. A search meets a row only along links that lead to it, and misses those that have few.
    fn lead(&mut self, candidates: &Candidates, width: usize) -> Result<(), Error> {
        let rows = self.codes.len() as u32;
        let mut ways = vec![0u32; rows as usize];
        (0..rows).for_each(|row| self.draft.each(row, |near| ways[near as usize] += 1));
        for enough in (0..=width as u32).step_by(WAYS).skip(1) {
            for (row, ways) in (0..rows).zip(&mut ways) {
                if (row as usize).is_multiple_of(BATCH) {
                    self.cancel.check()?;
                }
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
        Ok(())
    }

    /// Gives free places, up to `width` in all, to the nearest candidates that are not linked yet.
    fn fill(&mut self, candidates: &Candidates, width: usize) -> Result<(), Error> {
        for row in 0..self.codes.len() as u32 {
            if (row as usize).is_multiple_of(BATCH) {
                self.cancel.check()?;
            }
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
        Ok(())
    }

    /// Brings every row down to `2 m` links.
    fn trim(&mut self) -> Result<(), Error> {
        let long: Vec<u32> =
            (0..self.codes.len() as u32).filter(|row| self.draft.of(*row).len() > 2 * self.m).collect();
        for long in long.chunks(BATCH) {
            self.cancel.check()?;
            let this = &*self;
            let pruned: Vec<Vec<Vec<u64>>> = self.pool.map(long.len().div_ceil(CHUNK), |chunk| {
                let (mut pruner, mut links) = (this.pruner(), Vec::new());
                let rows = long[chunk * CHUNK..].iter().take(CHUNK);
                let prune = |row: &u32| {
                    links.clear();
                    links.extend_from_slice(this.draft.of(*row));
                    this.prune_sorted(&mut links, &mut pruner)
                };
                rows.map(prune).collect()
            });
            for (row, links) in long.iter().zip(pruned.iter().flatten()) {
                self.draft.set(*row, links);
            }
        }
        Ok(())
    }
}
