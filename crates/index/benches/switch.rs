//! Whether lists choose the cheaper way: right where a search among few rows changes from measuring all of them to going through
//! lists, both ways should cost about the same. `cargo bench -p index --bench switch -- [mnist|sift|arxiv] [rows=60000]`.
//!
//! Each kind is asked twice, first with usual costs and then with measured ones. Times are of one thread, the quickest of several
//! rounds.

#[expect(dead_code, reason = "shared with the table, which has more sets")]
#[path = "table/data.rs"]
mod data;

use std::io::Write;
use std::time::Instant;

use host::{Cancel, Pool, Progress, Rng};
use index::{Element, Index, Query, Spec, Vectors, Way, build};
use simd::Bits;

const K: usize = 10;
const QUERIES: usize = 200;
const ROUNDS: usize = 5;
const KINDS: [&str; 5] = ["IVF_FLAT", "IVF_SQ8", "IVF_PQ", "IVF_RABITQ", "SCANN"];

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |name: &str| {
        let mut given = words.iter().filter_map(|word| word.split_once('='));
        given.find(|(known, _)| *known == name).and_then(|(_, value)| value.parse::<usize>().ok())
    };
    let set = data::set(words.iter().find(|word| !word.contains('=')).map_or("mnist", String::as_str));
    let rows = Vectors::F32 { dim: set.dim, values: &set.rows };
    let rows = rows.slice(0..number("rows").unwrap_or(rows.len()).min(rows.len()));
    let queries = Vectors::F32 { dim: set.dim, values: &set.queries };
    let queries = queries.slice(0..QUERIES.min(queries.len()));
    let pool = Pool::new("build", 2).expect("threads");
    let mut out = std::io::stdout().lock();
    for kind in KINDS {
        let m = (set.dim / 8).to_string();
        let own = [("m", m.as_str()), ("nbits", "4")].into_iter().filter(|_| kind == "IVF_PQ");
        let params = [("index_type", kind), ("metric_type", set.metric.name()), ("nlist", "256")];
        let params = params.into_iter().chain(own).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spec = Spec::parse(Element::F32, set.dim, &params.collect::<Vec<_>>()).expect("valid parameters");
        let image = build(&spec, rows, 1, &pool, &Cancel::new(), &Progress::new()).expect("a build");
        let index = Index::open(&spec, image, rows.len()).expect("its own image");
        let query = spec.query(K, &[("nprobe".to_owned(), "8".to_owned())]).expect("a valid query");
        for measured in [false, true] {
            let begun = Instant::now();
            if measured {
                index.calibrate(rows, &|| u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
            }
            let took_us = begun.elapsed().as_micros();
            let is_row = |matching: &usize| index.way(&query, *matching) == Way::Rows;
            let most = (1..rows.len()).take_while(is_row).count();
            let [by_rows, by_lists] =
                [most, most + 1].map(|count| time(&index, rows, queries, &query, count));
            let which = if measured { format!("measured in {took_us} us") } else { "usual".to_owned() };
            writeln!(
                out,
                "{kind:>10}, {which:>20}: changes at {most:5} rows; all rows {by_rows:6.1} us, lists {by_lists:6.1} us, ratio {:.2}",
                by_rows / by_lists
            )?;
        }
    }
    Ok(())
}

/// Microseconds of a query among `count` rows from anywhere.
fn time(index: &Index, rows: Vectors<'_>, queries: Vectors<'_>, query: &Query, count: usize) -> f64 {
    let mut rng = Rng::new(5);
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    rng.shuffle(&mut order);
    let mut mask = Bits::zeros(rows.len());
    order.iter().take(count).for_each(|row| mask.set(*row as usize, true));
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        index.search(rows, queries, query, Some(&mask), &Cancel::new()).expect("a search");
        least = least.min(begun.elapsed().as_secs_f64());
    }
    least * 1e6 / queries.len() as f64
}
