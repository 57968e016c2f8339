//! Small seeded data for the tests, and the obvious way to search it.

#![expect(dead_code, reason = "each test uses a part")]

use host::{Cancel, Pool, Progress, Rng};
use index::{Element, Hits, Image, Index, Metric, Spec, Vectors, build};
use simd::Half;

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

/// Elements of rows of bits of which few are set.
pub(crate) const THIN: usize = 512;

/// Bits around a few centres; every sixteenth set of long rows.
pub(crate) fn bit_clusters(rows: usize, dim: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(98);
    let few =
        |rng: &mut Rng| if dim < THIN { u64::MAX } else { rng.next_u64() & rng.next_u64() & rng.next_u64() };
    let centres: Vec<u8> = (0..12 * dim / 8).map(|_| (rng.next_u64() & few(&mut rng)) as u8).collect();
    let mut rng = Rng::new(seed);
    let mut bytes = Vec::new();
    for _ in 0..rows {
        let centre = rng.below(12) as usize * (dim / 8);
        let noise =
            |byte: &u8| byte ^ (rng.next_u64() & rng.next_u64() & rng.next_u64() & few(&mut rng)) as u8;
        bytes.extend(centres[centre..centre + dim / 8].iter().map(noise));
    }
    bytes
}

/// Sparse rows: a few of 200 indices each, the early ones most often.
pub(crate) fn sparse_rows(rows: usize, seed: u64) -> (Vec<i64>, Vec<u8>) {
    let mut rng = Rng::new(seed);
    let (mut offsets, mut bytes) = (vec![0], Vec::new());
    for _ in 0..rows {
        let mut indices: Vec<u32> =
            (0..rng.below(20)).map(|_| (rng.unit() * rng.unit() * 200.0) as u32 * 7).collect();
        indices.sort_unstable();
        indices.dedup();
        for index in indices {
            bytes.extend(index.to_le_bytes());
            bytes.extend((0.1 + rng.unit() as f32).to_le_bytes());
        }
        offsets.push(bytes.len() as i64);
    }
    (offsets, bytes)
}

/// Owned rows of any kind.
pub(crate) enum Rows {
    Floats(usize, Vec<f32>),
    Halves(usize, Half, Vec<u8>),
    Bytes(usize, Vec<i8>),
    Bits(usize, Vec<u8>),
    Sparse(Vec<i64>, Vec<u8>),
}

impl Rows {
    pub(crate) fn new(element: Element, rows: usize, dim: usize, seed: u64) -> Self {
        match element {
            Element::F32 | Element::F16 | Element::Bf16 | Element::I8 => {
                Self::of(element, dim, &clusters(rows, dim, seed))
            }
            Element::Bits => Self::Bits(dim, bit_clusters(rows, dim, seed)),
            Element::Sparse => {
                let (offsets, bytes) = sparse_rows(rows, seed);
                Self::Sparse(offsets, bytes)
            }
        }
    }

    /// Dense rows of these values, as near as the element comes to them; bytes are tenths.
    pub(crate) fn of(element: Element, dim: usize, values: &[f32]) -> Self {
        let halves = |half: Half| values.iter().flat_map(|value| half.narrow(*value)).collect();
        match element {
            Element::F16 => Self::Halves(dim, Half::F16, halves(Half::F16)),
            Element::Bf16 => Self::Halves(dim, Half::Bf16, halves(Half::Bf16)),
            Element::I8 => {
                Self::Bytes(dim, values.iter().map(|value| (value * 10.0).round() as i8).collect())
            }
            _ => Self::Floats(dim, values.to_vec()),
        }
    }

    pub(crate) fn view(&self) -> Vectors<'_> {
        match self {
            Self::Floats(dim, values) => Vectors::F32 { dim: *dim, values },
            Self::Halves(dim, Half::F16, bytes) => Vectors::F16 { dim: *dim, bytes },
            Self::Halves(dim, Half::Bf16, bytes) => Vectors::Bf16 { dim: *dim, bytes },
            Self::Bytes(dim, values) => Vectors::I8 { dim: *dim, values },
            Self::Bits(dim, bytes) => Vectors::Bits { dim: *dim, bytes },
            Self::Sparse(offsets, bytes) => Vectors::Sparse { offsets, bytes },
        }
    }
}

