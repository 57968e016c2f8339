//! A search among the rows of a mask, through the lists nearest to the query. Invariant: only rows of the mask are found, as many as
//! asked for if there are so many.
//!
//! The search ends by what it finds: when the later half of the matching rows that it looked at brought few of the rows that it
//! keeps, what is left will bring fewer still. That needs no measure of how rows lie, and tells a query amid rows that match from one
//! far from all of them.

use simd::{Bits, Lookups};

use super::block::View;
use super::lists::{Lists, Rows};
use crate::Vectors;
use crate::codec::{Bytes8, Codes, Space};
use crate::hits::{key_of, order};
use crate::shares::{End, cut, sort_on};

/// How many of the first 32 rows of a list match at least where it costs less to score the rest than to ask which match.
const DENSE: usize = 3;
/// How many of the first 32 rows of a list match at least where whole blocks are scored rather than single rows.
pub(super) const SPARSE: usize = 10;
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
    signed: Signed,
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

/// A query for rows of signs that lie by themselves.
#[derive(Debug, Default)]
struct Signed {
    /// The elements, rounded, and zeros up to a multiple of 64.
    codes: Vec<[i8; 64]>,
    /// What the signs of a row and the elements come to, doubled, is `offset + step * dot`.
    offset: f32,
    step: f32,
    /// The rows that match of the list that is looked at, and what is summed up of them.
    chosen: Vec<u32>,
    dots: Vec<i32>,
}

impl Signed {
    fn aim(&mut self, query: &[f32]) {
        let widest = query.iter().fold(0f32, |widest, value| widest.max(value.abs()));
        self.codes.clear();
        self.codes.resize(query.len().div_ceil(64), [0; 64]);
        (self.offset, self.step) = (0.0, 0.0);
        if !(widest > 1e-30 && widest < 1e30) {
            return;
        }
        let inverse = 127.0 / widest;
        let mut sum = 0;
        for (chunk, values) in self.codes.iter_mut().zip(query.chunks(64)) {
            for (code, value) in chunk.iter_mut().zip(values) {
                // Adding 1.5 * 2^23 leaves the rounded number in the low bits.
                *code = (value * inverse + 12_582_912.0).to_bits() as i8;
                sum += i32::from(*code);
            }
        }
        let scale = widest / 127.0;
        (self.offset, self.step) = (-2.0 * scale * sum as f32, 4.0 * scale);
    }
}

impl ListAim {
    /// Aims at query `query`.
    pub(super) fn aim(&mut self, lists: &Lists, space: &Space, queries: Vectors<'_>, query: usize) {
        let Self { wide, moved, turned, lookups, signed, ranked, probe, .. } = self;
        space.moved(queries.floats(query, wide), moved);
        View::turn(&lists.view, moved, turned);
        lookups.aim_signs(turned, 2.0);
        signed.aim(turned);
        lists.shares.centers(space).aim(probe, queries, query);
        ranked.clear();
        let mut scores = [0f32; Lookups::ROWS];
        for block in lists.gates() {
            lookups.scores(block, 0.0, f32::INFINITY, &mut scores);
            let first = ranked.len();
            let count = (lists.shares.len() - first).min(Lookups::ROWS);
            ranked.extend((first..).zip(&scores[..count]).map(|(list, score)| order(*score, list as u32)));
        }
    }

    /// The share of the rows in the lists that seem nearest to the query which are in `mask`.
    pub(super) fn share_near(&mut self, lists: &Lists, mask: &Bits) -> f32 {
        lists.shares.share_near(&mut self.ranked, mask)
    }

    /// The rows of `mask` that seem nearest to the query aimed at and how near they seem, `found` nearest first; returns how many blocks of
    /// the lists were looked at.
    pub(super) fn search(
        &mut self,
        (lists, space): (&Lists, &Space),
        (mask, visit): (&Bits, Visit),
        found: &mut Vec<(u32, f32)>,
    ) -> usize {
        let Self { lookups, signed, terms, probe, ranked, some, kept, visited, judged, .. } = self;
        let centers = lists.shares.centers(space);
        kept.clear();
        visited.clear();
        let mut look = Look {
            lookups,
            signed,
            mask,
            keep: visit.keep,
            kept,
            limit: f32::INFINITY,
            seen: 0,
            matches: 0,
            counted: 0,
        };
        let (mut end, mut sorted) = (End::new(visit.judged, visit.late, false), 0);
        for rank in 0..ranked.len() {
            if rank == sorted {
                sorted = sort_on((&centers, probe), (ranked, sorted), (some, terms));
            }
            let list = ranked[rank] as u32 as usize;
            if let Some(next) = ranked.get(rank + 1) {
                simd::prefetch(lists.shares.members(*next as u32 as usize));
            }
            visited.push([look.seen, lists.shares.starts[list], look.matches as u32]);
            look.at(lists, list, key_of(ranked[rank]));
            if look.counted >= visit.matching {
                break;
            }
            let late = || {
                let half = visited.partition_point(|[_, _, before]| *before as usize * 2 <= look.matches);
                let from = visited[half - 1][0];
                move |seen| seen >= from
            };
            if end.has_come(look.matches, look.kept, judged, late) {
                break;
            }
        }
        let seen = look.seen as usize;
        cut(kept, visit.keep);
        kept.sort_unstable();
        found.clear();
        found.extend(kept.iter().map(|entry| {
            let seen = *entry as u32;
            let [before, start, _] = visited[visited.partition_point(|[before, ..]| *before <= seen) - 1];
            (lists.shares.members[(start + seen - before) as usize], key_of(*entry))
        }));
        seen / Lookups::ROWS
    }
}

