//! The order of writes. Invariant: stamps only rise, also across restarts and when the clock is set back.

use data::Timestamp;
use host::Clock;
use std::sync::{Arc, Mutex, PoisonError};

/// Gives out stamps.
#[derive(Debug)]
pub(crate) struct Oracle {
    clock: Arc<dyn Clock>,
    last: Mutex<Timestamp>,
}

impl Oracle {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Mutex::new(Timestamp::ZERO) }
    }

    /// A stamp larger than every one before.
    pub(crate) fn next(&self) -> Timestamp {
        self.reserve(1)
    }

    /// The first of `count` stamps in a row, all larger than every one before.
    pub(crate) fn reserve(&self, count: u64) -> Timestamp {
        let now = Timestamp::from_ms(self.clock.now_ms());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let first = now.max(last.next());
        *last = Timestamp(first.0 + count.max(1) - 1);
        first
    }

    /// Makes later stamps larger than `seen`, which was found in the data.
    pub(crate) fn advance(&self, seen: Timestamp) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = seen.max(*last);
    }

    /// The clock the stamps come from.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::ManualClock;

    #[test]
    fn stamps_rise_even_when_time_stands_still_or_data_come_from_the_future() {
        let oracle = Oracle::new(Arc::new(ManualClock::at(1_000)));
        let first = oracle.next();
        assert_eq!(first.ms(), 1_000);
        let second = oracle.reserve(1 << 20);
        assert!(second > first);
        assert!(oracle.next().0 >= second.0 + (1 << 20));
        oracle.advance(Timestamp::from_ms(9_999));
        assert!(oracle.next() > Timestamp::from_ms(9_999));
    }
}
