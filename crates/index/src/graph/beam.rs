//! Best-first search. Invariant: `pool` is sorted, nearest first, and holds a row at most once.

use std::sync::{Mutex, PoisonError};

use super::among::Around;
use super::block::{BlockAim, Blocks};
use super::links::NONE;
use super::visit::ListAim;
use crate::codec::{Codes, Reach};
use crate::hits::{key_of, order};

/// Who is linked to whom.
pub(crate) trait Neighbours {
    /// Calls `each` for every row that `row` links to.
    fn each(&self, row: u32, each: impl FnMut(u32));

    /// Asks the memory for the links of `row`.
    fn prefetch(&self, row: u32);

    /// Asks it for what says where these are, of a row that may be followed.
    #[inline]
    fn announce(&self, _: u32) {}
}

/// What a search needs besides the graph; kept from one to the next, so that nothing is allocated a query.
#[derive(Debug, Default)]
pub(crate) struct Beam {
    /// `order(score, row * 2 + expanded)`.
    pub(super) pool: Vec<u64>,
    pub(super) seen: Seen,
    fresh: Vec<u32>,
    pub(super) around: Around,
    pub(super) scores: Vec<f32>,
    /// The query as blocks want it.
    pub(crate) aim: BlockAim,
    /// The query as lists want it that have a bit an element.
    pub(crate) list_aim: ListAim,
    /// And those of numbers alone.
    pub(super) visit: crate::visit::Visit,
    /// What lists say of rows.
    pub(super) seeming: Vec<(u32, f32)>,
    /// What was followed along blocks.
    met: Vec<u64>,
    /// What is about to be put into the pool.
    nearer: Vec<u64>,
}

/// Which rows were scored, one bit each, and which words of that must be wiped.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Seen {
    pub(crate) fn wipe(&mut self, rows: usize) {
        for word in self.touched.drain(..) {
            self.words[word as usize] = 0;
        }
        self.words.resize(rows.div_ceil(64), 0);
    }

    /// Marks a row; false if it was marked already.
    #[inline]
    pub(crate) fn mark(&mut self, row: u32) -> bool {
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

    /// Marks a row if `wanted`; true if it was and had not been. Without a branch on either.
    #[inline]
    pub(super) fn mark_if(&mut self, row: u32, wanted: bool) -> bool {
        let (word, bit) = (row / 64, u64::from(wanted) << (row % 64));
        let before = self.words[word as usize];
        if before == 0 && wanted {
            self.touched.push(word);
        }
        self.words[word as usize] = before | bit;
        bit & !before != 0
    }

    fn unmark(&mut self, row: u32) {
        self.words[row as usize / 64] &= !(1 << (row % 64));
    }
}

