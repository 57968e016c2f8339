//! Rows in outline: a byte an element, and how far off that is at most. A scan reads the outline of a row first and the
//! row itself only if that could be among the best, so it moves a quarter of the bytes.
//!
//! Invariant: [`scan_outlined`] finds what [`crate::scan()`] finds, row by row and score by score. The outline of row
//! `x` stands for a vector `x'` with `|x - x'| <= miss(x)`, that of a query likewise; by the triangle inequality the
//! distance of the two is at least `|q' - x'| - miss(q) - miss(x)`, and their product at most
//! `q'x' + |q| miss(x) + miss(q) |x'|`. What the bound leaves open is scored exactly.

use bytemuck::{Pod, Zeroable};
use host::{Cancel, Pool};
use simd::Bits;

use crate::codec::{ByteRows, Codes, Reach, Space};
use crate::scan::{BLOCK, check_alike, start, word_at};
use crate::score::{Scorer, norm};
use crate::{Element, Error, Hits, Metric, Query, Vectors};

/// What rounding may add to a bound, as a share of the terms it is the difference of. Sums of 32,768 floats in lanes
/// are off by less than a tenth of it.
const SLACK: f32 = 1e-5;
/// Shorter and longer rows are always looked at themselves: their squares, or sums of them, may leave the range of floats.
const LENGTHS: std::ops::Range<f32> = 1e-15..1e15;

/// Some rows of floats in outline.
#[derive(Debug, Clone)]
pub struct Outline {
    space: Space,
    codes: Vec<Line>,
    /// One a row.
    margins: Vec<Margin>,
}

/// Codes from one line of the cache, so that no load touches two.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([i8; 64]);

/// What is known of a row beside its codes.
#[derive(Debug, Clone, Copy)]
struct Margin {
    /// How far what the codes stand for is from the row, at most.
    miss: f32,
    /// How long the row is.
    length: f32,
}

impl Outline {
    /// The outline of all rows of `vectors`; `None` when they are not floats, or empty.
    pub fn of(vectors: Vectors<'_>) -> Option<Self> {
        let is_float = matches!(vectors.element(), Element::F32 | Element::F16 | Element::Bf16);
        if !is_float || vectors.is_empty() {
            return None;
        }
        let space = Space::plain(vectors.dim());
        let codes = space.code(vectors, vectors.len(), |row| row, &Pool::inline(), &Cancel::new()).ok()?;
        let rows = ByteRows { space: &space, codes: &codes };
        let mut room = Vec::new();
        let margins = (0..vectors.len())
            .map(|row| margin(vectors.floats(row, &mut room), rows.coded(row as u32)))
            .collect();
        let lines = codes.as_chunks::<64>().0.iter().map(|line| Line(*line)).collect();
        Some(Self { space, codes: lines, margins })
    }

    fn rows(&self) -> ByteRows<'_> {
        ByteRows { space: &self.space, codes: bytemuck::cast_slice(&self.codes) }
    }

    /// The outline of the rows of `parts`, one part after the other; `None` when there are none, or of several dims.
    pub fn concat(parts: &[&Self]) -> Option<Self> {
        let space = parts.first()?.space.clone();
        if parts.iter().any(|part| part.space.stride() != space.stride()) {
            return None;
        }
        let codes = parts.iter().map(|part| &part.codes[..]).collect::<Vec<_>>().concat();
        let margins = parts.iter().flat_map(|part| part.margins.iter().copied()).collect();
        Some(Self { space, codes, margins })
    }

    /// Bytes it has in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.codes[..]) + size_of_val(&self.margins[..])
    }
}

/// How far a row is from `scale` times its `codes`.
fn margin(row: &[f32], (codes, scale): (&[i8], f32)) -> Margin {
    const LANES: usize = 16;
    let mut sums = [0f32; LANES];
    for (row, codes) in row.chunks(LANES).zip(codes.chunks(LANES)) {
        for ((sum, value), code) in sums.iter_mut().zip(row).zip(codes) {
            let off = value - scale * f32::from(*code);
            *sum += off * off;
        }
    }
    let length = norm(row);
    if !LENGTHS.contains(&length) {
        return Margin { miss: f32::INFINITY, length };
    }
    // A difference of two floats is off by a share of the larger.
    let miss = sums.iter().sum::<f32>().sqrt() * (1.0 + SLACK) + length * f32::EPSILON;
    Margin { miss, length }
}

