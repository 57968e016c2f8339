//! A few rounds of `kill -9` on real files; `cargo run --release -p sim --bin killer -- --rounds 200` does more.

use std::path::Path;

#[test]
fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let kills = sim::kill(Path::new(env!("CARGO_BIN_EXE_killer")), 7, 6).unwrap();
    println!("{kills:?}");
    assert!(kills.acknowledged > 0, "the children did nothing");
}
