//! Seeded worlds that break things, and a model of the truth.
//!
//! The engine runs here on one thread, on a disk in memory and with a clock that moves when told to, so that whatever
//! goes wrong goes wrong again. [`truth`] is a naive database, and the engine is held against it:
//!
//! - [`live`] lives a world of operations by a seed, with restarts and power cuts, with reads at every change of the disk
//!   and with operations in the middle of flushes, merges and builds;
//! - [`crash`] cuts the power at every change of the disk, and again while the engine recovers;
//! - [`fail`] lets the disk fill up, fail its syncs, or fail altogether, in the middle of an operation.
//!
//! Two more run on real files with real threads, and cannot be repeated: [`kill`] kills a child with `kill -9`, [`crowd`]
//! lets writers, searchers and everything else loose at once.

mod check;
mod client;
mod crash;
mod crowd;
mod draw;
mod fault;
mod field;
mod killer;
mod op;
mod parts;
mod tap;
pub mod truth;
mod world;

pub use crash::{CRASH_OPERATIONS, Cuts, crash, crash_many};
pub use crowd::{Bustle, crowd};
pub use fault::{FAULT_OPERATIONS, Faults, fail, fail_many};
pub use killer::{Kills, child, kill};
pub use world::{Failure, OPERATIONS, Story, live};
