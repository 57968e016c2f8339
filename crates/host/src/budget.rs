//! Memory as a budget: big users take a ticket first, so a load that cannot fit fails at once instead of
//! bringing the process down. Invariant: the tickets alive never add up to more than the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A request did not fit into the budget.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("needs {needed_bytes} bytes, {available_bytes} of {limit_bytes} are available")]
pub struct OutOfMemory {
    /// Bytes that were asked for.
    pub needed_bytes: u64,
    /// Bytes that were free at that moment.
    pub available_bytes: u64,
    /// The limit in force.
    pub limit_bytes: u64,
}

/// The memory of this machine, in bytes.
pub fn machine_memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(info.mem_unit.into())
}

/// A limit on the bytes in use. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    limit_bytes: u64,
    used_bytes: AtomicU64,
}

impl Budget {
    /// A budget of `limit_bytes`.
    pub fn new(limit_bytes: u64) -> Self {
        Self { inner: Arc::new(Inner { limit_bytes, used_bytes: AtomicU64::new(0) }) }
    }

    /// The limit.
    pub fn limit_bytes(&self) -> u64 {
        self.inner.limit_bytes
    }

    /// The sum of the tickets alive.
    pub fn used_bytes(&self) -> u64 {
        self.inner.used_bytes.load(Ordering::Relaxed)
    }

    /// Takes `bytes` until the ticket is dropped.
    ///
    /// # Errors
    /// [`OutOfMemory`], with all three figures, when it does not fit.
    pub fn take(&self, bytes: u64) -> Result<Ticket, OutOfMemory> {
        let limit = self.inner.limit_bytes;
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit);
        match self.inner.used_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(Ticket { budget: self.clone(), bytes }),
            Err(used) => Err(OutOfMemory {
                needed_bytes: bytes,
                available_bytes: limit.saturating_sub(used),
                limit_bytes: limit,
            }),
        }
    }
}

/// A share of a [`Budget`]; dropping it gives the bytes back.
#[derive(Debug)]
pub struct Ticket {
    budget: Budget,
    bytes: u64,
}

impl Ticket {
    /// The size of this share.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.budget.inner.used_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_never_exceed_the_limit_and_come_back() {
        let budget = Budget::new(100);
        let first = budget.take(60).unwrap();
        let refused = budget.take(41).unwrap_err();
        assert_eq!((refused.needed_bytes, refused.available_bytes, refused.limit_bytes), (41, 40, 100));
        drop(first);
        assert_eq!(budget.take(100).unwrap().bytes(), 100);
        assert_eq!(budget.used_bytes(), 0);
    }
}
