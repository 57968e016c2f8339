//! Which candidates become links. Invariant: the nearest candidate always does.

use crate::codec::{Pairs, Reach};
use crate::hits::key_of;

/// A candidate stays unless it is farther from the row itself than this times as far from a chosen one (squared). More
/// than 1 leaves more links, which find more at the same `ef` (Subramanya et al., "DiskANN", NeurIPS 2019, call its
/// root alpha).
const SLACK: f32 = 1.2;
/// The same where a row chooses links for most of its places.
const SLACK_OF_MANY: f32 = 1.1;

/// What pruning needs; kept from one row to the next.
pub(crate) struct Pruner<P> {
    probe: P,
    rows: Vec<u32>,
    scores: Vec<f32>,
    slack: f32,
}

impl<P> Pruner<P> {
    pub(crate) fn new(probe: P) -> Self {
        Self { probe, rows: Vec::new(), scores: Vec::new(), slack: SLACK }
    }

    /// One for rows that choose links for most of their places.
    pub(crate) fn of_many(probe: P) -> Self {
        Self { slack: SLACK_OF_MANY, ..Self::new(probe) }
    }

    /// Leaves of `candidates`, which are sorted, at most `limit`: from the nearest on, each that is not clearly
    /// nearer to one already left than to the row itself.
    pub(crate) fn prune<C: Pairs<Probe = P>>(&mut self, codes: &C, candidates: &mut Vec<u64>, limit: usize) {
        let mut kept = 0;
        while kept < limit && kept < candidates.len() {
            let nearest = candidates[kept];
            kept += 1;
            if kept == limit {
                break;
            }
            codes.aim_row(&mut self.probe, nearest as u32);
            self.rows.clear();
            self.rows.extend(candidates[kept..].iter().map(|candidate| *candidate as u32));
            codes.scores(&self.probe, &self.rows, Reach::Cached, &mut self.scores);
            let mut to = kept;
            for i in 0..self.rows.len() {
                let candidate = candidates[kept + i];
                if self.scores[i] * self.slack >= key_of(candidate) {
                    candidates[to] = candidate;
                    to += 1;
                }
            }
            candidates.truncate(to);
        }
        candidates.truncate(limit);
    }
}
