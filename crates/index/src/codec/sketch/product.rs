//! Product quantisation: a row is cut into parts, and each part is replaced by the number of the nearest entry of a
//! codebook (Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", TPAMI 2011); with several
//! rounds what is left over is coded again (Liu, Lu and Gu, "Generalized residual vector quantization", 2017, has the
//! idea). Invariant: a code is below the number of entries, or is read as the last.

use host::{Cancel, Pool, Rng};
use simd::{Lookups, Op};

use crate::Error;
use crate::image::Array;

/// Rows that teach one entry, and rows at most.
const SAMPLE: usize = 48;
const SAMPLE_MAX: usize = 65_536;
/// Products that codes are made for, as a share of the largest.
const LEAST_SHARE: f32 = 0.2;
/// How often all codes of a row are looked at again.
const SHAPE_ROUNDS: usize = 3;
/// How often entries are moved.
const MOVES: usize = 6;

/// Codebooks and how codes are stored.
#[derive(Debug)]
pub(super) struct Product {
    /// Parts of a row.
    pub(super) parts: usize,
    /// Bits of a code.
    pub(super) bits: usize,
    /// Codes of a part.
    pub(super) rounds: usize,
    /// Elements of a part.
    pub(super) width: usize,
    /// Entries of a codebook.
    entries: usize,
    /// Whether codes are chosen by the loss of [`Product::shape`].
    is_shaped: bool,
    /// For every part and round a matrix of `width` rows and `entries` columns.
    books: Array<f32>,
}

/// How many rows are looked at to make codebooks of `bits` bits.
pub(super) fn sample_size(rows: usize, bits: usize) -> usize {
    rows.min(SAMPLE_MAX).min(SAMPLE << bits.min(24))
}

/// Bytes of a row of so many codes of `bits` bits.
pub(super) fn row_bytes(codes: usize, bits: usize) -> usize {
    match bits {
        0..=4 => codes.div_ceil(2),
        5..=8 => codes,
        9..=16 => 2 * codes,
        _ => 4 * codes,
    }
}

/// How many entries a codebook has.
pub(super) fn entry_count(rows: usize, bits: usize) -> usize {
    sample_size(rows, bits).min(1 << bits.min(24))
}

impl Product {
    /// Learns codebooks from `sample`, which are rows of `parts * width` elements.
    pub(super) fn train(
        (parts, bits, rounds): (usize, usize, usize),
        dim: usize,
        sample: &[f32],
        rng: &Rng,
        pool: &Pool,
        cancel: &Cancel,
    ) -> Result<(Self, Vec<f32>), Error> {
        let width = dim / parts;
        let rows = sample.len() / dim;
        let entries = entry_count(rows, bits);
        let books = pool.map(parts, |part| {
            let mut left: Vec<f32> = Vec::with_capacity(rows * width);
            sample.chunks_exact(dim).for_each(|row| left.extend_from_slice(&row[part * width..][..width]));
            let mut books = Vec::new();
            for round in 0..rounds {
                if cancel.is_cancelled() {
                    break;
                }
                let mut rng = rng.child(&format!("book {part} {round}"));
                let book = train_book(&left, width, entries, &mut rng, cancel);
                let mut distances = vec![0.0; entries];
                for point in left.chunks_exact_mut(width) {
                    let code = nearest(point, &book, &mut distances);
                    take_off(point, &book, entries, code);
                }
                books.extend(book);
            }
            books
        });
        cancel.check()?;
        let books = books.concat();
        let product = Self {
            parts,
            bits,
            rounds,
            width,
            entries,
            is_shaped: false,
            books: Array::Copied(books.clone()),
        };
        Ok((product, books))
    }

    /// Takes codebooks as they were trained.
    pub(super) fn read(
        (parts, bits, rounds): (usize, usize, usize),
        dim: usize,
        books: Array<f32>,
        rows: usize,
    ) -> Result<Self, Error> {
        let corrupt = Error::Corrupt { what: "books" };
        let width = dim / parts;
        let row = parts * width * rounds;
        let entries = entry_count(rows, bits);
        if entries.checked_mul(row) != Some(books.len()) {
            return Err(corrupt);
        }
        Ok(Self { parts, bits, rounds, width, entries, is_shaped: false, books })
    }

    /// The same, with codes chosen otherwise.
    pub(super) fn shaped(self, is_shaped: bool) -> Self {
        Self { is_shaped: is_shaped && self.rounds == 1, ..self }
    }

