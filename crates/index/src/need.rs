//! What a build takes in memory. Invariant: more than is ever taken (a test counts that), and not much more.
//!
//! The code that makes a piece says beside it what the piece takes; here stands what is there at the same time.

use crate::codec::Space;
use crate::fold::Folds;
use crate::graph::{self, Blocks, Links, Lists};
use crate::outline::Outline;
use crate::shares::Shared;
use crate::spec::{Codec, Shape};
use crate::{Spec, Vectors, disk, hash, ivf, sparse};

/// What is not worth counting: numbers of elements, tasks, a little room of each thread.
const LITTLE: usize = 1 << 19;
const LITTLE_OF_A_THREAD: usize = 1 << 16;

/// Bytes of memory that a build takes at most besides the rows, the image with it that comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildBytes {
    /// As it is built by [`crate::build`].
    pub whole: u64,
    /// By [`crate::build_paged`] told that there is as little as can be. Less than `whole` for graphs on disk alone.
    pub least: u64,
}

impl BuildBytes {
    /// Of a build of `vectors` by `spec` with so many threads.
    pub(crate) fn of(spec: &Spec, vectors: Vectors<'_>, threads: usize) -> Self {
        let rows = vectors.len();
        let (whole, least) = match spec.shape() {
            Shape::Flat if spec.is_folded() => Some(Folds::need_bytes(rows, spec.dim())),
            Shape::Flat if spec.is_outlined() => Some(Outline::need_bytes(rows, spec.dim())),
            Shape::Flat => Some(0),
            Shape::Ivf => Some(ivf::need_bytes(spec, rows, threads)),
            Shape::Graph => Some(graph_bytes(spec, rows, threads)),
            Shape::Hash => Some(hash::need_bytes(spec, rows, threads)),
            Shape::Inverted => Some(sparse::need_bytes(spec.metric(), vectors)),
            Shape::Disk => None,
        }
        .map_or_else(|| disk::need_bytes(spec, rows, threads), |bytes| (bytes, bytes));
        let little = little_bytes(threads);
        Self { whole: (whole + little) as u64, least: (least + little) as u64 }
    }
}

/// What is not worth counting of a build by so many threads.
pub(crate) fn little_bytes(threads: usize) -> usize {
    LITTLE + threads * LITTLE_OF_A_THREAD
}

fn graph_bytes(spec: &Spec, rows: usize, threads: usize) -> usize {
    let ((m, ef), dim, width) = (spec.degree(), spec.dim(), spec.block_width());
    let linking = |stride| graph::need_bytes(rows, stride, (m, ef, width), threads);
    let links = rows * 4 * width.max(2 * m);
    if spec.codec() == Codec::Raw {
        return linking(dim / 8).max(links + Links::need_bytes(rows, 2 * m));
    }
    let stride = Space::tight_stride_of(dim);
    let (coded, shared) = (rows * stride, Shared::need_bytes(rows, stride));
    let writing = if width > 0 {
        let blocks = Blocks::need_bytes(spec, rows);
        let lists = shared + Lists::need_bytes(rows, dim);
        (links + blocks + Blocks::turned_bytes(rows, dim)).max(blocks + lists)
    } else {
        let packed = Links::need_bytes(rows, 2 * m);
        (links + packed).max(packed + shared)
    };
    let sketched = spec.recipe().map_or(0, |recipe| {
        let kept = Links::need_bytes(rows, 2 * m) + shared / 2 + 4 * rows;
        kept + recipe.learning_bytes(rows, dim, threads).max(rows * recipe.stride(dim))
    });
    (coded + linking(stride).max(writing)).max(sketched)
}
