//! The marks for AVX-512: 64 bytes are one register.

use super::Marks;
use std::arch::x86_64::*;

#[target_feature(enable = "avx512f,avx512bw,popcnt")]
pub(super) fn search(text: &[u8], at: usize, keys: &[&[u8]], found: &mut [Option<usize>]) -> bool {
    super::search(text, at, keys, found, |chunk| marks(chunk), |chunk, byte| equal(load(chunk), byte))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
#[expect(unsafe_code, reason = "the vector load")]
fn load(chunk: &[u8; 64]) -> __m512i {
    // SAFETY: the chunk is as long as the register; the load needs no alignment.
    unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn equal(bytes: __m512i, byte: u8) -> u64 {
    _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn marks(chunk: &[u8; 64]) -> Marks {
    let bytes = load(chunk);
    // Brackets and braces differ in one bit, which no other byte shares with them.
    let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
    Marks {
        quotes: equal(bytes, b'"'),
        slashes: equal(bytes, b'\\'),
        opening: equal(folded, b'{'),
        closing: equal(folded, b'}'),
    }
}
