//! Rows that follow from their keys, and the obvious way to search them.

use host::Rng;

/// The vector of row `id`.
pub(crate) fn vector(dim: usize, id: i64) -> Vec<f32> {
    let mut rng = Rng::new(id as u64 + 1);
    (0..dim).map(|_| rng.normal() as f32).collect()
}

/// The ten of `among` that are nearest to row `id`, by trying all.
pub(crate) fn nearest(dim: usize, id: i64, among: impl Iterator<Item = i64>) -> Vec<i64> {
    let query = vector(dim, id);
    let distance = |other: i64| -> f64 {
        vector(dim, other).iter().zip(&query).map(|(a, b)| f64::from((a - b) * (a - b))).sum()
    };
    let mut all: Vec<(f64, i64)> = among.map(|other| (distance(other), other)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.truncate(10);
    all.into_iter().map(|(_, id)| id).collect()
}
