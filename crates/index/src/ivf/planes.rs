//! Lists of rows as bytes in two planes of four bits. Invariant: a row is scored by its whole bytes, or it is surely or very
//! likely farther than all that are kept.
//!
//! The upper plane of a list is read in one go. What it says of the distance of a query and a row is off by about
//! `2 |q - x| m / sqrt(dim)`, where `m` is how far the upper halves are from the row, since what is lost by rounding points
//! anywhere. Rows that are not within [`SPREADS`] times that of being kept are left out; of the others the lower plane is read.

use std::ops::Range;

use host::{Cancel, Pool};
use simd::{Bar, Columns, Grain, NibbleQuery, fine_of, nibble_bytes, nibble_dots, put_nibbles};

use super::search::Lists;
use crate::codec::Space;
use crate::course::Course;
use crate::image::{Array, Image};
use crate::nearest::Nearest;
use crate::nibbles::Nibbles;
use crate::outline::ones;
use crate::{Error, Metric, Vectors};

/// Rows looked at together; one word.
const BLOCK: usize = 64;
/// Of fewer rows of a block that match both planes are read at once.
const FEW: u32 = 8;
/// From this many rows of a block on the lower plane is read as a whole.
const MANY: u32 = 24;
/// How many times the usual error of the upper plane is allowed for.
const SPREADS: f32 = 3.0;
/// Numbers of a row: base, step, square and miss of the upper plane, and square of both together.
const COLUMNS: usize = 5;
/// Bytes of a list's planes that are asked for before it is looked at.
const AHEAD: usize = 1024;

/// Rows in the order of the members of lists.
#[derive(Debug)]
pub(super) struct Planes {
    dim: usize,
    rows: usize,
    high: Array<u8>,
    low: Array<u8>,
    /// Column by column.
    margins: Array<f32>,
}

/// Codes `members` and writes the sections `high`, `low` and `margins`.
pub(super) fn build(
    vectors: Vectors<'_>,
    (space, members): (&Space, &[u32]),
    work: (&Pool, &Cancel),
    course: &mut Course<'_>,
    image: &mut Image,
) -> Result<(), Error> {
    let size = (members.len(), vectors.dim());
    let Nibbles { high, low, margins, .. } = Nibbles::build(size, work, course, |range| {
        let members = &members[range];
        let (mut wide, mut moved) = (Vec::new(), Vec::new());
        Nibbles::<COLUMNS>::of(members.len(), vectors.dim(), |i, high, low| {
            space.moved(vectors.floats(members[i] as usize, &mut wide), &mut moved);
            let [coarse, fine] = put_nibbles(&moved, high, low);
            [coarse.base, coarse.step, coarse.square, coarse.off.sqrt(), fine.square]
        })
    })?;
    image.push("high", high);
    image.push("low", low);
    image.push("margins", margins);
    Ok(())
}

/// Bytes of the sections for rows of `dim` elements.
pub(super) fn need_bytes(rows: usize, dim: usize) -> usize {
    Nibbles::<COLUMNS>::bytes_of(rows, dim)
}

impl Planes {
    /// Reads the sections back.
    pub(super) fn read(dim: usize, rows: usize, image: &Image) -> Result<Self, Error> {
        let bytes = rows.checked_mul(nibble_bytes(dim)).ok_or(Error::Corrupt { what: "number of rows" })?;
        let (high, low) = (image.array("high", bytes)?, image.array("low", bytes)?);
        Ok(Self { dim, rows, high, low, margins: image.array("margins", COLUMNS * rows)? })
    }

    /// Bytes of the sections.
    pub(super) fn bytes(&self) -> usize {
        self.high.len() + self.low.len() + size_of_val(&self.margins[..])
    }

    fn columns(&self, rows: Range<usize>) -> Columns<'_> {
        let [base, step, square, miss] =
            [0, 1, 2, 3].map(|c| &self.margins[c * self.rows..][..self.rows][rows.clone()]);
        // Lengths do not count here.
        Columns { base, step, square, miss, length: miss }
    }

    /// What the whole bytes of a row stand for.
    fn fine(&self, row: usize) -> Grain {
        let [base, step, square] = [0, 1, 4].map(|c| self.margins[c * self.rows + row]);
        let (base, step) = fine_of(Grain { base, step, ..Grain::default() });
        Grain { base, step, square, off: 0.0 }
    }
}

