//! How far a build has come, and work done some at a time. Invariant: what is told only grows, and comes to all rows when the build is done.

use host::{Cancel, Pool, Progress};

use crate::Error;

/// The rows that a build, or a stretch of it, counts for, told stage by stage.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    progress: &'a Progress,
    rows: u64,
    /// Of these rows: where the stage that goes on began and where it ends, and how many were told.
    stage: (u64, u64),
    told: u64,
}

impl<'a> Course<'a> {
    /// A build that counts for `rows` rows.
    pub(crate) fn new(progress: &'a Progress, rows: u64) -> Self {
        Self { progress, rows, stage: (0, 0), told: 0 }
    }

    fn tell(&mut self, rows: u64) {
        self.progress.add(rows.saturating_sub(self.told));
        self.told = self.told.max(rows);
    }

    /// Begins the next stage, which ends when `percent` of all rows are told.
    pub(crate) fn stage(&mut self, percent: u64) {
        self.tell(self.stage.1);
        self.stage = (self.stage.1, (self.rows * percent / 100).max(self.stage.1));
    }

    /// Rows that are told when `done` of `all` units of the stage are done.
    fn place(&self, done: usize, all: usize) -> u64 {
        let (start, end) = self.stage;
        start + (u128::from(end - start) * done.min(all) as u128 / all.max(1) as u128) as u64
    }

    /// `done` of `all` units of the stage are done.
    pub(crate) fn at(&mut self, done: usize, all: usize) {
        self.tell(self.place(done, all));
    }

    /// The next `units` of `all` units of the stage, after `done`, as a course of its own.
    pub(crate) fn stretch(&mut self, (done, units): (usize, usize), all: usize) -> Self {
        self.at(done, all);
        let from = self.told;
        // It tells them itself.
        self.told = from.max(self.place(done + units, all));
        Self::new(self.progress, self.told - from)
    }

    /// All is done.
    pub(crate) fn finish(mut self) {
        self.tell(self.rows);
    }
}

/// Pieces of work for each thread that are done before what they made is taken.
pub(crate) const A_THREAD: usize = 4;

/// Has the threads of `pool` make the pieces `0..count`, some of them at a time, and takes each in its turn.
pub(crate) fn in_waves<R: Send>(
    count: usize,
    (pool, cancel): (&Pool, &Cancel),
    make: impl Fn(usize) -> R + Sync + Send,
    mut take: impl FnMut(usize, R) -> Result<(), Error>,
) -> Result<(), Error> {
    for first in (0..count).step_by(A_THREAD * pool.threads()) {
        cancel.check()?;
        let made = pool.map((A_THREAD * pool.threads()).min(count - first), |i| make(first + i));
        cancel.check()?;
        (first..).zip(made).try_for_each(|(i, made)| take(i, made))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_and_stretches_come_to_all_rows() {
        for rows in [0, 1, 7, 1000] {
            let progress = Progress::new();
            let mut course = Course::new(&progress, rows);
            let mut told = 0;
            let mut check = |limit: u64| {
                let (now, _) = progress.get();
                assert!(told <= now && now <= limit, "{told} {now} {limit}");
                told = now;
            };
            course.stage(30);
            for i in 0..=9 {
                course.at(i, 9);
                check(rows * 30 / 100);
            }
            course.stage(95);
            for i in 0..3 {
                let mut part = course.stretch((i, 1), 3);
                part.stage(50);
                part.at(1, 2);
                check(rows);
                part.finish();
            }
            assert_eq!(progress.get().0, rows * 95 / 100);
            course.at(1, 3);
            course.finish();
            assert_eq!(progress.get().0, rows);
        }
    }

    #[test]
    fn waves_come_in_order_and_end_when_cancelled() {
        for pool in [Pool::inline(), Pool::new("test", 3).unwrap()] {
            let (cancel, mut taken) = (Cancel::new(), Vec::new());
            let mut take = |i: usize, made: usize| {
                taken.push(made);
                if i == 60 {
                    cancel.cancel();
                }
                Ok(())
            };
            in_waves(50, (&pool, &cancel), |i| 2 * i, &mut take).unwrap();
            assert_eq!(in_waves(100, (&pool, &cancel), |i| 2 * i, &mut take), Err(Error::Cancelled));
            assert!(taken[..50].iter().copied().eq((0..100).step_by(2)) && taken.len() < 150);
        }
    }
}
