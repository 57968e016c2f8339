//! The inverted index of sparse rows against a plain one and a scan, interleaved.

use std::collections::HashMap;
use std::io::Write;
use std::time::Instant;

use host::{Cancel, Pool, Progress};
use index::{Element, Hits, Index, Spec, Vectors, build, scan};

use crate::data;

/// How often the ways of searching take turns.
const ROUNDS: usize = 5;
const K: usize = 10;

/// Postings by dimension, as anybody would write them.
struct Plain {
    postings: HashMap<u32, Vec<(u32, f32)>>,
    rows: usize,
}

impl Plain {
    fn new((offsets, bytes): &(Vec<i64>, Vec<u8>)) -> Self {
        let mut postings: HashMap<u32, Vec<(u32, f32)>> = HashMap::new();
        for row in 0..offsets.len() - 1 {
            for (dim, value) in pairs(&bytes[offsets[row] as usize..offsets[row + 1] as usize]) {
                postings.entry(dim).or_default().push((row as u32, value));
            }
        }
        Self { postings, rows: offsets.len() - 1 }
    }

    /// Adds up all postings of the query, and sorts what is best to the front.
    fn search(&self, query: &[u8], sums: &mut Vec<f32>) -> Vec<(f32, u32)> {
        sums.clear();
        sums.resize(self.rows, 0.0);
        for (dim, weight) in pairs(query) {
            for (row, value) in self.postings.get(&dim).into_iter().flatten() {
                sums[*row as usize] += weight * value;
            }
        }
        let mut best: Vec<(f32, u32)> = sums
            .iter()
            .enumerate()
            .filter(|(_, sum)| **sum > 0.0)
            .map(|(row, sum)| (*sum, row as u32))
            .collect();
        let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if best.len() > K {
            best.select_nth_unstable_by(K - 1, order);
            best.truncate(K);
        }
        best.sort_unstable_by(order);
        best
    }
}

fn pairs(bytes: &[u8]) -> impl Iterator<Item = (u32, f32)> {
    let (pairs, _) = bytes.as_chunks::<8>();
    pairs
        .iter()
        .map(|[a, b, c, d, value @ ..]| (u32::from_le_bytes([*a, *b, *c, *d]), f32::from_le_bytes(*value)))
}

/// Prints a line for each way of searching each set.
pub(crate) fn table(out: &mut impl Write) -> std::io::Result<()> {
    for name in ["splade-msmarco", "arxiv-bm25-sparse"] {
        let (Some(base), Some(asked)) = (data::sparse(name, "base"), data::sparse(name, "queries")) else {
            writeln!(out, "{name}: not there")?;
            continue;
        };
        let rows = Vectors::Sparse { offsets: &base.0, bytes: &base.1 };
        let queries = Vectors::Sparse { offsets: &asked.0, bytes: &asked.1 };
        let names = [("index_type", "SPARSE_INVERTED_INDEX"), ("metric_type", "IP")];
        let params = names.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spec = Spec::parse(Element::Sparse, 0, &params).expect("valid parameters");
        let start = Instant::now();
        let (cancel, progress) = (Cancel::new(), Progress::new());
        let image = build(&spec, rows, 1, &Pool::inline(), &cancel, &progress).expect("a build");
        let seconds = start.elapsed().as_secs_f64();
        let megabytes = image.bytes() as f64 / 1e6;
        writeln!(out, "{name}: {} rows, built in {seconds:.2} s, {megabytes:.1} MB", rows.len())?;
        let index = Index::open(&spec, image, rows.len()).expect("its own image");
        let plain = Plain::new(&base);
        let ways = [
            ("a scan", "", ""),
            ("plain postings", "", ""),
            ("exact", "", ""),
            ("all added up", "search_algo", "TAAT_NAIVE"),
            ("30 % dropped", "drop_ratio_search", "0.3"),
            ("60 % dropped", "drop_ratio_search", "0.6"),
        ];
        let mut times = [const { Vec::new() }; 6];
        let mut answers = [const { Vec::new() }; 6];
        for _ in 0..ROUNDS {
            for (way, (_, key, value)) in ways.iter().enumerate() {
                let query =
                    spec.query(K, &[((*key).to_owned(), (*value).to_owned())]).expect("a valid query");
                let mut sums = Vec::new();
                let count = if way == 0 { 100 } else { queries.len() };
                answers[way].clear();
                let start = Instant::now();
                for q in 0..count {
                    let one = queries.slice(q..q + 1);
                    answers[way].push(match way {
                        0 => {
                            let mut hits = [Hits::default()];
                            scan(spec.metric(), rows, one, 0, None, &query, &mut hits, &cancel)
                                .expect("a scan");
                            let [hits] = hits;
                            hits.rows
                        }
                        1 => {
                            let asked = &asked.1[asked.0[q] as usize..asked.0[q + 1] as usize];
                            plain.search(asked, &mut sums).into_iter().map(|(_, row)| row).collect()
                        }
                        _ => {
                            let mut hits = index.search(rows, one, &query, None, &cancel).expect("a search");
                            hits.swap_remove(0).rows
                        }
                    });
                }
                times[way].push(start.elapsed().as_secs_f64() / count as f64);
            }
        }
        let median = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2] * 1e6
        };
        let plain_us = median(&mut times[1]);
        for (way, (label, ..)) in ways.iter().enumerate() {
            let found = |(a, b): (&Vec<u32>, &Vec<u32>)| a.iter().filter(|row| b.contains(row)).count();
            let wanted: usize = answers[2].iter().take(answers[way].len()).map(Vec::len).sum();
            let share = answers[way].iter().zip(&answers[2]).map(found).sum::<usize>() as f64 / wanted as f64;
            let us = median(&mut times[way]);
            writeln!(
                out,
                "  {label:14} {us:8.1} us a query, {:5.2} times as fast as plain postings, recall {share:.4}",
                plain_us / us
            )?;
        }
    }
    Ok(())
}
