//! Sets of constants for `in`: answers in a few loads whether a value is among a hundred thousand. Invariant: values are
//! sorted and distinct, and a list made to collide costs no more than a binary search.

use crate::limits::PROBES_MAX;
use crate::number::Num;
use simd::Sieve;

/// Whole numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IntSet {
    sorted: Vec<i64>,
    lookup: Lookup,
    /// Asked first, about many numbers at once.
    sieve: Sieve,
    /// Asked next: two to some power of words, and three bits for each number of the set in the one that its hash names.
    finer: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq)]
enum Lookup {
    /// By halving.
    Sorted,
    /// Open addressing. `i64::MIN` marks an empty slot; whether it is in the set itself, `sorted` knows.
    Hash { slots: Vec<i64> },
}

impl IntSet {
    pub(crate) fn new(mut values: Vec<i64>) -> Self {
        values.sort_unstable();
        values.dedup();
        let lookup = Self::hash(&values).unwrap_or(Lookup::Sorted);
        let sieve = Sieve::new(&values);
        let mut finer = vec![0; if sieve.is_exact() { 0 } else { values.len().next_power_of_two() }];
        for value in &values {
            let (place, asked) = finer_bits(*value, finer.len());
            if let Some(word) = finer.get_mut(place) {
                *word |= asked;
            }
        }
        Self { sorted: values, lookup, sieve, finer }
    }

    fn hash(sorted: &[i64]) -> Option<Lookup> {
        let mut slots = vec![i64::MIN; (sorted.len() * 2).next_power_of_two()];
        let mask = slots.len() - 1;
        for &value in sorted.iter().filter(|value| **value != i64::MIN) {
            let start = mix(value as u64) as usize;
            let free = (0..PROBES_MAX).map(|i| (start + i) & mask).find(|slot| slots[*slot] == i64::MIN)?;
            slots[free] = value;
        }
        Some(Lookup::Hash { slots })
    }

    /// What lets every number of the set pass and few others.
    pub(crate) fn sieve(&self) -> &Sieve {
        &self.sieve
    }

    /// False for nearly all values that are not of the set but passed the [`Self::sieve`], and without a branch: a search
    /// for one of them ends where no processor can foresee it.
    #[inline]
    pub(crate) fn may_contain(&self, value: i64) -> bool {
        let (place, asked) = finer_bits(value, self.finer.len());
        self.finer.get(place).is_none_or(|word| word & asked == asked)
    }

    #[inline]
    pub(crate) fn contains(&self, value: i64) -> bool {
        match &self.lookup {
            Lookup::Hash { slots } if value != i64::MIN => {
                let mask = slots.len() - 1;
                let mut slot = mix(value as u64) as usize & mask;
                loop {
                    let found = slots[slot];
                    if found == value {
                        return true;
                    }
                    if found == i64::MIN {
                        return false;
                    }
                    slot = (slot + 1) & mask;
                }
            }
            Lookup::Hash { .. } => self.sorted.first() == Some(&i64::MIN),
            Lookup::Sorted => self.sorted.binary_search(&value).is_ok(),
        }
    }

    /// The numbers, rising.
    pub(crate) fn values(&self) -> &[i64] {
        &self.sorted
    }
}

