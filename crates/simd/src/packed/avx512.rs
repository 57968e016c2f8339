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

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "the vector load")]
fn floats(values: &[f32; 16]) -> __m512 {
    // SAFETY: sixteen numbers, no alignment needed.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn ranges(tables: &[[f32; 16]], floors: &mut [f32]) -> [f32; 3] {
    let (mut widest, mut whole, mut offset) = (0f32, 0f32, 0f32);
    for (table, floor) in tables.iter().zip(floors) {
        let table = floats(table);
        let (low, high) = (_mm512_reduce_min_ps(table), _mm512_reduce_max_ps(table));
        widest = widest.max(high - low);
        whole += high - low;
        offset += low;
        *floor = low;
    }
    [widest, whole, offset]
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector store")]
pub(super) fn round(tables: &[[f32; 16]], floors: &[f32], inverse: f32, out: &mut [[u8; 16]]) {
    for ((table, floor), out) in tables.iter().zip(floors).zip(out) {
        let above =
            _mm512_mul_ps(_mm512_sub_ps(floats(table), _mm512_set1_ps(*floor)), _mm512_set1_ps(inverse));
        // The rounded number is in the low bits.
        let bits = _mm512_castps_si512(_mm512_add_ps(above, _mm512_set1_ps(8_388_608.0)));
        // SAFETY: sixteen bytes, no alignment needed.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(bits)) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector store")]
pub(super) fn products(
    query: &[f32],
    (width, rounds): (usize, usize),
    books: &[[f32; 16]],
    tables: &mut [[f32; 16]],
) {
    let parts = query.chunks_exact(width).flat_map(|part| std::iter::repeat_n(part, rounds));
    for ((part, book), table) in parts.zip(books.chunks_exact(width)).zip(tables) {
        let mut sum = _mm512_setzero_ps();
        for (value, row) in part.iter().zip(book) {
            // Rounded as everywhere: no fused operations.
            sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_set1_ps(*value), floats(row)));
        }
        // SAFETY: sixteen numbers, no alignment needed.
        unsafe { _mm512_storeu_ps(table.as_mut_ptr(), sum) };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn signs(fours: &[[f32; 4]], inverse: f32, out: &mut [[u8; 16]]) {
    super::scalar::signs(fours, inverse, out);
}