    /// Codes of a row.
    fn codes(&self) -> usize {
        self.parts * self.rounds
    }

    /// Bytes of a coded row.
    pub(super) fn row_bytes(&self) -> usize {
        row_bytes(self.codes(), self.bits)
    }

    fn book(&self, part: usize, round: usize) -> &[f32] {
        let size = self.width * self.entries;
        &self.books[(part * self.rounds + round) * size..][..size]
    }

    /// Codes `row` into `out`, and puts what the codes stand for into `stands_for`. `leaning` is the direction in which queries
    /// to which the row is near lie.
    pub(super) fn encode(&self, row: &[f32], leaning: &[f32], stands_for: &mut Vec<f32>, out: &mut [u8]) {
        stands_for.clear();
        out.fill(0);
        if self.is_shaped {
            return self.shape(row, leaning, stands_for, out);
        }
        let mut distances = vec![0.0; self.entries];
        let mut left = Vec::with_capacity(self.width);
        for (part, values) in row.chunks_exact(self.width).enumerate() {
            left.clear();
            left.extend_from_slice(values);
            for round in 0..self.rounds {
                let book = self.book(part, round);
                let code = nearest(&left, book, &mut distances);
                take_off(&mut left, book, self.entries, code);
                self.store(part * self.rounds + round, code, out);
            }
            stands_for.extend(values.iter().zip(&left).map(|(value, left)| value - left));
        }
    }

    /// Chooses codes by an anisotropic loss: what they miss counts many times where it lies along `leaning`, since
    /// there it changes the products of near queries most (Guo et al., "Accelerating large-scale inference with anisotropic
    /// vector quantization", ICML 2020). Where a row leans along itself, its scale takes all of that away, so that what is
    /// left to do is to choose codes that point where the row does. Starts at the nearest entries and changes one code after
    /// the other.
    fn shape(&self, row: &[f32], leaning: &[f32], stands_for: &mut Vec<f32>, out: &mut [u8]) {
        let (codes, entries) = (self.parts, self.entries);
        let is_own = std::ptr::eq(row, leaning);
        let extra = self.extra(leaning);
        // For each entry its square, or what it misses squared, and how much of it, or of what it misses, lies along.
        let (mut squares, mut along) = (vec![0.0; codes * entries], vec![0.0; codes * entries]);
        let mut chosen = vec![0; codes];
        let mut sums = (0.0, 0.0);
        for part in 0..codes {
            let range = part * self.width..(part + 1) * self.width;
            let (row, leaning, book) = (&row[range.clone()], &leaning[range], self.book(part, 0));
            let (squares, along) =
                (&mut squares[part * entries..][..entries], &mut along[part * entries..][..entries]);
            Op::Ip.columns(leaning, book, along);
            chosen[part] = nearest(row, book, squares);
            if is_own {
                // |b|^2 = |r - b|^2 + 2 r.b - |r|^2.
                let own = Op::Ip.pair(row, row);
                squares.iter_mut().zip(&*along).for_each(|(square, along)| *square += 2.0 * along - own);
            } else {
                let own = Op::Ip.pair(row, leaning);
                along.iter_mut().for_each(|along| *along = own - *along);
            }
            sums = (sums.0 + squares[chosen[part]], sums.1 + along[chosen[part]]);
        }
        let loss = |square: f32, along: f32| match is_own {
            true if along > 0.0 => square / (along * along),
            true => f32::INFINITY,
            false => square + extra * along * along,
        };
        for _ in 0..SHAPE_ROUNDS {
            let mut changed = false;
            for part in 0..codes {
                let (squares, along) =
                    (&squares[part * entries..][..entries], &along[part * entries..][..entries]);
                let old = chosen[part];
                let others = (sums.0 - squares[old], sums.1 - along[old]);
                let mut best = (loss(sums.0, sums.1), old);
                for i in 0..entries {
                    let loss = loss(others.0 + squares[i], others.1 + along[i]);
                    if loss < best.0 {
                        best = (loss, i);
                    }
                }
                if best.1 != old {
                    changed = true;
                    chosen[part] = best.1;
                    sums = (others.0 + squares[best.1], others.1 + along[best.1]);
                }
            }
            if !changed {
                break;
            }
        }
        for (part, code) in chosen.into_iter().enumerate() {
            self.store(part, code, out);
            stands_for.extend(self.book(part, 0).chunks_exact(entries.max(1)).map(|row| row[code]));
        }
    }

