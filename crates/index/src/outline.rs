//! Rows in outline: a byte an element in two planes of four bits, and how far off each precision is at most. A scan reads half
//! a byte an element of every row, the other half of those that are left open, and the row itself only if that could be
//! among the best, so it moves an eighth of the bytes.
//!
//! Invariant: [`scan_outlined`] finds what [`crate::scan()`] finds, row by row and score by score. The outline of row
//! `x` stands for a vector `x'` with `|x - x'| <= miss(x)`, that of a query likewise; by the triangle inequality the
//! distance of the two is at least `|q' - x'| - miss(q) - miss(x)`, and their product at most
//! `q'x' + |q| miss(x) + miss(q) |x'|`. What the bound leaves open is scored exactly.

use host::{Cancel, Pool};
use simd::{Bar, Bits, Columns, Grain, NibbleQuery, fine_of, nibble_bytes, nibble_dots, put_nibbles};

use crate::course::Course;
use crate::hits::Top;
use crate::image::{Array, Image};
use crate::nibbles::Nibbles;
use crate::scan::{BLOCK, Exact, GROUP, check_alike, start, word_at};
use crate::score::{Scorer, norm};
use crate::{Element, Error, Hits, Metric, Query, Vectors};

/// What rounding may add to a bound, as a share of the terms it is the difference of. Sums of 32,768 floats in lanes
/// are off by less than a tenth of it.
const SLACK: f32 = 1e-5;
/// The same for each root of the dimension, for sums of codes and their base.
const SLACK_ROOT: f32 = 2e-6;
/// Shorter and longer rows are always looked at themselves: their squares, or sums of them, may leave the range of floats.
const LENGTHS: std::ops::Range<f32> = 1e-15..1e15;
/// Columns of numbers: what [`Columns`] has of the upper plane, then square and miss of both planes together.
const COLUMNS: usize = 7;
/// Of fewer rows than this in a block that match it is quicker to look at the rows themselves.
const FEW: u32 = 8;

/// Some rows of floats in outline.
#[derive(Debug, Clone)]
pub struct Outline {
    dim: usize,
    rows: usize,
    high: Array<u8>,
    low: Array<u8>,
    /// Column by column.
    margins: Array<f32>,
}

/// Some rows, coded.
fn coded(vectors: Vectors<'_>) -> Nibbles<COLUMNS> {
    let mut room = Vec::new();
    Nibbles::of(vectors.len(), vectors.dim(), |row, high, low| {
        let values = vectors.floats(row, &mut room);
        let [coarse, fine] = put_nibbles(values, high, low);
        let length = norm(values);
        let [coarse_miss, fine_miss] = [coarse, fine].map(|grain| miss(grain.off, length, values.len()));
        [coarse.base, coarse.step, coarse.square, coarse_miss, length, fine.square, fine_miss]
    })
}

/// How far what codes stand for is from a vector of this length, at most, if it is `off` by sums of floats.
fn miss(off: f32, length: f32, dim: usize) -> f32 {
    if !LENGTHS.contains(&length) {
        return f32::INFINITY;
    }
    // What a code stands for is off by a share of the largest element, and so is a difference of two floats.
    let rounding = 2.0 * f32::EPSILON * (1.0 + (dim as f32).sqrt());
    off.sqrt() * (1.0 + SLACK) + length * rounding
}

impl Outline {
    /// The outline of all rows of `vectors`; `None` when they are not floats, or empty.
    pub fn of(vectors: Vectors<'_>) -> Option<Self> {
        let has_one = Self::fits(vectors.element()) && !vectors.is_empty();
        has_one.then(|| Self::made(vectors, coded(vectors)))
    }

    /// Whether rows of such elements have an outline.
    pub(crate) fn fits(element: Element) -> bool {
        matches!(element, Element::F32 | Element::F16 | Element::Bf16)
    }

    /// The same of any number of rows of floats, by several threads.
    pub(crate) fn build(
        vectors: Vectors<'_>,
        work: (&Pool, &Cancel),
        course: &mut Course<'_>,
    ) -> Result<Self, Error> {
        let size = (vectors.len(), vectors.dim());
        Ok(Self::made(vectors, Nibbles::build(size, work, course, |range| coded(vectors.slice(range)))?))
    }

    /// Bytes of the outline of rows of `dim` elements.
    pub(crate) fn need_bytes(rows: usize, dim: usize) -> usize {
        Nibbles::<COLUMNS>::bytes_of(rows, dim)
    }

