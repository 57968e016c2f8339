//! Candidates for every row by looking at all pairs inside small, overlapping groups of near rows. Invariant: a row's
//! candidates are sorted, differ, and are never the row itself.
//!
//! Pairs inside a group that fits into a cache cost a tenth of the same number of pairs met on walks through a graph,
//! where each row must be fetched from memory. (Rubel et al., "PiPNN: ultra-scalable graph-based nearest neighbor
//! indexing", arXiv 2602.21247, 2026.)

use host::{Cancel, Pool, Rng};
use simd::TILE_ROWS;

use crate::Error;
use crate::codec::{Pairs, Reach};
use crate::course::Course;
use crate::hits::order;
use crate::kmeans::nearest_few;

/// Rows in a group at most.
const GROUP: usize = 512;
/// Leaders that a set of rows is shared out to at once, at most.
const LEADERS: usize = 1024;
/// Rows that are held against all of a group while they are in the nearest cache.
const BLOCK: usize = 24;
/// Rows of the groups whose pairs are looked at before their results are merged, at most.
const WAVE: usize = 8192;
/// Rows that are shared out between two looks at the cancel flag.
const SPLIT: usize = 4096;

/// Bytes that [`candidates`] takes at most, with what it returns, of rows of `stride` bytes.
pub(super) fn need_bytes(rows: usize, stride: usize, (keep, fan): (usize, usize), threads: usize) -> usize {
    // Lists, and groups, some of which are half empty while they are made; then the lists of a wave, and what each thread has of a group.
    let group = GROUP.min(rows);
    let scratch = group * (4 * group + 3 * stride + 16 * keep + 256);
    rows * (8 * keep + 8 * fan) + WAVE.min(fan * rows) * 8 * keep + threads * scratch
}

/// For every row the places of its candidates, sorted.
pub(crate) struct Candidates {
    pub(crate) keep: usize,
    lists: Vec<u64>,
}

impl Candidates {
    /// The candidates of `row`, as [`order`] numbers, nearest first.
    pub(crate) fn of(&self, row: u32) -> &[u64] {
        let list = &self.lists[row as usize * self.keep..][..self.keep];
        &list[..list.partition_point(|entry| *entry != u64::MAX)]
    }

    /// Merges sorted candidates into those of `row`.
    fn merge(&mut self, row: u32, new: &[u64], room: &mut Vec<u64>) {
        let list = &mut self.lists[row as usize * self.keep..][..self.keep];
        room.clear();
        room.extend_from_slice(list);
        let (mut old, mut new) = (room.iter().copied().peekable(), new.iter().copied().peekable());
        for place in list {
            *place = match (old.peek(), new.peek()) {
                (Some(a), Some(b)) if a == b => {
                    new.next();
                    old.next().unwrap_or(u64::MAX)
                }
                (Some(a), Some(b)) if b < a => new.next().unwrap_or(u64::MAX),
                (None, Some(_)) => new.next().unwrap_or(u64::MAX),
                _ => old.next().unwrap_or(u64::MAX),
            };
        }
    }
}

