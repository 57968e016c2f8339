//! Every instruction-set level against the scalar one, bit for bit, at every length, unaligned, with NaN and infinity.

use simd::{
    FAN, FanQuery, Half, Level, Op, Planes, fan_bytes, hadamard_at, put_factors, put_signs, wide_fan_bytes,
};

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn noise(seed: u64, len: usize) -> Vec<u64> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    (0..len).map(step).collect()
}

fn floats(seed: u64, len: usize) -> Vec<f32> {
    noise(seed, len)
        .iter()
        .map(|n| (*n as u32 as f32 / u32::MAX as f32 - 0.3) * 10f32.powi((n >> 40) as i32 % 5))
        .collect()
}

#[test]
fn float_kernels_agree_at_every_length() {
    for len in 0..=257 {
        let (a, b) = (floats(len as u64 + 1, len + 1), floats(len as u64 + 77, len + 1));
        for (bad, place) in
            [(0.5, 0), (f32::NAN, len / 2), (f32::INFINITY, len / 3), (f32::NEG_INFINITY, len)]
        {
            let (mut a, b) = (a.clone(), &b[1..]);
            a[place] = bad;
            let a = &a[1..];
            for op in [Op::L2, Op::Ip] {
                let want = op.pair_at(Level::SCALAR, a, b);
                for level in Level::available() {
                    let got = op.pair_at(level, a, b);
                    assert!(same(want, got), "{op:?} of {len} at {level:?}: {want} and {got}");
                    let mut rows = [0.0; 7];
                    op.rows_at(level, a, &b.repeat(7), &mut rows);
                    assert!(
                        rows.iter().all(|got| same(want, *got)),
                        "{op:?} of {len} at {level:?}: {rows:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn sums_are_right() {
    let (a, b) = (floats(3, 1000), floats(4, 1000));
    let ip: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let l2: f64 = a.iter().zip(&b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    assert!((f64::from(Op::Ip.pair(&a, &b)) - ip).abs() < l2 * 1e-5);
    assert!((f64::from(Op::L2.pair(&a, &b)) - l2).abs() < l2 * 1e-5);
}

#[test]
fn rows_chosen_and_tile_give_the_score_of_the_pair() {
    for dim in [1, 3, 15, 16, 17, 40, 100, 128, 150, 784] {
        for (nq, nr) in [(1, 1), (4, 4), (5, 7), (9, 13), (0, 5), (3, 0)] {
            let (queries, rows) = (floats(5, nq * dim), floats(6, nr * dim));
            for op in [Op::L2, Op::Ip] {
                let mut tile = vec![0.0; nq * nr];
                op.tile(dim, &queries, &rows, &mut tile);
                for q in 0..nq {
                    let query = &queries[q * dim..(q + 1) * dim];
                    let (mut dense, mut chosen) = (vec![0.0; nr], vec![0.0; nr]);
                    op.rows(query, &rows, &mut dense);
                    let ids: Vec<u32> = (0..nr as u32).rev().collect();
                    op.chosen(query, &rows, &ids, &mut chosen);
                    for r in 0..nr {
                        let want = op.pair_at(Level::SCALAR, query, &rows[r * dim..(r + 1) * dim]);
                        assert!(same(want, tile[q * nr + r]) && same(want, dense[r]));
                        assert!(same(want, chosen[nr - 1 - r]));
                    }
                }
            }
        }
    }
}

#[test]
fn byte_and_bit_kernels_agree_and_are_exact() {
    for len in 0..=300 {
        let bytes = |seed| noise(seed, len + 1).iter().map(|n| *n as u8).collect::<Vec<u8>>();
        let (a, b) = (bytes(1), bytes(2));
        let (a, b) = (&a[1..], &b[1..]);
        let signed: Vec<i8> = b.iter().map(|b| *b as i8).collect();
        let dot: i32 = a.iter().zip(&signed).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        let xor: u32 = a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
        let and: u32 = a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum();
        let or: u32 = a.iter().zip(b).map(|(a, b)| (a | b).count_ones()).sum();
        for level in Level::available() {
            let mut out = [0; 5];
            simd::dots_at(level, a, &signed, |_| 0, &mut out);
            assert_eq!(out, [dot; 5], "{len} bytes at {level:?}");
            assert_eq!(simd::hamming_at(level, a, b), xor);
            assert_eq!(simd::and_or_at(level, a, b), (and, or));
            let rows = b.repeat(7);
            let (mut differ, mut both) = ([0; 7], [(0, 0); 7]);
            simd::hamming_rows_at(level, a, &rows, &mut differ);
            simd::and_or_rows_at(level, a, &rows, &mut both);
            assert_eq!((differ, both), ([xor; 7], [(and, or); 7]));
        }
    }
}

#[test]
fn byte_sums_do_not_saturate() {
    let (a, b) = (vec![255u8; 4096], vec![-128i8; 4096]);
    for level in Level::available() {
        let mut out = [0];
        simd::dots_at(level, &a, &b, |_| 0, &mut out);
        assert_eq!(out[0], 4096 * 255 * -128);
    }
}

#[test]
fn finite_or_not() {
    for len in [0, 1, 1023, 1024, 1025, 5000] {
        let mut values = floats(8, len);
        assert!(simd::all_finite(&values));
        for bad in [f32::NAN, f32::INFINITY] {
            if let Some(last) = values.last_mut() {
                *last = bad;
                assert!(!simd::all_finite(&values));
            }
        }
    }
}

/// Little-endian two-byte floats of every sort, with one byte before them, so that they stand at an odd address.
fn halves(seed: u64, len: usize) -> Vec<u8> {
    let bytes = noise(seed, len).into_iter().flat_map(|n| ((n >> 7) as u16).to_le_bytes());
    [0].into_iter().chain(bytes).collect()
}

#[test]
fn half_kernels_score_as_widened_rows_do_at_every_length() {
    for half in [Half::F16, Half::Bf16] {
        for len in 0..=257 {
            let (query, row) = (floats(len as u64 + 3, len + 1), halves(len as u64 + 5, len));
            let (query, row) = (&query[1..], &row[1..]);
            let mut wide = vec![0.0; len];
            half.widen_at(Level::SCALAR, row, &mut wide);
            for op in [Op::L2, Op::Ip] {
                let want = op.pair_at(Level::SCALAR, query, &wide);
                let mut each = [0.0; 5];
                half.each(op, query, row, |_| 0, &mut each);
                for level in Level::available() {
                    let mut again = vec![0.0; len];
                    half.widen_at(level, row, &mut again);
                    assert!(wide.iter().zip(&again).all(|(a, b)| same(*a, *b)), "{len} at {level:?}");
                    let got = half.pair_at(level, op, query, row);
                    assert!(same(want, got), "{half:?} {op:?} of {len} at {level:?}: {want} and {got}");
                    let mut rows = [0.0; 7];
                    // At an odd address.
                    half.rows_at(level, op, query, &[&[0], &row.repeat(7)[..]].concat()[1..], &mut rows);
                    assert!(rows.iter().all(|got| same(want, *got)), "{half:?} {op:?} of {len} at {level:?}");
                }
                assert!(each.iter().all(|got| same(want, *got)));
            }
        }
    }
}

#[test]
fn every_two_byte_float_widens_and_narrows_back_and_lies_where_it_should() {
    for half in [Half::F16, Half::Bf16] {
        let mut before = f32::NEG_INFINITY;
        // From the most negative number to the greatest.
        for n in (0..=0x7fffu16).rev().map(|n| n | 0x8000).chain(0..=0x7fff) {
            let mut wide = [0.0];
            half.widen(&n.to_le_bytes(), &mut wide);
            let [wide] = wide;
            if wide.is_nan() {
                continue;
            }
            assert_eq!(half.narrow(wide), n.to_le_bytes(), "{half:?} {n:#x} is {wide}");
            assert!(wide >= before, "{half:?} {n:#x}");
            if wide.is_finite() && before.is_finite() {
                // Halfway between two neighbours the even one is taken, a little farther the nearer.
                let middle = before + (wide - before) / 2.0;
                let even = if n & 1 == 0 { wide } else { before };
                let mut back = [0.0];
                half.widen(&half.narrow(middle), &mut back);
                assert!(back[0] == even || wide == before, "{half:?} {middle} became {}", back[0]);
            }
            before = wide;
        }
    }
    let mut known = [0.0; 6];
    Half::F16.widen(&[0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x00, 0x04, 0x01, 0x00, 0x00, 0xfc], &mut known);
    assert_eq!(known, [1.0, -2.0, 65504.0, 6.103_515_6e-5, 5.960_464_5e-8, f32::NEG_INFINITY]);
}

#[test]
fn signed_kernels_agree_and_are_exact() {
    for len in (0..=257).chain([32_768]) {
        let bytes = |seed| noise(seed, len + 1).iter().map(|n| *n as i8).collect::<Vec<i8>>();
        let (a, b) = (bytes(1), bytes(2));
        let extremes = [(127, -128), (-128, 127), (-128, -128)].map(|(a, b)| (vec![a; len], vec![b; len]));
        for (a, b) in [(&a[1..], &b[1..])].into_iter().chain(extremes.iter().map(|(a, b)| (&a[..], &b[..]))) {
            let pairs = || a.iter().zip(b).map(|(a, b)| (i64::from(*a), i64::from(*b)));
            let ip: i64 = pairs().map(|(a, b)| a * b).sum();
            let l2: i64 = pairs().map(|(a, b)| (a - b) * (a - b)).sum();
            for level in Level::available() {
                assert_eq!(i64::from(Op::Ip.signed_pair_at(level, a, b)), ip, "{len} at {level:?}");
                assert_eq!(i64::from(Op::L2.signed_pair_at(level, a, b)), l2, "{len} at {level:?}");
            }
            Op::L2.signed_each(a, b, |_| 0, |_, sum| assert_eq!(i64::from(sum), l2), 6);
            for (op, want) in [(Op::L2, l2), (Op::Ip, ip)] {
                for level in Level::available() {
                    let mut sums = [0; 7];
                    op.signed_rows_at(level, a, &b.repeat(7), &mut sums);
                    assert!(sums.iter().all(|sum| i64::from(*sum) == want), "{len} in a row at {level:?}");
                }
            }
        }
    }
}

#[test]
fn packed_codes_multiply_as_codes_do_at_every_length_and_width() {
    for bits in 1..=9 {
        let planes = Planes::new(bits).unwrap();
        for len in (0..=257).chain([32_768]) {
            let codes: Vec<u16> =
                noise(bits as u64, len).iter().map(|n| *n as u16 & ((1 << bits) - 1)).collect();
            let query: Vec<i8> = noise(77, len).iter().map(|n| (*n as i8).max(-127)).collect();
            for (codes, query) in [(codes, query), (vec![(1 << bits) - 1; len], vec![-127; len])] {
                let want: i64 = codes.iter().zip(&query).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum();
                // At an odd address.
                let mut packed = vec![0; planes.row_bytes(len) + 1];
                planes.pack(&codes, &mut packed[1..]);
                let mut chunks = vec![[0i8; 64]; len.div_ceil(64)];
                chunks.as_flattened_mut()[..len].copy_from_slice(&query);
                for level in Level::available() {
                    let mut out = [0; 5];
                    planes.dots_at(level, &chunks, &packed, |_| 1, &mut out);
                    assert_eq!(out.map(i64::from), [want; 5], "{bits} bits, {len} at {level:?}");
                }
            }
        }
    }
    assert!(Planes::new(0).is_none() && Planes::new(10).is_none());
}

#[test]
fn scores_of_columns_agree() {
    for (dim, count) in
        [0, 1, 2, 7].into_iter().flat_map(|dim| [1, 15, 16, 17, 256].map(|count| (dim, count)))
    {
        let (point, columns) = (floats(1, dim), floats(2, dim * count));
        for op in [Op::L2, Op::Ip] {
            let (mut want, mut got) = (vec![0.0; count], vec![0.0; count]);
            op.columns_at(Level::SCALAR, &point, &columns, &mut want);
            for level in Level::available() {
                op.columns_at(level, &point, &columns, &mut got);
                assert!(want.iter().zip(&got).all(|(a, b)| same(*a, *b)), "{dim} x {count} at {level:?}");
            }
            for (c, want) in want.iter().enumerate() {
                let column: Vec<f32> = (0..dim).map(|d| columns[d * count + c]).collect();
                let slack = 1e-5 * (1.0 + Op::L2.pair(&point, &column));
                assert!((op.pair(&point, &column) - want).abs() <= slack);
            }
        }
    }
}

/// Fans as they were before, with the signs of `fans`: weights `0.5 + place`, and `place - 3` to add.
fn wide_fans(fans: &[u8], dim: usize) -> Vec<u8> {
    let adds = (0..FAN).map(|place| place as f32 - 3.0);
    let weights = (0..FAN).map(|place| 0.5 + place as f32);
    let factors: Vec<u8> = adds.chain(weights).flat_map(|value| Half::Bf16.narrow(value)).collect();
    let wide: Vec<u8> =
        fans.chunks_exact(dim / 8 * FAN).flat_map(|signs| [&factors, signs].concat()).collect();
    assert_eq!(wide.len(), 2 * wide_fan_bytes(dim));
    wide
}

#[test]
fn fans_score_alike_at_every_level_and_as_their_signs_say() {
    for dim in (32..=416).step_by(32).chain([2048]) {
        let center = floats(1, dim);
        let (mut fans, mut products) = (vec![0u8; 2 * fan_bytes(dim)], Vec::new());
        let query: Vec<f32> = floats(2, dim).iter().map(|value| value - 100.0).collect();
        let ranges = query.chunks(4).map(|four| four.iter().map(|value| 2.0 * value.abs()).sum::<f32>());
        // Half a step of a table's entry for each four elements.
        let step = ranges.clone().fold(0f32, f32::max).max(ranges.sum::<f32>() / 500.0) / 127.0;
        let error = step * dim as f32 / 8.0;
        for place in 0..2 * FAN {
            let row = floats((3 + place) as u64, dim);
            let signs = put_signs(&center, &row, place, &mut fans);
            let rest = row.iter().zip(&center).map(|(row, center)| row - center);
            let absolute: f32 = rest.clone().map(f32::abs).sum();
            assert!((signs.absolute - absolute).abs() <= 1e-4 * absolute);
            let product: f32 =
                rest.zip(&query).map(|(rest, query)| if rest < 0.0 { -query } else { *query }).sum();
            products.push(product);
        }
        let weights: Vec<_> = (0..2 * FAN).map(|place| Some(0.5 + (place % FAN) as f32)).collect();
        put_factors(&weights, |place, _| (place % FAN) as f32 - 3.0, &mut fans);
        // The same fans, each by itself.
        let (signs, factors) = fans.split_at(2 * (dim / 8 * FAN));
        let of = |f: usize| {
            let (signs, factors) =
                (signs.chunks_exact(dim / 8 * FAN), factors.chunks_exact(factors.len() / 2));
            signs.zip(factors).nth(f).map(|(signs, factors)| [signs, factors].concat()).unwrap_or_default()
        };
        let wide = wide_fans(signs, dim);
        let (of_wide, _) = wide.split_at(wide.len() / 2);
        let both =
            [[fans.clone(), of(0), of(1)], [wide.clone(), of_wide.to_vec(), wide[of_wide.len()..].to_vec()]];
        // A byte of the new factors says 1 / 17, and a step of their scale a little more.
        for ([fans, first, second], off) in both.iter().zip([0.5 / 17.0 * 1.01, 0.0]) {
            let mut aimed = FanQuery::default();
            aimed.aim(&query);
            let limit = 40.0;
            let mut scalar = [0.0; 2 * FAN];
            let below = aimed.scores_at(Level::SCALAR, fans, (7.0, limit), &mut scalar);
            for (i, (product, score)) in products.iter().zip(scalar).enumerate() {
                let (add, weight) = ((i % FAN) as f32 - 3.0, 0.5 + (i % FAN) as f32);
                let want = 7.0 + (add - weight * product);
                let slack = 1.01 * (weight + off) * error + off * (1.0 + product.abs());
                assert!((want - score).abs() <= slack, "{dim}: {want} and {score}");
                assert_eq!(below >> i & 1 == 1, score < limit);
            }
            for level in Level::available() {
                for (fans, from, count) in [(fans, 0, 2 * FAN), (first, 0, FAN), (second, FAN, FAN)] {
                    let mut out = [0.0; 2 * FAN];
                    let mask = aimed.scores_at(level, fans, (7.0, limit), &mut out);
                    let alike = out[..count].iter().zip(&scalar[from..]).all(|(a, b)| same(*a, *b));
                    assert!(alike, "{level:?} {dim}");
                    assert_eq!(u64::from(mask), u64::from(below) >> from & ((1 << count) - 1));
                }
            }
        }
    }
}

#[test]
fn factors_of_a_fan_are_kept_to_half_a_step_whatever_they_are() {
    // What is added to a score with a query of zeros.
    let added = |values: [Option<f32>; FAN]| {
        let mut fan = vec![0u8; fan_bytes(32)];
        put_factors(
            &values.map(|value| value.map(|_| 1.0)),
            |place, weight| {
                assert!((weight - 1.0).abs() < 1e-6);
                values[place].unwrap_or_default()
            },
            &mut fan,
        );
        let (mut aimed, mut out) = (FanQuery::default(), [0.0; 2 * FAN]);
        aimed.aim(&[0.0; 32]);
        aimed.scores(&fan, (0.0, f32::INFINITY), &mut out);
        out
    };
    for spread in [0.0f32, 1e-20, 0.3, 7.0, 1e20] {
        for middle in [0.0f32, 1.0, -5.0, 1e6, -1e20] {
            let some = |place: usize| middle + spread * (place as f32 - 7.0);
            let got = added(std::array::from_fn(|place| (place % 5 != 4).then(|| some(place))));
            // The scale begins at a number of 8 bits and goes in steps of one.
            let step = (15.0 * spread + middle.abs() / 128.0 + 7.0 * spread / 128.0) / 255.0 * 1.01;
            for place in (0..FAN).filter(|place| place % 5 != 4) {
                let off = (got[place] - some(place)).abs();
                assert!(off <= 0.5 * step + 1e-6 * some(place).abs(), "{spread} {middle}: {off}");
            }
        }
    }
    // What has no bounds leaves the others their order.
    let got = added(std::array::from_fn(|place| {
        Some(if place == 3 { f32::INFINITY } else { 1e36 * place as f32 })
    }));
    assert!((0..FAN).all(|place| got[place].is_finite() && got[place] <= got[3]));
    assert!(got[0] < got[1] && got[1] < got[2]);
    let got = added(std::array::from_fn(|place| Some(if place == 3 { f32::NAN } else { 1.0 })));
    assert!((0..FAN).all(|place| got[place] <= got[3]));
    assert!(added([None; FAN]).iter().all(|score| score.is_finite()));
}

#[test]
fn transforms_agree_and_undo_themselves() {
    for power in 0..=11 {
        let values = floats(power, 1 << power);
        let mut want = values.clone();
        hadamard_at(Level::SCALAR, &mut want);
        for level in Level::available() {
            let mut got = values.clone();
            hadamard_at(level, &mut got);
            assert!(want.iter().zip(&got).all(|(a, b)| same(*a, *b)), "{level:?} {power}");
            hadamard_at(level, &mut got);
            assert!(values.iter().zip(&got).all(|(a, b)| (a - b).abs() < 1e-2), "{level:?} {power}");
        }
    }
}

#[test]
fn rows_after_one_another_score_as_their_pairs_do() {
    const ROWS: usize = 7;
    for dim in [1, 16, 17, 31, 33, 63, 65, 127, 128, 129, 255, 256, 260, 600] {
        let (query, rows) = (floats(1, dim), floats(2, ROWS * dim));
        let halves = &halves(3, ROWS * dim)[1..];
        let bytes: Vec<u8> = noise(4, (ROWS + 1) * dim).iter().map(|n| *n as u8).collect();
        let signed: Vec<i8> = bytes.iter().map(|byte| *byte as i8).collect();
        for (level, op) in Level::available().into_iter().flat_map(|level| [(level, Op::L2), (level, Op::Ip)])
        {
            let mut scores = [0.0; ROWS];
            op.rows_at(level, &query, &rows, &mut scores);
            for (score, row) in scores.iter().zip(rows.chunks_exact(dim)) {
                assert!(same(*score, op.pair_at(Level::SCALAR, &query, row)), "{op:?} {dim} at {level:?}");
            }
            for half in [Half::F16, Half::Bf16] {
                half.rows_at(level, op, &query, halves, &mut scores);
                for (score, row) in scores.iter().zip(halves.chunks_exact(2 * dim)) {
                    let want = half.pair_at(Level::SCALAR, op, &query, row);
                    assert!(same(*score, want), "{half:?} {op:?} {dim} at {level:?}");
                }
            }
            let ((query, rows), mut sums) = (signed.split_at(dim), [0; ROWS]);
            op.signed_rows_at(level, query, rows, &mut sums);
            for (sum, row) in sums.iter().zip(rows.chunks_exact(dim)) {
                assert_eq!(*sum, op.signed_pair_at(Level::SCALAR, query, row), "{op:?} {dim} at {level:?}");
            }
            let ((query, rows), mut differ, mut both) = (bytes.split_at(dim), [0; ROWS], [(0, 0); ROWS]);
            simd::hamming_rows_at(level, query, rows, &mut differ);
            simd::and_or_rows_at(level, query, rows, &mut both);
            for (r, row) in rows.chunks_exact(dim).enumerate() {
                assert_eq!(differ[r], simd::hamming_at(Level::SCALAR, query, row), "{dim} at {level:?}");
                assert_eq!(both[r], simd::and_or_at(Level::SCALAR, query, row), "{dim} at {level:?}");
            }
        }
    }
}
