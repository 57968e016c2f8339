//! Every kind of index under every mask: how many rows match, recall against a scan of those that do, and the time of a query
//! against that of one without a mask, both taken in turns. Parameters are those with which a kind without a mask has a recall of
//! about 0.95 or more; what recall that is, the first line of a kind says. Of each query the quickest of many turns counts: one that no other
//! work came between.

use std::io::Write;
use std::time::Instant;

use host::{Cancel, Pool, Progress, Rng};
use index::{Element, Hits, Index, Metric, Query, Spec, Vectors, build, scan};
use simd::Bits;

use crate::data;

const K: usize = 10;
/// Queries by which recall is told, and by which time is.
const JUDGED: usize = 200;
const TIMED: usize = 200;
/// How often searches with a mask and such without take turns.
const TURNS: usize = 25;
/// About how long one turn takes, if that many queries take so long.
const TURN_S: f64 = 0.03;

/// Which rows and queries a kind is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Digits,
    Molecules,
    Signatures,
    Questions,
    Words,
    Counts,
}

/// What to build and how to search it.
const KINDS: &[(&str, Of, &str)] = &[
    ("FLAT", Of::Digits, "metric_type=L2"),
    ("IVF_FLAT", Of::Digits, "metric_type=L2 nlist=489 nprobe=24"),
    ("IVF_SQ8", Of::Digits, "metric_type=L2 nlist=489 nprobe=24"),
    ("IVF_SQ8", Of::Digits, "metric_type=L2 nlist=489 nprobe=24 sq_type=SQ4"),
    ("IVF_PQ", Of::Digits, "metric_type=L2 nlist=489 nprobe=24 m=392 nbits=4 refine=true refine_k=4"),
    ("IVF_PQ", Of::Digits, "metric_type=L2 nlist=489 nprobe=24 m=98 nbits=8 refine=true refine_k=4"),
    ("IVF_RABITQ", Of::Digits, "metric_type=L2 nlist=489 nprobe=24 refine=true refine_k=4"),
    ("IVF_RABITQ_FASTSCAN", Of::Digits, "metric_type=L2 nlist=489 nprobe=24 refine=true refine_k=4"),
    ("SCANN", Of::Digits, "metric_type=L2 nlist=489 nprobe=24 reorder_k=40"),
    ("HNSW", Of::Digits, "metric_type=L2 M=16 efConstruction=100 ef=16"),
    (
        "HNSW_SQ",
        Of::Digits,
        "metric_type=L2 M=16 efConstruction=100 ef=16 sq_type=SQ4U refine=true refine_k=2",
    ),
    ("HNSW_SQ", Of::Digits, "metric_type=L2 M=16 efConstruction=100 ef=32 sq_type=SQ8"),
    ("HNSW_PQ", Of::Digits, "metric_type=L2 M=16 efConstruction=100 ef=48 m=98 refine=true refine_k=4"),
    ("HNSW_PRQ", Of::Digits, "metric_type=L2 M=16 efConstruction=100 ef=48 m=49 refine=true refine_k=4"),
    ("DISKANN", Of::Digits, "metric_type=L2 search_list=40"),
    ("AISAQ", Of::Digits, "metric_type=L2 search_list=40"),
    ("BIN_FLAT", Of::Molecules, "metric_type=JACCARD"),
    ("BIN_FLAT", Of::Molecules, "metric_type=HAMMING"),
    ("BIN_IVF_FLAT", Of::Molecules, "metric_type=JACCARD nlist=580 nprobe=130"),
    ("HNSW", Of::Molecules, "metric_type=JACCARD M=16 efConstruction=100 ef=64"),
    ("MINHASH_LSH", Of::Signatures, "metric_type=MHJACCARD mh_lsh_band=16 mh_element_bit_width=32"),
    ("SPARSE_INVERTED_INDEX", Of::Questions, "metric_type=IP"),
    ("SPARSE_INVERTED_INDEX", Of::Questions, "metric_type=IP drop_ratio_search=0.6"),
    ("SPARSE_WAND", Of::Words, "metric_type=IP"),
    ("SPARSE_WAND", Of::Words, "metric_type=IP drop_ratio_search=0.6"),
    ("SPARSE_INVERTED_INDEX", Of::Counts, "metric_type=BM25 bm25_avgdl=145"),
    ("SPARSE_INVERTED_INDEX", Of::Counts, "metric_type=BM25 bm25_avgdl=145 drop_ratio_search=0.6"),
];

