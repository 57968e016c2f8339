//! Filtered search: recall and cost at every share of rows that match, against the same search without a filter, and
//! against one that has the same recall.
//! `cargo bench -p index --bench filters -- [mnist|sift|arxiv] [ef=16] [index_type=HNSW ...] ['only=label 3,random 5 %'] [subgraphs]`
//! (`subgraphs` makes a graph of each filter's rows besides), or
//! `-- kinds [rows=60000] [kinds=IVF_PQ,SCANN] [masks=...]` for a table of all kinds.
//!
//! Filters are random, or go by the label of a row (digits of MNIST), which has to do with where the row lies: most
//! queries then lie far from all rows that match; those of the set arxiv are about what a paper is. Costs are processor time
//! of this thread.

#[expect(dead_code, reason = "shared with the table, which has more sets")]
#[path = "table/data.rs"]
mod data;
#[path = "table/kinds.rs"]
mod kinds;

use std::io::Write;

use host::{Cancel, Pool, Progress, Rng};
use index::{Element, Hits, Index, Query, Spec, Vectors, build, scan};
use simd::Bits;

const K: usize = 10;
const QUERIES: usize = 1000;
/// How often they are asked between two looks at the clock.
const ROUNDS: usize = 4;

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let given: Vec<(&str, &str)> = words.iter().filter_map(|word| word.split_once('=')).collect();
    if words.iter().any(|word| word == "kinds") {
        return kinds::table(&given, &mut std::io::stdout().lock());
    }
    let name = words.iter().find(|word| !word.contains('='));
    let set = data::set(name.map_or("mnist", String::as_str));
    let labels = data::file("mnist-784/train_labels.npy").unwrap_or_default();
    let rows = Vectors::F32 { dim: set.dim, values: &set.rows };
    let queries = Vectors::F32 { dim: set.dim, values: &set.queries };
    let queries = queries.slice(0..QUERIES.min(queries.len()));
    let build_params = [
        ("index_type", "HNSW"),
        ("metric_type", set.metric.name()),
        ("M", "16"),
        ("efConstruction", "200"),
        ("nlist", "1024"),
    ];
    let mut params: Vec<(String, String)> = Vec::new();
    for (name, value) in given.iter().copied().filter(|(name, _)| *name != "only").chain(build_params) {
        if !params.iter().any(|(known, _)| known == name) {
            params.push((name.to_owned(), value.to_owned()));
        }
    }
    let search = params.clone();
    params.retain(|(name, _)| !["ef", "nprobe"].contains(&name.as_str()));
    let spec = Spec::parse(Element::F32, set.dim, &params).expect("valid parameters");
    let pool = Pool::new("build", 2).expect("threads");
    let image = build(&spec, rows, 1, &pool, &Cancel::new(), &Progress::new()).expect("a build");
    let index = Index::open(&spec, image, rows.len()).expect("its own image");
    let asked = search.into_iter().filter(|(name, _)| ["ef", "nprobe"].contains(&name.as_str()));
    let asked: Vec<_> = asked.collect();
    let query = spec.query(K, &asked).expect("a valid query");
    let mut out = std::io::stdout().lock();
    let begun = std::time::Instant::now();
    let now_ns = || u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    index.calibrate(rows, &now_ns);
    if let Some(costs) = index.costs() {
        writeln!(out, "{costs:?}, measured in {} us", now_ns() / 1000)?;
    }
    writeln!(out, "{}: {} rows of {}, {:?}", set.name, rows.len(), set.dim, spec.effective())?;
    let only =
        given.iter().find(|(name, _)| *name == "only").map(|(_, names)| names.split(',').collect::<Vec<_>>());
    let mut masks = masks(rows.len(), &labels);
    if set.name == "arxiv-minilm-384" {
        masks.extend(papers());
    }
    let curve =
        asked.first().map(|(knob, _)| curve((&spec, &index), rows, queries, knob)).unwrap_or_default();
    for (name, mask) in masks {
        if only.as_ref().is_some_and(|only| !only.contains(&name.as_str())) {
            continue;
        }
        let bare = measure(&index, rows, queries, &query, None);
        let cost = measure(&index, rows, queries, &query, Some(&mask));
        writeln!(
            out,
            "{name:>24}: {:6} match, recall {:.4}, {:7.1} CPU-us; without a filter {:.4}, {:7.1}; ratio of speed {:.2}, at equal recall {:.2}",
            mask.count(),
            cost.0,
            cost.1,
            bare.0,
            bare.1,
            bare.1 / cost.1,
            us_at(&curve, cost.0) / cost.1
        )?;
        if words.iter().any(|word| word == "subgraphs") && mask.count() >= 1000 {
            let (cost, build_s, bytes) = along(&index, rows, queries, &query, &mask);
            writeln!(
                out,
                "{:>24}  along a subgraph {:.4}, {:7.1}; ratio of speed {:.2}, at equal recall {:.2}; {build_s:.2} CPU-s to build, {} kB",
                "",
                cost.0,
                cost.1,
                bare.1 / cost.1,
                us_at(&curve, cost.0) / cost.1,
                bytes / 1000
            )?;
        }
    }
    Ok(())
}

