//! Rows of noise in every kind of element, and what the machine can do at most.

use numkong::{bf16, f16, i4x2, u1x8};
use std::hint::black_box;
use std::ops::Deref;
use std::time::Instant;

/// Bytes of a line of the cache, at which rows begin as in files.
const LINE: usize = 64;

/// Items that begin with a line of the cache.
pub(crate) struct Aligned<T> {
    room: Vec<T>,
    start: usize,
}

impl<T: Copy> Aligned<T> {
    /// Takes `count` items.
    fn new(count: usize, items: impl Iterator<Item = T>, zero: T) -> Self {
        let mut room: Vec<T> = Vec::with_capacity(count + LINE);
        let start = room.as_ptr().align_offset(LINE);
        room.resize(start, zero);
        room.extend(items.take(count));
        Self { room, start }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.room[self.start..]
    }
}

/// The same number of bytes as each kind of element.
pub(crate) struct Rows {
    pub(crate) dim: usize,
    pub(crate) query: Aligned<f32>,
    pub(crate) bytes: Aligned<u8>,
    pub(crate) floats: Aligned<f32>,
    pub(crate) halves: Aligned<u8>,
    pub(crate) f16s: Aligned<f16>,
    pub(crate) bf16s: Aligned<bf16>,
    pub(crate) signed: Aligned<i8>,
    pub(crate) bits: Aligned<u1x8>,
    pub(crate) fours: Aligned<i4x2>,
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
        let count = bytes / (4 * dim) * 4 * dim;
        let bytes = Aligned::new(count, std::iter::repeat_with(|| (next() >> 32) as u8), 0);
        // Two-byte floats of either kind between 0.5 and 2, whatever the low bits say.
        let half = |two: &[u8]| [two[0], 0x3c | two[1] & 0x83];
        let halves = Aligned::new(count, bytes.chunks_exact(2).flat_map(half), 0);
        let words = || halves.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
        let float = |byte: &u8| f32::from(*byte) / 64.0 - 2.0;
        Self {
            dim,
            query: Aligned::new(dim, bytes.iter().rev().map(float), 0.0),
            floats: Aligned::new(count / 4, bytes.iter().map(float), 0.0),
            f16s: Aligned::new(count / 2, words().map(f16), f16(0)),
            bf16s: Aligned::new(count / 2, words().map(bf16), bf16(0)),
            signed: Aligned::new(count, bytes.iter().map(|byte| *byte as i8), 0),
            bits: Aligned::new(count, bytes.iter().map(|byte| u1x8(*byte)), u1x8(0)),
            fours: Aligned::new(count, bytes.iter().map(|byte| i4x2(*byte)), i4x2(0)),
            halves,
            bytes,
        }
    }

    /// Whether they lie in memory rather than in the second cache.
    pub(crate) fn is_far(&self) -> bool {
        self.bytes.len() > 1 << 20
    }
}

/// Reads all bytes, as fast as a core does.
pub(crate) fn read(bytes: &[u8]) -> u64 {
    let mut lanes = [0u64; 32];
    let (spans, _) = bytes.as_chunks::<512>();
    for (at, span) in spans.iter().enumerate() {
        // Memory foresees a stream to the end of a page only.
        if let Some(ahead) = spans.get(at + (16 << 10) / 512) {
            simd::prefetch_far(&ahead[..64]);
        }
        for block in span.as_chunks::<256>().0 {
            for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
                *lane ^= u64::from_ne_bytes(*word);
            }
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
