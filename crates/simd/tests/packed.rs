//! Blocks of four-bit codes: every level against the meaning, at every number of tables and odd addresses.

use simd::{Level, Lookups};

fn noise(seed: u64, len: usize) -> Vec<u64> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    (0..len).map(step).collect()
}

fn floats(seed: u64, len: usize) -> Vec<f32> {
    noise(seed, len).iter().map(|n| (*n as u32 as f32 / u32::MAX as f32 - 0.4) * 8.0).collect()
}

#[test]
fn levels_agree_and_come_near_to_the_sum_of_the_tables() {
    for codes in 0..=257usize {
        let tables: Vec<[f32; 16]> = floats(codes as u64, codes * 16).as_chunks::<16>().0.to_vec();
        let rows = if codes % 3 == 0 { 32 } else { codes % 33 };
        let numbers = noise(7, 32 * codes.max(1));
        let code = |row: usize, table: usize| (numbers[row * codes + table] & 15) as u8;
        let factors = floats(9, 64);
        // At an odd address.
        let mut room = vec![0; Lookups::block_bytes(codes) + 1];
        let block = &mut room[1..];
        Lookups::pack((rows, codes), code, |row| (factors[row], factors[row + 32]), block);
        let mut lookups = Lookups::default();
        lookups.aim(&tables, 2.0);
        let mut want = [0.0; 32];
        let near = lookups.scores_at(Level::SCALAR, block, 0.5, 1.0, &mut want);
        let slack = 8.0 * codes as f32 * (1.0 / 255.0 + codes as f32 / 60_000.0) * 4.0 + 1e-4;
        for row in 0..rows {
            let sum: f32 = tables.iter().enumerate().map(|(t, table)| table[usize::from(code(row, t))]).sum();
            let exact = factors[row + 32] + 0.5 - factors[row] * 2.0 * sum;
            assert!((want[row] - exact).abs() <= slack, "{codes}: {} and {exact}", want[row]);
        }
        for (row, score) in want.iter().enumerate() {
            assert_eq!(near >> row & 1 == 1, *score <= 1.0);
            assert_eq!(row < rows, score.is_finite());
        }
        for level in Level::available() {
            let mut got = [0.0; 32];
            assert_eq!(lookups.scores_at(level, block, 0.5, 1.0, &mut got), near, "{level:?}");
            assert_eq!(got.map(f32::to_bits), want.map(f32::to_bits), "{codes} at {level:?}");
        }
    }
}

#[test]
fn sums_never_wrap_and_flat_tables_add_what_they_say() {
    let codes = 2000;
    let mut table = [0.0; 16];
    table[3] = 10.0;
    let mut block = vec![0; Lookups::block_bytes(codes)];
    Lookups::pack((32, codes), |row, _| if row == 5 { 3 } else { 0 }, |_| (-1.0, 0.0), &mut block);
    let mut lookups = Lookups::default();
    lookups.aim(&vec![table; codes], 1.0);
    let mut scores = [0.0; 32];
    lookups.scores(&block, 0.0, 0.0, &mut scores);
    assert!((scores[5] - 20_000.0).abs() < 320.0 && scores[6] == 0.0, "{scores:?}");
    lookups.aim(&vec![[0.25; 16]; codes], 1.0);
    lookups.scores(&block, 0.0, 0.0, &mut scores);
    assert_eq!(scores, [500.0; 32]);
}

#[test]
fn signs_are_summed_as_tables_of_them_are() {
    for dim in [4, 36, 480, 4096] {
        let query = floats(dim as u64, dim);
        let signed = |four: &[f32], bits: usize| -> f32 {
            four.iter().enumerate().map(|(i, value)| if bits >> i & 1 == 1 { *value } else { -value }).sum()
        };
        let tables: Vec<[f32; 16]> =
            query.chunks(4).map(|four| std::array::from_fn(|bits| signed(four, bits))).collect();
        let codes = noise(dim as u64 + 1, 32 * dim / 4);
        let mut block = vec![0; Lookups::block_bytes(dim / 4)];
        let code = |row: usize, code: usize| (codes[row * dim / 4 + code] >> 60) as u8;
        Lookups::pack((32, dim / 4), code, |_| (-1.0, 0.0), &mut block);
        let (mut slow, mut fast) = (Lookups::default(), Lookups::default());
        slow.aim(&tables, 2.0);
        fast.aim_signs(&query, 2.0);
        let (mut want, mut got) = ([0.0; 32], [0.0; 32]);
        slow.scores(&block, 0.0, f32::INFINITY, &mut want);
        fast.scores(&block, 0.0, f32::INFINITY, &mut got);
        let size: f32 = query.iter().map(|value| value.abs()).sum();
        for (want, got) in want.iter().zip(got) {
            assert!((want - got).abs() <= 0.002 * size, "{dim}: {want} and {got} of {size}");
        }
        fast.aim_signs(&vec![0.0; dim], 2.0);
        fast.scores(&block, 1.0, f32::INFINITY, &mut got);
        assert_eq!(got, [1.0; 32]);
    }
}

#[test]
fn tables_of_books_are_plain_sums() {
    for (width, rounds, parts) in [(1, 1, 9), (2, 1, 65), (3, 2, 5), (8, 3, 4)] {
        let (query, books) = (floats(3, parts * width), floats(5, parts * rounds * width * 16));
        let mut tables = vec![[7.0; 16]];
        Lookups::products(&query, (width, rounds), &books, &mut tables);
        assert_eq!(tables.len(), parts * rounds);
        for (i, table) in tables.iter().enumerate() {
            for (entry, got) in table.iter().enumerate() {
                let element = |e: usize| query[i / rounds * width + e] * books[(i * width + e) * 16 + entry];
                assert_eq!(*got, (0..width).map(element).fold(0.0, |sum, product| sum + product));
            }
        }
    }
}
