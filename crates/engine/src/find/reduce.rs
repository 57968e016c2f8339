//! Answers of segments brought together. Invariant: best first, one row a key (or one struct of a row), ties in the order
//! of places.

use super::fetch;
use super::{Place, Scope};
use crate::Error;
use data::{KeyRef, Keys};
use index::Metric;
use segment::ElementHits;
use std::collections::HashSet;

/// The hits of all queries, one after the other.
pub(super) struct Reduced {
    pub(super) counts: Vec<usize>,
    pub(super) places: Vec<Place>,
    pub(super) keys: Keys,
    pub(super) scores: Vec<f32>,
    /// Which struct of its row each hit is, when structs were searched.
    pub(super) elements: Option<Vec<u32>>,
    /// Queries that got fewer rows than they asked for though there may be more: rows with the same key took the
    /// places of others.
    pub(super) is_short: Vec<bool>,
}

impl Reduced {
    /// The first `len` hits of the only query.
    pub(super) fn cut(mut self, len: usize) -> Result<Self, Error> {
        self.places.truncate(len);
        self.scores.truncate(len);
        self.elements.iter_mut().for_each(|elements| elements.truncate(len));
        self.counts = vec![self.places.len()];
        let first: Vec<u32> = (0..self.places.len() as u32).collect();
        self.keys = take(&self.keys, &first)?;
        Ok(self)
    }

    /// The hits at `picks`; `counts` says how many each query keeps.
    pub(super) fn pick(&self, picks: &[u32], counts: Vec<usize>) -> Result<Self, Error> {
        Ok(Self {
            counts,
            places: picks.iter().map(|pick| self.places[*pick as usize]).collect(),
            keys: take(&self.keys, picks)?,
            scores: picks.iter().map(|pick| self.scores[*pick as usize]).collect(),
            elements: self
                .elements
                .as_ref()
                .map(|elements| picks.iter().map(|pick| elements[*pick as usize]).collect()),
            is_short: self.is_short.clone(),
        })
    }
}

/// The keys at `picks`.
fn take(keys: &Keys, picks: &[u32]) -> Result<Keys, Error> {
    Keys::new(keys.column().take(picks)).ok_or_else(|| Error::internal("keys stay keys"))
}

/// Which of the best are wanted, and how many each segment was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) offset: usize,
    pub(super) limit: usize,
    pub(super) k: usize,
    /// Whether hits are structs of rows.
    pub(super) elements: bool,
}

/// Brings the segments' answers together: best first, one row a key, `offset` of them left out.
pub(super) fn reduce(
    scope: &Scope,
    hits: &[Vec<ElementHits>],
    metric: Metric,
    queries: usize,
    window: &Window,
) -> Result<Reduced, Error> {
    let mut candidates: Vec<(Place, f32, u32)> = Vec::new();
    let mut bounds = vec![0];
    // Whether a query has more rows than its candidates.
    let mut has_more = vec![false; queries];
    for (query, has_more) in has_more.iter_mut().enumerate() {
        let start = candidates.len();
        for (segment, hits) in (0_u32..).zip(hits) {
            if let Some(ElementHits { hits, elements }) = hits.get(query) {
                *has_more |= hits.len() >= window.k;
                let element = |at: usize| elements.get(at).copied().unwrap_or_default();
                let scored = hits.rows.iter().zip(&hits.scores).enumerate();
                candidates.extend(scored.map(|(at, (row, score))| ((segment, *row), *score, element(at))));
            }
        }
        if hits.len() > 1 {
            let order = |a: &(Place, f32, u32), b: &(Place, f32, u32)| {
                let by_score =
                    if metric.smaller_is_better() { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) };
                by_score.then((a.0, a.2).cmp(&(b.0, b.2)))
            };
            candidates[start..].sort_unstable_by(order);
            *has_more |= candidates.len() - start > window.k;
            candidates.truncate(start + window.k);
        }
        bounds.push(candidates.len());
    }
    let places: Vec<Place> = candidates.iter().map(|(place, ..)| *place).collect();
    let keys = fetch::keys(scope, &places)?;
    let mut kept: Vec<u32> = Vec::with_capacity(candidates.len());
    let mut counts = Vec::with_capacity(queries);
    let mut seen: HashSet<(KeyRef<'_>, u32)> = HashSet::new();
    let mut is_short = Vec::with_capacity(queries);
    for (query, bound) in bounds.windows(2).enumerate() {
        seen.clear();
        let start = kept.len();
        let first_of_key =
            (bound[0]..bound[1]).filter(|place| seen.insert((keys.get(*place), candidates[*place].2)));
        kept.extend(first_of_key.skip(window.offset).take(window.limit).map(|place| place as u32));
        counts.push(kept.len() - start);
        is_short.push(kept.len() - start < window.limit && has_more[query]);
    }
    let taken = take(&keys, &kept)?;
    Ok(Reduced {
        counts,
        places: kept.iter().map(|place| places[*place as usize]).collect(),
        scores: kept.iter().map(|place| candidates[*place as usize].1).collect(),
        keys: taken,
        elements: window.elements.then(|| kept.iter().map(|place| candidates[*place as usize].2).collect()),
        is_short,
    })
}

/// Cuts scores to so many digits after the point; -1 = none are cut.
pub(super) fn round(scores: &mut [f32], decimals: i32) {
    if decimals >= 0 {
        let factor = 10_f64.powi(decimals);
        for score in scores {
            *score = ((f64::from(*score) * factor).round() / factor) as f32;
        }
    }
}
