//! Threads for CPU work. Invariant: compute never runs on more threads than the pool it was handed.

use std::fmt;
use std::sync::Arc;

/// A bounded set of threads for CPU work; clones share them. `Pool::inline()` has none and runs everything on the
/// caller, in order, which is what a simulated world uses.
#[derive(Clone)]
pub struct Pool {
    threads: Option<Arc<rayon::ThreadPool>>,
}

impl Pool {
    /// A pool of `threads` threads called `name-N`, started on first use by the caller.
    ///
    /// # Errors
    /// The text of the operating system's refusal to start a thread.
    pub fn new(name: &'static str, threads: usize) -> Result<Self, String> {
        let built = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(move |n| format!("{name}-{n}"))
            .build();
        built.map(|pool| Self { threads: Some(Arc::new(pool)) }).map_err(|error| error.to_string())
    }

    /// The same with threads that stand back as far as `niceness` says ([`stand_back`]): whoever else wants a core gets
    /// it first. For work that is less urgent than somebody's answer.
    ///
    /// # Errors
    /// As [`Pool::new`].
    pub fn patient(name: &'static str, threads: usize, niceness: i32) -> Result<Self, String> {
        let built = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(move |n| format!("{name}-{n}"))
            .start_handler(move |_| stand_back(niceness))
            .build();
        built.map(|pool| Self { threads: Some(Arc::new(pool)) }).map_err(|error| error.to_string())
    }

    /// A pool without threads: the caller does the work.
    pub fn inline() -> Self {
        Self { threads: None }
    }

    /// How many threads share the work.
    pub fn threads(&self) -> usize {
        self.threads.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Runs `work` on the pool and waits for its result.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.threads {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// `map` of every number below `count`, in order; the numbers are shared out among the threads.
    pub fn map<R: Send>(&self, count: usize, map: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        match &self.threads {
            Some(pool) if count > 1 => pool.install(|| (0..count).into_par_iter().map(map).collect()),
            _ => (0..count).map(map).collect(),
        }
    }

    /// Has `fill` fill every `len` places of `out`, or as many as are left at its end; it is told which they are, counted from 0. They
    /// are shared out among the threads.
    pub fn fill<T: Send>(&self, out: &mut [T], len: usize, fill: impl Fn(usize, &mut [T]) + Sync + Send) {
        use rayon::iter::{IndexedParallelIterator, ParallelIterator};
        use rayon::slice::ParallelSliceMut;
        let len = len.max(1);
        match &self.threads {
            Some(pool) if out.len() > len => {
                pool.install(|| out.par_chunks_mut(len).enumerate().for_each(|(i, places)| fill(i, places)));
            }
            _ => out.chunks_mut(len).enumerate().for_each(|(i, places)| fill(i, places)),
        }
    }
}

/// Lets this thread stand back behind others: `niceness` is 0 for not at all to 19 for as far as can be. A system that
/// does not let it is no reason to do no work.
pub fn stand_back(niceness: i32) {
    // On Linux a thread has a niceness of its own.
    let _ = rustix::process::setpriority_process(None, niceness);
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_keeps_order_with_and_without_threads() {
        let want: Vec<usize> = (0..50).map(|n| n * n).collect();
        assert_eq!(Pool::inline().map(50, |n| n * n), want);
        assert_eq!(Pool::new("test", 2).unwrap().map(50, |n| n * n), want);
    }

    #[test]
    fn every_place_is_filled_once_with_and_without_threads() {
        for pool in [Pool::inline(), Pool::new("test", 2).unwrap()] {
            for (count, len) in [(50, 7), (49, 7), (3, 7), (0, 7), (5, 0)] {
                let mut out = vec![0; count];
                pool.fill(&mut out, len, |i, places| {
                    (i * len.max(1)..).zip(places).for_each(|(n, out)| *out += n)
                });
                assert_eq!(out, (0..count).collect::<Vec<_>>());
            }
        }
    }
}
