//! The centres of lists by one bit an element, for a first look at all of them. Invariant: what is chosen is ranked by the centres
//! themselves; a list is left out only if many seem nearer.
//!
//! To rank a thousand lists by a byte an element takes a third of a short search. A centre is kept as the signs of its elements, rotated,
//! seen from the mean of all rows, as IVF_RABITQ keeps rows.

use simd::{Lookups, Op};

use crate::Metric;
use crate::codec::{Space, Turn};
use crate::hits::order;
use crate::nearest::Nearest;

/// Of fewer lists, or of shorter rows, all centres are looked at.
const LISTS_MIN: usize = 128;
const DIM_MIN: usize = 64;
/// How many lists are ranked for each that is looked at, and how many more.
const TIMES: usize = 4;
const MORE: usize = 64;
/// What a product counts in a squared distance.
const WEIGHT: f32 = 2.0;
/// The seed of the rotation, which is nowhere kept.
const SEED: u64 = 0x9a7e5;

/// Centres in blocks.
#[derive(Debug)]
pub(crate) struct Gates {
    space: Space,
    turn: Turn,
    /// What the elements of a query weigh in its tables.
    weight: f32,
    blocks: Vec<u8>,
    block_bytes: usize,
    lists: usize,
}

/// A query, and buffers.
#[derive(Debug, Default)]
pub(crate) struct Aim {
    moved: Vec<f32>,
    lookups: Lookups,
}

impl Aim {
    /// The tables that were made last.
    pub(crate) fn lookups(&self) -> &Lookups {
        &self.lookups
    }
}

impl Gates {
    /// The gates of coded centroids, if there are many. If lists are looked at by signs, too, those say how rows are turned and
    /// what a query's elements weigh.
    pub(crate) fn of(
        space: &Space,
        dim: usize,
        centroids: &[i8],
        signs: Option<(&Turn, f32)>,
    ) -> Option<Self> {
        let lists = centroids.len() / space.stride();
        if lists < LISTS_MIN || dim < DIM_MIN {
            return None;
        }
        let codes = dim.div_ceil(4);
        let (turn, weight) =
            signs.map_or_else(|| (Turn::new(SEED, dim), WEIGHT), |(turn, weight)| (turn.clone(), weight));
        let block_bytes = Lookups::block_bytes(codes);
        let mut blocks = vec![0; lists.div_ceil(Lookups::ROWS) * block_bytes];
        let rows = centroids.chunks(Lookups::ROWS * space.stride());
        for (rows, block) in rows.zip(blocks.chunks_exact_mut(block_bytes)) {
            let mut centers = space.decode(rows);
            centers.chunks_exact_mut(dim).for_each(|center| turn.apply(center));
            let center = |row: usize| &centers[row * dim..][..dim];
            let code = |row: usize, code: usize| {
                let four = &center(row)[4 * code..(4 * code + 4).min(dim)];
                four.iter().enumerate().map(|(i, value)| u8::from(*value >= 0.0) << i).sum()
            };
            let factors = |row: usize| {
                let (center, square) = (center(row), Op::Ip.pair(center(row), center(row)));
                let absolute: f32 = center.iter().map(|value| value.abs()).sum();
                let scale = if absolute > 0.0 { WEIGHT / weight * square / absolute } else { 0.0 };
                (scale, if space.metric() == Metric::Ip { 0.0 } else { square })
            };
            Lookups::pack((centers.len() / dim, codes), code, factors, block);
        }
        Some(Self { space: space.clone(), turn, weight, blocks, block_bytes, lists })
    }

    /// Bytes of it.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.len()
    }

    /// How many lists to rank for a search that looks at `nprobe`, if that is not most of them.
    pub(crate) fn count(&self, nprobe: usize) -> Option<usize> {
        Some(nprobe.saturating_mul(TIMES).saturating_add(MORE)).filter(|count| *count <= self.lists / 2)
    }

    /// Makes a query's tables.
    pub(crate) fn aim<'a>(&self, values: &[f32], aim: &'a mut Aim) -> &'a Lookups {
        let Aim { moved, lookups } = aim;
        self.space.moved(values, moved);
        self.turn.apply(moved);
        moved.resize(moved.len().next_multiple_of(4), 0.0);
        lookups.aim_signs(moved, self.weight);
        lookups
    }

    /// The `count` lists that seem nearest to the query of `lookups`, in no order.
    pub(crate) fn choose(&self, lookups: &Lookups, count: usize) -> Vec<u32> {
        self.nearest(lookups, count).into_rows_unsorted()
    }

    /// All lists but those that are nowhere, those first that seem nearest to the query of `lookups`.
    pub(crate) fn ranked(&self, lookups: &Lookups) -> Vec<u32> {
        self.nearest(lookups, self.lists).into_scored().into_iter().map(|(list, _)| list).collect()
    }

    /// How near each list seems to the query of `lookups`, as `order(score, list)` in the order of their numbers.
    pub(crate) fn orders(&self, lookups: &Lookups, out: &mut Vec<u64>) {
        out.clear();
        let mut scores = [0.0; Lookups::ROWS];
        for block in self.blocks.chunks_exact(self.block_bytes) {
            lookups.scores(block, 0.0, f32::INFINITY, &mut scores);
            let first = out.len();
            let count = (self.lists - first).min(Lookups::ROWS);
            out.extend((first..).zip(&scores[..count]).map(|(list, score)| order(*score, list as u32)));
        }
    }

    fn nearest(&self, lookups: &Lookups, count: usize) -> Nearest {
        let mut nearest = Nearest::new(count);
        let mut scores = [0.0; Lookups::ROWS];
        for (i, block) in self.blocks.chunks_exact(self.block_bytes).enumerate() {
            let mut near = lookups.scores(block, 0.0, nearest.limit(), &mut scores);
            while near != 0 {
                let place = near.trailing_zeros() as usize;
                near &= near - 1;
                let list = i * Lookups::ROWS + place;
                if list < self.lists {
                    nearest.push(scores[place], list as u32);
                }
            }
        }
        nearest
    }
}
