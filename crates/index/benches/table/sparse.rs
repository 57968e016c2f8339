//! The inverted index of sparse rows against a plain one and a scan, interleaved. Of each query the best time counts:
//! other work on the machine makes a query slower, never faster.

use std::collections::HashMap;
use std::io::Write;
use std::time::Instant;

use host::{Cancel, Pool, Progress};
use index::{Element, Hits, Index, Query, Spec, Vectors, build, scan};

use crate::data;

/// How often the ways of searching take turns.
const ROUNDS: usize = 7;
const K: usize = 10;

/// Postings by dimension, as anybody would write them.
struct Plain {
    postings: HashMap<u32, Vec<(u32, f32)>>,
    rows: usize,
}

impl Plain {
    /// Of rows as they are weighed: counts of words as what they add by BM25.
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

/// The ways of searching, and the parameter of each.
const WAYS: [(&str, &str, &str); 8] = [
    ("a scan", "", ""),
    ("plain postings", "", ""),
    ("exact", "", ""),
    ("all added up", "search_algo", "TAAT_NAIVE"),
    ("10 % dropped", "drop_ratio_search", "0.1"),
    ("20 % dropped", "drop_ratio_search", "0.2"),
    ("30 % dropped", "drop_ratio_search", "0.3"),
    ("60 % dropped", "drop_ratio_search", "0.6"),
];

/// A set and what is needed to search it in every way.
struct Work<'a> {
    rows: Vectors<'a>,
    asked: &'a (Vec<i64>, Vec<u8>),
    spec: Spec,
    index: Index,
    plain: Plain,
}

impl Work<'_> {
    fn answer(&self, way: usize, query: &Query, q: usize, sums: &mut Vec<f32>) -> Vec<u32> {
        let (offsets, bytes) = self.asked;
        let one = Vectors::Sparse { offsets: &offsets[q..q + 2], bytes };
        let cancel = Cancel::new();
        match way {
            0 => {
                let mut hits = [Hits::default()];
                scan(self.spec.metric(), self.rows, one, 0, None, query, &mut hits, &cancel)
                    .expect("a scan of a matching query");
                let [hits] = hits;
                hits.rows
            }
            1 => {
                let best = self.plain.search(&bytes[offsets[q] as usize..offsets[q + 1] as usize], sums);
                best.into_iter().map(|(_, row)| row).collect()
            }
            _ => {
                let hits = self.index.search(self.rows, one, query, None, &cancel);
                hits.expect("a search of a matching query").swap_remove(0).rows
            }
        }
    }

    fn table(&self, out: &mut impl Write) -> std::io::Result<()> {
        let count = self.asked.0.len() - 1;
        // A scan takes so long that twenty queries must do.
        let counts: [usize; WAYS.len()] = std::array::from_fn(|way| if way == 0 { 20 } else { count });
        let mut times = counts.map(|count| vec![f64::MAX; count]);
        let mut answers = counts.map(|count| vec![Vec::new(); count]);
        let mut sums = Vec::new();
        for _ in 0..ROUNDS {
            for (way, (times, answers)) in times.iter_mut().zip(&mut answers).enumerate() {
                let (_, key, value) = WAYS[way];
                let query = self.spec.query(K, &[(key.to_owned(), value.to_owned())]).expect("a valid query");
                for (q, (time, answer)) in times.iter_mut().zip(answers).enumerate() {
                    let start = Instant::now();
                    *answer = self.answer(way, &query, q, &mut sums);
                    *time = time.min(start.elapsed().as_secs_f64());
                }
            }
        }
        let mean_us = |times: &[f64]| times.iter().sum::<f64>() * 1e6 / times.len() as f64;
        let plain_us = mean_us(&times[1]);
        for (way, (label, ..)) in WAYS.iter().enumerate() {
            let found = |(a, b): (&Vec<u32>, &Vec<u32>)| a.iter().filter(|row| b.contains(row)).count();
            let wanted: usize = answers[2].iter().take(counts[way]).map(Vec::len).sum();
            let recall =
                answers[way].iter().zip(&answers[2]).map(found).sum::<usize>() as f64 / wanted as f64;
            let us = mean_us(&times[way]);
            let times = plain_us / us;
            writeln!(
                out,
                "  {label:14} {us:8.1} us a query, {times:5.2} x plain postings, recall {recall:.4}"
            )?;
        }
        Ok(())
    }
}

/// The mean length by which the rows of arxiv-bm25-sparse were weighed.
const AVERAGE: &str = "144.88";

/// How often each word occurs in rows of weights `c (k1 + 1) / (c + norm)`, of which the least is that of a word that occurs once.
fn counts((offsets, bytes): &(Vec<i64>, Vec<u8>)) -> (Vec<i64>, Vec<u8>) {
    let mut counts = Vec::with_capacity(bytes.len());
    for row in 0..offsets.len() - 1 {
        let row = &bytes[offsets[row] as usize..offsets[row + 1] as usize];
        let norm = 2.2 / pairs(row).map(|(_, weight)| weight).fold(2.19, f32::min) - 1.0;
        for (dim, weight) in pairs(row) {
            counts.extend(dim.to_le_bytes());
            counts.extend((weight * norm / (2.2 - weight)).round().max(1.0).to_le_bytes());
        }
    }
    (offsets.clone(), counts)
}

/// Prints a line for each way of searching each set.
pub(crate) fn table(out: &mut impl Write) -> std::io::Result<()> {
    let sets = [("splade-msmarco", "IP"), ("arxiv-bm25-sparse", "IP"), ("arxiv-bm25-sparse", "BM25")];
    for (name, metric) in sets {
        let (Some(base), Some(asked)) = (data::sparse(name, "base"), data::sparse(name, "queries")) else {
            writeln!(out, "{name}: not there")?;
            continue;
        };
        let plain = Plain::new(&base);
        let base = if metric == "BM25" { counts(&base) } else { base };
        let rows = Vectors::Sparse { offsets: &base.0, bytes: &base.1 };
        let names =
            [("index_type", "SPARSE_INVERTED_INDEX"), ("metric_type", metric), ("bm25_avgdl", AVERAGE)];
        let params = names.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let spec = Spec::parse(Element::Sparse, 0, &params).expect("valid parameters");
        let start = Instant::now();
        let (cancel, progress) = (Cancel::new(), Progress::new());
        let image = build(&spec, rows, 1, &Pool::inline(), &cancel, &progress).expect("a build");
        let (seconds, megabytes) = (start.elapsed().as_secs_f64(), image.bytes() as f64 / 1e6);
        writeln!(out, "{name}, {metric}: {} rows, built in {seconds:.2} s, {megabytes:.1} MB", rows.len())?;
        let index = Index::open(&spec, image, rows.len()).expect("its own image");
        Work { rows, asked: &asked, spec, index, plain }.table(out)?;
    }
    Ok(())
}