/// Rows and queries as they lie in memory, and masks that have to do with what rows are.
struct Owned {
    element: Element,
    dim: usize,
    rows: Bytes,
    queries: Bytes,
    masks: Vec<(String, Bits)>,
}

enum Bytes {
    Floats(Vec<f32>),
    Bits(Vec<u8>),
    Sparse(Vec<i64>, Vec<u8>),
}

impl Owned {
    fn view<'a>(&self, bytes: &'a Bytes) -> Vectors<'a> {
        match bytes {
            Bytes::Floats(values) => Vectors::F32 { dim: self.dim, values },
            Bytes::Bits(bytes) => Vectors::Bits { dim: self.dim, bytes },
            Bytes::Sparse(offsets, bytes) => Vectors::Sparse { offsets, bytes },
        }
    }

    /// All that is wanted of the first `most` rows, if the files are there.
    fn of(of: Of, most: usize) -> Option<Self> {
        let mut owned = match of {
            Of::Digits => digits(most)?,
            Of::Molecules => molecules(most)?,
            Of::Signatures => signatures(molecules(most)?),
            Of::Questions => sparse("splade-msmarco", most)?,
            Of::Words => sparse("arxiv-bm25-sparse", most)?,
            Of::Counts => counts(sparse("arxiv-bm25-sparse", most)?),
        };
        let (rows, mut rng) = (owned.view(&owned.rows).len(), Rng::new(7));
        let random = |percent: f64| {
            (format!("random {percent} %"), Bits::from_fn(rows, |_| rng.chance(percent / 100.0)))
        };
        let mut masks: Vec<(String, Bits)> = [90.0, 50.0, 25.0, 10.0, 5.0, 2.0, 1.0, 0.1].map(random).into();
        masks.append(&mut owned.masks);
        owned.masks = masks;
        Some(owned)
    }
}

fn digits(most: usize) -> Option<Owned> {
    let data::Set { dim, mut rows, queries, .. } = data::set("mnist");
    let labels = data::file("mnist-784/train_labels.npy")?;
    rows.truncate(most * dim);
    let mask = |name: &str, test: &dyn Fn(u8) -> bool| {
        (name.to_owned(), Bits::from_fn(rows.len() / dim, |row| test(labels[row])))
    };
    let masks = vec![
        mask("labels 0 to 4", &|label| label < 5),
        mask("label 3", &|label| label == 3),
        ("10 % of label 3".into(), Bits::from_fn(rows.len() / dim, |row| labels[row] == 3 && row % 10 == 0)),
    ];
    Some(Owned {
        element: Element::F32,
        dim,
        rows: Bytes::Floats(rows),
        queries: Bytes::Floats(queries),
        masks,
    })
}

fn molecules(most: usize) -> Option<Owned> {
    const DIM: usize = 2048;
    let mut rows = data::file("chem-morgan2048/base.npy.gz")?;
    let queries = data::file("chem-morgan2048/queries.npy")?;
    rows.truncate(most * DIM / 8);
    let text = data::unzipped(&data::folder().join("chem-morgan2048/base.tsv.gz"))?;
    let text = String::from_utf8(text).ok()?;
    // Whence it is, whether it is active, how heavy it is, and how many rings it has.
    let columns: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    let mask = |name: &str, test: &dyn Fn(&[&str]) -> bool| {
        (name.to_owned(), Bits::from_fn(rows.len() / (DIM / 8), |row| test(&columns[row])))
    };
    let number = |text: &str| text.parse::<f64>().unwrap_or_default();
    let masks = vec![
        mask("of hiv", &|of| of[2] == "hiv"),
        mask("active", &|of| of[3] == "1"),
        mask("weight > 600", &|of| number(of[4]) > 600.0),
        mask("no rings", &|of| number(of[6]) < 1.0),
    ];
    Some(Owned {
        element: Element::Bits,
        dim: DIM,
        rows: Bytes::Bits(rows),
        queries: Bytes::Bits(queries),
        masks,
    })
}

