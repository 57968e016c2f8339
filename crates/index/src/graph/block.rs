//! Nodes as packed blocks: the numbers of a node's neighbours, and one bit an element of each, as seen from the node.
//! Invariant: an estimate is never below another because of where in a block it is.
//!
//! Following a node then reads one piece of memory instead of one for each neighbour (Gou et al., "SymphonyQG: towards
//! symphonious integration of quantization and graph for approximate nearest neighbor search", SIGMOD 2025). With `c` the
//! node, `r = x - c` the way to a neighbour, both rotated, and `s` the signs of `r`, the product of `q - c` and `r` is taken
//! to be `|r|^2 / (s.r) * (s.q - s.c)`, which is right on average (Gao and Long, "RaBitQ", SIGMOD 2024). Only `s.q` depends
//! on the query.

use bytemuck::{Pod, Zeroable};
use host::{Cancel, Pool, Rng};
use simd::{FAN, FanQuery, Signs, fan_bytes, put_factors, put_signs, wide_fan_bytes};

use super::links::{Even, Links, NONE, Wide};
use crate::codec::{Space, Turn, Varied, read_kept};
use crate::image::{Array, Image, VERSION_NARROW, VERSION_TIGHT};
use crate::vectors::Chosen;
use crate::{Error, Metric, Spec, Vectors};

/// Elements are filled up to a multiple of this.
pub(super) const CHUNK: usize = 32;
/// Rows worked on by one task.
const TASK: usize = 256;
/// The share of the variance that the kept elements have.
const SHARE: f64 = 0.995;
/// Of more elements than these three quarters will do in blocks: see docs/decisions/0411.
const MANY: usize = 288;

/// A line of memory; blocks start at one.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub(super) struct Line([u32; 16]);

/// Elements of a row that count for its signs, and how they are mixed.
#[derive(Debug)]
pub(super) struct View {
    pub(super) kept: Vec<u32>,
    turn: Turn,
}

impl View {
    pub(super) fn new(kept: Vec<u32>, seed: u64) -> Self {
        let turn = Turn::new(seed, kept.len());
        Self { kept, turn }
    }

    /// Reads back which elements of `dim` are kept, and the seed, from sections of these names.
    pub(super) fn read(
        dim: usize,
        (kept_name, turn_name): (&'static str, &'static str),
        image: &Image,
    ) -> Result<Self, Error> {
        let kept = read_kept(kept_name, dim, image)?;
        Ok(Self::new(kept.to_vec(), image.array::<u64>(turn_name, 1)?[0]))
    }

    /// Elements of a turned row, filled up.
    pub(super) fn dim(&self) -> usize {
        self.kept.len().next_multiple_of(CHUNK)
    }

    /// Turns a row or query that was brought into the space.
    pub(super) fn turn(&self, moved: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.extend(self.kept.iter().map(|i| moved[*i as usize]));
        self.turn.apply(out);
        out.resize(self.dim(), 0.0);
    }
}

/// Nodes as blocks, and how to look at them.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) links: Links,
    view: View,
    gates: Array<u8>,
    entry_count: usize,
    /// Bytes of a fan.
    fan_bytes: usize,
    /// Where in a block they begin.
    fans: usize,
}

/// A query, ready for blocks.
#[derive(Debug, Default)]
pub(crate) struct BlockAim {
    wide: Vec<f32>,
    moved: Vec<f32>,
    turned: Vec<f32>,
    pub(crate) fans: FanQuery,
}

impl Blocks {
    /// How blocks of `width` numbers lie in memory: fans, then numbers. With this filling no block lies in more lines of memory than it must.
    fn places((width, wide): (usize, Wide), dim: usize) -> Even {
        let ids = width / FAN * fan_bytes(dim);
        let bytes = ids + wide.bytes(width).unwrap_or_default();
        Even { stride: bytes.next_multiple_of(size_of::<Line>() / 2), ids, unit: size_of::<Line>() }
    }

    /// How they lay before: numbers, then fans.
    fn former_places((width, wide): (usize, Wide), dim: usize) -> Even {
        let numbers = width * wide.whole_bytes();
        Even { stride: numbers + width / FAN * wide_fan_bytes(dim), ids: 0, unit: size_of::<Line>() }
    }

