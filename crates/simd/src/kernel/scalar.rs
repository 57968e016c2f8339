//! The kernels in plain Rust: the meaning that every other level must reproduce.

use super::{LANES, reduce};

pub(super) fn float_block<const Q: usize, const R: usize, const L2: bool>(
    queries: [&[f32]; Q],
    rows: [&[f32]; R],
) -> [[f32; R]; Q] {
    queries.map(|query| rows.map(|row| float_pair::<L2>(query, row)))
}

pub(super) fn float_stream<const L2: bool>(query: &[f32], rows: &[f32], out: &mut [f32]) {
    for (row, out) in rows.chunks_exact(query.len()).zip(out) {
        *out = float_pair::<L2>(query, row);
    }
}

fn float_pair<const L2: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = if L2 { (a - b).mul_add(a - b, *lane) } else { a.mul_add(*b, *lane) };
        }
    }
    reduce(lanes)
}

/// A two-byte float, widened.
#[inline]
pub(super) fn float_of<const BF: bool>(half: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(half));
    if BF {
        return f32::from_bits(bits << 16);
    }
    let (sign, exponent, fraction) = ((bits & 0x8000) << 16, bits >> 10 & 0x1f, bits & 0x3ff);
    match exponent {
        // Below the normal numbers a step is 2^-24, of which f32 holds any number of steps.
        0 => f32::from_bits((fraction as f32 * (1.0 / 16_777_216.0)).to_bits() | sign),
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

pub(super) fn widen<const BF: bool>(halves: &[u8], out: &mut [f32]) {
    for (half, out) in halves.as_chunks::<2>().0.iter().zip(out) {
        *out = float_of::<BF>(*half);
    }
}

pub(super) fn half_block<const Q: usize, const R: usize, const L2: bool, const BF: bool>(
    queries: [&[f32]; Q],
    rows: [&[u8]; R],
) -> [[f32; R]; Q] {
    queries.map(|query| {
        rows.map(|row| {
            let mut lanes = [0f32; LANES];
            let mut wide = [0f32; LANES];
            for (a, b) in query.chunks(LANES).zip(row.chunks(2 * LANES)) {
                widen::<BF>(b, &mut wide);
                for ((lane, a), b) in lanes.iter_mut().zip(a).zip(wide) {
                    *lane = if L2 { (a - b).mul_add(a - b, *lane) } else { a.mul_add(b, *lane) };
                }
            }
            reduce(lanes)
        })
    })
}

pub(super) fn signed_block<const R: usize, const L2: bool>(query: &[i8], rows: [&[i8]; R]) -> [i32; R] {
    let term = |(a, b): (&i8, &i8)| {
        let (a, b) = (i32::from(*a), i32::from(*b));
        if L2 { (a - b) * (a - b) } else { a * b }
    };
    rows.map(|row| query.iter().zip(row).map(term).sum())
}

pub(super) fn byte_block<const R: usize>(query: &[u8], rows: [&[i8]; R]) -> [i32; R] {
    rows.map(|row| query.iter().zip(row).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum())
}

pub(super) fn xor_block<const R: usize>(query: &[u8], rows: [&[u8]; R]) -> [u32; R] {
    rows.map(|row| fold_words(query, row, |a, b| (a ^ b).count_ones()))
}

pub(super) fn and_or_block<const R: usize>(query: &[u8], rows: [&[u8]; R]) -> [(u32, u32); R] {
    rows.map(|row| {
        let and = fold_words(query, row, |a, b| (a & b).count_ones());
        (and, fold_words(query, row, |a, b| (a | b).count_ones()))
    })
}

#[inline(always)]
pub(super) fn fold_words(a: &[u8], b: &[u8], count: impl Fn(u64, u64) -> u32) -> u32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let words = a.iter().zip(b).map(|(a, b)| count(u64::from_le_bytes(*a), u64::from_le_bytes(*b)));
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| count(u64::from(*a), u64::from(*b)));
    words.sum::<u32>() + rest.sum::<u32>()
}

/// The 64 codes of a chunk of planes.
#[inline(always)]
pub(super) fn unpack<const B: usize, const N: usize>(chunk: &[u8; N]) -> [i16; 64] {
    let mut codes = [0i16; 64];
    let (mut rest, mut shift) = (&chunk[..], 0);
    for width in [8, 4, 2, 1].into_iter().filter(|width| crate::planes::has_plane(B, *width)) {
        let (plane, after) = rest.split_at(width * 8);
        if width == 1 {
            for (i, code) in codes.iter_mut().enumerate() {
                *code |= i16::from(plane[i / 8] >> (i % 8) & 1) << shift;
            }
            break;
        }
        // Byte `j` of a plane holds the codes `j`, `j + 8 width`, and so on, from its lowest bits on.
        for part in 0..8 / width {
            for (code, byte) in codes[part * width * 8..][..width * 8].iter_mut().zip(plane) {
                *code |= i16::from(byte >> (part * width) & (0xff >> (8 - width))) << shift;
            }
        }
        (rest, shift) = (after, shift + width);
    }
    codes
}

#[inline(always)]
pub(super) fn planes_block<const B: usize, const N: usize, const R: usize>(
    query: &[[i8; 64]],
    rows: [&[u8]; R],
) -> [i32; R] {
    rows.map(|row| {
        let chunks = query.iter().zip(row.as_chunks::<N>().0);
        let chunk = |(query, chunk): (&[i8; 64], &[u8; N])| -> i32 {
            let codes = unpack::<B, N>(chunk);
            query.iter().zip(codes).map(|(a, b)| i32::from(*a) * i32::from(b)).sum()
        };
        chunks.map(chunk).sum()
    })
}

#[inline(always)]
pub(super) fn columns_block<const L2: bool>(point: &[f32], columns: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    for (value, row) in point.iter().zip(columns.chunks_exact(out.len().max(1))) {
        for (out, column) in out.iter_mut().zip(row) {
            *out += if L2 { (value - column) * (value - column) } else { value * column };
        }
    }
}
