//! A row as bytes in two planes: the upper four bits of all elements, and the lower four. Invariant: products are exact,
//! and what a row is rounded to is the same at every [`Level`].
//!
//! The upper plane alone is a row of four bits an element, so a scan reads half a byte an element of most rows, and the
//! other half of the few that this leaves open. What the codes stand for is `base + step * code`, and how far that is
//! from the row is known, so a scan has a bound to go by ([`Bar`]).
//!
//! Byte `i` of a plane has element `i` in its lower half and element `nibble_bytes(dim) + i` in its upper half.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::Level;
use crate::level::Tier;

/// Chooses the kernel, as `crate::kernel` does.
macro_rules! dispatch {
    ($level:expr, $name:ident ( $($arg:expr),* )) => {
        match $level.tier() {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: a `Level` above the scalar one comes from detection alone, so the CPU has these instructions.
            Tier::Avx512 => unsafe { avx512::$name($($arg),*) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: as above.
            Tier::Avx2 => unsafe { avx2::$name($($arg),*) },
            #[cfg(target_arch = "aarch64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: as above.
            Tier::Neon => unsafe { neon::$name($($arg),*) },
            _ => scalar::$name($($arg),*),
        }
    };
}

/// Rows that [`Bar::open`] judges at once, at most.
const ROWS: usize = 64;
/// Queries and rows of one block of [`nibble_dots`].
const SIDE: usize = 4;

/// Bytes of a plane of a row of `dim` elements.
pub const fn nibble_bytes(dim: usize) -> usize {
    dim.div_ceil(2).next_multiple_of(16)
}

/// What codes stand for: `base + step * code`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Grain {
    /// What the code 0 stands for.
    pub base: f32,
    /// What a code of one more is more.
    pub step: f32,
    /// The squared length of what the codes stand for.
    pub square: f32,
    /// The squared distance of that and the row.
    pub off: f32,
}

/// Rounds a row to a byte an element and puts the upper halves of the bytes into `high`, the lower ones into `low`. Returns what
/// the codes of `high` stand for, and what the bytes do. Of a row that does not lie between -1e30 and 1e30 nothing holds.
///
/// # Panics
/// When the planes are not of [`nibble_bytes`].
pub fn put_nibbles(row: &[f32], high: &mut [u8], low: &mut [u8]) -> [Grain; 2] {
    put_nibbles_at(Level::current(), row, high, low)
}

/// [`put_nibbles`] at a chosen level.
///
/// # Panics
/// As there.
pub fn put_nibbles_at(level: Level, row: &[f32], high: &mut [u8], low: &mut [u8]) -> [Grain; 2] {
    let bytes = nibble_bytes(row.len());
    assert!(high.len() == bytes && low.len() == bytes, "two planes of the row");
    dispatch!(level, put_nibbles(row, high, low))
}

/// The bytes of a row out of both of its planes: `base + step * (16 high + low)`.
pub fn fine_of(coarse: Grain) -> (f32, f32) {
    let step = coarse.step / 16.0;
    (coarse.base - 7.5 * step, step)
}

/// A query as signed bytes.
#[derive(Debug, Clone, Default)]
pub struct NibbleQuery {
    /// The elements in the order of [`nibble_bytes`], zeros in the gaps.
    codes: Vec<i8>,
    /// What a code of 1 stands for.
    pub scale: f32,
    /// The sum of what the codes stand for.
    pub sum: f32,
    /// The squared length of what the codes stand for.
    pub square: f32,
    /// The squared distance of that and the query.
    pub off: f32,
}

impl NibbleQuery {
    /// Takes another query.
    pub fn aim(&mut self, query: &[f32]) {
        self.aim_at(Level::current(), query);
    }

    /// [`NibbleQuery::aim`] at a chosen level.
    pub fn aim_at(&mut self, level: Level, query: &[f32]) {
        self.codes.clear();
        self.codes.resize(2 * nibble_bytes(query.len()), 0);
        let codes = &mut self.codes[..];
        [self.scale, self.sum, self.square, self.off] = dispatch!(level, round_query(query, codes));
    }
}

