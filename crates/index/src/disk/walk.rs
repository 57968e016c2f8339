//! One search of a graph on disk. Invariant: a block is read at most once a query, and every row that came with one is
//! measured.

use std::collections::{HashMap, HashSet};

use bytemuck::Zeroable;
use host::Cancel;
use simd::Bits;

use super::lists::Lists;
use super::pages::Page;
use super::search::{Choice, Disk};
use crate::codec::{Codes, Reach, SketchRows};
use crate::graph::{Seen, insert, row_of};
use crate::hits::{Top, key_of, order};
use crate::nearest::Nearest;
use crate::refine::{Refined, Refiner};
use crate::shares::{AMID, MORE};
use crate::visit::{Goal, Visit};
use crate::{Error, Hits, Metric, Query, scan};

/// Blocks that are read at once when rows are measured.
const MEASURED_AT_ONCE: usize = 32;
/// How many times more rows than that may be measured where their codes say that they may be among the best, and how much farther
/// beyond these they may seem, as a multiple of the spread of how far off codes are.
const DEEPER: usize = 2;
const SPREADS: f32 = 1.0;
/// Rows scored in one go.
const BLOCK: usize = 64;

/// What a search needs besides the graph; kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// `order(score, slot * 2 + followed)`, nearest first.
    pool: Vec<u64>,
    seen: Seen,
    fresh: Vec<u32>,
    scores: Vec<f32>,
    /// The blocks that were read, and where each is.
    pages: Vec<Page>,
    held: HashMap<u32, usize>,
    wanted: Vec<u32>,
    /// Blocks that were announced, and not read yet.
    announced: Vec<u32>,
    /// Slots all of whose links were followed after some of them.
    followed: HashSet<u32>,
    /// Exact scores of the slots that were read.
    measured: Vec<(u32, f32)>,
    found: Vec<(u32, f32)>,
    visit: Visit,
}