impl Beam {
    /// Fills the pool with up to `ef` near rows: starts with `entries` and follows the links of the nearest row not
    /// yet followed, until the `ef` nearest rows seen are all followed.
    ///
    /// Three steps overlap, so that memory is asked for one step before it is needed: links of the row just chosen are on
    /// their way, codes of the neighbours of the one before, and those of the one before that are scored.
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
        let Self { pool, seen, fresh, scores, nearer, .. } = self;
        fresh.clear();
        let (mut next, mut waiting) = (0, None);
        loop {
            let chosen = choose(pool, &mut next).map(row_of);
            if let Some(row) = chosen {
                links.prefetch(row);
            }
            if chosen.is_none() && waiting.is_none() && fresh.is_empty() {
                break;
            }
            codes.scores(probe, fresh, Reach::Cached, scores);
            let limit = if pool.len() < ef { u64::MAX } else { pool[ef - 1] };
            let scored = fresh.drain(..).zip(scores.iter()).map(|(row, score)| order(*score, row << 1));
            nearer.extend(scored.filter(|entry| *entry < limit));
            nearer.iter().for_each(|entry| links.announce(row_of(*entry)));
            next = next.min(merge(pool, nearer, ef, |_| ()));
            if let Some(row) = std::mem::replace(&mut waiting, chosen) {
                links.each(row, |row| {
                    if seen.mark(row) {
                        simd::prefetch_far(codes.place(row));
                        fresh.push(row);
                    }
                });
            }
        }
    }

    /// The same along blocks, from some of the entries: neighbours are kept by what a block says of them, and scored when they are
    /// followed.
    ///
    /// What is followed then counts by its score: rows come first that a block makes seem nearer than they are, and if these
    /// kept the places that their estimates got them, rows as near in truth would find none. For the same reason the pool keeps
    /// a few more than the `ef` that are followed, or a row that is moved back would leave its place to nobody. Where rows are almost
    /// equally near, estimates tell nothing, and there is always one that seems nearer than all that is known: a bound ends that.
    pub(crate) fn search_blocks<C: Codes>(
        &mut self,
        (codes, probe): (&C, &C::Probe),
        (blocks, aim): (&Blocks, &BlockAim),
        entries: (&[u32], usize),
        ef: usize,
    ) {
        self.seen.wipe(codes.len());
        self.begin((codes, probe), (blocks, aim), entries);
        let Self { pool, seen, fresh, scores, met, nearer, .. } = self;
        met.clear();
        let mut estimates = [0f32; 2 * simd::FAN];
        let most = ef.saturating_mul(MOST).saturating_add(LEAST);
        // The row that is followed next is chosen one step before, so that its block is on the way meanwhile.
        let mut next = 0;
        let mut waiting = None;
        loop {
            let near = if met.len() < most { ef.min(pool.len()) } else { 0 };
            let chosen = choose(&mut pool[..near], &mut next);
            if let Some(row) = chosen.map(row_of) {
                blocks.links.prefetch_block(row);
                simd::prefetch(codes.place(row));
            }
            let Some(entry) = std::mem::replace(&mut waiting, chosen) else {
                if chosen.is_none() {
                    break;
                }
                continue;
            };
            let row = row_of(entry);
            fresh.clear();
            fresh.push(row);
            codes.scores(probe, fresh, Reach::Cached, scores);
            let own = scores[0];
            met.push(order(own, row << 1));
            move_entry(pool, entry, order(own, row << 1) | 1, &mut next);
            for (rows, fans) in blocks.fans(row) {
                let limit = if pool.len() < ef { f32::INFINITY } else { key_of(pool[ef - 1]) };
                let mut below = aim.fans.scores(fans, (own, limit), &mut estimates);
                while below != 0 {
                    let i = below.trailing_zeros() as usize;
                    below &= below - 1;
                    let near = rows(i);
                    if near != NONE && seen.mark(near) {
                        nearer.push(order(estimates[i], near << 1));
                    }
                }
            }
            next = next.min(merge(pool, nearer, ef + ef / 4, |row| seen.unmark(row)));
        }
        met.sort_unstable();
        std::mem::swap(pool, met);
    }

    /// Puts as many of the entries as `gates` says, those that seem nearest, into the pool.
    fn begin<C: Codes>(
        &mut self,
        (codes, probe): (&C, &C::Probe),
        (blocks, aim): (&Blocks, &BlockAim),
        (entries, gates): (&[u32], usize),
    ) {
        self.pool.clear();
        blocks.each_entry(aim, |place, score| _ = insert(&mut self.pool, order(score, place as u32), gates));
        self.fresh.clear();
        for place in self.pool.drain(..) {
            let entry = entries[place as u32 as usize];
            if self.seen.mark(entry) {
                self.fresh.push(entry);
            }
        }
        self.score_fresh(codes, probe, gates);
    }

    /// Forgets what the last search has left.
    pub(super) fn forget(&mut self, rows: usize) {
        self.seen.wipe(rows);
        self.pool.clear();
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

/// Pools longer than this take new entries one by one.
const LONG: usize = 384;

/// Marks the first entry from `next` on that is not followed yet, and gives it.
#[inline]
fn choose(pool: &mut [u64], next: &mut usize) -> Option<u64> {
    while pool.get(*next).is_some_and(|entry| entry & 1 == 1) {
        *next += 1;
    }
    let entry = pool.get_mut(*next)?;
    *entry |= 1;
    Some(*entry)
}

/// Moves the entry `old`, which is followed, to where it belongs as `new`, if it is in the pool still. All entries before
/// `next` are followed, before and after.
#[inline]
fn move_entry(pool: &mut [u64], old: u64, new: u64, next: &mut usize) {
    let from = pool.partition_point(|entry| *entry < old);
    if pool.get(from) != Some(&old) {
        return;
    }
    if new > old {
        let to = from + pool[from..].partition_point(|entry| *entry < new);
        pool.copy_within(from + 1..to, from);
        pool[to - 1] = new;
        // What stood between stands one place lower.
        *next -= usize::from(from < *next && *next < to);
    } else {
        let to = pool[..from].partition_point(|entry| *entry < new);
        pool.copy_within(to..from, to + 1);
        pool[to] = new;
    }
}

/// A search along blocks follows at most so many rows for each one it keeps, and so many more; about 3 are usual.
const MOST: usize = 4;
const LEAST: usize = 32;

/// Entries that a search along blocks of all rows begins with.
pub(super) const GATES: usize = 4;

#[inline]
pub(crate) fn row_of(entry: u64) -> u32 {
    entry as u32 >> 1
}

/// Puts an entry in its place if it is among the `ef` nearest; returns the place, or `usize::MAX`.
#[inline]
pub(crate) fn insert(pool: &mut Vec<u64>, entry: u64, ef: usize) -> usize {
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

/// Sorts the entries of `new` into the pool and leaves the `ef` nearest, `lost` being told of the rows that are not among
/// them and were not followed; returns the lowest place that changed.
#[inline(always)]
fn merge(pool: &mut Vec<u64>, new: &mut Vec<u64>, ef: usize, mut lost: impl FnMut(u32)) -> usize {
    if new.is_empty() {
        return usize::MAX;
    }
    if pool.len() > LONG {
        return merge_one_by_one(pool, new, ef, lost);
    }
    new.sort_unstable();
    let mut old = pool.len();
    pool.extend_from_slice(new);
    let mut to = pool.len();
    let mut lowest = to;
    while let Some(entry) = new.last() {
        to -= 1;
        match old.checked_sub(1) {
            Some(last) if pool[last] > *entry => {
                pool[to] = pool[last];
                old = last;
            }
            _ => {
                pool[to] = *entry;
                lowest = to;
                new.pop();
            }
        }
    }
    for entry in pool.drain(ef.min(pool.len())..) {
        if entry & 1 == 0 {
            lost(row_of(entry));
        }
    }
    lowest
}

/// The same for a pool so long that moving all of it costs more than looking for every place.
#[inline(never)]
fn merge_one_by_one(pool: &mut Vec<u64>, new: &mut Vec<u64>, ef: usize, mut lost: impl FnMut(u32)) -> usize {
    let mut lowest = usize::MAX;
    for entry in new.drain(..) {
        let last = pool.last().copied().filter(|_| pool.len() >= ef);
        lowest = lowest.min(insert(pool, entry, ef));
        match last.map(|last| last.max(entry)) {
            Some(out) if out & 1 == 0 => lost(row_of(out)),
            _ => {}
        }
    }
    lowest
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

#[cfg(test)]
mod tests {
    use host::Rng;

    use super::*;

    #[test]
    fn moving_is_taking_out_and_putting_in() {
        let mut rng = Rng::new(2);
        for _ in 0..2000 {
            let count = 1 + rng.below(20);
            let mut pool: Vec<u64> =
                (0..count).map(|i| rng.below(40) << 32 | i << 1 | rng.below(2)).collect();
            pool.sort_unstable();
            let from = rng.below(count) as usize;
            pool[from] |= 1;
            let (old, new) = (pool[from], rng.below(40) << 32 | pool[from] & u64::from(u32::MAX));
            let mut next = pool.iter().take_while(|entry| **entry & 1 == 1).count();
            let mut want = pool.clone();
            want.remove(from);
            want.push(new);
            want.sort_unstable();
            move_entry(&mut pool, old, new, &mut next);
            assert_eq!(pool, want);
            assert!(pool[..next].iter().all(|entry| entry & 1 == 1), "an entry that waits was passed over");
            move_entry(&mut pool, u64::MAX, 0, &mut next);
            assert_eq!(pool, want, "one that is not there stays away");
        }
    }

    #[test]
    fn merging_is_putting_in_one_by_one() {
        let mut rng = Rng::new(1);
        for round in 0..800 {
            let ef = 1 + rng.below(if round % 2 == 0 { 20 } else { 600 }) as usize;
            let mut entry = |_| rng.below(50) << 32 | rng.below(1 << 20) << 1;
            let mut pool: Vec<u64> = (0..(round * 7) % (ef + 1)).map(&mut entry).collect();
            pool.sort_unstable();
            let mut new: Vec<u64> = (0..round % 7).map(&mut entry).collect();
            let (mut want, mut lost) = (pool.clone(), Vec::new());
            let before = pool.clone();
            new.iter().for_each(|entry| _ = insert(&mut want, *entry, ef));
            let mut all = [&pool[..], &new[..]].concat();
            all.sort_unstable();
            let lowest = merge(&mut pool, &mut new, ef, |row| lost.push(row));
            assert_eq!(pool, want);
            let mut gone: Vec<u32> = all[pool.len()..].iter().map(|entry| row_of(*entry)).collect();
            gone.sort_unstable();
            lost.sort_unstable();
            assert_eq!(lost, gone);
            let same = pool.iter().zip(&before).take_while(|(a, b)| a == b).count();
            assert!(lowest >= same.min(before.len()) || before[lowest..] == pool[lowest..]);
            assert!(pool[..lowest.min(pool.len())] == before[..lowest.min(before.len()).min(pool.len())]);
        }
    }
}
