//! One bit an element of sixteen rows at once, scored by tables in registers. Invariant: the same bits at every
//! [`Level`].
//!
//! A *fan* is sixteen rows seen from a common centre: what is kept of each is on which side of the centre it lies in every
//! element, and two factors. With the elements of rotated rows this is RaBitQ (Gao and Long, SIGMOD 2024), and sixteen rows
//! side by side are looked up four elements at a time (André, Kermarrec and Le Scouarnec, "Cache locality is not enough:
//! high-performance nearest neighbor search with product quantization fast scan", VLDB 2015). That a node of a graph keeps its
//! neighbours so is from Gou et al., "SymphonyQG", SIGMOD 2025.
//!
//! A fan is 16 bfloat16 numbers to add, 16 to multiply by, and for every 32 elements 64 bytes: byte `16 b + i` has the
//! elements `8 b ..` of the row `i`, from its lowest bit on, 1 where the row is not below the centre.

use crate::kernel::{fan_signs, fan_sums, fan_tables};
use crate::{Half, Level};

/// Rows in a fan.
pub const FAN: usize = 16;
/// Elements in a chunk of a fan.
const CHUNK: usize = 32;
/// Bytes of the tables of a chunk: eight of sixteen entries.
const TABLES: usize = 128;
/// Bytes of the factors.
const FACTORS: usize = 4 * FAN;
/// The largest entry, so that two of them fit into a byte.
const MOST: f32 = 127.0;
/// What all entries of one row may add up to.
const MOST_SUM: f32 = 65_000.0;

/// Bytes of a fan of rows of `dim` elements, which must be a multiple of 32.
pub const fn fan_bytes(dim: usize) -> usize {
    FACTORS + dim / CHUNK * 64
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

/// Puts the signs of `row - center` at place `place` of a fan.
///
/// # Panics
/// When lengths do not fit.
pub fn put_signs(center: &[f32], row: &[f32], place: usize, fan: &mut [u8]) -> Signs {
    assert_eq!((center.len(), center.len() % CHUNK), (row.len(), 0), "whole chunks");
    assert!(place < FAN && fan.len() == fan_bytes(row.len()), "a place in a fan");
    let [absolute, square, center, product] =
        fan_signs(Level::current(), center, row, &mut fan[FACTORS + place..]);
    Signs { absolute, square, center, product }
}

/// Puts the factors of the row at `place`: its score is `base + (add - weight * product)`, where the product is that of the
/// query with the signs of the row. What is to be added may depend on the weight as it is kept.
///
/// # Panics
/// When the fan is none.
pub fn put_factors(add: impl FnOnce(f32) -> f32, weight: f32, place: usize, fan: &mut [u8]) {
    let halves = fan[..FACTORS].as_chunks_mut::<2>().0;
    halves[FAN + place] = Half::Bf16.narrow(weight);
    let mut kept = [0.0];
    Half::Bf16.widen(&halves[FAN + place], &mut kept);
    halves[place] = Half::Bf16.narrow(add(kept[0]));
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
    /// fans at once.
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
        let one = FACTORS + self.tables.len() / 2;
        let scale = [self.step, self.low, base, limit];
        let [first, second] = out.as_chunks_mut::<FAN>().0 else { return 0 };
        if fans.len() == 2 * one {
            let (a, b) = fans.split_at(one);
            let masks = fan_sums::<2>(level, &self.tables, [a, b], scale, [first, second]);
            u32::from(masks[0]) | u32::from(masks[1]) << FAN
        } else {
            assert_eq!(fans.len(), one, "one fan or two");
            u32::from(fan_sums::<1>(level, &self.tables, [fans], scale, [first])[0])
        }
    }
}
