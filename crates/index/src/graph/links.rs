//! Links at rest and under construction. Invariant: a list ends at its first [`NONE`], or at its capacity.

use super::beam::Neighbours;
use crate::Error;

use crate::image::{Array, Image, VERSION_LEAN, VERSION_NARROW};

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// How many bits a row number has in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wide {
    bits: u32,
}

impl Wide {
    /// Four bytes, as in the beginning.
    pub(crate) const FOUR: Self = Self { bits: 32 };
    const THREE: Self = Self { bits: 24 };
    /// Numbers of up to so many bits lie in four bytes wherever they begin.
    const MOST: u32 = 25;

    /// The least that has room for `rows` rows and for none.
    pub(crate) fn of(rows: usize) -> Self {
        let bits = (usize::BITS - rows.leading_zeros()).max(1);
        if bits <= Self::MOST { Self { bits } } else { Self::FOUR }
    }

    /// The same in whole bytes, as it was before.
    pub(crate) fn bytes_of(rows: usize) -> Self {
        if rows < 0xff_ffff { Self::THREE } else { Self::FOUR }
    }

    /// Bytes that so many numbers take, one after the other, with what must be behind the last.
    pub(crate) fn bytes(self, count: usize) -> Option<usize> {
        let behind = READ - self.bits as usize / 8;
        count.checked_mul(self.bits as usize)?.div_ceil(8).checked_add(behind)
    }

    /// Bytes of a number that has whole ones.
    pub(crate) fn whole_bytes(self) -> usize {
        self.bits as usize / 8
    }

    /// Puts numbers one after the other, from bit `first` on, where there are zeros.
    pub(crate) fn put(self, numbers: &[u32], first: usize, out: &mut [u8]) {
        for (i, number) in numbers.iter().enumerate() {
            let at = first + i * self.bits as usize;
            let bits = u64::from(number & self.mask()) << (at % 8);
            let bytes = bits.to_le_bytes().into_iter().take((at % 8 + self.bits as usize).div_ceil(8));
            out[at / 8..].iter_mut().zip(bytes).for_each(|(out, byte)| *out |= byte);
        }
    }

    /// The bits of a number; all of them set are none.
    fn mask(self) -> u32 {
        u32::MAX >> (32 - self.bits)
    }
}

/// Bytes that are read of a number wherever it begins.
const READ: usize = size_of::<u32>();

/// Row numbers as they lie in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids<'a> {
    bytes: &'a [u8],
    /// The bit at which the first begins.
    first: usize,
    wide: Wide,
}

impl Ids<'_> {
    /// The number at place `i`, [`NONE`] if there is none.
    #[inline(always)]
    pub(crate) fn at(self, i: usize) -> u32 {
        let (at, mask) = (self.first + i * self.wide.bits as usize, self.wide.mask());
        let bits: u32 = bytemuck::pod_read_unaligned(&self.bytes[at / 8..at / 8 + READ]);
        let number = bits >> (at % 8) & mask;
        if number == mask { NONE } else { number }
    }
}

/// A finished graph: for each row at most `width` numbers, perhaps with more behind them.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) width: usize,
    /// How many rows there are.
    pub(crate) count: usize,
    wide: Wide,
    places: Places,
    rows: Array<u8>,
}

/// Where what belongs to a row is.
#[derive(Debug)]
enum Places {
    /// Each row has as many bytes; at some byte of them `width` numbers begin.
    Even(Even),
    /// Each row has as many numbers as it has links.
    Packed(Starts),
}

/// How rows with as many bytes each lie in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Even {
    /// Bytes of a row.
    pub(crate) stride: usize,
    /// Where in a row its numbers begin.
    pub(crate) ids: usize,
    /// All rows are filled up to a multiple of so many bytes.
    pub(crate) unit: usize,
}

/// How many links come before those of each row, and in all.
#[derive(Debug)]
struct Starts {
    /// Before the first row of each group, and in all.
    groups: Array<u64>,
    /// From the first row of its group on, for each row and for what comes after the last.
    rows: Array<u16>,
}

/// Rows of a group: 16 bits count the links of 15 rows, which have at most 4,096 each (twice the largest `M`).
const GROUP: usize = 16;

impl Starts {
    fn read(rows: usize, image: &Image) -> Result<Self, Error> {
        let groups = image.array("link-groups", rows / GROUP + 1)?;
        Ok(Self { groups, rows: image.array("link-starts", rows + 1)? })
    }

    #[inline]
    fn of(&self, row: usize) -> usize {
        (self.groups[row / GROUP] + u64::from(self.rows[row])) as usize
    }

    /// Whether rows have `width` links at most, and how many bytes all take.
    fn bytes(&self, width: usize, wide: Wide) -> Option<usize> {
        let (last, mut before) = (self.rows.len() - 1, 0u64);
        for row in 0..=last {
            let start = self.groups[row / GROUP].checked_add(u64::from(self.rows[row]))?;
            if start.checked_sub(before).is_none_or(|links| links > width as u64) || row == 0 && start > 0 {
                return None;
            }
            before = start;
        }
        wide.bytes(usize::try_from(before).ok()?)
    }
}

