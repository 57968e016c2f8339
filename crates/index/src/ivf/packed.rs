//! Lists of rows as codes of 4 bits in blocks of 32. Invariant: a list has as many blocks as its rows fill, the last
//! perhaps in part.
//!
//! A code is the number of an entry of a codebook, or the signs of four elements of a rotated row. Either way what a query
//! makes of it is looked up in a table of 16 entries, see [`Lookups`].

use std::ops::Range;

use simd::Lookups;

use super::search::Lists;
use crate::codec::{Sketch, Turn, factors_of};
use crate::image::{Array, Image};
use crate::nearest::Nearest;
use crate::{Error, Query, Vectors};

/// Bytes between the end of the block that is read and what is asked for.
const AHEAD: usize = 4096;

/// Coded rows of all lists.
#[derive(Debug)]
pub(super) struct Packed {
    sketch: Sketch,
    blocks: Array<u8>,
    /// The number of each list's first block.
    firsts: Vec<usize>,
    block_bytes: usize,
}

/// How many blocks come before each list, and how many there are.
fn firsts(starts: &[u32]) -> Vec<usize> {
    let mut firsts = vec![0];
    let mut all = 0;
    for pair in starts.windows(2) {
        all += ((pair[1] - pair[0]) as usize).div_ceil(Lookups::ROWS);
        firsts.push(all);
    }
    firsts
}

/// Puts rows that were coded one after the other, `stride` bytes each, into blocks.
pub(super) fn pack(codes: &[u8], (stride, nibbles): (usize, usize), starts: &[u32]) -> Vec<u8> {
    let firsts = firsts(starts);
    let block_bytes = Lookups::block_bytes(nibbles);
    let mut blocks = vec![0; firsts[firsts.len() - 1] * block_bytes];
    for (list, pair) in starts.windows(2).enumerate() {
        let rows = &codes[pair[0] as usize * stride..pair[1] as usize * stride];
        let blocks = blocks[firsts[list] * block_bytes..].chunks_exact_mut(block_bytes);
        for (rows, block) in rows.chunks(Lookups::ROWS * stride).zip(blocks) {
            let row = |row: usize| &rows[row * stride..][..stride];
            let code = |i: usize, code: usize| row(i)[code / 2] >> (code % 2 * 4) & 15;
            Lookups::pack((rows.len() / stride, nibbles), code, |i| factors_of(row(i)), block);
        }
    }
    blocks
}

impl Packed {
    /// Reads the blocks back.
    pub(super) fn read(sketch: Sketch, nibbles: usize, starts: &[u32], image: &Image) -> Result<Self, Error> {
        let (firsts, block_bytes) = (firsts(starts), Lookups::block_bytes(nibbles));
        let len =
            firsts[firsts.len() - 1].checked_mul(block_bytes).ok_or(Error::Corrupt { what: "blocks" })?;
        Ok(Self { sketch, blocks: image.array("blocks", len)?, firsts, block_bytes })
    }

    /// The blocks of a list.
    fn list(&self, list: u32) -> &[u8] {
        let [first, end] = [0, 1].map(|i| self.firsts[list as usize + i] * self.block_bytes);
        &self.blocks[first..end]
    }

    /// See [`Sketch::signs`].
    pub(super) fn signs(&self) -> Option<(&Turn, f32)> {
        self.sketch.signs()
    }

    /// Bytes of one block.
    pub(super) fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Bytes of the blocks.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.len()
    }

    /// The lists, searched as `query` says.
    pub(super) fn searched(&self, query: &Query) -> Searched<'_> {
        Searched { packed: self, query_bits: query.value("rbq_bits_query") }
    }
}

/// Lists and how exactly queries are taken.
pub(super) struct Searched<'a> {
    packed: &'a Packed,
    query_bits: usize,
}

/// A query as tables.
#[derive(Default)]
pub(super) struct Probe {
    wide: Vec<f32>,
    moved: Vec<f32>,
    tables: Vec<[f32; 16]>,
    lookups: Lookups,
}

impl Lists for Searched<'_> {
    type Probe = Probe;

    fn probe(&self) -> Probe {
        Probe::default()
    }

    fn aim(&self, probe: &mut Probe, queries: Vectors<'_>, query: usize) {
        let sketch = &self.packed.sketch;
        sketch.move_query(queries.floats(query, &mut probe.wide), &mut probe.moved);
        let Probe { moved, tables, lookups, .. } = probe;
        sketch.aim_lookups(moved, self.query_bits, (tables, lookups));
    }

    fn signs<'a>(&self, probe: &'a Probe) -> Option<&'a Lookups> {
        // Where a query is taken with few bits, centres deserve more.
        self.packed.signs().filter(|_| self.query_bits == 0).map(|_| &probe.lookups)
    }

    fn ask(&self, (list, range): (u32, Range<u32>), members: &[u32]) {
        simd::prefetch_far(&members[range.start as usize..range.end as usize]);
        let blocks = self.packed.list(list);
        simd::prefetch_far(&blocks[..(self.packed.block_bytes + AHEAD).min(blocks.len())]);
        self.packed.sketch.ask_term(list);
    }

    fn look(
        &self,
        (list, range): (u32, Range<u32>),
        members: &[u32],
        wanted: Option<&[u64]>,
        probe: &mut Probe,
        nearest: &mut Nearest,
    ) {
        let Packed { sketch, block_bytes, .. } = self.packed;
        let term = sketch.list_term(&probe.moved, list);
        let rows = &members[range.start as usize..range.end as usize];
        let mut left = self.packed.list(list);
        let mut scores = [0.0; Lookups::ROWS];
        for (i, rows) in rows.chunks(Lookups::ROWS).enumerate() {
            let (block, after) = left.split_at(*block_bytes);
            left = after;
            // Two blocks are a word.
            let wanted = wanted.map_or(u32::MAX, |words| (words[i / 2] >> (i % 2 * Lookups::ROWS)) as u32);
            if wanted == 0 {
                continue;
            }
            // Memory foresees a stream no further than to the end of a page.
            simd::prefetch(&left[AHEAD.min(left.len())..(AHEAD + block_bytes).min(left.len())]);
            let mut near = wanted & probe.lookups.scores(block, term, nearest.limit(), &mut scores);
            while near != 0 {
                let i = near.trailing_zeros() as usize;
                near &= near - 1;
                // Places after a list's last row score infinity.
                let Some(row) = rows.get(i) else { break };
                nearest.push(scores[i], *row);
            }
        }
    }
}
