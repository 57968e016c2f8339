//! Scores of a point and many others that lie side by side. Invariant: the same results at every [`Level`].

use crate::kernel::columns_block;
use crate::{Level, Op};

impl Op {
    /// The scores of `point` and the columns of a matrix that has as many rows as the point has values, and
    /// `out.len()` columns, stored row by row. Made for points of few values and hundreds of columns, as codebooks are;
    /// rounds otherwise than [`Op::pair`].
    ///
    /// # Panics
    /// When the matrix has another size.
    pub fn columns(self, point: &[f32], columns: &[f32], out: &mut [f32]) {
        self.columns_at(Level::current(), point, columns, out);
    }

    /// [`Op::columns`] at a chosen level.
    ///
    /// # Panics
    /// When the matrix has another size.
    pub fn columns_at(self, level: Level, point: &[f32], columns: &[f32], out: &mut [f32]) {
        assert_eq!(columns.len(), point.len() * out.len(), "a whole matrix");
        match self {
            Self::L2 => columns_block::<true>(level, point, columns, out),
            Self::Ip => columns_block::<false>(level, point, columns, out),
        }
    }
}