    /// The scale that what `row` was coded as should have for the least loss, where its codes were chosen by one.
    pub(super) fn scale(&self, row: &[f32], leaning: &[f32], stands_for: &[f32]) -> Option<f32> {
        if !self.is_shaped {
            return None;
        }
        let (extra, along) = (self.extra(leaning), Op::Ip.pair(stands_for, leaning));
        let above = Op::Ip.pair(row, stands_for) + extra * Op::Ip.pair(row, leaning) * along;
        let below = Op::Ip.pair(stands_for, stands_for) + extra * along * along;
        Some(if below > 0.0 { above / below } else { 0.0 })
    }

    /// How much more an error along `leaning` counts than one across it, by the square of its length. The paper's
    /// `(dim - 1) T^2 / (1 - T^2)` for products that are at least the share `T` of the largest, less one.
    fn extra(&self, leaning: &[f32]) -> f32 {
        let dim = (self.parts * self.width) as f32;
        let eta = ((dim - 1.0) * LEAST_SHARE * LEAST_SHARE / (1.0 - LEAST_SHARE * LEAST_SHARE)).max(1.0);
        let length = Op::Ip.pair(leaning, leaning);
        if length > 0.0 { (eta - 1.0) / length } else { 0.0 }
    }

    /// Products of the parts of `query` and all entries of its code, for codes of at most 4 bits.
    pub(super) fn nibble_tables(&self, query: &[f32], tables: &mut Vec<[f32; 16]>) {
        if self.entries == 16 {
            let query = &query[..self.parts * self.width];
            return Lookups::products(query, (self.width, self.rounds), &self.books, tables);
        }
        tables.clear();
        for i in 0..self.codes() {
            let (part, round) = (i / self.rounds, i % self.rounds);
            let mut table = [0.0; 16];
            let point = &query[part * self.width..][..self.width];
            Op::Ip.columns(point, self.book(part, round), &mut table[..self.entries.min(16)]);
            tables.push(table);
        }
    }

    fn store(&self, i: usize, code: usize, out: &mut [u8]) {
        match self.bits {
            0..=4 => out[i / 2] |= (code << (i % 2 * 4)) as u8,
            5..=8 => out[i] = code as u8,
            9..=16 => out[2 * i..][..2].copy_from_slice(&(code as u16).to_le_bytes()),
            _ => out[4 * i..][..4].copy_from_slice(&(code as u32).to_le_bytes()),
        }
    }

    /// Products of the parts of `query` and all entries: a table for every byte of a coded row where codes have at most 8
    /// bits, so that no code needs a check and two of 4 bits are looked up at once; else a table for every code.
    pub(super) fn aim(&self, query: &[f32], tables: &mut Vec<f32>) {
        let table_len = if self.bits <= 8 { 256 } else { self.entries.max(1) };
        let table_count = if self.bits <= 8 { self.row_bytes() } else { self.codes() };
        tables.clear();
        tables.resize(table_count * table_len, 0.0);
        let (mut one, per_byte) = (vec![0.0; self.entries], if self.bits <= 4 { 2 } else { 1 });
        for i in 0..self.codes() {
            let (part, round) = (i / self.rounds, i % self.rounds);
            let point = &query[part * self.width..][..self.width];
            Op::Ip.columns(point, self.book(part, round), &mut one);
            let table = &mut tables[i / per_byte * table_len..][..table_len];
            match (per_byte, i % per_byte) {
                (2, 0) => table.chunks_exact_mut(16).for_each(|low| low[..one.len()].copy_from_slice(&one)),
                (2, _) => {
                    let products = one.iter().copied().chain(std::iter::repeat(0.0));
                    for (block, product) in table.chunks_exact_mut(16).zip(products) {
                        block.iter_mut().for_each(|value| *value += product);
                    }
                }
                _ => table[..one.len()].copy_from_slice(&one),
            }
        }
    }

