//! Folded rows of bits: every level against the meaning, at every length.

use simd::{FOLD_ROWS, Level, near_folds_at};

fn noise(seed: u64, len: usize) -> Vec<u32> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    (0..len).map(step).collect()
}

#[test]
fn levels_agree_with_counting() {
    for words in 0..=70 {
        for blocks in 0..=4 {
            let rows = blocks * FOLD_ROWS;
            let (query, lanes) = (noise(3, words), noise(5 + words as u64, words * rows));
            let ones: Vec<f32> = noise(9, rows).iter().map(|n| (n % 1000) as f32).collect();
            for (base, share) in [
                (16.0 * words as f32, 0.0),
                (15.0 * words as f32, 0.01),
                (f32::NAN, 0.0),
                (f32::INFINITY, 0.0),
            ] {
                let is_near = |row: &usize| {
                    let lane = |word: usize| lanes[(row / 16 * words + word) * 16 + row % 16];
                    let far: u32 = (0..words).map(|word| (query[word] ^ lane(word)).count_ones()).sum();
                    far as f32 <= base + share * ones[*row]
                };
                let want = (0..rows).filter(is_near).fold(0u64, |near, row| near | 1 << row);
                for level in Level::available() {
                    assert_eq!(
                        near_folds_at(level, &query, &lanes, &ones, (base, share)),
                        want,
                        "{words} at {level:?}"
                    );
                }
            }
        }
    }
}