fn masks(rows: usize, labels: &[u8]) -> Vec<(String, Bits)> {
    let mut rng = Rng::new(7);
    let mut masks = Vec::new();
    for percent in [50.0, 25.0, 10.0, 5.0, 2.0, 1.0, 0.1, 0.01] {
        masks.push((format!("random {percent} %"), Bits::from_fn(rows, |_| rng.chance(percent / 100.0))));
    }
    if labels.len() == rows {
        masks.push(("labels 0 to 4".into(), Bits::from_fn(rows, |row| labels[row] < 5)));
        masks.push(("label 3".into(), Bits::from_fn(rows, |row| labels[row] == 3)));
        for percent in [10.0, 1.0, 0.1] {
            let bit = |row: usize| labels[row] == 3 && rng.chance(percent / 100.0);
            masks.push((format!("{percent} % of label 3"), Bits::from_fn(rows, bit)));
        }
    }
    masks
}

/// Masks by what the rows of arxiv are about, each a line of JSON.
fn papers() -> Vec<(String, Bits)> {
    let text = data::unzipped(&data::folder().join("arxiv-minilm-384/base.jsonl.gz")).unwrap_or_default();
    let text = String::from_utf8(text).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let year = |line: &str| {
        let year = line.split_once("\"year\": ").and_then(|(_, rest)| rest.get(..4));
        year.and_then(|year| year.parse::<u32>().ok()).unwrap_or_default()
    };
    let is = |line: &str, key: &str, value: &str| line.contains(&format!("\"{key}\": \"{value}\""));
    let mask = |name: &str, test: &dyn Fn(&str) -> bool| {
        (name.to_owned(), Bits::from_fn(lines.len(), |row| test(lines[row])))
    };
    vec![
        mask("year == 2019", &|line| year(line) == 2019),
        mask("archive == cs", &|line| is(line, "archive", "cs")),
        mask("archive != cs", &|line| !is(line, "archive", "cs")),
        mask("archive == math", &|line| is(line, "archive", "math")),
        mask("year < 2000", &|line| year(line) < 2000),
        mask("cs.IR or cs.DB", &|line| is(line, "primary_cat", "cs.IR") || is(line, "primary_cat", "cs.DB")),
        mask("archive == econ", &|line| is(line, "archive", "econ")),
    ]
}

/// Recall and cost along a subgraph of the rows of `mask`, and the processor seconds that it took to build.
fn along(
    index: &Index,
    rows: Vectors<'_>,
    queries: Vectors<'_>,
    query: &Query,
    mask: &Bits,
) -> ((f64, f64), f64, u64) {
    let start = thread_s();
    let built = index.build_subgraph(rows, mask, 1, &Pool::inline(), &Cancel::new()).expect("a build");
    let (build_s, bytes) = (thread_s() - start, built.memory_bytes());
    index.keep_subgraph(built);
    let cost = measure(index, rows, queries, query, Some(mask));
    index.forget_subgraphs();
    (cost, build_s, bytes)
}

/// Recall and cost without a filter at other values of `knob`, dearer ones last.
fn curve(
    (spec, index): (&Spec, &Index),
    rows: Vectors<'_>,
    queries: Vectors<'_>,
    knob: &str,
) -> Vec<(f64, f64)> {
    let values = [10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192];
    let at = |value: &i32| {
        let query = spec.query(K, &[(knob.to_owned(), value.to_string())]).expect("a valid query");
        measure(index, rows, queries, &query, None)
    };
    values.iter().map(at).collect()
}

/// What a search without a filter costs that has this recall: on a line between two of the curve, or its end.
fn us_at(curve: &[(f64, f64)], recall: f64) -> f64 {
    let after = curve.iter().position(|(known, _)| *known >= recall);
    match after {
        Some(0) => curve[0].1,
        Some(after) => {
            let ((low, low_us), (high, high_us)) = (curve[after - 1], curve[after]);
            low_us + (high_us - low_us) * (recall - low) / (high - low)
        }
        None => curve.last().map_or(f64::NAN, |(_, us)| *us),
    }
}

/// Recall at 10 and processor microseconds a query.
fn measure(
    index: &Index,
    rows: Vectors<'_>,
    queries: Vectors<'_>,
    query: &Query,
    mask: Option<&Bits>,
) -> (f64, f64) {
    let (cancel, metric) = (Cancel::new(), index.metric());
    let mut exact = vec![Hits::default(); queries.len()];
    scan(metric, rows, queries, 0, mask, &Query::exact(metric, K), &mut exact, &cancel).expect("a scan");
    let (mut best, mut found, mut wanted) = (f64::MAX, 0, 0);
    for _ in 0..3 {
        (found, wanted) = (0, 0);
        let start = thread_s();
        let mut all: Vec<Hits> = Vec::new();
        // The clock of a thread goes by ticks.
        for _ in 0..ROUNDS {
            all.clear();
            all.extend((0..queries.len()).flat_map(|q| {
                index.search(rows, queries.slice(q..q + 1), query, mask, &cancel).expect("a search")
            }));
        }
        best = best.min((thread_s() - start) / (queries.len() * ROUNDS) as f64);
        for (hits, exact) in all.iter().zip(&exact) {
            assert_eq!(hits.len(), exact.len(), "as many rows as match, up to k");
            found += hits.rows.iter().filter(|row| exact.rows.contains(row)).count();
            wanted += exact.len();
        }
    }
    (found as f64 / wanted.max(1) as f64, best * 1e6)
}

/// Seconds of processor time this thread has used.
fn thread_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = stat.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    spent.unwrap_or(0.0) / 1e9
}
