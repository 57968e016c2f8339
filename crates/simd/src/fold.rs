//! Short rows of bits that stand for long ones, sixteen side by side. Invariant: integers, so the same at every [`Level`].
//!
//! A row is folded by XOR of its pieces, word upon word. Two folds differ in no more bits than the rows do, so their distance is a
//! bound. Folds of sixteen rows lie together, first the first words of all of them, so that a word of sixteen rows is one register
//! and no sum is over lanes.

use crate::Level;
#[cfg(target_arch = "x86_64")]
use crate::level::Tier;

/// Rows side by side.
pub const FOLD_ROWS: usize = 16;

/// A word of sixteen folds.
type Words = [u32; FOLD_ROWS];
/// How many bits are set in each of sixteen rows.
type Ones = [f32; FOLD_ROWS];

/// Bit `i` says whether the fold of row `i` differs from `query` in at most `base + share * ones[i]` bits, of up to 64 rows. `lanes` has for
/// each word of `query` sixteen words, for each sixteen rows.
///
/// # Panics
/// When there are more rows, their number is no multiple of sixteen, or `lanes` is not of that size.
pub fn near_folds(query: &[u32], lanes: &[u32], ones: &[f32], bar: (f32, f32)) -> u64 {
    near_folds_at(Level::current(), query, lanes, ones, bar)
}

/// [`near_folds`] at a chosen level.
///
/// # Panics
/// As there.
pub fn near_folds_at(level: Level, query: &[u32], lanes: &[u32], ones: &[f32], bar: (f32, f32)) -> u64 {
    let ((lanes, rest), (ones, odd)) = (lanes.as_chunks::<FOLD_ROWS>(), ones.as_chunks::<FOLD_ROWS>());
    assert!(rest.is_empty() && odd.is_empty() && ones.len() <= 4, "up to four times sixteen rows");
    assert_eq!(lanes.len(), query.len() * ones.len(), "all words of all rows");
    match level.tier() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
        // SAFETY: a `Level` above the scalar one comes from detection alone, so the CPU has these instructions.
        Tier::Avx512 => unsafe { avx512(query, lanes, ones, bar) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
        // SAFETY: as above.
        Tier::Avx2 => unsafe { avx2(query, lanes, ones, bar) },
        _ => near(query, lanes, ones, bar),
    }
}

/// The meaning of it.
#[inline(always)]
fn near(query: &[u32], lanes: &[Words], ones: &[Ones], (base, share): (f32, f32)) -> u64 {
    let mut near = 0;
    for (block, ones) in ones.iter().enumerate() {
        let mut sums = [0u32; FOLD_ROWS];
        for (word, lanes) in query.iter().zip(&lanes[block * query.len()..]) {
            sums.iter_mut().zip(lanes).for_each(|(sum, lane)| *sum += (word ^ lane).count_ones());
        }
        for (i, (sum, ones)) in sums.iter().zip(ones).enumerate() {
            near |= u64::from(*sum as f32 <= base + share * ones) << (block * FOLD_ROWS + i);
        }
    }
    near
}

/// The same as vector code, which the compiler makes of it.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn avx2(query: &[u32], lanes: &[Words], ones: &[Ones], bar: (f32, f32)) -> u64 {
    near(query, lanes, ones, bar)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq")]
#[expect(unsafe_code, reason = "the vector loads")]
fn avx512(query: &[u32], lanes: &[Words], ones: &[Ones], (base, share): (f32, f32)) -> u64 {
    use std::arch::x86_64::*;
    let mut near = 0;
    for (block, ones) in ones.iter().enumerate() {
        let mut sums = [_mm512_setzero_si512(); 2];
        let lanes = &lanes[block * query.len()..][..query.len()];
        for (i, (word, lane)) in query.iter().zip(lanes).enumerate() {
            // SAFETY: sixteen words, no alignment needed.
            let lane = unsafe { _mm512_loadu_si512(lane.as_ptr().cast()) };
            let other = _mm512_popcnt_epi32(_mm512_xor_si512(lane, _mm512_set1_epi32(word.cast_signed())));
            sums[i % 2] = _mm512_add_epi32(sums[i % 2], other);
        }
        let sums = _mm512_cvtepi32_ps(_mm512_add_epi32(sums[0], sums[1]));
        // SAFETY: as above.
        let ones = unsafe { _mm512_loadu_ps(ones.as_ptr()) };
        // Rounded as everywhere: no fused operations.
        let most = _mm512_add_ps(_mm512_set1_ps(base), _mm512_mul_ps(_mm512_set1_ps(share), ones));
        near |= u64::from(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(sums, most)) << (block * FOLD_ROWS);
    }
    near
}
