//! Arithmetic on slices at the speed of this CPU.
//!
//! The only home of vector instructions and of the `unsafe` they need. What a caller sees is safe and gives the same
//! results, bit for bit, at every instruction-set [`Level`]: integer kernels because they are exact, f32 kernels
//! because every level adds in the same order with the same fused operations. The levels are plain Rust, AVX2 and AVX-512, and
//! NEON, whose kernels `cargo xtask arm` tests under an emulator. So an index built on one machine is the
//! index built on another, and a test on a laptop says something about a server.
//!
//! [`Op`] has the f32 distances, [`Half`] those of rows of two-byte floats, [`Op::signed_pair`] and its like those of
//! signed bytes, [`Planes`] those of packed codes of a few bits, [`FanQuery`] those of sixteen
//! rows of single bits at once, [`Lookups`] sums of tables in blocks of rows, [`NibbleQuery`] products with bytes in two planes of four bits, [`dot`] and friends sums over bytes and bits, [`Tiles`] those of many rows and queries, [`near_folds`] bounds of distances of rows of bits; [`between`] and
//! [`Sieve`] compare a slice with an interval or a set, one bit a value; [`peaks`] are the largest of interleaved groups; [`find_keys`] finds keys in JSON texts; [`Bits`] is a
//! set of row numbers.

mod bits;
mod bytes;
mod columns;
mod compare;
mod fan;
mod float;
mod fold;
mod hadamard;
mod half;
mod kernel;
mod keys;
mod level;
mod nibbles;
mod packed;
mod peaks;
mod planes;
mod prefetch;
mod signed;
mod tiles;

pub use bits::Bits;
pub use bytes::{
    and_or, and_or_at, and_or_rows, and_or_rows_at, dot, dots, dots_at, hamming, hamming_at, hamming_rows,
    hamming_rows_at,
};
pub use compare::{Number, Sieve, between, between_at};
pub use fan::{FAN, FanQuery, Signs, fan_bytes, put_factors, put_signs, wide_fan_bytes};
pub use float::{Op, all_finite};
pub use fold::{FOLD_ROWS, near_folds, near_folds_at};
pub use hadamard::{hadamard, hadamard_at};
pub use half::Half;
pub use keys::{find_keys, find_keys_at};
pub use level::Level;
pub use nibbles::{
    Bar, Columns, Grain, NibbleQuery, fine_of, nibble_bytes, nibble_dots, nibble_dots_at, put_nibbles,
    put_nibbles_at,
};
pub use packed::Lookups;
pub use peaks::{peaks, peaks_at};
pub use planes::Planes;
pub use prefetch::{prefetch, prefetch_far};
pub use tiles::{TILE_QUERIES, TILE_ROWS, Tiles};
