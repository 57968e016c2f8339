//! Making a graph in batches. Invariant: a batch reads only the graph before it, so its rows can be worked on in any
//! order; what they add is merged in the order of row numbers.

use host::{Cancel, Pool, Progress, Rng};

use super::beam::{Beam, Beams};
use super::links::Draft;
use super::prune::Pruner;
use crate::Error;
use crate::codec::{Codes, Reach};
use crate::hits::order;

/// Rows that are linked by looking at all pairs, before there is a graph.
const FIRST: usize = 128;
/// A batch is at most this share of the rows before it.
const SHARE: usize = 24;
/// Entries at most.
const ENTRIES: usize = 256;
/// Rows worked on by one task.
const CHUNK: usize = 16;

/// A finished graph.
pub(crate) struct Built {
    /// `2 m` places a row.
    pub(crate) links: Vec<u32>,
    /// Where searches start.
    pub(crate) entries: Vec<u32>,
}

/// Links every row of `codes` to near ones, at most `m` of its own choice and `2 m` in all, chosen among `ef`
/// candidates.
pub(crate) fn build<C: Codes>(
    codes: &C,
    (m, ef): (usize, usize),
    seed: u64,
    pool: &Pool,
    cancel: &Cancel,
    progress: &Progress,
) -> Result<Built, Error> {
    let mut order: Vec<u32> = (0..codes.len() as u32).collect();
    Rng::new(seed).child("graph").shuffle(&mut order);
    let entries = order[..entry_count(order.len())].to_vec();
    let mut maker = Maker {
        codes,
        m,
        ef: ef.max(m),
        order: &order,
        entries: &entries,
        draft: Draft::new(order.len(), 3 * m),
        beams: Beams::default(),
        pool,
    };
    let mut done = 0;
    while done < order.len() {
        cancel.check()?;
        let end = (done + (done / SHARE).max(FIRST)).min(order.len());
        maker.add(done, end);
        progress.add((end - done) as u64);
        done = end;
    }
    maker.trim();
    Ok(Built { links: maker.draft.finish(2 * m), entries })
}

/// As many entries as make looking at them about as dear as walking.
fn entry_count(rows: usize) -> usize {
    rows.isqrt().clamp(1, ENTRIES).min(rows)
}

struct Maker<'a, C> {
    codes: &'a C,
    m: usize,
    ef: usize,
    order: &'a [u32],
    entries: &'a [u32],
    draft: Draft,
    beams: Beams,
    pool: &'a Pool,
}

impl<C: Codes> Maker<'_, C> {
    /// Adds the rows `order[done..end]`.
    fn add(&mut self, done: usize, end: usize) {
        let this = &*self;
        let chosen: Vec<Vec<Vec<u64>>> = self.pool.map((end - done).div_ceil(CHUNK), |chunk| {
            this.beams.with(|beam| {
                let (mut probe, mut pruner) = (this.codes.probe(), Pruner::new(this.codes.probe()));
                let places = done + chunk * CHUNK..(done + (chunk + 1) * CHUNK).min(end);
                places.map(|place| this.choose(place, done, beam, &mut probe, &mut pruner)).collect()
            })
        });
        let mut back = Vec::new();
        for (row, links) in self.order[done..end].iter().zip(chosen.iter().flatten()) {
            self.draft.set(*row, links);
            back.extend(links.iter().map(|link| (*link as u32, link >> 32 << 32 | u64::from(*row))));
        }
        back.sort_unstable();
        self.link_back(&back);
    }

    /// The links of the row at `place`, among the rows before `done`; among all before `place` in the first batch.
    fn choose(
        &self,
        place: usize,
        done: usize,
        beam: &mut Beam,
        probe: &mut C::Probe,
        pruner: &mut Pruner<C::Probe>,
    ) -> Vec<u64> {
        self.codes.aim_row(probe, self.order[place]);
        let mut candidates: Vec<u64> = if done == 0 {
            let mut scores = Vec::new();
            self.codes.scores(probe, &self.order[..place], Reach::Scattered, &mut scores);
            self.order.iter().zip(scores).map(|(row, score)| order(score, *row)).collect()
        } else {
            let entries = &self.entries[..self.entries.len().min(done)];
            beam.search(self.codes, probe, &self.draft, entries, self.ef);
            beam.found().map(|(row, score)| order(score, row)).collect()
        };
        candidates.sort_unstable();
        pruner.prune(self.codes, &mut candidates, self.m);
        candidates
    }

    /// Adds the way back for every link: `(to, order(distance, from))`, sorted.
    fn link_back(&mut self, back: &[(u32, u64)]) {
        let groups: Vec<&[(u32, u64)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
        let full: Vec<&[(u32, u64)]> = groups
            .into_iter()
            .filter(|group| !self.draft.extend(group[0].0, group.iter().map(|(_, link)| *link)))
            .collect();
        let this = &*self;
        let pruned: Vec<Vec<Vec<u64>>> = self.pool.map(full.len().div_ceil(CHUNK), |chunk| {
            let mut pruner = Pruner::new(this.codes.probe());
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

    /// Brings every row down to `2 m` links.
    fn trim(&mut self) {
        let long: Vec<u32> =
            (0..self.order.len() as u32).filter(|row| self.draft.of(*row).len() > 2 * self.m).collect();
        let this = &*self;
        let pruned: Vec<Vec<Vec<u64>>> = self.pool.map(long.len().div_ceil(CHUNK), |chunk| {
            let mut pruner = Pruner::new(this.codes.probe());
            let rows = long[chunk * CHUNK..].iter().take(CHUNK);
            rows.map(|row| this.prune_sorted(this.draft.of(*row).to_vec(), &mut pruner)).collect()
        });
        for (row, links) in long.iter().zip(pruned.iter().flatten()) {
            self.draft.set(*row, links);
        }
    }
}
