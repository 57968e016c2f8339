//! The kernels for NEON. Four 4-lane registers stand for the 16 lanes of a sum; a short tail is filled up with zeros.

use std::arch::aarch64::*;

use super::{LANES, reduce};
use crate::planes::has_plane;

streams!([#[target_feature(enable = "neon")]] float half signed xor and_or);

type Sixteen = [float32x4_t; 4];

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "the vector loads")]
fn load(lanes: &[f32; LANES]) -> Sixteen {
    let start = lanes.as_ptr();
    // SAFETY: four times four floats are the sixteen; the load needs no alignment.
    unsafe { [vld1q_f32(start), vld1q_f32(start.add(4)), vld1q_f32(start.add(8)), vld1q_f32(start.add(12))] }
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "the vector stores")]
fn store(sums: Sixteen) -> [f32; LANES] {
    let mut lanes = [0f32; LANES];
    for (four, sum) in lanes.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
        // SAFETY: four floats; the store needs no alignment.
        unsafe { vst1q_f32(four.as_mut_ptr(), sum) };
    }
    lanes
}

#[inline]
fn padded<T: Copy + Default, const N: usize>(rest: &[T]) -> [T; N] {
    let mut lanes = [T::default(); N];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

#[inline]
#[target_feature(enable = "neon")]
fn add<const L2: bool>(mut sum: Sixteen, a: Sixteen, b: Sixteen) -> Sixteen {
    for i in 0..4 {
        sum[i] = if L2 {
            let d = vsubq_f32(a[i], b[i]);
            vfmaq_f32(sum[i], d, d)
        } else {
            vfmaq_f32(sum[i], a[i], b[i])
        };
    }
    sum
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn float_block<const Q: usize, const R: usize, const L2: bool>(
    queries: [&[f32]; Q],
    rows: [&[f32]; R],
) -> [[f32; R]; Q] {
    let mut out = [[0f32; R]; Q];
    for (out, query) in out.iter_mut().zip(queries) {
        let (chunks, rest) = query.as_chunks::<LANES>();
        let row_chunks = rows.map(|row| &row.as_chunks::<LANES>().0[..chunks.len()]);
        let mut sums = [[vdupq_n_f32(0.0); 4]; R];
        for (c, chunk) in chunks.iter().enumerate() {
            let a = load(chunk);
            for r in 0..R {
                sums[r] = add::<L2>(sums[r], a, load(&row_chunks[r][c]));
            }
        }
        if !rest.is_empty() {
            let a = load(&padded(rest));
            for r in 0..R {
                sums[r] =
                    add::<L2>(sums[r], a, load(&padded(&rows[r][query.len() - rest.len()..query.len()])));
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = reduce(store(sum));
        }
    }
    out
}

/// Four two-byte floats, widened. IEEE half precision by arithmetic that is exact for every number, the least included: its
/// bits moved to where f32 has them are the number, but for a power of two.
#[inline]
#[target_feature(enable = "neon")]
fn widen_four<const BF: bool>(halves: uint16x4_t) -> float32x4_t {
    if BF {
        return vreinterpretq_f32_u32(vshll_n_u16::<16>(halves));
    }
    let bits = vmovl_u16(halves);
    let size = vandq_u32(bits, vdupq_n_u32(0x7fff));
    let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
    let number =
        vmulq_f32(vreinterpretq_f32_u32(vshlq_n_u32::<13>(size)), vdupq_n_f32(f32::from_bits(0x7780_0000)));
    // Infinity and what is no number keep the largest exponent.
    let endless = vandq_u32(vcgeq_u32(size, vdupq_n_u32(0x7c00)), vdupq_n_u32(0x7f80_0000));
    vreinterpretq_f32_u32(vorrq_u32(vorrq_u32(vreinterpretq_u32_f32(number), endless), sign))
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "the vector loads")]
fn load_halves<const BF: bool>(halves: &[[u8; 2]; LANES]) -> Sixteen {
    let start: *const u8 = halves.as_flattened().as_ptr();
    // SAFETY: twice sixteen bytes; loads of bytes need no alignment.
    let (low, high) = unsafe { (vld1q_u8(start), vld1q_u8(start.add(16))) };
    let (low, high) = (vreinterpretq_u16_u8(low), vreinterpretq_u16_u8(high));
    [
        widen_four::<BF>(vget_low_u16(low)),
        widen_four::<BF>(vget_high_u16(low)),
        widen_four::<BF>(vget_low_u16(high)),
        widen_four::<BF>(vget_high_u16(high)),
    ]
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn half_block<const R: usize, const L2: bool, const BF: bool>(
    query: &[f32],
    rows: [&[u8]; R],
) -> [f32; R] {
    let (chunks, rest) = query.as_chunks::<LANES>();
    let rows = rows.map(|row| &row.as_chunks::<2>().0[..query.len()]);
    let row_chunks = rows.map(|row| &row.as_chunks::<LANES>().0[..chunks.len()]);
    let mut sums = [[vdupq_n_f32(0.0); 4]; R];
    for (c, chunk) in chunks.iter().enumerate() {
        let a = load(chunk);
        for r in 0..R {
            sums[r] = add::<L2>(sums[r], a, load_halves::<BF>(&row_chunks[r][c]));
        }
    }
    if !rest.is_empty() {
        let a = load(&padded(rest));
        for r in 0..R {
            let b = load_halves::<BF>(&padded(&rows[r][query.len() - rest.len()..]));
            sums[r] = add::<L2>(sums[r], a, b);
        }
    }
    sums.map(|sum| reduce(store(sum)))
}

#[target_feature(enable = "neon")]
pub(super) fn widen<const BF: bool>(source: &[u8], out: &mut [f32]) {
    let (chunks, rest) = source.as_chunks::<2>().0.as_chunks::<LANES>();
    let (out_chunks, out_rest) = out.as_chunks_mut::<LANES>();
    for (chunk, out) in chunks.iter().zip(out_chunks) {
        *out = store(load_halves::<BF>(chunk));
    }
    super::scalar::widen::<BF>(rest.as_flattened(), out_rest);
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
#[expect(unsafe_code, reason = "the vector load")]
fn bytes(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: 16 bytes, no alignment needed.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn add_signed<const L2: bool>(sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    let halves = [(vget_low_s8(a), vget_low_s8(b)), (vget_high_s8(a), vget_high_s8(b))];
    halves.into_iter().fold(sum, |sum, (a, b)| {
        if L2 {
            let d = vsubl_s8(a, b);
            let sum = vmlal_s16(sum, vget_low_s16(d), vget_low_s16(d));
            vmlal_high_s16(sum, d, d)
        } else {
            vpadalq_s16(sum, vmull_s8(a, b))
        }
    })
}

/// Nothing: differences are widened.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn signed_alone<const L2: bool>(_query: &[i8]) -> i32 {
    0
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn signed_block<const R: usize, const L2: bool>(
    query: &[i8],
    _alone: i32,
    rows: [&[i8]; R],
) -> [i32; R] {
    let (chunks, rest) = query.as_chunks::<16>();
    let mut out = [0i32; R];
    for (out, row) in out.iter_mut().zip(rows) {
        let (row_chunks, row_rest) = row[..query.len()].as_chunks::<16>();
        let mut sum = vdupq_n_s32(0);
        for (a, b) in chunks.iter().zip(row_chunks) {
            sum = add_signed::<L2>(sum, signed(a), signed(b));
        }
        if !rest.is_empty() {
            sum = add_signed::<L2>(sum, signed(&padded(rest)), signed(&padded(row_rest)));
        }
        *out = vaddvq_s32(sum);
    }
    out
}

/// Sums of unsigned times signed bytes.
#[inline]
#[target_feature(enable = "neon")]
fn add_mixed(mut sum: int32x4_t, a: uint8x16_t, b: int8x16_t) -> int32x4_t {
    let wide = [
        (vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(a))), vmovl_s8(vget_low_s8(b))),
        (vreinterpretq_s16_u16(vmovl_high_u8(a)), vmovl_high_s8(b)),
    ];
    for (a, b) in wide {
        sum = vmlal_s16(sum, vget_low_s16(a), vget_low_s16(b));
        sum = vmlal_high_s16(sum, a, b);
    }
    sum
}

#[target_feature(enable = "neon")]
pub(super) fn byte_block<const R: usize>(query: &[u8], rows: [&[i8]; R]) -> [i32; R] {
    let (chunks, rest) = query.as_chunks::<16>();
    let mut out = [0i32; R];
    for (out, row) in out.iter_mut().zip(rows) {
        let (row_chunks, row_rest) = row[..query.len()].as_chunks::<16>();
        let mut sum = vdupq_n_s32(0);
        for (a, b) in chunks.iter().zip(row_chunks) {
            sum = add_mixed(sum, bytes(a), signed(b));
        }
        if !rest.is_empty() {
            sum = add_mixed(sum, bytes(&padded(rest)), signed(&padded(row_rest)));
        }
        *out = vaddvq_s32(sum);
    }
    out
}

/// Adds the bits of each byte to sums of a word each.
#[inline]
#[target_feature(enable = "neon")]
fn count(sum: uint32x4_t, bytes: uint8x16_t) -> uint32x4_t {
    vpadalq_u16(sum, vpaddlq_u8(vcntq_u8(bytes)))
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn xor_block<const R: usize>(query: &[u8], rows: [&[u8]; R]) -> [u32; R] {
    let (chunks, rest) = query.as_chunks::<16>();
    let mut out = [0; R];
    for (out, row) in out.iter_mut().zip(rows) {
        let (row_chunks, row_rest) = row[..query.len()].as_chunks::<16>();
        let mut sum = vdupq_n_u32(0);
        for (a, b) in chunks.iter().zip(row_chunks) {
            sum = count(sum, veorq_u8(bytes(a), bytes(b)));
        }
        if !rest.is_empty() {
            sum = count(sum, veorq_u8(bytes(&padded(rest)), bytes(&padded(row_rest))));
        }
        *out = vaddvq_u32(sum);
    }
    out
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn and_or_block<const R: usize>(query: &[u8], rows: [&[u8]; R]) -> [(u32, u32); R] {
    let (chunks, rest) = query.as_chunks::<16>();
    let mut out = [(0, 0); R];
    for (out, row) in out.iter_mut().zip(rows) {
        let (row_chunks, row_rest) = row[..query.len()].as_chunks::<16>();
        let (mut and, mut or) = (vdupq_n_u32(0), vdupq_n_u32(0));
        for (a, b) in chunks.iter().zip(row_chunks) {
            let (a, b) = (bytes(a), bytes(b));
            (and, or) = (count(and, vandq_u8(a, b)), count(or, vorrq_u8(a, b)));
        }
        if !rest.is_empty() {
            let (a, b) = (bytes(&padded(rest)), bytes(&padded(row_rest)));
            (and, or) = (count(and, vandq_u8(a, b)), count(or, vorrq_u8(a, b)));
        }
        *out = (vaddvq_u32(and), vaddvq_u32(or));
    }
    out
}

/// The codes of a plane of more than one bit as 64 bytes: those from `16 i` on in register `i`.
#[inline]
#[target_feature(enable = "neon")]
fn plane<const W: usize>(source: &[u8]) -> [uint8x16_t; 4] {
    let mut sixteens = [vdupq_n_u8(0); 4];
    for (sixteen, chunk) in sixteens.iter_mut().zip(source.as_chunks::<16>().0) {
        *sixteen = bytes(chunk);
    }
    let [a, b, ..] = sixteens;
    match W {
        8 => sixteens,
        4 => {
            let low = vdupq_n_u8(15);
            [vandq_u8(a, low), vandq_u8(b, low), vshrq_n_u8::<4>(a), vshrq_n_u8::<4>(b)]
        }
        _ => {
            let low = vdupq_n_u8(3);
            [
                vandq_u8(a, low),
                vandq_u8(vshrq_n_u8::<2>(a), low),
                vandq_u8(vshrq_n_u8::<4>(a), low),
                vshrq_n_u8::<6>(a),
            ]
        }
    }
}

/// The 16 bits of two bytes as bytes of all ones or zeros.
#[inline]
#[target_feature(enable = "neon")]
fn spread(pair: [u8; 2]) -> uint8x16_t {
    let both = vcombine_u8(vdup_n_u8(pair[0]), vdup_n_u8(pair[1]));
    vtstq_u8(both, bytes(&[1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]))
}

#[target_feature(enable = "neon")]
pub(super) fn planes_block<const B: usize, const N: usize, const R: usize>(
    query: &[[i8; 64]],
    rows: [&[u8]; R],
) -> [i32; R] {
    let mut out = [0i32; R];
    for (out, row) in out.iter_mut().zip(rows) {
        // One sum a plane, since each has a weight of its own.
        let mut sums = [vdupq_n_s32(0); 4];
        for (query, chunk) in query.iter().zip(row.as_chunks::<N>().0) {
            let query = query.as_chunks::<16>().0;
            let mut rest = &chunk[..];
            if has_plane(B, 8) {
                sums[0] = add_plane(sums[0], plane::<8>(rest), query);
                rest = &rest[64..];
            }
            if has_plane(B, 4) {
                sums[1] = add_plane(sums[1], plane::<4>(&rest[..32]), query);
                rest = &rest[32..];
            }
            if has_plane(B, 2) {
                sums[2] = add_plane(sums[2], plane::<2>(&rest[..16]), query);
                rest = &rest[16..];
            }
            if has_plane(B, 1) {
                for (pair, query) in rest.as_chunks::<2>().0.iter().zip(query) {
                    let some = vandq_s8(vreinterpretq_s8_u8(spread(*pair)), signed(query));
                    sums[3] = vpadalq_s16(sums[3], vpaddlq_s8(some));
                }
            }
        }
        let mut shift = 0;
        for (sum, width) in sums.into_iter().zip([8, 4, 2, 1]) {
            if has_plane(B, width) {
                *out += vaddvq_s32(sum) << shift;
                shift += width;
            }
        }
    }
    out
}

#[inline]
#[target_feature(enable = "neon")]
fn add_plane(sum: int32x4_t, codes: [uint8x16_t; 4], query: &[[i8; 16]]) -> int32x4_t {
    codes.into_iter().zip(query).fold(sum, |sum, (codes, query)| add_mixed(sum, codes, signed(query)))
}

#[target_feature(enable = "neon")]
pub(super) fn columns_block<const L2: bool>(point: &[f32], columns: &[f32], out: &mut [f32]) {
    super::scalar::columns_block::<L2>(point, columns, out);
}

// What follows is plain code; that its answers are the same is what matters here, and the compiler makes vector code of most
// of it.

#[target_feature(enable = "neon")]
pub(super) fn fan_tables(query: &[f32], inverse: f32, tables: &mut [u8]) {
    super::scalar::fan_tables(query, inverse, tables);
}

#[target_feature(enable = "neon")]
pub(super) fn fan_signs(center: &[f32], row: &[f32], out: &mut [u8]) -> [f32; 4] {
    super::scalar::fan_signs(center, row, out)
}

#[target_feature(enable = "neon")]
pub(super) fn fan_sums<const G: usize, const F: usize>(
    tables: &[u8],
    fans: ([&[u8]; G], [&[u8]; G]),
    scale: [f32; 4],
    out: [&mut [f32; 16]; G],
) -> [u16; G] {
    super::scalar::fan_sums::<G, F>(tables, fans, scale, out)
}

#[target_feature(enable = "neon")]
pub(super) fn hadamard(values: &mut [f32]) {
    super::scalar::hadamard(values);
}