impl Links {
    /// Adds the sections of links that have nothing behind them to an image; `links` has `width` places a row.
    pub(crate) fn write(links: &[u32], width: usize, image: &mut Image) {
        let rows = links.len() / width;
        let wide = Wide::of(rows);
        let count = links.iter().filter(|link| **link != NONE).count();
        let mut packed = vec![0; wide.bytes(count).unwrap_or_default()];
        let (mut groups, mut starts) = (Vec::with_capacity(rows / GROUP + 1), Vec::with_capacity(rows + 1));
        let mut all = 0;
        for row in 0..=rows {
            if row % GROUP == 0 {
                groups.push(all as u64);
            }
            starts.push((all as u64 - groups[groups.len() - 1]) as u16);
            let links = links.get(row * width..(row + 1) * width).unwrap_or_default();
            let len = links.iter().position(|link| *link == NONE).unwrap_or(links.len());
            wide.put(&links[..len], all * wide.bits as usize, &mut packed);
            all += len;
        }
        image.push("links", packed);
        image.push("link-groups", groups);
        image.push("link-starts", starts);
    }

    /// Bytes of the sections of `rows` rows of `width` links at most.
    pub(crate) fn need_bytes(rows: usize, width: usize) -> usize {
        Wide::of(rows).bytes(rows * width).unwrap_or_default()
            + rows * size_of::<u16>()
            + size_of::<u64>() * (rows / GROUP + 1)
            + READ
    }

    /// Reads back what [`Links::write`] wrote, or did in an older `version`, for a graph of `width` links a row at most.
    pub(crate) fn read(width: usize, rows: usize, version: u32, image: &Image) -> Result<Self, Error> {
        if version < VERSION_LEAN {
            let even = Even { stride: READ * width, ids: 0, unit: 1 };
            return Self::read_even("links", (width, Wide::FOUR, even), rows, image);
        }
        let wide = if version < VERSION_NARROW { Wide::bytes_of(rows) } else { Wide::of(rows) };
        let starts = Starts::read(rows, image)?;
        let bytes = starts.bytes(width, wide).ok_or(Error::Corrupt { what: "link-starts" })?;
        let packed = image.array("links", bytes)?;
        Self { width, count: rows, wide, places: Places::Packed(starts), rows: packed }.checked("links")
    }

    /// Reads the section `what` of rows of as many bytes each.
    pub(crate) fn read_even(
        what: &'static str,
        (width, wide, even): (usize, Wide, Even),
        rows: usize,
        image: &Image,
    ) -> Result<Self, Error> {
        let len = rows.checked_mul(even.stride).and_then(|len| len.checked_next_multiple_of(even.unit));
        let rows_read = image.array(what, len.ok_or(Error::Corrupt { what })?)?;
        Self { width, count: rows, wide, places: Places::Even(even), rows: rows_read }.checked(what)
    }

    /// In one pass over all numbers, cheap beside reading them.
    fn checked(self, what: &'static str) -> Result<Self, Error> {
        let is_fine = |row: u32| (row as usize) < self.count || row == NONE;
        let fine = (0..self.count as u32).all(|row| {
            let (ids, count) = self.some(row);
            (0..count).all(|i| is_fine(ids.at(i)))
        });
        if fine { Ok(self) } else { Err(Error::Corrupt { what }) }
    }

    /// The numbers of a row's neighbours, and how many there are at most.
    #[inline]
    fn some(&self, row: u32) -> (Ids<'_>, usize) {
        let wide = self.wide;
        match &self.places {
            Places::Even(even) => (Ids { bytes: &self.block(row)[even.ids..], first: 0, wide }, self.width),
            Places::Packed(starts) => {
                let (start, end) = (starts.of(row as usize), starts.of(row as usize + 1));
                let first = start * wide.bits as usize;
                (Ids { bytes: &self.rows[first / 8..], first: first % 8, wide }, end - start)
            }
        }
    }

    /// The numbers of a row's neighbours.
    #[inline]
    pub(crate) fn ids(&self, row: u32) -> Ids<'_> {
        self.some(row).0
    }

    /// All bytes of a row.
    #[inline]
    pub(crate) fn block(&self, row: u32) -> &[u8] {
        let row = row as usize;
        match &self.places {
            Places::Even(even) => &self.rows[row * even.stride..][..even.stride],
            Places::Packed(starts) => {
                let bit = |row: usize| starts.of(row) * self.wide.bits as usize;
                &self.rows[bit(row) / 8..bit(row + 1).div_ceil(8)]
            }
        }
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> usize {
        let starts = match &self.places {
            Places::Even(..) => 0,
            Places::Packed(starts) => size_of_val(&starts.groups[..]) + size_of_val(&starts.rows[..]),
        };
        self.rows.len() + starts
    }
}

impl Neighbours for Links {
    #[inline]
    fn width(&self) -> usize {
        self.width
    }

    #[inline]
    fn each(&self, row: u32, mut each: impl FnMut(u32)) {
        let (ids, count) = self.some(row);
        for i in 0..count {
            let row = ids.at(i);
            if row == NONE {
                break;
            }
            each(row);
        }
    }

    #[inline]
    fn prefetch(&self, row: u32) {
        let ids = match &self.places {
            Places::Even(even) => even.ids..even.ids + (self.width * self.wide.bits as usize).div_ceil(8),
            Places::Packed(_) => 0..self.block(row).len(),
        };
        simd::prefetch(&self.block(row)[ids]);
    }

    #[inline]
    fn announce(&self, row: u32) {
        if let Places::Packed(starts) = &self.places {
            let row = row as usize;
            simd::prefetch(&starts.rows[row..row + 2]);
            simd::prefetch(&starts.groups[row / GROUP..=row / GROUP]);
        }
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
    fn width(&self) -> usize {
        self.width
    }

    #[inline]
    fn each(&self, row: u32, mut each: impl FnMut(u32)) {
        self.of(row).iter().for_each(|link| each(*link as u32));
    }

    #[inline]
    fn prefetch(&self, row: u32) {
        simd::prefetch(&self.slots[row as usize * self.width..][..self.width]);
    }
}
