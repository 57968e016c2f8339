//! Codes of four bits in blocks of 32 rows, and sums of what tables say of them. Invariant: sums of table entries are exact
//! and scores are plain products and sums in one order, so the same at every [`Level`].
//!
//! This is the layout of "FastScan" (André, Kermarrec and Le Scouarnec, "Cache locality is not enough: high-performance
//! nearest neighbor search with product quantization fast scan", VLDB 2015): one instruction looks 16 to 64 codes up in
//! tables that fit into a register. A block has 16 bytes for each table, and byte `j` of them holds the code of row `j` in
//! its lower half and that of row `j + 16` in its upper half. After the codes come 32 f32 scales and 32 f32 biases, one a row.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use crate::Level;
use crate::level::Tier;

/// Chooses the kernel, as `crate::kernel` does; NEON has what the compiler makes of the plain one.
macro_rules! dispatch {
    ($level:expr, $name:ident ( $($arg:expr),* )) => {
        match $level.tier() {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: a `Level` above the scalar one comes from detection alone, so the CPU has these instructions.
            Tier::Avx512 => unsafe { avx512::$name($($arg),*) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: as above.
            Tier::Avx2 => unsafe { avx2::$name($($arg),*) },
            _ => scalar::$name($($arg),*),
        }
    };
}

/// Rows of a block.
const ROWS: usize = 32;
/// Tables that are read together; others are filled up with zeros.
const GROUP: usize = 4;
/// Bytes of the scales and biases of a block.
const FACTORS: usize = 2 * ROWS * size_of::<f32>();
/// The largest sum of entries.
const MOST: f32 = 65_535.0;

/// How a sum of entries becomes the score of a row: `(bias + term) - scale * (offset + step * sum)`.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    offset: f32,
    step: f32,
    term: f32,
    limit: f32,
}

/// A query as tables of 16 entries for each code, rounded to bytes.
#[derive(Debug, Clone, Default)]
pub struct Lookups {
    /// Four tables each.
    tables: Vec<[u8; 16 * GROUP]>,
    offset: f32,
    step: f32,
}

impl Lookups {
    /// Rows of a block.
    pub const ROWS: usize = ROWS;

    /// Bytes of a block whose rows have `codes` codes each.
    pub const fn block_bytes(codes: usize) -> usize {
        codes.div_ceil(GROUP) * GROUP * 16 + FACTORS
    }

    /// Takes the tables of another query. What is summed up is then `weight` times the entries, rounded to 256 levels between
    /// the least and the greatest of each table, fewer where sums would come to more than 65,535.
    pub fn aim(&mut self, tables: &[[f32; 16]], weight: f32) {
        let mut floors = vec![0.0; tables.len()];
        let [widest, whole, offset] = dispatch!(Level::current(), ranges(tables, &mut floors));
        // Rounding may lift every entry by a half.
        let room = (MOST - tables.len() as f32).max(1.0);
        let step = (widest / 255.0).max(whole / room);
        self.tables.clear();
        self.tables.resize(tables.len().div_ceil(GROUP), [0; 16 * GROUP]);
        (self.offset, self.step) = (weight * offset, 0.0);
        if !(step > 1e-30 && step < 1e30) {
            return;
        }
        self.step = weight * step;
        let out = self.tables.as_flattened_mut().as_chunks_mut().0;
        dispatch!(Level::current(), round(tables, &floors, 1.0 / step, out));
    }

    /// The tables of a query whose codes are entries of books: products of the parts of `query` and sixteen entries each: `books` has for every part
    /// `width` rows of sixteen, `rounds` times. Sums are plain, in the order of the elements.
    ///
    /// # Panics
    /// When the books are not of that size.
    pub fn products(
        query: &[f32],
        (width, rounds): (usize, usize),
        books: &[f32],
        tables: &mut Vec<[f32; 16]>,
    ) {
        let count = query.len() / width.max(1) * rounds;
        let (books, rest) = books.as_chunks::<16>();
        assert!(rest.is_empty() && books.len() == count * width, "a book for every part and round");
        tables.clear();
        tables.resize(count, [0.0; 16]);
        dispatch!(Level::current(), products(query, (width, rounds), books, tables));
    }

