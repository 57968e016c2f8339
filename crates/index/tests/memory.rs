//! How much memory builds take, counted by the allocator, beside what they say they take.
//!
//! `ROWS=100000 DIM=128 cargo test -p index --release --test memory -- --ignored --nocapture` prints all kinds at another size.

mod sets;

use std::io;
use std::sync::{Mutex, PoisonError};

use host::{Cancel, Pool, Progress};
use index::{BuildBytes, Spec, build_paged};
use peak_alloc::PeakAlloc;
use sets::{Rows, kinds, pairs};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Tests of one process share the allocator.
static ALONE: Mutex<()> = Mutex::new(());

const THREADS: usize = 2;
/// Bytes that a build may say more than one and a half times what it takes: what is not counted row by row, and room for the rows of a
/// batch, which small sets do not fill.
const FIXED: f64 = 6e6;

/// Bytes that a build took at most, and those of the image.
#[expect(clippy::unwrap_used, reason = "a build that fails fails the test")]
fn peak(spec: &Spec, rows: &Rows, memory_bytes: u64) -> (u64, u64) {
    let pool = Pool::new("test", THREADS).unwrap();
    // Threads are there before it is counted.
    pool.map(64, |_| std::hint::black_box(0));
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let mut written = 0;
    let mut write = |bytes: Vec<u8>| {
        written += bytes.len() as u64;
        Ok(())
    };
    let pages = (memory_bytes, &mut write as &mut dyn FnMut(Vec<u8>) -> io::Result<()>);
    let image = build_paged(spec, rows.view(), 7, &pool, &Cancel::new(), &Progress::new(), pages).unwrap();
    let peak = ALLOCATOR.peak_usage() - before;
    (peak as u64, image.bytes() + written)
}

#[test]
fn no_build_takes_more_than_it_says_nor_much_less() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, spec) in kinds(96, 120) {
        let rows = Rows::new(spec.element(), 6000, spec.dim(), 5);
        let (took, _) = peak(&spec, &rows, u64::MAX);
        let BuildBytes { whole, least } = spec.build_bytes(rows.view(), THREADS);
        assert!(took <= whole && least <= whole, "{name} took {took} and says {whole}");
        assert!((whole as f64) < 1.5 * took as f64 + FIXED, "{name} took {took} and says {whole}");
    }
}

#[test]
fn a_graph_on_disk_is_built_in_the_memory_it_is_allowed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for (kind, more) in
        [("DISKANN", ("max_degree", "24")), ("AISAQ", ("search_cache_budget_gb_ratio", "0.5"))]
    {
        let spec = Spec::parse(
            index::Element::F32,
            100,
            &pairs(&[("index_type", kind), ("metric_type", "L2"), more]),
        );
        let spec = spec.unwrap();
        let rows = Rows::new(spec.element(), 14_000, spec.dim(), 5);
        let BuildBytes { whole, least } = spec.build_bytes(rows.view(), THREADS);
        assert!(least * 5 < whole * 4, "{kind}: {least} of {whole}");
        for part in [0, 1, 3] {
            let allowed = least + (whole - least) * part / 4;
            let (took, _) = peak(&spec, &rows, allowed);
            assert!(took <= allowed, "{kind} took {took}, {allowed} were allowed");
        }
    }
}

#[test]
#[ignore = "prints a table"]
fn table() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let count = number("ROWS", 20_000);
    for (name, spec) in kinds(number("DIM", 128), 240) {
        let rows = Rows::new(spec.element(), count, spec.dim(), 5);
        let BuildBytes { whole, least } = spec.build_bytes(rows.view(), THREADS);
        let mut allowed = vec![u64::MAX];
        if least < whole {
            allowed.extend([1, 0].map(|part| least + (whole - least) * part / 4));
        }
        for allowed in allowed {
            let (took, made) = peak(&spec, &rows, allowed);
            let [took, made, said, allowed] =
                [took, made, whole, allowed.min(whole)].map(|bytes| bytes as f64 / count as f64);
            let share = said / took;
            println!(
                "{name:48} took {took:6.0} said {said:6.0} {share:5.2} made {made:6.0}; allowed {allowed:6.0}"
            );
        }
    }
}
