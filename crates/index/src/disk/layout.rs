//! Where things are in a block. Invariant: everything follows from the specification; a block ends with its checksum.

use std::ops::Range;

use super::pages::PAGE_BYTES;
use super::plan::Plan;
use crate::{Element, Spec, Vectors};

/// Bytes of the checksum at the end of a block.
pub(super) const SUM: usize = 8;

/// Bytes of a row.
pub(super) fn row_bytes(spec: &Spec) -> usize {
    match spec.element() {
        Element::F32 => 4 * spec.dim(),
        Element::F16 | Element::Bf16 => 2 * spec.dim(),
        Element::I8 => spec.dim(),
        Element::Bits => spec.dim() / 8,
        Element::Sparse => 0,
    }
}

/// How nodes lie in blocks. A node has the slots of its neighbours, their codes if there is room for codes, and its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    element: Element,
    dim: usize,
    /// Neighbours at most.
    pub(super) width: usize,
    /// Bytes of a code of a neighbour; 0 where codes are in memory.
    pub(super) code_bytes: usize,
    row_bytes: usize,
    pub(super) block_pages: usize,
    /// Nodes in a block.
    pub(super) per_block: usize,
}

impl Layout {
    /// For codes of `code_bytes`.
    pub(super) fn of(spec: &Spec, plan: Plan, code_bytes: usize) -> Self {
        let (width, row_bytes) = (plan.width, row_bytes(spec));
        let code_bytes = if plan.is_inline { code_bytes } else { 0 };
        let mut layout = Self {
            element: spec.element(),
            dim: spec.dim(),
            width,
            code_bytes,
            row_bytes,
            block_pages: 1,
            per_block: 1,
        };
        let node = layout.node_bytes();
        layout.block_pages = (node + SUM).div_ceil(PAGE_BYTES);
        layout.per_block = (layout.block_bytes() - SUM) / node;
        layout
    }

    fn node_bytes(&self) -> usize {
        (self.width * (4 + self.code_bytes) + self.row_bytes).next_multiple_of(4)
    }

    pub(super) fn block_bytes(&self) -> usize {
        self.block_pages * PAGE_BYTES
    }

    /// The block of `slot`.
    #[inline]
    pub(super) fn block_of(&self, slot: u32) -> u32 {
        slot / self.per_block as u32
    }

    /// The slots in `block` of an index of `rows` rows.
    #[inline]
    pub(super) fn slots(&self, block: u32, rows: usize) -> Range<u32> {
        let first = block as usize * self.per_block;
        first as u32..(first + self.per_block).min(rows) as u32
    }

    /// Where in its block the node of `slot` is.
    fn node(&self, slot: u32) -> Range<usize> {
        let start = slot as usize % self.per_block * self.node_bytes();
        start..start + self.node_bytes()
    }

    /// Puts a node into its block.
    pub(super) fn put(&self, block: &mut [u8], slot: u32, links: &[u32], codes: &[u8], row: &[u8]) {
        let node = &mut block[self.node(slot)];
        let (ids, rest) = node.split_at_mut(4 * self.width);
        ids.copy_from_slice(bytemuck::cast_slice(links));
        let (inline, rest) = rest.split_at_mut(self.width * self.code_bytes);
        inline[..codes.len()].copy_from_slice(codes);
        rest[..self.row_bytes].copy_from_slice(row);
    }

    /// The neighbours of `slot`.
    #[inline]
    pub(super) fn links<'a>(&self, block: &'a [u8], slot: u32) -> &'a [u32] {
        bytemuck::cast_slice(&block[self.node(slot)][..4 * self.width])
    }

    /// Their codes.
    #[inline]
    pub(super) fn codes<'a>(&self, block: &'a [u8], slot: u32) -> &'a [u8] {
        &block[self.node(slot)][4 * self.width..][..self.width * self.code_bytes]
    }

    /// The row of `slot`.
    #[inline]
    pub(super) fn row<'a>(&self, block: &'a [u8], slot: u32) -> Vectors<'a> {
        let start = self.width * (4 + self.code_bytes);
        let bytes = &block[self.node(slot)][start..start + self.row_bytes];
        let dim = self.dim;
        match self.element {
            Element::F32 => Vectors::F32 { dim, values: bytemuck::cast_slice(bytes) },
            Element::F16 => Vectors::F16 { dim, bytes },
            Element::Bf16 => Vectors::Bf16 { dim, bytes },
            Element::I8 => Vectors::I8 { dim, values: bytemuck::cast_slice(bytes) },
            Element::Bits | Element::Sparse => Vectors::Bits { dim, bytes },
        }
    }

    /// Ends block number `number` with its checksum.
    pub(super) fn seal(block: &mut [u8], number: u32) {
        let end = block.len() - SUM;
        let sum = checksum(&block[..end], number);
        block[end..].copy_from_slice(&sum.to_le_bytes());
    }

    /// Whether a block is number `number`, as it was sealed.
    pub(super) fn is_whole(block: &[u8], number: u32) -> bool {
        let (content, sum) = block.split_at(block.len() - SUM);
        sum == checksum(content, number).to_le_bytes()
    }
}

/// FNV-1a over words of eight bytes, in four lanes by turns.
fn checksum(bytes: &[u8], number: u32) -> u64 {
    const PRIME: u64 = 0x100_0000_01b3;
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    let mut lanes = [START, START ^ 1, START ^ 2, START ^ u64::from(number) << 8];
    let step = |lane: &mut u64, word: &[u8; 8]| {
        // A multiplication alone never carries from high bits to low ones.
        *lane = (*lane ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(29);
    };
    let (words, _) = bytes.as_chunks::<8>();
    let (fours, rest) = words.as_chunks::<4>();
    for four in fours {
        lanes.iter_mut().zip(four).for_each(|(lane, word)| step(lane, word));
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, word)| step(lane, word));
    lanes.iter().fold(START, |sum, lane| (sum ^ lane).wrapping_mul(PRIME).rotate_left(29))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bit_that_changes_is_noticed() {
        let mut block: Vec<u8> = (0..PAGE_BYTES).map(|i| (i * 7 % 251) as u8).collect();
        Layout::seal(&mut block, 9);
        assert!(Layout::is_whole(&block, 9) && !Layout::is_whole(&block, 8));
        for bit in (0..8 * PAGE_BYTES).step_by(13) {
            block[bit / 8] ^= 1 << (bit % 8);
            assert!(!Layout::is_whole(&block, 9), "bit {bit}");
            block[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