    /// Takes another query whose codes are the signs of four elements each, the first one lowest: what is summed up is then about
    /// `weight` times the elements, those negative whose bit is 0. As [`Lookups::aim`] with the tables that this makes, but faster.
    ///
    /// # Panics
    /// When the length of the query is no multiple of four.
    pub fn aim_signs(&mut self, query: &[f32], weight: f32) {
        let (fours, rest) = query.as_chunks::<4>();
        assert!(rest.is_empty(), "whole codes");
        let (mut widest, mut whole) = (0f32, 0f32);
        for four in fours {
            let range = 2.0 * four.iter().map(|value| value.abs()).sum::<f32>();
            widest = widest.max(range);
            whole += range;
        }
        let step = (widest / 255.0).max(whole / (MOST - fours.len() as f32).max(1.0));
        self.tables.clear();
        self.tables.resize(fours.len().div_ceil(GROUP), [0; 16 * GROUP]);
        (self.offset, self.step) = (-weight * whole / 2.0, 0.0);
        if !(step > 1e-30 && step < 1e30) {
            return;
        }
        self.step = weight * step;
        let out = self.tables.as_flattened_mut().as_chunks_mut().0;
        dispatch!(Level::current(), signs(fours, 1.0 / step, out));
    }

    /// Scores of the 32 rows of a block, and one bit for each that is `limit` or less.
    ///
    /// # Panics
    /// When the block has not as many bytes as [`Lookups::block_bytes`] says of the tables.
    #[inline]
    pub fn scores(&self, block: &[u8], term: f32, limit: f32, out: &mut [f32; ROWS]) -> u32 {
        self.scores_at(Level::current(), block, term, limit, out)
    }

    /// [`Lookups::scores`] at a chosen level.
    ///
    /// # Panics
    /// As there.
    #[inline]
    pub fn scores_at(&self, level: Level, block: &[u8], term: f32, limit: f32, out: &mut [f32; ROWS]) -> u32 {
        let (chunks, rest) = block.as_chunks::<{ 16 * GROUP }>();
        assert!(
            rest.is_empty() && chunks.len() == self.tables.len() + FACTORS / (16 * GROUP),
            "a block of as many codes as there are tables"
        );
        let (codes, factors) = chunks.split_at(self.tables.len());
        let factors: &[u8; FACTORS] = factors.as_flattened().first_chunk().unwrap_or(&[0; FACTORS]);
        let line = Line { offset: self.offset, step: self.step, term, limit };
        match level.tier() {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: a `Level` above the scalar one comes from detection alone, so the CPU has these instructions.
            Tier::Avx512 => unsafe { avx512::scores(&self.tables, codes, factors, line, out) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: as above.
            Tier::Avx2 => unsafe { avx2::scores(&self.tables, codes, factors, line, out) },
            #[cfg(target_arch = "aarch64")]
            #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
            // SAFETY: as above.
            Tier::Neon => unsafe { neon::scores(&self.tables, codes, factors, line, out) },
            _ => scalar::scores(&self.tables, codes, factors, line, out),
        }
    }

    /// Writes up to 32 rows into a block: `code` gives the code of a row and a table, `factors` a row's scale and bias. Rows
    /// that are not there have the scale 0 and the bias infinity.
    ///
    /// # Panics
    /// When there are more than 32 rows, or the block has not [`Lookups::block_bytes`].
    pub fn pack(
        (rows, codes): (usize, usize),
        code: impl Fn(usize, usize) -> u8,
        factors: impl Fn(usize) -> (f32, f32),
        block: &mut [u8],
    ) {
        assert!(rows <= ROWS && block.len() == Self::block_bytes(codes), "a block of at most 32 rows");
        block.fill(0);
        let (bytes, factor_bytes) = block.split_at_mut(Self::block_bytes(codes) - FACTORS);
        for (table, bytes) in bytes.chunks_exact_mut(16).take(codes).enumerate() {
            for row in 0..rows {
                bytes[row % 16] |= (code(row, table) & 15) << (row / 16 * 4);
            }
        }
        let (scales, biases) = factor_bytes.split_at_mut(FACTORS / 2);
        for (row, (scale, bias)) in
            scales.as_chunks_mut::<4>().0.iter_mut().zip(biases.as_chunks_mut::<4>().0).enumerate()
        {
            let (row_scale, row_bias) = if row < rows { factors(row) } else { (0.0, f32::INFINITY) };
            (*scale, *bias) = (row_scale.to_le_bytes(), row_bias.to_le_bytes());
        }
    }
}
