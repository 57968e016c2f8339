//! The nearest codes among many. Invariant: keeps the `depth` smallest of what it is shown, ties by row.

use std::collections::BinaryHeap;

use crate::hits::{key_of, order};

/// The nearest rows by their codes.
#[derive(Debug)]
pub(crate) struct Nearest {
    depth: usize,
    heap: BinaryHeap<u64>,
    limit: u64,
}

impl Nearest {
    pub(crate) fn new(depth: usize) -> Self {
        Self { depth: depth.max(1), heap: BinaryHeap::new(), limit: u64::MAX }
    }

    #[inline]
    pub(crate) fn push(&mut self, score: f32, row: u32) {
        let order = order(score, row);
        if order < self.limit {
            if self.heap.len() == self.depth {
                self.heap.pop();
            }
            self.heap.push(order);
            if self.heap.len() == self.depth {
                self.limit = self.heap.peek().copied().unwrap_or(u64::MAX);
            }
        }
    }

    /// What a newcomer may score at most.
    #[inline]
    pub(crate) fn limit(&self) -> f32 {
        if self.limit == u64::MAX { f32::INFINITY } else { key_of(self.limit) }
    }

    /// The rows, nearest first.
    pub(crate) fn into_rows(self) -> Vec<u32> {
        self.heap.into_sorted_vec().iter().map(|order| *order as u32).collect()
    }
}
