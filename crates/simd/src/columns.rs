//! Distances of a point to many others that lie side by side. Invariant: the same results at every [`Level`].

use crate::Level;
use crate::kernel::columns_l2;

/// Squared distances of `point` to the columns of a matrix that has as many rows as the point has values, and
/// `out.len()` columns, stored row by row. Made for points of few values and hundreds of columns, as codebooks are.
///
/// # Panics
/// When the matrix has another size.
pub fn column_distances(point: &[f32], columns: &[f32], out: &mut [f32]) {
    column_distances_at(Level::current(), point, columns, out);
}

/// [`column_distances`] at a chosen level.
///
/// # Panics
/// When the matrix has another size.
pub fn column_distances_at(level: Level, point: &[f32], columns: &[f32], out: &mut [f32]) {
    assert_eq!(columns.len(), point.len() * out.len(), "a whole matrix");
    columns_l2(level, point, columns, out);
}
