//! A fixed number of bits in 64-bit words. Invariant: bits past the end are zero.

/// One bit a row: which rows match, which are visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits {
    len: usize,
    words: Vec<u64>,
}

impl Bits {
    /// `len` bits, all zero.
    pub fn zeros(len: usize) -> Self {
        Self { len, words: vec![0; len.div_ceil(64)] }
    }

    /// `len` bits, all one.
    pub fn ones(len: usize) -> Self {
        let mut bits = Self { len, words: vec![u64::MAX; len.div_ceil(64)] };
        bits.clear_tail();
        bits
    }

    /// Bit `i` is `bit(i)`.
    pub fn from_fn(len: usize, mut bit: impl FnMut(usize) -> bool) -> Self {
        let mut bits = Self::zeros(len);
        for (w, word) in bits.words.iter_mut().enumerate() {
            let start = w * 64;
            for i in start..(start + 64).min(len) {
                *word |= u64::from(bit(i)) << (i - start);
            }
        }
        bits
    }

    /// Takes words as they are; bits past `len` are cleared.
    ///
    /// # Panics
    /// When there are not exactly `len.div_ceil(64)` words.
    pub fn from_words(len: usize, words: Vec<u64>) -> Self {
        assert_eq!(words.len(), len.div_ceil(64), "one word for every 64 bits");
        let mut bits = Self { len, words };
        bits.clear_tail();
        bits
    }

    fn clear_tail(&mut self) {
        let used = self.len % 64;
        if used != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }

    /// How many bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bits at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The words, least significant bit first.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Bit `i`.
    ///
    /// # Panics
    /// When `i` lies past the last word.
    #[inline]
    pub fn get(&self, i: usize) -> bool {
        self.words[i / 64] >> (i % 64) & 1 == 1
    }

    /// Makes bit `i` `to`.
    ///
    /// # Panics
    /// When `i >= len()`.
    #[inline]
    pub fn set(&mut self, i: usize, to: bool) {
        assert!(i < self.len, "bit {i} of {}", self.len);
        let mask = 1 << (i % 64);
        if to {
            self.words[i / 64] |= mask;
        } else {
            self.words[i / 64] &= !mask;
        }
    }

    /// Makes bits `start .. end` `to`.
    ///
    /// # Panics
    /// When `end > len()` or `start > end`.
    pub fn set_range(&mut self, start: usize, end: usize, to: bool) {
        assert!(start <= end && end <= self.len, "bits {start}..{end} of {}", self.len);
        let mut i = start;
        while i < end {
            if i.is_multiple_of(64) && end - i >= 64 {
                self.words[i / 64] = if to { u64::MAX } else { 0 };
                i += 64;
            } else {
                self.set(i, to);
                i += 1;
            }
        }
    }

    /// Keeps the bits that are also in `other`.
    ///
    /// # Panics
    /// When the lengths differ; so for the other operations on two.
    pub fn and(&mut self, other: &Self) {
        self.zip(other, |a, b| a & b);
    }

    /// Adds the bits of `other`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn or(&mut self, other: &Self) {
        self.zip(other, |a, b| a | b);
    }

    /// Removes the bits of `other`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn and_not(&mut self, other: &Self) {
        self.zip(other, |a, b| a & !b);
    }

    /// Turns every bit around.
    pub fn not(&mut self) {
        for word in &mut self.words {
            *word = !*word;
        }
        self.clear_tail();
    }

    fn zip(&mut self, other: &Self, op: impl Fn(u64, u64) -> u64) {
        assert_eq!(self.len, other.len, "bits of two different sets of rows");
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a = op(*a, *b);
        }
    }

    /// Whether every bit that is one in `other` is one here.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn contains(&self, other: &Self) -> bool {
        /// Words looked at before it is asked whether that was enough.
        const WORDS: usize = 16;
        assert_eq!(self.len, other.len, "bits of two different sets of rows");
        let missing = |(own, others): (&[u64], &[u64])| {
            own.iter().zip(others).fold(0, |missing, (own, other)| missing | other & !own)
        };
        self.words.chunks(WORDS).zip(other.words.chunks(WORDS)).all(|pair| missing(pair) == 0)
    }

    /// How many bits are one.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether every bit is one.
    pub fn all(&self) -> bool {
        self.count() == self.len
    }

    /// The places of the ones, rising.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(w, &word)| {
            std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)))
                .take_while(|rest| *rest != 0)
                .map(move |rest| w * 64 + rest.trailing_zeros() as usize)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_vector_of_bools_at_every_length() {
        for len in 0..=200 {
            let bit = |i: usize| i.is_multiple_of(3) || i == len - 1;
            let bits = Bits::from_fn(len, bit);
            assert_eq!(bits.iter().collect::<Vec<_>>(), (0..len).filter(|i| bit(*i)).collect::<Vec<_>>());
            let mut not = bits.clone();
            not.not();
            assert_eq!(not.count() + bits.count(), len);
            not.or(&bits);
            assert!(not.all());
            assert_eq!(not, Bits::ones(len));
        }
    }

    #[test]
    fn ranges() {
        for (start, end) in [(0, 0), (0, 64), (3, 130), (64, 192), (199, 200)] {
            let mut bits = Bits::zeros(200);
            bits.set_range(start, end, true);
            assert_eq!(bits.iter().collect::<Vec<_>>(), (start..end).collect::<Vec<_>>());
        }
    }
}
