//! Which rows of a segment count. Invariant: `count` is the number of ones in `bits`, or `rows` where there are none.

use simd::Bits;
use std::sync::Arc;

/// Rows of one segment chosen by visibility and a filter. "All of the first `rows()` rows" needs no bitmap.
///
/// A mask may be shorter than its segment: rows past its end are newer than the reader and do not count.
#[derive(Debug, Clone)]
pub struct Mask {
    rows: usize,
    count: usize,
    bits: Option<Arc<Bits>>,
}

impl Mask {
    /// Every one of the first `rows` rows.
    pub fn all(rows: usize) -> Self {
        Self { rows, count: rows, bits: None }
    }

    /// The rows whose bits are one.
    pub fn from_bits(bits: Bits) -> Self {
        let count = bits.count();
        Self::counted(Arc::new(bits), count)
    }

    /// Those of `rows`, in any order, that are less than `len`; a mask of `len` rows.
    pub(crate) fn of_rows(len: usize, rows: &[u32]) -> Self {
        let mut bits = Bits::zeros(len);
        for row in rows.iter().map(|row| *row as usize).filter(|row| *row < len) {
            bits.set(row, true);
        }
        Self::from_bits(bits)
    }

    /// The rows whose bits are one, of which there are `count`.
    pub(crate) fn counted(bits: Arc<Bits>, count: usize) -> Self {
        debug_assert_eq!(bits.count(), count, "the count of a mask is the number of its ones");
        let rows = bits.len();
        Self { rows, count, bits: (count < rows).then_some(bits) }
    }

    /// How many rows it speaks about: rows `0 .. rows()`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many rows count.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether every row counts; then there is no bitmap.
    pub fn is_all(&self) -> bool {
        self.bits.is_none()
    }

    /// The bitmap, `rows()` bits; `None` when every row counts.
    pub fn bits(&self) -> Option<&Bits> {
        self.bits.as_deref()
    }

    /// Whether row `row` counts.
    pub fn get(&self, row: usize) -> bool {
        row < self.rows && self.bits.as_ref().is_none_or(|bits| bits.get(row))
    }

    /// The rows that count, rising.
    pub fn iter(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match &self.bits {
            Some(bits) => Box::new(bits.iter().map(|row| row as u32)),
            None => Box::new(0..self.rows as u32),
        }
    }

    /// Keeps the rows that are also in `bits`.
    ///
    /// # Panics
    /// When `bits` has not exactly `rows()` bits.
    pub fn and(self, mut bits: Bits) -> Self {
        match &self.bits {
            Some(own) => bits.and(own),
            None => assert_eq!(bits.len(), self.rows, "bits of another set of rows"),
        }
        Self::from_bits(bits)
    }
}

/// Bits put one after the other.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    len: usize,
    words: Vec<u64>,
}

impl Joined {
    /// Adds all of `bits` after what there is.
    pub(crate) fn push(&mut self, bits: &Bits) {
        let shift = self.len % 64;
        if shift == 0 {
            self.words.extend_from_slice(bits.words());
        } else {
            for &word in bits.words() {
                if let Some(last) = self.words.last_mut() {
                    *last |= word << shift;
                }
                self.words.push(word >> (64 - shift));
            }
        }
        self.len += bits.len();
        self.words.truncate(self.len.div_ceil(64));
    }

    /// The first `len` bits.
    pub(crate) fn cut(mut self, len: usize) -> Bits {
        self.words.resize(len.div_ceil(64), 0);
        Bits::from_words(len, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_bits_are_the_bits_in_a_row() {
        let pieces = [1, 63, 64, 65, 0, 200, 7];
        let mut joined = Joined::default();
        let mut want = Vec::new();
        for (p, len) in pieces.into_iter().enumerate() {
            let bits = Bits::from_fn(len, |i| (i * 7 + p) % 3 == 0);
            want.extend((0..len).map(|i| bits.get(i)));
            joined.push(&bits);
        }
        let got = joined.cut(390);
        assert_eq!((0..390).map(|i| got.get(i)).collect::<Vec<_>>(), want[..390]);
    }

    #[test]
    fn a_mask_of_all_ones_is_all() {
        assert!(Mask::from_bits(Bits::ones(70)).is_all());
        let mask = Mask::all(70).and(Bits::from_fn(70, |i| i > 67));
        assert_eq!((mask.count(), mask.iter().collect::<Vec<_>>()), (2, vec![68, 69]));
        assert!(!mask.get(70));
    }
}
