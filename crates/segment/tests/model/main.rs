//! Growing, sealed and merged segments against a model so simple that it is obviously right.

#[cfg(test)]
mod pair;
#[cfg(test)]
mod truth;

use data::Timestamp;
use pair::{Pair, Step, blobs, merge_pairs};
use proptest::prelude::*;

fn step() -> impl Strategy<Value = Step> {
    let some = || proptest::collection::vec(0_u8..40, 1..12);
    prop_oneof![some().prop_map(Step::Insert), some().prop_map(Step::Upsert), some().prop_map(Step::Delete)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_of_segment_agrees_with_the_model(
        first in proptest::collection::vec(step(), 0..25),
        second in proptest::collection::vec(step(), 1..25),
        third in proptest::collection::vec(step(), 0..8),
        late in step(),
        keep_after in 0_u64..60,
        is_text in any::<bool>(),
        jitter in prop_oneof![Just(1_u64), Just(1), 2_u64..20],
    ) {
        let blobs = blobs();
        let (mut a, mut b) = (Pair::growing(1, is_text), Pair::growing(2, is_text));
        let mut now = 0;
        // A log is applied in the order of its stamps, jitter 1; segments get other orders right, too.
        let stamp = |now: u64| Timestamp(if jitter == 1 { now } else { now * 7919 % jitter + now / 2 + 1 });
        for step in &first {
            now += 1;
            a.apply(step, stamp(now));
        }
        a.check(0, now + jitter);
        let meanwhile: Vec<_> = third.iter().cloned().zip(now + 1..).map(|(step, at)| (step, stamp(at))).collect();
        now += meanwhile.len() as u64;
        let mut a = a.seal(&blobs, "a", &meanwhile);
        a.check(0, now + jitter);
        for step in &second {
            now += 1;
            b.apply(step, stamp(now));
            a.apply(step, stamp(now));
        }
        a.check(0, now + jitter);
        b.check(0, now + jitter);
        let keep_after = keep_after.min(now);
        now += 1;
        let merged = merge_pairs(vec![a, b], Timestamp(keep_after), &late, stamp(now), &blobs);
        merged.check(keep_after, now + jitter);
    }
}
