//! The sums in plain Rust: the meaning that every other level must reproduce.

use super::{FACTORS, Line, ROWS};

pub(super) fn scores(
    tables: &[[u8; 64]],
    codes: &[[u8; 64]],
    factors: &[u8; FACTORS],
    line: Line,
    out: &mut [f32; ROWS],
) -> u32 {
    let mut sums = [0u16; ROWS];
    for (tables, codes) in tables.iter().zip(codes) {
        for (table, codes) in tables.as_chunks::<16>().0.iter().zip(codes.as_chunks::<16>().0) {
            for (j, pair) in codes.iter().enumerate() {
                sums[j] = sums[j].wrapping_add(u16::from(table[usize::from(pair & 15)]));
                sums[j + 16] = sums[j + 16].wrapping_add(u16::from(table[usize::from(pair >> 4)]));
            }
        }
    }
    let floats = factors.as_chunks::<4>().0;
    let mut near = 0;
    for (row, out) in out.iter_mut().enumerate() {
        let (scale, bias) = (f32::from_le_bytes(floats[row]), f32::from_le_bytes(floats[row + ROWS]));
        *out = (bias + line.term) - scale * (line.offset + line.step * f32::from(sums[row]));
        near |= u32::from(*out <= line.limit) << row;
    }
    near
}

/// The least entry of each table; of all tables the widest range, the sum of ranges and the sum of least entries.
#[inline(always)]
pub(super) fn ranges(tables: &[[f32; 16]], floors: &mut [f32]) -> [f32; 3] {
    let (mut widest, mut whole, mut offset) = (0f32, 0f32, 0f32);
    for (table, floor) in tables.iter().zip(floors) {
        // In lanes, because one after the other would wait for each other.
        let low = folded(table, |a, b| if a < b { a } else { b });
        let high = folded(table, |a, b| if a > b { a } else { b });
        widest = widest.max(high - low);
        whole += high - low;
        offset += low;
        *floor = low;
    }
    [widest, whole, offset]
}

#[inline(always)]
fn folded(table: &[f32; 16], pick: impl Fn(f32, f32) -> f32) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|i| pick(table[i], table[i + 8]));
    let four: [f32; 4] = std::array::from_fn(|i| pick(eight[i], eight[i + 4]));
    pick(pick(four[0], four[2]), pick(four[1], four[3]))
}

/// Entries above the least of their table, in steps.
#[inline(always)]
pub(super) fn round(tables: &[[f32; 16]], floors: &[f32], inverse: f32, out: &mut [[u8; 16]]) {
    for ((table, floor), out) in tables.iter().zip(floors).zip(out) {
        // Adding 2^23 leaves the rounded number in the low bits.
        *out = std::array::from_fn(|i| ((table[i] - floor) * inverse + 8_388_608.0).to_bits() as u8);
    }
}

/// Products of the parts of a query and all entries of books.
#[inline(always)]
pub(super) fn products(
    query: &[f32],
    (width, rounds): (usize, usize),
    books: &[[f32; 16]],
    tables: &mut [[f32; 16]],
) {
    for (i, (book, table)) in books.chunks_exact(width).zip(tables).enumerate() {
        let point = &query[i / rounds * width..][..width];
        for (value, row) in point.iter().zip(book) {
            table.iter_mut().zip(row).for_each(|(sum, entry)| *sum += value * entry);
        }
    }
}

/// Whether element `j` of four is positive in the code `i`, as a number.
const SET: [[f32; 16]; 4] = {
    let mut set = [[0.0; 16]; 4];
    let mut i = 0;
    while i < 64 {
        set[i / 16][i % 16] = (((i % 16) >> (i / 16)) & 1) as f32;
        i += 1;
    }
    set
};

/// Sums of four elements with the signs of each code, above the least such sum, in steps.
#[inline(always)]
pub(super) fn signs(fours: &[[f32; 4]], inverse: f32, out: &mut [[u8; 16]]) {
    for (four, out) in fours.iter().zip(out) {
        let mut entries = [0f32; 16];
        for (value, set) in four.iter().zip(&SET) {
            let (below, both) = ((value.abs() - value) * inverse, 2.0 * value * inverse);
            entries.iter_mut().zip(set).for_each(|(entry, set)| *entry += below + both * set);
        }
        // Adding 2^23 leaves the rounded number in the low bits.
        *out = std::array::from_fn(|i| (entries[i] + 8_388_608.0).to_bits() as u8);
    }
}