/// The products of the codes of every query and of rows that lie one after the other in a plane: `out[q * rows + r]`.
///
/// # Panics
/// When a query is not of the rows' length, or `out` is not one a pair.
pub fn nibble_dots(queries: &[NibbleQuery], plane: &[u8], out: &mut [i32]) {
    nibble_dots_at(Level::current(), queries, plane, out);
}

/// [`nibble_dots`] at a chosen level.
///
/// # Panics
/// As there.
pub fn nibble_dots_at(level: Level, queries: &[NibbleQuery], plane: &[u8], out: &mut [i32]) {
    let Some(first) = queries.first() else { return };
    let bytes = first.codes.len() / 2;
    let count = out.len() / queries.len();
    assert_eq!(plane.len(), count * bytes, "one output a pair");
    assert!(queries.iter().all(|query| query.codes.len() == 2 * bytes), "queries of one length");
    if count == 0 || bytes == 0 {
        return out.fill(0);
    }
    let (fours, rest) = queries.as_chunks::<SIDE>();
    let (tiles, streams) = out.split_at_mut(fours.len() * SIDE * count);
    for (four, out) in fours.iter().zip(tiles.chunks_exact_mut(SIDE * count)) {
        let codes = four.each_ref().map(|query| &query.codes[..]);
        dispatch!(level, tile(codes, plane, out));
    }
    for (query, out) in rest.iter().zip(streams.chunks_exact_mut(count)) {
        dispatch!(level, stream(&query.codes, plane, out));
    }
}

/// What is known of some rows: one number a row in each.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// [`Grain::base`].
    pub base: &'a [f32],
    /// [`Grain::step`].
    pub step: &'a [f32],
    /// [`Grain::square`].
    pub square: &'a [f32],
    /// How far what the codes stand for is from the row, at most.
    pub miss: &'a [f32],
    /// How long the row is.
    pub length: &'a [f32],
}

/// What a row must pass: `product * p + square * |x|^2 + (miss + spread * m) * m + length * l + constant` not below zero, where
/// `p` is the product of what the codes of query and row stand for, `m` and `l` the row's miss and length. What is not a
/// number passes.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "the formula above names them")]
pub struct Bar {
    pub product: f32,
    pub square: f32,
    pub miss: f32,
    pub spread: f32,
    pub length: f32,
    pub constant: f32,
}

impl Bar {
    /// Bit `i` says whether row `i` passes, of up to 64 rows of which `dots` are the products of codes.
    ///
    /// # Panics
    /// When there are more rows, or not as many in each column.
    pub fn open(&self, query: &NibbleQuery, dots: &[i32], columns: Columns<'_>) -> u64 {
        self.open_at(Level::current(), query, dots, columns)
    }

    /// [`Bar::open`] at a chosen level.
    ///
    /// # Panics
    /// As there.
    pub fn open_at(&self, level: Level, query: &NibbleQuery, dots: &[i32], columns: Columns<'_>) -> u64 {
        let Columns { base, step, square, miss, length } = columns;
        let count = dots.len();
        let all = [base, step, square, miss, length];
        assert!(count <= ROWS && all.iter().all(|column| column.len() == count), "one number a row");
        let mut sums = [0.0; ROWS];
        let below = dispatch!(level, open((query.scale, query.sum), dots, all, self, &mut sums));
        if count == 0 { 0 } else { !below & (u64::MAX >> (ROWS - count)) }
    }

    /// Whether one row passes.
    pub fn is_open(&self, query: &NibbleQuery, dot: i32, grain: Grain, (miss, length): (f32, f32)) -> bool {
        let product = product((query.scale, query.sum), dot, grain.base, grain.step);
        let level = self.level(product, grain.square, miss, length);
        level >= 0.0 || level.is_nan()
    }

    #[inline(always)]
    fn level(&self, product: f32, square: f32, miss: f32, length: f32) -> f32 {
        ((self.product * product + self.square * square) + (self.miss + self.spread * miss) * miss)
            + (self.length * length + self.constant)
    }
}

/// The product of what codes stand for, from that of the codes.
#[inline(always)]
fn product((scale, sum): (f32, f32), dot: i32, base: f32, step: f32) -> f32 {
    base * sum + (step * dot as f32) * scale
}
