//! A table of what building and searching cost.
//! `cargo bench -p index --bench table -- [mnist|sift|arxiv] [flat] [outline] [hnsw] [grow] [ivf] [IVF_PQ ...] [sparse] [M=16 ...]`;
//! `-- levels [mnist|sift|arxiv|chem]`: what the levels of AUTOINDEX find.
//! `VALUES=8,16` in the environment tries only these values of `ef` or `nprobe`; `K=100` asks for so many neighbours, not ten.
//!
//! Times of builds are of the processor, those of searches and scans the best of several, so that other work on the
//! machine disturbs them little.

mod data;
mod grow;
mod levels;
mod sparse;

use std::io::Write;
use std::time::Instant;

use data::Set;
use host::{Cancel, Pool, Progress};
use index::{Element, Hits, Index, Outline, Outlined, Query, Spec, Vectors, build, scan, scan_outlined};

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_choice =
        |word: &String| !word.contains('=') && !["mnist", "sift", "arxiv"].contains(&word.as_str());
    let wants = |name: &str| !words.iter().any(is_choice) || words.iter().any(|word| word == name);
    let overrides: Vec<(&str, &str)> = words.iter().filter_map(|word| word.split_once('=')).collect();
    let mut out = std::io::stdout().lock();
    if words.iter().any(|word| word == "sparse") {
        return sparse::table(&mut out);
    }
    if words.iter().any(|word| word == "levels") {
        let sets = ["mnist", "sift", "arxiv", "chem"];
        let is_wanted = |set: &&&str| words.len() == 1 || words.iter().any(|word| word == **set);
        return sets.iter().filter(is_wanted).try_for_each(|set| levels::table(set, &mut out));
    }
    let name = words.iter().find(|word| ["mnist", "sift", "arxiv"].contains(&word.as_str()));
    let mut set = data::set(name.map_or("mnist", String::as_str));
    let (count, dim, level) = (set.rows.len() / set.dim, set.dim, simd::Level::current().name());
    writeln!(out, "{}: {count} rows of {dim}, {level}", set.name)?;
    if wants("flat") || set.truth.is_empty() {
        let exact = flat(&set, &mut out)?;
        if set.truth.is_empty() {
            set.truth = exact.iter().flat_map(|hits| hits.rows.clone()).collect();
        }
    }
    if wants("outline") {
        outline(&set, &mut out)?;
    }
    let metric = ("metric_type", set.metric.name());
    let efs = [10, 12, 14, 20, 28, 32, 40, 56, 100, 200].map(|ef| ef.max(set.k));
    let probes = [1, 2, 4, 8, 12, 16, 24, 32, 64, 128];
    if wants("hnsw") {
        let params = [("index_type", "HNSW"), metric, ("M", "16"), ("efConstruction", "200")];
        table(&set, &with(&params, &overrides), "ef", &efs, &mut out)?;
    }
    if words.iter().any(|word| word == "grow") {
        let params = [("index_type", "HNSW"), metric, ("M", "16"), ("efConstruction", "200")];
        grow::table(&set, &with(&params, &overrides), &mut out)?;
    }
    if wants("ivf") {
        let params = [("index_type", "IVF_FLAT"), metric, ("nlist", "1024")];
        table(&set, &with(&params, &overrides), "nprobe", &probes, &mut out)?;
    }
    for kind in words.iter().filter(|word| word.starts_with(char::is_uppercase) && !word.contains('=')) {
        let (knob, values) = match kind.as_str() {
            "DISKANN" | "AISAQ" => ("search_list", efs),
            kind if kind.starts_with("HNSW") => ("ef", efs),
            _ => ("nprobe", probes),
        };
        let params = [
            ("index_type", kind.as_str()),
            metric,
            ("M", "16"),
            ("efConstruction", "200"),
            ("nlist", "1024"),
        ];
        table(&set, &with(&params, &overrides), knob, &values, &mut out)?;
    }
    Ok(())
}

fn with(params: &[(&str, &str)], overrides: &[(&str, &str)]) -> Vec<(String, String)> {
    params.iter().chain(overrides).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Seconds of processor time this process has used, from the kernel's accounting.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Seconds of processor time this thread has used.
pub(crate) fn thread_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = stat.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    spent.unwrap_or(0.0) / 1e9
}

fn rows(set: &Set) -> Vectors<'_> {
    Vectors::F32 { dim: set.dim, values: &set.rows }
}