/// A row as numbers; a sparse one as many as its last index asks for.
fn numbers(vectors: Vectors<'_>, row: usize) -> Vec<f64> {
    let halves = |half: Half, dim: usize, bytes: &[u8]| {
        let mut wide = vec![0.0; dim];
        half.widen(&bytes[row * dim * 2..][..dim * 2], &mut wide);
        wide.into_iter().map(f64::from).collect()
    };
    match vectors {
        Vectors::F32 { dim, values } => values[row * dim..][..dim].iter().map(|v| f64::from(*v)).collect(),
        Vectors::F16 { dim, bytes } => halves(Half::F16, dim, bytes),
        Vectors::Bf16 { dim, bytes } => halves(Half::Bf16, dim, bytes),
        Vectors::I8 { dim, values } => values[row * dim..][..dim].iter().map(|v| f64::from(*v)).collect(),
        Vectors::Bits { dim, bytes } => {
            let bytes = &bytes[row * dim / 8..][..dim / 8];
            (0..dim).map(|bit| f64::from(bytes[bit / 8] >> (bit % 8) & 1)).collect()
        }
        Vectors::Sparse { offsets, bytes } => {
            let mut row_values = vec![0.0; 1400];
            for pair in bytes[offsets[row] as usize..offsets[row + 1] as usize].chunks(8) {
                let index = u32::from_le_bytes(pair[..4].try_into().expect("four bytes"));
                let value = f32::from_le_bytes(pair[4..].try_into().expect("four bytes"));
                row_values[index as usize] = f64::from(value);
            }
            row_values
        }
    }
}

/// The score as the metric is defined, in double precision.
pub(crate) fn naive_score(metric: Metric, a: Vectors<'_>, i: usize, b: Vectors<'_>, j: usize) -> f64 {
    let (a, b) = (numbers(a, i), numbers(b, j));
    let sum = |f: fn(f64, f64) -> f64, a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f(*a, *b)).sum()
    };
    let product = |a: &[f64], b: &[f64]| sum(|a, b| a * b, a, b);
    match metric {
        // Of bits the squared distance is the number that differ.
        Metric::L2 | Metric::Hamming => sum(|a, b| (a - b) * (a - b), &a, &b),
        Metric::Ip => product(&a, &b),
        Metric::Bm25 => {
            let norm = 1.2 * (0.25 + 0.75 * b.iter().sum::<f64>() / 100.0);
            let share = |count: &f64| if *count > 0.0 { count * 2.2 / (count + norm) } else { 0.0 };
            a.iter().zip(&b).map(|(a, b)| a * share(b)).sum()
        }
        Metric::Cosine => product(&a, &b) / (product(&a, &a).sqrt() * product(&b, &b).sqrt()),
        Metric::Substructure | Metric::Superstructure => {
            let part = if metric == Metric::Substructure { &b } else { &a };
            if product(&a, &b) == part.iter().sum::<f64>() { 0.0 } else { f64::INFINITY }
        }
        Metric::MinHashJaccard => {
            let bytes = a.chunks(8).zip(b.chunks(8));
            bytes.clone().filter(|(a, b)| a != b).count() as f64 / bytes.count() as f64
        }
        Metric::Jaccard => {
            let and = product(&a, &b);
            1.0 - and / (product(&a, &a) + product(&b, &b) - and)
        }
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
    // Sparse rows that have nothing in common with a query are no hits.
    let scored = scored.filter(|(_, score)| rows.element() != Element::Sparse || *score > 0.0);
    // So are structures that do not fit.
    let scored = scored.filter(|(_, score)| score.is_finite());
    let mut best: Vec<(u32, f64)> = scored.filter(|(row, score)| keep(*row as usize, *score)).collect();
    let sign = if metric.smaller_is_better() { 1.0 } else { -1.0 };
    best.sort_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)).then(a.0.cmp(&b.0)));
    best.truncate(k);
    best
}

