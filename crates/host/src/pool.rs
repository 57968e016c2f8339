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
}
