//! Small seeded data for the tests, and the obvious way to search it.

#![expect(dead_code, reason = "each test uses a part")]

use host::{Cancel, Pool, Progress, Rng};
use index::{Element, Hits, Image, Index, Metric, Spec, Vectors, build};

/// Floats around a few centres.
pub(crate) fn clusters(rows: usize, dim: usize, seed: u64) -> Vec<f32> {
    let centres: Vec<f32> = {
        let mut rng = Rng::new(99);
        (0..12 * dim).map(|_| 3.0 * rng.normal() as f32).collect()
    };
    let mut rng = Rng::new(seed);
    let mut values = Vec::with_capacity(rows * dim);
    for _ in 0..rows {
        let centre = rng.below(12) as usize * dim;
        values.extend(centres[centre..centre + dim].iter().map(|value| value + rng.normal() as f32));
    }
    values
}

/// Bits around a few centres.
pub(crate) fn bit_clusters(rows: usize, dim: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(98);
    let centres: Vec<u8> = (0..12 * dim / 8).map(|_| rng.next_u64() as u8).collect();
    let mut rng = Rng::new(seed);
    let mut bytes = Vec::new();
    for _ in 0..rows {
        let centre = rng.below(12) as usize * (dim / 8);
        let noise = |byte: &u8| byte ^ (rng.next_u64() & rng.next_u64() & rng.next_u64()) as u8;
        bytes.extend(centres[centre..centre + dim / 8].iter().map(noise));
    }
    bytes
}

/// Owned rows of either kind.
pub(crate) enum Rows {
    Floats(usize, Vec<f32>),
    Bits(usize, Vec<u8>),
}

impl Rows {
    pub(crate) fn new(element: Element, rows: usize, dim: usize, seed: u64) -> Self {
        match element {
            Element::F32 => Self::Floats(dim, clusters(rows, dim, seed)),
            Element::Bits => Self::Bits(dim, bit_clusters(rows, dim, seed)),
        }
    }

    pub(crate) fn view(&self) -> Vectors<'_> {
        match self {
            Self::Floats(dim, values) => Vectors::F32 { dim: *dim, values },
            Self::Bits(dim, bytes) => Vectors::Bits { dim: *dim, bytes },
        }
    }
}

/// The score as the metric is defined, in double precision.
pub(crate) fn naive_score(metric: Metric, a: Vectors<'_>, i: usize, b: Vectors<'_>, j: usize) -> f64 {
    match (a, b) {
        (Vectors::F32 { dim, values: a }, Vectors::F32 { values: b, .. }) => {
            let (a, b) = (&a[i * dim..(i + 1) * dim], &b[j * dim..(j + 1) * dim]);
            let sum = |f: fn(f64, f64) -> f64, a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f(f64::from(*a), f64::from(*b))).sum()
            };
            let product = |a: &[f32], b: &[f32]| sum(|a, b| a * b, a, b);
            match metric {
                Metric::L2 => sum(|a, b| (a - b) * (a - b), a, b),
                Metric::Ip => product(a, b),
                _ => product(a, b) / (product(a, a).sqrt() * product(b, b).sqrt()),
            }
        }
        (Vectors::Bits { dim, bytes: a }, Vectors::Bits { bytes: b, .. }) => {
            let pairs = || a[i * dim / 8..].iter().zip(&b[j * dim / 8..]).take(dim / 8);
            let and: u32 = pairs().map(|(a, b)| (a & b).count_ones()).sum();
            let or: u32 = pairs().map(|(a, b)| (a | b).count_ones()).sum();
            if metric == Metric::Hamming { f64::from(or - and) } else { 1.0 - f64::from(and) / f64::from(or) }
        }
        _ => unreachable!("one kind of vector"),
    }
}

/// The best rows by trying all, among those that `keep` names.
pub(crate) fn naive(
    metric: Metric,
    rows: Vectors<'_>,
    queries: Vectors<'_>,
    q: usize,
    k: usize,
    keep: impl Fn(usize, f64) -> bool,
) -> Vec<(u32, f64)> {
    let scored = (0..rows.len()).map(|row| (row as u32, naive_score(metric, queries, q, rows, row)));
    let mut best: Vec<(u32, f64)> = scored.filter(|(row, score)| keep(*row as usize, *score)).collect();
    let sign = if metric.smaller_is_better() { 1.0 } else { -1.0 };
    best.sort_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)).then(a.0.cmp(&b.0)));
    best.truncate(k);
    best
}

pub(crate) fn pairs(params: &[(&str, &str)]) -> Vec<(String, String)> {
    params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Every kind with every metric it takes, small.
pub(crate) fn specs() -> Vec<Spec> {
    let float = [Metric::L2, Metric::Ip, Metric::Cosine];
    let binary = [Metric::Hamming, Metric::Jaccard];
    let mut specs = Vec::new();
    for (name, element, metrics) in [
        ("FLAT", Element::F32, &float[..]),
        ("IVF_FLAT", Element::F32, &float[..]),
        ("HNSW", Element::F32, &float[..]),
        ("BIN_FLAT", Element::Bits, &binary[..]),
        ("BIN_IVF_FLAT", Element::Bits, &binary[..]),
        ("HNSW", Element::Bits, &binary[..]),
    ] {
        for metric in metrics {
            let params = [
                ("index_type", name),
                ("metric_type", metric.name()),
                ("M", "8"),
                ("efConstruction", "64"),
                ("nlist", "32"),
            ];
            let dim = if element == Element::F32 { 20 } else { 64 };
            specs.push(Spec::parse(element, dim, &pairs(&params)).expect("a valid specification"));
        }
    }
    specs
}

pub(crate) fn built(spec: &Spec, rows: Vectors<'_>, pool: &Pool) -> Image {
    build(spec, rows, 7, pool, &Cancel::new(), &Progress::new()).expect("a build of matching rows")
}

pub(crate) fn opened(spec: &Spec, rows: Vectors<'_>) -> Index {
    Index::open(spec, built(spec, rows, &Pool::inline()), rows.len()).expect("its own image")
}

/// The share of the true best that was found; a row as good as the last true one counts.
pub(crate) fn recall(hits: &Hits, truth: &[(u32, f64)], metric: Metric) -> f64 {
    let Some((_, last)) = truth.last() else { return 1.0 };
    let slack = last.abs() * 1e-5;
    let good = |score: &&f32| {
        let score = f64::from(**score);
        if metric.smaller_is_better() { score <= last + slack } else { score >= last - slack }
    };
    hits.scores.iter().filter(good).count().min(truth.len()) as f64 / truth.len() as f64
}

/// FNV-1a over names and contents.
pub(crate) fn fingerprint(image: &Image) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for (name, content) in &image.sections {
        for byte in name.bytes().chain(content.iter().copied()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}
