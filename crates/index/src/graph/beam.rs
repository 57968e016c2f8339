//! Best-first search. Invariant: `pool` is sorted, nearest first, and holds a row at most once.

use std::sync::{Mutex, PoisonError};

use super::among::Around;
use super::block::{BlockAim, Blocks};
use super::candidates::{Candidates, Flat, SHELVED, Shelved};
use super::links::NONE;
use super::visit::ListAim;
use crate::codec::{Codes, Reach};
use crate::hits::{key_of, order};

/// Who is linked to whom.
pub(crate) trait Neighbours {
    /// How many rows a row may link to.
    fn width(&self) -> usize;

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
    /// A long pool, while it is walked.
    shelved: Shelved,
}

/// Which rows were scored, one bit each, and which words of that must be wiped.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    words: Vec<u64>,
    /// The first `count` are words that are not zero; if these are all, any may be.
    touched: Vec<u32>,
    count: usize,
}

impl Seen {
    pub(crate) fn wipe(&mut self, rows: usize) {
        if self.count < self.touched.len() {
            self.touched[..self.count].iter().for_each(|word| self.words[*word as usize] = 0);
        } else {
            self.words.fill(0);
        }
        self.count = 0;
        self.words.resize(rows.div_ceil(64), 0);
        self.touched.resize(self.words.len() + 1, 0);
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
            let last = self.touched.len() - 1;
            self.touched[self.count.min(last)] = word;
            self.count += 1;
        }
        self.words[word as usize] = before | bit;
        true
    }

    /// Marks a row if `wanted`; true if it was and had not been. Without a branch on either, for those where it is hard to guess.
    #[inline]
    pub(super) fn mark_if(&mut self, row: u32, wanted: bool) -> bool {
        let (word, bit) = (row / 64, u64::from(wanted) << (row % 64));
        let before = self.words[word as usize];
        let last = self.touched.len() - 1;
        self.touched[self.count.min(last)] = word;
        self.count += usize::from(before == 0 && wanted);
        self.words[word as usize] = before | bit;
        bit & !before != 0
    }

    fn unmark(&mut self, row: u32) {
        self.words[row as usize / 64] &= !(1 << (row % 64));
    }
}

