//! Rows of signed bytes side by side, for many queries. Invariant: exact sums, the same at every [`Level`].
//!
//! Of sixteen rows the first four elements lie together, then the next four, and so on: what an instruction multiplies and adds
//! belongs to sixteen rows, so that no sum is over lanes, and eight queries share each load.

use crate::Level;
#[cfg(target_arch = "x86_64")]
use crate::level::Tier;

/// Rows side by side.
pub const TILE_ROWS: usize = 16;
/// Queries held against them together.
pub const TILE_QUERIES: usize = 8;

/// Four elements of sixteen rows.
type Lanes = [i8; 4 * TILE_ROWS];

/// Rows of one length.
#[derive(Debug, Clone)]
pub struct Tiles {
    rows: usize,
    /// Elements of a row in fours.
    fours: usize,
    lanes: Vec<Lanes>,
}

impl Tiles {
    /// Takes rows of `dim` elements.
    ///
    /// # Panics
    /// When a row is of another length.
    pub fn new<'a>(dim: usize, rows: impl ExactSizeIterator<Item = &'a [i8]>) -> Self {
        let (count, fours) = (rows.len(), dim.div_ceil(4));
        let mut lanes = vec![[0; 4 * TILE_ROWS]; count.div_ceil(TILE_ROWS) * fours];
        for (i, row) in rows.enumerate() {
            assert_eq!(row.len(), dim, "rows of one length");
            let tile = &mut lanes[i / TILE_ROWS * fours..][..fours];
            for (four, lanes) in row.chunks(4).zip(tile) {
                lanes[i % TILE_ROWS * 4..][..four.len()].copy_from_slice(four);
            }
        }
        Self { rows: count, fours, lanes }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How long a query must be: rows up to a multiple of four.
    pub fn query_bytes(&self) -> usize {
        4 * self.fours
    }

    /// The products of unsigned queries and the rows from `16 tile` on; those of rows that are not there are 0.
    ///
    /// # Panics
    /// When a query is shorter than [`Tiles::query_bytes`], or there is no such tile.
    pub fn dots(
        &self,
        queries: [&[u8]; TILE_QUERIES],
        tile: usize,
        out: &mut [[i32; TILE_ROWS]; TILE_QUERIES],
    ) {
        self.dots_at(Level::current(), queries, tile, out);
    }

    /// [`Tiles::dots`] at a chosen level.
    ///
    /// # Panics
    /// As there.
    pub fn dots_at(
        &self,
        level: Level,
        queries: [&[u8]; TILE_QUERIES],
        tile: usize,
        out: &mut [[i32; TILE_ROWS]; TILE_QUERIES],
    ) {
        let lanes = &self.lanes[tile * self.fours..(tile + 1) * self.fours];
        let queries = queries.map(|query| &query.as_chunks::<4>().0[..self.fours]);
        match level.tier() {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: a `Level` above the scalar one comes from detection alone, so the CPU has these instructions.
            Tier::Avx512 => unsafe { avx512(queries, lanes, out) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: as above.
            Tier::Avx2 => unsafe { avx2(queries, lanes, out) },
            _ => plain(queries, lanes, out),
        }
    }
}

/// The meaning of it.
fn plain(queries: [&[[u8; 4]]; TILE_QUERIES], lanes: &[Lanes], out: &mut [[i32; TILE_ROWS]; TILE_QUERIES]) {
    for (query, out) in queries.iter().zip(out) {
        *out = [0; TILE_ROWS];
        for (four, lanes) in query.iter().zip(lanes) {
            for (sum, row) in out.iter_mut().zip(lanes.as_chunks::<4>().0) {
                *sum += four.iter().zip(row).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>();
            }
        }
    }
}

/// Products as words of 16 bits: two sums a row, added up at the end.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "the vector loads and stores")]
fn avx2(queries: [&[[u8; 4]]; TILE_QUERIES], lanes: &[Lanes], out: &mut [[i32; TILE_ROWS]; TILE_QUERIES]) {
    use std::arch::x86_64::*;
    for (query, out) in queries.iter().zip(out) {
        let mut sums = [_mm256_setzero_si256(); 4];
        for (four, lanes) in query.iter().zip(lanes) {
            let four = _mm256_cvtepu8_epi16(_mm_set1_epi32(i32::from_le_bytes(*four)));
            for (sum, lanes) in sums.iter_mut().zip(lanes.as_chunks::<16>().0) {
                // SAFETY: sixteen bytes, no alignment needed.
                let lanes = _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(lanes.as_ptr().cast()) });
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(four, lanes));
            }
        }
        let pairs = [_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3])];
        for (pair, out) in pairs.into_iter().zip(out.as_chunks_mut::<8>().0) {
            // Rows 0 1 4 5 2 3 6 7.
            let ordered = _mm256_permute4x64_epi64::<0b11_01_10_00>(pair);
            // SAFETY: eight numbers, no alignment needed.
            unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), ordered) };
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "the vector loads and stores")]
fn avx512(queries: [&[[u8; 4]]; TILE_QUERIES], lanes: &[Lanes], out: &mut [[i32; TILE_ROWS]; TILE_QUERIES]) {
    use std::arch::x86_64::*;
    let queries = queries.map(|query| &query[..lanes.len()]);
    let mut sums = [_mm512_setzero_si512(); TILE_QUERIES];
    for (c, lanes) in lanes.iter().enumerate() {
        // SAFETY: 64 bytes, no alignment needed.
        let lanes = unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) };
        for (sum, query) in sums.iter_mut().zip(&queries) {
            *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi32(i32::from_le_bytes(query[c])), lanes);
        }
    }
    for (sum, out) in sums.into_iter().zip(out) {
        // SAFETY: sixteen numbers, no alignment needed.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sum) };
    }
}
