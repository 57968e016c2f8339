//! A walk through the lists nearest to a query. Invariant: as many rows come back as match and were asked for; lists are
//! looked at until there are enough.

use std::ops::Range;

use host::Cancel;
use simd::{Bits, Lookups};

use super::costs::{Costs, Look};
use super::fine::{self, Fine};
use super::lists::Ivf;
use crate::codec::{Codes, Reach};
use crate::gates;
use crate::hits::order;
use crate::nearest::Nearest;
use crate::outline::ones;
use crate::refine::Refiner;
use crate::{Error, Hits, Metric, Query, Vectors};

/// What part of the lists a search looks at before it first asks what they brought.
const HALF: usize = 2;
/// Of how many lists more it asks again, as a part of those looked at.
const STEP: usize = 4;
/// Of how many of the nearest the later half of what was looked at may have brought one at the end.
const LATE: usize = 32;
/// What is in the lists.
pub(super) trait Lists {
    /// A query in the form that scoring wants, and buffers.
    type Probe;

    /// A probe that is aimed at nothing yet.
    fn probe(&self) -> Self::Probe;

    /// Aims at query `query`.
    fn aim(&self, probe: &mut Self::Probe, queries: Vectors<'_>, query: usize);

    /// The query as tables of signs, where lists are looked at by those.
    fn signs<'a>(&self, _: &'a Self::Probe) -> Option<&'a Lookups> {
        None
    }

    /// Asks the memory for the beginning of a list.
    fn ask(&self, _: (u32, Range<u32>), _members: &[u32]) {}

    /// Shows the rows of a list, which are a range of the members, to `nearest`; only those whose bits are set in `wanted`, if there are
    /// any.
    fn look(
        &self,
        list: (u32, Range<u32>),
        members: &[u32],
        wanted: Option<&[u64]>,
        probe: &mut Self::Probe,
        nearest: &mut Nearest,
    );
}

/// The score by codes of a row whose exact score is `score`, were codes exact.
fn level(metric: Metric, score: f32) -> f32 {
    match metric {
        Metric::Cosine => 2.0 - 2.0 * score,
        Metric::Ip => -score,
        _ => score,
    }
}

/// One search for several queries.
pub(super) struct Walk<'a, A, L> {
    pub(super) ivf: &'a Ivf,
    pub(super) centroids: A,
    pub(super) lists: L,
    pub(super) refiner: &'a Refiner<'a>,
    pub(super) query: &'a Query,
    pub(super) mask: Option<&'a Bits>,
    pub(super) cancel: &'a Cancel,
}

/// Buffers of one search.
#[derive(Default)]
struct Buffers {
    lists: Vec<u32>,
    ranked: Vec<u64>,
    scores: Vec<f32>,
    gate: gates::Aim,
    fine: fine::Aim,
    wide: Vec<f32>,
    /// One bit for each row of a list that matches.
    wanted: Vec<u64>,
    chosen: Vec<u32>,
    /// How many rows had matched, and the nearest by then, rising; at each time that was asked.
    marks: Vec<(usize, Vec<u32>)>,
    /// Whether rows were measured while lists were looked at.
    is_mixed: bool,
}

impl Buffers {
    /// Brings the nearest of what is ranked and comes after the first `from` to the front of it, up to the first `to`.
    fn sort(&mut self, from: usize, to: usize) {
        let rest = &mut self.ranked[from..];
        if to - from < rest.len() {
            rest.select_nth_unstable(to - from - 1);
        }
        rest[..to - from].sort_unstable();
    }

