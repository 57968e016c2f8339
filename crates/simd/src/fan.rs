//! One bit an element of sixteen rows at once, scored by tables in registers. Invariant: the same bits at every
//! [`Level`].
//!
//! A *fan* is sixteen rows seen from a common centre: what is kept of each is on which side of the centre it lies in every
//! element, and two factors. With the elements of rotated rows this is RaBitQ (Gao and Long, SIGMOD 2024), and sixteen rows
//! side by side are looked up four elements at a time (André, Kermarrec and Le Scouarnec, "Cache locality is not enough:
//! high-performance nearest neighbor search with product quantization fast scan", VLDB 2015). That a node of a graph keeps its
//! neighbours so is from Gou et al., "SymphonyQG", SIGMOD 2025.
//!
//! A fan is 64 bytes of signs for every 32 elements, byte `16 b + i` with the elements `8 b ..` of the row `i`, from its lowest bit
//! on, 1 where the row is not below the centre; and factors: 16 bytes for what to add, 16 for what to multiply by, and four bfloat16
//! numbers that say what these stand for, which are the least that is added, what a byte of 1 adds to it, and the same of what is
//! multiplied by. One fan has its factors after its signs, two that lie together after the signs of both. As they were before, fans
//! had 16 bfloat16 numbers to add and 16 to multiply by, and then their signs, one fan after the other.

use crate::Level;
use crate::kernel::{fan_signs, fan_sums, fan_tables};

/// Rows in a fan.
pub const FAN: usize = 16;
/// Elements in a chunk of a fan.
const CHUNK: usize = 32;
/// Bytes of the tables of a chunk: eight of sixteen entries.
const TABLES: usize = 128;
/// Bytes of the factors.
pub(crate) const FACTORS: usize = 2 * FAN + 8;
/// Bytes of the factors of a fan as it was before.
pub(crate) const WIDE_FACTORS: usize = 4 * FAN;
/// No factor is larger, or its fan would have no scale.
const MOST_FACTOR: f32 = 1e37;
/// The largest entry, so that two of them fit into a byte.
const MOST: f32 = 127.0;
/// What all entries of one row may add up to.
const MOST_SUM: f32 = 65_000.0;

/// Bytes of a fan of rows of `dim` elements, which must be a multiple of 32.
pub const fn fan_bytes(dim: usize) -> usize {
    FACTORS + dim / CHUNK * 64
}

/// Bytes of a fan as it was before.
pub const fn wide_fan_bytes(dim: usize) -> usize {
    WIDE_FACTORS + dim / CHUNK * 64
}

/// What is to be known of a row beside on which side of the centre its elements lie.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Signs {
    /// The sum of the sizes of the elements of the row less the centre.
    pub absolute: f32,
    /// The sum of their squares.
    pub square: f32,
    /// The sum of the centre's elements, those negative where the row is below it.
    pub center: f32,
    /// The product of the centre and the row less the centre.
    pub product: f32,
}

/// Puts the signs of `row - center` at place `place` of a fan or two.
///
/// # Panics
/// When lengths do not fit.
pub fn put_signs(center: &[f32], row: &[f32], place: usize, fans: &mut [u8]) -> Signs {
    let signs = row.len() / CHUNK * 64;
    assert_eq!((center.len(), center.len() % CHUNK), (row.len(), 0), "whole chunks");
    assert!(place / FAN < 2 && place / FAN < fans.len() / (signs + FACTORS), "a place in a fan");
    let fan = &mut fans[place / FAN * signs..][..signs];
    let [absolute, square, center, product] =
        fan_signs(Level::current(), center, row, &mut fan[place % FAN..]);
    Signs { absolute, square, center, product }
}

/// Puts the factors of the rows that there are, by their places, into as many fans: the score of a row is `base + (add - weight *
/// product)`, where the product is that of the query with the signs of the row. What is to be added may depend on the weight as it is
/// kept. Where there is no row the score means nothing.
///
/// # Panics
/// When there are no such fans.
pub fn put_factors(weights: &[Option<f32>], add: impl Fn(usize, f32) -> f32, fans: &mut [u8]) {
    let (weights, rest) = weights.as_chunks::<FAN>();
    assert!(rest.is_empty() && fans.len() >= weights.len() * FACTORS, "whole fans");
    let signs = fans.len() - weights.len() * FACTORS;
    for (f, (weights, factors)) in weights.iter().zip(fans[signs..].chunks_exact_mut(FACTORS)).enumerate() {
        put_fan_factors(*weights, |place, weight| add(f * FAN + place, weight), factors);
    }
}

/// The factors of one fan.
fn put_fan_factors(weights: [Option<f32>; FAN], add: impl Fn(usize, f32) -> f32, factors: &mut [u8]) {
    let (bytes, scales) = factors.split_at_mut(2 * FAN);
    let (adds, weight_bytes) = bytes.split_at_mut(FAN);
    let (add_scale, weight_scale) = scales.split_at_mut(4);
    let kept = put_bytes(weights, weight_bytes, weight_scale);
    let added = std::array::from_fn(|place| weights[place].map(|_| add(place, kept[place])));
    put_bytes(added, adds, add_scale);
}

