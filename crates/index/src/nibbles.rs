//! Rows as bytes in two planes of four bits while they are made, with numbers of each row. Invariant: the numbers stand column by column.

use std::ops::Range;

use host::{Cancel, Pool};
use simd::nibble_bytes;

use crate::Error;
use crate::course::{Course, in_waves};

/// Rows coded by one task.
const CHUNK: usize = 512;

/// Some rows.
pub(crate) struct Nibbles<const COLUMNS: usize> {
    rows: usize,
    /// Bytes of a row in a plane.
    bytes: usize,
    pub(crate) high: Vec<u8>,
    pub(crate) low: Vec<u8>,
    pub(crate) margins: Vec<f32>,
}

impl<const COLUMNS: usize> Nibbles<COLUMNS> {
    fn zeros(rows: usize, dim: usize) -> Self {
        let bytes = nibble_bytes(dim);
        let plane = || vec![0; rows * bytes];
        Self { rows, bytes, high: plane(), low: plane(), margins: vec![0.0; COLUMNS * rows] }
    }

    /// Rows that `code` puts into both planes one after the other; it gives the numbers of each.
    pub(crate) fn of(
        rows: usize,
        dim: usize,
        mut code: impl FnMut(usize, &mut [u8], &mut [u8]) -> [f32; COLUMNS],
    ) -> Self {
        let mut made = Self::zeros(rows, dim);
        let bytes = made.bytes;
        for row in 0..rows {
            let place = row * bytes..(row + 1) * bytes;
            let numbers = code(row, &mut made.high[place.clone()], &mut made.low[place]);
            (0..)
                .zip(numbers)
                .for_each(|(column, number): (usize, _)| made.margins[column * rows + row] = number);
        }
        made
    }

    /// All of `rows` rows, of which `some` makes those of a range.
    pub(crate) fn build(
        (rows, dim): (usize, usize),
        (pool, cancel): (&Pool, &Cancel),
        course: &mut Course<'_>,
        some: impl Fn(Range<usize>) -> Self + Sync + Send,
    ) -> Result<Self, Error> {
        let (mut all, chunks) = (Self::zeros(rows, dim), rows.div_ceil(CHUNK));
        let chunk = |c: usize| some(c * CHUNK..((c + 1) * CHUNK).min(rows));
        in_waves(chunks, (pool, cancel), chunk, |c, some| {
            all.put(c * CHUNK, &some);
            course.at(c + 1, chunks);
            Ok(())
        })?;
        Ok(all)
    }

    /// Puts some rows where they belong, from row `first` on.
    fn put(&mut self, first: usize, some: &Self) {
        let place = first * self.bytes..(first + some.rows) * self.bytes;
        self.high[place.clone()].copy_from_slice(&some.high);
        self.low[place].copy_from_slice(&some.low);
        let columns = some.margins.chunks_exact(some.rows.max(1));
        for (column, numbers) in columns.enumerate() {
            self.margins[column * self.rows + first..][..some.rows].copy_from_slice(numbers);
        }
    }

    /// Bytes that rows of `dim` elements take here.
    pub(crate) fn bytes_of(rows: usize, dim: usize) -> usize {
        rows * (2 * nibble_bytes(dim) + 4 * COLUMNS)
    }
}
