//! Links at rest and under construction. Invariant: a list ends at its first [`NONE`], or at its capacity.

use super::beam::Neighbours;
use crate::Error;

use crate::image::{Array, Image};

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// A finished graph: for each row `width` places at the start of its `stride` numbers.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) width: usize,
    pub(crate) stride: usize,
    pub(crate) rows: Array<u32>,
}

impl Links {
    /// Reads the section `what`.
    pub(crate) fn read(
        what: &'static str,
        (width, stride): (usize, usize),
        rows: usize,
        image: &Image,
    ) -> Result<Self, Error> {
        let len = rows.checked_mul(stride).ok_or(Error::Corrupt { what })?;
        let links = Self { width, stride, rows: image.array(what, len)? };
        // One pass over all numbers, cheap beside reading them.
        let is_fine = |row: &u32| (*row as usize) < rows || *row == NONE;
        let fine = (0..rows as u32).all(|row| links.of(row).iter().all(is_fine));
        if fine { Ok(links) } else { Err(Error::Corrupt { what }) }
    }

    #[inline]
    pub(crate) fn of(&self, row: u32) -> &[u32] {
        &self.rows[row as usize * self.stride..][..self.width]
    }

    /// All numbers of a row.
    #[inline]
    pub(crate) fn block(&self, row: u32) -> &[u32] {
        &self.rows[row as usize * self.stride..][..self.stride]
    }
}

impl Neighbours for Links {
    #[inline]
    fn each(&self, row: u32, mut each: impl FnMut(u32)) {
        for row in self.of(row) {
            if *row == NONE {
                break;
            }
            each(*row);
        }
    }

    #[inline]
    fn prefetch(&self, row: u32) {
        simd::prefetch(self.of(row));
    }
}

impl Links {
    /// Asks the memory for all numbers of a row. There are too many for the nearest cache to wait for at once.
    #[inline]
    pub(crate) fn prefetch_block(&self, row: u32) {
        simd::prefetch_far(self.block(row));
    }
}

/// A graph that grows: links carry their distances, as [`crate::hits::order`].
#[derive(Debug)]
pub(crate) struct Draft {
    width: usize,
    slots: Vec<u64>,
    lens: Vec<u32>,
}

impl Draft {
    pub(crate) fn new(rows: usize, width: usize) -> Self {
        Self { width, slots: vec![0; rows * width], lens: vec![0; rows] }
    }

    /// Adds a row without links.
    pub(crate) fn push(&mut self) {
        self.slots.resize(self.slots.len() + self.width, 0);
        self.lens.push(0);
    }

    /// Bytes it has in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&self.slots[..]) + size_of_val(&self.lens[..])
    }

    pub(crate) fn rows(&self) -> usize {
        self.lens.len()
    }

    pub(crate) fn of(&self, row: u32) -> &[u64] {
        &self.slots[row as usize * self.width..][..self.lens[row as usize] as usize]
    }

    pub(crate) fn set(&mut self, row: u32, links: &[u64]) {
        self.slots[row as usize * self.width..][..links.len()].copy_from_slice(links);
        self.lens[row as usize] = links.len() as u32;
    }

    /// Adds links that are not there yet, if there is room for all; false if there is not.
    pub(crate) fn extend(&mut self, row: u32, links: &[(u32, u64)]) -> bool {
        let len = self.lens[row as usize] as usize;
        let slots = &mut self.slots[row as usize * self.width..][..self.width];
        let mut end = len;
        for (_, link) in links {
            if slots[..len].contains(link) {
                continue;
            }
            let Some(slot) = slots.get_mut(end) else { return false };
            *slot = *link;
            end += 1;
        }
        self.lens[row as usize] = end as u32;
        true
    }

    /// The finished graph, nearest links first.
    pub(crate) fn finish(self, width: usize) -> Vec<u32> {
        let mut rows = vec![NONE; self.lens.len() * width];
        for (row, places) in rows.chunks_exact_mut(width).enumerate() {
            let mut links = self.of(row as u32).to_vec();
            links.sort_unstable();
            places.iter_mut().zip(links).for_each(|(place, link)| *place = link as u32);
        }
        rows
    }
}

impl Neighbours for Draft {
    #[inline]
    fn each(&self, row: u32, mut each: impl FnMut(u32)) {
        self.of(row).iter().for_each(|link| each(*link as u32));
    }

    #[inline]
    fn prefetch(&self, row: u32) {
        simd::prefetch(&self.slots[row as usize * self.width..][..self.width]);
    }
}