    /// Marks the rows of a list that are in the mask; returns how many.
    fn mark(&mut self, members: &[u32], mask: &Bits) -> usize {
        let words = mask.words();
        self.wanted.clear();
        self.wanted.extend(members.chunks(64).map(|rows| {
            let bit = |row: u32| words[row as usize / 64] >> (row % 64) & 1;
            rows.iter().enumerate().fold(0, |word, (i, row)| word | bit(*row) << i)
        }));
        self.wanted.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether the later half of the rows that matched, `matched` by now, brought few of the nearest, `judged` if there are as many.
    fn is_settled(&mut self, matched: usize, mut now: Vec<u32>, judged: usize) -> bool {
        now.sort_unstable();
        let before = self.marks.iter().rev().find(|(before, _)| before * 2 <= matched);
        let late = before.map(|(_, before)| late(before, &now));
        let is_settled = now.len() == judged && late.is_some_and(|late| late * LATE <= judged);
        self.marks.push((matched, now));
        is_settled
    }
}

/// How many of `now` are not in `before`, both rising.
fn late(before: &[u32], now: &[u32]) -> usize {
    now.iter().filter(|row| before.binary_search(row).is_err()).count()
}

impl<A: Codes, L: Lists> Walk<'_, A, L> {
    pub(super) fn run(&self) -> Result<Vec<Hits>, Error> {
        let matching = self.mask.map_or(self.ivf.rows(), Bits::count);
        let (mut aim, mut probe) = (self.centroids.probe(), self.lists.probe());
        let lists = (0..self.ivf.lists() as u32).collect();
        let mut buffers = Buffers { lists, ..Buffers::default() };
        let every = self.mask.filter(|_| self.ivf.measures_all(self.query, matching));
        let every: Option<Vec<u32>> = every.map(|mask| mask.iter().map(|row| row as u32).collect());
        let mut all = Vec::with_capacity(self.refiner.queries.len());
        for q in 0..self.refiner.queries.len() {
            if let Some(rows) = &every {
                self.cancel.check()?;
                all.push(self.refiner.refine(q, rows, self.query).hits);
                continue;
            }
            self.centroids.aim(&mut aim, self.refiner.queries, q);
            self.lists.aim(&mut probe, self.refiner.queries, q);
            all.push(self.one(q, matching, (&aim, &mut probe), &mut buffers)?);
        }
        Ok(all)
    }

    fn one(
        &self,
        q: usize,
        matching: usize,
        (aim, probe): (&A::Probe, &mut L::Probe),
        buffers: &mut Buffers,
    ) -> Result<Hits, Error> {
        let lists = buffers.lists.len();
        let wanted = self.query.k().min(matching);
        let mut nprobe = self.query.value("nprobe").clamp(1, lists);
        // With an inner bound the nearest may all be too near, so everything seen is measured.
        let all = self.query.range_filter().is_some();
        let depth = if all { usize::MAX } else { self.ivf.depth(self.query) };
        let fine = self.ivf.fine.as_ref().filter(|_| !all);
        let breadth = if fine.is_some() { Fine::breadth(depth) } else { depth };
        let twice = if self.ivf.is_spilled() { 2 } else { 1 };
        let usual = self.ivf.usual(self.query);
        self.rank(q, (aim, probe), nprobe, buffers);
        loop {
            self.cancel.check()?;
            let mut nearest = Nearest::new(breadth.saturating_mul(twice));
            buffers.is_mixed = false;
            if self.mask.is_some() {
                let least = usual.min(matching);
                let judged = depth.min(self.query.judged());
                self.look_among((q, least, judged), &mut nprobe, probe, buffers, &mut nearest)?;
            } else {
                self.look_at(q, 0..nprobe, probe, buffers, &mut nearest);
            }
            let mut rows =
                if fine.is_some() { nearest.into_scored_unsorted() } else { nearest.into_scored() };
            if twice == 2 {
                keep_first(&mut rows);
            }
            match fine {
                Some(fine) => {
                    let of = (self.refiner.queries, q);
                    rows = fine.nearest(of, self.query, (&mut rows, depth), &mut buffers.fine);
                }
                None => rows.truncate(depth),
            }
            let refined = if buffers.is_mixed && fine.is_none() {
                let rows: Vec<u32> = rows.iter().map(|(row, _)| *row).collect();
                self.refiner.refine(q, &rows, self.query)
            } else {
                self.refiner.refine_near(q, &rows, self.query)
            };
            let enough = rows.len() >= wanted;
            if nprobe == lists || refined.hits.len() >= wanted || (enough && refined.beyond) {
                return Ok(refined.hits);
            }
            nprobe = (nprobe * 4).min(lists);
            self.rank(q, (aim, probe), nprobe, buffers);
        }
    }

