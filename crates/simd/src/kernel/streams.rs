//! Kernels of one query and rows that lie one after the other, made of those of four rows and of one.

use crate::prefetch::prefetch_beyond;

/// Bytes of which one line is asked for; see [`prefetch_beyond`].
const SPAN: usize = 512;
/// Rows of fewer bytes are read four at a time: what is loaded of the query serves all four, and adding up their lanes overlaps.
/// Longer ones would be several streams, of which the memory foresees only one.
const SHORT: usize = 256;

/// Scores rows of `len` items, and asks the memory for those that come a few pages later.
#[inline(always)]
pub(super) fn along<T, S>(
    len: usize,
    rows: &[T],
    out: &mut [S],
    four: impl Fn([&[T]; 4]) -> [S; 4],
    one: impl Fn([&[T]; 1]) -> [S; 1],
) {
    let is_short = len * size_of::<T>() < SHORT;
    let (fours, ones) = if is_short { out.as_chunks_mut() } else { (&mut [][..], out) };
    let (whole, rest) = rows.split_at(fours.len() * 4 * len);
    each(len, whole, fours, four);
    each(len, rest, ones.as_chunks_mut().0, one);
}

/// Scores rows in blocks of `R`.
#[inline(always)]
fn each<const R: usize, T, S>(
    len: usize,
    rows: &[T],
    out: &mut [[S; R]],
    block: impl Fn([&[T]; R]) -> [S; R],
) {
    let span = SPAN / size_of::<T>();
    for (i, out) in out.iter_mut().enumerate() {
        let (start, end) = (i * R * len, (i + 1) * R * len);
        (start.next_multiple_of(span)..end).step_by(span).for_each(|line| prefetch_beyond(&rows[line]));
        *out = block(std::array::from_fn(|r| &rows[start + r * len..][..len]));
    }
}

/// Defines kernels of rows that lie one after the other for a level with these attributes, out of its kernels of blocks.
macro_rules! streams {
    ($attributes:tt $($kind:ident)+) => { $(streams!(@$kind $attributes);)+ };
    (@float [$($attribute:tt)*]) => {
        $($attribute)*
        pub(super) fn float_stream<const L2: bool>(query: &[f32], rows: &[f32], out: &mut [f32]) {
            let four = |rows: [&[f32]; 4]| float_block::<1, _, L2>([query], rows)[0];
            let one = |row: [&[f32]; 1]| float_block::<1, _, L2>([query], row)[0];
            super::streams::along(query.len(), rows, out, four, one);
        }
    };
    (@half [$($attribute:tt)*]) => {
        $($attribute)*
        pub(super) fn half_stream<const L2: bool, const BF: bool>(query: &[f32], rows: &[u8], out: &mut [f32]) {
            let four = |rows: [&[u8]; 4]| half_block::<_, L2, BF>(query, rows);
            let one = |row: [&[u8]; 1]| half_block::<_, L2, BF>(query, row);
            super::streams::along(2 * query.len(), rows, out, four, one);
        }
    };
    (@signed [$($attribute:tt)*]) => {
        $($attribute)*
        pub(super) fn signed_stream<const L2: bool>(query: &[i8], rows: &[i8], out: &mut [i32]) {
            let alone = signed_alone::<L2>(query);
            let four = |rows: [&[i8]; 4]| signed_block::<_, L2>(query, alone, rows);
            let one = |row: [&[i8]; 1]| signed_block::<_, L2>(query, alone, row);
            super::streams::along(query.len(), rows, out, four, one);
        }
    };
    (@xor [$($attribute:tt)*]) => {
        $($attribute)*
        pub(super) fn xor_stream(query: &[u8], rows: &[u8], out: &mut [u32]) {
            let four = |rows: [&[u8]; 4]| xor_block(query, rows);
            let one = |row: [&[u8]; 1]| xor_block(query, row);
            super::streams::along(query.len(), rows, out, four, one);
        }
    };
    (@and_or [$($attribute:tt)*]) => {
        $($attribute)*
        pub(super) fn and_or_stream(query: &[u8], rows: &[u8], out: &mut [(u32, u32)]) {
            let four = |rows: [&[u8]; 4]| and_or_block(query, rows);
            let one = |row: [&[u8]; 1]| and_or_block(query, row);
            super::streams::along(query.len(), rows, out, four, one);
        }
    };
}
