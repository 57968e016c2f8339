//! Searches among the rows of a mask: which way, and how far. Invariant: only rows of the mask are found, `k` of them if so many
//! match; see docs/decisions/0300 and 0360.

use simd::Bits;

use super::among::{Effort, LinksAmong};
use super::beam::Beam;
use super::costs::{self, Choice};
use super::search::{Listed, Walk, widened};
use super::visit::Visit;
use crate::codec::{Codes, Reach};
use crate::hits::{key_of, order};
use crate::nearest::Nearest;
use crate::shares::{AMID, LATE};
use crate::visit::Goal;
use crate::{Error, Hits};

/// What part of the usual reach of a walk is enough.
const REACH: f32 = 0.62;
/// What is added to it, for few rows say little.
const MARGIN: f32 = 0.15;
/// The most lists of links that are read for a row that is followed.
const LISTS_MAX: usize = 128;
/// How many times more rows than asked for a walk may keep.
const EFFORT_MAX: usize = 3;
/// Places of the mask at which a search among its rows begins, besides the entries of the graph that are in it.
const SPREAD: usize = 16;
/// How many rows a search of lists keeps by estimates for each by which it finds its end, so that the nearest are among them.
const KEPT: usize = 3;
/// How many of them are scored by their codes in any case, and how many then at once.
const SURE: usize = 32;
const STEP: usize = 16;
/// How many times farther off than they usually are estimates may be; one in thousands is farther.
const SPREADS: f32 = 3.5;

/// Rows of a mask that lie far from each other: the first at or after each of some places.
fn spread(mask: &Bits) -> impl Iterator<Item = u32> + '_ {
    let words = mask.words();
    let step = words.len().div_ceil(SPREAD).max(1);
    words.chunks(step).enumerate().filter_map(move |(chunk, words)| {
        let at = words.iter().position(|word| *word != 0)?;
        Some(((chunk * step + at) * 64) as u32 + words[at].trailing_zeros())
    })
}