/// Spreads the bits of a key over all bits (the finalizer of MurmurHash3).
#[inline]
fn mix(key: u64) -> u64 {
    let mut key = key;
    key = (key ^ key >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    key = (key ^ key >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    key ^ key >> 33
}

/// The word, of so many, that a number belongs to and its bits in it.
#[inline]
fn finer_bits(value: i64, words: usize) -> (usize, u32) {
    let hash = mix(value as u64);
    let asked = 1 << (hash >> 49 & 31) | 1 << (hash >> 54 & 31) | 1 << (hash >> 59 & 31);
    (hash as usize & words.wrapping_sub(1), asked)
}

/// Texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextSet {
    sorted: Vec<String>,
    /// Positions in `sorted`, counted from 1; 0 is an empty slot. No slots at all: search by halving.
    slots: Vec<u32>,
}

impl TextSet {
    pub(crate) fn new(mut values: Vec<String>) -> Self {
        values.sort_unstable();
        values.dedup();
        let slots = Self::hash(&values).unwrap_or_default();
        Self { sorted: values, slots }
    }

    fn hash(sorted: &[String]) -> Option<Vec<u32>> {
        let mut slots = vec![0; (sorted.len() * 2).next_power_of_two()];
        let mask = slots.len() - 1;
        for (i, text) in sorted.iter().enumerate() {
            let start = hash_bytes(text.as_bytes()) as usize;
            let free = (0..PROBES_MAX).map(|i| (start + i) & mask).find(|slot| slots[*slot] == 0)?;
            slots[free] = u32::try_from(i + 1).ok()?;
        }
        Some(slots)
    }

    pub(crate) fn contains(&self, text: &[u8]) -> bool {
        if self.slots.is_empty() {
            return self.sorted.binary_search_by(|probe| probe.as_bytes().cmp(text)).is_ok();
        }
        let mask = self.slots.len() - 1;
        let mut slot = hash_bytes(text) as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return false,
                i if self.sorted[i as usize - 1].as_bytes() == text => return true,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// The texts, rising.
    pub(crate) fn values(&self) -> &[String] {
        &self.sorted
    }
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = bytes.len() as u64;
    for word in words {
        hash = mix(hash ^ u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash ^ u64::from_le_bytes(last))
}

/// Floating numbers: distinct, no NaN, zero without its sign.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FloatSet(Vec<f64>);

impl FloatSet {
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().filter(|v| !v.is_nan()).map(|v| v + 0.0).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.dedup();
        Self(sorted)
    }

    pub(crate) fn contains(&self, value: f64) -> bool {
        self.0.binary_search_by(|probe| probe.total_cmp(&(value + 0.0))).is_ok()
    }

    /// The numbers, rising.
    pub(crate) fn values(&self) -> &[f64] {
        &self.0
    }
}

/// Values of any kind a JSON document can hold, lists and objects apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MixedSet {
    pub(crate) ints: IntSet,
    pub(crate) floats: FloatSet,
    pub(crate) texts: TextSet,
    /// Whether `false` and whether `true` is in it.
    pub(crate) bools: [bool; 2],
}

impl MixedSet {
    pub(crate) fn new(numbers: Vec<Num>, texts: Vec<String>, bools: [bool; 2]) -> Self {
        let ints = IntSet::new(numbers.iter().filter_map(|number| number.to_int()).collect());
        let floats = numbers.iter().filter(|number| number.to_int().is_none()).map(|number| number.to_f64());
        Self { ints, floats: FloatSet::new(floats), texts: TextSet::new(texts), bools }
    }

    pub(crate) fn contains_number(&self, value: Num) -> bool {
        match value.to_int() {
            Some(int) => self.ints.contains(int),
            None => self.floats.contains(value.to_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_lookup_agrees_with_a_search() {
        let spread = |n: i64, step: i64| (0..n).map(|i| i.wrapping_mul(step)).collect::<Vec<_>>();
        for mut values in [
            vec![],
            vec![i64::MIN, i64::MAX, 0],
            vec![7],
            spread(1000, 3),
            spread(1000, 0x9e37_79b9_7f4a_7c15_u64 as i64),
        ] {
            values.extend(values.clone());
            let set = IntSet::new(values.clone());
            let near = values.iter().flat_map(|v| [*v, v.wrapping_add(1), v.wrapping_sub(1)]);
            for probe in near.chain([0, 1, -1, i64::MIN, i64::MAX]) {
                assert_eq!(set.contains(probe), values.contains(&probe), "{probe}");
                let mut passes = [0];
                set.sieve().pass(&[probe], &mut passes);
                assert!(passes[0] == 1 || !set.contains(probe), "{probe}");
                assert!(set.may_contain(probe) || !set.contains(probe), "{probe}");
            }
        }
    }

    #[test]
    fn texts_and_floats() {
        let texts: Vec<String> = (0..500).map(|i| "x".repeat(i % 30) + &i.to_string()).collect();
        let set = TextSet::new(texts.clone());
        assert!(texts.iter().all(|text| set.contains(text.as_bytes())));
        assert!(!set.contains(b"x") && !set.contains(b"") && !TextSet::new(vec![]).contains(b""));
        let floats = FloatSet::new([-0.0, 1.5, f64::NAN]);
        assert!(floats.contains(0.0) && floats.contains(-0.0) && floats.contains(1.5));
        assert!(!floats.contains(f64::NAN) && !floats.contains(1.0));
    }
}
