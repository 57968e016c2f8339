//! The comparison for AVX2, whose lanes become bits by their signs.

use std::arch::x86_64::*;

/// Defines a load of a whole register.
macro_rules! loads {
    ($($name:ident: $item:ty, $lanes:literal, $vector:ty, $load:ident;)*) => { $(
        #[inline]
        #[target_feature(enable = "avx2")]
        #[expect(unsafe_code, reason = "the vector load")]
        fn $name(lanes: &[$item; $lanes]) -> $vector {
            // SAFETY: the lanes are as many as the register has; the load needs no alignment.
            unsafe { $load(lanes.as_ptr().cast()) }
        }
    )* };
}

loads! {
    load_i8: i8, 32, __m256i, _mm256_loadu_si256;
    load_i16: i16, 16, __m256i, _mm256_loadu_si256;
    load_i32: i32, 8, __m256i, _mm256_loadu_si256;
    load_i64: i64, 4, __m256i, _mm256_loadu_si256;
    load_f32: f32, 8, __m256, _mm256_loadu_ps;
    load_f64: f64, 4, __m256d, _mm256_loadu_pd;
}

/// Defines the comparison of integers: what lies neither below nor above. `$bits` makes one bit of each lane.
macro_rules! between_ints {
    ($name:ident, $item:ty, $lanes:literal, $load:ident, $set:ident, $above:ident, $bits:expr) => {
        #[target_feature(enable = "avx2")]
        pub(super) fn $name(chunks: &[[$item; 64]], low: $item, high: $item, words: &mut [u64]) {
            let (low, high) = ($set(low), $set(high));
            for (chunk, word) in chunks.iter().zip(words) {
                let mut outside = 0;
                for (i, lanes) in chunk.as_chunks::<$lanes>().0.iter().enumerate() {
                    let values = $load(lanes);
                    let lanes = _mm256_or_si256($above(low, values), $above(values, high));
                    outside |= $bits(lanes) << (i * $lanes);
                }
                *word = !outside;
            }
        }
    };
}

between_ints!(between_i8, i8, 32, load_i8, _mm256_set1_epi8, _mm256_cmpgt_epi8, |lanes| u64::from(
    _mm256_movemask_epi8(lanes) as u32
));
between_ints!(between_i32, i32, 8, load_i32, _mm256_set1_epi32, _mm256_cmpgt_epi32, |lanes| u64::from(
    _mm256_movemask_ps(_mm256_castsi256_ps(lanes)) as u32
));
between_ints!(between_i64, i64, 4, load_i64, _mm256_set1_epi64x, _mm256_cmpgt_epi64, |lanes| u64::from(
    _mm256_movemask_pd(_mm256_castsi256_pd(lanes)) as u32
));
// Lanes of 16 bits become bytes first: those of both halves, which then stand 64 bits apart.
between_ints!(between_i16, i16, 16, load_i16, _mm256_set1_epi16, _mm256_cmpgt_epi16, |lanes| {
    let bytes = _mm256_permute4x64_epi64::<0b1000>(_mm256_packs_epi16(lanes, lanes));
    u64::from(_mm256_movemask_epi8(bytes) as u32 & 0xffff)
});

/// Defines the comparison of floats.
macro_rules! between_floats {
    ($name:ident, $item:ty, $lanes:literal, $load:ident, $set:ident, $compare:ident, $and:ident, $bits:ident) => {
        #[target_feature(enable = "avx2")]
        pub(super) fn $name(chunks: &[[$item; 64]], low: $item, high: $item, words: &mut [u64]) {
            let (low, high) = ($set(low), $set(high));
            for (chunk, word) in chunks.iter().zip(words) {
                let mut inside = 0;
                for (i, lanes) in chunk.as_chunks::<$lanes>().0.iter().enumerate() {
                    let values = $load(lanes);
                    let lanes =
                        $and($compare::<_CMP_GE_OQ>(values, low), $compare::<_CMP_LE_OQ>(values, high));
                    inside |= u64::from($bits(lanes) as u32) << (i * $lanes);
                }
                *word = inside;
            }
        }
    };
}

between_floats!(
    between_f32,
    f32,
    8,
    load_f32,
    _mm256_set1_ps,
    _mm256_cmp_ps,
    _mm256_and_ps,
    _mm256_movemask_ps
);
between_floats!(
    between_f64,
    f64,
    4,
    load_f64,
    _mm256_set1_pd,
    _mm256_cmp_pd,
    _mm256_and_pd,
    _mm256_movemask_pd
);
