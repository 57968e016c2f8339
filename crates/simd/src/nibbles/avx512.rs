//! A hundred and twenty-eight elements an instruction, by VNNI.

use std::arch::x86_64::*;

use super::scalar::{LANES, MAGIC, Scale};
use super::{Bar, Grain, ROWS, SIDE};
use crate::prefetch::prefetch_beyond;

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector load")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes, no alignment needed.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector load")]
fn load_signed(bytes: &[i8; 64]) -> __m512i {
    // SAFETY: 64 bytes, no alignment needed.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// Fewer than 64 bytes, then zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector load")]
fn load_rest<T: Copy>(bytes: &[T]) -> __m512i {
    const { assert!(size_of::<T>() == 1, "bytes") };
    debug_assert!(bytes.len() < 64);
    let mask = (1u64 << bytes.len()) - 1;
    // SAFETY: the mask keeps the load inside the slice; what is outside is not touched.
    unsafe { _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().cast()) }
}

/// The lower and the upper halves of bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn halves(codes: __m512i) -> [__m512i; 2] {
    let low = _mm512_set1_epi8(15);
    [_mm512_and_si512(codes, low), _mm512_and_si512(_mm512_srli_epi16::<4>(codes), low)]
}

/// The sums of four registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn four_sums([a, b, c, d]: [__m512i; 4]) -> __m128i {
    let fold = |v: __m512i| _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v));
    let ab = _mm256_hadd_epi32(fold(a), fold(b));
    let all = _mm256_hadd_epi32(ab, _mm256_hadd_epi32(fold(c), fold(d)));
    _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all))
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "the vector store")]
pub(super) fn stream(query: &[i8], plane: &[u8], out: &mut [i32]) {
    let bytes = query.len() / 2;
    let (fours, ones) = out.as_chunks_mut::<4>();
    let (four_rows, one_rows) = plane.split_at(fours.len() * 4 * bytes);
    for (rows, out) in four_rows.chunks_exact(4 * bytes).zip(fours) {
        rows.chunks(512).for_each(|line| prefetch_beyond(&line[0]));
        let mut sums = [_mm512_setzero_si512(); 4];
        // One row after the other, as they lie in memory.
        for (row, sum) in rows.chunks_exact(bytes).zip(&mut sums) {
            *sum = products(query, row);
        }
        // SAFETY: four numbers, no alignment needed.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), four_sums(sums)) };
    }
    for (row, out) in one_rows.chunks_exact(bytes).zip(ones) {
        *out = _mm512_reduce_add_epi32(products(query, row));
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn products(query: &[i8], row: &[u8]) -> __m512i {
    let (first, second) = query.split_at(row.len());
    let (chunks, rest) = row.as_chunks::<64>();
    let mut sums = [_mm512_setzero_si512(); 2];
    let queries = first.as_chunks::<64>().0.iter().zip(second.as_chunks::<64>().0);
    for (chunk, (first, second)) in chunks.iter().zip(queries) {
        let [lower, upper] = halves(load(chunk));
        sums[0] = _mm512_dpbusd_epi32(sums[0], lower, load_signed(first));
        sums[1] = _mm512_dpbusd_epi32(sums[1], upper, load_signed(second));
    }
    if !rest.is_empty() {
        let at = row.len() - rest.len();
        let [lower, upper] = halves(load_rest(rest));
        sums[0] = _mm512_dpbusd_epi32(sums[0], lower, load_rest(&first[at..]));
        sums[1] = _mm512_dpbusd_epi32(sums[1], upper, load_rest(&second[at..]));
    }
    _mm512_add_epi32(sums[0], sums[1])
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "the vector store")]
pub(super) fn tile(queries: [&[i8]; SIDE], plane: &[u8], out: &mut [i32]) {
    let (bytes, count) = (queries[0].len() / 2, out.len() / SIDE);
    let whole = count / 4 * 4;
    for r in (0..whole).step_by(4) {
        let rows: [&[u8]; 4] = std::array::from_fn(|i| &plane[(r + i) * bytes..][..bytes]);
        let sums = block(queries, rows);
        for (q, sums) in sums.into_iter().enumerate() {
            let out: &mut [i32] = &mut out[q * count + r..][..4];
            // SAFETY: four numbers, no alignment needed.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), four_sums(sums)) };
        }
    }
    for r in whole..count {
        for (q, query) in queries.iter().enumerate() {
            out[q * count + r] = _mm512_reduce_add_epi32(products(query, &plane[r * bytes..][..bytes]));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn block(queries: [&[i8]; SIDE], rows: [&[u8]; 4]) -> [[__m512i; 4]; SIDE] {
    let bytes = rows[0].len();
    let mut sums = [[_mm512_setzero_si512(); 4]; SIDE];
    let firsts = queries.map(|query| &query[..bytes].as_chunks::<64>().0[..bytes / 64]);
    let seconds = queries.map(|query| &query[bytes..].as_chunks::<64>().0[..bytes / 64]);
    let chunks = rows.map(|row| &row.as_chunks::<64>().0[..bytes / 64]);
    for c in 0..bytes / 64 {
        let codes = [0, 1, 2, 3].map(|r| halves(load(&chunks[r][c])));
        for q in 0..SIDE {
            let (first, second) = (load_signed(&firsts[q][c]), load_signed(&seconds[q][c]));
            for r in 0..4 {
                sums[q][r] = _mm512_dpbusd_epi32(sums[q][r], codes[r][0], first);
                sums[q][r] = _mm512_dpbusd_epi32(sums[q][r], codes[r][1], second);
            }
        }
    }
    let at = bytes / 64 * 64;
    if at < bytes {
        let codes = rows.map(|row| halves(load_rest(&row[at..])));
        for q in 0..SIDE {
            let (first, second) = (load_rest(&queries[q][at..bytes]), load_rest(&queries[q][bytes + at..]));
            for r in 0..4 {
                sums[q][r] = _mm512_dpbusd_epi32(sums[q][r], codes[r][0], first);
                sums[q][r] = _mm512_dpbusd_epi32(sums[q][r], codes[r][1], second);
            }
        }
    }
    sums
}

/// Up to 16 floats, then zeros; and which of the lanes are taken.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector load")]
fn some_floats(values: &[f32]) -> (__m512, u16) {
    let count = values.len().min(LANES);
    let mask = ((1u32 << count) - 1) as u16;
    // SAFETY: the mask keeps the load inside the slice; what is outside is not touched.
    (unsafe { _mm512_maskz_loadu_ps(mask, values.as_ptr()) }, mask)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn ends(row: &[f32]) -> (f32, f32) {
    let Some(first) = row.first() else { return (0.0, 0.0) };
    let (mut least, mut most) = (_mm512_set1_ps(*first), _mm512_set1_ps(*first));
    for values in row.chunks(LANES) {
        let (values, mask) = some_floats(values);
        least = _mm512_mask_min_ps(least, mask, least, values);
        most = _mm512_mask_max_ps(most, mask, most, values);
    }
    (_mm512_reduce_min_ps(least), _mm512_reduce_max_ps(most))
}

/// Sums of squares and squared errors: coarse, then fine.
type Sums = [__m512; 4];

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn round(values: &[f32], scale: &Scale, sums: &mut Sums) -> __m128i {
    let (values, mask) = some_floats(values);
    let number = |value: f32| _mm512_set1_ps(value);
    let place = _mm512_mul_ps(_mm512_sub_ps(values, number(scale.base)), number(scale.inverse));
    let place = _mm512_min_ps(_mm512_max_ps(place, _mm512_setzero_ps()), number(255.0));
    let rounded = _mm512_castps_si512(_mm512_add_ps(place, number(MAGIC)));
    let code = _mm512_maskz_and_epi32(mask, rounded, _mm512_set1_epi32(255));
    for (i, (code, base, step)) in
        [(_mm512_srli_epi32::<4>(code), scale.coarse_base, scale.coarse_step), (code, scale.base, scale.step)]
            .into_iter()
            .enumerate()
    {
        let stands = _mm512_add_ps(number(base), _mm512_mul_ps(number(step), _mm512_cvtepi32_ps(code)));
        let off = _mm512_sub_ps(values, stands);
        sums[2 * i] = _mm512_add_ps(sums[2 * i], _mm512_maskz_mul_ps(mask, stands, stands));
        sums[2 * i + 1] = _mm512_add_ps(sums[2 * i + 1], _mm512_maskz_mul_ps(mask, off, off));
    }
    _mm512_cvtepi32_epi8(code)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector stores")]
pub(super) fn put_nibbles(row: &[f32], high: &mut [u8], low: &mut [u8]) -> [Grain; 2] {
    let (least, most) = ends(row);
    let scale = Scale::of(least, most);
    let mut sums = [_mm512_setzero_ps(); 4];
    let (first, second) = row.split_at(high.len().min(row.len()));
    let planes = high.as_chunks_mut::<LANES>().0.iter_mut().zip(low.as_chunks_mut::<LANES>().0);
    for (i, (high, low)) in planes.enumerate() {
        let a = round(first.get(i * LANES..).unwrap_or_default(), &scale, &mut sums);
        let b = round(second.get(i * LANES..).unwrap_or_default(), &scale, &mut sums);
        let nibble = _mm_set1_epi8(15);
        let upper = _mm_or_si128(_mm_and_si128(_mm_srli_epi16::<4>(a), nibble), _mm_andnot_si128(nibble, b));
        let lower = _mm_slli_epi16::<4>(_mm_and_si128(b, nibble));
        let lower = _mm_or_si128(_mm_and_si128(a, nibble), lower);
        // SAFETY: 16 bytes each, no alignment needed.
        unsafe {
            _mm_storeu_si128(high.as_mut_ptr().cast(), upper);
            _mm_storeu_si128(low.as_mut_ptr().cast(), lower);
        }
    }
    let mut lanes = [[0f32; LANES]; 4];
    for (lanes, sum) in lanes.iter_mut().zip(sums) {
        // SAFETY: 16 floats, no alignment needed.
        unsafe { _mm512_storeu_ps(lanes.as_mut_ptr(), sum) };
    }
    scale.grains(lanes.map(crate::kernel::reduce))
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn round_query(query: &[f32], codes: &mut [i8]) -> [f32; 4] {
    super::scalar::round_query(query, codes)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[expect(unsafe_code, reason = "the vector load")]
pub(super) fn open(
    query: (f32, f32),
    dots: &[i32],
    columns: [&[f32]; 5],
    bar: &Bar,
    sums: &mut [f32; ROWS],
) -> u64 {
    super::scalar::levels(query, dots, columns, bar, sums);
    let mut below = 0;
    for (i, sums) in sums.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: 16 floats, no alignment needed.
        let sums = unsafe { _mm512_loadu_ps(sums.as_ptr()) };
        below |= u64::from(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(sums, _mm512_setzero_ps())) << (16 * i);
    }
    below
}
