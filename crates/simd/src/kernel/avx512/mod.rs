//! The kernels for AVX-512 with VNNI and VPOPCNTDQ. A short tail is loaded under a mask, as zeros.

mod fan;
mod signed;

use std::arch::x86_64::*;

pub(super) use self::fan::{fan_signs, fan_sums, fan_tables};
pub(super) use self::signed::{signed_alone, signed_block};
use super::LANES;

streams!([#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq")]] float half signed xor and_or);

/// Defines a load of a whole chunk and of a short rest.
macro_rules! loads {
    ($whole:ident, $rest:ident, $item:ty, $lanes:literal, $vector:ty, $load:ident, $masked:ident, $mask:ty) => {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        #[expect(unsafe_code, reason = "the vector load")]
        fn $whole(chunk: &[$item; $lanes]) -> $vector {
            // SAFETY: the chunk is as long as the register; the load needs no alignment.
            unsafe { $load(chunk.as_ptr().cast()) }
        }

        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        #[expect(unsafe_code, reason = "the vector load")]
        fn $rest(rest: &[$item]) -> $vector {
            debug_assert!(rest.len() <= $lanes && rest.len() < 64);
            let mask = ((1u64 << rest.len()) - 1) as $mask;
            // SAFETY: the mask keeps the load inside the slice; lanes outside it are not touched.
            unsafe { $masked(mask, rest.as_ptr().cast()) }
        }
    };
}

loads!(floats, floats_rest, f32, 16, __m512, _mm512_loadu_ps, _mm512_maskz_loadu_ps, u16);
loads!(bytes, bytes_rest, u8, 64, __m512i, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, u64);
loads!(signed, signed_rest, i8, 64, __m512i, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, u64);

loads!(halves, halves_rest, [u8; 2], 32, __m512i, _mm512_loadu_si512, _mm512_maskz_loadu_epi16, u32);

/// Two-byte floats, widened: the first sixteen and the others.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn wide<const BF: bool>(halves: __m512i) -> [__m512; 2] {
    if BF {
        let first = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        let second = _mm512_add_epi32(first, _mm512_set1_epi32(16));
        [upper_words(first, halves), upper_words(second, halves)]
    } else {
        let high = _mm512_extracti64x4_epi64::<1>(halves);
        [_mm512_cvtph_ps(_mm512_castsi512_si256(halves)), _mm512_cvtph_ps(high)]
    }
}

/// Sixteen of 32 words, each as the upper half of a float. The compiler would make two instructions of the one if it knew it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[expect(unsafe_code, reason = "an instruction by name")]
fn upper_words(places: __m512i, words: __m512i) -> __m512 {
    let floats;
    // SAFETY: the CPU has the instruction, which touches these registers alone.
    unsafe {
        std::arch::asm!(
            "vpermw {floats}{{{odd}}}{{z}}, {places}, {words}",
            floats = lateout(zmm_reg) floats,
            odd = in(kreg) 0xaaaa_aaaa_u32,
            places = in(zmm_reg) _mm512_slli_epi32::<16>(places),
            words = in(zmm_reg) words,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    floats
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add<const L2: bool>(sum: __m512, a: __m512, b: __m512) -> __m512 {
    if L2 {
        let d = _mm512_sub_ps(a, b);
        _mm512_fmadd_ps(d, d, sum)
    } else {
        _mm512_fmadd_ps(a, b, sum)
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn float_block<const Q: usize, const R: usize, const L2: bool>(
    queries: [&[f32]; Q],
    rows: [&[f32]; R],
) -> [[f32; R]; Q] {
    let (len, count) = (queries[0].len(), queries[0].len() / LANES);
    let query_chunks = queries.map(|query| &query.as_chunks::<LANES>().0[..count]);
    let row_chunks = rows.map(|row| &row.as_chunks::<LANES>().0[..count]);
    let mut sums = [[_mm512_setzero_ps(); R]; Q];
    for c in 0..count {
        let mut a = [_mm512_setzero_ps(); Q];
        for q in 0..Q {
            a[q] = floats(&query_chunks[q][c]);
        }
        for r in 0..R {
            let b = floats(&row_chunks[r][c]);
            for q in 0..Q {
                sums[q][r] = add::<L2>(sums[q][r], a[q], b);
            }
        }
    }
    if !len.is_multiple_of(LANES) {
        for r in 0..R {
            let b = floats_rest(&rows[r][count * LANES..len]);
            for q in 0..Q {
                sums[q][r] = add::<L2>(sums[q][r], floats_rest(&queries[q][count * LANES..]), b);
            }
        }
    }
    let mut out = [[0f32; R]; Q];
    for (out, sums) in out.iter_mut().zip(sums) {
        *out = reduce_all(sums);
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn half_block<const R: usize, const L2: bool, const BF: bool>(
    query: &[f32],
    rows: [&[u8]; R],
) -> [f32; R] {
    let (chunks, rest) = query.as_chunks::<{ 2 * LANES }>();
    let rows = rows.map(|row| &row.as_chunks::<2>().0[..query.len()]);
    let row_chunks = rows.map(|row| &row.as_chunks::<{ 2 * LANES }>().0[..chunks.len()]);
    let mut sums = [_mm512_setzero_ps(); R];
    for (c, chunk) in chunks.iter().enumerate() {
        let [low, high] = chunk.as_chunks::<LANES>().0 else { return [0.0; R] };
        let a = [floats(low), floats(high)];
        for r in 0..R {
            let b = wide::<BF>(halves(&row_chunks[r][c]));
            sums[r] = add::<L2>(add::<L2>(sums[r], a[0], b[0]), a[1], b[1]);
        }
    }
    if !rest.is_empty() {
        let (low, high) = rest.split_at(rest.len().min(LANES));
        let a = [floats_rest(low), floats_rest(high)];
        for r in 0..R {
            let b = wide::<BF>(halves_rest(&rows[r][query.len() - rest.len()..]));
            sums[r] = add::<L2>(add::<L2>(sums[r], a[0], b[0]), a[1], b[1]);
        }
    }
    reduce_all(sums)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[expect(unsafe_code, reason = "the vector store")]
pub(super) fn widen<const BF: bool>(source: &[u8], out: &mut [f32]) {
    let source = &source.as_chunks::<2>().0[..out.len()];
    let (chunks, rest) = source.as_chunks::<{ 2 * LANES }>();
    let (out_chunks, out_rest) = out.as_chunks_mut::<{ 2 * LANES }>();
    for (chunk, out) in chunks.iter().zip(out_chunks) {
        for (wide, out) in wide::<BF>(halves(chunk)).into_iter().zip(out.as_chunks_mut::<LANES>().0) {
            // SAFETY: the chunk of the output has 16 floats; the store needs no alignment.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), wide) };
        }
    }
    super::scalar::widen::<BF>(rest.as_flattened(), out_rest);
}

/// The same tree as everywhere: 8 apart, 4, 2, 1.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn reduce(sum: __m512) -> f32 {
    let eight = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps::<1>(sum));
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

/// [`reduce`] of each.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn reduce_all<const R: usize>(sums: [__m512; R]) -> [f32; R] {
    let mut out = [0f32; R];
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = reduce(sum);
    }
    out
}

/// What the lanes add up to, of each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn add_up<const R: usize>(sums: [__m512i; R]) -> [i32; R] {
    let mut out = [0i32; R];
    let (fours, ones) = out.as_chunks_mut::<4>();
    for (out, sums) in fours.iter_mut().zip(sums.as_chunks::<4>().0) {
        *out = four_sums(*sums);
    }
    for (out, sum) in ones.iter_mut().zip(sums.as_chunks::<4>().1) {
        *out = _mm512_reduce_add_epi32(*sum);
    }
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn byte_block<const R: usize>(query: &[u8], rows: [&[i8]; R]) -> [i32; R] {
    let (chunks, rest) = query.as_chunks::<64>();
    let row_chunks = rows.map(|row| &row.as_chunks::<64>().0[..chunks.len()]);
    let mut sums = [_mm512_setzero_si512(); R];
    for (c, chunk) in chunks.iter().enumerate() {
        let a = bytes(chunk);
        for r in 0..R {
            sums[r] = _mm512_dpbusd_epi32(sums[r], a, signed(&row_chunks[r][c]));
        }
    }
    if !rest.is_empty() {
        let a = bytes_rest(rest);
        for r in 0..R {
            let b = signed_rest(&rows[r][query.len() - rest.len()..query.len()]);
            sums[r] = _mm512_dpbusd_epi32(sums[r], a, b);
        }
    }
    add_up(sums)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq")]
pub(super) fn xor_block<const R: usize>(query: &[u8], rows: [&[u8]; R]) -> [u32; R] {
    let (chunks, rest) = query.as_chunks::<64>();
    let count = |sum, a, b| _mm512_add_epi32(sum, _mm512_popcnt_epi32(_mm512_xor_si512(a, b)));
    let mut sums = [_mm512_setzero_si512(); R];
    // One row after the other, as they lie in memory.
    for (sum, row) in sums.iter_mut().zip(rows) {
        let (row_chunks, row_rest) = row[..query.len()].as_chunks::<64>();
        for (a, b) in chunks.iter().zip(row_chunks) {
            *sum = count(*sum, bytes(a), bytes(b));
        }
        if !rest.is_empty() {
            *sum = count(*sum, bytes_rest(rest), bytes_rest(row_rest));
        }
    }
    add_up(sums).map(i32::cast_unsigned)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vpopcntdq")]
pub(super) fn and_or_block<const R: usize>(query: &[u8], rows: [&[u8]; R]) -> [(u32, u32); R] {
    let (chunks, rest) = query.as_chunks::<64>();
    let mut both = [_mm512_setzero_si512(); R];
    for (both, row) in both.iter_mut().zip(rows) {
        let (row_chunks, row_rest) = row[..query.len()].as_chunks::<64>();
        let (mut and, mut or) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        let mut count = |a, b| {
            and = _mm512_add_epi64(and, _mm512_popcnt_epi64(_mm512_and_si512(a, b)));
            or = _mm512_add_epi64(or, _mm512_popcnt_epi64(_mm512_or_si512(a, b)));
        };
        for (a, b) in chunks.iter().zip(row_chunks) {
            count(bytes(a), bytes(b));
        }
        if !rest.is_empty() {
            count(bytes_rest(rest), bytes_rest(row_rest));
        }
        // One number of both, so that they are added up together.
        *both = _mm512_or_si512(and, _mm512_slli_epi64::<32>(or));
    }
    let mut out = [0u64; R];
    let (fours, ones) = out.as_chunks_mut::<4>();
    for (out, both) in fours.iter_mut().zip(both.as_chunks::<4>().0) {
        *out = four_wide_sums(*both);
    }
    for (out, both) in ones.iter_mut().zip(both.as_chunks::<4>().1) {
        *out = _mm512_reduce_add_epi64(*both).cast_unsigned();
    }
    out.map(|both| (both as u32, (both >> 32) as u32))
}

/// The sums of four registers of eight numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[expect(unsafe_code, reason = "the vector store")]
fn four_wide_sums(sums: [__m512i; 4]) -> [u64; 4] {
    let [a, b, c, d] =
        sums.map(|v| _mm256_add_epi64(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v)));
    let twos = |a, b| _mm256_add_epi64(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let (ab, cd) = (twos(a, b), twos(c, d));
    let halves = [_mm256_permute2x128_si256::<0x20>(ab, cd), _mm256_permute2x128_si256::<0x31>(ab, cd)];
    let mut out = [0; 4];
    // SAFETY: four numbers, no alignment needed.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm256_add_epi64(halves[0], halves[1])) };
    out
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[expect(unsafe_code, reason = "the vector loads")]
fn plane<const W: usize>(bytes: &[u8]) -> __m512i {
    match W {
        8 => {
            let whole: &[u8; 64] = bytes.first_chunk().unwrap_or(&[0; 64]);
            self::bytes(whole)
        }
        4 => {
            let half: &[u8; 32] = bytes.first_chunk().unwrap_or(&[0; 32]);
            // SAFETY: 32 bytes, no alignment needed.
            let half = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
            let both = _mm512_broadcast_i64x4(half);
            let shifted = _mm512_srlv_epi64(both, _mm512_set_epi64(4, 4, 4, 4, 0, 0, 0, 0));
            _mm512_and_si512(shifted, _mm512_set1_epi8(15))
        }
        _ => {
            let quarter: &[u8; 16] = bytes.first_chunk().unwrap_or(&[0; 16]);
            // SAFETY: 16 bytes, no alignment needed.
            let quarter = unsafe { _mm_loadu_si128(quarter.as_ptr().cast()) };
            let all = _mm512_broadcast_i32x4(quarter);
            let shifted = _mm512_srlv_epi64(all, _mm512_set_epi64(6, 6, 4, 4, 2, 2, 0, 0));
            _mm512_and_si512(shifted, _mm512_set1_epi8(3))
        }
    }
}

/// The sums of four registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[expect(unsafe_code, reason = "the vector store")]
fn four_sums([a, b, c, d]: [__m512i; 4]) -> [i32; 4] {
    let fold = |v: __m512i| _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v));
    let ab = _mm256_hadd_epi32(fold(a), fold(b));
    let all = _mm256_hadd_epi32(ab, _mm256_hadd_epi32(fold(c), fold(d)));
    let sums = _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
    let mut out = [0; 4];
    // SAFETY: four numbers, no alignment needed.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn planes_block<const B: usize, const N: usize, const R: usize>(
    query: &[[i8; 64]],
    rows: [&[u8]; R],
) -> [i32; R] {
    use crate::planes::has_plane;
    let row_chunks = rows.map(|row| &row.as_chunks::<N>().0[..query.len()]);
    // One sum a plane, since each has a weight of its own.
    let mut sums = [[_mm512_setzero_si512(); 4]; R];
    for (c, query) in query.iter().enumerate() {
        let q = signed(query);
        for r in 0..R {
            let mut rest = &row_chunks[r][c][..];
            if has_plane(B, 8) {
                sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], plane::<8>(rest), q);
                rest = &rest[64..];
            }
            if has_plane(B, 4) {
                sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], plane::<4>(rest), q);
                rest = &rest[32..];
            }
            if has_plane(B, 2) {
                sums[r][2] = _mm512_dpbusd_epi32(sums[r][2], plane::<2>(rest), q);
                rest = &rest[16..];
            }
            if has_plane(B, 1) {
                let mask = rest.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
                let some = _mm512_maskz_mov_epi8(mask, q);
                sums[r][3] = _mm512_dpbusd_epi32(sums[r][3], _mm512_set1_epi8(1), some);
            }
        }
    }
    let mut out = [0i32; R];
    if B == 1 && R == 4 {
        let four = std::array::from_fn(|r| sums[r][3]);
        out.copy_from_slice(&four_sums(four));
        return out;
    }
    for (out, sums) in out.iter_mut().zip(sums) {
        let mut shift = 0;
        for (sum, width) in sums.into_iter().zip([8, 4, 2, 1]) {
            if has_plane(B, width) {
                *out += _mm512_reduce_add_epi32(sum) << shift;
                shift += width;
            }
        }
    }
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn columns_block<const L2: bool>(point: &[f32], columns: &[f32], out: &mut [f32]) {
    super::scalar::columns_block::<L2>(point, columns, out);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector stores")]
pub(super) fn hadamard(values: &mut [f32]) {
    if values.len() < LANES {
        return super::scalar::hadamard(values);
    }
    let turned = |v: __m512, minus: u16| _mm512_mask_xor_ps(v, minus, v, _mm512_set1_ps(-0.0));
    for chunk in values.as_chunks_mut::<LANES>().0 {
        let mut v = floats(chunk);
        v = _mm512_add_ps(_mm512_permute_ps::<0b10_11_00_01>(v), turned(v, 0xaaaa));
        v = _mm512_add_ps(_mm512_permute_ps::<0b01_00_11_10>(v), turned(v, 0xcccc));
        v = _mm512_add_ps(_mm512_shuffle_f32x4::<0b10_11_00_01>(v, v), turned(v, 0xf0f0));
        v = _mm512_add_ps(_mm512_shuffle_f32x4::<0b01_00_11_10>(v, v), turned(v, 0xff00));
        // SAFETY: 16 floats, no alignment needed.
        unsafe { _mm512_storeu_ps(chunk.as_mut_ptr(), v) };
    }
    let mut half = LANES;
    while half < values.len() {
        super::scalar::butterflies(values, half);
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f32).sqrt();
    values.iter_mut().for_each(|value| *value *= scale);
}
