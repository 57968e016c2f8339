//! A search among the rows of a mask, through the lists nearest to the query. Invariant: only rows of the mask are found, as many as
//! asked for if there are so many.
//!
//! The search ends by what it finds: when the later half of the matching rows that it looked at brought few of the rows that it
//! keeps, what is left will bring fewer still. That needs no measure of how rows lie, and tells a query amid rows that match from one
//! far from all of them.

use simd::{Bits, Lookups};

use super::block::View;
use super::lists::Lists;
use crate::Vectors;
use crate::codec::{Bytes8, Codes, Reach, Space};
use crate::hits::{key_of, order};

/// Lists whose centres are measured at first.
const FIRST: usize = 32;
/// How many of the first 32 rows of a list match at least where it costs less to score the rest than to ask which match.
const DENSE: usize = 3;
/// Bytes between the end of the block that is read and what is asked for.
const AHEAD: usize = 2048;

/// How much a search among lists does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit {
    /// Rows that are kept by their estimates.
    pub(super) keep: usize,
    /// The nearest of them, by which the end is found.
    pub(super) judged: usize,
    /// What share of those the later half of what was looked at may have brought at the end.
    pub(super) late: f32,
    /// How many rows match.
    pub(super) matching: usize,
}

/// A query ready for lists, and what a search of them needs; kept from one to the next.
#[derive(Debug, Default)]
pub(crate) struct ListAim {
    wide: Vec<f32>,
    moved: Vec<f32>,
    turned: Vec<f32>,
    lookups: Lookups,
    probe: Bytes8,
    /// Lists as they are ranked, nearest first: some by their distance, the rest by an estimate of it.
    ranked: Vec<u64>,
    some: Vec<u32>,
    terms: Vec<f32>,
    /// `order(estimate, how many rows were looked at before)`.
    kept: Vec<u64>,
    /// Of each list looked at: rows looked at before it, its place among the members, rows looked at before it that match.
    visited: Vec<[u32; 3]>,
    judged: Vec<u64>,
}

impl ListAim {
    /// Aims at query `query`.
    fn aim(&mut self, lists: &Lists, space: &Space, queries: Vectors<'_>, query: usize) {
        let Self { wide, moved, turned, lookups, ranked, probe, .. } = self;
        space.moved(queries.floats(query, wide), moved);
        View::turn(&lists.view, moved, turned);
        lookups.aim_signs(turned, 2.0);
        lists.centers(space).aim(probe, queries, query);
        ranked.clear();
        let mut scores = [0f32; Lookups::ROWS];
        for block in lists.gates() {
            lookups.scores(block, 0.0, f32::INFINITY, &mut scores);
            let first = ranked.len();
            let count = (lists.len() - first).min(Lookups::ROWS);
            ranked.extend((first..).zip(&scores[..count]).map(|(list, score)| order(*score, list as u32)));
        }
    }

    /// The rows of `mask` that seem nearest, `found` in no order; returns how many blocks of the lists were looked at.
    pub(super) fn search(
        &mut self,
        (lists, space): (&Lists, &Space),
        (queries, query): (Vectors<'_>, usize),
        (mask, visit): (&Bits, Visit),
        found: &mut Vec<u32>,
    ) -> usize {
        self.aim(lists, space, queries, query);
        let Self { lookups, terms, probe, ranked, some, kept, visited, judged, .. } = self;
        let centers = lists.centers(space);
        kept.clear();
        visited.clear();
        let mut look = Look {
            lookups,
            mask,
            keep: visit.keep,
            kept,
            limit: f32::INFINITY,
            seen: 0,
            matches: 0,
            counted: 0,
        };
        let (mut check, mut judged_limit, mut sorted) = (2 * visit.judged, u64::MAX, 0);
        for rank in 0..ranked.len() {
            if rank == sorted {
                let end = next_of(ranked, sorted);
                some.clear();
                some.extend(ranked[sorted..end].iter().map(|entry| *entry as u32));
                centers.scores(probe, some, Reach::Scattered, terms);
                let scored = some.iter().zip(terms.iter()).map(|(list, term)| order(*term, *list));
                ranked[sorted..end].iter_mut().zip(scored).for_each(|(entry, scored)| *entry = scored);
                ranked[sorted..end].sort_unstable();
                sorted = end;
            }
            let list = ranked[rank] as u32 as usize;
            visited.push([look.seen, lists.starts[list], look.matches as u32]);
            look.at(lists, list, key_of(ranked[rank]));
            if look.counted >= visit.matching {
                break;
            }
            if look.matches >= check && look.kept.len() >= visit.judged {
                check = look.matches + look.matches / 4;
                let half = visited.partition_point(|[_, _, before]| *before as usize * 2 <= look.matches);
                judged.clear();
                judged.extend(look.kept.iter().filter(|entry| **entry <= judged_limit));
                judged_limit = cut(judged, visit.judged);
                let is_late = |entry: &&u64| **entry as u32 >= visited[half - 1][0];
                if judged.iter().filter(is_late).count() as f32 <= visit.late * visit.judged as f32 {
                    break;
                }
            }
        }
        let seen = look.seen as usize;
        cut(kept, visit.keep);
        found.clear();
        found.extend(kept.iter().map(|entry| {
            let seen = *entry as u32;
            let [before, start, _] = visited[visited.partition_point(|[before, ..]| *before <= seen) - 1];
            lists.members[(start + seen - before) as usize]
        }));
        seen / Lookups::ROWS
    }
}

/// What a search through lists has seen so far.
struct Look<'a> {
    lookups: &'a Lookups,
    mask: &'a Bits,
    keep: usize,
    kept: &'a mut Vec<u64>,
    /// The score from which on a row need not be kept.
    limit: f32,
    seen: u32,
    /// How many of the rows seen match, about.
    matches: usize,
    /// How many of them were counted.
    counted: usize,
}

