//! Bytes in two planes: every level against the meaning, at every length; and bounds that hold.

use simd::{Bar, Columns, Grain, Level, NibbleQuery, fine_of, nibble_bytes, nibble_dots_at, put_nibbles_at};

fn floats(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..len).map(|_| (next() - 0.3) * 7.0).collect()
}

/// The code of an element of a row whose planes these are.
fn code(high: &[u8], low: &[u8], i: usize) -> (i64, i64) {
    let (byte, shift) = if i < high.len() { (i, 0) } else { (i - high.len(), 4) };
    (i64::from(high[byte] >> shift & 15), i64::from(low[byte] >> shift & 15))
}

#[test]
fn levels_agree_and_codes_stand_for_what_they_say() {
    for dim in (0..=257).chain([784, 32_768]) {
        let bytes = nibble_bytes(dim);
        let rows: Vec<Vec<f32>> = (0..9).map(|r| floats(r + 1, dim)).collect();
        let (mut planes, mut grains) = ([vec![0u8; 9 * bytes], vec![0u8; 9 * bytes]], Vec::new());
        for (r, row) in rows.iter().enumerate() {
            let [high, low] = planes.each_mut().map(|plane| &mut plane[r * bytes..][..bytes]);
            let want = put_nibbles_at(Level::SCALAR, row, high, low);
            for level in Level::available() {
                let (mut other_high, mut other_low) = (vec![1; bytes], vec![2; bytes]);
                let got = put_nibbles_at(level, row, &mut other_high, &mut other_low);
                assert_eq!((got, &other_high[..], &other_low[..]), (want, &*high, &*low), "{dim} {level:?}");
            }
            check_grains(row, high, low, want);
            grains.push(want);
        }
        let queries: Vec<NibbleQuery> = (0..6)
            .map(|q| {
                let mut query = NibbleQuery::default();
                query.aim(&floats(q + 50, dim));
                query
            })
            .collect();
        for plane in &planes {
            let mut want = vec![0; 54];
            nibble_dots_at(Level::SCALAR, &queries, plane, &mut want);
            for level in Level::available() {
                let mut got = vec![1; 54];
                nibble_dots_at(level, &queries, plane, &mut got);
                assert_eq!(got, want, "{dim} at {level:?}");
            }
        }
        check_products(&rows, &planes, &grains);
    }
}

/// Base, step, square and off of both precisions are those of the codes.
fn check_grains(row: &[f32], high: &[u8], low: &[u8], [coarse, fine]: [Grain; 2]) {
    assert_eq!(fine_of(coarse), (fine.base, fine.step));
    for (grain, whole) in [(coarse, false), (fine, true)] {
        let (mut square, mut off) = (0f64, 0f64);
        for (i, value) in row.iter().enumerate() {
            let (high, low) = code(high, low, i);
            let code = if whole { 16 * high + low } else { high };
            let stands = f64::from(grain.base) + f64::from(grain.step) * code as f64;
            square += stands * stands;
            off += (f64::from(*value) - stands).powi(2);
            assert!((f64::from(*value) - stands).abs() <= f64::from(grain.step) * 0.501 + 1e-5);
        }
        assert!((square - f64::from(grain.square)).abs() <= 1e-4 * square);
        assert!((off - f64::from(grain.off)).abs() <= 1e-3 * off + 1e-6);
    }
}

/// Products of codes are those of what they stand for.
fn check_products(rows: &[Vec<f32>], planes: &[Vec<u8>; 2], grains: &[[Grain; 2]]) {
    let values = floats(99, rows[0].len());
    let mut query = NibbleQuery::default();
    query.aim(&values);
    let queries = [query];
    let dots = planes.each_ref().map(|plane| {
        let mut dots = vec![0; rows.len()];
        nibble_dots_at(Level::SCALAR, &queries, plane, &mut dots);
        dots
    });
    let [query] = queries;
    for (r, row) in rows.iter().enumerate() {
        let exact: f64 = values.iter().zip(row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let [coarse, fine] = grains[r];
        let long = |square: f32| f64::from(square).sqrt();
        for (grain, dot) in [(coarse, dots[0][r]), (fine, 16 * dots[0][r] + dots[1][r])] {
            let product = f64::from(grain.base) * f64::from(query.sum)
                + f64::from(grain.step) * f64::from(dot) * f64::from(query.scale);
            let whole = long(query.square) + long(query.off);
            let error = whole * long(grain.off) + long(query.off) * long(grain.square);
            assert!((product - exact).abs() <= error * 1.001 + 1e-3, "{product} and {exact}, {error}");
        }
    }
}

#[test]
fn bars_agree_and_say_what_their_formula_says() {
    let mut query = NibbleQuery::default();
    query.aim(&floats(1, 40));
    for count in 0..=64usize {
        let columns: Vec<Vec<f32>> = (0..5).map(|c| floats(c + 2, count)).collect();
        let mut length = columns[4].clone();
        if let Some(last) = length.last_mut() {
            *last = f32::NAN;
        }
        let dots: Vec<i32> = floats(9, count).iter().map(|value| (value * 100.0) as i32).collect();
        let bar = Bar { product: 2.0, square: -0.9, miss: 1.5, spread: 1.0, length: 0.25, constant: -3.0 };
        let columns = Columns {
            base: &columns[0],
            step: &columns[1],
            square: &columns[2],
            miss: &columns[3],
            length: &length,
        };
        let mut want = 0;
        for (i, dot) in dots.iter().enumerate() {
            let grain =
                Grain { base: columns.base[i], step: columns.step[i], square: columns.square[i], off: 0.0 };
            let is_open = bar.is_open(&query, *dot, grain, (columns.miss[i], columns.length[i]));
            want |= u64::from(is_open) << i;
        }
        assert!(count == 0 || want >> (count - 1) & 1 == 1, "what is no number passes");
        for level in Level::available() {
            assert_eq!(bar.open_at(level, &query, &dots, columns), want, "{count} at {level:?}");
        }
    }
}
