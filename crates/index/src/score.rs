//! The exact score of a query and a row: the meaning of [`Metric`]. Invariant: a pair has the same score whichever
//! function computes it, for whatever block of rows.

use simd::{Half, Op};

use crate::vectors::pairs_of;
use crate::weights::Weights;
use crate::{Element, Metric, Query, Vectors};

/// Bytes of a row that are asked for ahead.
const PREFETCH: usize = 256;

/// Rows from which on a sparse query is made a table.
const TABLE_ROWS_MIN: usize = 4;

/// A few queries, ready to be held against rows of their kind.
pub(crate) struct Scorer<'a> {
    metric: Metric,
    queries: Vectors<'a>,
    /// The queries as floats, where rows are floats of two bytes.
    wide: Vec<f32>,
    /// Lengths of the queries, for COSINE.
    lengths: Vec<f32>,
    bm25: Bm25,
    /// Bytes of an element of a MinHash signature.
    element_bytes: usize,
}

/// The constants of BM25.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bm25 {
    pub(crate) k1: f32,
    pub(crate) b: f32,
    /// The mean length of all documents.
    pub(crate) average: f32,
}

impl Bm25 {
    /// What a word that occurs `count` times in a document of `length` words says, before it is weighted by how rare it
    /// is (Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond", 2009). Grows with the count
    /// and falls with the length.
    #[inline]
    pub(crate) fn share(&self, count: f32, length: f32) -> f32 {
        let norm = self.k1 * (1.0 - self.b + self.b * (length / self.average));
        let below = count + norm;
        if below > 0.0 { count * (self.k1 + 1.0) / below } else { 0.0 }
    }
}

impl<'a> Scorer<'a> {
    pub(crate) fn new(metric: Metric, queries: Vectors<'a>, query: &Query) -> Self {
        let mut wide = Vec::new();
        if let Vectors::F16 { bytes, .. } | Vectors::Bf16 { bytes, .. } = queries {
            wide.resize(queries.len() * queries.dim(), 0.0);
            half(queries).widen(&bytes[..2 * wide.len()], &mut wide);
        }
        let lengths = match metric {
            Metric::Cosine => (0..queries.len()).map(|q| length(queries, q, &mut Vec::new())).collect(),
            _ => Vec::new(),
        };
        Self { metric, queries, wide, lengths, bm25: query.bm25(), element_bytes: query.element_bytes() }
    }

    /// Scores of up to 64 rows, at least of those whose bit is set in `word`, at `out[q * rows.len() + i]`; the others are left undefined.
    pub(crate) fn block(&self, rows: Vectors<'_>, word: u64, lengths: &mut [f32], out: &mut [f32]) {
        let (nq, nr) = (self.queries.len(), rows.len());
        let wanted = if nr < 64 { word & ((1 << nr) - 1) } else { word };
        // Of rows that are not numbers none is scored together with others.
        let count = wanted.count_ones() as usize;
        let is_bits = matches!(rows, Vectors::Bits { .. });
        if count * if is_bits { 4 } else { 2 } < nr {
            let ids: Vec<u32> = (0..nr as u32).filter(|i| wanted >> i & 1 == 1).collect();
            let mut some = vec![0.0; ids.len()];
            // Memory does not foresee rows with gaps between them.
            for row in ids.iter().map(|row| rows.bytes(*row as usize)) {
                simd::prefetch(&row[..PREFETCH.min(row.len())]);
            }
            for q in 0..nq {
                self.chosen(q, rows, &ids, &mut some);
                ids.iter().zip(&some).for_each(|(i, score)| out[q * nr + *i as usize] = *score);
            }
            return;
        }
        if let (Vectors::F32 { dim, values: queries }, Vectors::F32 { values, .. }) = (self.queries, rows) {
            match nq {
                1 => op(self.metric).rows(queries, values, &mut out[..nr]),
                _ => op(self.metric).tile(dim, queries, values, &mut out[..nq * nr]),
            }
        } else if nq == 1 && self.streamed(rows, &mut out[..nr]) {
            // One query goes along the rows as they lie.
        } else {
            for q in 0..nq {
                self.products(q, rows, |i| i, &mut out[q * nr..(q + 1) * nr]);
            }
        }
        if self.metric == Metric::Cosine {
            let mut room = Vec::new();
            for (i, out) in lengths[..nr].iter_mut().enumerate() {
                *out = length(rows, i, &mut room);
            }
            for q in 0..nq {
                for (out, length) in out[q * nr..(q + 1) * nr].iter_mut().zip(&lengths[..nr]) {
                    *out = cosine(*out, self.lengths[q], *length);
                }
            }
        }
    }