    /// The product of the query of `tables` and what a coded row stands for.
    #[inline]
    pub(super) fn product(&self, tables: &[f32], row: &[u8]) -> f32 {
        let mut sums = [0f32; 4];
        match self.bits {
            0..=8 => {
                let (fours, rest) = tables.as_chunks::<256>().0.as_chunks::<4>();
                let (code_fours, code_rest) = row[..self.row_bytes()].as_chunks::<4>();
                for (tables, codes) in fours.iter().zip(code_fours) {
                    for i in 0..4 {
                        sums[i] += tables[i][usize::from(codes[i])];
                    }
                }
                rest.iter().zip(code_rest).for_each(|(table, code)| sums[0] += table[usize::from(*code)]);
            }
            _ => {
                let size = if self.bits <= 16 { 2 } else { 4 };
                for (i, code) in row.chunks_exact(size).take(self.codes()).enumerate() {
                    let code = code.iter().rev().fold(0usize, |code, byte| code << 8 | usize::from(*byte));
                    let code = code.min(self.entries.saturating_sub(1));
                    sums[i % 4] += tables[i * self.entries + code];
                }
            }
        }
        (sums[0] + sums[2]) + (sums[1] + sums[3])
    }
}

/// The number of the column nearest to `point`, the first of equals.
fn nearest(point: &[f32], book: &[f32], distances: &mut [f32]) -> usize {
    Op::L2.columns(point, book, distances);
    let mut best = (f32::INFINITY, 0);
    for (i, distance) in distances.iter().enumerate() {
        if *distance < best.0 {
            best = (*distance, i);
        }
    }
    best.1
}

fn take_off(point: &mut [f32], book: &[f32], entries: usize, code: usize) {
    for (value, row) in point.iter_mut().zip(book.chunks_exact(entries.max(1))) {
        *value -= row[code];
    }
}

/// Moves `entries` entries through `points` by Lloyd's iteration.
fn train_book(points: &[f32], width: usize, entries: usize, rng: &mut Rng, cancel: &Cancel) -> Vec<f32> {
    let count = points.len() / width.max(1);
    let mut order: Vec<usize> = (0..count).collect();
    rng.shuffle(&mut order);
    let mut book = vec![0.0; width * entries];
    let set = |book: &mut [f32], entry: usize, point: &mut dyn Iterator<Item = f32>| {
        book.chunks_exact_mut(entries).zip(point).for_each(|(row, value)| row[entry] = value);
    };
    for (entry, point) in order.iter().take(entries).enumerate() {
        set(&mut book, entry, &mut points[point * width..][..width].iter().copied());
    }
    let mut distances = vec![0.0; entries];
    for _ in 0..MOVES {
        if cancel.is_cancelled() || entries == count {
            break;
        }
        let (mut sums, mut counts) = (vec![0f32; width * entries], vec![0u32; entries]);
        for point in points.chunks_exact(width) {
            let entry = nearest(point, &book, &mut distances);
            counts[entry] += 1;
            sums[entry * width..][..width].iter_mut().zip(point).for_each(|(sum, value)| *sum += value);
        }
        for (entry, number) in counts.iter().enumerate() {
            if *number > 0 {
                let mean = sums[entry * width..][..width].iter().map(|sum| sum / *number as f32);
                set(&mut book, entry, &mut mean.into_iter());
            } else {
                let point = rng.below(count as u64) as usize;
                set(&mut book, entry, &mut points[point * width..][..width].iter().copied());
            }
        }
    }
    book
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_codes_of_any_width_stand_for_is_near_and_products_are_with_that() {
        let (dim, rows) = (12, 300);
        let mut rng = Rng::new(5);
        let sample: Vec<f32> = (0..rows * dim).map(|_| rng.normal() as f32).collect();
        let query: Vec<f32> = (0..dim).map(|_| rng.normal() as f32).collect();
        for (parts, bits, rounds) in [(3, 3, 1), (4, 4, 3), (6, 8, 1), (4, 9, 2), (12, 17, 1)] {
            let (pool, cancel) = (Pool::inline(), Cancel::new());
            let made = Product::train((parts, bits, rounds), dim, &sample, &rng, &pool, &cancel);
            let (product, books) = made.unwrap();
            let read = Product::read((parts, bits, rounds), dim, Array::Copied(books), rows).unwrap();
            let (mut tables, mut stands_for) = (Vec::new(), Vec::new());
            read.aim(&query, &mut tables);
            let mut codes = vec![0; product.row_bytes()];
            let mut lost = 0.0;
            for row in sample.chunks(dim) {
                product.encode(row, row, &mut stands_for, &mut codes);
                let want = Op::Ip.pair(&query, &stands_for);
                assert!((read.product(&tables, &codes) - want).abs() < 1e-4, "{parts} {bits} {rounds}");
                lost += Op::L2.pair(row, &stands_for) / Op::Ip.pair(row, row) / rows as f32;
            }
            assert!(lost < 0.6, "{parts} parts of {bits} bits, {rounds} rounds lose {lost}");
        }
    }
}
