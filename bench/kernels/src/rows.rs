//! Rows of noise in every kind of element, and what the machine can do at most.

use numkong::{bf16, f16, i4x2, u1x8};
use std::hint::black_box;
use std::time::Instant;

/// The same number of bytes as each kind of element.
pub(crate) struct Rows {
    pub(crate) dim: usize,
    pub(crate) query: Vec<f32>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) floats: Vec<f32>,
    pub(crate) halves: Vec<u8>,
    pub(crate) f16s: Vec<f16>,
    pub(crate) bf16s: Vec<bf16>,
    pub(crate) signed: Vec<i8>,
    pub(crate) bits: Vec<u1x8>,
    pub(crate) fours: Vec<i4x2>,
}

impl Rows {
    /// Whole rows of `dim` elements in about `bytes` bytes of each kind.
    pub(crate) fn new(bytes: usize, dim: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let bytes = bytes / (4 * dim) * 4 * dim;
        let noise: Vec<u8> = (0..bytes).map(|_| (next() >> 32) as u8).collect();
        // Two-byte floats of either kind between 0.5 and 2, whatever the low bits say.
        let halves: Vec<u8> = noise.chunks_exact(2).flat_map(|two| [two[0], 0x3c | two[1] & 0x83]).collect();
        let words = || halves.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        let float = |byte: &u8| f32::from(*byte) / 64.0 - 2.0;
        Self {
            dim,
            query: noise.iter().rev().take(dim).map(float).collect(),
            floats: noise.iter().take(bytes / 4).map(float).collect(),
            f16s: words().map(f16).collect(),
            bf16s: words().map(bf16).collect(),
            signed: noise.iter().map(|byte| *byte as i8).collect(),
            bits: noise.iter().map(|byte| u1x8(*byte)).collect(),
            fours: noise.iter().map(|byte| i4x2(*byte)).collect(),
            halves,
            bytes: noise,
        }
    }
}

/// Reads all bytes, as fast as a core does.
pub(crate) fn read(bytes: &[u8]) -> u64 {
    const WIDTH: usize = 512;
    let mut lanes = [0u64; WIDTH / 8];
    let (blocks, _) = bytes.as_chunks::<WIDTH>();
    for (at, block) in blocks.iter().enumerate() {
        // Memory foresees a stream to the end of a page only.
        if let Some(ahead) = blocks.get(at + (16 << 10) / WIDTH) {
            simd::prefetch_far(&ahead[..64]);
        }
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane ^= u64::from_ne_bytes(*word);
        }
    }
    lanes.iter().fold(0, |sum, lane| sum ^ lane)
}

/// How many products of floats a core adds up in a second.
pub(crate) fn products_a_second() -> f64 {
    const LANES: usize = 16 * 12;
    const ROUNDS: usize = 200_000;
    let (mut sums, factor) = ([1f32; LANES], black_box(0.999_9f32));
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let at = Instant::now();
        for _ in 0..ROUNDS {
            sums.iter_mut().for_each(|sum| *sum = sum.mul_add(factor, 0.5));
        }
        best = best.min(at.elapsed().as_secs_f64());
        black_box(&sums);
    }
    (LANES * ROUNDS) as f64 / best
}