    /// Scores of query `q` and the rows `ids`.
    pub(crate) fn chosen(&self, q: usize, rows: Vectors<'_>, ids: &[u32], out: &mut [f32]) {
        self.products(q, rows, |i| ids[i] as usize, out);
        if self.metric == Metric::Cosine {
            let mut room = Vec::new();
            for (row, out) in ids.iter().zip(out) {
                *out = cosine(*out, self.lengths[q], length(rows, *row as usize, &mut room));
            }
        }
    }

    /// Scores of the one query there is and rows that lie one after the other, but for COSINE the products only; nothing, and
    /// false, where rows are read otherwise.
    fn streamed(&self, rows: Vectors<'_>, out: &mut [f32]) -> bool {
        let op = op(self.metric);
        match (self.queries, rows) {
            (_, Vectors::F16 { bytes, .. } | Vectors::Bf16 { bytes, .. }) => {
                half(rows).rows(op, &self.wide, bytes, out);
            }
            (Vectors::I8 { values: query, .. }, Vectors::I8 { values, .. }) => {
                let mut sums = [0; 64];
                op.signed_rows(query, values, &mut sums[..out.len()]);
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32);
            }
            (Vectors::Bits { bytes: query, .. }, Vectors::Bits { bytes, .. })
                if self.metric == Metric::Hamming =>
            {
                let mut sums = [0; 64];
                simd::hamming_rows(query, bytes, &mut sums[..out.len()]);
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32);
            }
            (Vectors::Bits { bytes: query, .. }, Vectors::Bits { bytes, .. })
                if self.metric == Metric::Jaccard =>
            {
                let mut sums = [(0, 0); 64];
                simd::and_or_rows(query, bytes, &mut sums[..out.len()]);
                out.iter_mut().zip(sums).for_each(|(out, sums)| *out = jaccard(sums));
            }
            _ => return false,
        }
        true
    }

    /// Scores, but for COSINE the products only.
    fn products(&self, q: usize, rows: Vectors<'_>, row_of: impl Fn(usize) -> usize, out: &mut [f32]) {
        let (dim, op) = (rows.dim(), op(self.metric));
        match (self.queries, rows) {
            (Vectors::F32 { values: queries, .. }, Vectors::F32 { values, .. }) => {
                op.each(&queries[q * dim..][..dim], values, |i| row_of(i) * dim, out);
            }
            (_, Vectors::F16 { bytes, .. } | Vectors::Bf16 { bytes, .. }) => {
                let query = &self.wide[q * dim..][..dim];
                half(rows).each(op, query, bytes, |i| row_of(i) * 2 * dim, out);
            }
            (Vectors::I8 { values: queries, .. }, Vectors::I8 { values, .. }) => {
                let (query, count) = (&queries[q * dim..][..dim], out.len());
                op.signed_each(query, values, |i| row_of(i) * dim, |i, sum| out[i] = sum as f32, count);
            }
            (Vectors::Sparse { .. }, _) => self.sparse(q, rows, row_of, out),
            _ if self.metric == Metric::MinHashJaccard => {
                let query = self.queries.bytes(q);
                for (i, out) in out.iter_mut().enumerate() {
                    *out = differing(query, rows.bytes(row_of(i)), self.element_bytes);
                }
            }
            _ => {
                let query = self.queries.bytes(q);
                for (i, out) in out.iter_mut().enumerate() {
                    *out = plain(self.metric, query, rows.bytes(row_of(i)));
                }
            }
        }
    }
}

impl Scorer<'_> {
    /// Scores of sparse rows.
    fn sparse(&self, q: usize, rows: Vectors<'_>, row_of: impl Fn(usize) -> usize, out: &mut [f32]) {
        let query = self.queries.bytes(q);
        // A table pays if it is used a few times.
        let weights = if out.len() >= TABLE_ROWS_MIN { Weights::of(query) } else { None };
        for (i, out) in out.iter_mut().enumerate() {
            let row = rows.bytes(row_of(i));
            let length =
                if self.metric == Metric::Bm25 { pairs_of(row).map(|(_, count)| count).sum() } else { 0.0 };
            let share = |value| {
                if self.metric == Metric::Bm25 { self.bm25.share(value, length) } else { value }
            };
            *out = match &weights {
                Some(weights) => weights.product(row, share),
                None => sparse_product(query, row, share),
            };
        }
    }
}

