//! The values that an index is built over, a few rows at a time, and the memory that it takes to gather them.
//! Invariant: of a compressed column no more than a block is unpacked at once.

use crate::Error;
use crate::column::Slots;
use data::{Column, FieldId, SegmentId};
use filter::BLOCK_ROWS;
use host::{Cancel, Cancelled, OutOfMemory};

/// Asks for so many more bytes, which are held until the build ends.
pub type Need<'a> = dyn FnMut(u64) -> Result<(), OutOfMemory> + 'a;

/// What a build holds of the memory that it has asked for.
pub(super) struct Meter<'a, 'n> {
    need: &'a mut Need<'n>,
    held: u64,
}

impl<'a, 'n> Meter<'a, 'n> {
    pub(super) fn new(need: &'a mut Need<'n>) -> Self {
        Self { need, held: 0 }
    }

    /// Makes sure that so many bytes are held in all.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        /// Asked for at once, so that few ask.
        const STEP_BYTES: u64 = 1 << 20;
        if bytes as u64 > self.held {
            let more = (bytes as u64 - self.held).next_multiple_of(STEP_BYTES);
            (self.need)(more)?;
            self.held += more;
        }
        Ok(())
    }
}

/// The values of a field of a segment.
pub(super) struct Source<'a> {
    slots: &'a Slots,
    field: FieldId,
    rows: usize,
    /// All of them, where they can be looked at in place.
    whole: Option<Column>,
    cancel: &'a Cancel,
}

impl<'a> Source<'a> {
    pub(super) fn open(
        slots: &'a Slots,
        (segment, field): (SegmentId, FieldId),
        rows: usize,
        cancel: &'a Cancel,
    ) -> Result<Self, Error> {
        let whole = match slots.is_compressed(field) {
            true => None,
            false => Some(slots.column(field)?.ok_or(Error::NoField { segment, field })?),
        };
        Ok(Self { slots, field, rows, whole, cancel })
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// All values; `None`: they lie compressed, and are texts or documents.
    pub(super) fn whole(&self) -> Option<&Column> {
        self.whole.as_ref()
    }

    /// A bit a row, set where there is a value; `None`: there is one in every row.
    pub(super) fn present(&self) -> Result<Option<Vec<u64>>, Error> {
        let bits = match &self.whole {
            Some(column) => column.validity().map(|validity| validity.inner().clone()),
            None => self.slots.present(self.field)?,
        };
        let bits = bits.filter(|bits| bits.count_set_bits() < self.rows);
        Ok(bits.map(|bits| bits.bit_chunks().iter_padded().take(self.rows.div_ceil(64)).collect()))
    }

    /// Shows all values in the order of rows, as columns of some neighbouring rows each, with the first row's number,
    /// until it is told `false`.
    pub(super) fn each(
        &self,
        visit: &mut dyn FnMut(&Column, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        if let Some(column) = &self.whole {
            for first in (0..self.rows).step_by(BLOCK_ROWS) {
                self.cancel.check()?;
                if !visit(&column.slice(first, BLOCK_ROWS.min(self.rows - first)), first)? {
                    break;
                }
            }
            return Ok(());
        }
        let (mut next, mut is_enough) = (0, false);
        let whole = std::iter::once(0..self.rows).collect::<Vec<_>>();
        let shown = self.slots.each_stored(self.field, &whole, &mut |column, rows| {
            self.cancel.check()?;
            let first = next;
            next += rows.len();
            is_enough = !visit(column, first)?;
            if is_enough { Err(Error::Cancelled(Cancelled)) } else { Ok(()) }
        });
        match shown {
            Err(_) if is_enough => Ok(()),
            other => other.map(drop),
        }
    }
}
