//! Arithmetic on slices at the speed of this CPU.
//!
//! The only home of vector instructions and of the `unsafe` they need. What a caller sees is safe and gives the same
//! results at every instruction-set level.

mod bits;

pub use bits::Bits;
