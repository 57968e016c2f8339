//! The transform that rotations are made of. Invariant: the same sums in the same order at every [`Level`].

use crate::Level;

/// The orthonormal Walsh-Hadamard transform, in place.
///
/// # Panics
/// When the number of values is no power of two.
pub fn hadamard(values: &mut [f32]) {
    hadamard_at(Level::current(), values);
}

/// [`hadamard`] at a chosen level.
///
/// # Panics
/// When the number of values is no power of two.
pub fn hadamard_at(level: Level, values: &mut [f32]) {
    assert!(values.len().is_power_of_two(), "a power of two of values");
    crate::kernel::hadamard(level, values);
}
