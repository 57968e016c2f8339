//! The arithmetic itself, once per instruction set, and the one place that chooses between them. Invariant: a
//! vector kernel runs only at a [`Level`] that detection found, and all of them give the same bits.
//!
//! A *block* is `R` rows against one query. Sums of f32 have one order everywhere: lane `i mod 16` takes element `i`
//! by a fused multiply-add, in rising order; then lanes `j` and `j + 8` are added, then `j + 4`, `j + 2`, `j + 1`.

#[macro_use]
mod streams;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::Level;
use crate::level::Tier;

/// Lanes of an f32 sum.
const LANES: usize = 16;

/// Chooses the kernel. The arms that call into an instruction set are reached only at a detected level.
macro_rules! dispatch {
    ($level:expr, $name:ident $(:: < $($generic:tt),* >)? ( $($arg:expr),* )) => {
        match $level.tier() {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: a `Level` above the scalar one comes from detection alone, so the CPU has these instructions.
            Tier::Avx512 => unsafe { avx512::$name $(::<$($generic),*>)? ($($arg),*) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: as above.
            Tier::Avx2 => unsafe { avx2::$name $(::<$($generic),*>)? ($($arg),*) },
            #[cfg(target_arch = "aarch64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: as above.
            Tier::Neon => unsafe { neon::$name $(::<$($generic),*>)? ($($arg),*) },
            _ => scalar::$name $(::<$($generic),*>)? ($($arg),*),
        }
    };
}

/// L2 squared (`L2`) or inner products of `Q` queries with `R` rows, all of one length.
#[inline]
pub(crate) fn float_block<const Q: usize, const R: usize, const L2: bool>(
    level: Level,
    queries: [&[f32]; Q],
    rows: [&[f32]; R],
) -> [[f32; R]; Q] {
    dispatch!(level, float_block::<Q, R, L2>(queries, rows))
}

/// [`float_block`] of one query and rows that lie one after the other; as it goes along, the memory is asked for what
/// comes a few pages later.
#[inline]
pub(crate) fn float_stream<const L2: bool>(level: Level, query: &[f32], rows: &[f32], out: &mut [f32]) {
    dispatch!(level, float_stream::<L2>(query, rows, out))
}

/// As [`float_block`] of one query, for rows of two-byte floats: bfloat16 (`BF`) or IEEE half precision, little-endian. Widening is
/// exact, so the result is that of the widened row.
#[inline]
pub(crate) fn half_block<const R: usize, const L2: bool, const BF: bool>(
    level: Level,
    query: &[f32],
    rows: [&[u8]; R],
) -> [f32; R] {
    dispatch!(level, half_block::<R, L2, BF>(query, rows))
}

/// [`half_block`] of one query and rows that lie one after the other, as [`float_stream`].
#[inline]
pub(crate) fn half_stream<const L2: bool, const BF: bool>(
    level: Level,
    query: &[f32],
    rows: &[u8],
    out: &mut [f32],
) {
    dispatch!(level, half_stream::<L2, BF>(query, rows, out))
}

/// [`signed_block`] of one query and rows that lie one after the other, as [`float_stream`].
#[inline]
pub(crate) fn signed_stream<const L2: bool>(level: Level, query: &[i8], rows: &[i8], out: &mut [i32]) {
    dispatch!(level, signed_stream::<L2>(query, rows, out))
}

/// Two-byte floats made f32.
#[inline]
pub(crate) fn widen<const BF: bool>(level: Level, halves: &[u8], out: &mut [f32]) {
    dispatch!(level, widen::<BF>(halves, out))
}

/// What a level wants to know of a query for [`signed_block`]: a part of the sums, or nothing.
#[inline]
pub(crate) fn signed_alone<const L2: bool>(level: Level, query: &[i8]) -> i32 {
    dispatch!(level, signed_alone::<L2>(query))
}

/// L2 squared (`L2`) or inner products of signed bytes, all of one length; `alone` is [`signed_alone`] of the query. Exact up
/// to 32,768 bytes.
#[inline]
pub(crate) fn signed_block<const R: usize, const L2: bool>(
    level: Level,
    query: &[i8],
    alone: i32,
    rows: [&[i8]; R],
) -> [i32; R] {
    dispatch!(level, signed_block::<R, L2>(query, alone, rows))
}

/// Sums of signed query bytes times codes of `B` bits in chunks of `N = 8 B` bytes, each of 64 codes; see
/// [`crate::Planes`].
#[inline]
pub(crate) fn planes_block<const B: usize, const N: usize, const R: usize>(
    level: Level,
    query: &[[i8; 64]],
    rows: [&[u8]; R],
) -> [i32; R] {
    dispatch!(level, planes_block::<B, N, R>(query, rows))
}

/// L2 squared (`L2`) or inner products of a point and the columns of a matrix of `out.len()` columns, stored row by row;
/// plain sums in the order of rows.
#[inline]
pub(crate) fn columns_block<const L2: bool>(level: Level, point: &[f32], columns: &[f32], out: &mut [f32]) {
    dispatch!(level, columns_block::<L2>(point, columns, out))
}

/// Sums of unsigned query bytes times signed row bytes, all of one length.
#[inline]
pub(crate) fn byte_block<const R: usize>(level: Level, query: &[u8], rows: [&[i8]; R]) -> [i32; R] {
    dispatch!(level, byte_block::<R>(query, rows))
}

/// Bits that differ, query against rows of one length.
#[inline]
pub(crate) fn xor_block<const R: usize>(level: Level, query: &[u8], rows: [&[u8]; R]) -> [u32; R] {
    dispatch!(level, xor_block::<R>(query, rows))
}

/// [`xor_block`] of one query and rows that lie one after the other, as [`float_stream`].
#[inline]
pub(crate) fn xor_stream(level: Level, query: &[u8], rows: &[u8], out: &mut [u32]) {
    dispatch!(level, xor_stream(query, rows, out))
}

/// Bits in both and bits in either.
#[inline]
pub(crate) fn and_or_block<const R: usize>(level: Level, query: &[u8], rows: [&[u8]; R]) -> [(u32, u32); R] {
    dispatch!(level, and_or_block::<R>(query, rows))
}

/// [`and_or_block`] of one query and rows that lie one after the other, as [`float_stream`].
#[inline]
pub(crate) fn and_or_stream(level: Level, query: &[u8], rows: &[u8], out: &mut [(u32, u32)]) {
    dispatch!(level, and_or_stream(query, rows, out))
}

/// The tables of [`crate::FanQuery`]: for every four elements what each choice of signs adds up to, in steps of which one
/// makes `inverse`, above the least.
#[inline]
pub(crate) fn fan_tables(level: Level, query: &[f32], inverse: f32, tables: &mut [u8]) {
    dispatch!(level, fan_tables(query, inverse, tables))
}

/// The signs of `row - center`, one byte in sixteen of `out`; returns sums as [`crate::Signs`] has them.
#[inline]
pub(crate) fn fan_signs(level: Level, center: &[f32], row: &[f32], out: &mut [u8]) -> [f32; 4] {
    dispatch!(level, fan_signs(center, row, out))
}

/// The scores of `G` fans, given by their signs and `F` bytes of factors, and which of them are below the limit; `scale` is step, low,
/// base, limit.
#[inline]
pub(crate) fn fan_sums<const G: usize, const F: usize>(
    level: Level,
    tables: &[u8],
    fans: ([&[u8]; G], [&[u8]; G]),
    scale: [f32; 4],
    out: [&mut [f32; 16]; G],
) -> [u16; G] {
    dispatch!(level, fan_sums::<G, F>(tables, fans, scale, out))
}

/// The orthonormal Walsh-Hadamard transform of a power of two of values, in place.
#[inline]
pub(crate) fn hadamard(level: Level, values: &mut [f32]) {
    dispatch!(level, hadamard(values))
}

/// Adds up 16 lanes in the order every level keeps.
pub(crate) fn reduce(lanes: [f32; LANES]) -> f32 {
    let mut sums = lanes;
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}
