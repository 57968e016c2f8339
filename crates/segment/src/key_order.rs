//! The rows of a file in the order of their keys' codes. Invariant: codes never fall, and rows of one code rise.
//!
//! Where the keys themselves rise from row to row (numbers the system made), the key column is its own order and
//! nothing is stored. Otherwise `keys/codes` and `keys/rows` hold codes and row numbers, 12 bytes a row; should they
//! be damaged, they are made again from the key column.

use crate::Error;
use crate::blocks::Block;
use crate::chunk::key_of;
use crate::column::Slots;
use crate::files::{Head, KeyLayout, Opened, SectionWriter};
use crate::keys::{Sampled, code};
use data::{Column, KeyRef, ScalarBuffer, Schema, Values};
use filter::{Probe, Question};
use simd::Bits;
use std::ops::Bound;

const CODES: &str = "keys/codes";
const ROWS: &str = "keys/rows";

/// The keys of a file, ready to be searched.
#[derive(Debug)]
pub(crate) struct KeyOrder {
    /// Never falling.
    codes: ScalarBuffer<i64>,
    sampled: Sampled,
    /// The row of each code; `None` when they are the rows in order.
    rows: Option<ScalarBuffer<u32>>,
    /// The primary keys.
    column: Column,
}

impl KeyOrder {
    /// Finds the order of the keys in `file`.
    pub(crate) fn open(head: &Head, file: &Opened, slots: &Slots) -> Result<Self, Error> {
        let primary = slots.schema().primary().map(|field| field.id);
        let column = primary.map(|field| slots.stored(field)).transpose()?.flatten();
        let column = column.ok_or_else(|| Error::Shape("there is no primary key".to_owned()))?;
        let rows = head.rows as usize;
        let (codes, rows) = match (head.keys, column.values()) {
            (KeyLayout::Rising, Values::Int64(codes)) => (codes.clone(), None),
            (KeyLayout::Rising, _) => {
                return Err(file.damaged("head", "keys that are no numbers cannot be their own order"));
            }
            (KeyLayout::Sorted, _) => {
                let stored =
                    file.numbers(CODES, rows).and_then(|codes| Ok((codes, file.numbers(ROWS, rows)?)));
                let (codes, rows) = match stored {
                    Err(Error::Damaged { .. }) => sorted(codes_of(&column)),
                    other => other?,
                };
                (codes, Some(rows))
            }
            (KeyLayout::None, _) => return Err(Error::Shape("the file has no primary key".to_owned())),
        };
        let sampled = Sampled::new(&codes);
        Ok(Self { codes, sampled, rows, column })
    }

    /// Calls `visit` with the place in `wanted` and the row, for each row with one of the keys `wanted`.
    pub(crate) fn each(&self, wanted: &[KeyRef<'_>], mut visit: impl FnMut(usize, u32)) {
        let (Some(first), Some(last)) = (self.codes.first(), self.codes.last()) else { return };
        let (mut asked, mut codes) = (Vec::with_capacity(wanted.len()), Vec::with_capacity(wanted.len()));
        for (w, key) in wanted.iter().enumerate() {
            let code = code(*key);
            if code >= *first && code <= *last {
                asked.push(w);
                codes.push(code);
            }
        }
        let mut places = Vec::new();
        self.sampled.lower_bounds(&self.codes, &codes, &mut places);
        for ((w, code), place) in asked.into_iter().zip(codes).zip(places) {
            let equal = self.codes[place as usize..].iter().take_while(|found| **found == code).count();
            for place in place as usize..place as usize + equal {
                let row = self.rows.as_ref().map_or(place as u32, |rows| rows[place]);
                // The code of a number is the number.
                let is_it = match (wanted[w], self.column.values()) {
                    (KeyRef::Int(_), Values::Int64(values)) => (row as usize) < values.len(),
                    (key, _) => key_of(&self.column, row as usize) == Some(key),
                };
                if is_it {
                    visit(w, row);
                }
            }
        }
    }
}

/// What finding a key costs, in eighths of a nanosecond, about.
const KEY_COST: usize = 1600;

impl KeyOrder {
    /// The rows whose key passes the test of `probe`, when that names keys, and so few that a look at the whole column
    /// costs more.
    pub(crate) fn answer(&self, probe: &Probe<'_>) -> Option<Bits> {
        let question = probe.question();
        let wanted: Vec<KeyRef<'_>> = match &question {
            Question::Ints(low, high) if low == high => vec![KeyRef::Int(*low)],
            Question::AmongInts(values) => values.iter().map(|value| KeyRef::Int(*value)).collect(),
            Question::Texts(Bound::Included(low), Bound::Included(high)) if low == high => {
                vec![KeyRef::Text(low)]
            }
            Question::AmongTexts(values) => values.iter().map(|text| KeyRef::Text(text.as_bytes())).collect(),
            _ => return None,
        };
        let rows = self.codes.len();
        if wanted.len().saturating_mul(KEY_COST) > probe.column_cost() {
            return None;
        }
        let mut bits = Bits::zeros(rows);
        self.each(&wanted, |_, row| bits.set(row as usize, true));
        Some(bits)
    }
}

fn codes_of(column: &Column) -> Vec<i64> {
    (0..column.len()).filter_map(|row| key_of(column, row)).map(code).collect()
}

/// Codes in row order, sorted, and the row of each.
fn sorted(codes: Vec<i64>) -> (ScalarBuffer<i64>, ScalarBuffer<u32>) {
    let mut pairs: Vec<(i64, u32)> = codes.into_iter().zip(0..).collect();
    pairs.sort_unstable();
    let codes: Vec<i64> = pairs.iter().map(|pair| pair.0).collect();
    let rows: Vec<u32> = pairs.iter().map(|pair| pair.1).collect();
    (codes.into(), rows.into())
}

/// Writes the order of the keys of `blocks`, if they need one.
pub(crate) fn write_keys(
    schema: &Schema,
    blocks: &[Block],
    file: &mut SectionWriter,
) -> Result<KeyLayout, Error> {
    let Some(primary) = schema.primary() else { return Ok(KeyLayout::None) };
    let mut codes = Vec::with_capacity(blocks.iter().map(Block::kept).sum());
    let mut are_numbers = true;
    for block in blocks {
        block.each_piece(primary, &mut |column, rows| {
            are_numbers &= matches!(column.values(), Values::Int64(_));
            codes.extend(rows.filter_map(|row| key_of(column, row)).map(code));
            Ok(())
        })?;
    }
    if are_numbers && codes.is_sorted() {
        return Ok(KeyLayout::Rising);
    }
    let (codes, rows) = sorted(codes);
    file.whole(CODES, codes.inner())?;
    file.whole(ROWS, rows.inner())?;
    Ok(KeyLayout::Sorted)
}
