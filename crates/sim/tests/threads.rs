//! Everything at once, with real threads on real files, for a few seconds.

#[test]
fn a_crowd_is_served_rightly() {
    let for_ms = std::env::var("SIM_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000);
    let folder = tempfile::tempdir().unwrap();
    let bustle = sim::crowd(folder.path(), 11, for_ms);
    println!("{bustle:?}");
    bustle.unwrap();
}
