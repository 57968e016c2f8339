//! A set of integers that is asked about many values at once. Invariant: a value of the set always passes.

use crate::Level;

/// An odd number near 2^64 over the golden ratio (Fibonacci hashing): the upper bits of a product with it are well mixed.
pub(super) const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// How many bits a value may take for the set to be kept as a list of bits.
const LIST_BITS_PER_VALUE: u64 = 64;
const LIST_BITS_MIN: u64 = 1 << 16;

/// The largest table of hashes: two to this many words. A hash has 32 bits, of which each asked bit takes five.
const HASH_BITS_MAX: u32 = 17;

/// The words of a table that stays in the nearest cache while values stream through it, and for how many values it is taken
/// although twice the words would let fewer pass: a word from the next cache costs more than they do.
const NEAR_WORDS: usize = 1 << 12;
const NEAR_VALUES: usize = 12_000;

/// A set of 64-bit integers: exact when they lie close together, else one that lets few other values pass: up to two in
/// a hundred, more from half a million values on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sieve {
    table: Vec<u32>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A bit a number, from the least on.
    Listed { least: i64 },
    /// Three bits a value, all in the one of `2^bits` words that its hash names (a blocked Bloom filter).
    Hashed { bits: u32 },
}

impl Sieve {
    /// The set of `values`, which rise.
    pub fn new(values: &[i64]) -> Self {
        if let (Some(&least), Some(most)) = (values.first(), values.last()) {
            let span = most.abs_diff(least);
            if span < LIST_BITS_MIN.max(values.len() as u64 * LIST_BITS_PER_VALUE).min(1 << 31) {
                let mut table = vec![0; (span / 32 + 1) as usize];
                for value in values {
                    let bit = value.abs_diff(least) as usize;
                    if let Some(word) = table.get_mut(bit / 32) {
                        *word |= 1 << (bit % 32);
                    }
                }
                return Self { table, kind: Kind::Listed { least } };
            }
        }
        let count = values.len();
        let words = if count <= NEAR_VALUES { (count * 2).min(NEAR_WORDS) } else { count / 2 };
        let bits = words.next_power_of_two().ilog2().clamp(4, HASH_BITS_MAX);
        let mut table = vec![0; 1 << bits];
        for value in values {
            let (place, asked) = hash(*value, bits);
            table[place] |= asked;
        }
        Self { table, kind: Kind::Hashed { bits } }
    }

    /// Whether only values of the set pass.
    pub fn is_exact(&self) -> bool {
        matches!(self.kind, Kind::Listed { .. })
    }

    /// Which values pass; bits and words as in [`between`](super::between).
    ///
    /// # Panics
    /// When `words` are fewer than one for every 64 values.
    pub fn pass(&self, values: &[i64], words: &mut [u64]) {
        self.pass_at(Level::current(), values, words);
    }

    /// [`Sieve::pass`] at a chosen level.
    ///
    /// # Panics
    /// When `words` are fewer than one for every 64 values.
    pub fn pass_at(&self, level: Level, values: &[i64], words: &mut [u64]) {
        let (chunks, rest) = values.as_chunks::<64>();
        assert!(words.len() >= values.len().div_ceil(64), "a word for every 64 values");
        self.pass_words(level, chunks, &mut words[..chunks.len()]);
        if !rest.is_empty() {
            let mut last = [0; 64];
            last[..rest.len()].copy_from_slice(rest);
            let word = &mut words[chunks.len()..=chunks.len()];
            self.pass_words(level, &[last], word);
            word[0] &= (1 << rest.len()) - 1;
        }
    }

    fn pass_words(&self, level: Level, chunks: &[[i64; 64]], words: &mut [u64]) {
        #[cfg(target_arch = "x86_64")]
        if level.tier() == crate::level::Tier::Avx512 {
            match self.kind {
                #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
                // SAFETY: a `Level` above the scalar one comes from detection alone.
                Kind::Listed { least } => unsafe { super::avx512::listed(chunks, &self.table, least, words) },
                #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
                // SAFETY: as above.
                Kind::Hashed { bits } => unsafe { super::avx512::hashed(chunks, &self.table, bits, words) },
            }
            return;
        }
        let _ = level;
        for (chunk, word) in chunks.iter().zip(words) {
            *word =
                chunk.iter().enumerate().fold(0, |word, (i, value)| word | u64::from(self.has(*value)) << i);
        }
    }

    fn has(&self, value: i64) -> bool {
        let (place, asked) = match self.kind {
            Kind::Listed { least } => {
                let bit = value.wrapping_sub(least) as u64;
                let Ok(place) = usize::try_from(bit / 32) else {
                    return false;
                };
                (place, 1 << (bit % 32))
            }
            Kind::Hashed { bits } => hash(value, bits),
        };
        self.table.get(place).is_some_and(|held| held & asked == asked)
    }
}

/// The word that a value belongs to and its bits in it.
#[inline]
fn hash(value: i64, bits: u32) -> (usize, u32) {
    let hash = ((value as u64).wrapping_mul(MIX) >> 32) as u32;
    let asked = 1 << (hash & 31) | 1 << (hash >> 5 & 31) | 1 << (hash >> 10 & 31);
    ((hash >> (32 - bits)) as usize, asked)
}
