//! Two tables an instruction.

use std::arch::x86_64::*;

use super::{FACTORS, Line, ROWS};

#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "the vector load")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes, no alignment needed.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "the vector stores")]
pub(super) fn scores(
    tables: &[[u8; 64]],
    codes: &[[u8; 64]],
    factors: &[u8; FACTORS],
    line: Line,
    out: &mut [f32; ROWS],
) -> u32 {
    let low_half = _mm256_set1_epi8(15);
    // Bytes in pairs as words: all of it, and the upper bytes alone.
    let mut first = [_mm256_setzero_si256(); 2];
    let mut second = [_mm256_setzero_si256(); 2];
    let halves =
        tables.as_flattened().as_chunks::<32>().0.iter().zip(codes.as_flattened().as_chunks::<32>().0);
    for (table, codes) in halves {
        let (table, codes) = (load(table), load(codes));
        let low = _mm256_shuffle_epi8(table, _mm256_and_si256(codes, low_half));
        let high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(codes), low_half));
        first = [_mm256_add_epi16(first[0], low), _mm256_add_epi16(first[1], _mm256_srli_epi16::<8>(low))];
        second =
            [_mm256_add_epi16(second[0], high), _mm256_add_epi16(second[1], _mm256_srli_epi16::<8>(high))];
    }
    let floats = factors.as_chunks::<32>().0;
    let mut near = 0;
    for (half, [all, odd]) in [first, second].into_iter().enumerate() {
        let even = lanes(_mm256_sub_epi16(all, _mm256_slli_epi16::<8>(odd)));
        let odd = lanes(odd);
        for (quarter, sums) in
            [_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd)].into_iter().enumerate()
        {
            let place = 2 * half + quarter;
            let sums = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums));
            let product =
                _mm256_add_ps(_mm256_set1_ps(line.offset), _mm256_mul_ps(_mm256_set1_ps(line.step), sums));
            let (scale, bias) =
                (_mm256_castsi256_ps(load(&floats[place])), _mm256_castsi256_ps(load(&floats[place + 4])));
            let start = _mm256_add_ps(bias, _mm256_set1_ps(line.term));
            let score = _mm256_sub_ps(start, _mm256_mul_ps(scale, product));
            // SAFETY: a quarter of the 32 floats each.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(8 * place), score) };
            let below = _mm256_cmp_ps::<_CMP_LE_OQ>(score, _mm256_set1_ps(line.limit));
            near |= (_mm256_movemask_ps(below) as u32) << (8 * place);
        }
    }
    near
}

/// The sum of the two lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes(sums: __m256i) -> __m128i {
    _mm_add_epi16(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums))
}

#[target_feature(enable = "avx2")]
pub(super) fn ranges(tables: &[[f32; 16]], floors: &mut [f32]) -> [f32; 3] {
    super::scalar::ranges(tables, floors)
}

#[target_feature(enable = "avx2")]
pub(super) fn round(tables: &[[f32; 16]], floors: &[f32], inverse: f32, out: &mut [[u8; 16]]) {
    super::scalar::round(tables, floors, inverse, out);
}

#[target_feature(enable = "avx2")]
pub(super) fn products(query: &[f32], shape: (usize, usize), books: &[[f32; 16]], tables: &mut [[f32; 16]]) {
    super::scalar::products(query, shape, books, tables);
}

#[target_feature(enable = "avx2")]
pub(super) fn signs(fours: &[[f32; 4]], inverse: f32, out: &mut [[u8; 16]]) {
    super::scalar::signs(fours, inverse, out);
}
