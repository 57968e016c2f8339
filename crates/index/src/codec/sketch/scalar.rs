//! A few bits an element. Invariant: codes say the direction of a row; its scale is kept beside them.
//!
//! With one bit an element of rotated rows this is RaBitQ (Gao and Long, "RaBitQ: quantizing high-dimensional vectors
//! with a theoretical error bound for approximate nearest neighbor search", SIGMOD 2024), with more its extension (Gao et
//! al., SIGMOD 2025); without the rotation it is a scalar quantiser whose range is each row's own.

use simd::Planes;

/// How far the range of the codes reaches, as shares of the largest element of a row; the best is taken.
const REACHES: [f32; 9] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// A number beside which others have no fraction.
const ROUNDS: f32 = 12_582_912.0;

/// Codes `bits` bits wide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scalar {
    pub(super) planes: Planes,
}

impl Scalar {
    /// What is taken off a code: the middle of its range.
    pub(super) fn middle(self) -> f32 {
        ((1u32 << self.planes.bits()) - 1) as f32 / 2.0
    }

    /// Packs the codes of `row` into `out`, and puts the codes without their middle into `stands_for`.
    pub(super) fn encode(self, row: &[f32], stands_for: &mut Vec<f32>, out: &mut [u8]) {
        let widest = row.iter().fold(0f32, |widest, value| widest.max(value.abs()));
        let middle = self.middle();
        stands_for.clear();
        if !(widest > 1e-30 && widest < 1e30) {
            stands_for.resize(row.len(), 0.0);
            return;
        }
        let reaches = match self.planes.bits() {
            1 | 8 | 9 => &REACHES[REACHES.len() - 1..],
            _ => &REACHES,
        };
        let code = |value: f32, inverse: f32| (value * inverse + middle).round().clamp(0.0, 2.0 * middle);
        let sums = |reach: f32| {
            let inverse = middle / (widest * reach);
            let sum = |(products, squares): (f32, f32), value: &f32| {
                let level = code(*value, inverse) - middle;
                (products + level * value, squares + level * level)
            };
            (inverse, row.iter().fold((0.0, 0.0), sum))
        };
        let likeness = |(_, (products, squares)): &(f32, (f32, f32))| products * products / squares;
        let tried = reaches.iter().map(|reach| sums(*reach));
        let best = tried.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let Some((inverse, _)) = best else { return };
        let codes: Vec<u16> = row.iter().map(|value| code(*value, inverse) as u16).collect();
        self.planes.pack(&codes, out);
        stands_for.extend(codes.iter().map(|code| f32::from(*code) - middle));
    }
}

/// Rounds `values` to `2 * most + 1` levels.
pub(super) fn round_to(values: &mut [f32], most: f32) {
    let widest = values.iter().fold(0f32, |widest, value| widest.max(value.abs()));
    if widest > 1e-30 && widest < 1e30 {
        let step = widest / most;
        values.iter_mut().for_each(|value| *value = (*value / step).round() * step);
    }
}

/// A query as signed bytes.
#[derive(Debug, Default)]
pub(super) struct Levels {
    chunks: Vec<[i8; 64]>,
    scale: f32,
    sum: f32,
}

impl Levels {
    /// Rounds `query` to `2 * most + 1` levels.
    pub(super) fn aim(&mut self, query: &[f32], most: f32) {
        let widest = query.iter().fold(0f32, |widest, value| widest.max(value.abs()));
        self.chunks.clear();
        self.chunks.resize(query.len().div_ceil(64), [0; 64]);
        (self.scale, self.sum) = (0.0, 0.0);
        if !(widest > 1e-30 && widest < 1e30) {
            return;
        }
        let (inverse, mut sum) = (most / widest, 0i32);
        for (level, value) in self.chunks.as_flattened_mut().iter_mut().zip(query) {
            // The rounded number is in the low bits.
            *level = (value * inverse + ROUNDS).to_bits() as i8;
            sum += i32::from(*level);
        }
        (self.scale, self.sum) = (widest / most, sum as f32);
    }

    /// Products with what the codes of rows stand for, without the rows' scales; row `i` starts at byte `starts(i)`.
    #[inline]
    pub(super) fn products(
        &self,
        scalar: Scalar,
        codes: &[u8],
        starts: impl Fn(usize) -> usize,
        sums: &mut [i32],
        out: &mut [f32],
    ) {
        scalar.planes.dots(&self.chunks, codes, starts, sums);
        let middle = scalar.middle() * self.sum;
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = self.scale * (*sum as f32 - middle);
        }
    }
}
