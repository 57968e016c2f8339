//! Data for the table: real sets from a folder, or generated clusters where there is none.

use std::io::Read;
use std::path::{Path, PathBuf};

use host::Rng;

/// A set of rows, queries, and the true neighbours of each query.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) dim: usize,
    pub(crate) rows: Vec<f32>,
    pub(crate) queries: Vec<f32>,
    /// 10 rows a query; empty if they must be computed.
    pub(crate) truth: Vec<u32>,
}

/// The set MNIST from the folder `ELANUS_DATA`, else a generated one of 20,000 rows.
pub(crate) fn mnist() -> Set {
    let folder = std::env::var_os("ELANUS_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let folder = folder.join("mnist-784");
    let read = |name: &str| array(&folder.join(name));
    match (read("train.npy.gz"), read("test.npy.gz"), read("gt_l2_1000.npy")) {
        (Some(rows), Some(queries), Some(truth)) => {
            let widen = |bytes: &[u8]| bytes.iter().map(|byte| f32::from(*byte)).collect();
            let truth = truth.as_chunks::<4>().0.chunks(100).flat_map(|ids| &ids[..10]);
            let truth = truth.map(|id| u32::from_le_bytes(*id)).collect();
            Set {
                name: "mnist-784",
                dim: 784,
                rows: widen(&rows),
                queries: widen(&queries[..784_000]),
                truth,
            }
        }
        _ => clusters(20_000, 96),
    }
}

/// The content of a NumPy file, unzipped, without its header.
fn array(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    if path.extension()? == "gz" {
        let output = std::process::Command::new("gzip").arg("-dc").arg(path).output().ok()?;
        bytes = output.stdout;
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
    Set { name: "generated", dim, rows, queries, truth: Vec::new() }
}
