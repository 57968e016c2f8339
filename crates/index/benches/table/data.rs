//! Data for the table: real sets from a folder, or generated clusters where there is none.

use std::io::Read;
use std::path::{Path, PathBuf};

use host::Rng;
use index::Metric;
use simd::Half;

/// A set of rows, queries, and the true neighbours of each query.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) dim: usize,
    pub(crate) metric: Metric,
    pub(crate) rows: Vec<f32>,
    pub(crate) queries: Vec<f32>,
    /// How many neighbours a query asks for: `K` in the environment, up to 100, else 10.
    pub(crate) k: usize,
    /// So many rows a query; empty if they must be computed.
    pub(crate) truth: Vec<u32>,
}

/// The file `path` of the folder `ELANUS_DATA`.
pub(crate) fn file(path: &str) -> Option<Vec<u8>> {
    array(&folder().join(path))
}

/// Where the sets are.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os("ELANUS_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from)
}

/// What a zipped file holds.
pub(crate) fn unzipped(path: &Path) -> Option<Vec<u8>> {
    std::process::Command::new("gzip").arg("-dc").arg(path).output().ok().map(|output| output.stdout)
}

/// The set `name` from the folder `ELANUS_DATA`, else a generated one of 20,000 rows.
pub(crate) fn set(name: &str) -> Set {
    let found = match name {
        "sift" => bytes("sift-imagenet-128", 128, ["base.u8.npy.gz", "queries.u8.npy", "gt_l2.npy"]),
        "arxiv" => halves("arxiv-minilm-384", 384, ["base.f16.npy.gz", "queries.f16.npy", "gt_cosine.npy"]),
        _ => bytes("mnist-784", 784, ["train.npy.gz", "test.npy.gz", "gt_l2_1000.npy"]),
    };
    found.unwrap_or_else(|| clusters(20_000, 96))
}

fn bytes(name: &'static str, dim: usize, files: [&str; 3]) -> Option<Set> {
    let [rows, queries, truth] = files.map(|file_name| file(&format!("{name}/{file_name}")));
    let widen = |bytes: &[u8]| bytes.iter().map(|byte| f32::from(*byte)).collect();
    let queries = widen(&queries?[..1000 * dim]);
    Some(Set {
        name,
        dim,
        metric: Metric::L2,
        rows: widen(&rows?),
        queries,
        k: k(),
        truth: first(k(), &truth?),
    })
}

fn halves(name: &'static str, dim: usize, files: [&str; 3]) -> Option<Set> {
    let [rows, queries, truth] = files.map(|file_name| file(&format!("{name}/{file_name}")));
    let widen = |bytes: Vec<u8>| {
        let mut wide = vec![0.0; bytes.len() / 2];
        Half::F16.widen(&bytes, &mut wide);
        wide
    };
    let (rows, queries) = (widen(rows?), widen(queries?));
    Some(Set { name, dim, metric: Metric::Cosine, rows, queries, k: k(), truth: first(k(), &truth?) })
}

/// What `K` in the environment says.
fn k() -> usize {
    let asked = std::env::var("K").ok().and_then(|k| k.parse().ok());
    asked.unwrap_or(10).clamp(1, 100)
}

/// The first `k` of each hundred row numbers.
fn first(k: usize, truth: &[u8]) -> Vec<u32> {
    let ids = truth.as_chunks::<4>().0.chunks(100).flat_map(|ids| &ids[..k]);
    ids.map(|id| u32::from_le_bytes(*id)).collect()
}

/// Sparse rows in the wire's form, as offsets and bytes: `base` or `queries` of the set `name`.
pub(crate) fn sparse(name: &str, part: &str) -> Option<(Vec<i64>, Vec<u8>)> {
    let read = |what: &str| file(&format!("{name}/{part}_{what}.npy.gz"));
    let (starts, indices, values) = (read("indptr")?, read("indices")?, read("data")?);
    let offsets = starts.as_chunks::<8>().0.iter().map(|start| 8 * i64::from_le_bytes(*start)).collect();
    let pairs = indices.as_chunks::<4>().0.iter().zip(values.as_chunks::<4>().0);
    Some((offsets, pairs.flat_map(|(index, value)| [*index, *value].concat()).collect()))
}

/// The content of a NumPy file, unzipped, without its header.
fn array(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    if path.extension()? == "gz" {
        bytes = unzipped(path)?;
    } else {
        std::fs::File::open(path).ok()?.read_to_end(&mut bytes).ok()?;
    }
    let header = usize::from(u16::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?]));
    Some(bytes.split_off(10 + header))
}

/// Rows around 100 random centres.
pub(crate) fn clusters(rows: usize, dim: usize) -> Set {
    let mut rng = Rng::new(1);
    let centres: Vec<f32> = (0..100 * dim).map(|_| rng.normal() as f32).collect();
    let mut make = |count: usize| {
        let mut values = Vec::with_capacity(count * dim);
        for _ in 0..count {
            let centre = rng.below(100) as usize * dim;
            values
                .extend(centres[centre..centre + dim].iter().map(|value| value + 0.6 * rng.normal() as f32));
        }
        values
    };
    let (rows, queries) = (make(rows), make(500));
    Set { name: "generated", dim, metric: Metric::L2, rows, queries, k: k(), truth: Vec::new() }
}
