//! The kernels for AVX2 and FMA. Two 8-lane registers stand for the 16 lanes of a sum.

use std::arch::x86_64::*;

use super::scalar::fold_words;
use super::{LANES, reduce};
use crate::fan::WIDE_FACTORS;

streams!([#[target_feature(enable = "avx2,fma,f16c,popcnt")]] float half signed xor and_or);

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector load")]
fn load(lanes: &[f32; LANES]) -> [__m256; 2] {
    let (low, high) = lanes.split_at(8);
    // SAFETY: each half has 8 floats; the load needs no alignment.
    unsafe { [_mm256_loadu_ps(low.as_ptr()), _mm256_loadu_ps(high.as_ptr())] }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector store")]
fn store(sums: [__m256; 2]) -> [f32; LANES] {
    let mut lanes = [0f32; LANES];
    let (low, high) = lanes.split_at_mut(8);
    // SAFETY: each half has 8 floats; the store needs no alignment.
    unsafe {
        _mm256_storeu_ps(low.as_mut_ptr(), sums[0]);
        _mm256_storeu_ps(high.as_mut_ptr(), sums[1]);
    }
    lanes
}

/// The last, short chunk, filled up with zeros, which leave a sum as it is.
#[inline]
fn padded<T: Copy + Default, const N: usize>(rest: &[T]) -> [T; N] {
    let mut lanes = [T::default(); N];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add<const L2: bool>(sum: [__m256; 2], a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
    if L2 {
        let (low, high) = (_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1]));
        [_mm256_fmadd_ps(low, low, sum[0]), _mm256_fmadd_ps(high, high, sum[1])]
    } else {
        [_mm256_fmadd_ps(a[0], b[0], sum[0]), _mm256_fmadd_ps(a[1], b[1], sum[1])]
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn float_block<const Q: usize, const R: usize, const L2: bool>(
    queries: [&[f32]; Q],
    rows: [&[f32]; R],
) -> [[f32; R]; Q] {
    let mut out = [[0f32; R]; Q];
    for (out, query) in out.iter_mut().zip(queries) {
        *out = float_row::<R, L2>(query, rows);
    }
    out
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn float_row<const R: usize, const L2: bool>(query: &[f32], rows: [&[f32]; R]) -> [f32; R] {
    let (chunks, rest) = query.as_chunks::<LANES>();
    let row_chunks = rows.map(|row| &row.as_chunks::<LANES>().0[..chunks.len()]);
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    for (c, chunk) in chunks.iter().enumerate() {
        let a = load(chunk);
        for r in 0..R {
            sums[r] = add::<L2>(sums[r], a, load(&row_chunks[r][c]));
        }
    }
    if !rest.is_empty() {
        let a = load(&padded(rest));
        for r in 0..R {
            sums[r] = add::<L2>(sums[r], a, load(&padded(&rows[r][query.len() - rest.len()..])));
        }
    }
    sums.map(|sum| reduce(store(sum)))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "the vector load")]
fn load_halves<const BF: bool>(halves: &[[u8; 2]; LANES]) -> [__m256; 2] {
    let (low, high) = halves.split_at(8);
    // SAFETY: each half has 16 bytes; the load needs no alignment.
    let parts = unsafe { [_mm_loadu_si128(low.as_ptr().cast()), _mm_loadu_si128(high.as_ptr().cast())] };
    let mut wide = [_mm256_setzero_ps(); 2];
    for (wide, part) in wide.iter_mut().zip(parts) {
        *wide = if BF {
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(part)))
        } else {
            _mm256_cvtph_ps(part)
        };
    }
    wide
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn half_block<const R: usize, const L2: bool, const BF: bool>(
    query: &[f32],
    rows: [&[u8]; R],
) -> [f32; R] {
    let (chunks, rest) = query.as_chunks::<LANES>();
    let rows = rows.map(|row| &row.as_chunks::<2>().0[..query.len()]);
    let row_chunks = rows.map(|row| &row.as_chunks::<LANES>().0[..chunks.len()]);
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
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

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn widen<const BF: bool>(source: &[u8], out: &mut [f32]) {
    let (chunks, rest) = source.as_chunks::<{ 2 * LANES }>();
    let (out_chunks, out_rest) = out.as_chunks_mut::<LANES>();
    for (chunk, out) in chunks.iter().zip(out_chunks) {
        let mut halves = [[0; 2]; LANES];
        halves.as_flattened_mut().copy_from_slice(chunk);
        *out = store(load_halves::<BF>(&halves));
    }
    super::scalar::widen::<BF>(rest, out_rest);
}

/// Nothing: differences are widened.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn signed_alone<const L2: bool>(_query: &[i8]) -> i32 {
    0
}

#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn signed_block<const R: usize, const L2: bool>(
    query: &[i8],
    _alone: i32,
    rows: [&[i8]; R],
) -> [i32; R] {
    let (chunks, rest) = query.as_chunks::<16>();
    let row_chunks = rows.map(|row| &row.as_chunks::<16>().0[..chunks.len()]);
    let mut sums = [_mm256_setzero_si256(); R];
    for (c, chunk) in chunks.iter().enumerate() {
        let a = _mm256_cvtepi8_epi16(load_signed(chunk));
        for r in 0..R {
            sums[r] = add_words::<L2>(sums[r], a, _mm256_cvtepi8_epi16(load_signed(&row_chunks[r][c])));
        }
    }
    if !rest.is_empty() {
        let a = _mm256_cvtepi8_epi16(load_signed(&padded(rest)));
        for r in 0..R {
            let b = _mm256_cvtepi8_epi16(load_signed(&padded(&rows[r][query.len() - rest.len()..])));
            sums[r] = add_words::<L2>(sums[r], a, b);
        }
    }
    let mut out = [0i32; R];
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = add_up(sum);
    }
    out
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_words<const L2: bool>(sum: __m256i, a: __m256i, b: __m256i) -> __m256i {
    let (a, b) = if L2 {
        let d = _mm256_sub_epi16(a, b);
        (d, d)
    } else {
        (a, b)
    };
    _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector load")]
fn load_bytes(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes, no alignment needed.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector load")]
fn load_signed(bytes: &[i8; 16]) -> __m128i {
    // SAFETY: 16 bytes, no alignment needed.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// Widened to 16 bits first: the shorter unsigned-by-signed instruction saturates.
#[target_feature(enable = "avx2,fma")]
pub(super) fn byte_block<const R: usize>(query: &[u8], rows: [&[i8]; R]) -> [i32; R] {
    let (chunks, rest) = query.as_chunks::<16>();
    let row_chunks = rows.map(|row| &row.as_chunks::<16>().0[..chunks.len()]);
    let mut sums = [_mm256_setzero_si256(); R];
    for (c, chunk) in chunks.iter().enumerate() {
        let a = _mm256_cvtepu8_epi16(load_bytes(chunk));
        for r in 0..R {
            let b = _mm256_cvtepi8_epi16(load_signed(&row_chunks[r][c]));
            sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(a, b));
        }
    }
    if !rest.is_empty() {
        let a = _mm256_cvtepu8_epi16(load_bytes(&padded(rest)));
        for r in 0..R {
            let b = _mm256_cvtepi8_epi16(load_signed(&padded(&rows[r][query.len() - rest.len()..])));
            sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(a, b));
        }
    }
    let mut out = [0i32; R];
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = add_up(sum);
    }
    out
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_up(sum: __m256i) -> i32 {
    let half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b00_00_11_10>(half));
    _mm_cvtsi128_si32(_mm_add_epi32(quarter, _mm_shuffle_epi32::<0b00_00_00_01>(quarter)))
}

#[inline]
#[target_feature(enable = "avx2,fma,popcnt")]
pub(super) fn xor_block<const R: usize>(query: &[u8], rows: [&[u8]; R]) -> [u32; R] {
    let mut out = [0; R];
    for (out, row) in out.iter_mut().zip(rows) {
        *out = fold_words(query, row, |a, b| (a ^ b).count_ones());
    }
    out
}

#[inline]
#[target_feature(enable = "avx2,fma,popcnt")]
pub(super) fn and_or_block<const R: usize>(query: &[u8], rows: [&[u8]; R]) -> [(u32, u32); R] {
    let mut out = [(0, 0); R];
    for (out, row) in out.iter_mut().zip(rows) {
        let and = fold_words(query, row, |a, b| (a & b).count_ones());
        *out = (and, fold_words(query, row, |a, b| (a | b).count_ones()));
    }
    out
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn planes_block<const B: usize, const N: usize, const R: usize>(
    query: &[[i8; 64]],
    rows: [&[u8]; R],
) -> [i32; R] {
    if B == 1 {
        rows.map(|row| ones(query, row))
    } else {
        super::scalar::planes_block::<B, N, R>(query, rows)
    }
}

/// The sum of the elements of a query at which a row has ones.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn ones(query: &[[i8; 64]], row: &[u8]) -> i32 {
    // Byte `i` of a register gets byte `i / 8` of four, of which bit `i % 8` counts.
    let spread = _mm256_set_epi64x(
        0x0303_0303_0303_0303,
        0x0202_0202_0202_0202,
        0x0101_0101_0101_0101,
        0x0000_0000_0000_0000,
    );
    let bits = _mm256_set1_epi64x(0x8040_2010_0804_0201u64.cast_signed());
    let (one, pair) = (_mm256_set1_epi8(1), _mm256_set1_epi16(1));
    let mut sum = _mm256_setzero_si256();
    for (query, four) in query.as_flattened().as_chunks::<32>().0.iter().zip(row.as_chunks::<4>().0) {
        let codes = _mm256_shuffle_epi8(_mm256_set1_epi32(i32::from_le_bytes(*four)), spread);
        let is_set = _mm256_cmpeq_epi8(_mm256_and_si256(codes, bits), bits);
        let some = _mm256_and_si256(is_set, load_signed_wide(query));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(one, some), pair));
    }
    add_up(sum)
}