/// Planes and the space that queries are brought into.
pub(super) struct Planed<'a> {
    pub(super) planes: &'a Planes,
    pub(super) space: &'a Space,
}

/// A query as bytes.
#[derive(Default)]
pub(super) struct Probe {
    wide: Vec<f32>,
    moved: Vec<f32>,
    aim: NibbleQuery,
}

impl Planed<'_> {
    /// What a row must pass that is to score below `limit`.
    fn bar(&self, aim: &NibbleQuery, limit: f32) -> Bar {
        let spread = SPREADS / (self.planes.dim as f32).sqrt();
        if self.space.metric() == Metric::Ip {
            let miss = spread * aim.square.sqrt();
            return Bar { product: 1.0, miss, constant: limit, ..Bar::default() };
        }
        let miss = 2.0 * spread * limit.max(0.0).sqrt();
        Bar { product: 2.0, square: -1.0, miss, spread: 1.0, length: 0.0, constant: limit - aim.square }
    }

    /// The score of a row by its whole bytes.
    fn score(&self, aim: &NibbleQuery, grain: Grain, dot: i32) -> f32 {
        let product = grain.base * aim.sum + grain.step * dot as f32 * aim.scale;
        if self.space.metric() == Metric::Ip { -product } else { aim.square + grain.square - 2.0 * product }
    }
}

impl Lists for Planed<'_> {
    type Probe = Probe;

    fn probe(&self) -> Probe {
        Probe::default()
    }

    fn aim(&self, probe: &mut Probe, queries: Vectors<'_>, query: usize) {
        self.space.moved(queries.floats(query, &mut probe.wide), &mut probe.moved);
        probe.aim.aim(&probe.moved);
    }

    fn ask(&self, (_, range): (u32, Range<u32>), members: &[u32]) {
        simd::prefetch_far(&members[range.start as usize..range.end as usize]);
        let bytes = nibble_bytes(self.planes.dim);
        let (start, end) = (range.start as usize, range.end as usize);
        let plane = &self.planes.high[start * bytes..end * bytes];
        simd::prefetch_far(&plane[..plane.len().min(AHEAD)]);
        for column in 0..COLUMNS {
            let column = &self.planes.margins[column * self.planes.rows..][..self.planes.rows][start..end];
            simd::prefetch_far(&column[..column.len().min(BLOCK)]);
        }
    }

    fn look(
        &self,
        (_, range): (u32, Range<u32>),
        members: &[u32],
        wanted: Option<&[u64]>,
        probe: &mut Probe,
        nearest: &mut Nearest,
    ) {
        let (planes, aim) = (self.planes, std::slice::from_ref(&probe.aim));
        let bytes = nibble_bytes(planes.dim);
        for first in (range.start as usize..range.end as usize).step_by(BLOCK) {
            let end = (first + BLOCK).min(range.end as usize);
            let word = match wanted {
                None => u64::MAX >> (BLOCK - (end - first)),
                Some(words) => words[(first - range.start as usize) / BLOCK],
            };
            if word == 0 {
                continue;
            }
            let (mut high, mut low) = ([0; BLOCK], [0; BLOCK]);
            let at = |i: usize| (first + i) * bytes..(first + i + 1) * bytes;
            let (whole, few) = (first * bytes..end * bytes, word.count_ones() < FEW);
            let mut open = word;
            if few {
                ones(word).for_each(|i| nibble_dots(aim, &planes.high[at(i)], &mut high[i..=i]));
            } else {
                nibble_dots(aim, &planes.high[whole.clone()], &mut high[..end - first]);
                let bar = self.bar(&probe.aim, nearest.limit());
                open &= bar.open(&probe.aim, &high[..end - first], planes.columns(first..end));
            }
            if open.count_ones() >= MANY {
                nibble_dots(aim, &planes.low[whole], &mut low[..end - first]);
            } else {
                ones(open).for_each(|i| simd::prefetch(&planes.low[at(i)]));
                ones(open).for_each(|i| nibble_dots(aim, &planes.low[at(i)], &mut low[i..=i]));
            }
            for i in ones(open) {
                let score = self.score(&probe.aim, planes.fine(first + i), 16 * high[i] + low[i]);
                nearest.push(score, members[first + i]);
            }
            nearest.tighten();
        }
    }
}
