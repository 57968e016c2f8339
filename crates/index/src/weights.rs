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
    /// Which pair an index must be, if it is one of the query's.
    places: Vec<u16>,
    factor: u32,
    shift: u32,
}

impl Weights {
    /// The table of a query; none if it is too large for one, or names an index twice.
    pub(crate) fn of(query: &[u8]) -> Option<Self> {
        let pairs: Vec<(u32, f32)> = pairs_of(query).collect();
        let least = pairs.len().max(16).next_power_of_two().ilog2() + 3;
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
        pairs.iter().enumerate().all(|(i, (index, _))| {
            let at = self.at(*index);
            let is_free = self.places[at] == 0;
            // One more than the number of the pair, for 0 is a free place while the table is filled.
            self.places[at] = i as u16 + 1;
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
            let place = usize::from(self.places[self.at(index)]);
            if let Some((own, weight)) = self.pairs.get(place.wrapping_sub(1))
                && *own == index
            {
                sum += weight * share(value);
            }
        }
        sum
    }
}