/// The score of a pair of binary or sparse rows.
#[inline]
pub(crate) fn plain(metric: Metric, query: &[u8], row: &[u8]) -> f32 {
    match metric {
        Metric::Hamming => simd::hamming(query, row) as f32,
        Metric::Jaccard => jaccard(simd::and_or(query, row)),
        Metric::Substructure => contains(query, row),
        Metric::Superstructure => contains(row, query),
        Metric::MinHashJaccard => differing(query, row, 1),
        Metric::L2 | Metric::Ip | Metric::Cosine | Metric::Bm25 => sparse_product(query, row, |value| value),
    }
}

/// The distance of rows with so many bits in both, and in either.
fn jaccard((and, or): (u32, u32)) -> f32 {
    if or == 0 { 0.0 } else { 1.0 - and as f32 / or as f32 }
}

/// 0 if `whole` has every bit of `part`, else infinity.
fn contains(whole: &[u8], part: &[u8]) -> f32 {
    let missing = whole.iter().zip(part).fold(0, |missing, (whole, part)| missing | (part & !whole));
    if missing == 0 { 0.0 } else { f32::INFINITY }
}

/// The share of elements of `size` bytes that differ.
fn differing(a: &[u8], b: &[u8], size: usize) -> f32 {
    let count = a.len().div_ceil(size).max(1);
    let equal = match size {
        4 => equal::<4>(a, b),
        8 => equal::<8>(a, b),
        _ => a.chunks(size).zip(b.chunks(size)).filter(|(a, b)| a == b).count(),
    };
    1.0 - equal as f32 / count as f32
}

/// How many elements of `N` bytes are equal.
fn equal<const N: usize>(a: &[u8], b: &[u8]) -> usize {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<N>(), b.as_chunks::<N>());
    let rest = usize::from(!a_rest.is_empty() && a_rest == b_rest);
    a.iter().zip(b).map(|(a, b)| usize::from(a == b)).sum::<usize>() + rest
}

/// Whether a row of this score is a hit at all: sparse rows must have something in common with the query, structures must
/// fit.
#[inline]
pub(crate) fn is_hit(metric: Metric, element: Element, score: f32) -> bool {
    match (metric, element) {
        (Metric::Substructure | Metric::Superstructure, _) => score == 0.0,
        (_, Element::Sparse) => score > 0.0,
        _ => true,
    }
}

/// The sum of products where both have an index, in rising order of indices; `share` is what a row's value counts.
fn sparse_product(query: &[u8], row: &[u8], share: impl Fn(f32) -> f32) -> f32 {
    let (mut query, mut row) = (pairs_of(query), pairs_of(row));
    let (mut a, mut b) = (query.next(), row.next());
    let mut sum = 0.0;
    while let (Some((i, x)), Some((j, y))) = (a, b) {
        if i == j {
            sum += x * share(y);
        }
        if i <= j {
            a = query.next();
        }
        if j <= i {
            b = row.next();
        }
    }
    sum
}

fn op(metric: Metric) -> Op {
    if metric == Metric::L2 { Op::L2 } else { Op::Ip }
}

/// Which two-byte floats the rows are; only asked of such.
fn half(vectors: Vectors<'_>) -> Half {
    if matches!(vectors, Vectors::F16 { .. }) { Half::F16 } else { Half::Bf16 }
}

/// The length of a row of numbers.
fn length(vectors: Vectors<'_>, row: usize, room: &mut Vec<f32>) -> f32 {
    match vectors {
        Vectors::I8 { dim, values } => {
            let row = &values[row * dim..][..dim];
            (Op::Ip.signed_pair(row, row) as f32).sqrt()
        }
        _ => norm(vectors.floats(row, room)),
    }
}

/// The length of a vector.
pub(crate) fn norm(values: &[f32]) -> f32 {
    Op::Ip.pair(values, values).sqrt()
}

fn cosine(product: f32, a: f32, b: f32) -> f32 {
    let both = a * b;
    if both > 0.0 { product / both } else { 0.0 }
}
