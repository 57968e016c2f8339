//! The nearest codes among many. Invariant: keeps the `depth` smallest of what it is shown, ties by row.

use std::collections::HashSet;

use crate::hits::{key_of, order};

/// The nearest rows by their codes.
///
/// Newcomers are put behind those that are kept until there are twice as many; then the farther half goes. That costs less
/// a newcomer than a heap does.
#[derive(Debug)]
pub(crate) struct Nearest {
    depth: usize,
    room: usize,
    kept: Vec<u64>,
    /// What a newcomer must be below; no less than the last of the `depth` smallest.
    limit: u64,
}

/// Newcomers that are let in at least before the farther ones go.
const ROOM: usize = 64;

/// Newcomers that are worth a new limit.
const MORE: usize = 16;

impl Nearest {
    pub(crate) fn new(depth: usize) -> Self {
        let depth = depth.max(1);
        let room = depth.saturating_add(depth.max(ROOM));
        Self { depth, room, kept: Vec::with_capacity(room.min(1024)), limit: u64::MAX }
    }

    /// What a newcomer may score at most.
    #[inline]
    pub(crate) fn limit(&self) -> f32 {
        if self.limit == u64::MAX { f32::INFINITY } else { key_of(self.limit) }
    }

    #[inline]
    pub(crate) fn push(&mut self, score: f32, row: u32) {
        let order = order(score, row);
        if order < self.limit {
            self.kept.push(order);
            if self.kept.len() >= self.room {
                self.cut();
            }
        }
    }

    /// Brings the limit down if there are clearly more than are wanted.
    #[inline]
    pub(crate) fn tighten(&mut self) {
        if self.kept.len() >= self.depth.saturating_add(MORE) {
            self.cut();
        }
    }

    /// The nearest `count` different rows of what was shown so far, if there are as many, in no order. A row is shown
    /// twice at most, and only if `is_twice`.
    pub(crate) fn best(&mut self, count: usize, is_twice: bool) -> Vec<u32> {
        self.cut();
        if !is_twice {
            if count < self.kept.len() {
                self.kept.select_nth_unstable(count);
            }
            return self.kept.iter().take(count).map(|order| *order as u32).collect();
        }
        self.kept.sort_unstable();
        let mut rows = Vec::with_capacity(count.min(self.kept.len()));
        let mut seen = HashSet::with_capacity(rows.capacity());
        rows.extend(self.kept.iter().map(|order| *order as u32).filter(|row| seen.insert(*row)).take(count));
        rows
    }

    /// The farthest of what is kept scores this, infinity if fewer than `depth` were shown.
    pub(crate) fn worst(&mut self) -> f32 {
        self.cut();
        let worst = self.kept.iter().max().filter(|_| self.kept.len() == self.depth);
        worst.map_or(f32::INFINITY, |order| key_of(*order))
    }

    /// Lets the farther ones go.
    fn cut(&mut self) {
        if self.kept.len() > self.depth {
            let (_, last, _) = self.kept.select_nth_unstable(self.depth - 1);
            self.limit = *last;
            self.kept.truncate(self.depth);
        }
    }

    /// The rows, in no order.
    pub(crate) fn into_rows_unsorted(mut self) -> Vec<u32> {
        self.cut();
        self.kept.iter().map(|order| *order as u32).collect()
    }

    /// The rows and their scores, in no order.
    pub(crate) fn into_scored_unsorted(mut self) -> Vec<(u32, f32)> {
        self.cut();
        self.kept.iter().map(|order| (*order as u32, key_of(*order))).collect()
    }

    /// The rows and their scores, nearest first.
    pub(crate) fn into_scored(mut self) -> Vec<(u32, f32)> {
        self.cut();
        self.kept.sort_unstable();
        self.kept.iter().map(|order| (*order as u32, key_of(*order))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_sorting_all_would_keep() {
        let mut rng = host::Rng::new(1);
        for depth in [1, 2, 63, 64, 65, 500, usize::MAX] {
            let shown: Vec<(f32, u32)> = (0..1000).map(|row| (rng.below(90) as f32 - 40.0, row)).collect();
            let mut nearest = Nearest::new(depth);
            shown.iter().for_each(|(score, row)| nearest.push(*score, *row));
            let mut all: Vec<u64> = shown.iter().map(|(score, row)| order(*score, *row)).collect();
            all.sort_unstable();
            let want: Vec<u32> = all.iter().take(depth).map(|order| *order as u32).collect();
            let kept: Vec<u32> = nearest.into_scored().iter().map(|(row, _)| *row).collect();
            assert_eq!(kept, want);
        }
    }
}
