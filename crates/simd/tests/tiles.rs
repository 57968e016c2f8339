//! Rows of bytes side by side: every level against plain sums, at every length.

use simd::{Level, TILE_QUERIES, TILE_ROWS, Tiles};

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let step = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as u8
    };
    (0..len).map(step).collect()
}

#[test]
fn levels_agree_with_plain_sums() {
    for dim in 0..=257usize {
        let count = 1 + dim % 40;
        let rows: Vec<i8> = noise(dim as u64, dim * count).iter().map(|byte| byte.cast_signed()).collect();
        let queries = noise(99, dim.next_multiple_of(4) * TILE_QUERIES);
        let row = |row: usize| &rows[row * dim..][..dim];
        let tiles = Tiles::new(dim, (0..count).map(row));
        assert_eq!((tiles.rows(), tiles.query_bytes()), (count, dim.next_multiple_of(4)));
        let query = |q: usize| &queries[q * tiles.query_bytes()..][..tiles.query_bytes()];
        for tile in 0..count.div_ceil(TILE_ROWS) {
            for level in Level::available() {
                let mut out = [[7; TILE_ROWS]; TILE_QUERIES];
                tiles.dots_at(level, std::array::from_fn(query), tile, &mut out);
                for (q, out) in out.iter().enumerate() {
                    for (lane, got) in out.iter().enumerate() {
                        let products = |i: usize| {
                            query(q).iter().zip(row(i)).map(|(a, b)| i32::from(*a) * i32::from(*b))
                        };
                        let i = tile * TILE_ROWS + lane;
                        let want = if i < count { products(i).sum::<i32>() } else { 0 };
                        assert_eq!(*got, want, "{dim}, query {q}, row {i} at {level:?}");
                    }
                }
            }
        }
    }
}
