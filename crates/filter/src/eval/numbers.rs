//! Tests of number columns. Without arithmetic they read the column in its own width; with it, a block is widened to
//! 64 bits first.

use super::kernel::{each, fill_pairs};
use super::{BLOCK_ROWS, BLOCK_WORDS, Block, Place};
use crate::ast::Binary;
use crate::moment::add_months;
use crate::number::Step;
use crate::predicate::{Leaf, Test};
use crate::set::IntSet;
use data::Values;
use std::cmp::Ordering;

pub(super) fn test(leaf: &Leaf, values: &Values, place: Place, want: &Block, yes: &mut Block) {
    match &leaf.test {
        Test::Ints(low, high) => {
            if !leaf.steps.is_empty() {
                let mut buffer = [0; BLOCK_ROWS];
                let wide = ints(values, place, &leaf.steps, &mut buffer);
                return simd::between(wide, *low, *high, yes);
            }
            match values {
                Values::Int8(v) => narrow(place.of(v), *low, *high, yes),
                Values::Int16(v) => narrow(place.of(v), *low, *high, yes),
                Values::Int32(v) => narrow(place.of(v), *low, *high, yes),
                Values::Int64(v) | Values::Timestamptz(v) => simd::between(place.of(v), *low, *high, yes),
                _ => {}
            }
        }
        Test::InInts(set) => {
            if let (Values::Int64(v) | Values::Timestamptz(v), true) = (values, leaf.steps.is_empty()) {
                return among(set, place.of(v), want, yes);
            }
            let mut buffer = [0; BLOCK_ROWS];
            among(set, ints(values, place, &leaf.steps, &mut buffer), want, yes);
        }
        Test::Floats(low, high, single) => {
            let (low, high) = (*low, *high);
            match values {
                Values::Float(v) if leaf.steps.is_empty() => {
                    simd::between(place.of(v), low as f32, high as f32, yes);
                }
                Values::Double(v) if leaf.steps.is_empty() => {
                    simd::between(place.of(v), low, high, yes);
                }
                values => {
                    let mut buffer = [0.0; BLOCK_ROWS];
                    let wide = floats(values, place, &leaf.steps, *single, &mut buffer);
                    simd::between(wide, low, high, yes);
                }
            }
        }
        Test::InFloats(set, single) => {
            let mut buffer = [0.0; BLOCK_ROWS];
            let wide = floats(values, place, &leaf.steps, *single, &mut buffer);
            each(want, yes, |i| set.contains(wide[i]));
        }
        _ => {}
    }
}

/// Without a branch for all rows, then by search for the few that may be in the set.
fn among(set: &IntSet, values: &[i64], want: &Block, yes: &mut Block) {
    if set.sieve().is_exact() {
        return set.sieve().pass(values, yes);
    }
    let mut maybe = [0; BLOCK_WORDS];
    set.sieve().pass(values, &mut maybe);
    maybe.iter_mut().zip(want).for_each(|(word, want)| *word &= want);
    // Most lists are short, and a long one costs as much to make as the search itself.
    if maybe.iter().map(|word| word.count_ones() as usize).sum::<usize>() <= FEW {
        search(set, values, &maybe, &mut [0; FEW + AT_ONCE], yes);
    } else {
        search(set, values, &maybe, &mut [0; BLOCK_ROWS + AT_ONCE], yes);
    }
}

/// So many rows of a block are few.
const FEW: usize = 192;

/// Of the rows of `maybe` those whose values are in the set; `rows` has room for all of them, and [`AT_ONCE`] more.
fn search(set: &IntSet, values: &[i64], maybe: &Block, rows: &mut [u16], yes: &mut Block) {
    let (listed, mut kept) = (list(maybe, rows), 0);
    for i in 0..listed {
        rows[kept] = rows[i];
        kept += usize::from(set.may_contain(values[usize::from(rows[i])]));
    }
    for row in &rows[..kept] {
        let row = usize::from(*row);
        yes[row / 64] |= u64::from(set.contains(values[row])) << (row % 64);
    }
}

/// So many rows of a word are listed without asking whether there are as many.
const AT_ONCE: usize = 4;

/// How many rows the bits name, which are written to `rows`: a loop that ended at the last bit of each word would be predicted wrongly nearly
/// every time (Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019, section 3.1).
fn list(bits: &Block, rows: &mut [u16]) -> usize {
    let mut count = 0;
    for (w, word) in bits.iter().enumerate() {
        let end = count + word.count_ones() as usize;
        let mut rest = *word;
        loop {
            for row in &mut rows[count..count + AT_ONCE] {
                *row = (w * 64) as u16 + rest.trailing_zeros() as u16;
                rest &= rest.wrapping_sub(1);
            }
            count += AT_ONCE;
            if count >= end {
                break;
            }
        }
        count = end;
    }
    count
}