/// 64 least hashes of the bits of each row, as numbers of 32 bits: as wide as the rows were.
fn signatures(owned: Owned) -> Owned {
    let seeds: Vec<u64> = {
        let mut rng = Rng::new(3);
        (0..64).map(|_| rng.next_u64() | 1).collect()
    };
    let sign = |bytes: &Bytes| {
        let Bytes::Bits(bytes) = bytes else { return Bytes::Bits(Vec::new()) };
        let signature = |row: &[u8]| {
            let bits: Vec<u64> = (0..owned.dim)
                .filter(|bit| row[bit / 8] >> (bit % 8) & 1 == 1)
                .map(|bit| bit as u64 + 1)
                .collect();
            let least = |seed: &u64| {
                let hash =
                    |bit: &u64| (bit.wrapping_mul(*seed) >> 17).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                bits.iter().map(hash).min().unwrap_or_default() as u32
            };
            seeds.iter().flat_map(|seed| least(seed).to_le_bytes()).collect::<Vec<u8>>()
        };
        Bytes::Bits(bytes.chunks_exact(owned.dim / 8).flat_map(signature).collect())
    };
    Owned { rows: sign(&owned.rows), queries: sign(&owned.queries), ..owned }
}

fn sparse(name: &str, most: usize) -> Option<Owned> {
    let (mut offsets, bytes) = data::sparse(name, "base")?;
    offsets.truncate(most + 1);
    let (asked, asked_bytes) = data::sparse(name, "queries")?;
    let rows = offsets.len() - 1;
    let has = |row: usize, dim: u32| {
        let row = &bytes[offsets[row] as usize..offsets[row + 1] as usize];
        row.as_chunks::<8>().0.iter().any(|pair| pair[..4] == dim.to_le_bytes())
    };
    // Rows that have something in common with each other, and with some queries: a dimension.
    let mut often = std::collections::HashMap::<u32, usize>::new();
    for [a, b, c, d, ..] in bytes[..offsets[rows] as usize].as_chunks::<8>().0 {
        *often.entry(u32::from_le_bytes([*a, *b, *c, *d])).or_default() += 1;
    }
    let nearest = |share: f64| {
        let off = |count: usize| count.abs_diff((share * rows as f64) as usize);
        often.iter().min_by_key(|(dim, count)| (off(**count), **dim)).map(|(dim, _)| *dim)
    };
    let mask = |share: f64| {
        let dim = nearest(share)?;
        Some((format!("has dimension {dim}"), Bits::from_fn(rows, |row| has(row, dim))))
    };
    let masks = [0.3, 0.1, 0.01].into_iter().filter_map(mask).collect();
    let (rows, queries) = (Bytes::Sparse(offsets, bytes), Bytes::Sparse(asked, asked_bytes));
    Some(Owned { element: Element::Sparse, dim: 0, rows, queries, masks })
}

/// How often words occur, from the weights that were made of that: the least weight of a row is that of a word that occurs once.
fn counts(mut owned: Owned) -> Owned {
    if let Bytes::Sparse(offsets, bytes) = &mut owned.rows {
        for row in offsets.windows(2) {
            let pairs = bytes[row[0] as usize..row[1] as usize].as_chunks_mut::<8>().0;
            let weight = |pair: &[u8; 8]| f32::from_le_bytes([pair[4], pair[5], pair[6], pair[7]]);
            let least = pairs.iter().map(&weight).fold(f32::INFINITY, f32::min);
            let norm = 2.2 / least - 1.0;
            for pair in pairs {
                let count = (weight(pair) * norm / (2.2 - weight(pair))).round().max(1.0);
                pair[4..].copy_from_slice(&count.to_le_bytes());
            }
        }
    }
    owned
}

/// An index and what is asked of it.
struct Work<'a> {
    index: &'a Index,
    rows: Vectors<'a>,
    queries: Vectors<'a>,
    query: &'a Query,
}

