//! Disks that are full, that fail, and that lose power under a running engine.

/// So many worlds.
fn worlds() -> u64 {
    std::env::var("SIM_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000)
}

#[test]
fn a_failing_disk_loses_nothing_that_was_acknowledged() {
    let first: u64 = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (faults, failures) = sim::fail_many(first, worlds(), 2);
    for failure in &failures {
        println!("fault seed {}: {}", failure.seed, failure.text);
    }
    println!("{faults:?}");
    assert!(failures.is_empty(), "{} worlds failed", failures.len());
}
