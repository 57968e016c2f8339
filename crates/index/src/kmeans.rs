//! Sharing rows out to centroids by Lloyd's iteration. Invariant: the same sample and seed give the same centroids
//! with any number of threads, since sums run in the order of row numbers.

use host::{Cancel, Pool, Rng};
use simd::TILE_ROWS;

use crate::Error;
use crate::codec::{Beside, Pairs, Reach};
use crate::hits::{key_of, order};

/// Rows of the sample a centroid.
pub(crate) const SAMPLE: usize = 24;
/// Pairs of rows and centroids that are looked at between two looks at the cancel flag, about, and rows at least.
const PAIRS: usize = 1 << 24;
const ROWS_MIN: usize = 256;
/// How often centroids are moved.
const ROUNDS: usize = 5;
/// Rows whose nearest centroids are looked for together, so that a centroid serves all of them while it is near.
const BLOCK: usize = 32;

/// Centroids that all rows of a block are held against while they are in the nearest cache.
const NEAR: usize = 16;

/// From this many rows on centroids are laid side by side.
const MANY: usize = 128;

/// Moves `count` centroids through a sample of `rows` rows. `nearest` gives the nearest centroid of each row, `means`
/// new centroids for lists of rows. The lists that come out are never empty while there are enough rows.
pub(crate) fn train<M>(
    (rows, count): (usize, usize),
    rng: &mut Rng,
    cancel: &Cancel,
    nearest: impl Fn(&M, &[u32]) -> Vec<u32>,
    means: impl Fn(&[Vec<u32>]) -> M,
) -> Result<M, Error> {
    let mut sample: Vec<u32> = (0..rows as u32).collect();
    rng.shuffle(&mut sample);
    sample.truncate((count * SAMPLE).max(count));
    sample.shrink_to_fit();
    let seeds: Vec<Vec<u32>> = sample.iter().take(count).map(|row| vec![*row]).collect();
    sample.sort_unstable();
    let mut centroids = means(&seeds);
    for _ in 0..ROUNDS {
        cancel.check()?;
        let mut lists = vec![Vec::new(); count];
        for rows in sample.chunks(rows_at_once(count)) {
            cancel.check()?;
            rows.iter()
                .zip(nearest(&centroids, rows))
                .for_each(|(row, list)| lists[list as usize].push(*row));
        }
        share_with_empty(&mut lists, rng);
        centroids = means(&lists);
    }
    Ok(centroids)
}

/// Rows that are shared out to `count` centroids between two looks at the cancel flag.
pub(crate) fn rows_at_once(count: usize) -> usize {
    (PAIRS / count.max(1)).clamp(ROWS_MIN, PAIRS / ROWS_MIN)
}

/// An empty list takes one half, drawn by lot, of the longest.
fn share_with_empty(lists: &mut [Vec<u32>], rng: &mut Rng) {
    while let Some(empty) = lists.iter().position(Vec::is_empty) {
        let longest =
            (0..lists.len()).max_by_key(|list| (lists[*list].len(), usize::MAX - list)).unwrap_or(empty);
        if lists[longest].len() < 2 {
            return;
        }
        rng.shuffle(&mut lists[longest]);
        let half = lists[longest].len() / 2;
        lists[empty] = lists[longest].split_off(half);
        lists[empty].sort_unstable();
        lists[longest].sort_unstable();
    }
}

/// The nearest of `centroids` for each of `ids`; the smaller number where two are equally near.
pub(crate) fn nearest<C: Pairs>(rows: &C, ids: &[u32], centroids: &C, pool: &Pool) -> Vec<u32> {
    let all: Vec<u32> = (0..centroids.len() as u32).collect();
    nearest_few(rows, ids, (centroids, &all), 1, pool)
}

/// The nearest `few` among the chosen rows of another matrix, nearest first, for each of `ids` in turn;
/// [`u32::MAX`] where there are not so many.
pub(crate) fn nearest_few<C: Pairs>(
    rows: &C,
    ids: &[u32],
    (others, chosen): (&C, &[u32]),
    few: usize,
    pool: &Pool,
) -> Vec<u32> {
    let beside = if ids.len() >= MANY { others.side_by_side(chosen) } else { None };
    let blocks = pool.map(ids.len().div_ceil(BLOCK), |block| {
        let ids = &ids[block * BLOCK..((block + 1) * BLOCK).min(ids.len())];
        let aimed = |id: &u32| {
            let mut probe = rows.probe();
            rows.aim_row(&mut probe, *id);
            probe
        };
        let probes: Vec<C::Probe> = ids.iter().map(aimed).collect();
        let mut best = vec![u64::MAX; ids.len() * few];
        if let Some(beside) = &beside {
            keep_nearest((others, beside), chosen, &probes, &mut best);
            return best.into_iter().map(|best| best as u32).collect::<Vec<u32>>();
        }
        let mut scores = Vec::new();
        for chosen in chosen.chunks(NEAR) {
            for (probe, best) in probes.iter().zip(best.chunks_exact_mut(few)) {
                others.scores(probe, chosen, Reach::Cached, &mut scores);
                for (id, score) in chosen.iter().zip(&scores) {
                    keep_small(best, order(*score, *id));
                }
            }
        }
        best.into_iter().map(|best| best as u32).collect::<Vec<u32>>()
    });
    blocks.concat()
}

/// Keeps the nearest of `chosen`, which lie `beside` each other, for each probe: as many as there are places in `best` for one.
fn keep_nearest<C: Pairs>(
    (others, beside): (&C, &Beside),
    chosen: &[u32],
    probes: &[C::Probe],
    best: &mut [u64],
) {
    let few = best.len() / probes.len().max(1);
    let mut scores = [[0.0; TILE_ROWS]; BLOCK];
    for (tile, chosen) in chosen.chunks(TILE_ROWS).enumerate() {
        others.scores_beside(beside, tile, probes, &mut scores[..probes.len()]);
        for (best, scores) in best.chunks_exact_mut(few).zip(&scores) {
            let last = best[few - 1];
            let limit = if last == u64::MAX { f32::INFINITY } else { key_of(last) };
            // What is no number counts as near. Without an exit in between this becomes vector code.
            if scores.iter().fold(true, |far, score| far & (*score > limit)) {
                continue;
            }
            for (id, score) in chosen.iter().zip(scores) {
                keep_small(best, order(*score, *id));
            }
        }
    }
}

/// Puts a number into a sorted list of the smallest, if it is one.
#[inline]
fn keep_small(best: &mut [u64], number: u64) {
    let last = best.len() - 1;
    if number < best[last] {
        best[last] = number;
        let mut i = last;
        while i > 0 && best[i] < best[i - 1] {
            best.swap(i, i - 1);
            i -= 1;
        }
    }
}
