//! The largest values of interleaved groups. Invariant: integers, so the same at every [`Level`].

use crate::Level;
#[cfg(target_arch = "x86_64")]
use crate::level::Tier;

/// Groups that are gone through side by side.
const LANES: usize = 32;

/// The largest value of each group, as many groups as `peaks` has places: value `i` belongs to group `i % peaks.len()`.
///
/// # Panics
/// When the groups are no multiple of 32, or the values no multiple of the groups.
pub fn peaks(values: &[i16], peaks: &mut [i16]) {
    peaks_at(Level::current(), values, peaks);
}

/// [`peaks`] at a chosen level.
///
/// # Panics
/// As there.
pub fn peaks_at(level: Level, values: &[i16], peaks: &mut [i16]) {
    assert!(peaks.len().is_multiple_of(LANES), "32 groups side by side");
    assert!(values.len().is_multiple_of(peaks.len().max(1)), "groups of the same size");
    match level.tier() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
        // SAFETY: a `Level` above the scalar one comes from detection alone, so the CPU has these instructions.
        Tier::Avx512 => unsafe { avx512(values, peaks) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
        // SAFETY: as above.
        Tier::Avx2 => unsafe { avx2(values, peaks) },
        _ => largest(values, peaks),
    }
}

/// The meaning of it.
#[inline(always)]
fn largest(values: &[i16], peaks: &mut [i16]) {
    let groups = peaks.len();
    let lanes = peaks.as_chunks_mut::<LANES>().0;
    for (first, peaks) in lanes.iter_mut().enumerate() {
        let mut most = [i16::MIN; LANES];
        for row in values.chunks_exact(groups) {
            let row = row[first * LANES..].first_chunk::<LANES>().unwrap_or(&[i16::MIN; LANES]);
            most.iter_mut().zip(row).for_each(|(most, value)| *most = (*most).max(*value));
        }
        *peaks = most;
    }
}

/// The same as vector code, which the compiler makes of it.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(values: &[i16], peaks: &mut [i16]) {
    largest(values, peaks);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn avx512(values: &[i16], peaks: &mut [i16]) {
    largest(values, peaks);
}
