//! Four tables an instruction.

use std::arch::x86_64::*;

use super::{FACTORS, Line, ROWS};

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "the vector load")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes, no alignment needed.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector stores")]
pub(super) fn scores(
    tables: &[[u8; 64]],
    codes: &[[u8; 64]],
    factors: &[u8; FACTORS],
    line: Line,
    out: &mut [f32; ROWS],
) -> u32 {
    let low_half = _mm512_set1_epi8(15);
    // Bytes in pairs as words: all of it, and the upper bytes alone.
    let mut first = [_mm512_setzero_si512(); 2];
    let mut second = [_mm512_setzero_si512(); 2];
    for (table, codes) in tables.iter().zip(codes) {
        let (table, codes) = (load(table), load(codes));
        let low = _mm512_shuffle_epi8(table, _mm512_and_si512(codes, low_half));
        let high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low_half));
        first = [_mm512_add_epi16(first[0], low), _mm512_add_epi16(first[1], _mm512_srli_epi16::<8>(low))];
        second =
            [_mm512_add_epi16(second[0], high), _mm512_add_epi16(second[1], _mm512_srli_epi16::<8>(high))];
    }
    let floats = factors.as_chunks::<64>().0;
    let mut near = 0;
    for (half, [all, odd]) in [first, second].into_iter().enumerate() {
        let even = lanes(_mm512_sub_epi16(all, _mm512_slli_epi16::<8>(odd)));
        let odd = lanes(odd);
        let sums = _mm256_set_m128i(_mm_unpackhi_epi16(even, odd), _mm_unpacklo_epi16(even, odd));
        let sums = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(sums));
        let product =
            _mm512_add_ps(_mm512_set1_ps(line.offset), _mm512_mul_ps(_mm512_set1_ps(line.step), sums));
        let (scale, bias) =
            (_mm512_castsi512_ps(load(&floats[half])), _mm512_castsi512_ps(load(&floats[half + 2])));
        let start = _mm512_add_ps(bias, _mm512_set1_ps(line.term));
        let score = _mm512_sub_ps(start, _mm512_mul_ps(scale, product));
        // SAFETY: half of the 32 floats each.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(16 * half), score) };
        let below = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(score, _mm512_set1_ps(line.limit));
        near |= u32::from(below) << (16 * half);
    }
    near
}

/// The sum of the four lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn lanes(sums: __m512i) -> __m128i {
    let two = _mm256_add_epi16(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums));
    _mm_add_epi16(_mm256_castsi256_si128(two), _mm256_extracti128_si256::<1>(two))
}