/// Puts a byte a value and what bytes stand for; returns what that is for each.
fn put_bytes(values: [Option<f32>; FAN], bytes: &mut [u8], scale: &mut [u8]) -> [f32; FAN] {
    // What is no number seems far.
    let bound =
        |value: f32| if value.is_nan() { MOST_FACTOR } else { value.clamp(-MOST_FACTOR, MOST_FACTOR) };
    let bounded = values.map(|value| value.map(bound));
    let known = || bounded.into_iter().flatten();
    let (low, high) =
        known().fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let least = if low <= high { rounded_away(low, -1.0) } else { 0.0 };
    let step = rounded_away(((high - least) / 255.0).max(0.0), 1.0);
    for (half, value) in scale.as_chunks_mut::<2>().0.iter_mut().zip([least, step]) {
        *half = [value.to_bits().to_le_bytes()[2], value.to_bits().to_le_bytes()[3]];
    }
    let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
    let mut kept = [0.0; FAN];
    for ((value, byte), kept) in bounded.into_iter().zip(bytes).zip(&mut kept) {
        *byte = value.map_or(u8::MAX, |value| ((value - least) * inverse).round() as u8);
        *kept = least + step * f32::from(*byte);
    }
    kept
}

/// The bfloat16 number nearest to `value` that is not nearer to the other side than `way` is.
fn rounded_away(value: f32, way: f32) -> f32 {
    let cut = value.to_bits() & 0xffff_0000;
    let is_beyond = (value - f32::from_bits(cut)) * way > 0.0;
    f32::from_bits(if is_beyond { cut + 0x1_0000 } else { cut })
}

/// A query, ready to be held against fans.
#[derive(Debug, Default)]
pub struct FanQuery {
    tables: Vec<u8>,
    step: f32,
    low: f32,
}

impl FanQuery {
    /// Aims at a query of `dim` elements, a multiple of 32.
    ///
    /// # Panics
    /// When it is not.
    pub fn aim(&mut self, query: &[f32]) {
        assert_eq!(query.len() % CHUNK, 0, "whole chunks");
        let range = |four: &[f32; 4]| four.iter().map(|value| 2.0 * value.abs()).sum::<f32>();
        let (mut widest, mut total) = (0f32, 0f32);
        for four in query.as_chunks::<4>().0 {
            widest = widest.max(range(four));
            total += range(four);
        }
        self.tables.resize(query.len() / CHUNK * TABLES, 0);
        self.low = -total / 2.0;
        self.step = (widest / MOST).max(total / MOST_SUM);
        if !(self.step > 1e-30 && self.step < 1e30) {
            (self.step, self.low) = (0.0, 0.0);
            self.tables.fill(0);
            return;
        }
        fan_tables(Level::current(), query, 1.0 / self.step, &mut self.tables);
    }

    /// The scores of the rows of consecutive fans into `out`, and which are below `limit`: bit `i` for `out[i]`. At most two
    /// fans at once, both as they are now or both as they were before.
    ///
    /// # Panics
    /// When there are more, or they are not of the query's length.
    #[inline]
    pub fn scores(&self, fans: &[u8], (base, limit): (f32, f32), out: &mut [f32; 2 * FAN]) -> u32 {
        self.scores_at(Level::current(), fans, (base, limit), out)
    }

    /// [`FanQuery::scores`] at a chosen level.
    ///
    /// # Panics
    /// As there.
    #[inline]
    pub fn scores_at(
        &self,
        level: Level,
        fans: &[u8],
        (base, limit): (f32, f32),
        out: &mut [f32; 2 * FAN],
    ) -> u32 {
        let signs = self.tables.len() / 2;
        let scale = [self.step, self.low, base, limit];
        if fans.len() == 2 * (FACTORS + signs) || fans.len() == FACTORS + signs {
            self.sums::<FACTORS>(level, fans, scale, out)
        } else {
            self.sums::<WIDE_FACTORS>(level, fans, scale, out)
        }
    }

    /// The scores of one fan or two that have so many bytes of factors.
    #[inline]
    fn sums<const F: usize>(
        &self,
        level: Level,
        fans: &[u8],
        scale: [f32; 4],
        out: &mut [f32; 2 * FAN],
    ) -> u32 {
        let signs = self.tables.len() / 2;
        let [first, second] = out.as_chunks_mut::<FAN>().0 else { return 0 };
        if fans.len() == 2 * (signs + F) {
            let [(a, of_a), (b, of_b)] = if F == WIDE_FACTORS {
                let (a, b) = fans.split_at(signs + F);
                [a, b].map(|fan| (&fan[F..], &fan[..F]))
            } else {
                let (a, rest) = fans.split_at(signs);
                let (b, factors) = rest.split_at(signs);
                [(a, &factors[..F]), (b, &factors[F..])]
            };
            let masks = fan_sums::<2, F>(level, &self.tables, ([a, b], [of_a, of_b]), scale, [first, second]);
            u32::from(masks[0]) | u32::from(masks[1]) << FAN
        } else {
            assert_eq!(fans.len(), signs + F, "one fan or two");
            let (fan, of) = if F == WIDE_FACTORS { (&fans[F..], &fans[..F]) } else { fans.split_at(signs) };
            u32::from(fan_sums::<1, F>(level, &self.tables, ([fan], [of]), scale, [first])[0])
        }
    }
}