/// Between bounds in the column's own width; they fit it, which binding has seen to.
fn narrow<T: simd::Number + TryFrom<i64>>(values: &[T], low: i64, high: i64, yes: &mut Block) {
    if let (Ok(low), Ok(high)) = (T::try_from(low), T::try_from(high)) {
        simd::between(values, low, high, yes);
    }
}

/// A block of an integer column as 64-bit numbers, arithmetic done.
fn ints<'b>(values: &Values, place: Place, steps: &[Step], buffer: &'b mut [i64; BLOCK_ROWS]) -> &'b [i64] {
    match values {
        Values::Int8(v) => widen(place.of(v), buffer, i64::from),
        Values::Int16(v) => widen(place.of(v), buffer, i64::from),
        Values::Int32(v) => widen(place.of(v), buffer, i64::from),
        Values::Int64(v) | Values::Timestamptz(v) => widen(place.of(v), buffer, |value| value),
        _ => {}
    }
    let wide = &mut buffer[..place.rows];
    for step in steps {
        let Some(constant) = step.constant.to_int() else {
            continue;
        };
        // One loop an operator, so that the choice is made outside of it.
        match step.op {
            Binary::Add => wide.iter_mut().for_each(|value| *value = value.wrapping_add(constant)),
            Binary::Multiply => wide.iter_mut().for_each(|value| *value = value.wrapping_mul(constant)),
            _ => wide.iter_mut().for_each(|value| *value = step.on_int(*value, constant)),
        }
    }
    wide
}

/// A block of any number column as floats, arithmetic done; `single`: rounded to 32 bits after every step, which gives
/// what 32-bit arithmetic would.
fn floats<'b>(
    values: &Values,
    place: Place,
    steps: &[Step],
    single: bool,
    buffer: &'b mut [f64; BLOCK_ROWS],
) -> &'b [f64] {
    match values {
        Values::Int8(v) => widen(place.of(v), buffer, f64::from),
        Values::Int16(v) => widen(place.of(v), buffer, f64::from),
        Values::Int32(v) => widen(place.of(v), buffer, f64::from),
        Values::Int64(v) => widen(place.of(v), buffer, |value| value as f64),
        Values::Float(v) => widen(place.of(v), buffer, f64::from),
        Values::Double(v) => widen(place.of(v), buffer, |value| value),
        _ => {}
    }
    let wide = &mut buffer[..place.rows];
    for step in steps {
        if single {
            let constant = f64::from(step.constant.to_f64() as f32);
            wide.iter_mut().for_each(|value| *value = f64::from(step.on_float(*value, constant) as f32));
        } else {
            let constant = step.constant.to_f64();
            wide.iter_mut().for_each(|value| *value = step.on_float(*value, constant));
        }
    }
    wide
}

/// The moments of a block, so many months later, as a column of their own.
pub(super) fn later(values: &Values, months: i64, place: Place) -> Values {
    let Values::Timestamptz(moments) = values else {
        return Values::Int64(Vec::new().into());
    };
    Values::Int64(place.of(moments).iter().map(|moment| add_months(*moment, months)).collect())
}

fn widen<T: Copy, W>(values: &[T], buffer: &mut [W; BLOCK_ROWS], to: impl Fn(T) -> W) {
    for (wide, value) in buffer.iter_mut().zip(values) {
        *wide = to(*value);
    }
}

/// Compares two number columns: whole numbers as such, any other pair as doubles.
pub(super) fn columns(op: Binary, a: &Values, b: &Values, place: Place, yes: &mut Block) {
    let is_whole =
        |values: &Values| values.data_type().is_integer() || matches!(values, Values::Timestamptz(_));
    if is_whole(a) && is_whole(b) {
        let (mut left, mut right) = ([0; BLOCK_ROWS], [0; BLOCK_ROWS]);
        compare(op, ints(a, place, &[], &mut left), ints(b, place, &[], &mut right), yes);
    } else {
        let (mut left, mut right) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
        let right = floats(b, place, &[], false, &mut right);
        compare(op, floats(a, place, &[], false, &mut left), right, yes);
    }
}

fn compare<T: Copy + PartialOrd>(op: Binary, a: &[T], b: &[T], yes: &mut Block) {
    match op {
        Binary::Less => fill_pairs(a, b, yes, |a, b| a < b),
        Binary::LessEqual => fill_pairs(a, b, yes, |a, b| a <= b),
        Binary::Greater => fill_pairs(a, b, yes, |a, b| a > b),
        Binary::GreaterEqual => fill_pairs(a, b, yes, |a, b| a >= b),
        Binary::Unequal => fill_pairs(a, b, yes, |a, b| a != b),
        _ => fill_pairs(a, b, yes, |a, b| a == b),
    }
}

/// Whether `op` holds of two values in this order.
pub(super) fn holds(op: Binary, order: Ordering) -> bool {
    match op {
        Binary::Less => order.is_lt(),
        Binary::LessEqual => order.is_le(),
        Binary::Greater => order.is_gt(),
        Binary::GreaterEqual => order.is_ge(),
        Binary::Unequal => order.is_ne(),
        _ => order.is_eq(),
    }
}
