//! Search by MaxScore (Turtle and Flood, "Query evaluation: strategies and optimizations", 1995) in windows of rows, with
//! bounds of blocks (Ding and Suel, "Faster top-k document retrieval using block-max indexes", SIGIR 2011). Invariant: a
//! row is passed over only if no sum of its bounds reaches what the best `k` have.
//!
//! In a window, dimensions are ordered by the most they could add to a row there. Those whose bounds together do not reach
//! the threshold cannot make a hit by themselves: only the others are added up, for all rows of the window at once, and
//! the rest is looked up for the rows that may still get there.

use std::ops::Range;

use host::Cancel;
use simd::Bits;

use super::postings::{BLOCK, Inverted};
use crate::hits::Top;
use crate::refine::Refiner;
use crate::score::Bm25;
use crate::vectors::pairs_of;
use crate::{Error, Hits, Metric, Query, scan};

/// Rows of a window.
const WINDOW: usize = 4096;
/// Postings in a window from which on all of its sums are looked at, rather than those that were touched.
const DENSE: usize = WINDOW / 16;
/// What looking up one row costs, in postings added up.
const LOOK_UP_COST: usize = 8;
/// What measuring a row costs, in postings that are gone through.
const MEASURE_COST: usize = 150;
/// How far sums in another order may lie from each other, as a share.
const ROUNDING: f32 = 1e-4;

impl Inverted {
    /// The best rows for every query.
    pub(crate) fn search(
        &self,
        refiner: &Refiner<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        let Refiner { metric, vectors, queries, .. } = *refiner;
        let mut walk = Walk {
            inverted: self,
            query,
            mask,
            bm25: (metric == Metric::Bm25).then(|| query.bm25()),
            is_naive: query.name("search_algo") == "TAAT_NAIVE",
            sums: Box::new([0.0; WINDOW]),
            touched: vec![0; WINDOW / 64],
            found: Vec::new(),
            top: Top::new(metric, query.k()),
        };
        let mut all = Vec::with_capacity(queries.len());
        for q in 0..queries.len() {
            cancel.check()?;
            if query.radius().is_some() {
                // Bounds are of the best rows, not of those inside a range.
                let mut hits = [Hits::default()];
                scan(metric, vectors, queries.slice(q..q + 1), 0, mask, query, &mut hits, cancel)?;
                all.extend(hits);
                continue;
            }
            let mut terms = walk.terms(queries.bytes(q));
            let rows = match mask {
                Some(mask) if is_worth(mask.count(), &terms) => mask.iter().map(|row| row as u32).collect(),
                _ => walk.one(&mut terms, metric, cancel)?,
            };
            let mut hits = refiner.refine(q, &rows, query).hits;
            // Rows of a mask may have nothing in common with the query.
            let count = hits.scores.partition_point(|score| *score > 0.0);
            hits.rows.truncate(count);
            hits.scores.truncate(count);
            all.push(hits);
        }
        Ok(all)
    }
}

/// A dimension of the query.
struct Term {
    weight: f32,
    /// What is left of its postings.
    left: Range<usize>,
    start: usize,
    first_block: usize,
    /// The most it can add to a row of the window.
    bound: f32,
    /// Its postings in the window.
    here: Range<usize>,
}

struct Walk<'a> {
    inverted: &'a Inverted,
    query: &'a Query,
    mask: Option<&'a Bits>,
    bm25: Option<Bm25>,
    is_naive: bool,
    /// Sums of the window's rows, and which of them are not what was left there.
    sums: Box<[f32; WINDOW]>,
    touched: Vec<u64>,
    /// Rows that were good enough when they were found, and their sums.
    found: Vec<(u32, f32)>,
    top: Top,
}