/// Thirty-two signed bytes.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector load")]
fn load_signed_wide(bytes: &[i8; 32]) -> __m256i {
    // SAFETY: 32 bytes, no alignment needed.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn columns_block<const L2: bool>(point: &[f32], columns: &[f32], out: &mut [f32]) {
    super::scalar::columns_block::<L2>(point, columns, out);
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn fan_tables(query: &[f32], inverse: f32, tables: &mut [u8]) {
    super::scalar::fan_tables(query, inverse, tables);
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn fan_signs(center: &[f32], row: &[f32], out: &mut [u8]) -> [f32; 4] {
    super::scalar::fan_signs(center, row, out)
}

#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "the vector loads and stores")]
pub(super) fn fan_sums<const G: usize, const F: usize>(
    tables: &[u8],
    (fans, factors): ([&[u8]; G], [&[u8]; G]),
    [step, low, base, limit]: [f32; 4],
    out: [&mut [f32; 16]; G],
) -> [u16; G] {
    // SAFETY: 32 bytes, no alignment needed.
    let load = |bytes: &[u8; 32]| unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
    let mut masks = [0; G];
    for (((signs, factors), out), mask) in fans.into_iter().zip(factors).zip(out).zip(&mut masks) {
        let (mut whole, mut odds) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        let chunks = signs.as_chunks::<32>().0.as_chunks::<2>().0;
        for (tables, halves) in tables.as_chunks::<32>().0.as_chunks::<4>().0.iter().zip(chunks) {
            for (h, half) in halves.iter().enumerate() {
                let (codes, nibble) = (load(half), _mm256_set1_epi8(15));
                let lower = _mm256_shuffle_epi8(load(&tables[h]), _mm256_and_si256(codes, nibble));
                let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), nibble);
                let both = _mm256_add_epi8(lower, _mm256_shuffle_epi8(load(&tables[2 + h]), upper));
                whole = _mm256_add_epi16(whole, both);
                odds = _mm256_add_epi16(odds, _mm256_srli_epi16::<8>(both));
            }
        }
        let halved = |all| _mm_add_epi16(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
        let odd = halved(odds);
        let even = _mm_sub_epi16(halved(whole), _mm_slli_epi16::<8>(odd));
        let sums = [_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd)];
        for (h, sums) in sums.into_iter().enumerate() {
            let [adds, weights] = fan_factors::<F>(factors, h);
            let sum = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums));
            let product = _mm256_add_ps(_mm256_mul_ps(sum, _mm256_set1_ps(step)), _mm256_set1_ps(low));
            let rest = _mm256_sub_ps(adds, _mm256_mul_ps(weights, product));
            let score = _mm256_add_ps(_mm256_set1_ps(base), rest);
            let below = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(score, _mm256_set1_ps(limit)));
            *mask |= (below as u16) << (8 * h);
            // SAFETY: 8 floats, no alignment needed.
            unsafe { _mm256_storeu_ps(out[8 * h..][..8].as_mut_ptr(), score) };
        }
    }
    masks
}

/// What is added for the rows of half `h` of a fan, and what is multiplied by.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector loads")]
fn fan_factors<const F: usize>(bytes: &[u8], h: usize) -> [__m256; 2] {
    if F == WIDE_FACTORS {
        return [0, 32].map(|at| {
            // SAFETY: 16 bytes, no alignment needed.
            let halves = unsafe { _mm_loadu_si128(bytes[at + 16 * h..][..16].as_ptr().cast()) };
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
        });
    }
    let (codes, scales) = bytes.split_at(32);
    let scales = scales.as_chunks::<2>().0;
    let scale = |i: usize| _mm256_set1_ps(super::scalar::float_of::<true>(scales[i]));
    [0, 1].map(|which| {
        // SAFETY: 8 bytes, no alignment needed.
        let codes = unsafe { _mm_loadl_epi64(codes[16 * which + 8 * h..][..8].as_ptr().cast()) };
        let codes = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes));
        _mm256_add_ps(scale(2 * which), _mm256_mul_ps(scale(2 * which + 1), codes))
    })
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn hadamard(values: &mut [f32]) {
    super::scalar::hadamard(values);
}