impl<C: Codes> Walk<'_, C> {
    /// A search among the rows of a mask: through the lists, along the graph, or by looking at all codes where that is cheaper.
    pub(super) fn among(
        &self,
        q: usize,
        (mask, matching, is_spread): (&Bits, usize, bool),
        probe: &C::Probe,
        beam: &mut Beam,
    ) -> Result<Hits, Error> {
        let wanted = self.query.k().min(matching);
        let mut ef = self.query.effort().max(self.query.k());
        let mut found = Vec::new();
        let mut choice = self.graph.choice(ef, matching);
        let mut share = matching as f32 / self.codes.len() as f32;
        if choice == Choice::Lists || choice == Choice::Whole && !is_spread {
            self.aim_at_lists(q, beam);
            // A walk of all rows finds few that match where others lie around the query.
            if choice == Choice::Whole {
                let near = match &self.graph.listed {
                    Listed::Not => share,
                    Listed::Bits(lists) => beam.list_aim.share_near(&lists.0, mask),
                    Listed::Numbers(shares) => beam.visit.share_near(&shares.0, mask),
                };
                if near < AMID * share {
                    choice = Choice::Lists;
                }
                share = near;
            }
        }
        loop {
            self.cancel.check()?;
            match choice {
                Choice::Whole => {
                    return self.whole(q, (matching, self.graph.effort_of_all(ef, share)), probe, beam);
                }
                Choice::Scan => self.nearest_codes(probe, &mut found),
                Choice::Lists => self.in_lists((mask, matching), ef, probe, beam, &mut found),
                Choice::Links => {
                    let links = self.graph.links();
                    let entries = self.graph.entries.iter().copied().chain(spread(mask));
                    let effort = self.effort(ef, matching);
                    beam.search_among(&self.codes, probe, links, entries, (mask, effort));
                    found.clear();
                    found.extend(beam.found().take(self.query.depth()));
                }
            }
            let refined = if choice == Choice::Lists {
                self.refiner.refine_near(q, &found, self.query)
            } else {
                let rows: Vec<u32> = found.iter().map(|(row, _)| *row).collect();
                self.refiner.refine(q, &rows, self.query)
            };
            if choice == Choice::Scan || refined.beyond || refined.hits.len() >= wanted {
                return Ok(refined.hits);
            }
            ef *= 4;
            choice = match choice {
                Choice::Links => self.graph.choice(ef, matching),
                _ => Choice::Scan,
            };
        }
    }

    /// Makes query `q` ready for a search through lists.
    fn aim_at_lists(&self, q: usize, beam: &mut Beam) {
        match &self.graph.listed {
            Listed::Not => {}
            Listed::Bits(lists) => beam.list_aim.aim(&lists.0, &lists.1, self.refiner.queries, q),
            Listed::Numbers(shares) => beam.visit.aim((&shares.0, &shares.1), self.refiner.queries, q),
        }
    }

    /// The rows nearest by their codes in the lists, or of those that seem nearest there, for the query that `beam` is aimed at.
    fn in_lists(
        &self,
        (mask, matching): (&Bits, usize),
        ef: usize,
        probe: &C::Probe,
        beam: &mut Beam,
        found: &mut Vec<(u32, f32)>,
    ) {
        let depth = self.query.depth();
        match &self.graph.listed {
            Listed::Not => {}
            Listed::Bits(lists) => {
                let judged = widened(ef) + self.query.k();
                let visit = Visit { keep: KEPT * judged.max(depth), judged, late: LATE, matching };
                let mut seeming = std::mem::take(&mut beam.seeming);
                let mut aim = std::mem::take(&mut beam.list_aim);
                aim.search((&lists.0, &lists.1), (mask, visit), &mut seeming);
                beam.list_aim = aim;
                self.near_by_codes(&seeming, probe, beam);
                beam.seeming = seeming;
                found.clear();
                found.extend(beam.found().take(depth));
            }
            Listed::Numbers(shares) => {
                let judged = ef + self.query.k();
                let goal = Goal { keep: depth, judged, walks: true };
                let (lists, codes) = ((&shares.0, &shares.1), (&self.codes, probe));
                if beam.visit.search(lists, (mask, |row| row), codes, goal, found) {
                    let seeds: Vec<u32> = found.iter().map(|(row, _)| *row).collect();
                    let links = LinksAmong { links: self.graph.links(), mask };
                    let most = ef + self.query.k() / 2;
                    beam.search(&self.codes, probe, &links, &seeds, (most, most));
                    found.clear();
                    found.extend(beam.found());
                }
                found.truncate(depth);
            }
        }
    }

    /// Leaves those of `seeming`, rows nearest first by estimates, in the pool of `beam` whose codes were scored, nearest first.
    /// How far off estimates are shows in the rows that are scored first; once those left seem farther beyond the `k`-th than
    /// that, they are not scored.
    fn near_by_codes(&self, seeming: &[(u32, f32)], probe: &C::Probe, beam: &mut Beam) {
        let k = self.query.k();
        let (Beam { pool, scores, .. }, mut some) = (beam, Vec::with_capacity(SURE.max(self.query.depth())));
        pool.clear();
        let (mut end, mut sum, mut squares) = (SURE.max(self.query.depth()).min(seeming.len()), 0f32, 0f32);
        while end > pool.len() {
            let now = &seeming[pool.len()..end];
            some.clear();
            some.extend(now.iter().map(|(row, _)| *row));
            self.codes.scores(probe, &some, Reach::Scattered, scores);
            for ((row, seems), score) in now.iter().zip(&*scores) {
                let off = seems - score;
                sum += off;
                squares += off * off;
                pool.push(order(*score, *row << 1));
            }
            let left = &seeming[end..(end + STEP).min(seeming.len())];
            if !left.is_empty() {
                let mean = sum / end as f32;
                let spread = (squares / end as f32 - mean * mean).max(0.0).sqrt();
                let (_, last, _) = pool.select_nth_unstable(k.clamp(1, end) - 1);
                let bar = key_of(*last) + mean + SPREADS * spread;
                end += left.partition_point(|(_, seems)| *seems <= bar);
            }
        }
        pool.sort_unstable();
    }

    /// When a walk among the rows of a mask is over that was asked to keep `ef`. It goes on until its rows reach as far beyond the
    /// `k`-th as they mostly do in a search of all rows, within bounds.
    fn effort(&self, ef: usize, matching: usize) -> Effort {
        let k = self.query.k();
        let growth = *self.graph.growth.get_or_init(|| self.growth());
        let reach = (growth * (REACH * (ef as f32 / k as f32).ln() + MARGIN)).exp();
        let share = matching as f32 / self.codes.len() as f32;
        let lists = (costs::lists(matching, self.codes.len()) as usize).min(LISTS_MAX);
        // How far a few rows reach is chance.
        let least = (ef / 2).max(ef.min(2 * k));
        Effort { k, least: least.max(self.query.depth()), most: ef * EFFORT_MAX, reach, share, lists }
    }

    /// How scores grow with rank: the exponent of the power law, measured at some rows. (The rank of a row grows with the
    /// intrinsic dimension as power of its distance.)
    fn growth(&self) -> f32 {
        const RANKS: (usize, usize) = (10, 64);
        let mut probe = self.codes.probe();
        let mut beam = Beam::default();
        let mut growths = Vec::new();
        for row in self.samples(0) {
            self.walk_from(row, RANKS.1 + 1, &mut probe, &mut beam);
            let score = |rank: usize| beam.found().nth(rank).map_or(0.0, |(_, score)| score);
            let growth = (score(RANKS.1) / score(RANKS.0)).ln() / (RANKS.1 as f32 / RANKS.0 as f32).ln();
            if growth.is_finite() {
                growths.push(growth);
            }
        }
        growths.iter().sum::<f32>() / growths.len().max(1) as f32
    }

    /// Looks at the code of every row that matches and leaves the nearest, enough to be refined.
    fn nearest_codes(&self, probe: &C::Probe, found: &mut Vec<(u32, f32)>) {
        let mut nearest = Nearest::new(self.query.depth());
        let mut scores = Vec::new();
        let mut block = Vec::with_capacity(64);
        let mut score = |block: &mut Vec<u32>| {
            self.codes.scores(probe, block, Reach::Scattered, &mut scores);
            block.drain(..).zip(&scores).for_each(|(row, score)| nearest.push(*score, row));
        };
        let rows: Box<dyn Iterator<Item = usize>> = match self.mask {
            Some(mask) => Box::new(mask.iter()),
            None => Box::new(0..self.codes.len()),
        };
        for row in rows {
            block.push(row as u32);
            if block.len() == 64 {
                score(&mut block);
            }
        }
        score(&mut block);
        *found = nearest.into_scored();
    }
}
