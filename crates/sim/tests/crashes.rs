//! Power cuts at every change of the disk, and again while recovering.

/// So many points at least.
fn points() -> u64 {
    std::env::var("SIM_POINTS").ok().and_then(|text| text.parse().ok()).unwrap_or(30_000)
}

#[test]
fn no_power_cut_loses_or_invents_anything() {
    let first: u64 = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let (cuts, failures) = sim::crash_many(first, sim::CRASH_OPERATIONS, points(), 2);
    for failure in &failures {
        println!("crash seed {}: {}", failure.seed, failure.text);
    }
    println!(
        "{} power cuts, {} recoveries cut short, {} times the operation under way was found done",
        cuts.points, cuts.nested, cuts.done
    );
    assert!(failures.is_empty(), "{} seeds failed", failures.len());
}
