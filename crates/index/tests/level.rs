//! What the levels of AUTOINDEX find, as exact seeded results kept as text, and floors that they stay above. With `ELANUS_BLESS` set the text is
//! written anew; a reviewer sees what changed.

mod sets;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use host::{Cancel, Rng};
use index::{Element, Metric, Spec};
use sets::{Rows, naive, opened, pairs, recall};

const ROWS: usize = 4000;
const QUERIES: usize = 40;
/// The least recall@10 and recall@100 at levels 1, 5 and 10, on rows around a few centres.
const FLOORS: [(usize, f64); 3] = [(1, 0.93), (5, 0.985), (10, 0.999)];

/// Rows around nothing, the hardest there are.
fn noise(rows: usize, seed: u64) -> Rows {
    let mut rng = Rng::new(seed);
    Rows::Floats(100, (0..rows * 100).map(|_| rng.normal() as f32).collect())
}

#[test]
fn levels_find_what_they_found() {
    let around = |element, dim, seed| Rows::new(element, ROWS + QUERIES, dim, seed);
    let sets = [
        ("clusters", Metric::L2, around(Element::F32, 100, 31)),
        ("clusters", Metric::Cosine, around(Element::F32, 100, 32)),
        ("bytes", Metric::Cosine, around(Element::I8, 100, 33)),
        ("short", Metric::L2, around(Element::F32, 20, 34)),
        ("bits", Metric::Hamming, around(Element::Bits, 512, 35)),
        ("noise", Metric::L2, noise(ROWS + QUERIES, 36)),
    ];
    let mut text = String::new();
    for (name, metric, all) in &sets {
        let (rows, queries) = (all.view().slice(0..ROWS), all.view().slice(ROWS..ROWS + QUERIES));
        let spec =
            Spec::parse(rows.element(), rows.dim(), &pairs(&[("metric_type", metric.name())])).unwrap();
        let index = opened(&spec, rows);
        for k in [10, 100] {
            write!(text, "{name} {metric} k {k}:").unwrap();
            let truths: Vec<_> =
                (0..QUERIES).map(|q| naive(*metric, rows, queries, q, k, |_, _| true)).collect();
            for level in 1..=10 {
                let query = spec.query(k, &pairs(&[("level", &level.to_string())])).unwrap();
                let hits = index.search(rows, queries, &query, None, &Cancel::new()).unwrap();
                let found = hits.iter().zip(&truths).map(|(hits, truth)| recall(hits, truth, *metric));
                let mean = found.sum::<f64>() / QUERIES as f64;
                write!(text, " {mean:.4}").unwrap();
                let floor = FLOORS.iter().find(|(at, _)| *at == level).map_or(0.0, |(_, floor)| *floor);
                assert!(*name == "noise" || mean >= floor, "{name} {metric} k {k} level {level}: {mean}");
            }
            text.push('\n');
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/level.txt");
    if std::env::var_os("ELANUS_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "ELANUS_BLESS=1 accepts a change");
}

#[test]
fn a_level_is_checked_and_yields_to_what_it_stands_for() {
    let auto = Spec::parse(Element::F32, 64, &[]).unwrap();
    let ask = |spec: &Spec, k: usize, params: &[(&str, &str)]| spec.query(k, &pairs(params));
    let cases = [
        ("0", "0 out of range 1 <= level <= 10"),
        ("11", "11 out of range 1 <= level <= 10"),
        ("high", "invalid integer value, key: 'level', value: 'high'"),
    ];
    for (level, text) in cases {
        assert_eq!(ask(&auto, 10, &[("level", level)]).unwrap_err().to_string(), text);
    }
    assert_eq!(ask(&auto, 10, &[]).unwrap().effort(), 16);
    assert_eq!(ask(&auto, 10, &[("level", "1")]).unwrap().effort(), 16);
    assert_eq!(ask(&auto, 10, &[("level", "5")]).unwrap().effort(), 40);
    assert_eq!(ask(&auto, 10, &[("level", "5"), ("ef", "77")]).unwrap().effort(), 77);
    // The other kinds have parameters of their own.
    let hnsw =
        Spec::parse(Element::F32, 64, &pairs(&[("index_type", "HNSW"), ("metric_type", "L2")])).unwrap();
    assert_eq!(ask(&hnsw, 10, &[("level", "11")]).unwrap().effort(), 16);
    let sparse = Spec::parse(Element::Sparse, 0, &[]).unwrap();
    assert!(ask(&sparse, 10, &[("level", "10")]).is_ok() && ask(&sparse, 10, &[("level", "11")]).is_err());
}
