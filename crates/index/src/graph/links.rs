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

    /// Bytes that the last number must have behind it.
    fn behind(self) -> usize {
        size_of::<u32>() - self.bytes()
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
    /// Each row has so many bytes, of which the first are `width` numbers.
    Even(usize),
    /// Each row has as many numbers as it has links.
    Packed(Starts),
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
    fn len(&self, width: usize, wide: Wide) -> Option<usize> {
        let (last, mut before) = (self.rows.len() - 1, 0u64);
        for row in 0..=last {
            let start = self.groups[row / GROUP].checked_add(u64::from(self.rows[row]))?;
            if start.checked_sub(before).is_none_or(|links| links > width as u64) || row == 0 && start > 0 {
                return None;
            }
            before = start;
        }
        usize::try_from(before).ok()?.checked_mul(wide.bytes())?.checked_add(wide.behind())
    }
}

impl Links {
    /// Adds the sections of links that have nothing behind them to an image; `links` has `width` places a row.
    pub(crate) fn write(links: &[u32], width: usize, image: &mut Image) {
        let rows = links.len() / width;
        let wide = Wide::of(rows);
        let count = links.iter().filter(|link| **link != NONE).count();
        let mut packed = Vec::with_capacity(count * wide.bytes() + wide.behind());
        let (mut groups, mut starts) = (Vec::with_capacity(rows / GROUP + 1), Vec::with_capacity(rows + 1));
        let mut all = 0u64;
        for row in 0..=rows {
            if row % GROUP == 0 {
                groups.push(all);
            }
            starts.push((all - groups[groups.len() - 1]) as u16);
            let links = links.get(row * width..(row + 1) * width).unwrap_or_default();
            let len = links.iter().position(|link| *link == NONE).unwrap_or(links.len());
            let from = packed.len();
            packed.resize(from + len * wide.bytes(), 0);
            wide.put(&links[..len], &mut packed[from..]);
            all += len as u64;
        }
        packed.resize(packed.len() + wide.behind(), 0);
        image.push("links", packed);
        image.push("link-groups", groups);
        image.push("link-starts", starts);
    }

    /// Bytes of the sections of `rows` rows of `width` links at most.
    pub(crate) fn need_bytes(rows: usize, width: usize) -> usize {
        rows * (width * Wide::of(rows).bytes() + size_of::<u16>())
            + size_of::<u64>() * (rows / GROUP + 1)
            + LINE
    }

    /// Reads back what [`Links::write`] wrote for a graph of `width` links a row at most.
    pub(crate) fn read(width: usize, rows: usize, image: &Image) -> Result<Self, Error> {
        let (wide, corrupt) = (Wide::of(rows), Error::Corrupt { what: "link-starts" });
        let starts = Starts::read(rows, image)?;
        let len = starts.len(width, wide).ok_or(corrupt)?;
        let packed = image.array("links", len)?;
        Self { width, count: rows, wide, places: Places::Packed(starts), rows: packed }.checked("links")
    }

    /// Reads the section `what` of rows of `stride` bytes each.
    pub(crate) fn read_even(
        what: &'static str,
        (width, stride, wide): (usize, usize, Wide),
        rows: usize,
        image: &Image,
    ) -> Result<Self, Error> {
        // Blocks, which have more than numbers, are filled up to a whole line of memory.
        let unit = if stride > width * wide.bytes() { LINE } else { 1 };
        let len = rows.checked_mul(stride).and_then(|len| len.checked_next_multiple_of(unit));
        let even = image.array(what, len.ok_or(Error::Corrupt { what })?)?;
        Self { width, count: rows, wide, places: Places::Even(stride), rows: even }.checked(what)
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
        match &self.places {
            Places::Even(_) => (self.ids(row), self.width),
            Places::Packed(starts) => {
                let (start, end) = (starts.of(row as usize), starts.of(row as usize + 1));
                let bytes = &self.rows[start * self.wide.bytes()..];
                (Ids { bytes, wide: self.wide }, end - start)
            }
        }
    }

    /// The numbers of a row's neighbours, of rows of so many bytes each.
    #[inline]
    pub(crate) fn ids(&self, row: u32) -> Ids<'_> {
        Ids { bytes: self.block(row), wide: self.wide }
    }

    /// Bytes of the numbers of a row, of rows of so many bytes each.
    pub(crate) fn ids_bytes(&self) -> usize {
        self.width * self.wide.bytes()
    }

    /// All bytes of a row.
    #[inline]
    pub(crate) fn block(&self, row: u32) -> &[u8] {
        let row = row as usize;
        match &self.places {
            Places::Even(stride) => &self.rows[row * stride..][..*stride],
            Places::Packed(starts) => {
                &self.rows[starts.of(row) * self.wide.bytes()..starts.of(row + 1) * self.wide.bytes()]
            }
        }
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> usize {
        let starts = match &self.places {
            Places::Even(_) => 0,
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
        let block = self.block(row);
        simd::prefetch(&block[..block.len().min(self.ids_bytes())]);
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
