//! Coded rows as a query sees them. Invariant: a score depends on nothing but the query and the row.

use simd::{Lookups, Op};

use super::scalar::{self, Levels, Scalar};
use super::{Coder, FACTORS, Sketch, Turn};
use crate::codec::{Codes, Reach};
use crate::{Metric, Query, Vectors};

/// Rows scored between two looks at what memory is needed next.
const BLOCK: usize = 16;

/// Coded rows, borrowed, and how exactly queries are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SketchRows<'a> {
    sketch: &'a Sketch,
    codes: &'a [u8],
    /// The largest level of a query, for scalar codes.
    most: f32,
}

impl<'a> SketchRows<'a> {
    /// The rows of `codes`, searched as `query` says.
    pub(crate) fn new(sketch: &'a Sketch, codes: &'a [u8], query: &Query) -> Self {
        Self { sketch, codes, most: most_level(query.value("rbq_bits_query")) }
    }

    #[inline]
    fn factors(&self, row: u32, stride: usize) -> (f32, f32) {
        factors_of(&self.codes[row as usize * stride..][..stride])
    }
}

/// The scale and the bias at the end of a coded row.
#[inline]
pub(crate) fn factors_of(row: &[u8]) -> (f32, f32) {
    let bytes = &row[row.len() - FACTORS..];
    let float = |at: usize| bytes[at..].first_chunk().map_or(0.0, |bytes| f32::from_le_bytes(*bytes));
    (float(0), float(4))
}

/// The largest level of a query that is taken with `bits` bits an element, 0 for as many as there are.
fn most_level(bits: usize) -> f32 {
    (if bits == 0 { 127 } else { ((1 << bits) / 2 - 1).clamp(1, 127) }) as f32
}

impl Sketch {
    /// What a product counts in a score.
    fn weight(&self) -> f32 {
        if self.metric == Metric::Ip { 1.0 } else { 2.0 }
    }

    /// How rows are turned before their signs are taken, and what a query's elements weigh in tables of signs, if codes are those.
    pub(crate) fn signs(&self) -> Option<(&Turn, f32)> {
        let Coder::Scalar(Scalar { planes }) = &self.coder else { return None };
        // A code of 1 stands for a half.
        self.turn.as_ref().filter(|_| planes.bits() == 1).map(|turn| (turn, self.weight() / 2.0))
    }

    /// Asks the memory for what [`Sketch::list_term`] reads.
    pub(crate) fn ask_term(&self, list: u32) {
        simd::prefetch_far(self.center(list));
    }

    /// Brings a query to where rows were coded.
    pub(crate) fn move_query(&self, values: &[f32], moved: &mut Vec<f32>) {
        self.space.moved(values, moved);
        self.keep(moved);
        if let Some(turn) = &self.turn {
            turn.apply(moved);
        }
    }

    /// What is to be added to the scores of rows in the list `list` for a query that was moved.
    pub(crate) fn list_term(&self, moved: &[f32], list: u32) -> f32 {
        if self.metric == Metric::Ip {
            -Op::Ip.pair(moved, self.center(list))
        } else {
            Op::L2.pair(moved, self.center(list))
        }
    }

    /// Aims at a moved query, for codes of 4 bits. `bits` are those that an element of the query is taken with, 0 for all it has.
    pub(crate) fn aim_lookups(
        &self,
        moved: &mut Vec<f32>,
        bits: usize,
        (tables, lookups): (&mut Vec<[f32; 16]>, &mut Lookups),
    ) {
        if let Coder::Product(product) = &self.coder {
            product.nibble_tables(moved, tables);
            return lookups.aim(tables, self.weight());
        }
        if bits > 0 {
            scalar::round_to(moved, most_level(bits));
        }
        moved.resize(self.dim.next_multiple_of(4), 0.0);
        lookups.aim_signs(moved, self.signs().map_or(0.0, |(_, weight)| weight));
        moved.truncate(self.dim);
    }
}

/// A query, ready to be held against coded rows.
#[derive(Debug, Default)]
pub(crate) struct Aim {
    wide: Vec<f32>,
    moved: Vec<f32>,
    levels: Levels,
    tables: Vec<f32>,
}

impl Codes for SketchRows<'_> {
    type Probe = Aim;

    fn len(&self) -> usize {
        self.codes.len() / self.sketch.stride()
    }

    fn probe(&self) -> Aim {
        Aim::default()
    }

    fn aim(&self, probe: &mut Aim, queries: Vectors<'_>, query: usize) {
        let Aim { wide, moved, levels, tables } = probe;
        self.sketch.move_query(queries.floats(query, wide), moved);
        match &self.sketch.coder {
            Coder::Scalar(_) => levels.aim(moved, self.most),
            Coder::Product(product) => product.aim(moved, tables),
            Coder::Half(_) => {}
        }
    }

    fn term(&self, probe: &Aim, list: u32) -> f32 {
        self.sketch.list_term(&probe.moved, list)
    }

    #[inline]
    fn place(&self, row: u32) -> &[u8] {
        let stride = self.sketch.stride();
        &self.codes[row as usize * stride..][..stride]
    }

    fn scores(&self, probe: &Aim, rows: &[u32], reach: Reach, out: &mut Vec<f32>) {
        let (stride, weight) = (self.sketch.stride(), self.sketch.weight());
        let ahead = |rows: &[u32]| {
            if reach == Reach::Scattered {
                rows.iter().for_each(|row| simd::prefetch(self.place(*row)));
            }
        };
        out.clear();
        let mut blocks = rows.chunks(BLOCK).peekable();
        blocks.peek().into_iter().for_each(|rows| ahead(rows));
        while let Some(rows) = blocks.next() {
            blocks.peek().into_iter().for_each(|rows| ahead(rows));
            let (mut sums, mut products) = ([0i32; BLOCK], [0f32; BLOCK]);
            let (sums, products) = (&mut sums[..rows.len()], &mut products[..rows.len()]);
            let start = |i: usize| rows[i] as usize * stride;
            match &self.sketch.coder {
                Coder::Scalar(scalar) => probe.levels.products(*scalar, self.codes, start, sums, products),
                Coder::Product(product) => {
                    for (i, out) in products.iter_mut().enumerate() {
                        *out = product.product(&probe.tables, &self.codes[start(i)..][..stride]);
                    }
                }
                Coder::Half(half) => half.each(Op::Ip, &probe.moved, self.codes, start, products),
            }
            for (row, product) in rows.iter().zip(products) {
                let (scale, bias) = self.factors(*row, stride);
                out.push(bias - weight * scale * *product);
            }
        }
    }
}
