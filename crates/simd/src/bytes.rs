//! Integer sums over bytes and bits. Invariant: exact, so trivially the same at every [`Level`].

use crate::Level;
use crate::kernel::{and_or_block, and_or_stream, byte_block, xor_block, xor_stream};

/// The sum of products of unsigned and signed bytes. Exact while the length is below 65,000.
///
/// # Panics
/// When the lengths differ.
pub fn dot(query: &[u8], row: &[i8]) -> i32 {
    assert_eq!(query.len(), row.len(), "two vectors of one dimension");
    byte_block(Level::current(), query, [row])[0]
}

/// [`dot`] of one query with many rows: `out[i]` belongs to the row that starts at byte `starts(i)` of `rows`.
///
/// # Panics
/// When a row does not lie inside `rows`.
#[inline]
pub fn dots(query: &[u8], rows: &[i8], starts: impl Fn(usize) -> usize, out: &mut [i32]) {
    dots_at(Level::current(), query, rows, starts, out);
}

/// [`dots`] at a chosen level.
///
/// # Panics
/// When a row does not lie inside `rows`.
#[inline]
pub fn dots_at(level: Level, query: &[u8], rows: &[i8], starts: impl Fn(usize) -> usize, out: &mut [i32]) {
    let row = |i: usize| &rows[starts(i)..][..query.len()];
    let (fours, rest) = out.as_chunks_mut::<4>();
    let whole = fours.len() * 4;
    for (b, four) in fours.iter_mut().enumerate() {
        let i = b * 4;
        *four = byte_block(level, query, [row(i), row(i + 1), row(i + 2), row(i + 3)]);
    }
    for (i, out) in rest.iter_mut().enumerate() {
        *out = byte_block(level, query, [row(whole + i)])[0];
    }
}

/// How many bits differ.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub fn hamming(a: &[u8], b: &[u8]) -> u32 {
    hamming_at(Level::current(), a, b)
}

/// [`hamming`] at a chosen level.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub fn hamming_at(level: Level, a: &[u8], b: &[u8]) -> u32 {
    assert_eq!(a.len(), b.len(), "two vectors of one dimension");
    xor_block(level, a, [b])[0]
}

/// [`hamming`] of one query and rows that lie one after the other: `out[i]` belongs to row `i`.
///
/// # Panics
/// When `rows` does not hold exactly `out.len()` rows of the query's length.
pub fn hamming_rows(query: &[u8], rows: &[u8], out: &mut [u32]) {
    hamming_rows_at(Level::current(), query, rows, out);
}

/// [`hamming_rows`] at a chosen level.
///
/// # Panics
/// As there.
pub fn hamming_rows_at(level: Level, query: &[u8], rows: &[u8], out: &mut [u32]) {
    assert_eq!(rows.len(), query.len() * out.len(), "one output a row");
    xor_stream(level, query, rows, out);
}

/// [`and_or`] of one query and rows that lie one after the other: `out[i]` belongs to row `i`.
///
/// # Panics
/// When `rows` does not hold exactly `out.len()` rows of the query's length.
pub fn and_or_rows(query: &[u8], rows: &[u8], out: &mut [(u32, u32)]) {
    and_or_rows_at(Level::current(), query, rows, out);
}

/// [`and_or_rows`] at a chosen level.
///
/// # Panics
/// As there.
pub fn and_or_rows_at(level: Level, query: &[u8], rows: &[u8], out: &mut [(u32, u32)]) {
    assert_eq!(rows.len(), query.len() * out.len(), "one output a row");
    and_or_stream(level, query, rows, out);
}

/// How many bits are in both, and how many in either.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub fn and_or(a: &[u8], b: &[u8]) -> (u32, u32) {
    and_or_at(Level::current(), a, b)
}

/// [`and_or`] at a chosen level.
///
/// # Panics
/// When the lengths differ.
#[inline]
pub fn and_or_at(level: Level, a: &[u8], b: &[u8]) -> (u32, u32) {
    assert_eq!(a.len(), b.len(), "two vectors of one dimension");
    and_or_block(level, a, [b])[0]
}
