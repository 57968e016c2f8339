//! From a primary key to the rows that have it. A key's *code* is a 64-bit number: for Int64 keys the key itself,
//! for texts a hash. Invariant: equal keys have equal codes; codes of texts may collide, so the key itself decides.

use data::KeyRef;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Stands for "no row" in chains.
const NONE: u32 = u32::MAX;

/// The code of `key`, part of the file format: numbers are their own code, texts are hashed by [`text_code`].
pub(crate) fn code(key: KeyRef<'_>) -> i64 {
    match key {
        KeyRef::Int(value) => value,
        KeyRef::Text(text) => text_code(text),
    }
}

/// A hash of `text`, part of the file format: words of eight bytes, little endian, the last filled up with zeros, each
/// xored in, multiplied and folded; the length comes first, [`mix`] last.
fn text_code(text: &[u8]) -> i64 {
    let fold = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ (product >> 32)
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut hash = fold(0x51ed_270b_35ae_7d1d, text.len() as u64);
    for word in words {
        hash = fold(hash, u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        hash = fold(hash, u64::from_le_bytes(word));
    }
    mix(hash) as i64
}

/// Spreads every bit over all bits; one to one (the finish of SplitMix64; Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Hashes codes by [`mix`] alone.
#[derive(Debug, Default, Clone, Copy)]
struct MixHasher(u64);

impl Hasher for MixHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = text_code(bytes) as u64;
    }

    fn write_i64(&mut self, value: i64) {
        self.0 = mix(value as u64);
    }
}

/// The keys of growing rows: the newest row of every code, and from each row the one before it with the same code.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    newest: HashMap<i64, u32, BuildHasherDefault<MixHasher>>,
    previous: Vec<u32>,
}

impl KeyTable {
    /// Adds the next row.
    pub(crate) fn push(&mut self, key: KeyRef<'_>) {
        let row = self.previous.len() as u32;
        let previous = self.newest.insert(code(key), row);
        self.previous.push(previous.unwrap_or(NONE));
    }

    /// Makes room for `rows` more rows.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.previous.reserve(rows);
    }

    /// The rows whose code is that of `key`, newest first.
    pub(crate) fn rows(&self, key: KeyRef<'_>) -> impl Iterator<Item = u32> {
        let newest = self.newest.get(&code(key)).copied();
        std::iter::successors(newest, |row| Some(self.previous[*row as usize]).filter(|row| *row != NONE))
    }

    /// Bytes it has in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.newest.capacity() * 17 + self.previous.capacity() * 4
    }
}

/// Searches that take their steps together: enough independent loads to hide the latency of memory.
const LANES: usize = 16;
/// Codes of which one is in [`Sampled`]: with eight bytes each they share a page, and mostly a few cache lines.
const STRIDE: usize = 64;

/// Every 64th of some sorted codes, small enough to stay in the cache, so that a search among the codes themselves
/// touches one page.
#[derive(Debug)]
pub(crate) struct Sampled(Vec<i64>);

impl Sampled {
    /// The sample of `sorted`.
    pub(crate) fn new(sorted: &[i64]) -> Self {
        Self(sorted.iter().step_by(STRIDE).copied().collect())
    }

    /// For each of `wanted`, the place of the first element of `sorted`, which this is the sample of, that is not
    /// smaller; written into `places`.
    pub(crate) fn lower_bounds(&self, sorted: &[i64], wanted: &[i64], places: &mut Vec<u32>) {
        places.clear();
        places.reserve(wanted.len());
        let window = STRIDE.min(sorted.len());
        for block in wanted.chunks(LANES) {
            let mut starts = [0_usize; LANES];
            step_down(&self.0, self.0.len(), block, &mut starts);
            for start in &mut starts {
                // The element before the first sample that is not smaller is smaller: from it on, or at the end.
                *start = (start.saturating_sub(1) * STRIDE).min(sorted.len() - window);
            }
            step_down(sorted, window, block, &mut starts);
            places.extend(starts.iter().zip(block).map(|(start, _)| *start as u32));
        }
    }
}

/// Moves each start to the first of the `window` elements of `sorted` from there on that is not smaller than what is
/// wanted, or to the end of the window. All take their steps together, so that their cache misses overlap: on a
/// million elements several times faster than one after the other.
fn step_down(sorted: &[i64], window: usize, wanted: &[i64], starts: &mut [usize; LANES]) {
    let mut size = window;
    while size > 1 {
        let half = size / 2;
        for (start, want) in starts.iter_mut().zip(wanted) {
            *start += if sorted[*start + half - 1] < *want { half } else { 0 };
        }
        size -= half;
    }
    for (start, want) in starts.iter_mut().zip(wanted) {
        *start += usize::from(size == 1 && sorted[*start] < *want);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_bounds_agree_with_partition_point() {
        for len in [0, 1, 2, 3, 7, 63, 64, 65, 128, 1000] {
            let sorted: Vec<i64> = (0..len).map(|i| (i / 3) * 10 - 50).collect();
            let wanted: Vec<i64> = (-70..3400).step_by(7).collect();
            let mut places = Vec::new();
            Sampled::new(&sorted).lower_bounds(&sorted, &wanted, &mut places);
            let want: Vec<u32> = wanted.iter().map(|w| sorted.partition_point(|s| s < w) as u32).collect();
            assert_eq!(places, want, "{len} elements");
        }
    }

    #[test]
    fn codes_of_texts_stay_what_they_are() {
        let codes =
            ["", "a", "12345678", "123456789", "ключ"].map(|text| code(KeyRef::Text(text.as_bytes())));
        assert_eq!(
            codes,
            [
                2684018383961420826,
                2549586101877093506,
                7637710707606621934,
                6919897372398219421,
                -7491731075202197873
            ],
            "codes are stored in files"
        );
    }

    #[test]
    fn chains_run_from_new_to_old() {
        let mut table = KeyTable::default();
        for key in [5, 6, 5, 5, 7] {
            table.push(KeyRef::Int(key));
        }
        assert_eq!(table.rows(KeyRef::Int(5)).collect::<Vec<_>>(), [3, 2, 0]);
        assert_eq!(table.rows(KeyRef::Int(8)).count(), 0);
    }
}
