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