impl Beam {
    /// Fills the pool with up to `most` near rows, `ef` at least: starts with `entries` and follows the links of the nearest row not
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
        (ef, most): (usize, usize),
    ) {
        self.seen.wipe(codes.len());
        self.pool.clear();
        self.fresh.clear();
        for entry in entries {
            if self.seen.mark(*entry) {
                self.fresh.push(*entry);
            }
        }
        self.score_fresh(codes, probe, most);
        if most <= SHELVED {
            let mut flat = Flat::new(std::mem::take(&mut self.pool));
            self.follow_links((codes, probe), links, (ef, most), &mut flat);
            self.pool = flat.entries;
        } else {
            let mut shelved = std::mem::take(&mut self.shelved);
            shelved.fill(&mut self.pool);
            self.follow_links((codes, probe), links, (ef, most), &mut shelved);
            shelved.append_to(&mut self.pool);
            self.shelved = shelved;
        }
    }

    /// Follows the nearest of `kept` until the `ef` nearest are all followed.
    #[inline(always)]
    fn follow_links<C: Codes>(
        &mut self,
        (codes, probe): (&C, &C::Probe),
        links: &impl Neighbours,
        (ef, most): (usize, usize),
        kept: &mut impl Candidates,
    ) {
        let Self { seen, fresh, scores, nearer, .. } = self;
        fresh.clear();
        let mut waiting = None;
        loop {
            let chosen = kept.choose(ef).map(row_of);
            if let Some(row) = chosen {
                links.prefetch(row);
            }
            if chosen.is_none() && waiting.is_none() && fresh.is_empty() {
                break;
            }
            codes.scores(probe, fresh, Reach::Cached, scores);
            let limit = kept.limit(most - 1);
            nearer.resize(fresh.len(), 0);
            let mut count = 0;
            for (row, score) in fresh.iter().zip(scores.iter()) {
                nearer[count] = order(*score, row << 1);
                count += usize::from(nearer[count] < limit);
            }
            nearer.truncate(count);
            nearer.iter().for_each(|entry| links.announce(row_of(*entry)));
            kept.take_in(nearer, most, |_| ());
            count = 0;
            if let Some(row) = std::mem::replace(&mut waiting, chosen) {
                fresh.resize(links.width(), 0);
                links.each(row, |near| {
                    fresh[count] = near;
                    simd::prefetch_far(codes.place(near));
                    count += usize::from(seen.mark_if(near, true));
                });
            }
            fresh.truncate(count);
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
        if ef <= SHELVED {
            let mut flat = Flat::new(std::mem::take(&mut self.pool));
            self.follow_blocks((codes, probe), (blocks, aim), ef, &mut flat);
            self.pool = flat.entries;
        } else {
            let mut shelved = std::mem::take(&mut self.shelved);
            shelved.fill(&mut self.pool);
            self.follow_blocks((codes, probe), (blocks, aim), ef, &mut shelved);
            self.shelved = shelved;
        }
        self.met.sort_unstable();
        std::mem::swap(&mut self.pool, &mut self.met);
    }

    /// Follows the nearest of `kept` until the `ef` nearest are all followed, and notes in `met` how near they are.
    #[inline(always)]
    fn follow_blocks<C: Codes>(
        &mut self,
        (codes, probe): (&C, &C::Probe),
        (blocks, aim): (&Blocks, &BlockAim),
        ef: usize,
        kept: &mut impl Candidates,
    ) {
        let Self { seen, fresh, scores, met, nearer, .. } = self;
        met.clear();
        let mut estimates = [0f32; 2 * simd::FAN];
        let most = ef.saturating_mul(MOST).saturating_add(LEAST);
        // The row that is followed next is chosen one step before, so that its block is on the way meanwhile.
        let mut waiting = None;
        loop {
            let chosen = kept.choose(if met.len() < most { ef } else { 0 });
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
            kept.settle(entry, order(own, row << 1) | 1);
            for (rows, fans) in blocks.fans(row) {
                let limit = match kept.limit(ef - 1) {
                    u64::MAX => f32::INFINITY,
                    entry => key_of(entry),
                };
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
            kept.take_in(nearer, ef + ef / 4, |row| seen.unmark(row));
        }
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

    /// Scores the fresh rows and puts the `ef` nearest into the pool, which is empty.
    #[inline]
    fn score_fresh<C: Codes>(&mut self, codes: &C, probe: &C::Probe, ef: usize) {
        let Self { pool, fresh, scores, .. } = self;
        codes.scores(probe, fresh, Reach::Scattered, scores);
        pool.extend(fresh.iter().zip(scores.iter()).map(|(row, score)| order(*score, row << 1)));
        if pool.len() > ef {
            pool.select_nth_unstable(ef);
            pool.truncate(ef);
        }
        pool.sort_unstable();
    }

    /// The rows found and their scores, nearest first.
    pub(crate) fn found(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.pool.iter().map(|entry| (row_of(*entry), key_of(*entry)))
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
    fn nothing_is_seen_after_wiping() {
        let mut rng = Rng::new(1);
        let mut seen = Seen::default();
        for round in 0..200 {
            let rows = 1 + rng.below(400) as u32;
            seen.wipe(rows as usize);
            assert!(seen.words.iter().all(|word| *word == 0), "round {round}");
            // Words that become empty and are marked again count again, until there is no room to tell which they are.
            for _ in 0..rng.below(40) {
                let row = rng.below(u64::from(rows)) as u32;
                let was = seen.words[row as usize / 64] >> (row % 64) & 1 == 1;
                assert!(!seen.mark_if(row, false));
                assert_eq!(if round % 2 == 0 { seen.mark(row) } else { seen.mark_if(row, true) }, !was);
                assert!(!seen.mark(row));
                if rng.below(2) == 0 {
                    seen.unmark(row);
                }
            }
        }
    }
}
