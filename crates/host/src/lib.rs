//! What a process asks of its machine: the time, randomness, threads, memory and permission to go on.
//!
//! Everything above takes these as values, so that a simulated world can hand in its own clock, its own seed and a
//! single thread, and replay a run byte for byte.

mod budget;
mod cancel;
mod clock;
mod pool;
mod progress;
mod rng;

pub use budget::{Budget, OutOfMemory, Ticket, machine_memory_bytes};
pub use cancel::{Cancel, Cancelled};
pub use clock::{Clock, ManualClock, SystemClock};
pub use pool::{Pool, stand_back};
pub use progress::Progress;
pub use rng::Rng;