/// Rows and their outline.
#[derive(Debug, Clone, Copy)]
pub struct Outlined<'a> {
    /// The rows.
    pub vectors: Vectors<'a>,
    /// The outline of these rows, and perhaps of others after them.
    pub outline: &'a Outline,
}

/// As [`crate::scan()`], with the same answer.
///
/// # Errors
/// As [`crate::scan()`].
///
/// # Panics
/// As [`crate::scan()`], and when the outline ends before the last row.
pub fn scan_outlined(
    metric: Metric,
    rows: Outlined<'_>,
    queries: Vectors<'_>,
    first_row: u32,
    mask: Option<&Bits>,
    query: &Query,
    into: &mut [Hits],
    cancel: &Cancel,
) -> Result<(), Error> {
    let Outlined { vectors, outline } = rows;
    check_alike(vectors, queries)?;
    assert_eq!(into.len(), queries.len(), "one list of hits a query");
    assert!(outline.margins.len() >= vectors.len(), "an outline of all rows");
    let codes = outline.rows();
    let mut probe = codes.probe();
    let (mut ids, mut rough, mut exact) = (Vec::new(), Vec::new(), Vec::new());
    for (q, into) in into.iter_mut().enumerate() {
        let scorer = Scorer::new(metric, queries.slice(q..q + 1), query);
        let mut top = start(metric, query, into);
        codes.aim(&mut probe, queries, q);
        let own = Outline::of(queries.slice(q..q + 1)).and_then(|own| own.margins.first().copied());
        let bound = Bound { metric, query: own.unwrap_or(Margin { miss: f32::INFINITY, length: 0.0 }) };
        for first in (0..vectors.len()).step_by(BLOCK) {
            cancel.check()?;
            let end = (first + BLOCK).min(vectors.len());
            let word = mask.map_or(u64::MAX, |mask| word_at(mask, first_row as usize + first));
            ids.clear();
            ids.extend((first..end).filter(|row| word >> (row - first) & 1 == 1).map(|row| row as u32));
            if let Some(worst) = top.worst() {
                codes.scores(&probe, &ids, Reach::Streamed, &mut rough);
                let bar = bound.at(worst);
                let mut scores = rough.iter();
                ids.retain(|row| {
                    let norms = probe.norm() + codes.norm(*row);
                    let squared = scores.next().copied().unwrap_or(0.0);
                    !bar.rules_out(outline.margins[*row as usize], squared, norms)
                });
            }
            exact.resize(ids.len(), 0.0);
            scorer.chosen(0, vectors, &ids, &mut exact);
            for (row, score) in ids.iter().zip(&exact).filter(|(_, score)| query.admits(**score)) {
                top.push(*score, first_row + row);
            }
        }
        *into = top.into_hits();
    }
    Ok(())
}

/// What is known of a query.
struct Bound {
    metric: Metric,
    query: Margin,
}

impl Bound {
    /// The bar when a row must score no worse than `worst`.
    fn at(&self, worst: f32) -> Bar<'_> {
        let reach = if self.metric == Metric::L2 { worst.max(0.0).sqrt() * (1.0 + SLACK) } else { worst };
        Bar { of: self, reach }
    }
}

/// What a row must pass to be looked at.
struct Bar<'a> {
    of: &'a Bound,
    /// The distance a row may have at most, or the score that it must reach.
    reach: f32,
}

impl Bar<'_> {
    /// Whether a row is sure to miss the bar whose outline has the `squared` distance to that of the query, the squared
    /// lengths of the two being `norms` together. Of what is not a number nothing is sure.
    #[inline]
    fn rules_out(&self, row: Margin, squared: f32, norms: f32) -> bool {
        let query = self.of.query;
        let blur = SLACK * norms;
        if self.of.metric == Metric::L2 {
            let far = self.reach + query.miss + row.miss;
            return squared - blur > far * far;
        }
        let product = (norms - squared) / 2.0 + blur;
        let most = product + query.length * row.miss + query.miss * (row.length + row.miss);
        if self.of.metric == Metric::Ip {
            return most < self.reach - SLACK * self.reach.abs();
        }
        let lengths = query.length * row.length;
        lengths > 0.0 && most < (self.reach - SLACK) * lengths
    }
}
