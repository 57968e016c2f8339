//! `random_sample`: every row that matches is kept by a draw of its own. Invariant: a draw depends on the seed, on which
//! rows these are and on the row's place among them, so the same request sees the same sample however it is cut up.

/// Which rows are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// A row is kept when its draw is below.
    below: u64,
    start: u64,
}

impl Sample {
    /// Keeps a row with probability `part`, `0 < part < 1`. `salt` tells these rows from others.
    pub(crate) fn new(part: f64, seed: u64, salt: u64) -> Self {
        Self { below: (part * 2_f64.powi(64)) as u64, start: mix(seed ^ mix(salt)) }
    }

    /// Clears the bits of `word` that are not kept; bit `i` is row `first + i`.
    pub(crate) fn thin(&self, word: u64, first: usize) -> u64 {
        let (mut rest, mut kept) = (word, 0);
        while rest != 0 {
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let row = (first + bit) as u64;
            let draw = mix(self.start.wrapping_add(row.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            kept |= u64::from(draw < self.below) << bit;
        }
        kept
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_about_the_part_and_follows_the_seed() {
        let kept = |part: f64, seed: u64, salt: u64| -> Vec<u64> {
            let sample = Sample::new(part, seed, salt);
            (0..1000).map(|word| sample.thin(u64::MAX, word * 64)).collect()
        };
        for part in [0.01, 0.3, 0.9] {
            let count: u32 = kept(part, 7, 1).iter().map(|word| word.count_ones()).sum();
            let (mean, deviation) = (64_000.0 * part, (64_000.0 * part * (1.0 - part)).sqrt());
            assert!((f64::from(count) - mean).abs() < 5.0 * deviation, "{part}: {count}");
        }
        assert_eq!(kept(0.3, 7, 1), kept(0.3, 7, 1));
        assert_ne!(kept(0.3, 7, 1), kept(0.3, 8, 1));
        assert_ne!(kept(0.3, 7, 1), kept(0.3, 7, 2));
        assert_eq!(Sample::new(0.3, 7, 1).thin(0xff, 64), kept(0.3, 7, 1)[1] & 0xff);
    }
}
