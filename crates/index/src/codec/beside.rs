//! Byte rows side by side, for sharing rows out to centroids. Invariant: scores are those of [`ByteRows`], bit for bit.

use simd::{TILE_QUERIES, TILE_ROWS, Tiles};

use super::byte::{Factors, SHIFT};
use super::{ByteRows, Bytes8};

/// Some byte rows, sixteen side by side.
#[derive(Debug)]
pub(crate) struct Beside {
    tiles: Tiles,
    factors: Vec<Columns>,
}

/// What is kept of sixteen rows beside their codes.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    scale: [f32; TILE_ROWS],
    norm: [f32; TILE_ROWS],
    lift: [f32; TILE_ROWS],
    /// What the shift of a query's codes adds to a product.
    shift: [i32; TILE_ROWS],
}

impl Beside {
    /// Some of `rows`.
    pub(super) fn of(rows: &ByteRows<'_>, dim: usize, chosen: &[u32]) -> Self {
        let tiles = Tiles::new(dim, chosen.iter().map(|row| rows.coded(*row).0));
        let mut factors = vec![Columns::default(); chosen.len().div_ceil(TILE_ROWS)];
        for (i, row) in chosen.iter().enumerate() {
            let Factors { scale, norm, lift, sum } = rows.factors(*row);
            let (columns, lane) = (&mut factors[i / TILE_ROWS], i % TILE_ROWS);
            (columns.scale[lane], columns.norm[lane], columns.lift[lane]) = (scale, norm, lift);
            columns.shift[lane] = SHIFT.wrapping_mul(sum);
        }
        Self { tiles, factors }
    }

    /// Scores of the rows from `16 tile` on, for each probe; those of rows that are not there mean nothing.
    pub(super) fn scores(&self, tile: usize, probes: &[Bytes8], out: &mut [[f32; TILE_ROWS]]) {
        let mut dots = [[0; TILE_ROWS]; TILE_QUERIES];
        for (probes, out) in probes.chunks(TILE_QUERIES).zip(out.chunks_mut(TILE_QUERIES)) {
            let query = |q: usize| &probes[q.min(probes.len() - 1)].codes[..];
            self.tiles.dots(std::array::from_fn(query), tile, &mut dots);
            for ((probe, out), dots) in probes.iter().zip(out).zip(&dots) {
                let Columns { scale, norm, lift, shift } = &self.factors[tile];
                for lane in 0..TILE_ROWS {
                    let dot = dots[lane].wrapping_sub(shift[lane]) as f32;
                    let product = probe.scale * scale[lane] * dot + probe.lift * lift[lane];
                    out[lane] = probe.norm + norm[lane] - 2.0 * product;
                }
            }
        }
    }
}
