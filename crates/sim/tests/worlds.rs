//! Worlds by seed: what the engine says is the truth, after every operation.

use std::collections::BTreeMap;

/// How many worlds a run of this test lives.
fn worlds() -> u64 {
    std::env::var("SIM_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

// Seeds 1 to 5 and others once found that a partial update of a key with several rows, some of them merged since, kept the
// fields of whichever lay in the last segment instead of those of the newest row.
// Seeds 156, 350 and 355 found a merge that put a segment without the field that was added while it ran before readers.
#[test]
fn the_engine_says_the_truth() {
    let first: u64 = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut failures = Vec::new();
    for seed in first..first + worlds() {
        let (story, outcome) = sim::live(seed, sim::OPERATIONS, false);
        story.counts.into_iter().for_each(|(word, count)| *counts.entry(word).or_default() += count);
        if let Err(failure) = outcome {
            println!("{failure}");
            failures.push(failure.seed);
        }
    }
    println!("{} worlds: {counts:?}", worlds());
    assert!(failures.is_empty(), "{} worlds failed: {failures:?}", failures.len());
}

#[test]
fn a_seed_makes_the_same_world_again() {
    for seed in 1..4 {
        let (a, _) = sim::live(seed, sim::OPERATIONS, true);
        let (b, _) = sim::live(seed, sim::OPERATIONS, true);
        assert_eq!(a.lines, b.lines);
        assert_eq!(a.hash, b.hash);
    }
}