    /// Bytes of the blocks of `rows` rows, at most.
    pub(crate) fn need_bytes(spec: &Spec, rows: usize) -> usize {
        rows * Self::places((spec.block_width(), Wide::of(rows)), spec.dim().next_multiple_of(CHUNK)).stride
    }

    /// Bytes of rows of `dim` elements as blocks are made of them, at most.
    pub(crate) fn turned_bytes(rows: usize, dim: usize) -> usize {
        4 * rows * dim.next_multiple_of(CHUNK)
    }

    /// Packs `links`, `width` a row, and adds the sections to an image.
    pub(crate) fn build(
        (spec, space): (&Spec, &Space),
        vectors: Chosen<'_>,
        (links, entries): (&[u32], &[u32]),
        seed: u64,
        (pool, cancel): (&Pool, &Cancel),
        image: &mut Image,
    ) -> Result<(), Error> {
        let turn_seed = Rng::new(seed).child("blocks").next_u64();
        let view = View::new(choose(space, vectors, MANY), turn_seed);
        let (rows, dim) = (vectors.len(), view.dim());
        let full = dim + spec.dim() - view.kept.len();
        let turned = pool.map(rows.div_ceil(TASK), |task| {
            let range = task * TASK..((task + 1) * TASK).min(rows);
            let (mut wide, mut moved, mut turned) = (Vec::new(), Vec::new(), Vec::new());
            let left = |moved: &[f32], all: &mut Vec<f32>| {
                let is_left = |i: &usize| view.kept.binary_search(&(*i as u32)).is_err();
                all.extend((0..moved.len()).filter(is_left).map(|i| moved[i]));
            };
            let mut all = Vec::with_capacity(range.len() * full);
            for row in range {
                if cancel.is_cancelled() {
                    break;
                }
                space.moved(vectors.floats(row, &mut wide), &mut moved);
                view.turn(&moved, &mut turned);
                all.extend_from_slice(&turned);
                left(&moved, &mut all);
            }
            all
        });
        cancel.check()?;
        let turned = Turned { metric: space.metric(), dim, full, tasks: turned };
        let width = spec.block_width();
        let wide = Wide::of(rows);
        let Even { stride, ids, .. } = Self::places((width, wide), dim);
        let mut lines = vec![Line::zeroed(); (rows * stride).div_ceil(size_of::<Line>())];
        let blocks = &mut bytemuck::cast_slice_mut::<Line, u8>(&mut lines)[..rows * stride];
        pool.fill(blocks, TASK * stride, |task, blocks| {
            for (row, block) in (task * TASK..).zip(blocks.chunks_exact_mut(stride)) {
                if cancel.is_cancelled() {
                    break;
                }
                let links = &links[row * width..][..width];
                let (fans, numbers) = block.split_at_mut(ids);
                wide.put(links, 0, numbers);
                turned.pack(turned.row(row as u32), links, fans);
            }
        });
        cancel.check()?;
        let mut gates = vec![0u8; entries.len().div_ceil(FAN) * fan_bytes(dim)];
        let mut ids = entries.to_vec();
        ids.resize(entries.len().next_multiple_of(FAN), NONE);
        turned.pack(&vec![0.0; full], &ids, &mut gates);
        drop(turned);
        image.push("kept", view.kept);
        image.push("turn", vec![turn_seed]);
        image.push("gates", gates);
        image.push("blocks", lines);
        Ok(())
    }

    /// Reads back what [`Blocks::build`] wrote.
    pub(crate) fn read(
        spec: &Spec,
        (rows, entry_count): (usize, usize),
        version: u32,
        image: &Image,
    ) -> Result<Self, Error> {
        let view = View::read(spec.dim(), ("kept", "turn"), image)?;
        let (dim, width) = (view.dim(), spec.block_width());
        let (wide, fan_bytes, even) = if version >= VERSION_NARROW {
            let wide = Wide::of(rows);
            (wide, fan_bytes(dim), Self::places((width, wide), dim))
        } else {
            let wide = if version < VERSION_TIGHT { Wide::FOUR } else { Wide::bytes_of(rows) };
            (wide, wide_fan_bytes(dim), Self::former_places((width, wide), dim))
        };
        let gates = image.array("gates", entry_count.div_ceil(FAN) * fan_bytes)?;
        let links = Links::read_even("blocks", (width, wide, even), rows, image)?;
        let fans = if even.ids > 0 { 0 } else { width * wide.whole_bytes() };
        Ok(Self { links, view, gates, entry_count, fan_bytes, fans })
    }

