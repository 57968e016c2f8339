//! Which operation of a disk in memory fails, and how.

use std::io;

/// What happens to a change.
pub(super) enum Verdict {
    Go,
    /// The change happens but nobody learns of it: the power goes.
    GoThenFail(io::Error),
    Fail(io::Error),
}

/// The faults to come, counted in operations, bytes and syncs.
#[derive(Debug, Default)]
pub(super) struct Faults {
    operations: u64,
    fail_from: Option<u64>,
    crash_at: Option<u64>,
    free_bytes: Option<u64>,
    failing_syncs: u64,
    off: bool,
}

impl Faults {
    pub(super) fn fail_after(&mut self, operations: u64) {
        self.fail_from = Some(self.operations.saturating_add(operations));
    }

    pub(super) fn full_after(&mut self, bytes: u64) {
        self.free_bytes = Some(bytes);
    }

    pub(super) fn fail_sync(&mut self, count: u64) {
        self.failing_syncs = count;
    }

    pub(super) fn crash_at(&mut self, operation: u64) {
        self.crash_at = Some(operation);
    }

    pub(super) fn heal(&mut self) {
        *self = Self { operations: self.operations, ..Self::default() };
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn free_bytes(&self) -> Option<u64> {
        self.free_bytes
    }

    pub(super) fn is_off(&self) -> bool {
        self.off
    }

    /// How many of `wanted` bytes still fit; they count as used.
    pub(super) fn take_space(&mut self, wanted: u64) -> u64 {
        let Some(free) = &mut self.free_bytes else { return wanted };
        let taken = wanted.min(*free);
        *free -= taken;
        taken
    }

    pub(super) fn check_power(&self, path: &str) -> io::Result<()> {
        if self.off { Err(power_cut(path)) } else { Ok(()) }
    }

    pub(super) fn next_change(&mut self, path: &str) -> Verdict {
        let number = self.operations;
        self.operations += 1;
        if self.off {
            return Verdict::Fail(power_cut(path));
        }
        if self.crash_at.is_some_and(|at| number >= at) {
            self.off = true;
            return Verdict::GoThenFail(power_cut(path));
        }
        if self.fail_from.is_some_and(|from| number >= from) {
            return Verdict::Fail(injected(path));
        }
        Verdict::Go
    }

    pub(super) fn next_sync(&mut self, path: &str) -> io::Result<()> {
        match self.next_change(path) {
            // A sync that the power cut made nothing durable for certain.
            Verdict::GoThenFail(error) | Verdict::Fail(error) => return Err(error),
            Verdict::Go => {}
        }
        if self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            return Err(injected(path));
        }
        Ok(())
    }
}

fn injected(path: &str) -> io::Error {
    io::Error::other(format!("{path}: injected input/output error"))
}

fn power_cut(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, format!("{path}: the power is off"))
}

pub(super) fn full(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, format!("{path}: no space left on device"))
}
