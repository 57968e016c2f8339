//! Distances of f32 vectors: one pair, many rows, chosen rows, many queries. Invariant: a pair has the same score
//! whichever function computes it, at every [`Level`].

use crate::Level;
use crate::kernel::{float_block, float_stream};

/// What is computed of two f32 vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The sum of squared differences.
    L2,
    /// The sum of products.
    Ip,
}

impl Op {
    /// The score of one pair.
    ///
    /// # Panics
    /// When the lengths differ.
    #[inline]
    pub fn pair(self, a: &[f32], b: &[f32]) -> f32 {
        self.pair_at(Level::current(), a, b)
    }

    /// [`Op::pair`] at a chosen level.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn pair_at(self, level: Level, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len(), "two vectors of one dimension");
        self.block(level, [a], [b])[0][0]
    }

    /// One query against rows that lie one after the other: `out[i]` is the score of row `i`.
    ///
    /// # Panics
    /// When `rows` does not hold exactly `out.len()` rows of the query's length.
    pub fn rows(self, query: &[f32], rows: &[f32], out: &mut [f32]) {
        self.rows_at(Level::current(), query, rows, out);
    }

    /// [`Op::rows`] at a chosen level.
    ///
    /// # Panics
    /// As there.
    pub fn rows_at(self, level: Level, query: &[f32], rows: &[f32], out: &mut [f32]) {
        assert_eq!(rows.len(), query.len() * out.len(), "one output a row");
        match self {
            Self::L2 => float_stream::<true>(level, query, rows, out),
            Self::Ip => float_stream::<false>(level, query, rows, out),
        }
    }

    /// One query against the rows `ids` of a matrix: `out[i]` is the score of row `ids[i]`.
    ///
    /// # Panics
    /// When an id lies outside of the matrix, or `ids` and `out` differ in length.
    pub fn chosen(self, query: &[f32], rows: &[f32], ids: &[u32], out: &mut [f32]) {
        assert_eq!(ids.len(), out.len(), "one output a row");
        let dim = query.len();
        self.each(query, rows, |i| ids[i] as usize * dim, out);
    }

    /// Every query against every row: `out[q * rows + r]`. Faster a pair than [`Op::rows`], since a row is used for
    /// several queries while it is in a register.
    ///
    /// # Panics
    /// When the matrices are not whole numbers of vectors of `dim`, or `out` is not their product.
    pub fn tile(self, dim: usize, queries: &[f32], rows: &[f32], out: &mut [f32]) {
        assert!(dim > 0, "vectors have a dimension");
        let (nq, nr) = (queries.len() / dim, rows.len() / dim);
        assert_eq!((nq * dim, nr * dim), (queries.len(), rows.len()), "whole vectors");
        assert_eq!(out.len(), nq * nr, "one output a pair");
        let level = Level::current();
        let query = |q: usize| &queries[q * dim..(q + 1) * dim];
        let row = |r: usize| &rows[r * dim..(r + 1) * dim];
        let (q_whole, r_whole) = (nq / 4 * 4, nr / 4 * 4);
        for r in (0..r_whole).step_by(4) {
            let four = [row(r), row(r + 1), row(r + 2), row(r + 3)];
            for q in (0..q_whole).step_by(4) {
                let scores = self.block(level, [query(q), query(q + 1), query(q + 2), query(q + 3)], four);
                for (i, scores) in scores.iter().enumerate() {
                    out[(q + i) * nr + r..][..4].copy_from_slice(scores);
                }
            }
            for q in q_whole..nq {
                out[q * nr + r..][..4].copy_from_slice(&self.block(level, [query(q)], four)[0]);
            }
        }
        for r in r_whole..nr {
            for q in 0..nq {
                out[q * nr + r] = self.block(level, [query(q)], [row(r)])[0][0];
            }
        }
    }

    /// One query against many rows of its length: row `i` starts at float `starts(i)` of `rows`.
    ///
    /// # Panics
    /// When a row does not lie inside `rows`.
    #[inline]
    pub fn each(self, query: &[f32], rows: &[f32], starts: impl Fn(usize) -> usize, out: &mut [f32]) {
        let level = Level::current();
        let row = |i: usize| &rows[starts(i)..][..query.len()];
        let (fours, rest) = out.as_chunks_mut::<4>();
        let whole = fours.len() * 4;
        for (b, four) in fours.iter_mut().enumerate() {
            let i = b * 4;
            *four = self.block(level, [query], [row(i), row(i + 1), row(i + 2), row(i + 3)])[0];
        }
        for (i, out) in rest.iter_mut().enumerate() {
            *out = self.block(level, [query], [row(whole + i)])[0][0];
        }
    }

    #[inline]
    fn block<const Q: usize, const R: usize>(
        self,
        level: Level,
        queries: [&[f32]; Q],
        rows: [&[f32]; R],
    ) -> [[f32; R]; Q] {
        match self {
            Self::L2 => float_block::<Q, R, true>(level, queries, rows),
            Self::Ip => float_block::<Q, R, false>(level, queries, rows),
        }
    }
}

/// Whether no value is NaN or infinite.
pub fn all_finite(values: &[f32]) -> bool {
    // Blocks without an early exit inside become vector code; an exit between blocks stops early on bad data.
    values.chunks(1024).all(|block| block.iter().fold(true, |fine, value| fine & value.is_finite()))
}
