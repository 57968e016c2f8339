//! How far long work has come: counters, written by the worker and read by anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shared counter of done and total units. Clones share the counters.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    done: AtomicU64,
    total: AtomicU64,
    steps: AtomicU64,
}

impl Progress {
    /// Nothing done of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how many units there are.
    pub fn set_total(&self, total: u64) {
        self.counters.total.store(total, Ordering::Relaxed);
    }

    /// Adds finished units.
    pub fn add(&self, units: u64) {
        if units > 0 {
            self.counters.done.fetch_add(units, Ordering::Relaxed);
            self.counters.steps.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often the number of finished units has grown.
    pub fn steps(&self) -> u64 {
        self.counters.steps.load(Ordering::Relaxed)
    }

    /// Finished units and the total.
    pub fn get(&self) -> (u64, u64) {
        (self.counters.done.load(Ordering::Relaxed), self.counters.total.load(Ordering::Relaxed))
    }
}
