//! Thirty-two elements an instruction.

use std::arch::aarch64::*;

use super::{Bar, Grain, ROWS, SIDE};
use crate::prefetch::prefetch_beyond;

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "the vector load")]
fn codes(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: 16 bytes, no alignment needed.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "the vector load")]
fn signed(bytes: &[i8; 16]) -> int8x16_t {
    // SAFETY: 16 bytes, no alignment needed.
    unsafe { vld1q_s8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn pair(query: &[i8], row: &[u8]) -> i32 {
    let (first, second) = query.split_at(row.len());
    let mut sum = vdupq_n_s32(0);
    let queries = first.as_chunks::<16>().0.iter().zip(second.as_chunks::<16>().0);
    for (chunk, (first, second)) in row.as_chunks::<16>().0.iter().zip(queries) {
        let both = codes(chunk);
        let lower = vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)));
        let upper = vreinterpretq_s8_u8(vshrq_n_u8::<4>(both));
        let (first, second) = (signed(first), signed(second));
        // Four products of four and seven bits fit into sixteen.
        let mut words = vmull_s8(vget_low_s8(lower), vget_low_s8(first));
        words = vmlal_high_s8(words, lower, first);
        words = vmlal_s8(words, vget_low_s8(upper), vget_low_s8(second));
        words = vmlal_high_s8(words, upper, second);
        sum = vpadalq_s16(sum, words);
    }
    vaddvq_s32(sum)
}

#[target_feature(enable = "neon")]
pub(super) fn stream(query: &[i8], plane: &[u8], out: &mut [i32]) {
    let bytes = query.len() / 2;
    for (rows, out) in plane.chunks(4 * bytes).zip(out.chunks_mut(4)) {
        rows.chunks(512).for_each(|line| prefetch_beyond(&line[0]));
        for (row, out) in rows.chunks_exact(bytes).zip(out) {
            *out = pair(query, row);
        }
    }
}

#[target_feature(enable = "neon")]
pub(super) fn tile(queries: [&[i8]; SIDE], plane: &[u8], out: &mut [i32]) {
    let (bytes, count) = (queries[0].len() / 2, out.len() / SIDE);
    for (r, row) in plane.chunks_exact(bytes).enumerate() {
        for (q, query) in queries.iter().enumerate() {
            out[q * count + r] = pair(query, row);
        }
    }
}

#[target_feature(enable = "neon")]
pub(super) fn put_nibbles(row: &[f32], high: &mut [u8], low: &mut [u8]) -> [Grain; 2] {
    super::scalar::put_nibbles(row, high, low)
}

#[target_feature(enable = "neon")]
pub(super) fn round_query(query: &[f32], codes: &mut [i8]) -> [f32; 4] {
    super::scalar::round_query(query, codes)
}

#[target_feature(enable = "neon")]
pub(super) fn open(
    query: (f32, f32),
    dots: &[i32],
    columns: [&[f32]; 5],
    bar: &Bar,
    sums: &mut [f32; ROWS],
) -> u64 {
    super::scalar::open(query, dots, columns, bar, sums)
}
