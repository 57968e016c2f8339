//! Comparisons of many values with one interval, and with a set. Invariant: bit `i % 64` of word `i / 64` is the answer
//! for value `i`, bits past the last value are zero, and every [`Level`] gives the same.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;
mod sieve;

use crate::Level;
pub use sieve::Sieve;

/// Values that lie in intervals: `i8` to `i64`, `f32`, `f64`.
pub trait Number: Copy + PartialOrd + Default + sealed::Kernels {}

mod sealed {
    use super::Level;

    /// The comparison of whole words.
    pub trait Kernels: Sized {
        fn between_words(level: Level, chunks: &[[Self; 64]], low: Self, high: Self, words: &mut [u64]);
    }
}

macro_rules! numbers {
    ($($number:ty: $name:ident),*) => { $(
        impl Number for $number {}

        impl sealed::Kernels for $number {
            #[inline]
            fn between_words(level: Level, chunks: &[[Self; 64]], low: Self, high: Self, words: &mut [u64]) {
                match level.tier() {
                    #[cfg(target_arch = "x86_64")]
                    #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
                    // SAFETY: a `Level` above the scalar one comes from detection alone.
                    crate::level::Tier::Avx512 => unsafe { avx512::$name(chunks, low, high, words) },
                    #[cfg(target_arch = "x86_64")]
                    #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
                    // SAFETY: as above.
                    crate::level::Tier::Avx2 => unsafe { avx2::$name(chunks, low, high, words) },
                    _ => scalar::between(chunks, low, high, words),
                }
            }
        }
    )* };
}

numbers!(i8: between_i8, i16: between_i16, i32: between_i32, i64: between_i64, f32: between_f32, f64: between_f64);

/// Which values lie between `low` and `high`, both included; NaN lies nowhere.
///
/// # Panics
/// When `words` are fewer than one for every 64 values.
#[inline]
pub fn between<T: Number>(values: &[T], low: T, high: T, words: &mut [u64]) {
    between_at(Level::current(), values, low, high, words);
}

/// [`between`] at a chosen level.
///
/// # Panics
/// When `words` are fewer than one for every 64 values.
#[inline]
pub fn between_at<T: Number>(level: Level, values: &[T], low: T, high: T, words: &mut [u64]) {
    let (chunks, rest) = values.as_chunks::<64>();
    assert!(words.len() >= values.len().div_ceil(64), "a word for every 64 values");
    T::between_words(level, chunks, low, high, &mut words[..chunks.len()]);
    if !rest.is_empty() {
        let mut last = [T::default(); 64];
        last[..rest.len()].copy_from_slice(rest);
        let word = &mut words[chunks.len()..=chunks.len()];
        T::between_words(level, &[last], low, high, word);
        word[0] &= (1 << rest.len()) - 1;
    }
}
