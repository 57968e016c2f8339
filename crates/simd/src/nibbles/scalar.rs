//! The kernels in plain Rust: the meaning that every other level must reproduce. Those marked inline are what every level
//! runs; the compiler makes vector code of them.

use super::{Bar, Grain, ROWS, SIDE, product};

/// Lanes of sums.
pub(super) const LANES: usize = 16;
/// Rounded numbers stand in the low bits once this is added: 1.5 * 2^23.
pub(super) const MAGIC: f32 = 12_582_912.0;

/// What is summed up over a row.
struct Sums {
    coarse: [f32; LANES],
    coarse_off: [f32; LANES],
    fine: [f32; LANES],
    fine_off: [f32; LANES],
}

/// How a row is rounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) base: f32,
    pub(super) step: f32,
    pub(super) inverse: f32,
    pub(super) coarse_base: f32,
    pub(super) coarse_step: f32,
}

impl Scale {
    /// For a row of which these are the least and the greatest element.
    pub(super) fn of(least: f32, most: f32) -> Self {
        let range = most - least;
        let is_wide = range > 1e-30 && range < 1e30;
        let step = if is_wide { range / 255.0 } else { 0.0 };
        // Adding zero turns -0 into 0: which of the two is found depends on the order of looking.
        let coarse_base = (least + 0.0) + 7.5 * step;
        Self {
            base: coarse_base - 7.5 * step,
            step,
            inverse: if is_wide { 255.0 / range } else { 0.0 },
            coarse_base,
            coarse_step: 16.0 * step,
        }
    }

    /// What there is to know of a row, from sums of squares and of squared errors of both precisions.
    pub(super) fn grains(&self, [coarse, coarse_off, fine, fine_off]: [f32; 4]) -> [Grain; 2] {
        [
            Grain { base: self.coarse_base, step: self.coarse_step, square: coarse, off: coarse_off },
            Grain { base: self.base, step: self.step, square: fine, off: fine_off },
        ]
    }
}

pub(super) fn put_nibbles(row: &[f32], high: &mut [u8], low: &mut [u8]) -> [Grain; 2] {
    let (least, most) = ends(row);
    let scale = Scale::of(least, most);
    let mut sums =
        Sums { coarse: [0.0; LANES], coarse_off: [0.0; LANES], fine: [0.0; LANES], fine_off: [0.0; LANES] };
    let (first, second) = row.split_at(high.len().min(row.len()));
    for (i, (high, low)) in high.chunks_mut(LANES).zip(low.chunks_mut(LANES)).enumerate() {
        let mut codes = [[0u8; LANES]; 2];
        for (codes, half) in codes.iter_mut().zip([first, second]) {
            let values = half.get(i * LANES..).unwrap_or_default();
            match values.first_chunk::<LANES>() {
                Some(values) => round(values, &scale, codes, &mut sums),
                None => round_some(values, &scale, codes, &mut sums),
            }
        }
        let [first, second] = codes;
        for (((high, low), first), second) in high.iter_mut().zip(low).zip(first).zip(second) {
            *high = first >> 4 | second & 0xf0;
            *low = first & 15 | second << 4;
        }
    }
    scale.grains([sums.coarse, sums.coarse_off, sums.fine, sums.fine_off].map(crate::kernel::reduce))
}

/// The least and the greatest; of no elements 0 twice.
#[inline(always)]
fn ends(row: &[f32]) -> (f32, f32) {
    let Some(first) = row.first() else { return (0.0, 0.0) };
    let (mut least, mut most) = ([*first; 2 * LANES], [*first; 2 * LANES]);
    let (chunks, rest) = row.as_chunks::<{ 2 * LANES }>();
    for chunk in chunks {
        for j in 0..2 * LANES {
            least[j] = if chunk[j] < least[j] { chunk[j] } else { least[j] };
            most[j] = if chunk[j] > most[j] { chunk[j] } else { most[j] };
        }
    }
    for (j, value) in rest.iter().enumerate() {
        least[j] = if *value < least[j] { *value } else { least[j] };
        most[j] = if *value > most[j] { *value } else { most[j] };
    }
    let least = least.into_iter().fold(*first, |a, b| if b < a { b } else { a });
    (least, most.into_iter().fold(*first, |a, b| if b > a { b } else { a }))
}

