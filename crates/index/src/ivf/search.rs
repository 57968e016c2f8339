//! A walk through the lists nearest to a query. Invariant: as many rows come back as match and were asked for; lists are
//! looked at until there are enough.

use std::ops::Range;

use host::Cancel;
use simd::Bits;

use super::lists::Ivf;
use crate::codec::{Codes, Reach};
use crate::hits::order;
use crate::nearest::Nearest;
use crate::refine::Refiner;
use crate::{Error, Hits, Query, Vectors};

/// What is in the lists.
pub(super) trait Lists {
    /// A query in the form that scoring wants, and buffers.
    type Probe;

    /// A probe that is aimed at nothing yet.
    fn probe(&self) -> Self::Probe;

    /// Aims at query `query`.
    fn aim(&self, probe: &mut Self::Probe, queries: Vectors<'_>, query: usize);

    /// Asks the memory for the beginning of a list.
    fn ask(&self, _: Range<u32>) {}

    /// Shows the rows of a list, which are a range of the members, to `nearest` if they match.
    fn look(
        &self,
        list: (u32, Range<u32>),
        members: &[u32],
        mask: Option<&Bits>,
        probe: &mut Self::Probe,
        nearest: &mut Nearest,
    );
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
struct Buffers {
    lists: Vec<u32>,
    ranked: Vec<u64>,
    scores: Vec<f32>,
}

impl Buffers {
    /// Brings the nearest `nprobe` of what is ranked to the front.
    fn sort(&mut self, nprobe: usize) {
        if nprobe < self.ranked.len() {
            self.ranked.select_nth_unstable(nprobe - 1);
        }
        self.ranked[..nprobe].sort_unstable();
    }
}

impl<A: Codes, L: Lists> Walk<'_, A, L> {
    pub(super) fn run(&self) -> Result<Vec<Hits>, Error> {
        let matching = self.mask.map_or(self.ivf.rows(), Bits::count);
        let (mut aim, mut probe) = (self.centroids.probe(), self.lists.probe());
        let lists = (0..self.ivf.lists() as u32).collect();
        let mut buffers = Buffers { lists, ranked: Vec::new(), scores: Vec::new() };
        let mut all = Vec::with_capacity(self.refiner.queries.len());
        for q in 0..self.refiner.queries.len() {
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
        let depth = if all { usize::MAX } else { self.query.depth() };
        let twice = if self.ivf.is_spilled() { 2 } else { 1 };
        let usual = nprobe * self.ivf.rows() / lists;
        if let Some(mask) = self.mask.filter(|_| matching <= usual) {
            // No more rows match than are looked at anyway.
            let rows: Vec<u32> = mask.iter().map(|row| row as u32).collect();
            return Ok(self.refiner.refine(q, &rows, self.query).hits);
        }
        self.rank(aim, nprobe, buffers);
        // Where few rows of a list match, more lists are looked at, until as many rows matched as there are without a mask.
        let least = if self.mask.is_some() { usual.min(matching) } else { 0 };
        loop {
            self.cancel.check()?;
            let mut nearest = Nearest::new(depth.saturating_mul(twice));
            let (mut from, mut matched) = (0, 0);
            loop {
                matched += self.look_at(from..nprobe, probe, buffers, &mut nearest);
                if matched >= least || nprobe == lists {
                    break;
                }
                from = nprobe;
                nprobe = (nprobe * least / matched.max(1)).clamp(nprobe + 1, nprobe * 4).min(lists);
                self.cancel.check()?;
                buffers.sort(nprobe);
            }
            let mut rows = nearest.into_scored();
            if twice == 2 {
                keep_first(&mut rows);
                rows.truncate(depth);
            }
            let refined = self.refiner.refine_near(q, &rows, self.query);
            let enough = rows.len() >= wanted;
            if nprobe == lists || refined.hits.len() >= wanted || (enough && refined.beyond) {
                return Ok(refined.hits);
            }
            nprobe = (nprobe * 4).min(lists);
            buffers.sort(nprobe);
        }
    }

    /// Looks at the lists of some ranks; returns how many of their rows match, if there is a mask.
    fn look_at(
        &self,
        ranks: Range<usize>,
        probe: &mut L::Probe,
        buffers: &Buffers,
        nearest: &mut Nearest,
    ) -> usize {
        let mut all = 0;
        for rank in ranks.clone() {
            let list = buffers.ranked[rank] as u32;
            let range = self.ivf.range(list);
            if rank + 1 < ranks.end {
                self.lists.ask(self.ivf.range(buffers.ranked[rank + 1] as u32));
            }
            if let Some(mask) = self.mask {
                let members = &self.ivf.members[range.start as usize..range.end as usize];
                let matching = members.iter().filter(|row| mask.get(**row as usize)).count();
                all += matching;
                if matching == 0 {
                    continue;
                }
            }
            self.lists.look((list, range), &self.ivf.members, self.mask, probe, nearest);
        }
        all
    }

    /// Brings the nearest `nprobe` lists to the front of `ranked`.
    fn rank(&self, aim: &A::Probe, nprobe: usize, buffers: &mut Buffers) {
        let Buffers { lists, ranked, scores } = buffers;
        self.centroids.scores(aim, lists, Reach::Cached, scores);
        ranked.clear();
        ranked.extend(lists.iter().zip(scores).map(|(list, score)| order(*score, *list)));
        buffers.sort(nprobe);
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
