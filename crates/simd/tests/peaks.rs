//! Peaks of groups at every level against the definition.

use simd::{Level, peaks_at};

#[test]
fn a_peak_is_the_largest_of_its_group() {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as i16
    };
    for groups in [32, 64, 96, 1024] {
        for each in [0, 1, 2, 7, 8] {
            let values: Vec<i16> =
                (0..groups * each).map(|i| if i % 5 == 0 { i16::MIN } else { next() }).collect();
            for level in Level::available() {
                let mut peaks = vec![7; groups];
                peaks_at(level, &values, &mut peaks);
                for (group, peak) in peaks.iter().enumerate() {
                    let want = values.iter().skip(group).step_by(groups).max();
                    assert_eq!(*peak, want.copied().unwrap_or(i16::MIN), "{level:?}: {group} of {groups}");
                }
            }
        }
    }
    peaks_at(Level::SCALAR, &[], &mut []);
}