/// A search for several queries.
pub(super) struct Walk<'a> {
    disk: &'a Disk,
    refiner: &'a Refiner<'a>,
    query: &'a Query,
    mask: Option<&'a Bits>,
    matching: usize,
    cancel: &'a Cancel,
    codes: SketchRows<'a>,
    probe: <SketchRows<'a> as Codes>::Probe,
    room: &'a mut Room,
    /// Blocks that a step reads.
    width: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        disk: &'a Disk,
        refiner: &'a Refiner<'a>,
        (query, mask): (&'a Query, Option<&'a Bits>),
        cancel: &'a Cancel,
        room: &'a mut Room,
    ) -> Self {
        let codes = SketchRows::new(&disk.sketch, &disk.codes, query);
        let width = query.value("beamwidth").max(1);
        let matching = mask.map_or(disk.rows, Bits::count);
        Self { disk, refiner, query, mask, matching, cancel, probe: codes.probe(), codes, room, width }
    }

    /// The best rows for query `q`. Where nodes cannot be read, or are not what was written, all rows are looked at.
    pub(super) fn one(&mut self, q: usize) -> Result<Hits, Error> {
        match self.best(q) {
            Err(error @ (Error::Corrupt { .. } | Error::Unreadable { .. })) => {
                self.disk.count_failure(&error);
                self.every_row(q)
            }
            other => other,
        }
    }

    fn best(&mut self, q: usize) -> Result<Hits, Error> {
        self.cancel.check()?;
        if self.matching == 0 {
            return Ok(Hits::default());
        }
        self.codes.aim(&mut self.probe, self.refiner.queries, q);
        self.room.held.clear();
        self.room.pages.clear();
        self.room.measured.clear();
        self.room.announced.clear();
        let (disk, k) = (self.disk, self.query.k());
        let is_ranged = self.query.range_filter().is_some();
        let mut ef = self.query.effort().max(k);
        if let (Some(lists), Some(mask), false) = (&disk.lists, self.mask, is_ranged)
            && self.matching < disk.rows
        {
            return self.among(q, ef, (lists, mask));
        }
        loop {
            self.cancel.check()?;
            if self.matching < disk.rows && !is_ranged && disk.choice(ef, self.matching) == Choice::Scan {
                return self.scan(q);
            }
            let wide = ef.saturating_mul(disk.rows) / self.matching;
            if wide >= disk.rows / 2 {
                return self.every_row(q);
            }
            let refined =
                self.walk_and_measure(q, wide, if is_ranged { wide } else { self.query.depth() })?;
            if refined.beyond || refined.hits.len() >= k.min(self.matching) {
                return Ok(refined.hits);
            }
            ef = ef.saturating_mul(4);
        }
    }

    /// A search among the rows of a mask with lists at hand: by a walk where the query lies amid rows that match, else through the
    /// lists nearest to it, or by looking at all codes.
    fn among(&mut self, q: usize, ef: usize, (lists, mask): (&Lists, &Bits)) -> Result<Hits, Error> {
        let disk = self.disk;
        let choice = disk.choice(ef, self.matching);
        if choice == Choice::Scan {
            return self.scan(q);
        }
        let share = self.matching as f32 / disk.rows as f32;
        self.room.visit.aim((&lists.shares, &disk.space), self.refiner.queries, q);
        let near = self.room.visit.share_near(&lists.shares, mask);
        let refined = if choice == Choice::Walk && near >= AMID * share {
            let wide = ef as f64 * f64::from(near).recip().powf(MORE);
            self.walk_and_measure(q, wide as usize, self.query.depth())?
        } else {
            let mut found = std::mem::take(&mut self.room.found);
            let depth = self.query.depth();
            let goal = Goal { keep: depth, judged: ef + self.query.k(), walks: false };
            let Room { visit, .. } = &mut *self.room;
            let slots = |row| lists.slot_of(row);
            let shares = (&lists.shares, &disk.space);
            visit.search(shares, (mask, slots), (&self.codes, &self.probe), goal, &mut found);
            found.truncate(depth * DEEPER);
            let refined = self.measure(q, &found, depth);
            self.room.found = found;
            refined?
        };
        match refined.beyond || refined.hits.len() >= self.query.k().min(self.matching) {
            true => Ok(refined.hits),
            false => self.scan(q),
        }
    }

    /// A walk that keeps `ef` rows, and the nearest of those that match, `depth` of them measured.
    fn walk_and_measure(&mut self, q: usize, ef: usize, depth: usize) -> Result<Refined, Error> {
        self.walk(q, ef)?;
        let mut refined = self.nearest(q, depth)?;
        while !self.disk.is_whole && self.deepen(ef, depth)? {
            refined = self.nearest(q, depth)?;
        }
        Ok(refined)
    }

    /// Measures the `depth` nearest of the pool that match, and more if they seem near enough.
    fn nearest(&mut self, q: usize, depth: usize) -> Result<Refined, Error> {
        let entries = self.room.pool.iter().map(|entry| (row_of(*entry), key_of(*entry)));
        let mut found = std::mem::take(&mut self.room.found);
        found.clear();
        found.extend(entries.filter(|(slot, _)| self.matches(*slot)).take(depth * DEEPER));
        let refined = self.measure(q, &found, depth);
        self.room.found = found;
        refined
    }

    /// Follows all links of the slots of the pool that were read, where memory has only some of them, and from there on
    /// those in memory; whether any of the nearest that match are new.
    fn deepen(&mut self, ef: usize, depth: usize) -> Result<bool, Error> {
        let before = self.last_of(depth);
        let layout = self.disk.layout;
        let mut at = 0;
        let mut lowest = usize::MAX;
        while let Some(entry) = self.room.pool.get(at).copied() {
            let slot = row_of(entry);
            let is_read = self.room.held.contains_key(&layout.block_of(slot));
            let has_more = is_read && self.room.followed.insert(slot);
            let changed = if has_more || entry & 1 == 0 {
                self.room.pool[at] |= 1;
                self.follow(slot, ef)?
            } else {
                usize::MAX
            };
            lowest = lowest.min(changed);
            at = changed.min(at + 1);
        }
        Ok(lowest < self.last_of(depth).max(before))
    }

    /// Where in the pool the `depth` nearest that match end.
    fn last_of(&self, depth: usize) -> usize {
        let pool = &self.room.pool;
        match self.mask {
            Some(_) => {
                let matches = |place: &usize| self.matches(row_of(pool[*place]));
                (0..pool.len()).filter(matches).take(depth).last().map_or(0, |place| place + 1)
            }
            None => depth.min(pool.len()),
        }
    }

    fn matches(&self, slot: u32) -> bool {
        self.mask.is_none_or(|mask| mask.get(self.disk.order[slot as usize] as usize))
    }

    /// Looks at every row that matches.
    fn every_row(&self, q: usize) -> Result<Hits, Error> {
        let mut hits = [Hits::default()];
        let Refiner { metric, vectors, queries, .. } = *self.refiner;
        scan(metric, vectors, queries.slice(q..q + 1), 0, self.mask, self.query, &mut hits, self.cancel)?;
        let [hits] = hits;
        Ok(hits)
    }

    /// Looks at the code of every row that matches and measures the nearest; without codes, at the rows.
    fn scan(&mut self, q: usize) -> Result<Hits, Error> {
        if !self.disk.holds_codes() {
            return self.every_row(q);
        }
        let slots: Vec<u32> = match (&self.disk.lists, self.mask) {
            (Some(lists), Some(mask)) => lists.slots_of(mask).collect(),
            _ => (0..self.disk.rows as u32).filter(|slot| self.matches(*slot)).collect(),
        };
        let depth = self.query.depth();
        if slots.len() <= depth {
            let found: Vec<(u32, f32)> = slots.into_iter().map(|slot| (slot, 0.0)).collect();
            return Ok(self.measure(q, &found, depth)?.hits);
        }
        let (mut nearest, scores) = (Nearest::new(depth * DEEPER), &mut self.room.scores);
        for slots in slots.chunks(BLOCK) {
            self.codes.scores(&self.probe, slots, Reach::Scattered, scores);
            slots.iter().zip(scores.iter()).for_each(|(slot, score)| nearest.push(*score, *slot));
        }
        Ok(self.measure(q, &nearest.into_scored(), depth)?.hits)
    }

    /// Fills the pool with up to `ef` near slots: follows the nearest, first of those whose links are at hand, then of those that
    /// must be read, several at once, until all in the pool are followed.
    fn walk(&mut self, q: usize, ef: usize) -> Result<(), Error> {
        self.enter(ef);
        let mut at = 0;
        let early = self.query.judged();
        let mut is_early = early * 2 <= ef;
        loop {
            while let Some(entry) = self.room.pool.get(at).copied() {
                let slot = row_of(entry);
                if entry & 1 == 1 || !self.is_at_hand(slot) {
                    at += 1;
                    continue;
                }
                if is_early && at >= early {
                    is_early = false;
                    self.announce();
                }
                self.room.pool[at] |= 1;
                at = self.follow(slot, ef)?.min(at + 1);
            }
            let waiting = self.room.pool.iter().filter(|entry| **entry & 1 == 0);
            let mut wanted = std::mem::take(&mut self.room.wanted);
            wanted.clear();
            for entry in waiting {
                let block = self.disk.layout.block_of(row_of(*entry));
                if wanted.len() == self.width {
                    break;
                }
                if !wanted.contains(&block) {
                    wanted.push(block);
                }
            }
            let is_done = wanted.is_empty();
            let outcome = self.fetch(q, &wanted);
            self.room.wanted = wanted;
            outcome?;
            if is_done {
                return Ok(());
            }
            at = 0;
        }
    }

    /// Has the blocks of the nearest so far that match on their way while the walk goes on: most will be among the nearest at its end.
    fn announce(&mut self) {
        let (disk, k) = (self.disk, self.query.k());
        let mut announced = std::mem::take(&mut self.room.announced);
        announced.clear();
        let near = self.room.pool.iter().map(|entry| row_of(*entry)).filter(|slot| self.matches(*slot));
        for block in near.take(k).map(|slot| disk.layout.block_of(slot)) {
            if !self.room.held.contains_key(&block) && !announced.contains(&block) {
                announced.push(block);
            }
        }
        disk.pages.announce(&disk.first_pages(&announced), disk.layout.block_pages);
        self.room.announced = announced;
    }

    /// Puts the nearest entries into the pool.
    fn enter(&mut self, ef: usize) {
        let Room { pool, seen, fresh, scores, followed, .. } = &mut *self.room;
        let disk = self.disk;
        seen.wipe(disk.rows);
        pool.clear();
        followed.clear();
        fresh.clear();
        match disk.holds_codes() {
            true => fresh.extend_from_slice(&disk.entries),
            false => fresh.extend(0..disk.entries.len() as u32),
        }
        self.codes.scores(&self.probe, fresh, Reach::Streamed, scores);
        for (slot, score) in disk.entries.iter().zip(scores.iter()) {
            if seen.mark(*slot) {
                insert(pool, order(*score, slot << 1), ef);
            }
        }
    }

    /// Whether the links of `slot` need not be read.
    #[inline]
    fn is_at_hand(&self, slot: u32) -> bool {
        slot < self.disk.held || self.room.held.contains_key(&self.disk.layout.block_of(slot))
    }

    /// Puts the neighbours of `slot`, which are at hand, into the pool; returns the lowest place that changed.
    fn follow(&mut self, slot: u32, ef: usize) -> Result<usize, Error> {
        let disk = self.disk;
        let Room { pool, seen, fresh, scores, pages, held, .. } = &mut *self.room;
        let bytes = disk.layout.block_bytes();
        let block = held.get(&disk.layout.block_of(slot));
        let block = block.map(|at| &bytemuck::cast_slice::<Page, u8>(pages)[at * bytes..][..bytes]);
        let links = match (disk.held_links(slot), block) {
            (Some(links), None) => links,
            (Some(links), _) if disk.is_whole => links,
            (_, Some(block)) => disk.read_links(block, slot)?,
            (None, None) => &[],
        };
        fresh.clear();
        let mut lowest = usize::MAX;
        match block.filter(|_| !disk.holds_codes()) {
            None => {
                fresh.extend(links.iter().copied().filter(|near| seen.mark(*near)));
                self.codes.scores(&self.probe, fresh, Reach::Scattered, scores);
                for (near, score) in fresh.iter().zip(scores.iter()) {
                    lowest = lowest.min(insert(pool, order(*score, near << 1), ef));
                }
            }
            Some(block) => {
                fresh.extend(0..links.len() as u32);
                let codes = SketchRows::new(&disk.sketch, disk.layout.codes(block, slot), self.query);
                codes.scores(&self.probe, fresh, Reach::Cached, scores);
                for (near, score) in links.iter().zip(scores.iter()) {
                    if seen.mark(*near) {
                        lowest = lowest.min(insert(pool, order(*score, near << 1), ef));
                    }
                }
            }
        }
        Ok(lowest)
    }

    /// Reads `blocks`, none of which was read before, all at once, and measures their rows.
    fn fetch(&mut self, q: usize, blocks: &[u32]) -> Result<(), Error> {
        if blocks.is_empty() {
            return Ok(());
        }
        let (disk, layout) = (self.disk, self.disk.layout);
        let Room { pages, held, measured, .. } = &mut *self.room;
        let before = pages.len();
        pages.resize(before + blocks.len() * layout.block_pages, Page::zeroed());
        let first = disk.first_pages(blocks);
        let into: &mut [u8] = bytemuck::cast_slice_mut(&mut pages[before..]);
        disk.pages.read(&first, into).map_err(|error| Error::Unreadable { reason: error.to_string() })?;
        disk.count(blocks.len(), 1);
        for (i, (number, block)) in blocks.iter().zip(into.chunks_exact(layout.block_bytes())).enumerate() {
            if !super::layout::Layout::is_whole(block, *number) {
                return Err(Error::Corrupt { what: super::NODES });
            }
            held.insert(*number, before / layout.block_pages + i);
            for slot in layout.slots(*number, disk.rows) {
                let score = self.refiner.score(q, layout.row(block, slot));
                measured.push((slot, score));
            }
        }
        Ok(())
    }

    /// The best of the first `depth` of `found`, nearest first, of those behind that may be among the best, and of all rows that came
    /// along.
    fn measure(&mut self, q: usize, found: &[(u32, f32)], depth: usize) -> Result<Refined, Error> {
        let first = depth.min(found.len());
        self.read(q, &found[..first])?;
        let more = self.hopeful(found, first);
        self.read(q, &found[first..more])?;
        Ok(self.refined(&found[..more]))
    }

    /// Where those of `found` end that by their codes may be among the best, the `first` of which are measured: how far off codes are shows
    /// in these.
    fn hopeful(&self, found: &[(u32, f32)], first: usize) -> usize {
        let (query, k) = (self.query, self.query.k());
        let scale = match self.refiner.metric {
            Metric::L2 => 1.0,
            Metric::Cosine => -2.0,
            _ => -1.0,
        };
        let is_simple = query.radius().is_none() && query.range_filter().is_none();
        if !is_simple || first < k || found.len() == first {
            return first;
        }
        let (mut exact, mut sum, mut squares) = (Vec::with_capacity(first), 0.0, 0.0);
        for (slot, score) in &self.room.measured {
            if let Some((_, code)) = found[..first].iter().find(|(other, _)| other == slot) {
                let off = code - scale * score;
                exact.push(scale * score);
                sum += off;
                squares += off * off;
            }
        }
        if exact.len() < k {
            return first;
        }
        let mean = sum / exact.len() as f32;
        let spread = (squares / exact.len() as f32 - mean * mean).max(0.0).sqrt();
        let (_, worst, _) = exact.select_nth_unstable_by(k - 1, f32::total_cmp);
        let bar = *worst + mean + SPREADS * spread;
        first + found[first..].partition_point(|(_, code)| *code <= bar)
    }

    /// Reads the blocks of some slots, where they were not read before.
    fn read(&mut self, q: usize, found: &[(u32, f32)]) -> Result<(), Error> {
        let mut wanted = std::mem::take(&mut self.room.wanted);
        wanted.clear();
        for (slot, _) in found {
            let block = self.disk.layout.block_of(*slot);
            if !self.room.held.contains_key(&block) && !wanted.contains(&block) {
                wanted.push(block);
            }
        }
        // They are there or nearly so, and not to stay in the system's memory.
        for block in self.room.announced.drain(..) {
            if !self.room.held.contains_key(&block) && !wanted.contains(&block) {
                wanted.push(block);
            }
        }
        let outcome = wanted.chunks(MEASURED_AT_ONCE).try_for_each(|blocks| {
            self.cancel.check()?;
            self.fetch(q, blocks)
        });
        self.room.wanted = wanted;
        outcome
    }

    /// The best of all rows that were measured. Of those that are too far for a range, those of `asked` count.
    fn refined(&self, asked: &[(u32, f32)]) -> Refined {
        let mut top = Top::new(self.refiner.metric, self.query.k());
        let mut too_far = 0;
        // Rows that came along with early steps are far away, and say nothing of how far the search got.
        let count = asked.len();
        let mut asked: Vec<u32> = asked.iter().map(|(slot, _)| *slot).collect();
        asked.sort_unstable();
        for (slot, score) in &self.room.measured {
            let row = self.disk.order[*slot as usize];
            if self.mask.is_some_and(|mask| !mask.get(row as usize)) {
                continue;
            }
            if self.query.admits(*score) {
                top.push(*score, row);
            } else if asked.binary_search(slot).is_ok() {
                too_far += usize::from(self.query.reaches(*score));
            }
        }
        Refined { hits: top.into_hits(), beyond: too_far * 4 > count }
    }
}
