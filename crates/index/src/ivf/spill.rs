//! A second list for every row. Invariant: depends on the row and the centroids alone.
//!
//! A row that a search misses in its own list should be found in another, for queries for which the first list misleads:
//! those that lie along what the first centroid leaves over. So a second centroid is better the more what it leaves over is at
//! right angles to that (Sun et al., "SOAR: improved indexing for approximate nearest neighbor search", NeurIPS 2023).

use host::Pool;
use simd::Op;

use crate::Vectors;
use crate::codec::Space;

/// Centroids among which the second is chosen, the first one with them.
pub(super) const CANDIDATES: usize = 16;
/// What an error along the first residual counts more.
const LAMBDA: f32 = 1.0;
/// Rows of one task.
const CHUNK: usize = 512;

/// The second list of each row, where `nearest` has the [`CANDIDATES`] nearest for each, `u32::MAX` for none; a row's only list
/// where there is no other. `centers` are the elements that centroids stand for, one after the other.
pub(super) fn second_lists(
    vectors: Vectors<'_>,
    space: &Space,
    centers: &[f32],
    (nearest, few): (&[u32], usize),
    pool: &Pool,
) -> Vec<u32> {
    let rows = nearest.len() / few;
    let chunks = pool.map(rows.div_ceil(CHUNK), |c| {
        let (mut wide, mut moved) = (Vec::new(), Vec::new());
        let range = c * CHUNK..((c + 1) * CHUNK).min(rows);
        let of = |row: usize| {
            space.moved(vectors.floats(row, &mut wide), &mut moved);
            second(&moved, &nearest[row * few..][..few], centers)
        };
        range.map(of).collect::<Vec<u32>>()
    });
    chunks.concat()
}

fn second(row: &[f32], nearest: &[u32], centers: &[f32]) -> u32 {
    let Some((first, others)) = nearest.split_first() else { return u32::MAX };
    let center_of = |list: u32| &centers[list as usize * row.len()..][..row.len()];
    let center = center_of(*first);
    let rest: Vec<f32> = row.iter().zip(center).map(|(value, center)| value - center).collect();
    let length = Op::Ip.pair(&rest, &rest);
    // (x - c) . r without making x - c.
    let whole = Op::Ip.pair(row, &rest);
    let share = if length > 0.0 { LAMBDA / length } else { 0.0 };
    let mut best = (f32::INFINITY, *first);
    for other in others.iter().filter(|other| (**other as usize) < centers.len() / row.len()) {
        let center = center_of(*other);
        let along = whole - Op::Ip.pair(center, &rest);
        let loss = Op::L2.pair(row, center) + share * along * along;
        if loss < best.0 {
            best = (loss, *other);
        }
    }
    best.1
}
