//! The marks for AVX2: 64 bytes are two registers.

use super::Marks;
use std::arch::x86_64::*;

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn search(text: &[u8], at: usize, keys: &[&[u8]], found: &mut [Option<usize>]) -> bool {
    super::search(text, at, keys, found, |chunk| marks(chunk), |chunk, byte| equal(load(chunk), byte))
}

#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "the vector loads")]
fn load(chunk: &[u8; 64]) -> [__m256i; 2] {
    let (halves, _) = chunk.as_chunks::<32>();
    // SAFETY: half a chunk is as long as the register; the load needs no alignment.
    let low = unsafe { _mm256_loadu_si256(halves[0].as_ptr().cast()) };
    // SAFETY: as above.
    let high = unsafe { _mm256_loadu_si256(halves[1].as_ptr().cast()) };
    [low, high]
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(bytes: [__m256i; 2], byte: u8) -> u64 {
    let byte = _mm256_set1_epi8(byte as i8);
    let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes[0], byte)) as u32;
    let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes[1], byte)) as u32;
    u64::from(low) | u64::from(high) << 32
}

#[inline]
#[target_feature(enable = "avx2")]
fn marks(chunk: &[u8; 64]) -> Marks {
    let bytes = load(chunk);
    // Brackets and braces differ in one bit, which no other byte shares with them.
    let fold = _mm256_set1_epi8(0x20);
    let folded = [_mm256_or_si256(bytes[0], fold), _mm256_or_si256(bytes[1], fold)];
    Marks {
        quotes: equal(bytes, b'"'),
        slashes: equal(bytes, b'\\'),
        opening: equal(folded, b'{'),
        closing: equal(folded, b'}'),
    }
}
