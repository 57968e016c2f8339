//! Distances of rows of two-byte floats. Invariant: a row scores exactly as the same row widened to f32 does.
//!
//! There is an instruction that multiplies bfloat16 numbers directly. It rounds in its own way, which no other level
//! could follow, and from memory it gains nothing over widening; so it is not used.

use crate::kernel::{half_block, half_stream, widen};
use crate::{Level, Op};

/// A float of two bytes, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Half {
    /// IEEE 754 half precision: 5 bits of exponent, 10 of fraction.
    F16,
    /// bfloat16: the upper half of an f32.
    Bf16,
}

impl Half {
    /// Makes f32 of two-byte floats: exact.
    ///
    /// # Panics
    /// When `halves` does not hold exactly `out.len()` floats.
    pub fn widen(self, halves: &[u8], out: &mut [f32]) {
        self.widen_at(Level::current(), halves, out);
    }

    /// [`Half::widen`] at a chosen level.
    ///
    /// # Panics
    /// When `halves` does not hold exactly `out.len()` floats.
    pub fn widen_at(self, level: Level, halves: &[u8], out: &mut [f32]) {
        assert_eq!(halves.len(), 2 * out.len(), "two bytes a float");
        match self {
            Self::F16 => widen::<false>(level, halves, out),
            Self::Bf16 => widen::<true>(level, halves, out),
        }
    }

    /// Makes a two-byte float of an f32, to the nearest, ties to even.
    pub fn narrow(self, value: f32) -> [u8; 2] {
        match self {
            Self::F16 => narrow_f16(value),
            Self::Bf16 => narrow_bf16(value),
        }
        .to_le_bytes()
    }

    /// The score of one pair.
    ///
    /// # Panics
    /// When the row has not two bytes for each float of the query.
    #[inline]
    pub fn pair(self, op: Op, query: &[f32], row: &[u8]) -> f32 {
        self.pair_at(Level::current(), op, query, row)
    }

    /// [`Half::pair`] at a chosen level.
    ///
    /// # Panics
    /// When the row has not two bytes for each float of the query.
    #[inline]
    pub fn pair_at(self, level: Level, op: Op, query: &[f32], row: &[u8]) -> f32 {
        assert_eq!(row.len(), 2 * query.len(), "two vectors of one dimension");
        self.block(level, op, query, [row])[0]
    }

    /// One query against many rows of its length: row `i` starts at byte `starts(i)` of `rows`.
    ///
    /// # Panics
    /// When a row does not lie inside `rows`.
    #[inline]
    pub fn each(self, op: Op, query: &[f32], rows: &[u8], starts: impl Fn(usize) -> usize, out: &mut [f32]) {
        let level = Level::current();
        let row = |i: usize| &rows[starts(i)..][..2 * query.len()];
        let (fours, rest) = out.as_chunks_mut::<4>();
        let whole = fours.len() * 4;
        for (b, four) in fours.iter_mut().enumerate() {
            let i = b * 4;
            *four = self.block(level, op, query, [row(i), row(i + 1), row(i + 2), row(i + 3)]);
        }
        for (i, out) in rest.iter_mut().enumerate() {
            *out = self.block(level, op, query, [row(whole + i)])[0];
        }
    }

    /// One query against rows that lie one after the other: `out[i]` is the score of row `i`.
    ///
    /// # Panics
    /// When `rows` does not hold exactly `out.len()` rows of the query's length.
    pub fn rows(self, op: Op, query: &[f32], rows: &[u8], out: &mut [f32]) {
        self.rows_at(Level::current(), op, query, rows, out);
    }

    /// [`Half::rows`] at a chosen level.
    ///
    /// # Panics
    /// As there.
    pub fn rows_at(self, level: Level, op: Op, query: &[f32], rows: &[u8], out: &mut [f32]) {
        assert_eq!(rows.len(), 2 * query.len() * out.len(), "one output a row");
        match (op, self) {
            (Op::L2, Self::F16) => half_stream::<true, false>(level, query, rows, out),
            (Op::L2, Self::Bf16) => half_stream::<true, true>(level, query, rows, out),
            (Op::Ip, Self::F16) => half_stream::<false, false>(level, query, rows, out),
            (Op::Ip, Self::Bf16) => half_stream::<false, true>(level, query, rows, out),
        }
    }

    #[inline]
    fn block<const R: usize>(self, level: Level, op: Op, query: &[f32], rows: [&[u8]; R]) -> [f32; R] {
        match (op, self) {
            (Op::L2, Self::F16) => half_block::<R, true, false>(level, query, rows),
            (Op::L2, Self::Bf16) => half_block::<R, true, true>(level, query, rows),
            (Op::Ip, Self::F16) => half_block::<R, false, false>(level, query, rows),
            (Op::Ip, Self::Bf16) => half_block::<R, false, true>(level, query, rows),
        }
    }
}

fn narrow_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    // Cannot overflow: the largest number is infinity.
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

fn narrow_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, rest) = ((bits >> 16 & 0x8000) as u16, bits & 0x7fff_ffff);
    if value.is_nan() {
        return sign | 0x7e00;
    }
    // From 65520 on the nearest is infinity.
    if rest >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    if rest < 0x3880_0000 {
        // Below the normal numbers: a whole number of steps of 2^-24. Adding a half puts the steps at the end of the
        // fraction, rounded to even.
        let steps = (f32::from_bits(rest) + 0.5).to_bits() - 0.5f32.to_bits();
        return sign | steps as u16;
    }
    let rounded = rest - (112 << 23) + 0xfff + (rest >> 13 & 1);
    sign | (rounded >> 13) as u16
}
