//! How many elements a value has, for a block of rows.

use super::kernel::each;
use super::{BLOCK_ROWS, BLOCK_WORDS, Block, Place};
use crate::json::{elements, find};
use crate::predicate::Leaf;
use data::Values;

/// The lengths of the rows of a block, as a column of their own. Clears the bits of rows whose value has no length.
pub(super) fn of(values: &Values, leaf: &Leaf, place: Place, known: &mut Block) -> Values {
    let mut lengths = vec![0_i64; place.rows.min(BLOCK_ROWS)];
    let mut has = [0; BLOCK_WORDS];
    if let Values::Json(documents) = values {
        each(known, &mut has, |i| {
            let array =
                find(documents.get(place.start + i), &leaf.path).filter(|raw| raw.first() == Some(&b'['));
            if let (Some(array), Some(length)) = (array, lengths.get_mut(i)) {
                *length = elements(array).count() as i64;
            }
            array.is_some()
        });
    }
    *known = has;
    Values::Int64(lengths.into())
}