#[inline(always)]
fn round(values: &[f32; LANES], scale: &Scale, codes: &mut [u8; LANES], sums: &mut Sums) {
    for j in 0..LANES {
        let place = (values[j] - scale.base) * scale.inverse;
        let place = if place > 0.0 { place } else { 0.0 };
        let place = if place < 255.0 { place } else { 255.0 };
        let code = (place + MAGIC).to_bits() & 0xff;
        let fine = scale.base + scale.step * (code as i32 as f32);
        let coarse = scale.coarse_base + scale.coarse_step * ((code >> 4) as i32 as f32);
        let (off, coarse_off) = (values[j] - fine, values[j] - coarse);
        sums.fine[j] += fine * fine;
        sums.fine_off[j] += off * off;
        sums.coarse[j] += coarse * coarse;
        sums.coarse_off[j] += coarse_off * coarse_off;
        codes[j] = code as u8;
    }
}

/// The last elements: as if the others were not there.
#[inline(always)]
fn round_some(values: &[f32], scale: &Scale, codes: &mut [u8; LANES], sums: &mut Sums) {
    let mut all = [0.0; LANES];
    all[..values.len()].copy_from_slice(values);
    let mut some =
        Sums { coarse: [0.0; LANES], coarse_off: [0.0; LANES], fine: [0.0; LANES], fine_off: [0.0; LANES] };
    round(&all, scale, codes, &mut some);
    codes[values.len()..].fill(0);
    for j in 0..values.len() {
        sums.coarse[j] += some.coarse[j];
        sums.coarse_off[j] += some.coarse_off[j];
        sums.fine[j] += some.fine[j];
        sums.fine_off[j] += some.fine_off[j];
    }
}

/// Codes of a query, and its scale, sum, square and off as [`super::NibbleQuery`] has them.
#[inline(always)]
pub(super) fn round_query(query: &[f32], codes: &mut [i8]) -> [f32; 4] {
    let (least, most) = ends(query);
    let widest = if most > -least { most } else { -least };
    let (inverse, scale) =
        if widest > 1e-30 && widest < 1e30 { (127.0 / widest, widest / 127.0) } else { (0.0, 0.0) };
    let (mut sum, mut squares, mut off) = (0i32, [0f32; LANES], [0f32; LANES]);
    for (values, codes) in query.chunks(LANES).zip(codes.chunks_mut(LANES)) {
        for (j, (value, code)) in values.iter().zip(codes).enumerate() {
            *code = (value * inverse + MAGIC).to_bits() as i8;
            sum += i32::from(*code);
            let stands = scale * f32::from(*code);
            squares[j] += stands * stands;
            off[j] += (value - stands) * (value - stands);
        }
    }
    [scale, scale * sum as f32, crate::kernel::reduce(squares), crate::kernel::reduce(off)]
}

pub(super) fn stream(query: &[i8], plane: &[u8], out: &mut [i32]) {
    for (row, out) in plane.chunks_exact(query.len() / 2).zip(out) {
        *out = pair(query, row);
    }
}

fn pair(query: &[i8], row: &[u8]) -> i32 {
    let (first, second) = query.split_at(row.len());
    let products = row.iter().zip(first).zip(second).map(|((codes, first), second)| {
        i32::from(codes & 15) * i32::from(*first) + i32::from(codes >> 4) * i32::from(*second)
    });
    products.sum()
}

pub(super) fn tile(queries: [&[i8]; SIDE], plane: &[u8], out: &mut [i32]) {
    let count = out.len() / SIDE;
    for (query, out) in queries.iter().zip(out.chunks_exact_mut(count)) {
        stream(query, plane, out);
    }
}

/// How high each row is, into `sums`; the rest of `sums` stays as it is.
#[inline(always)]
pub(super) fn levels(
    query: (f32, f32),
    dots: &[i32],
    [base, step, square, miss, length]: [&[f32]; 5],
    bar: &Bar,
    sums: &mut [f32; ROWS],
) {
    let count = dots.len().min(ROWS);
    let (base, step, square) = (&base[..count], &step[..count], &square[..count]);
    let (miss, length, dots, sums) = (&miss[..count], &length[..count], &dots[..count], &mut sums[..count]);
    for i in 0..count {
        let product = product(query, dots[i], base[i], step[i]);
        sums[i] = bar.level(product, square[i], miss[i], length[i]);
    }
}

/// Which rows are below zero.
pub(super) fn open(
    query: (f32, f32),
    dots: &[i32],
    columns: [&[f32]; 5],
    bar: &Bar,
    sums: &mut [f32; ROWS],
) -> u64 {
    levels(query, dots, columns, bar, sums);
    sums.iter().enumerate().fold(0, |below, (i, sum)| below | u64::from(*sum < 0.0) << i)
}
