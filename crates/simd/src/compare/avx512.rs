//! The comparison for AVX-512: a mask register a vector.

use std::arch::x86_64::*;

/// Defines the comparison of one type: its lanes, how a vector is loaded and how its lanes are compared.
macro_rules! between {
    ($name:ident, $item:ty, $lanes:literal, $load:ident, $pointer:ty, $set:ident, $low:expr, $high:expr) => {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq")]
        #[expect(unsafe_code, reason = "the vector load")]
        pub(super) fn $name(chunks: &[[$item; 64]], low: $item, high: $item, words: &mut [u64]) {
            let (low, high) = ($set(low), $set(high));
            for (chunk, word) in chunks.iter().zip(words) {
                let mut bits = 0;
                for (i, lanes) in chunk.as_chunks::<$lanes>().0.iter().enumerate() {
                    // SAFETY: the lanes are as many as the register has; the load needs no alignment.
                    let values = unsafe { $load(lanes.as_ptr().cast::<$pointer>()) };
                    bits |= u64::from($high($low(values, low), values, high)) << (i * $lanes);
                }
                *word = bits;
            }
        }
    };
}

between!(
    between_i8,
    i8,
    64,
    _mm512_loadu_si512,
    __m512i,
    _mm512_set1_epi8,
    _mm512_cmpge_epi8_mask,
    _mm512_mask_cmple_epi8_mask
);
between!(
    between_i16,
    i16,
    32,
    _mm512_loadu_si512,
    __m512i,
    _mm512_set1_epi16,
    _mm512_cmpge_epi16_mask,
    _mm512_mask_cmple_epi16_mask
);
between!(
    between_i32,
    i32,
    16,
    _mm512_loadu_si512,
    __m512i,
    _mm512_set1_epi32,
    _mm512_cmpge_epi32_mask,
    _mm512_mask_cmple_epi32_mask
);
between!(
    between_i64,
    i64,
    8,
    _mm512_loadu_si512,
    __m512i,
    _mm512_set1_epi64,
    _mm512_cmpge_epi64_mask,
    _mm512_mask_cmple_epi64_mask
);
between!(
    between_f32,
    f32,
    16,
    _mm512_loadu_ps,
    f32,
    _mm512_set1_ps,
    _mm512_cmp_ps_mask::<_CMP_GE_OQ>,
    _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>
);
between!(
    between_f64,
    f64,
    8,
    _mm512_loadu_pd,
    f64,
    _mm512_set1_pd,
    _mm512_cmp_pd_mask::<_CMP_GE_OQ>,
    _mm512_mask_cmp_pd_mask::<_CMP_LE_OQ>
);

/// An odd number near 2^64 over the golden ratio: the upper bits of a product with it are well mixed.
const MIX: i64 = super::sieve::MIX as i64;

/// Loads sixteen values as two vectors.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "the vector loads")]
fn sixteen(values: &[i64; 16]) -> (__m512i, __m512i) {
    let (eights, _) = values.as_chunks::<8>();
    // SAFETY: eight values fill the register; the load needs no alignment.
    let a = unsafe { _mm512_loadu_si512(eights[0].as_ptr().cast()) };
    // SAFETY: as above.
    let b = unsafe { _mm512_loadu_si512(eights[1].as_ptr().cast()) };
    (a, b)
}

/// How far ahead of the values that are looked at the memory is asked for more: into the second cache, and from there into
/// the first, which a table needs nearly all of.
const FAR_AHEAD: usize = 4096;
const AHEAD: usize = 256;

/// Asks for what is read soon, since the loads from a table keep the processor from looking ahead far enough by itself.
#[inline]
#[target_feature(enable = "avx512f")]
fn ask_ahead(values: &[i64; 16]) {
    let (far, near) = (values.as_ptr().wrapping_add(FAR_AHEAD), values.as_ptr().wrapping_add(AHEAD));
    _mm_prefetch::<_MM_HINT_T1>(far.cast());
    _mm_prefetch::<_MM_HINT_T1>(far.wrapping_add(8).cast());
    _mm_prefetch::<_MM_HINT_T0>(near.cast());
    _mm_prefetch::<_MM_HINT_T0>(near.wrapping_add(8).cast());
}