    /// Aims at query `query`.
    pub(crate) fn aim(&self, space: &Space, aim: &mut BlockAim, queries: Vectors<'_>, query: usize) {
        let BlockAim { wide, moved, turned, fans } = aim;
        space.moved(queries.floats(query, wide), moved);
        self.view.turn(moved, turned);
        fans.aim(turned);
    }

    /// Gives the places of the entries and how far they seem to be.
    pub(crate) fn each_entry(&self, aim: &BlockAim, mut each: impl FnMut(usize, f32)) {
        let mut scores = [0f32; 2 * FAN];
        for (pair, fans) in self.gates.chunks(2 * self.fan_bytes).enumerate() {
            aim.fans.scores(fans, (0.0, f32::INFINITY), &mut scores);
            let count = (self.entry_count - pair * 2 * FAN).min(2 * FAN);
            scores[..count].iter().enumerate().for_each(|(i, score)| each(pair * 2 * FAN + i, *score));
        }
    }

    /// The fans of a block, two at a time, and the rows they are of, by their places.
    #[inline]
    pub(crate) fn fans(&self, row: u32) -> impl Iterator<Item = (impl Fn(usize) -> u32, &[u8])> {
        let ids = self.links.ids(row);
        let fans = &self.links.block(row)[self.fans..][..self.links.width / FAN * self.fan_bytes];
        let pairs = fans.chunks(2 * self.fan_bytes).enumerate();
        pairs.map(move |(pair, fans)| (move |i| ids.at(pair * 2 * FAN + i), fans))
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.links.memory_bytes() + 4 * self.view.kept.len() + self.gates.len()
    }
}

/// Rows, rotated, and behind that the elements that are not kept; as long as blocks are packed.
struct Turned {
    metric: Metric,
    dim: usize,
    full: usize,
    tasks: Vec<Vec<f32>>,
}

impl Turned {
    fn row(&self, row: u32) -> &[f32] {
        &self.tasks[row as usize / TASK][row as usize % TASK * self.full..][..self.full]
    }

    /// Packs `rows` as they are seen from `center`.
    fn pack(&self, center: &[f32], rows: &[u32], fans: &mut [u8]) {
        let pairs = fans.chunks_mut(2 * fan_bytes(self.dim));
        for (rows, fans) in rows.chunks(2 * FAN).zip(pairs) {
            let (mut seen, mut weights) = (vec![Signs::default(); rows.len()], vec![None; rows.len()]);
            for (place, row) in rows.iter().enumerate().filter(|(_, row)| **row != NONE) {
                let (turned, left) = self.row(*row).split_at(self.dim);
                let mut signs = put_signs(&center[..self.dim], turned, place, fans);
                // What signs do not show is taken to go along with what they show.
                for (row, center) in left.iter().zip(&center[self.dim..]) {
                    signs.square += (row - center) * (row - center);
                    signs.product += (row - center) * center;
                }
                let weight = if signs.absolute > 0.0 { 2.0 * signs.square / signs.absolute } else { 0.0 };
                (seen[place], weights[place]) = (signs, Some(weight));
            }
            let add = |place: usize, weight: f32| {
                let Signs { square, product, center, .. } = seen[place];
                let own = if self.metric == Metric::Ip { -2.0 * product } else { square };
                own + weight * center
            };
            put_factors(&weights, add, fans);
        }
    }
}

/// The elements in which rows differ most, so many that they have nearly all of the variance, or three quarters of these if
/// that is not less than `many`; rising.
pub(super) fn choose(space: &Space, vectors: Chosen<'_>, many: usize) -> Vec<u32> {
    let varied = Varied::of(space, vectors);
    let enough = varied.count(SHARE);
    let count = (enough / 4 * 3).max(enough.min(many)).max(1).next_multiple_of(CHUNK);
    varied.most(count)
}
