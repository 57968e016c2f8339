//! Rows that are hard on an index, for every kind of floats and every metric: duplicates, elements that never change or
//! outweigh all others, rows on a line, far apart or of length zero, few and many elements. Scores must be right and rows
//! alone in their answer; what is found is held against trying all.

mod sets;

use host::{Cancel, Rng};
use index::{Element, Metric, Spec};
use sets::{Rows, clusters, naive, naive_score, opened, pairs, recall};

const K: usize = 10;
const QUERIES: usize = 6;

/// Kinds that take rows of any number of elements, with enough effort to find nearly all of a few hundred rows.
const KINDS: [(&str, &str); 8] = [
    ("FLAT", ""),
    ("IVF_FLAT", "nlist=8"),
    ("IVF_SQ8", "nlist=8"),
    ("IVF_RABITQ", "nlist=8 refine=true"),
    ("HNSW", "M=16 efConstruction=64"),
    ("HNSW_SQ", "M=16 efConstruction=64 sq_type=SQ8"),
    ("DISKANN", "max_degree=32 search_list_size=64 pq_code_budget_gb_ratio=0.25"),
    ("AISAQ", "max_degree=32 search_list_size=64 pq_code_budget_gb_ratio=0.25"),
];

fn spec(kind: &str, own: &str, metric: Metric, dim: usize) -> Spec {
    let mut params = vec![("index_type", kind), ("metric_type", metric.name())];
    params.extend(own.split_whitespace().filter_map(|pair| pair.split_once('=')));
    Spec::parse(Element::F32, dim, &pairs(&params)).expect("a valid specification")
}

/// Searches every kind for the first rows and for rows that are not there; the share that must be found of each.
#[expect(clippy::unwrap_used, reason = "a search that fails fails the test")]
fn check(name: &str, dim: usize, values: &[f32], metrics: &[Metric], floor: f64) {
    let rows = Rows::of(Element::F32, dim, values);
    let mut asked = clusters(QUERIES / 2, dim, 77);
    asked.extend(values.iter().take(QUERIES / 2 * dim));
    let queries = Rows::of(Element::F32, dim, &asked);
    let (rows, queries) = (rows.view(), queries.view());
    let effort = [("ef", "200"), ("nprobe", "8"), ("search_list", "200"), ("refine_k", "20")];
    for metric in metrics {
        for (kind, own) in KINDS {
            let spec = spec(kind, own, *metric, dim);
            let index = opened(&spec, rows);
            let query = spec.query(K, &pairs(&effort)).unwrap();
            let found = index.search(rows, queries, &query, None, &Cancel::new()).unwrap();
            let mut mean = 0.0;
            for (q, hits) in found.iter().enumerate() {
                let place = format!("{name}: {kind} {metric}, {dim} elements, query {q}");
                assert_eq!(hits.len(), K.min(rows.len()), "{place}");
                let mut once = hits.rows.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), hits.len(), "{place}: no row twice");
                assert!(
                    !hits.scores.windows(2).any(|pair| metric.better(pair[1], pair[0])),
                    "{place}: best first"
                );
                for (row, score) in hits.rows.iter().zip(&hits.scores) {
                    let want = defined(naive_score(*metric, queries, q, rows, *row as usize));
                    // Products are as exact as the lengths are long, not as the score is large.
                    let scale =
                        lengths(asked.chunks(dim).nth(q).unwrap(), &values[*row as usize * dim..][..dim]);
                    let slack = if *metric == Metric::Cosine { 1e-4 } else { 1e-5 * scale.max(1e-3) };
                    assert!((f64::from(*score) - want).abs() <= slack, "{place}: {score} and {want}");
                }
                let truth = naive(*metric, rows, queries, q, K, |_, score| !score.is_nan());
                mean += recall(hits, &truth, *metric) / queries.len() as f64;
            }
            let least = if kind == "FLAT" { 1.0 } else { floor };
            assert!(mean >= least - 1e-9, "{name}: {kind} {metric}, {dim} elements: recall {mean}");
        }
    }
}

/// A row of length zero is as far from all as a row at a right angle.
fn defined(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What scores of two vectors are at most, about.
fn lengths(a: &[f32], b: &[f32]) -> f64 {
    let squares = |values: &[f32]| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
    squares(a) + squares(b)
}

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

#[test]
fn any_number_of_elements() {
    for dim in [2, 3, 7, 16, 31, 63, 64, 65, 127, 129, 257, 1023] {
        check("clusters", dim, &clusters(300, dim, 5), &METRICS, 0.9);
    }
}

#[test]
fn very_many_elements() {
    for (dim, rows) in [(4_096, 120), (32_768, 40)] {
        check("clusters", dim, &clusters(rows, dim, 5), &[Metric::L2, Metric::Cosine], 0.9);
    }
}

#[test]
fn every_row_many_times() {
    let (dim, some) = (70, clusters(40, 70, 5));
    let values: Vec<f32> = (0..400).flat_map(|row| some[row * 7 % 40 * dim..][..dim].to_vec()).collect();
    check("duplicates", dim, &values, &METRICS, 0.9);
}

#[test]
fn elements_that_never_change_or_outweigh_the_others() {
    let dim = 96;
    let mut still = clusters(300, dim, 5);
    still.chunks_mut(dim).for_each(|row| row[17] = 4.5);
    check("one element is the same everywhere", dim, &still, &METRICS, 0.9);
    let mut heavy = clusters(300, dim, 5);
    heavy.chunks_mut(dim).for_each(|row| row[3] *= 1e3);
    check("one element outweighs the others", dim, &heavy, &METRICS, 0.7);
    let mut tiny = clusters(300, dim, 5);
    tiny.iter_mut().for_each(|value| *value *= 1e-12);
    check("tiny values", dim, &tiny, &[Metric::Cosine], 0.9);
}

#[test]
fn rows_on_a_line_far_apart_or_without_structure() {
    let (dim, mut rng) = (80, Rng::new(3));
    let direction: Vec<f32> = (0..dim).map(|_| rng.normal() as f32).collect();
    let line: Vec<f32> =
        (0..300).flat_map(|row| direction.iter().map(move |d| d * row as f32 / 30.0)).collect();
    check("a line", dim, &line, &[Metric::L2, Metric::Ip], 0.8);
    let mut apart = clusters(300, dim, 5);
    apart.chunks_mut(dim).skip(150).for_each(|row| row.iter_mut().for_each(|value| *value += 1e3));
    check("two heaps far apart", dim, &apart, &METRICS[..2], 0.7);
    let noise: Vec<f32> = (0..300 * dim).map(|_| rng.normal() as f32).collect();
    check("normal noise", dim, &noise, &METRICS, 0.9);
}

#[test]
fn rows_of_length_zero_among_others() {
    let dim = 72;
    let mut values = clusters(300, dim, 5);
    values.chunks_mut(dim).step_by(5).for_each(|row| row.fill(0.0));
    check("every fifth row is zero", dim, &values, &METRICS, 0.9);
}

#[test]
fn fewer_rows_than_are_asked_for() {
    for rows in [1, 2, 9] {
        check("few rows", 68, &clusters(rows.max(QUERIES / 2), 68, 5)[..rows * 68], &METRICS, 1.0);
    }
}