    /// Looks at the nearest `nprobe` lists, and at more until the later half of the rows that matched brought few of the nearest, or
    /// `least` rows matched.
    fn look_among(
        &self,
        (q, least, judged): (usize, usize, usize),
        nprobe: &mut usize,
        probe: &mut L::Probe,
        buffers: &mut Buffers,
        nearest: &mut Nearest,
    ) -> Result<(), Error> {
        let lists = buffers.lists.len();
        buffers.marks.clear();
        let (mut at, mut end, mut sorted) = (0, (*nprobe).div_ceil(HALF), *nprobe);
        let mut matched = 0;
        loop {
            matched += self.look_at(q, at..end, probe, buffers, nearest);
            at = end;
            if at == lists || at >= *nprobe && matched >= least {
                break;
            }
            let now = nearest.best(judged, self.ivf.is_spilled());
            let is_settled = buffers.is_settled(matched, now, judged);
            if at >= *nprobe && is_settled {
                break;
            }
            end = if at < *nprobe { *nprobe } else { (at + at.div_ceil(STEP)).min(lists) };
            if end > sorted {
                self.cancel.check()?;
                sorted = self.sort_on((sorted, end), probe, buffers);
            }
        }
        *nprobe = at.max(*nprobe);
        Ok(())
    }

    /// Looks at the lists of some ranks; returns how many of their rows match, if there is a mask.
    fn look_at(
        &self,
        q: usize,
        ranks: Range<usize>,
        probe: &mut L::Probe,
        buffers: &mut Buffers,
        nearest: &mut Nearest,
    ) -> usize {
        let mut all = 0;
        for rank in ranks.clone() {
            let list = buffers.ranked[rank] as u32;
            let range = self.ivf.range(list);
            let Some(mask) = self.mask else {
                if rank + 1 < ranks.end {
                    let next = buffers.ranked[rank + 1] as u32;
                    self.lists.ask((next, self.ivf.range(next)), &self.ivf.members);
                }
                self.lists.look((list, range), &self.ivf.members, None, probe, nearest);
                continue;
            };
            let members = &self.ivf.members[range.start as usize..range.end as usize];
            let matching = buffers.mark(members, mask);
            all += matching;
            if self.ivf.costs().measures(members.len(), matching) {
                self.measure(q, members, buffers, nearest);
            } else if matching > 0 {
                self.lists.look((list, range), &self.ivf.members, Some(&buffers.wanted), probe, nearest);
            }
        }
        all
    }

    /// Measures the rows of a list that were marked.
    fn measure(&self, q: usize, members: &[u32], buffers: &mut Buffers, nearest: &mut Nearest) {
        let Buffers { wanted, chosen, scores, is_mixed, .. } = buffers;
        chosen.clear();
        for (rows, word) in members.chunks(64).zip(wanted.iter()) {
            chosen.extend(ones(*word).map(|i| rows[i]));
        }
        scores.resize(chosen.len(), 0.0);
        self.refiner.measure(q, chosen, scores);
        let levels = scores.iter().map(|score| level(self.refiner.metric, *score));
        chosen.iter().zip(levels).for_each(|(row, level)| nearest.push(level, *row));
        *is_mixed |= !chosen.is_empty();
    }

    /// Goes on from the first `sorted` lists to at least the first `end`; returns how many are in order now. Those that were not worth a
    /// look at their centres follow in the order of their gates.
    fn sort_on(&self, (sorted, end): (usize, usize), probe: &L::Probe, buffers: &mut Buffers) -> usize {
        let ranked = buffers.ranked.len();
        let sorted_now = if end > ranked { ranked } else { (end * 2).min(ranked) };
        buffers.sort(sorted, sorted_now);
        let Some(gates) = self.ivf.gates.as_ref().filter(|_| end > ranked) else { return sorted_now };
        let Buffers { lists, ranked, gate, .. } = buffers;
        let mut is_ranked = Bits::zeros(lists.len());
        ranked.iter().for_each(|entry| is_ranked.set(*entry as u32 as usize, true));
        let gated = gates.ranked(self.lists.signs(probe).unwrap_or(gate.lookups()));
        // Damaged centres, which are nowhere, come last.
        for list in gated.into_iter().chain(lists.iter().copied()) {
            if !is_ranked.get(list as usize) {
                is_ranked.set(list as usize, true);
                ranked.push(order(f32::INFINITY, list));
            }
        }
        ranked.len()
    }

