//! A random rotation that is cheap to apply. Invariant: keeps lengths and products, up to rounding.

use host::Rng;

/// Passes; each changes signs at random and mixes as many of the coordinates as a power of two holds, the first ones
/// and the last ones by turns.
const PASSES: usize = 4;

/// Sign changes and Walsh-Hadamard transforms by turns (Ailon and Chazelle, "The fast Johnson-Lindenstrauss transform
/// and approximate nearest neighbors", SIAM J. Comput. 2009).
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// 1 or -1 for each coordinate, pass by pass.
    signs: Vec<f32>,
}

impl Turn {
    /// The rotation of `seed` in `dim` dimensions.
    pub(crate) fn new(seed: u64, dim: usize) -> Self {
        let mut rng = Rng::new(seed).child("turn");
        Self {
            signs: (0..PASSES * dim).map(|_| if rng.next_u64() >> 63 == 1 { 1.0 } else { -1.0 }).collect(),
        }
    }

    /// Rotates `values` in place.
    pub(crate) fn apply(&self, values: &mut [f32]) {
        let Some(power) = values.len().checked_ilog2() else { return };
        let len = 1 << power;
        for (pass, signs) in self.signs.chunks_exact(values.len()).enumerate() {
            values.iter_mut().zip(signs).for_each(|(value, sign)| *value *= sign);
            let start = if pass % 2 == 0 { 0 } else { values.len() - len };
            simd::hadamard(&mut values[start..start + len]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_lengths_and_products_and_spreads_what_was_in_one_place() {
        for dim in [1, 2, 3, 7, 64, 100, 784] {
            let mut rng = Rng::new(dim as u64);
            let mut make = || (0..dim).map(|_| rng.normal() as f32).collect::<Vec<f32>>();
            let (mut a, mut b) = (make(), make());
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let want = [product(&a, &b), product(&a, &a)];
            let turn = Turn::new(3, dim);
            turn.apply(&mut a);
            turn.apply(&mut b);
            for (want, got) in want.into_iter().zip([product(&a, &b), product(&a, &a)]) {
                assert!((want - got).abs() < 1e-3 * dim as f32, "{dim}: {want} and {got}");
            }
            if dim > 60 {
                let mut one = vec![0.0; dim];
                one[5] = 1.0;
                turn.apply(&mut one);
                assert!(one.iter().all(|value| value.abs() < 0.7), "{one:?}");
            }
        }
    }
}
