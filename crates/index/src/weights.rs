//! A sparse query as a table: what it counts an index of a row. Invariant: a product is the one that going through both in
//! order gives, bit for bit.

use crate::vectors::pairs_of;

/// Bits of the largest table.
const BITS_MAX: u32 = 14;
/// Multipliers that are tried for each size of the table, odd and otherwise of no meaning.
const FACTORS: [u32; 4] = [0x9E37_79B1, 0x85EB_CA6B, 0xC2B2_AE35, 0x27D4_EB2F];

/// Indices and weights of a query, each found at once by its index.
pub(crate) struct Weights {
    pairs: Vec<(u32, f32)>,
    /// Which pair an index must be, if it is one of the query's; 0 for none.
    places: Vec<u16>,
    factor: u32,
    shift: u32,
}

impl Weights {
    /// The table of a query; none if it is too large for one, or names an index twice.
    pub(crate) fn of(query: &[u8]) -> Option<Self> {
        // The first stands for none.
        let pairs: Vec<(u32, f32)> = std::iter::once((0, 0.0)).chain(pairs_of(query)).collect();
        let least = (pairs.len() - 1).max(16).next_power_of_two().ilog2() + 3;
        for bits in least..=BITS_MAX {
            for factor in FACTORS {
                let mut table =
                    Self { pairs: Vec::new(), places: vec![0; 1 << bits], factor, shift: 32 - bits };
                if table.fill(&pairs) {
                    return Some(Self { pairs, ..table });
                }
            }
        }
        None
    }

    /// Whether every pair has a place of its own.
    fn fill(&mut self, pairs: &[(u32, f32)]) -> bool {
        pairs.iter().enumerate().skip(1).all(|(i, (index, _))| {
            let at = self.at(*index);
            let is_free = self.places[at] == 0;
            self.places[at] = i as u16;
            is_free
        })
    }

    #[inline]
    fn at(&self, index: u32) -> usize {
        (index.wrapping_mul(self.factor) >> self.shift) as usize
    }

    /// The sum of products where both have an index, in rising order of indices; `share` is what a row's value counts.
    #[inline]
    pub(crate) fn product(&self, row: &[u8], share: impl Fn(f32) -> f32) -> f32 {
        let mut sum = 0.0;
        for (index, value) in pairs_of(row) {
            // Nobody foresees which indices are the query's: adding nothing costs less than asking.
            let place = usize::from(self.places[self.at(index)]);
            let (own, weight) = self.pairs[place];
            let part = weight * share(value);
            sum += if place > 0 && own == index { part } else { 0.0 };
        }
        sum
    }
}