    /// Brings the nearest `nprobe` lists to the front of `ranked`, which has all lists unless gates chose some.
    fn rank(&self, q: usize, (aim, probe): (&A::Probe, &L::Probe), nprobe: usize, buffers: &mut Buffers) {
        let Buffers { lists, ranked, scores, gate, wide, .. } = buffers;
        let chosen = self.ivf.gates.as_ref().and_then(|gates| {
            let count = gates.count(nprobe)?;
            let lookups = match self.lists.signs(probe) {
                Some(lookups) => lookups,
                None => gates.aim(self.refiner.queries.floats(q, wide), gate),
            };
            let chosen = gates.choose(lookups, count);
            // Damaged centres may be nowhere.
            Some(chosen).filter(|chosen| chosen.len() == count)
        });
        let (lists, reach) = match &chosen {
            Some(chosen) => (chosen, Reach::Scattered),
            None => (&*lists, Reach::Cached),
        };
        self.centroids.scores(aim, lists, reach, scores);
        ranked.clear();
        ranked.extend(lists.iter().zip(scores).map(|(list, score)| order(*score, *list)));
        buffers.sort(0, nprobe);
    }
}

/// How often each step is measured; the quickest counts.
const TURNS: usize = 4;
/// Rows of the lists that are looked at in a turn, and rows that are measured: the same twice, so that they come from where those of a
/// filter come from that is asked again.
const LOOKED_AT: usize = 4096;
const MEASURED: usize = 512;
/// Of so many rows of a list one is looked at by itself.
const SINGLE: usize = 16;
/// Rows that are measured together where they are of one list.
const TOGETHER: usize = 4;
/// Rows that are kept of those looked at.
const KEPT: usize = 64;

