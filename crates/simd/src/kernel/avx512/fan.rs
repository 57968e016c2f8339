//! Sixteen rows of one bit an element, by tables in registers.

use std::arch::x86_64::*;

use super::{LANES, bytes, floats, reduce, wide};
use crate::fan::WIDE_FACTORS;

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn fan_tables(query: &[f32], inverse: f32, tables: &mut [u8]) {
    super::super::scalar::fan_tables(query, inverse, tables);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn fan_signs(center: &[f32], row: &[f32], out: &mut [u8]) -> [f32; 4] {
    let mut sums = [_mm512_setzero_ps(); 4];
    let pairs = center.as_chunks::<LANES>().0.iter().zip(row.as_chunks::<LANES>().0);
    for (c, (center, row)) in pairs.enumerate() {
        let center = floats(center);
        let rest = _mm512_sub_ps(floats(row), center);
        let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(rest, _mm512_setzero_ps());
        let turned = _mm512_mask_xor_ps(center, below, center, _mm512_set1_ps(-0.0));
        sums[0] = _mm512_add_ps(sums[0], _mm512_abs_ps(rest));
        sums[1] = _mm512_add_ps(sums[1], _mm512_mul_ps(rest, rest));
        sums[2] = _mm512_add_ps(sums[2], turned);
        sums[3] = _mm512_add_ps(sums[3], _mm512_mul_ps(rest, center));
        let [low, high] = (!below).to_le_bytes();
        (out[c * 32], out[c * 32 + 16]) = (low, high);
    }
    [reduce(sums[0]), reduce(sums[1]), reduce(sums[2]), reduce(sums[3])]
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector stores")]
pub(crate) fn fan_sums<const G: usize, const F: usize>(
    tables: &[u8],
    (fans, factors): ([&[u8]; G], [&[u8]; G]),
    [step, low, base, limit]: [f32; 4],
    out: [&mut [f32; 16]; G],
) -> [u16; G] {
    let tables = tables.as_chunks::<64>().0.as_chunks::<2>().0;
    // Not mapped: the compiler makes a call of that here.
    let mut chunks = [&[][..]; G];
    for (chunks, fan) in chunks.iter_mut().zip(fans) {
        *chunks = &fan.as_chunks::<64>().0[..tables.len()];
    }
    let nibble = _mm512_set1_epi8(15);
    // Sums of 16 bits: of all bytes, those of odd places 256 times, and of the odd ones alone.
    let mut sums = [[_mm512_setzero_si512(); 2]; G];
    for (c, [even, odd]) in tables.iter().enumerate() {
        let (even, odd) = (bytes(even), bytes(odd));
        for g in 0..G {
            let codes = bytes(&chunks[g][c]);
            let lower = _mm512_shuffle_epi8(even, _mm512_and_si512(codes, nibble));
            let upper = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble);
            let both = _mm512_add_epi8(lower, _mm512_shuffle_epi8(odd, upper));
            sums[g][0] = _mm512_add_epi16(sums[g][0], both);
            sums[g][1] = _mm512_add_epi16(sums[g][1], _mm512_srli_epi16::<8>(both));
        }
    }
    let mut masks = [0; G];
    for (g, out) in out.into_iter().enumerate() {
        let odd = quarters(sums[g][1]);
        let even = _mm_sub_epi16(quarters(sums[g][0]), _mm_slli_epi16::<8>(odd));
        let all = _mm256_set_m128i(_mm_unpackhi_epi16(even, odd), _mm_unpacklo_epi16(even, odd));
        let sum = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(all));
        let product = _mm512_add_ps(_mm512_mul_ps(sum, _mm512_set1_ps(step)), _mm512_set1_ps(low));
        let [adds, weights] = fan_factors::<F>(factors[g]);
        let rest = _mm512_sub_ps(adds, _mm512_mul_ps(weights, product));
        let score = _mm512_add_ps(_mm512_set1_ps(base), rest);
        masks[g] = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(score, _mm512_set1_ps(limit));
        // SAFETY: 16 floats, no alignment needed.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), score) };
    }
    masks
}

/// What is added for each row of a fan, and what is multiplied by.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector load")]
fn fan_factors<const F: usize>(factors: &[u8]) -> [__m512; 2] {
    if F == WIDE_FACTORS {
        let Some(all) = factors.first_chunk::<64>() else { return [_mm512_setzero_ps(); 2] };
        return wide::<true>(bytes(all));
    }
    let (codes, scales) = factors[..F].split_at(32);
    let [adds, weights] = codes.as_chunks::<16>().0 else { return [_mm512_setzero_ps(); 2] };
    let [add, add_step, weight, weight_step] = scales.as_chunks::<2>().0 else {
        return [_mm512_setzero_ps(); 2];
    };
    let scaled = |bytes: &[u8; 16], least: &[u8; 2], step: &[u8; 2]| {
        let [least, step] = [least, step].map(|half| super::super::scalar::float_of::<true>(*half));
        // SAFETY: 16 bytes, no alignment needed.
        let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        let bytes = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
        _mm512_add_ps(_mm512_set1_ps(least), _mm512_mul_ps(_mm512_set1_ps(step), bytes))
    };
    [scaled(adds, add, add_step), scaled(weights, weight, weight_step)]
}

/// The sum of the four quarters, in numbers of 16 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn quarters(all: __m512i) -> __m128i {
    let half = _mm256_add_epi16(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
    _mm_add_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
}