/// Four words of `table`, one by one.
///
/// # Safety
/// The four places lie inside of the table.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "loads without checks")]
unsafe fn look_up_four(table: &[u32], places: __m128i) -> __m128i {
    let pairs = [_mm_cvtsi128_si64(places) as u64, _mm_extract_epi64::<1>(places) as u64];
    let word = |place: u64| {
        // SAFETY: the caller has seen to it.
        unsafe { *table.get_unchecked(place as usize) as i32 }
    };
    let [a, b] = pairs;
    let low = u64::from(u32::MAX);
    let words = _mm_cvtsi32_si128(word(a & low));
    let words = _mm_insert_epi32::<1>(words, word(a >> 32));
    let words = _mm_insert_epi32::<2>(words, word(b & low));
    _mm_insert_epi32::<3>(words, word(b >> 32))
}

/// The words of `table` at `places`: single loads, since AMD's gather (Zen 4) takes twice the time of those it stands for.
///
/// # Safety
/// Every place lies inside of the table.
#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "loads without checks")]
unsafe fn look_up(table: &[u32], places: __m512i) -> __m512i {
    // SAFETY: the caller has seen to it.
    let a = unsafe { look_up_four(table, _mm512_castsi512_si128(places)) };
    // SAFETY: as above.
    let b = unsafe { look_up_four(table, _mm512_extracti32x4_epi32::<1>(places)) };
    // SAFETY: as above.
    let c = unsafe { look_up_four(table, _mm512_extracti32x4_epi32::<2>(places)) };
    // SAFETY: as above.
    let d = unsafe { look_up_four(table, _mm512_extracti32x4_epi32::<3>(places)) };
    let low = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(a), b);
    let high = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(c), d);
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}

/// Whether the three bits of each value's hash are set; `table` has `2^bits` words.
#[target_feature(enable = "avx512f,avx512dq")]
#[expect(unsafe_code, reason = "loads without checks")]
pub(super) fn hashed(chunks: &[[i64; 64]], table: &[u32], bits: u32, words: &mut [u64]) {
    assert!(table.len() == 1 << bits && bits <= 17, "a hash names one word of the table");
    let upper = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    let by_word = _mm_cvtsi32_si128(32 - bits as i32);
    let (mix, one) = (_mm512_set1_epi64(MIX), _mm512_set1_epi32(1));
    for (chunk, word) in chunks.iter().zip(words) {
        let mut found = 0;
        for (i, values) in chunk.as_chunks::<16>().0.iter().enumerate() {
            ask_ahead(values);
            let (a, b) = sixteen(values);
            let hash =
                _mm512_permutex2var_epi32(_mm512_mullo_epi64(a, mix), upper, _mm512_mullo_epi64(b, mix));
            // SAFETY: a place has `bits` bits, so it lies inside of the table.
            let held = unsafe { look_up(table, _mm512_srl_epi32(hash, by_word)) };
            // A rotation takes the lowest five bits for its distance.
            let first = _mm512_rorv_epi32(held, hash);
            let second = _mm512_rorv_epi32(held, _mm512_srli_epi32::<5>(hash));
            let third = _mm512_rorv_epi32(held, _mm512_srli_epi32::<10>(hash));
            let all = _mm512_and_si512(_mm512_and_si512(first, second), third);
            found |= u64::from(_mm512_test_epi32_mask(all, one)) << (i * 16);
        }
        *word = found;
    }
}

/// Whether the bit of each value is set; bit 0 of `table` belongs to `least`.
#[target_feature(enable = "avx512f,avx512dq")]
#[expect(unsafe_code, reason = "loads without checks")]
pub(super) fn listed(chunks: &[[i64; 64]], table: &[u32], least: i64, words: &mut [u64]) {
    assert!((1..=1 << 26).contains(&table.len()), "places have 31 bits");
    let (least, one) = (_mm512_set1_epi64(least), _mm512_set1_epi32(1));
    let end = _mm512_set1_epi64((table.len() * 32) as i64);
    let lower = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    for (chunk, word) in chunks.iter().zip(words) {
        let mut found = 0;
        for (i, values) in chunk.as_chunks::<16>().0.iter().enumerate() {
            ask_ahead(values);
            let (a, b) = sixteen(values);
            let (a, b) = (_mm512_sub_epi64(a, least), _mm512_sub_epi64(b, least));
            let inside =
                u16::from(_mm512_cmplt_epu64_mask(a, end)) | u16::from(_mm512_cmplt_epu64_mask(b, end)) << 8;
            let bit = _mm512_permutex2var_epi32(a, lower, b);
            // SAFETY: what is not inside of the table, which is not empty, has place 0.
            let held = unsafe { look_up(table, _mm512_maskz_srli_epi32::<5>(inside, bit)) };
            let turned = _mm512_rorv_epi32(held, bit);
            found |= u64::from(_mm512_mask_test_epi32_mask(inside, turned, one)) << (i * 16);
        }
        *word = found;
    }
}