    fn made(vectors: Vectors<'_>, coded: Nibbles<COLUMNS>) -> Self {
        let Nibbles { high, low, margins, .. } = coded;
        let (high, low, margins) = (Array::Copied(high), Array::Copied(low), Array::Copied(margins));
        Self { dim: vectors.dim(), rows: vectors.len(), high, low, margins }
    }

    /// The outline of the rows of `parts`, one part after the other; `None` when there are none, or of several dims.
    pub fn concat(parts: &[&Self]) -> Option<Self> {
        let dim = parts.first()?.dim;
        if parts.iter().any(|part| part.dim != dim) {
            return None;
        }
        let plane = |of: fn(&Self) -> &[u8]| parts.iter().map(|part| of(part)).collect::<Vec<_>>().concat();
        let columns: Vec<&[f32]> =
            (0..COLUMNS).flat_map(|c| parts.iter().map(move |part| part.column(c, 0..part.rows))).collect();
        Some(Self {
            dim,
            rows: parts.iter().map(|part| part.rows).sum(),
            high: Array::Copied(plane(|part| &part.high)),
            low: Array::Copied(plane(|part| &part.low)),
            margins: Array::Copied(columns.concat()),
        })
    }

    /// Writes the sections `high`, `low` and `margins`.
    pub(crate) fn write(self, image: &mut Image) {
        image.push("high", self.high.into_vec());
        image.push("low", self.low.into_vec());
        image.push("margins", self.margins.into_vec());
    }

    /// Reads them back, if they are there.
    pub(crate) fn read(dim: usize, rows: usize, image: &Image) -> Result<Option<Self>, Error> {
        if !["high", "low", "margins"].into_iter().any(|name| image.has(name)) {
            return Ok(None);
        }
        let bytes = rows.checked_mul(nibble_bytes(dim)).ok_or(Error::Corrupt { what: "number of rows" })?;
        let (high, low) = (image.array("high", bytes)?, image.array("low", bytes)?);
        Ok(Some(Self { dim, rows, high, low, margins: image.array("margins", COLUMNS * rows)? }))
    }

    /// Bytes a scan reads of most rows of `dim` elements.
    pub fn scanned_bytes(dim: usize) -> usize {
        nibble_bytes(dim) + 5 * size_of::<f32>()
    }

    /// Bytes it has in memory.
    pub fn bytes(&self) -> usize {
        self.high.len() + self.low.len() + size_of_val(&self.margins[..])
    }

    fn column(&self, column: usize, rows: std::ops::Range<usize>) -> &[f32] {
        &self.margins[column * self.rows..][..self.rows][rows]
    }

    fn columns(&self, rows: std::ops::Range<usize>) -> Columns<'_> {
        let [base, step, square, miss, length] = [0, 1, 2, 3, 4].map(|c| self.column(c, rows.clone()));
        Columns { base, step, square, miss, length }
    }

    /// What the whole bytes of a row stand for, how far that is from the row, and how long the row is.
    fn fine(&self, row: usize) -> (Grain, (f32, f32)) {
        let [base, step, _, _, length, square, miss] =
            std::array::from_fn(|c| self.margins[c * self.rows + row]);
        let (base, step) = fine_of(Grain { base, step, ..Grain::default() });
        (Grain { base, step, square, off: 0.0 }, (miss, length))
    }
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
    assert!(outline.rows >= vectors.len(), "an outline of all rows");
    for (group, into) in into.chunks_mut(GROUP).enumerate() {
        let queries = queries.slice(group * GROUP..group * GROUP + into.len());
        let mut scan = Scan::new(metric, rows, queries, query, into);
        for first in (0..vectors.len()).step_by(BLOCK) {
            cancel.check()?;
            let word = mask.map_or(u64::MAX, |mask| word_at(mask, first_row as usize + first));
            scan.block(first, word, first_row);
        }
        for (hits, top) in into.iter_mut().zip(scan.tops) {
            *hits = top.into_hits();
        }
    }
    Ok(())
}

/// A scan for a few queries on its way.
struct Scan<'a> {
    rows: Outlined<'a>,
    query: &'a Query,
    scorer: Scorer<'a>,
    tops: Vec<Top>,
    aims: Vec<NibbleQuery>,
    bounds: Vec<Bound>,
    dots: Vec<i32>,
    exact: Exact,
}

