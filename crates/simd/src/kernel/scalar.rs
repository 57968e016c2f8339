//! The kernels in plain Rust: the meaning that every other level must reproduce.

use super::{LANES, reduce};
use crate::fan::WIDE_FACTORS;

streams!([] float half signed xor and_or);

pub(super) fn float_block<const Q: usize, const R: usize, const L2: bool>(
    queries: [&[f32]; Q],
    rows: [&[f32]; R],
) -> [[f32; R]; Q] {
    queries.map(|query| rows.map(|row| float_pair::<L2>(query, row)))
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

pub(super) fn half_block<const R: usize, const L2: bool, const BF: bool>(
    query: &[f32],
    rows: [&[u8]; R],
) -> [f32; R] {
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
}

/// Nothing: differences are widened.
pub(super) fn signed_alone<const L2: bool>(_query: &[i8]) -> i32 {
    0
}

pub(super) fn signed_block<const R: usize, const L2: bool>(
    query: &[i8],
    _alone: i32,
    rows: [&[i8]; R],
) -> [i32; R] {
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

/// Whether element `j` of four is positive in the choice of signs `entry`, as a number.
const CHOICE: [[f32; 16]; 4] = {
    let mut choice = [[0.0; 16]; 4];
    let mut entry = 0;
    while entry < 64 {
        choice[entry / 16][entry % 16] = ((entry % 16) >> (entry / 16) & 1) as f32;
        entry += 1;
    }
    choice
};

#[inline(always)]
pub(super) fn fan_tables(query: &[f32], inverse: f32, tables: &mut [u8]) {
    // Two tables belong to a byte of eight elements; those of the lower halves of four bytes come before those of the upper.
    for (chunk, tables) in query.as_chunks::<32>().0.iter().zip(tables.as_chunks_mut::<128>().0) {
        for (part, four) in chunk.as_chunks::<4>().0.iter().enumerate() {
            let double = four.map(|value| 2.0 * value * inverse);
            let least: f32 = double.iter().map(|value| value.min(0.0)).sum();
            let table = &mut tables[part % 2 * 64 + part / 2 * 16..][..16];
            for (entry, out) in table.iter_mut().enumerate() {
                let sum = double[0] * CHOICE[0][entry]
                    + double[1] * CHOICE[1][entry]
                    + double[2] * CHOICE[2][entry]
                    + double[3] * CHOICE[3][entry]
                    - least;
                // Adding 2^23 leaves the rounded number in the low bits.
                *out = (sum + 8_388_608.0).to_bits() as u8;
            }
        }
    }
}

#[inline(always)]
pub(super) fn fan_signs(center: &[f32], row: &[f32], out: &mut [u8]) -> [f32; 4] {
    let mut sums = [[0f32; LANES]; 4];
    let pairs = center.as_chunks::<LANES>().0.iter().zip(row.as_chunks::<LANES>().0);
    for (c, (center, row)) in pairs.enumerate() {
        let mut bits = 0u16;
        for i in 0..LANES {
            let rest = row[i] - center[i];
            let is_below = rest < 0.0;
            bits |= u16::from(!is_below) << i;
            sums[0][i] += rest.abs();
            sums[1][i] += rest * rest;
            sums[2][i] += if is_below { -center[i] } else { center[i] };
            sums[3][i] += rest * center[i];
        }
        let [low, high] = bits.to_le_bytes();
        (out[c * 32], out[c * 32 + 16]) = (low, high);
    }
    sums.map(super::reduce)
}

#[inline(always)]
pub(super) fn fan_sums<const G: usize, const F: usize>(
    tables: &[u8],
    (fans, factors): ([&[u8]; G], [&[u8]; G]),
    [step, low, base, limit]: [f32; 4],
    out: [&mut [f32; 16]; G],
) -> [u16; G] {
    let mut masks = [0; G];
    for (((codes, factors), out), mask) in fans.into_iter().zip(factors).zip(out).zip(&mut masks) {
        let mut sums = [0u16; 16];
        for (tables, chunk) in tables.as_chunks::<128>().0.iter().zip(codes.as_chunks::<64>().0) {
            let (even, odd) = tables.split_at(64);
            for (b, bytes) in chunk.as_chunks::<16>().0.iter().enumerate() {
                for (sum, byte) in sums.iter_mut().zip(bytes) {
                    *sum += u16::from(even[16 * b + usize::from(byte & 15)]);
                    *sum += u16::from(odd[16 * b + usize::from(byte >> 4)]);
                }
            }
        }
        let factors = fan_factors::<F>(factors);
        for i in 0..16 {
            let product = f32::from(sums[i]) * step + low;
            out[i] = base + (factors[i] - factors[16 + i] * product);
            *mask |= u16::from(out[i] < limit) << i;
        }
    }
    masks
}

/// What is added for each row of a fan, and what is multiplied by.
fn fan_factors<const F: usize>(bytes: &[u8]) -> [f32; 32] {
    let mut factors = [0f32; 32];
    if F == WIDE_FACTORS {
        widen::<true>(bytes, &mut factors);
        return factors;
    }
    let (codes, scales) = bytes.split_at(32);
    let mut wide = [0f32; 4];
    widen::<true>(scales, &mut wide);
    for (i, (factor, code)) in factors.iter_mut().zip(codes).enumerate() {
        *factor = wide[i / 16 * 2] + wide[i / 16 * 2 + 1] * f32::from(*code);
    }
    factors
}

#[inline(always)]
pub(super) fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        butterflies(values, half);
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f32).sqrt();
    values.iter_mut().for_each(|value| *value *= scale);
}

/// Sums and differences of values that are `half` apart.
#[inline(always)]
pub(super) fn butterflies(values: &mut [f32], half: usize) {
    for pair in values.chunks_exact_mut(2 * half) {
        let (low, high) = pair.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            (*low, *high) = (*low + *high, *low - *high);
        }
    }
}
