//! Codes of 1 to 9 bits, packed, and their products with signed bytes. Invariant: exact, so the same at every
//! [`Level`].
//!
//! 64 codes of `B` bits make a chunk of `8 B` bytes: a plane for each power of two in `B`, the widest first (9 bits are a
//! plane of 8 and one of 1). The widest plane holds the lowest bits of each code. Byte `j` of a plane of width `w` holds
//! the codes `j`, `j + 8 w`, `j + 16 w` and so on, from its lowest bits on; only a plane of single bits holds them in order.

use crate::Level;
use crate::kernel::planes_block;

/// Codes in a chunk.
const CHUNK: usize = 64;

/// Whether codes of `bits` bits have a plane of `width`.
#[inline(always)]
pub(crate) const fn has_plane(bits: usize, width: usize) -> bool {
    bits & width != 0
}

/// How many bits a packed code has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planes {
    bits: usize,
}

impl Planes {
    /// Codes of `bits` bits: 1 to 9.
    pub const fn new(bits: usize) -> Option<Self> {
        if bits >= 1 && bits <= 9 { Some(Self { bits }) } else { None }
    }

    /// Bits of a code.
    pub fn bits(self) -> usize {
        self.bits
    }

    /// Bytes that `len` codes take.
    pub fn row_bytes(self, len: usize) -> usize {
        len.div_ceil(CHUNK) * 8 * self.bits
    }

    /// Packs codes, of which only the lowest bits count.
    ///
    /// # Panics
    /// When `out` has not [`Planes::row_bytes`] bytes.
    pub fn pack(self, codes: &[u16], out: &mut [u8]) {
        assert_eq!(out.len(), self.row_bytes(codes.len()), "room for the codes");
        out.fill(0);
        for (codes, chunk) in codes.chunks(CHUNK).zip(out.chunks_exact_mut(8 * self.bits)) {
            let (mut start, mut shift) = (0, 0);
            for width in [8, 4, 2, 1].into_iter().filter(|width| has_plane(self.bits, *width)) {
                for (i, code) in codes.iter().enumerate() {
                    let (byte, part) =
                        if width == 1 { (i / 8, i % 8) } else { (i % (8 * width), i / (8 * width)) };
                    let bits = code >> shift & (0xff >> (8 - width));
                    chunk[start + byte] |= (bits << (part * width)) as u8;
                }
                (start, shift) = (start + 8 * width, shift + width);
            }
        }
    }

    /// The sums of products of a query, filled up with zeros to whole chunks of 64, with many packed rows: `out[i]`
    /// belongs to the row that starts at byte `starts(i)` of `rows`.
    ///
    /// # Panics
    /// When a row does not lie inside `rows`.
    #[inline]
    pub fn dots(self, query: &[[i8; 64]], rows: &[u8], starts: impl Fn(usize) -> usize, out: &mut [i32]) {
        self.dots_at(Level::current(), query, rows, starts, out);
    }

    /// [`Planes::dots`] at a chosen level.
    ///
    /// # Panics
    /// When a row does not lie inside `rows`.
    pub fn dots_at(
        self,
        level: Level,
        query: &[[i8; 64]],
        rows: &[u8],
        starts: impl Fn(usize) -> usize,
        out: &mut [i32],
    ) {
        match self.bits {
            1 => many::<1, 8>(level, query, rows, starts, out),
            2 => many::<2, 16>(level, query, rows, starts, out),
            3 => many::<3, 24>(level, query, rows, starts, out),
            4 => many::<4, 32>(level, query, rows, starts, out),
            5 => many::<5, 40>(level, query, rows, starts, out),
            6 => many::<6, 48>(level, query, rows, starts, out),
            7 => many::<7, 56>(level, query, rows, starts, out),
            8 => many::<8, 64>(level, query, rows, starts, out),
            _ => many::<9, 72>(level, query, rows, starts, out),
        }
    }
}

#[inline]
fn many<const B: usize, const N: usize>(
    level: Level,
    query: &[[i8; 64]],
    rows: &[u8],
    starts: impl Fn(usize) -> usize,
    out: &mut [i32],
) {
    let row = |i: usize| &rows[starts(i)..][..query.len() * N];
    let (fours, rest) = out.as_chunks_mut::<4>();
    let whole = fours.len() * 4;
    for (b, four) in fours.iter_mut().enumerate() {
        let i = b * 4;
        *four = planes_block::<B, N, 4>(level, query, [row(i), row(i + 1), row(i + 2), row(i + 3)]);
    }
    for (i, out) in rest.iter_mut().enumerate() {
        [*out] = planes_block::<B, N, 1>(level, query, [row(whole + i)]);
    }
}
