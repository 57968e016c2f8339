//! Comparisons at every level against the definition, at every length from 0 to 257, with the values that are hard.

use simd::{Level, Number, Sieve, between_at};

fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 20
    }
}

fn check<T: Number + std::fmt::Debug>(pool: &[T]) {
    let mut next = noise(pool.len() as u64);
    for len in 0..=257_usize {
        let values: Vec<T> = (0..len).map(|_| pool[next() as usize % pool.len()]).collect();
        let (low, high) = (pool[next() as usize % pool.len()], pool[next() as usize % pool.len()]);
        for (low, high) in [(low, high), (high, low), (low, low)] {
            for level in Level::available() {
                let mut words = vec![u64::MAX; len.div_ceil(64)];
                between_at(level, &values, low, high, &mut words);
                for i in 0..words.len() * 64 {
                    let expected = values.get(i).is_some_and(|value| *value >= low && *value <= high);
                    let found = words[i / 64] >> (i % 64) & 1 == 1;
                    assert_eq!(found, expected, "{level:?}: {low:?} <= value {i} of {len} <= {high:?}");
                }
            }
        }
    }
}

#[test]
fn intervals() {
    check(&[i8::MIN, -2, -1, 0, 1, 5, i8::MAX]);
    check(&[i16::MIN, -300, -1, 0, 1, 300, i16::MAX]);
    check(&[i32::MIN, -70_000, -1, 0, 1, 70_000, i32::MAX]);
    check(&[i64::MIN, -5_000_000_000, -1, 0, 1, 5_000_000_000, i64::MAX]);
    check(&[f32::NEG_INFINITY, f32::MIN, -1.5, -0.0, 0.0, f32::MIN_POSITIVE, 1.5, f32::INFINITY, f32::NAN]);
    check(&[f64::NEG_INFINITY, f64::MIN, -1.5, -0.0, 0.0, f64::MIN_POSITIVE, 1.5, f64::INFINITY, f64::NAN]);
}

#[test]
fn sieves_lose_nothing_and_agree() {
    let spread = |n: i64, step: i64| (0..n).map(|i| i.wrapping_mul(step)).collect::<Vec<_>>();
    for mut set in [
        vec![],
        vec![7],
        vec![i64::MIN],
        vec![i64::MIN, i64::MAX],
        vec![i64::MAX - 3, i64::MAX],
        spread(1000, 3),
        spread(5000, 0x1234_5678_9abc),
        spread(1000, i64::from(u32::MAX) + 1),
    ] {
        set.sort_unstable();
        let sieve = Sieve::new(&set);
        let mut next = noise(set.len() as u64);
        let near = set.iter().flat_map(|v| [*v, v.wrapping_add(1), v.wrapping_sub(32)]);
        let mut values: Vec<i64> = near.chain([0, -1, i64::MIN, i64::MAX]).collect();
        values.extend((0..20_000).map(|_| (next() << 20 ^ next()) as i64));
        let mut passed = Vec::new();
        for level in Level::available() {
            let mut words = vec![0; values.len().div_ceil(64)];
            sieve.pass_at(level, &values, &mut words);
            passed.push(words);
        }
        assert!(passed.iter().all(|words| *words == passed[0]), "every level agrees");
        let mut wrong = 0;
        for (i, value) in values.iter().enumerate() {
            let (passes, is_in) = (passed[0][i / 64] >> (i % 64) & 1 == 1, set.binary_search(value).is_ok());
            assert!(passes || !is_in, "{value} is in the set");
            wrong += usize::from(passes && !is_in);
        }
        assert!(
            if sieve.is_exact() { wrong == 0 } else { wrong < values.len() / 25 },
            "{wrong} of {}",
            values.len()
        );
        for len in 0..=257.min(values.len()) {
            for level in Level::available() {
                let mut words = vec![u64::MAX; len.div_ceil(64)];
                sieve.pass_at(level, &values[..len], &mut words);
                for (i, word) in words.iter().enumerate() {
                    let used = len - i * 64;
                    let mask = if used < 64 { (1 << used) - 1 } else { u64::MAX };
                    assert_eq!(*word, passed[0][i] & mask, "{len} values");
                }
            }
        }
    }
}