/// Finds up to `keep` candidates for every row, each row being in about `fan` groups.
pub(crate) fn candidates<C: Pairs>(
    codes: &C,
    (keep, fan): (usize, usize),
    rng: &mut Rng,
    pool: &Pool,
    (cancel, course): (&Cancel, &mut Course<'_>),
) -> Result<Candidates, Error> {
    let rows = codes.len();
    let mut groups = Vec::new();
    split(codes, (0..rows as u32).collect(), fan, rng, pool, cancel, &mut groups)?;
    let mut found = Candidates { keep, lists: vec![u64::MAX; rows * keep] };
    let (mut room, total) = (Vec::new(), groups.iter().map(Vec::len).sum::<usize>().max(1));
    let (mut seen, mut rest) = (0, &groups[..]);
    while !rest.is_empty() {
        cancel.check()?;
        let (wave, others) = rest.split_at(wave(rest));
        let lists = pool.map(wave.len(), |group| pairs(codes, &wave[group], keep));
        for (group, lists) in wave.iter().zip(&lists) {
            for (row, list) in group.iter().zip(lists.chunks_exact(keep)) {
                found.merge(*row, list, &mut room);
            }
            seen += group.len();
        }
        course.at(seen, total);
        rest = others;
    }
    Ok(found)
}

/// How many of some groups are looked at together.
fn wave(groups: &[Vec<u32>]) -> usize {
    let mut rows = 0;
    let fits = |group: &&Vec<u32>| {
        rows += group.len();
        rows <= WAVE
    };
    groups.iter().take_while(fits).count().max(1)
}

/// Shares `ids` out to random leaders, each to its nearest `fan`, until a group is small enough.
fn split<C: Pairs>(
    codes: &C,
    mut ids: Vec<u32>,
    fan: usize,
    rng: &mut Rng,
    pool: &Pool,
    cancel: &Cancel,
    groups: &mut Vec<Vec<u32>>,
) -> Result<(), Error> {
    if ids.len() <= GROUP {
        ids.shrink_to_fit();
        groups.extend((!ids.is_empty()).then_some(ids));
        return Ok(());
    }
    let count = (ids.len() * fan * 2 / GROUP).clamp(2, LEADERS);
    let leaders: Vec<u32> = (0..count).map(|_| ids[rng.below(ids.len() as u64) as usize]).collect();
    let mut parts = vec![Vec::new(); count];
    let mut place = std::collections::HashMap::new();
    leaders.iter().enumerate().for_each(|(i, leader)| _ = place.entry(*leader).or_insert(i));
    for ids in ids.chunks(SPLIT) {
        cancel.check()?;
        let near = nearest_few(codes, ids, (codes, &leaders), fan.min(count), pool);
        for (row, near) in ids.iter().zip(near.chunks_exact(fan.min(count))) {
            for leader in near {
                let part: &mut Vec<u32> = &mut parts[place[leader]];
                if part.last() != Some(row) {
                    part.push(*row);
                }
            }
        }
    }
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if part.len() * 10 < ids.len() * 9 {
            split(codes, part, 1, rng, pool, cancel, groups)?;
        } else {
            // Rows that no leader can tell apart are cut at random.
            ids = part;
            rng.shuffle(&mut ids);
            groups.extend(ids.chunks(GROUP).map(<[u32]>::to_vec));
        }
    }
    Ok(())
}

/// The nearest `keep` inside the group for each of its rows, filled up with [`u64::MAX`].
fn pairs<C: Pairs>(codes: &C, group: &[u32], keep: usize) -> Vec<u64> {
    let mut lists = vec![u64::MAX; group.len() * keep];
    let aimed = |row: &u32| {
        let mut probe = codes.probe();
        codes.aim_row(&mut probe, *row);
        probe
    };
    let probes: Vec<C::Probe> = group.iter().map(aimed).collect();
    let table = table(codes, group, &probes);
    let mut near = Vec::new();
    for ((row, list), scores) in
        group.iter().zip(lists.chunks_exact_mut(keep)).zip(table.chunks_exact(group.len()))
    {
        near.clear();
        let mut limit = f32::INFINITY;
        for (other, score) in group.iter().zip(scores) {
            if *score <= limit && other != row {
                // Equally near rows come in the order of a ring that starts at the row, so that copies of one row
                // link to each other all around instead of all to the first few.
                near.push(order(*score, other.wrapping_sub(*row)));
                if near.len() == 2 * keep {
                    near.select_nth_unstable(keep - 1);
                    near.truncate(keep);
                    limit = crate::hits::key_of(near[keep - 1]);
                }
            }
        }
        near.sort_unstable();
        near.truncate(keep);
        near.iter_mut()
            .for_each(|near| *near = *near >> 32 << 32 | u64::from((*near as u32).wrapping_add(*row)));
        near.sort_unstable();
        near.iter().zip(list).for_each(|(near, place)| *place = *near);
    }
    lists
}

/// The scores of all pairs of a group, row by row. Two rows are as far from each other either way, so each pair is scored once.
fn table<C: Pairs>(codes: &C, group: &[u32], probes: &[C::Probe]) -> Vec<f32> {
    let rows = group.len();
    let mut table = vec![0f32; rows * rows];
    let mut put = |other: usize, first: usize, scores: &[f32]| {
        for (row, score) in (first..).zip(scores) {
            table[other * rows + row] = *score;
            table[row * rows + other] = *score;
        }
    };
    if let Some(beside) = codes.side_by_side(group) {
        let mut some = vec![[0f32; TILE_ROWS]; rows];
        for (tile, first) in (0..rows).step_by(TILE_ROWS).enumerate() {
            let end = (first + TILE_ROWS).min(rows);
            codes.scores_beside(&beside, tile, &probes[..end], &mut some[..end]);
            some[..end]
                .iter()
                .enumerate()
                .for_each(|(other, scores)| put(other, first, &scores[..end - first]));
        }
    } else {
        let mut some = Vec::new();
        for (block, ids) in group.chunks(BLOCK).enumerate() {
            let first = block * BLOCK;
            for (other, probe) in probes[..first + ids.len()].iter().enumerate() {
                codes.scores(probe, ids, Reach::Cached, &mut some);
                put(other, first, &some);
            }
        }
    }
    table
}
