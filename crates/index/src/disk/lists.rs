//! Lists of rows beside a graph on disk, for searches among the rows of a mask. Invariant: the slot of a row holds that row.
//!
//! Codes of all rows are in memory, so a list need say no more than which rows are in it ([`crate::visit`]). Only the best are read.

use simd::Bits;

use crate::Error;
use crate::codec::Space;
use crate::image::Image;
use crate::shares::Shares;

/// Lists that can be searched.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) shares: Shares,
    /// The slot of each row.
    slots: Vec<u32>,
}

impl Lists {
    /// Reads back what [`Shared`](crate::shares::Shared) wrote, if there is any; `order` has the row of each slot.
    pub(super) fn read(
        (space, dim, order): (&Space, usize, &[u32]),
        is_copied: bool,
        image: &Image,
    ) -> Result<Option<Self>, Error> {
        let Some(shares) = Shares::read(space, order.len(), image)? else { return Ok(None) };
        let mut slots = vec![0; order.len()];
        (0..).zip(order).for_each(|(slot, row)| slots[*row as usize] = slot);
        let shares = if is_copied { shares.copied() } else { shares }.gated(space, dim);
        Ok(Some(Self { shares, slots }))
    }

    /// Bytes in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        4 * self.slots.len() + self.shares.bytes()
    }

    /// The slot of a row.
    #[inline]
    pub(super) fn slot_of(&self, row: u32) -> u32 {
        self.slots[row as usize]
    }

    /// The slots of the rows of `mask`.
    pub(super) fn slots_of<'a>(&'a self, mask: &'a Bits) -> impl Iterator<Item = u32> + 'a {
        mask.iter().map(|row| self.slots[row])
    }
}