fn queries(set: &Set) -> Vectors<'_> {
    Vectors::F32 { dim: set.dim, values: &set.queries }
}

/// How often each query is asked; its best time counts.
const SEARCH_ROUNDS: usize = 5;
/// How often reading and scanning take turns.
const ROUNDS: u32 = 40;
/// Bytes that a turn goes through at least, all rows as often as that takes, so that a clock can tell.
const TURN_BYTES: usize = 100 << 20;

/// Exact search against a loop that only reads, interleaved. Speeds are those of the best turns, the share is the median over
/// the rounds, so that other work on the machine, which slows both, says little.
fn flat(set: &Set, out: &mut impl Write) -> std::io::Result<Vec<Hits>> {
    let bytes = set.rows.len() * 4;
    let times = TURN_BYTES.div_ceil(bytes);
    let query = Query::exact(set.metric, set.k);
    let (mut read, mut scanned) = (f64::MAX, f64::MAX);
    let one = queries(set).slice(0..1);
    let turn = |best: &mut f64, work: &dyn Fn()| {
        let start = Instant::now();
        (0..times).for_each(|_| work());
        let seconds = start.elapsed().as_secs_f64() / times as f64;
        *best = best.min(seconds);
        seconds
    };
    let mut shares = Vec::new();
    for _ in 0..ROUNDS {
        let reading =
            turn(&mut read, &|| _ = std::hint::black_box(read_all(std::hint::black_box(&set.rows))));
        let scanning = turn(&mut scanned, &|| {
            let mut hits = [Hits::default()];
            scan(set.metric, rows(set), one, 0, None, &query, &mut hits, &Cancel::new())
                .expect("a scan of a matching query");
        });
        shares.push(reading / scanning);
    }
    shares.sort_by(f64::total_cmp);
    let (read_gbs, scan_gbs) = (bytes as f64 / read / 1e9, bytes as f64 / scanned / 1e9);
    let place = if bytes > 100 << 20 { "memory" } else { "a cache" };
    writeln!(
        out,
        "FLAT: reading {read_gbs:.1} GB/s, scanning {scan_gbs:.1} GB/s = {:.0} %, from {place}",
        100.0 * shares[shares.len() / 2]
    )?;
    let mut hits = vec![Hits::default(); queries(set).len()];
    let start = thread_s();
    scan(set.metric, rows(set), queries(set), 0, None, &query, &mut hits, &Cancel::new())
        .expect("a scan of matching queries");
    let pairs = (hits.len() * rows(set).len()) as f64;
    writeln!(out, "FLAT: many queries {:.1} M pairs a CPU-second", pairs / (thread_s() - start) / 1e6)?;
    flat_outlined(set, &hits, out)?;
    Ok(hits)
}

/// The same through outlines: the best time of each query by itself, and of all at once.
fn flat_outlined(set: &Set, want: &[Hits], out: &mut impl Write) -> std::io::Result<()> {
    let query = Query::exact(set.metric, set.k);
    let outline = Outline::of(rows(set)).expect("rows of floats");
    let both = Outlined { vectors: rows(set), outline: &outline };
    let scan = |queries: Vectors<'_>, hits: &mut [Hits]| {
        hits.fill(Hits::default());
        scan_outlined(set.metric, both, queries, 0, None, &query, hits, &Cancel::new()).expect("a scan");
    };
    let mut hits = vec![Hits::default(); want.len()];
    let some = 50.min(want.len());
    let mut times = vec![f64::MAX; some];
    for _ in 0..SEARCH_ROUNDS {
        for (q, time) in times.iter_mut().enumerate() {
            let start = Instant::now();
            scan(queries(set).slice(q..q + 1), &mut hits[q..q + 1]);
            *time = time.min(start.elapsed().as_secs_f64());
        }
    }
    let start = thread_s();
    scan(queries(set), &mut hits);
    let pairs = (hits.len() * rows(set).len()) as f64;
    assert!(hits == want, "an outline changes no answer");
    writeln!(
        out,
        "FLAT by outlines: one query {:.0} us, many queries {:.1} M pairs a CPU-second, {:.1} MB",
        times.iter().sum::<f64>() / some as f64 * 1e6,
        pairs / (thread_s() - start) / 1e6,
        outline.bytes() as f64 / 1e6
    )
}