pub(crate) fn pairs(params: &[(&str, &str)]) -> Vec<(String, String)> {
    params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Elements of long rows, and of rows of which SCANN has two codes.
const WIDE: usize = 100;
const TWICE_CODED: usize = 128;

/// Every kind with every element and metric it takes, small; of narrow floats one metric.
pub(crate) fn specs() -> Vec<Spec> {
    let float = [Metric::L2, Metric::Ip, Metric::Cosine];
    let binary = [Metric::Hamming, Metric::Jaccard];
    let mut specs = Vec::new();
    for (name, element, metrics, own) in [
        ("FLAT", Element::F32, &float[..], ""),
        ("IVF_FLAT", Element::F32, &float[..], ""),
        ("HNSW", Element::F32, &float[..], ""),
        ("BIN_FLAT", Element::Bits, &binary[..], ""),
        ("BIN_IVF_FLAT", Element::Bits, &binary[..], ""),
        ("HNSW", Element::Bits, &binary[..], ""),
        ("FLAT", Element::F16, &float[..1], ""),
        ("IVF_FLAT", Element::F16, &float[..1], ""),
        ("HNSW", Element::F16, &float[1..2], ""),
        ("FLAT", Element::Bf16, &float[2..], ""),
        ("IVF_FLAT", Element::Bf16, &float[2..], ""),
        ("HNSW", Element::Bf16, &float[2..], ""),
        ("HNSW", Element::I8, &float[..], ""),
        ("IVF_SQ8", Element::F32, &float[..], "sq_type=SQ8"),
        ("IVF_SQ8", Element::Bf16, &float[..1], "sq_type=SQ4"),
        ("IVF_PQ", Element::F32, &float[..2], "m=10 nbits=5"),
        ("IVF_PQ", Element::F16, &float[..1], "m=20 nbits=6"),
        ("IVF_PQ", Element::Bf16, &float[..1], "m=10 nbits=4"),
        ("IVF_RABITQ", Element::F32, &float[..2], "rbq_bits=1"),
        ("IVF_RABITQ", Element::F16, &float[1..2], "rbq_bits=9"),
        ("SCANN", Element::F32, &float[1..], "sub_dim=2"),
        ("SCANN", Element::F16, &float[..1], "sub_dim=2"),
        ("HNSW_SQ", Element::F32, &float[..2], "sq_type=SQ6"),
        ("HNSW_SQ", Element::I8, &float[..1], "sq_type=SQ4U"),
        ("HNSW_SQ", Element::F16, &float[1..2], "sq_type=FP16"),
        ("HNSW_SQ", Element::Bf16, &float[2..], "sq_type=BF16"),
        ("HNSW_PQ", Element::F32, &float[..1], "m=10 nbits=6"),
        ("HNSW_PRQ", Element::F32, &float[2..], "m=5 nbits=6"),
        ("DISKANN", Element::F32, &float[..2], "max_degree=16 search_list_size=64"),
        ("IVF_RABITQ_FASTSCAN", Element::F32, &float[..1], ""),
        ("BIN_FLAT", Element::Bits, &[Metric::MinHashJaccard], ""),
        ("MINHASH_LSH", Element::Bits, &[Metric::MinHashJaccard], "mh_lsh_band=4"),
        ("SPARSE_INVERTED_INDEX", Element::Sparse, &[Metric::Ip, Metric::Bm25], ""),
        ("AISAQ", Element::F16, &float[..1], "max_degree=16 search_list_size=64 pq_code_budget_gb_ratio=0.2"),
    ] {
        for metric in metrics {
            let mut params = vec![
                ("index_type", name),
                ("metric_type", metric.name()),
                ("M", "8"),
                ("efConstruction", "64"),
                ("nlist", "32"),
            ];
            params.extend(own.split_whitespace().filter_map(|pair| pair.split_once('=')));
            let dim = match element {
                Element::Bits => 64,
                Element::Sparse => 0,
                _ => 20,
            };
            specs.push(Spec::parse(element, dim, &pairs(&params)).expect("a valid specification"));
        }
    }
    // Rows long enough for blocks, of several widths, for outlines and for folds; then rows long enough for two codes.
    for (name, element, metric, m) in [
        ("HNSW", Element::F32, "L2", "16"),
        ("HNSW", Element::F32, "IP", "8"),
        ("HNSW", Element::F32, "COSINE", "12"),
        ("HNSW", Element::F16, "L2", "2"),
        ("HNSW", Element::I8, "COSINE", "16"),
        ("FLAT", Element::F32, "L2", ""),
        ("FLAT", Element::F32, "IP", ""),
        ("FLAT", Element::F32, "COSINE", ""),
        ("FLAT", Element::F16, "L2", ""),
        ("FLAT", Element::Bf16, "COSINE", ""),
        ("DISKANN", Element::F16, "L2", ""),
        ("AISAQ", Element::Bf16, "COSINE", ""),
        ("BIN_FLAT", Element::Bits, "HAMMING", ""),
        ("BIN_FLAT", Element::Bits, "JACCARD", ""),
        ("SCANN", Element::F32, "L2", ""),
        ("SCANN", Element::F16, "IP", ""),
    ] {
        let mut params = vec![("index_type", name), ("metric_type", metric)];
        if is_on_disk(name) {
            // Room for lists and a few links.
            params.extend([("max_degree", "16"), ("search_cache_budget_gb_ratio", "0.5")]);
        }
        if name == "HNSW" {
            params.extend([("M", m), ("efConstruction", "64")]);
        }
        let dim = if element == Element::Bits { THIN } else { WIDE };
        specs.push(Spec::parse(element, dim, &pairs(&params)).expect("a valid specification"));
    }
    for (element, metric) in [(Element::F32, "IP"), (Element::F32, "COSINE"), (Element::Bf16, "L2")] {
        let params = pairs(&[("index_type", "SCANN"), ("metric_type", metric)]);
        specs.push(Spec::parse(element, TWICE_CODED, &params).expect("a valid specification"));
    }
    specs
}

/// Every way in which an index is made, once, with its name: rows of `dim` elements (eight times as many bits), graphs of this
/// `efConstruction`.
pub(crate) fn kinds(dim: usize, ef: usize) -> Vec<(String, Spec)> {
    let ef = ef.to_string();
    let kind = |(name, element, metric, own): (&str, Element, &str, &str)| {
        let mut params = vec![("index_type", name), ("metric_type", metric), ("efConstruction", &ef)];
        params.extend(own.split_whitespace().filter_map(|pair| pair.split_once('=')));
        let dim = match element {
            Element::Bits => 8 * dim,
            Element::Sparse => 0,
            _ => dim,
        };
        let spec = Spec::parse(element, dim, &pairs(&params)).expect("a valid specification");
        (format!("{name} {element} {metric} {own}"), spec)
    };
    [
        ("FLAT", Element::F32, "L2", ""),
        ("FLAT", Element::F16, "L2", ""),
        ("BIN_FLAT", Element::Bits, "HAMMING", ""),
        ("IVF_FLAT", Element::F32, "L2", ""),
        ("IVF_SQ8", Element::F32, "L2", "sq_type=SQ4"),
        ("IVF_PQ", Element::F32, "L2", "m=16 nbits=8"),
        ("IVF_PQ", Element::F32, "L2", "m=32 nbits=4"),
        ("IVF_RABITQ", Element::F32, "L2", ""),
        ("IVF_RABITQ", Element::F32, "L2", "rbq_bits=4"),
        ("SCANN", Element::F32, "L2", ""),
        ("SCANN", Element::F32, "IP", "sub_dim=4"),
        ("BIN_IVF_FLAT", Element::Bits, "HAMMING", ""),
        ("HNSW", Element::F32, "L2", "M=16"),
        ("HNSW", Element::I8, "L2", "M=16"),
        ("HNSW", Element::F32, "L2", "M=30"),
        ("HNSW", Element::Bits, "HAMMING", "M=16"),
        ("HNSW_SQ", Element::F32, "L2", "M=16 sq_type=SQ4U"),
        ("HNSW_SQ", Element::F32, "L2", "M=16 sq_type=FP16"),
        ("HNSW_PQ", Element::F32, "L2", "M=16 m=32 nbits=6"),
        ("HNSW_PRQ", Element::F32, "L2", "M=16 m=16 nbits=6"),
        ("DISKANN", Element::F32, "L2", ""),
        ("AISAQ", Element::F32, "L2", ""),
        ("MINHASH_LSH", Element::Bits, "MHJACCARD", "mh_lsh_band=16"),
        ("SPARSE_INVERTED_INDEX", Element::Sparse, "IP", ""),
        ("SPARSE_INVERTED_INDEX", Element::Sparse, "BM25", ""),
    ]
    .map(kind)
    .to_vec()
}

fn is_on_disk(name: &str) -> bool {
    ["DISKANN", "AISAQ"].contains(&name)
}

/// Search parameters of all kinds for one effort, with enough of it to make up for coarse codes.
pub(crate) fn effort(of: usize) -> Vec<(String, String)> {
    let (of, many) = (of.to_string(), "80".to_owned());
    let names =
        [("ef", &of), ("nprobe", &of), ("search_list", &of), ("refine_k", &"8".into()), ("reorder_k", &many)];
    names.map(|(name, value)| (name.to_owned(), value.clone())).to_vec()
}

/// The kind, the element where it is none of the usual two, and the metric.
pub(crate) fn name_of(spec: &Spec) -> String {
    match spec.element() {
        element if [WIDE, TWICE_CODED, THIN].contains(&spec.dim()) => {
            format!("{}-{element}-{}-{}", spec.index_type(), spec.dim(), spec.metric())
        }
        Element::F32 | Element::Bits | Element::Sparse => format!("{}-{}", spec.index_type(), spec.metric()),
        other => format!("{}-{other}-{}", spec.index_type(), spec.metric()),
    }
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
