//! Sixty-four elements an instruction. Pairs of products of four and seven bits fit into sixteen.

use std::arch::x86_64::*;

use super::scalar::{LANES, MAGIC, Scale};
use super::{Bar, Grain, ROWS, SIDE};
use crate::prefetch::prefetch_beyond;

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector load")]
fn load<T: Copy>(bytes: &[T; 32]) -> __m256i {
    const { assert!(size_of::<T>() == 1, "bytes") };
    // SAFETY: 32 bytes, no alignment needed.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector load")]
fn load_half<T: Copy>(bytes: &[T; 16]) -> __m256i {
    const { assert!(size_of::<T>() == 1, "bytes") };
    // SAFETY: 16 bytes, no alignment needed.
    _mm256_zextsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add(sum: __m256i, codes: __m256i, first: __m256i, second: __m256i) -> __m256i {
    let low = _mm256_set1_epi8(15);
    let lower = _mm256_maddubs_epi16(_mm256_and_si256(codes, low), first);
    let upper = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16::<4>(codes), low), second);
    let words = _mm256_add_epi16(lower, upper);
    _mm256_add_epi32(sum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn pair(query: &[i8], row: &[u8]) -> i32 {
    let (first, second) = query.split_at(row.len());
    let (chunks, rest) = row.as_chunks::<32>();
    let mut sum = _mm256_setzero_si256();
    let queries = first.as_chunks::<32>().0.iter().zip(second.as_chunks::<32>().0);
    for (chunk, (first, second)) in chunks.iter().zip(queries) {
        sum = add(sum, load(chunk), load(first), load(second));
    }
    // Planes are whole sixteens.
    let at = row.len() - rest.len();
    if let (Some(rest), Some(first), Some(second)) =
        (rest.first_chunk(), first[at..].first_chunk(), second[at..].first_chunk())
    {
        sum = add(sum, load_half(rest), load_half(first), load_half(second));
    }
    let half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let quarter = _mm_add_epi32(half, _mm_shuffle_epi32::<0b00_00_11_10>(half));
    _mm_cvtsi128_si32(_mm_add_epi32(quarter, _mm_shuffle_epi32::<0b00_00_00_01>(quarter)))
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn stream(query: &[i8], plane: &[u8], out: &mut [i32]) {
    let bytes = query.len() / 2;
    for (rows, out) in plane.chunks(4 * bytes).zip(out.chunks_mut(4)) {
        rows.chunks(512).for_each(|line| prefetch_beyond(&line[0]));
        for (row, out) in rows.chunks_exact(bytes).zip(out) {
            *out = pair(query, row);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn tile(queries: [&[i8]; SIDE], plane: &[u8], out: &mut [i32]) {
    let (bytes, count) = (queries[0].len() / 2, out.len() / SIDE);
    for (r, row) in plane.chunks_exact(bytes).enumerate() {
        for (q, query) in queries.iter().enumerate() {
            out[q * count + r] = pair(query, row);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector load")]
fn eight_floats(values: &[f32; 8]) -> __m256 {
    // SAFETY: 8 floats, no alignment needed.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

/// Up to 8 floats, then zeros; and all ones in the lanes that are taken.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn some_floats(values: &[f32]) -> (__m256, __m256) {
    if let Some(values) = values.first_chunk::<8>() {
        return (eight_floats(values), _mm256_castsi256_ps(_mm256_set1_epi8(-1)));
    }
    let mut all = [0.0; 8];
    all[..values.len()].copy_from_slice(values);
    let places = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    let taken = _mm256_cmpgt_epi32(_mm256_set1_epi32(values.len() as i32), places);
    (eight_floats(&all), _mm256_castsi256_ps(taken))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector store")]
fn ends(row: &[f32]) -> (f32, f32) {
    let Some(first) = row.first() else { return (0.0, 0.0) };
    let (mut least, mut most) = (_mm256_set1_ps(*first), _mm256_set1_ps(*first));
    for values in row.chunks(8) {
        let (values, taken) = some_floats(values);
        let values = _mm256_blendv_ps(_mm256_set1_ps(*first), values, taken);
        least = _mm256_min_ps(least, values);
        most = _mm256_max_ps(most, values);
    }
    let lanes = |v: __m256| {
        let mut lanes = [0f32; 8];
        // SAFETY: 8 floats, no alignment needed.
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), v) };
        lanes.into_iter()
    };
    (lanes(least).fold(*first, f32::min), lanes(most).fold(*first, f32::max))
}

/// Sums of squares and squared errors, coarse, then fine; of eight lanes and of the next eight.
type Sums = [[__m256; 2]; 4];

#[inline]
#[target_feature(enable = "avx2,fma")]
fn round(values: &[f32], half: usize, scale: &Scale, sums: &mut Sums) -> __m256i {
    let (values, taken) = some_floats(values.get(8 * half..).unwrap_or_default());
    let number = |value: f32| _mm256_set1_ps(value);
    let place = _mm256_mul_ps(_mm256_sub_ps(values, number(scale.base)), number(scale.inverse));
    let place = _mm256_min_ps(_mm256_max_ps(place, _mm256_setzero_ps()), number(255.0));
    let rounded = _mm256_and_ps(_mm256_add_ps(place, number(MAGIC)), taken);
    let code = _mm256_and_si256(_mm256_castps_si256(rounded), _mm256_set1_epi32(255));
    for (i, (code, base, step)) in
        [(_mm256_srli_epi32::<4>(code), scale.coarse_base, scale.coarse_step), (code, scale.base, scale.step)]
            .into_iter()
            .enumerate()
    {
        let stands = _mm256_add_ps(number(base), _mm256_mul_ps(number(step), _mm256_cvtepi32_ps(code)));
        let off = _mm256_sub_ps(values, stands);
        for (sum, value) in [(2 * i, stands), (2 * i + 1, off)] {
            let square = _mm256_and_ps(_mm256_mul_ps(value, value), taken);
            sums[sum][half] = _mm256_add_ps(sums[sum][half], square);
        }
    }
    code
}

/// Sixteen codes as bytes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn round_sixteen(values: &[f32], scale: &Scale, sums: &mut Sums) -> __m128i {
    let words = _mm256_packus_epi32(round(values, 0, scale, sums), round(values, 1, scale, sums));
    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
    _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words))
}

#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "the vector stores")]
pub(super) fn put_nibbles(row: &[f32], high: &mut [u8], low: &mut [u8]) -> [Grain; 2] {
    let (least, most) = ends(row);
    let scale = Scale::of(least, most);
    let mut sums = [[_mm256_setzero_ps(); 2]; 4];
    let (first, second) = row.split_at(high.len().min(row.len()));
    let planes = high.as_chunks_mut::<LANES>().0.iter_mut().zip(low.as_chunks_mut::<LANES>().0);
    for (i, (high, low)) in planes.enumerate() {
        let a = round_sixteen(first.get(i * LANES..).unwrap_or_default(), &scale, &mut sums);
        let b = round_sixteen(second.get(i * LANES..).unwrap_or_default(), &scale, &mut sums);
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
    for (lanes, [a, b]) in lanes.iter_mut().zip(sums) {
        // SAFETY: 8 floats each, no alignment needed.
        unsafe {
            _mm256_storeu_ps(lanes.as_mut_ptr(), a);
            _mm256_storeu_ps(lanes.as_mut_ptr().add(8), b);
        }
    }
    scale.grains(lanes.map(crate::kernel::reduce))
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn round_query(query: &[f32], codes: &mut [i8]) -> [f32; 4] {
    super::scalar::round_query(query, codes)
}

#[target_feature(enable = "avx2,fma")]
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
    for (i, sums) in sums.as_chunks::<8>().0.iter().enumerate() {
        // SAFETY: 8 floats, no alignment needed.
        let sums = unsafe { _mm256_loadu_ps(sums.as_ptr()) };
        let mask = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(sums, _mm256_setzero_ps()));
        below |= u64::from(mask as u8) << (8 * i);
    }
    below
}