/// What a scan through byte codes costs beside one of the rows, for some rows and queries at once, interleaved.
fn outline(set: &Set, out: &mut impl Write) -> std::io::Result<()> {
    for count in [2_000, 10_000, 20_000] {
        let some = rows(set).slice(0..count.min(rows(set).len()));
        let start = Instant::now();
        let outline = Outline::of(some).expect("rows of floats");
        let made_ns = start.elapsed().as_nanos() / some.len() as u128;
        let query = Query::exact(set.metric, 10);
        for many in [1, 2, 4, 16] {
            let (mut plain, mut outlined) = (Vec::new(), Vec::new());
            for first in (0..240).step_by(many) {
                let queries = queries(set).slice(first..first + many);
                let (mut want, mut got) = (vec![Hits::default(); many], vec![Hits::default(); many]);
                let start = Instant::now();
                scan(set.metric, some, queries, 0, None, &query, &mut want, &Cancel::new()).expect("a scan");
                plain.push(start.elapsed().as_secs_f64());
                let both = Outlined { vectors: some, outline: &outline };
                let start = Instant::now();
                scan_outlined(set.metric, both, queries, 0, None, &query, &mut got, &Cancel::new())
                    .expect("a scan");
                outlined.push(start.elapsed().as_secs_f64());
                assert_eq!(want, got, "an outline changes no answer");
            }
            plain.sort_by(f64::total_cmp);
            outlined.sort_by(f64::total_cmp);
            let us = |times: &[f64]| times[times.len() / 2] / many as f64 * 1e6;
            writeln!(
                out,
                "outline: {count} rows, {many} at once: {:.0} us a query, plain {:.0}, {:.2}x; making it {made_ns} ns a row",
                us(&outlined),
                us(&plain),
                us(&plain) / us(&outlined)
            )?;
        }
    }
    Ok(())
}

fn read_all(values: &[f32]) -> u32 {
    let mut sums = [0u32; 64];
    for chunk in values.as_chunks::<64>().0 {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum |= value.to_bits();
        }
    }
    sums.iter().fold(0, |a, b| a | b)
}

fn table(
    set: &Set,
    params: &[(String, String)],
    knob: &str,
    values: &[usize],
    out: &mut impl Write,
) -> std::io::Result<()> {
    let spec = Spec::parse(Element::F32, set.dim, params).expect("valid parameters");
    let threads = std::env::var("THREADS").ok().and_then(|threads| threads.parse().ok()).unwrap_or(2);
    let pool = Pool::new("build", threads).expect("threads");
    let (start, wall) = (cpu_s(), Instant::now());
    let image = build(&spec, rows(set), 1, &pool, &Cancel::new(), &Progress::new()).expect("a build");
    let (cpu, wall) = (cpu_s() - start, wall.elapsed().as_secs_f64());
    let megabytes = image.bytes() as f64 / 1e6;
    writeln!(
        out,
        "{:?}\n  build {cpu:.2} CPU-s, {wall:.2} s with {threads} threads, {megabytes:.1} MB",
        spec.effective()
    )?;
    let index = Index::open(&spec, image, rows(set).len()).expect("its own image");
    let chosen = std::env::var("VALUES").unwrap_or_default();
    let chosen: Vec<usize> = chosen.split(',').filter_map(|value| value.parse().ok()).collect();
    for value in if chosen.is_empty() { values } else { &chosen } {
        let mut params = params.to_vec();
        params.push((knob.to_owned(), value.to_string()));
        let query = spec.query(set.k, &params).expect("a valid query");
        let count = queries(set).len();
        let (mut times, mut found) = (vec![f64::MAX; count], 0);
        for _ in 0..SEARCH_ROUNDS {
            found = 0;
            for (q, time) in times.iter_mut().enumerate() {
                let one = queries(set).slice(q..q + 1);
                let start = Instant::now();
                let hits = index.search(rows(set), one, &query, None, &Cancel::new()).expect("a search");
                *time = time.min(start.elapsed().as_secs_f64());
                let truth = &set.truth[q * set.k..][..set.k];
                found += hits[0].rows.iter().filter(|row| truth.contains(row)).count();
            }
        }
        let mean = times.iter().sum::<f64>() / count as f64;
        let recall = found as f64 / (set.truth.len() as f64);
        writeln!(out, "  {knob} {value:4}  recall {recall:.4}  {:7.1} us a query", mean * 1e6)?;
    }
    Ok(())
}
