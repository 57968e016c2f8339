//! Hybrid timestamps: 46 bits of milliseconds since the epoch, 18 bits of counter within one millisecond.

use serde::{Deserialize, Serialize};

/// A moment in the order of writes. Later writes have larger stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// How many low bits count within one millisecond.
    pub const LOGICAL_BITS: u32 = 18;
    /// Before every write.
    pub const ZERO: Self = Self(0);
    /// After every write.
    pub const MAX: Self = Self(u64::MAX);

    /// The first stamp of the millisecond `ms` since the epoch.
    pub fn from_ms(ms: u64) -> Self {
        Self(ms << Self::LOGICAL_BITS)
    }

    /// Milliseconds since the epoch.
    pub fn ms(self) -> u64 {
        self.0 >> Self::LOGICAL_BITS
    }

    /// The next larger stamp.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// Sees every write acknowledged before the read began.
    Strong,
    /// Sees the client's own writes.
    Session,
    /// At most a few seconds behind.
    #[default]
    Bounded,
    /// Whatever is there.
    Eventually,
    /// As the request's own timestamp says.
    Customized,
}