impl Walk<'_> {
    /// Rows that may be among the best, surely with all that are.
    fn one(&mut self, terms: &mut Vec<Term>, metric: Metric, cancel: &Cancel) -> Result<Vec<u32>, Error> {
        self.found.clear();
        let depth =
            if self.query.real("drop_ratio_search") > 0.0 { self.query.depth() } else { self.query.k() };
        self.top = Top::new(metric, depth);
        for start in (0..self.inverted.lengths.len()).step_by(WINDOW) {
            cancel.check()?;
            self.window(start, terms);
        }
        let threshold = self.threshold();
        Ok(self.found.iter().filter(|(_, sum)| *sum >= threshold).map(|(row, _)| *row).collect())
    }

    /// What a row must reach at least, by sums in any order.
    fn threshold(&self) -> f32 {
        let worst = self.top.worst().unwrap_or(0.0);
        worst - worst.abs() * ROUNDING
    }

    /// The dimensions of the query that rows have, without those that may be dropped.
    fn terms(&self, query: &[u8]) -> Vec<Term> {
        let mut pairs: Vec<(u32, f32)> = pairs_of(query).filter(|(_, weight)| *weight != 0.0).collect();
        let dropped = (f64::from(self.query.real("drop_ratio_search")) * pairs.len() as f64) as usize;
        if dropped > 0 {
            pairs.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
            pairs.truncate(pairs.len() - dropped);
        }
        let term = |(dim, weight): (u32, f32)| {
            let (left, first_block) = self.inverted.of(dim)?;
            Some(Term { weight, start: left.start, left, first_block, bound: 0.0, here: 0..0 })
        };
        pairs.into_iter().filter_map(term).collect()
    }

    /// Looks at the rows from `start` on.
    fn window(&mut self, start: usize, terms: &mut Vec<Term>) {
        let rows = &self.inverted.rows;
        let end = (start + WINDOW) as u64;
        for term in terms.iter_mut() {
            let left = &rows[term.left.clone()];
            let count = gallop(left, end);
            term.here = term.left.start..term.left.start + count;
            term.left.start += count;
            term.bound = self.bound(term);
        }
        terms.retain(|term| !term.here.is_empty() || !term.left.is_empty());
        let threshold = if self.is_naive { f32::NEG_INFINITY } else { self.threshold() };
        terms.sort_unstable_by(|a, b| a.bound.total_cmp(&b.bound).then(a.start.cmp(&b.start)));
        let mut reach = 0.0;
        let optional = terms
            .iter()
            .take_while(|term| {
                reach += term.bound * (1.0 + ROUNDING);
                reach < threshold
            })
            .count();
        if optional == terms.len() {
            return;
        }
        let (optional, needed) = terms.split_at(optional);
        let mut candidates = Vec::new();
        if needed.iter().map(|term| term.here.len()).sum::<usize>() >= DENSE {
            self.dense(start, threshold, needed, optional, &mut candidates);
        } else {
            needed.iter().for_each(|term| self.add_up::<true>(term));
            let rest = bounds(optional);
            self.gather(start, threshold - rest, &mut candidates);
            self.look_up(threshold, rest, optional, &mut candidates);
        }
        candidates.into_iter().for_each(|(row, sum)| self.keep(row, sum));
    }

    /// Takes a row with its whole sum, if it is good enough.
    #[inline]
    fn keep(&mut self, row: u32, sum: f32) {
        if sum > 0.0 && sum >= self.threshold() {
            self.top.push(sum, row);
            self.found.push((row, sum));
        }
    }

    /// What the postings of a term in the window add at most.
    fn bound(&self, term: &Term) -> f32 {
        if term.here.is_empty() {
            return 0.0;
        }
        let block = |posting: usize| term.first_block + (posting - term.start) / BLOCK;
        let blocks = block(term.here.start)..block(term.here.end - 1) + 1;
        let Inverted { peaks, floors, .. } = self.inverted;
        let most = blocks.map(|block| match &self.bm25 {
            Some(bm25) => bm25.share(peaks[block], floors[block]),
            None => peaks[block],
        });
        most.fold(0.0, f32::max) * term.weight.abs()
    }

    /// A window in which many rows have something in common with the query.
    fn dense(
        &mut self,
        start: usize,
        threshold: f32,
        needed: &[Term],
        mut optional: &[Term],
        candidates: &mut Vec<(u32, f32)>,
    ) {
        needed.iter().for_each(|term| self.add_up::<false>(term));
        // As long as many rows may still get there, or there is little to add, adding up is cheaper than looking up.
        while let Some((last, others)) = optional.split_last() {
            let postings: usize = optional.iter().map(|term| term.here.len()).sum();
            if postings > WINDOW {
                let least = threshold - bounds(optional);
                let reaching = self.sums.iter().map(|sum| u32::from(*sum >= least)).sum::<u32>();
                if reaching as usize * optional.len() * LOOK_UP_COST <= postings {
                    break;
                }
            }
            self.add_up::<false>(last);
            optional = others;
        }
        let rest = bounds(optional);
        for b in 0..WINDOW / 16 {
            // Sums that are whole are taken at once, and raise the threshold for the rest of the window.
            let least = if optional.is_empty() { self.threshold() } else { threshold - rest };
            let block: [f32; 16] = *self.sums[b * 16..].first_chunk().unwrap_or(&[0.0; 16]);
            if !block.iter().fold(false, |any, sum| any | (*sum >= least && *sum > 0.0)) {
                continue;
            }
            for (i, sum) in block.into_iter().enumerate() {
                let row = start + b * 16 + i;
                if sum < least || sum <= 0.0 || self.mask.is_some_and(|mask| !mask.get(row)) {
                    continue;
                }
                if optional.is_empty() {
                    self.keep(row as u32, sum);
                } else {
                    candidates.push((row as u32, sum));
                }
            }
        }
        self.sums.fill(0.0);
        self.look_up(threshold, rest, optional, candidates);
    }

    /// Adds up what a term says of the window's rows, and marks them if asked to.
    fn add_up<const MARK: bool>(&mut self, term: &Term) {
        let Self { inverted, sums, touched, bm25, .. } = self;
        let postings = inverted.rows[term.here.clone()].iter().zip(&inverted.values[term.here.clone()]);
        for (row, value) in postings {
            let at = *row as usize % WINDOW;
            let value = match bm25 {
                Some(bm25) => bm25.share(*value, inverted.lengths[*row as usize]),
                None => *value,
            };
            sums[at] += term.weight * value;
            if MARK {
                touched[at / 64] |= 1 << (at % 64);
            }
        }
    }

    /// Takes out the rows that match and whose sums reach `least`, and leaves the window clean.
    fn gather(&mut self, start: usize, least: f32, candidates: &mut Vec<(u32, f32)>) {
        for (w, word) in self.touched.iter_mut().enumerate() {
            while *word != 0 {
                let at = w * 64 + word.trailing_zeros() as usize;
                *word &= *word - 1;
                let sum = std::mem::take(&mut self.sums[at]);
                if sum >= least && self.mask.is_none_or(|mask| mask.get(start + at)) {
                    candidates.push(((start + at) as u32, sum));
                }
            }
        }
    }

    /// Adds what the optional terms say of the candidates, the weightiest first, and drops those that cannot get there.
    fn look_up(&self, threshold: f32, mut rest: f32, optional: &[Term], candidates: &mut Vec<(u32, f32)>) {
        for term in optional.iter().rev().filter(|term| !term.here.is_empty()) {
            rest -= term.bound * (1.0 + ROUNDING);
            let rows = &self.inverted.rows[term.here.clone()];
            let mut at = 0;
            for (row, sum) in candidates.iter_mut() {
                at += gallop(&rows[at..], u64::from(*row));
                if rows.get(at) == Some(row) {
                    let value = self.inverted.values[term.here.start + at];
                    let value = match &self.bm25 {
                        Some(bm25) => bm25.share(value, self.inverted.lengths[*row as usize]),
                        None => value,
                    };
                    *sum += term.weight * value;
                }
            }
            let slack = rest.max(0.0) + threshold.abs() * ROUNDING;
            candidates.retain(|(_, sum)| *sum + slack >= threshold);
        }
    }
}

/// Whether measuring `matching` rows costs less than going through the postings of `terms`.
fn is_worth(matching: usize, terms: &[Term]) -> bool {
    matching * MEASURE_COST < terms.iter().map(|term| term.left.len()).sum()
}

/// What terms add at most, together.
fn bounds(terms: &[Term]) -> f32 {
    terms.iter().map(|term| term.bound * (1.0 + ROUNDING)).sum()
}

/// How many of the rising `rows` are below `limit`, found quickly if they are few.
fn gallop(rows: &[u32], limit: u64) -> usize {
    let mut step = 1;
    while step < rows.len() && u64::from(rows[step]) < limit {
        step *= 2;
    }
    let low = step / 2;
    let high = (step + 1).min(rows.len());
    low.min(high) + rows[low.min(high)..high].partition_point(|row| u64::from(*row) < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galloping_counts_what_is_below() {
        for len in 0..40u32 {
            let rows: Vec<u32> = (0..len).map(|i| i * 3 + 1).collect();
            for limit in 0..130 {
                assert_eq!(gallop(&rows, limit), rows.iter().filter(|row| u64::from(**row) < limit).count());
            }
        }
    }
}
