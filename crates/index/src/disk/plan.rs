//! Where codes of a graph on disk are, and of how many bits. Invariant: it follows from the specification and the version of
//! the image alone.

use super::layout::{SUM, row_bytes};
use super::pages::PAGE_BYTES;
use crate::Spec;
use crate::codec::Recipe;
use crate::image::VERSION_DISK_LISTS;

/// With fewer links of every slot in memory a walk finds too little; see docs/decisions/0380.
pub(super) const LINKS_MIN: usize = 4;

/// What a node keeps of its neighbours, and what memory keeps of all rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Bits of a code, an element.
    bits: usize,
    /// Whether the codes of its neighbours are in a node, instead of all in memory.
    pub(super) is_inline: bool,
    /// Neighbours of a node at most.
    pub(super) width: usize,
}

/// A node chooses half of the links that it may come to have.
fn even(width: usize) -> usize {
    (width / 2).max(1) * 2
}

/// Bytes of a code of so many bits an element.
fn stride(dim: usize, bits: usize) -> usize {
    dim.div_ceil(64) * 8 * bits + 8
}

impl Plan {
    /// For images that are written now.
    pub(crate) fn new(spec: &Spec) -> Self {
        Self::of(spec, VERSION_DISK_LISTS)
    }

    /// For images of `version`.
    ///
    /// DISKANN has codes of as many bits as are budgeted for. AISAQ has codes in memory where the budget for a cache has room for
    /// some of at least a bit, and for a few links. Where it has none, codes lie inline: of as many neighbours as `inline_pq`
    /// says, or of as many and of as many bits as fit into the pages that a node takes in any case.
    pub(crate) fn of(spec: &Spec, version: u32) -> Self {
        let (bits, width, dim) = (spec.code_bits(), 2 * spec.degree().0, spec.dim());
        let all = Self { bits, is_inline: spec.has_inline_codes(), width };
        if !all.is_inline || version < VERSION_DISK_LISTS {
            return all;
        }
        if let Some(inline) = spec.inline_codes() {
            return Self { width: even(width.min(inline)), ..all };
        }
        let room = (spec.cache_share() * row_bytes(spec) as f64) as usize;
        let held = (1..=bits).rev().find(|bits| stride(dim, *bits) + 4 * (1 + LINKS_MIN) <= room);
        if let Some(bits) = held {
            return Self { bits, is_inline: false, ..all };
        }
        // As few pages as hold half of the links with codes of a bit; there as many bits as three quarters of the links have room for.
        let fits = |pages: usize, bits| {
            (pages * PAGE_BYTES - SUM).saturating_sub(row_bytes(spec)) / (4 + stride(dim, bits))
        };
        let pages = (1..).find(|pages| fits(*pages, 1) >= width.div_ceil(2)).unwrap_or(1);
        let wide = |bits: &usize| fits(pages, *bits) * 4 >= width * 3;
        let bits = (1..=bits).rev().find(wide).unwrap_or(1);
        Self { bits, width: even(width.min(fits(pages, bits))), ..all }
    }

    /// Bytes of a code of a row of `dim` elements.
    pub(super) fn stride(self, dim: usize) -> usize {
        stride(dim, self.bits)
    }

    /// How rows are coded.
    pub(crate) fn recipe(self) -> Recipe {
        Recipe::Scalar { bits: self.bits, turned: true }
    }

    /// How many links a node chooses, which may come to have twice as many.
    pub(crate) fn degree(self) -> usize {
        (self.width / 2).max(1)
    }
}