impl<'a> Scan<'a> {
    fn new(
        metric: Metric,
        rows: Outlined<'a>,
        queries: Vectors<'a>,
        query: &'a Query,
        into: &[Hits],
    ) -> Self {
        let (mut aims, mut bounds, mut room) = (Vec::new(), Vec::new(), Vec::new());
        for q in 0..queries.len() {
            let values = queries.floats(q, &mut room);
            let mut aim = NibbleQuery::default();
            aim.aim(values);
            bounds.push(Bound::of(metric, values, &aim));
            aims.push(aim);
        }
        Self {
            rows,
            query,
            scorer: Scorer::new(metric, queries, query),
            tops: into.iter().map(|hits| start(metric, query, hits)).collect(),
            aims,
            bounds,
            dots: vec![0; BLOCK * queries.len()],
            exact: Exact::default(),
        }
    }

    /// Looks at the rows from `first` on whose bit is set in `word`.
    fn block(&mut self, first: usize, word: u64, first_row: u32) {
        let Outlined { vectors, outline } = self.rows;
        let end = (first + BLOCK).min(vectors.len());
        let word = word & (u64::MAX >> (BLOCK - (end - first)));
        if word == 0 {
            return;
        }
        let bytes = nibble_bytes(outline.dim);
        let dots = &mut self.dots[..(end - first) * self.aims.len()];
        // At first no row is ruled out.
        let is_bounded =
            word.count_ones() >= FEW && self.tops.iter().any(|top| bar_of(top, self.query).is_some());
        if is_bounded {
            nibble_dots(&self.aims, &outline.high[first * bytes..end * bytes], dots);
        }
        for (q, top) in self.tops.iter_mut().enumerate() {
            let mut open = word;
            let bar = bar_of(top, self.query).filter(|_| is_bounded);
            if let Some(worst) = bar {
                let (aim, bar) = (&self.aims[q], self.bounds[q].bar(worst));
                let dots = &self.dots[q * (end - first)..][..end - first];
                open &= bar.open(aim, dots, outline.columns(first..end));
                if open == 0 {
                    continue;
                }
                let low = |i: usize| &outline.low[(first + i) * bytes..][..bytes];
                ones(open).skip(1).for_each(|i| simd::prefetch(low(i)));
                let is_open = |i: &usize| {
                    let mut dot = [0];
                    nibble_dots(std::slice::from_ref(aim), low(*i), &mut dot);
                    let (grain, margin) = outline.fine(first + i);
                    bar.is_open(aim, 16 * dots[*i] + dot[0], grain, margin)
                };
                open = ones(open).filter(is_open).fold(0, |open, i| open | 1 << i);
            }
            self.exact.show((&self.scorer, self.query, q), (vectors, first_row), (first, open), top);
        }
    }
}

/// The numbers of the bits that are set.
pub(crate) fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let next = (word != 0).then(|| word.trailing_zeros() as usize);
        word &= word.wrapping_sub(1);
        next
    })
}

/// The score that a row must reach, if there is one.
pub(crate) fn bar_of(top: &Top, query: &Query) -> Option<f32> {
    match (top.worst(), query.radius()) {
        (Some(worst), Some(radius)) if top.metric().better(radius, worst) => Some(radius),
        (None, radius) => radius,
        (worst, _) => worst,
    }
}

/// What is known of a query.
struct Bound {
    metric: Metric,
    miss: f32,
    length: f32,
    square: f32,
    slack: f32,
}

impl Bound {
    fn of(metric: Metric, values: &[f32], aim: &NibbleQuery) -> Self {
        let length = norm(values);
        let slack = SLACK + SLACK_ROOT * (values.len() as f32).sqrt();
        Self { metric, miss: miss(aim.off, length, values.len()), length, square: aim.square, slack }
    }

    /// What a row must pass that is to score no worse than `worst`. A row is below the bar only if it is sure to score worse.
    fn bar(&self, worst: f32) -> Bar {
        let Self { metric, miss, length, square, slack } = *self;
        if metric == Metric::L2 {
            // |q' - x'|^2 is no more than the square of the farthest it may be.
            let reach = worst.max(0.0).sqrt() * (1.0 + SLACK) + miss;
            let constant = reach * reach - (1.0 - slack) * square;
            let least = slack - 1.0;
            return Bar {
                product: 2.0,
                square: least,
                miss: 2.0 * reach,
                spread: 1.0,
                length: 0.0,
                constant,
            };
        }
        let bar = Bar {
            product: 1.0,
            square: slack,
            miss: length + miss,
            spread: 0.0,
            length: miss,
            constant: 0.0,
        };
        if metric == Metric::Ip {
            return Bar { constant: slack * square - (worst - SLACK * worst.abs()), ..bar };
        }
        Bar { length: miss - (worst - SLACK) * length, constant: slack * square, ..bar }
    }
}