impl<A: Codes, L: Lists> Walk<'_, A, L> {
    /// Measures what the steps cost a search for the first of the queries, under a mask in which nothing is.
    pub(super) fn costs(&self, now_ns: &dyn Fn() -> u64) -> Costs {
        let lists: Vec<u32> = (0..self.ivf.lists() as u32).collect();
        let mut buffers = Buffers { lists, ..Buffers::default() };
        let (mut aim, mut probe) = (self.centroids.probe(), self.lists.probe());
        let usual = *self.ivf.costs();
        let mut quickest = [f32::INFINITY; 7];
        for turn in (0..TURNS).map(|turn| turn / 2) {
            let mut counts = [self.ivf.lists(), 0, 0, 0, 0, 0];
            let begun = now_ns();
            self.centroids.aim(&mut aim, self.refiner.queries, 0);
            self.lists.aim(&mut probe, self.refiner.queries, 0);
            let times = [
                now_ns(),
                {
                    self.rank(0, (&aim, &probe), 1, &mut buffers);
                    now_ns()
                },
                {
                    counts[1] = self.look_alone(2 * turn, None, &mut probe);
                    now_ns()
                },
                {
                    counts[2] = self.look_alone(2 * turn + 1, Some(SINGLE), &mut probe);
                    now_ns()
                },
                {
                    counts[3] = self.measure_alone(2 * turn, MEASURED, &mut buffers.scores);
                    now_ns()
                },
                {
                    counts[4] = self.measure_alone(2 * turn + 1, TOGETHER, &mut buffers.scores);
                    now_ns()
                },
                {
                    let some = &self.ivf.members[..LOOKED_AT.min(self.ivf.members.len())];
                    counts[5] = some.len() + self.mask.map_or(0, |mask| buffers.mark(some, mask));
                    now_ns()
                },
            ];
            quickest[6] = quickest[6].min(times[0].saturating_sub(begun) as f32);
            for (least, (pair, count)) in quickest.iter_mut().zip(times.windows(2).zip(counts)) {
                *least = least.min(pair[1].saturating_sub(pair[0]) as f32 / count as f32);
            }
        }
        let [ranked_ns, whole_ns, single_ns, rising_ns, anywhere_ns, marked_ns, begin_ns] = quickest;
        let look = match usual.look {
            Look::Rows { .. } => {
                let rows = self.ivf.members.len() as f32 / self.ivf.lists() as f32;
                Look::rows((rows, whole_ns), ((rows / SINGLE as f32).ceil(), single_ns))
            }
            Look::Planes { .. } => Look::Planes { streamed_ns: whole_ns, single_ns },
            Look::Blocks { rows, .. } => Look::Blocks { rows, each_ns: whole_ns * rows as f32 },
        };
        Costs { look, rising_ns, anywhere_ns, ranked_ns, marked_ns, begin_ns, ..usual }
    }

    /// Looks at some lists, at all their rows or at one of so many; returns at how many.
    fn look_alone(&self, turn: usize, one_of: Option<usize>, probe: &mut L::Probe) -> usize {
        let (lists, mut nearest) = (self.ivf.lists(), Nearest::new(KEPT));
        let (mut done, mut count) = (0, 0);
        for i in 0..lists {
            let list = ((turn * lists / TURNS + i) % lists) as u32;
            let range = self.ivf.range(list);
            let wanted: Option<Vec<u64>> = one_of.map(|gap| {
                let bits = |first: u32| {
                    let here = (range.end - first).min(64) as usize;
                    (0..here).step_by(gap).fold(0, |word, bit| word | 1 << bit)
                };
                range.clone().step_by(64).map(bits).collect()
            });
            done += range.len();
            count += one_of.map_or(range.len(), |gap| {
                range
                    .clone()
                    .step_by(64)
                    .map(|first| ((range.end - first).min(64) as usize).div_ceil(gap))
                    .sum()
            });
            self.lists.look((list, range), &self.ivf.members, wanted.as_deref(), probe, &mut nearest);
            if done >= LOOKED_AT {
                break;
            }
        }
        count
    }

    /// Measures some rows, `together` at once: that many in rising order, or from anywhere; returns how many.
    fn measure_alone(&self, turn: usize, together: usize, scores: &mut Vec<f32>) -> usize {
        /// Larger than what a search has in a cache, and prime.
        const GAP: usize = 7919;
        let (rows, count) = (self.ivf.rows(), MEASURED.min(self.ivf.rows()));
        let first = turn * rows / TURNS;
        let all: Vec<u32> = match together {
            MEASURED => (0..count).map(|i| ((i * rows + first) / count) as u32).collect(),
            _ => (0..count).map(|i| ((first + i * GAP) % rows) as u32).collect(),
        };
        for some in all.chunks(together) {
            scores.resize(some.len(), 0.0);
            self.refiner.measure(0, some, scores);
        }
        count
    }
}

/// Removes all but the first of equal rows.
fn keep_first(rows: &mut Vec<(u32, f32)>) {
    // Open addressing; at most one place in four is taken. No row is u32::MAX.
    let mask = (rows.len() * 4).next_power_of_two() - 1;
    let mut seen = vec![u32::MAX; mask + 1];
    rows.retain(|(row, _)| {
        let mut place = row.wrapping_mul(0x9e37_79b1) as usize >> 7 & mask;
        while seen[place] != u32::MAX {
            if seen[place] == *row {
                return false;
            }
            place = (place + 1) & mask;
        }
        seen[place] = *row;
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_equal_rows_stays() {
        let mut rows: Vec<(u32, f32)> = (0..300u32).map(|i| (i * i % 101, i as f32)).collect();
        let mut want: Vec<(u32, f32)> = Vec::new();
        rows.iter().for_each(|(row, score)| {
            if want.iter().all(|(other, _)| other != row) {
                want.push((*row, *score));
            }
        });
        keep_first(&mut rows);
        assert_eq!(rows, want);
        keep_first(&mut Vec::new());
    }
}