impl Work<'_> {
    /// Asks as many of the queries as there are `least`, and notes the seconds of those that were never quicker.
    fn turn(&self, mask: Option<&Bits>, least: &mut [f64]) {
        for (q, least) in least.iter_mut().enumerate() {
            let (one, start) = (self.queries.slice(q..q + 1), Instant::now());
            let hits = self.index.search(self.rows, one, self.query, mask, &Cancel::new());
            std::hint::black_box(hits).expect("a search of a matching query");
            *least = least.min(start.elapsed().as_secs_f64());
        }
    }

    /// Seconds a query without a mask and with one, over the same queries.
    fn times_s(&self, mask: &Bits) -> [f64; 2] {
        let masks = [None, Some(mask)];
        let first = masks.map(|mask| {
            let mut least = [f64::MAX; 20];
            self.turn(mask, &mut least);
            mean(&least)
        });
        let count = (TURN_S / first[0].max(first[1]).max(1e-7)) as usize;
        let mut least = [(); 2].map(|()| vec![f64::MAX; count.clamp(20, TIMED)]);
        for _ in 0..TURNS {
            masks.iter().zip(&mut least).for_each(|(mask, least)| self.turn(*mask, least));
        }
        least.map(|least| mean(&least))
    }

    /// The share of the true best that was found; rows as good as the last of them count.
    fn recall(&self, metric: Metric, mask: Option<&Bits>) -> f64 {
        let queries = self.queries.slice(0..JUDGED);
        let (cancel, exact) = (Cancel::new(), Query::exact(metric, K));
        let exact = if metric == Metric::Bm25 { self.query.clone() } else { exact };
        let mut truth = vec![Hits::default(); queries.len()];
        scan(metric, self.rows, queries, 0, mask, &exact, &mut truth, &cancel).expect("a scan");
        let (mut found, mut wanted) = (0, 0);
        for (q, truth) in truth.iter().enumerate() {
            let hits = self.index.search(self.rows, queries.slice(q..q + 1), self.query, mask, &cancel);
            let hits = hits.expect("a search of a matching query").swap_remove(0);
            assert_eq!(hits.len(), truth.len(), "as many rows as match, up to k");
            assert!(hits.rows.iter().all(|row| mask.is_none_or(|mask| mask.get(*row as usize))));
            let Some(last) = truth.scores.last() else { continue };
            found += hits.scores.iter().filter(|score| !metric.better(*last, **score)).count();
            wanted += truth.len();
        }
        found as f64 / wanted.max(1) as f64
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// Prints the table.
pub(crate) fn table(given: &[(&str, &str)], out: &mut impl Write) -> std::io::Result<()> {
    let word = |name: &str| given.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let most = word("rows").and_then(|rows| rows.parse().ok()).unwrap_or(60_000);
    let has = |name: &str, value: &str| word(name).is_none_or(|all| all.split(',').any(|one| one == value));
    let mut last: Option<(Of, Owned)> = None;
    for (name, of, params) in KINDS {
        if !has("kinds", name) || !has("of", &format!("{of:?}").to_lowercase()) {
            continue;
        }
        if last.as_ref().is_none_or(|(other, _)| other != of) {
            last = Owned::of(*of, most).map(|owned| (*of, owned));
        }
        match &last {
            Some((_, owned)) => kind(name, params, owned, &|mask| has("masks", mask), out)?,
            None => writeln!(out, "{name}: no data")?,
        }
    }
    Ok(())
}

fn kind(
    name: &str,
    params: &str,
    owned: &Owned,
    has_mask: &dyn Fn(&str) -> bool,
    out: &mut impl Write,
) -> std::io::Result<()> {
    const ASKED: [&str; 7] =
        ["nprobe", "ef", "search_list", "refine_k", "reorder_k", "bm25_avgdl", "drop_ratio_search"];
    let all = params.split(' ').filter_map(|pair| pair.split_once('='));
    let all: Vec<(String, String)> = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (asked, mut built): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(name, _)| ASKED.contains(&&name[..]));
    built.push(("index_type".to_owned(), name.to_owned()));
    let (rows, queries) = (owned.view(&owned.rows), owned.view(&owned.queries));
    let spec = Spec::parse(owned.element, owned.dim, &built).expect("valid parameters");
    let pool = Pool::new("build", 2).expect("threads");
    let image = build(&spec, rows, 1, &pool, &Cancel::new(), &Progress::new()).expect("a build");
    let index = Index::open(&spec, image, rows.len()).expect("its own image");
    let begun = Instant::now();
    index.calibrate(rows, &|| u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    let query = spec.query(K, &asked).expect("a valid query");
    let work = Work { index: &index, rows, queries, query: &query };
    let metric = spec.metric();
    let bare_recall = work.recall(metric, None);
    writeln!(out, "{name} {params}: {} rows, recall {bare_recall:.3} without a mask", rows.len())?;
    for (name, mask) in owned.masks.iter().filter(|(name, _)| has_mask(name)) {
        let [bare, masked] = work.times_s(mask);
        writeln!(
            out,
            "{name:>20}: {:6} match, recall {:.3}, {:7.1} us against {:7.1}: {:5.2}x, {}",
            mask.count(),
            work.recall(metric, Some(mask)),
            masked * 1e6,
            bare * 1e6,
            bare / masked,
            index.way(&query, mask.count()).name(),
        )?;
        out.flush()?;
    }
    Ok(())
}