impl Look<'_> {
    /// Looks at a list. Where many of its first rows match, the others are scored before it is asked whether they do.
    #[inline]
    fn at(&mut self, lists: &Lists, list: usize, term: f32) {
        let members = &lists.members[lists.starts[list] as usize..lists.starts[list + 1] as usize];
        let mut left = lists.blocks(list);
        let mut is_dense = false;
        for (i, rows) in members.chunks(Lookups::ROWS).enumerate() {
            let (block, after) = left.split_at(lists.block_bytes);
            left = after;
            if is_dense {
                left.get(AHEAD..AHEAD + lists.block_bytes).into_iter().for_each(simd::prefetch);
                self.score(block, term, |i| rows.get(i).is_some_and(|row| self.mask.get(*row as usize)));
            } else {
                let wanted = matching(rows, self.mask);
                let count = wanted.count_ones() as usize;
                self.matches += count;
                self.counted += count;
                if count > 0 {
                    left.get(AHEAD..AHEAD + lists.block_bytes).into_iter().for_each(simd::prefetch);
                    self.score(block, term, |i| wanted >> i & 1 == 1);
                }
                if i == 0 && count >= DENSE {
                    is_dense = true;
                    self.matches += count * (members.len() - rows.len()) / rows.len();
                }
            }
            self.seen += rows.len() as u32;
        }
    }

    /// Keeps the rows of a block that are near and `wanted`.
    #[inline]
    fn score(&mut self, block: &[u8], term: f32, wanted: impl Fn(usize) -> bool) {
        let mut scores = [0f32; Lookups::ROWS];
        let mut near = self.lookups.scores(block, term, self.limit, &mut scores);
        while near != 0 {
            let i = near.trailing_zeros();
            near &= near - 1;
            if wanted(i as usize) {
                self.kept.push(order(scores[i as usize], self.seen + i));
            }
        }
        if self.kept.len() >= 2 * self.keep {
            self.limit = key_of(cut(self.kept, self.keep));
        }
    }
}

/// Brings the smallest of those from `sorted` on to the front of them, more each time; returns where these end.
fn next_of(ranked: &mut [u64], sorted: usize) -> usize {
    let end = (2 * sorted + FIRST).min(ranked.len());
    if end < ranked.len() {
        ranked[sorted..].select_nth_unstable(end - sorted - 1);
    }
    end
}

/// Leaves the smallest `keep`; gives the last of them, if there are so many.
fn cut(kept: &mut Vec<u64>, keep: usize) -> u64 {
    if kept.len() < keep {
        return u64::MAX;
    }
    let (_, last, _) = kept.select_nth_unstable(keep - 1);
    let last = *last;
    kept.truncate(keep);
    last
}

/// One bit for each of up to 32 rows that is in the mask.
#[inline]
fn matching(rows: &[u32], mask: &Bits) -> u32 {
    let words = mask.words();
    let mut bits = 0u32;
    for (i, row) in rows.iter().enumerate() {
        bits |= ((words[*row as usize / 64] >> (row % 64)) as u32 & 1) << i;
    }
    bits
}

#[cfg(test)]
mod tests {
    use host::{Cancel, Pool, Rng};

    use super::*;
    use crate::Metric;
    use crate::codec::ByteRows;
    use crate::image::Image;

    const DIM: usize = 70;
    const ROWS: usize = 1500;

    /// Lists of normal noise, and the space of their rows.
    fn lists(metric: Metric, values: &[f32]) -> (Lists, Space) {
        let (pool, cancel) = (Pool::inline(), Cancel::new());
        let vectors = Vectors::F32 { dim: DIM, values };
        let space = Space::of(metric, vectors, &pool);
        let codes = space.code(vectors, ROWS, |row| row, &pool, &cancel).expect("not cancelled");
        let (rows, mut image) = (ByteRows { space: &space, codes: &codes }, Image::default());
        Lists::build((metric, &rows), vectors, 3, (&pool, &cancel), &mut image).expect("not cancelled");
        let lists = Lists::read(&space, (ROWS, DIM), &image).expect("its own image").expect("enough rows");
        (lists, space)
    }

    #[test]
    fn a_search_that_does_not_end_early_finds_every_row_that_matches_and_estimates_are_near() {
        let mut rng = Rng::new(5);
        let values: Vec<f32> = (0..ROWS * DIM).map(|_| rng.normal() as f32).collect();
        let vectors = Vectors::F32 { dim: DIM, values: &values };
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            let (lists, space) = lists(metric, &values);
            for share in [0.0, 0.005, 0.1, 0.6, 1.0] {
                let mask = Bits::from_fn(ROWS, |_| rng.chance(share));
                let matching = mask.count();
                let (mut aim, mut found) = (ListAim::default(), Vec::new());
                let all = Visit { keep: ROWS, judged: 10, late: -1.0, matching };
                aim.search((&lists, &space), (vectors, 7), (&mask, all), &mut found);
                found.sort_unstable();
                assert!(found.iter().map(|row| *row as usize).eq(mask.iter()), "{metric} {share}");
                let few = Visit { keep: 20, ..all };
                aim.search((&lists, &space), (vectors, 7), (&mask, few), &mut found);
                assert!(found.len() == matching.min(20) && found.iter().all(|row| mask.get(*row as usize)));
                // A row is nearest to itself but for the length of others, with products.
                assert!(metric == Metric::Ip || !mask.get(7) || found.contains(&7), "{metric} {share}");
            }
        }
    }
}
