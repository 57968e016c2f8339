//! Seeded worlds that break things, and a model of the truth.
//!
//! The engine runs here on one thread, on a disk in memory and with a clock that moves when told to, so that whatever
//! goes wrong goes wrong again. [`truth`] is a naive database; [`live`] lives a whole world of operations, restarts and
//! power cuts by a seed, and holds the engine against the truth after each of them.

mod check;
mod client;
mod crash;
mod crowd;
mod fault;
mod killer;
mod op;
mod tap;
pub mod truth;
mod world;

pub use crash::{CRASH_OPERATIONS, Cuts, crash, crash_many};
pub use crowd::{Bustle, crowd};
pub use fault::{FAULT_OPERATIONS, Faults, fail, fail_many};
pub use killer::{Kills, child, kill};
pub use world::{Failure, OPERATIONS, Story, live};
