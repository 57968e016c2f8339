//! Background work: what the catalogue wants and the segments lack. Nothing is queued and nothing is remembered: each
//! round looks for a gap, so work that was killed is simply found missing again.
//!
//! Two threads, the keeper (flush, merge, trim) and the builder (indexes), sleep until their bell is rung; an idle
//! database wakes nobody.

mod build;
mod keep;
mod merge;
mod opened;
mod subgraph;

pub(crate) use build::Builds;
pub(crate) use merge::Compactions;
pub(crate) use opened::{Opened, detach, is_attached, kept_bytes, paged_section};

use crate::node::Node;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How far builds stand back: somebody waits for the index, but others wait for answers.
pub(crate) const BUILD_NICENESS: i32 = 5;
/// How far builds for rows that came after their index stand back while searches come, on one thread.
pub(crate) const YIELD_NICENESS: i32 = 10;
/// How far merges stand back: nobody waits for them.
pub(crate) const MERGE_NICENESS: i32 = 19;

/// Wakes a thread. A ring that nobody waits for is not lost.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    condvar: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condvar.notify_all();
    }

    /// Waits for a ring, or for so long.
    fn wait(&self, at_most: Option<Duration>) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            match at_most {
                None => rung = self.condvar.wait(rung).unwrap_or_else(PoisonError::into_inner),
                Some(at_most) => {
                    let (guard, timeout) =
                        self.condvar.wait_timeout(rung, at_most).unwrap_or_else(PoisonError::into_inner);
                    rung = guard;
                    if timeout.timed_out() {
                        break;
                    }
                }
            }
        }
        *rung = false;
    }
}

/// The bells of the background threads, and what they tell about their work.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    pub(crate) keeper: Bell,
    pub(crate) builder: Bell,
    pub(crate) builds: Builds,
    pub(crate) compactions: Compactions,
}

/// Starts the background threads.
pub(crate) fn start(node: &Arc<Node>) -> Vec<JoinHandle<()>> {
    let keeper = Arc::clone(node);
    let keeper = move || {
        host::stand_back(BUILD_NICENESS);
        while !keeper.stopping.is_cancelled() {
            let next = keeper.keep();
            if !keeper.stopping.is_cancelled() {
                keeper.bells.keeper.wait(next);
            }
        }
    };
    let builder = Arc::clone(node);
    let builder = move || {
        host::stand_back(BUILD_NICENESS);
        while !builder.stopping.is_cancelled() {
            if !builder.build_one() && !builder.build_subgraph() {
                builder.bells.builder.wait(builder.until_next_build());
            }
        }
    };
    let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
    let started = [thread("keeper").spawn(keeper), thread("builder").spawn(builder)];
    started
        .into_iter()
        .filter_map(|thread| {
            thread.map_err(|error| node.trouble(format!("no background thread: {error}"))).ok()
        })
        .collect()
}
