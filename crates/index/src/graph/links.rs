//! Links at rest and under construction. Invariant: a list ends at its first [`NONE`], or at its capacity.

use super::beam::Neighbours;
use crate::Error;

use crate::image::{Array, Image};

/// Bytes of a line of memory.
const LINE: usize = 64;

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// How row numbers lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wide {
    /// In 3 bytes; such a number of a row has something behind it.
    Three,
    /// In 4 bytes.
    Four,
}

impl Wide {
    /// The least that has room for `rows` rows and for none.
    pub(crate) fn of(rows: usize) -> Self {
        if rows < 0xff_ffff { Self::Three } else { Self::Four }
    }

    /// Bytes of a number.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Three => 3,
            Self::Four => 4,
        }
    }

    /// The bits of a number; all of them set are none.
    fn mask(self) -> u32 {
        match self {
            Self::Three => 0xff_ffff,
            Self::Four => NONE,
        }
    }

    /// Puts numbers one after the other.
    pub(crate) fn put(self, numbers: &[u32], out: &mut [u8]) {
        for (number, out) in numbers.iter().zip(out.chunks_exact_mut(self.bytes())) {
            out.copy_from_slice(&number.to_le_bytes()[..self.bytes()]);
        }
    }
}

/// Row numbers as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids<'a> {
    bytes: &'a [u8],
    wide: Wide,
}

impl Ids<'_> {
    /// The number at place `i`, [`NONE`] if there is none.
    #[inline(always)]
    pub(crate) fn at(self, i: usize) -> u32 {
        let (start, mask) = (i * self.wide.bytes(), self.wide.mask());
        let number: u32 = bytemuck::pod_read_unaligned(&self.bytes[start..start + 4]);
        if number & mask == mask { NONE } else { number & mask }
    }
}

/// A finished graph: for each row `width` places at the start of its `stride` bytes.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) width: usize,
    pub(crate) stride: usize,
    wide: Wide,
    pub(crate) rows: Array<u8>,
}

impl Links {
    /// Reads the section `what`.
    pub(crate) fn read(
        what: &'static str,
        (width, stride, wide): (usize, usize, Wide),
        rows: usize,
        image: &Image,
    ) -> Result<Self, Error> {
        // Blocks, which have more than numbers, are filled up to a whole line of memory.
        let unit = if stride > width * wide.bytes() { LINE } else { 1 };
        let len = rows.checked_mul(stride).and_then(|len| len.checked_next_multiple_of(unit));
        let links =
            Self { width, stride, wide, rows: image.array(what, len.ok_or(Error::Corrupt { what })?)? };
        // One pass over all numbers, cheap beside reading them.
        let is_fine = |row: u32| (row as usize) < rows || row == NONE;
        let fine = (0..rows as u32).all(|row| (0..width).all(|i| is_fine(links.ids(row).at(i))));
        if fine { Ok(links) } else { Err(Error::Corrupt { what }) }
    }

    /// The numbers of a row's neighbours.
    #[inline]
    pub(crate) fn ids(&self, row: u32) -> Ids<'_> {
        Ids { bytes: self.block(row), wide: self.wide }
    }

    /// Bytes of the numbers of a row.
    pub(crate) fn ids_bytes(&self) -> usize {
        self.width * self.wide.bytes()
    }

    /// All bytes of a row.
    #[inline]
    pub(crate) fn block(&self, row: u32) -> &[u8] {
        &self.rows[row as usize * self.stride..][..self.stride]
    }
}

impl Neighbours for Links {
    #[inline]
    fn each(&self, row: u32, mut each: impl FnMut(u32)) {
        let ids = self.ids(row);
        for i in 0..self.width {
            let row = ids.at(i);
            if row == NONE {
                break;
            }
            each(row);
        }
    }

    #[inline]
    fn prefetch(&self, row: u32) {
        simd::prefetch(&self.block(row)[..self.ids_bytes()]);
    }
}

impl Links {
    /// Asks the memory for all bytes of a row. There are too many for the nearest cache to wait for at once.
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
