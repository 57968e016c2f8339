//! Exact search by looking at every row. Invariant: finds what a loop over all pairs of [`Scorer`] would find.

use host::Cancel;
use simd::Bits;

use crate::hits::Top;
use crate::outline::ones;
use crate::score::{Scorer, is_hit};
use crate::{Error, Hits, Metric, Query, Vectors};

/// Rows looked at between two looks at the cancel flag; one word of a mask.
pub(crate) const BLOCK: usize = 64;
/// Queries scored together, so that a row is used several times while it is near.
pub(crate) const GROUP: usize = 16;

/// Bytes of a row that are asked for ahead; the memory guesses the rest.
const PREFETCH: usize = 256;

/// Scores every row against every query and keeps the best in `into`, one [`Hits`] a query, together with what is
/// already there. Row `i` of `vectors` is reported as `first_row + i`, and bit `first_row + i` of `mask` says whether
/// it takes part. Exact. Sparse rows that have nothing in common with a query
/// are no hits.
///
/// # Errors
/// [`Error::Cancelled`], and [`Error::OtherVectors`] when rows and queries differ in kind.
///
/// # Panics
/// When `into` is not one a query, or the mask ends before the last row.
pub fn scan(
    metric: Metric,
    vectors: Vectors<'_>,
    queries: Vectors<'_>,
    first_row: u32,
    mask: Option<&Bits>,
    query: &Query,
    into: &mut [Hits],
    cancel: &Cancel,
) -> Result<(), Error> {
    check_alike(vectors, queries)?;
    assert_eq!(into.len(), queries.len(), "one list of hits a query");
    let element = vectors.element();
    let mut norms = vec![0.0; BLOCK];
    let mut scores = vec![0.0; BLOCK * GROUP];
    for (group, into) in into.chunks_mut(GROUP).enumerate() {
        let queries = queries.slice(group * GROUP..group * GROUP + into.len());
        let scorer = Scorer::new(metric, queries, query);
        let mut tops: Vec<Top> = into.iter().map(|hits| start(metric, query, hits)).collect();
        for start in (0..vectors.len()).step_by(BLOCK) {
            cancel.check()?;
            let end = (start + BLOCK).min(vectors.len());
            let word = mask.map_or(u64::MAX, |mask| word_at(mask, first_row as usize + start));
            let rows = vectors.slice(start..end);
            if word == 0 {
                continue;
            }
            scorer.block(rows, word, &mut norms, &mut scores);
            for (q, top) in tops.iter_mut().enumerate() {
                let scores = &scores[q * rows.len()..(q + 1) * rows.len()];
                if !top.is_open(scores) {
                    continue;
                }
                for i in ones(word & u64::MAX >> (BLOCK - rows.len())) {
                    if is_hit(metric, element, scores[i]) && query.admits(scores[i]) {
                        top.push(scores[i], first_row + (start + i) as u32);
                    }
                }
            }
        }
        for (hits, top) in into.iter_mut().zip(tops) {
            *hits = top.into_hits();
        }
    }
    Ok(())
}

/// The best so far.
pub(crate) fn start(metric: Metric, query: &Query, hits: &Hits) -> Top {
    let mut top = Top::new(metric, query.k());
    top.extend(hits);
    top
}

/// 64 bits of a mask from any place.
pub(crate) fn word_at(mask: &Bits, bit: usize) -> u64 {
    let words = mask.words();
    let (word, shift) = (bit / 64, bit % 64);
    let low = words[word] >> shift;
    let high = words.get(word + 1).filter(|_| shift > 0).map_or(0, |word| word << (64 - shift));
    low | high
}

/// Scores rows of a block that their bounds leave open.
#[derive(Debug, Default)]
pub(crate) struct Exact {
    ids: Vec<u32>,
    scores: Vec<f32>,
}

impl Exact {
    /// Shows `top` those of the rows from `first` on whose bits are set in `open` and whose score for query `q` is admitted; rows
    /// are counted from `first_row` on.
    pub(crate) fn show(
        &mut self,
        (scorer, query, q): (&Scorer<'_>, &Query, usize),
        (vectors, first_row): (Vectors<'_>, u32),
        (first, open): (usize, u64),
        top: &mut Top,
    ) {
        let Self { ids, scores } = self;
        ids.clear();
        ids.extend(ones(open).map(|i| (first + i) as u32));
        for row in &*ids {
            let row = vectors.bytes(*row as usize);
            simd::prefetch(&row[..PREFETCH.min(row.len())]);
        }
        scores.resize(ids.len(), 0.0);
        scorer.chosen(q, vectors, ids, scores);
        for (row, score) in ids.iter().zip(&*scores) {
            if query.admits(*score) {
                top.push(*score, first_row + row);
            }
        }
    }
}

/// Refuses queries that are not of the rows' kind.
pub(crate) fn check_alike(vectors: Vectors<'_>, queries: Vectors<'_>) -> Result<(), Error> {
    let wanted = (vectors.element(), vectors.dim());
    if wanted == (queries.element(), queries.dim()) {
        return Ok(());
    }
    let (element, dim) = wanted;
    Err(Error::OtherVectors { element, dim, actual_element: queries.element(), actual_dim: queries.dim() })
}
