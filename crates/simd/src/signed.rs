//! Distances of rows of signed bytes. Invariant: exact sums, up to 32,768 bytes a row.

use crate::kernel::{signed_alone, signed_block, signed_stream};
use crate::{Level, Op};

impl Op {
    /// The sum of one pair of rows of signed bytes.
    ///
    /// # Panics
    /// When the lengths differ.
    #[inline]
    pub fn signed_pair(self, a: &[i8], b: &[i8]) -> i32 {
        self.signed_pair_at(Level::current(), a, b)
    }

    /// [`Op::signed_pair`] at a chosen level.
    ///
    /// # Panics
    /// When the lengths differ.
    #[inline]
    pub fn signed_pair_at(self, level: Level, a: &[i8], b: &[i8]) -> i32 {
        assert_eq!(a.len(), b.len(), "two vectors of one dimension");
        let alone = self.signed_alone(level, a);
        self.signed_block(level, a, alone, [b])[0]
    }

    /// One query against many rows of its length: row `i` starts at byte `starts(i)` of `rows`.
    ///
    /// # Panics
    /// When a row does not lie inside `rows`.
    #[inline]
    pub fn signed_each(
        self,
        query: &[i8],
        rows: &[i8],
        starts: impl Fn(usize) -> usize,
        mut out: impl FnMut(usize, i32),
        count: usize,
    ) {
        let level = Level::current();
        let alone = self.signed_alone(level, query);
        let row = |i: usize| &rows[starts(i)..][..query.len()];
        let whole = count / 4 * 4;
        for i in (0..whole).step_by(4) {
            let rows = [row(i), row(i + 1), row(i + 2), row(i + 3)];
            let four = self.signed_block(level, query, alone, rows);
            four.into_iter().enumerate().for_each(|(j, sum)| out(i + j, sum));
        }
        for i in whole..count {
            out(i, self.signed_block(level, query, alone, [row(i)])[0]);
        }
    }

    /// One query against rows that lie one after the other: `out[i]` is the score of row `i`.
    ///
    /// # Panics
    /// When `rows` does not hold exactly `out.len()` rows of the query's length.
    pub fn signed_rows(self, query: &[i8], rows: &[i8], out: &mut [i32]) {
        self.signed_rows_at(Level::current(), query, rows, out);
    }

    /// [`Op::signed_rows`] at a chosen level.
    ///
    /// # Panics
    /// As there.
    pub fn signed_rows_at(self, level: Level, query: &[i8], rows: &[i8], out: &mut [i32]) {
        assert_eq!(rows.len(), query.len() * out.len(), "one output a row");
        match self {
            Self::L2 => signed_stream::<true>(level, query, rows, out),
            Self::Ip => signed_stream::<false>(level, query, rows, out),
        }
    }

    #[inline]
    fn signed_alone(self, level: Level, query: &[i8]) -> i32 {
        match self {
            Self::L2 => signed_alone::<true>(level, query),
            Self::Ip => signed_alone::<false>(level, query),
        }
    }

    #[inline]
    fn signed_block<const R: usize>(
        self,
        level: Level,
        query: &[i8],
        alone: i32,
        rows: [&[i8]; R],
    ) -> [i32; R] {
        match self {
            Self::L2 => signed_block::<R, true>(level, query, alone, rows),
            Self::Ip => signed_block::<R, false>(level, query, alone, rows),
        }
    }
}
