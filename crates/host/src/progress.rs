//! How far long work has come: two counters, written by the worker and read by anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shared counter of done and total units. Clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    counters: Arc<(AtomicU64, AtomicU64)>,
}

impl Progress {
    /// Nothing done of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how many units there are.
    pub fn set_total(&self, total: u64) {
        self.counters.1.store(total, Ordering::Relaxed);
    }

    /// Adds finished units.
    pub fn add(&self, units: u64) {
        self.counters.0.fetch_add(units, Ordering::Relaxed);
    }

    /// Finished units and the total.
    pub fn get(&self) -> (u64, u64) {
        (self.counters.0.load(Ordering::Relaxed), self.counters.1.load(Ordering::Relaxed))
    }
}
