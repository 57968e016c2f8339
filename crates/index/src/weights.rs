//! A sparse query as a table: what it counts an index of a row. Invariant: a product is the one that going through both in
//! order gives, bit for bit.

use crate::vectors::pairs_of;

/// Bits of the largest table.
const BITS_MAX: u32 = 14;
/// Places for each pair, at least; as a power of two.
const ROOM_BITS: u32 = 3;
/// An odd number without a pattern.
const FACTOR: u32 = 0x9E37_79B1;
/// Pairs of a row of which it is asked at once whether they may be the query's.
const STEP: usize = 64;

/// Indices and weights of a query, each found at once by its index.
pub(crate) struct Weights {
    pairs: Vec<(u32, f32)>,
    /// Which pair an index may be; 0 for none. One whose place was taken has the next free one.
    places: Vec<u16>,
    shift: u32,
}

impl Weights {
    /// The table of a query; none if it is too large for one, or names an index twice.
    pub(crate) fn of(query: &[u8]) -> Option<Self> {
        // The first stands for none.
        let pairs: Vec<(u32, f32)> = std::iter::once((0, 0.0)).chain(pairs_of(query)).collect();
        let bits = pairs.len().max(16).next_power_of_two().ilog2() + ROOM_BITS;
        if bits > BITS_MAX {
            return None;
        }
        let mut table = Self { pairs, places: vec![0; 1 << bits], shift: 32 - bits };
        for pair in 1..table.pairs.len() {
            let at = table.find(table.pairs[pair].0);
            if table.places[at] != 0 {
                return None;
            }
            table.places[at] = pair as u16;
        }
        Some(table)
    }

    /// Where to look first.
    #[inline]
    fn at(&self, index: u32) -> usize {
        (index.wrapping_mul(FACTOR) >> self.shift) as usize
    }

    /// The place of `index`, or a free one if the query does not have it.
    #[inline]
    fn find(&self, index: u32) -> usize {
        let mut at = self.at(index);
        loop {
            let place = usize::from(self.places[at]);
            if place == 0 || self.pairs[place].0 == index {
                return at;
            }
            at = (at + 1) % self.places.len();
        }
    }

    /// The sum of products where both have an index, in rising order of indices; `share` is what a row's value counts.
    #[inline]
    pub(crate) fn product(&self, row: &[u8], share: impl Fn(f32) -> f32) -> f32 {
        let mut sum = 0.0;
        for row in row.as_chunks::<8>().0.chunks(STEP) {
            let row = row.as_flattened();
            // Nobody foresees which indices are the query's: they are counted off without asking.
            let (mut near, mut count) = ([0u8; STEP], 0);
            for (i, (index, _)) in pairs_of(row).enumerate() {
                near[count % STEP] = i as u8;
                count += usize::from(self.places[self.at(index)] != 0);
            }
            for i in &near[..count] {
                let Some((index, value)) = pairs_of(&row[usize::from(*i) * 8..]).next() else { continue };
                let place = usize::from(self.places[self.find(index)]);
                if place > 0 {
                    sum += self.pairs[place].1 * share(value);
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(indices: &[u32]) -> Vec<u8> {
        indices
            .iter()
            .flat_map(|index| [index.to_le_bytes(), ((index % 97) as f32).to_le_bytes()].concat())
            .collect()
    }

    /// `count` rising indices, of which some share their first places.
    fn indices(count: usize, step: u32) -> Vec<u32> {
        (0..count as u32).map(|i| i.wrapping_mul(step)).collect()
    }

    #[test]
    fn a_product_is_that_of_what_both_have() {
        for step in [1, 3, 1 << 20, 0x0101_0101] {
            for (query, row) in [(0, 5), (1, 1), (40, 200), (300, 64), (2000, 65)] {
                let mut query: Vec<u32> = indices(query, step);
                query.sort_unstable();
                query.dedup();
                let mut row: Vec<u32> = indices(row, 2 * step);
                row.sort_unstable();
                row.dedup();
                let weights = Weights::of(&bytes(&query)).expect("a table");
                let both = row.iter().filter(|index| query.contains(index));
                let want: f32 = both.map(|index| (index % 97) as f32 * ((index % 97) as f32 + 1.0)).sum();
                assert_eq!(weights.product(&bytes(&row), |value| value + 1.0), want, "{step}");
            }
        }
    }

    #[test]
    fn no_table_of_too_many_or_of_one_twice() {
        assert!(Weights::of(&bytes(&[4, 9, 4])).is_none());
        assert!(Weights::of(&bytes(&indices(3000, 1))).is_none());
    }
}