/// What a search through lists has seen so far.
struct Look<'a> {
    lookups: &'a Lookups,
    signed: &'a mut Signed,
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
        let (start, members) = (lists.shares.starts[list] as usize, lists.shares.members(list));
        let first = &members[..members.len().min(Lookups::ROWS)];
        let wanted = matching(first, self.mask);
        let count = wanted.count_ones() as usize;
        match &lists.rows {
            Some(rows) if count < SPARSE => self.some(rows, (start, members), term),
            _ => self.blocks((lists.blocks(list), lists.block_bytes), members, (wanted, count), term),
        }
        self.seen += members.len() as u32;
    }

    /// Scores the rows of a list that match, one by one.
    #[inline]
    fn some(&mut self, rows: &Rows, (start, members): (usize, &[u32]), term: f32) {
        let Signed { codes, offset, step, chosen, dots } = &mut *self.signed;
        chosen.resize(chosen.len().max(members.len()), 0);
        let words = self.mask.words();
        let mut count = 0;
        // Without a branch on what can't be foretold.
        for (row, member) in (start as u32..).zip(members) {
            chosen[count] = row;
            count += (words[*member as usize / 64] >> (member % 64) & 1) as usize;
        }
        let chosen = &chosen[..count];
        chosen.iter().for_each(|row| rows.prefetch(*row as usize));
        self.matches += count;
        self.counted += count;
        dots.resize(dots.len().max(count), 0);
        rows.dots(codes, |i| chosen[i] as usize, &mut dots[..count]);
        for (row, dot) in chosen.iter().zip(&*dots) {
            let [scale, bias] = rows.factors(*row as usize);
            let score = (bias + term) - scale * (*offset + *step * *dot as f32);
            if score <= self.limit {
                self.kept.push(order(score, self.seen + (row - start as u32)));
            }
        }
        self.tighten();
    }

    /// Scores a list block by block; of its first rows those of `wanted` match.
    #[inline]
    fn blocks(
        &mut self,
        (mut left, block_bytes): (&[u8], usize),
        members: &[u32],
        (first, count): (u32, usize),
        term: f32,
    ) {
        let mut is_dense = false;
        let mut seen = self.seen;
        for (i, rows) in members.chunks(Lookups::ROWS).enumerate() {
            let (block, after) = left.split_at(block_bytes);
            left = after;
            if is_dense {
                left.get(AHEAD..AHEAD + block_bytes).into_iter().for_each(simd::prefetch);
                self.score(block, (term, seen), |i| {
                    rows.get(i).is_some_and(|row| self.mask.get(*row as usize))
                });
            } else {
                let wanted = if i == 0 { first } else { matching(rows, self.mask) };
                let found = wanted.count_ones() as usize;
                self.matches += found;
                self.counted += found;
                if found > 0 {
                    left.get(AHEAD..AHEAD + block_bytes).into_iter().for_each(simd::prefetch);
                    self.score(block, (term, seen), |i| wanted >> i & 1 == 1);
                }
                if i == 0 && count >= DENSE {
                    is_dense = true;
                    self.matches += count * (members.len() - rows.len()) / rows.len();
                }
            }
            seen += rows.len() as u32;
        }
    }

    /// Keeps the rows of a block that are near and `wanted`.
    #[inline]
    fn score(&mut self, block: &[u8], (term, seen): (f32, u32), wanted: impl Fn(usize) -> bool) {
        let mut scores = [0f32; Lookups::ROWS];
        let mut near = self.lookups.scores(block, term, self.limit, &mut scores);
        while near != 0 {
            let i = near.trailing_zeros();
            near &= near - 1;
            if wanted(i as usize) {
                self.kept.push(order(scores[i as usize], seen + i));
            }
        }
        self.tighten();
    }

    /// Lets the farther rows go once there are many.
    #[inline]
    fn tighten(&mut self) {
        if self.kept.len() >= 2 * self.keep {
            self.limit = key_of(cut(self.kept, self.keep));
        }
    }
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
        let (rows, mut image) = (ByteRows::new(&space, &codes), Image::default());
        Lists::build((metric, &rows), vectors, 3, (&pool, &cancel), &mut image).expect("not cancelled");
        let lists =
            Lists::read(&space, (ROWS, DIM), true, &image).expect("its own image").expect("enough rows");
        (lists, space)
    }

    #[test]
    fn a_search_that_does_not_end_early_finds_every_row_that_matches_and_estimates_are_near() {
        let mut rng = Rng::new(5);
        let values: Vec<f32> = (0..ROWS * DIM).map(|_| rng.normal() as f32).collect();
        let vectors = Vectors::F32 { dim: DIM, values: &values };
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            let (mut lists, space) = lists(metric, &values);
            // Images of before have no rows by themselves.
            for (share, by_row) in [
                (0.0, true),
                (0.005, true),
                (0.1, true),
                (0.6, true),
                (1.0, true),
                (0.1, false),
                (0.6, false),
            ] {
                lists.rows = lists.rows.filter(|_| by_row);
                let mask = Bits::from_fn(ROWS, |_| rng.chance(share));
                let matching = mask.count();
                let (mut aim, mut found) = (ListAim::default(), Vec::new());
                let all = Visit { keep: ROWS, judged: 10, late: -1.0, matching };
                aim.aim(&lists, &space, vectors, 7);
                aim.search((&lists, &space), (&mask, all), &mut found);
                assert!(found.is_sorted_by(|(_, a), (_, b)| a <= b), "{metric} {share}");
                found.sort_unstable_by_key(|(row, _)| *row);
                assert!(found.iter().map(|(row, _)| *row as usize).eq(mask.iter()), "{metric} {share}");
                let few = Visit { keep: 20, ..all };
                aim.aim(&lists, &space, vectors, 7);
                let near = aim.share_near(&lists, &mask);
                assert!((near - share as f32).abs() < 0.3 && (share % 1.0 > 0.0 || near == share as f32));
                aim.search((&lists, &space), (&mask, few), &mut found);
                assert!(
                    found.len() == matching.min(20) && found.iter().all(|(row, _)| mask.get(*row as usize))
                );
                // A row is nearest to itself but for the length of others, with products.
                assert!(
                    metric == Metric::Ip || !mask.get(7) || found.iter().any(|(row, _)| *row == 7),
                    "{metric} {share}"
                );
            }
        }
    }

    #[test]
    fn a_mask_is_spread_unless_it_has_to_do_with_where_rows_lie() {
        let mut rng = Rng::new(6);
        let values: Vec<f32> = (0..ROWS * DIM).map(|_| rng.normal() as f32).collect();
        let (lists, _) = lists(Metric::L2, &values);
        let is_spread = |mask: &Bits| lists.shares.is_spread(mask, mask.count() as f32 / ROWS as f32);
        for share in [0.4, 0.5, 0.7, 0.95] {
            assert!(is_spread(&Bits::from_fn(ROWS, |_| rng.chance(share))), "{share}");
        }
        assert!(is_spread(&Bits::from_fn(ROWS, |row| row < ROWS / 2)) && is_spread(&Bits::ones(ROWS)));
        // Whole lists, half of them or all but a few.
        for left_out in [lists.shares.len() / 2, lists.shares.len() / 10] {
            let mut mask = Bits::ones(ROWS);
            let rows = (0..left_out).flat_map(|list| lists.shares.members(list));
            rows.for_each(|row| mask.set(*row as usize, false));
            assert!(!is_spread(&mask), "{left_out} lists");
        }
    }

    #[test]
    fn rows_by_themselves_say_what_their_blocks_say() {
        let mut rng = Rng::new(8);
        let values: Vec<f32> = (0..ROWS * DIM).map(|_| rng.normal() as f32).collect();
        let vectors = Vectors::F32 { dim: DIM, values: &values };
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            let (lists, space) = lists(metric, &values);
            let mut aim = ListAim::default();
            aim.aim(&lists, &space, vectors, 3);
            let ones = Bits::ones(ROWS);
            let (mut ways, mut kept) = ([Vec::new(), Vec::new()], Vec::new());
            for (by_row, way) in ways.iter_mut().enumerate() {
                for list in 0..lists.shares.len() {
                    kept.clear();
                    let mut look = Look {
                        lookups: &aim.lookups,
                        signed: &mut aim.signed,
                        mask: &ones,
                        keep: ROWS,
                        kept: &mut kept,
                        limit: f32::INFINITY,
                        seen: 0,
                        matches: 0,
                        counted: 0,
                    };
                    let (members, start) = (lists.shares.members(list), lists.shares.starts[list] as usize);
                    match &lists.rows {
                        Some(rows) if by_row == 1 => look.some(rows, (start, members), 2.0),
                        _ => {
                            let first = u32::MAX >> (Lookups::ROWS - members.len().min(Lookups::ROWS));
                            look.blocks((lists.blocks(list), lists.block_bytes), members, (first, 1), 2.0);
                        }
                    }
                    kept.sort_unstable_by_key(|entry| *entry as u32);
                    way.extend(kept.iter().map(|entry| key_of(*entry)));
                }
            }
            let [blocks, rows] = ways;
            assert!(blocks.len() == ROWS && rows.len() == ROWS);
            let spread = (blocks.iter().map(|score| score * score).sum::<f32>() / ROWS as f32).sqrt();
            for (block, row) in blocks.iter().zip(&rows) {
                assert!((block - row).abs() < 0.03 * spread, "{metric}: {block} and {row}");
            }
        }
    }
}
