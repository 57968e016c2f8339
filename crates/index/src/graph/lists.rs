//! Lists beside a graph, for searches among the rows of a filter. Invariant: there are as many codes as [`Shares`] name rows.
//!
//! A walk along a graph pays for every row that does not match; a list is read from its start to its end, and 32 rows of it cost
//! about as much as one step of a walk. A row is kept as one bit an element of what it differs in from the centre of its list,
//! rotated, and two factors, as in IVF_RABITQ (Gao and Long, "RaBitQ", SIGMOD 2024); blocks of 32 rows are looked up in
//! tables ([`Lookups`]). With `c` the centre and `r = x - c`, `|q - x|^2 = |q - c|^2 + (|r|^2 + 2 c.r) - 2 q.r`, where `r` is taken to be
//! `scale = |r|^2 / |r|_1` times its signs in both products.

use bytemuck::Zeroable;
use host::{Cancel, Pool, Rng};
use simd::{Lookups, Planes};

use super::block::{CHUNK, Line, View, choose};
use crate::codec::{ByteRows, Space};
use crate::course::in_waves;
use crate::image::{Array, Image};
use crate::shares::{Shared, Shares, count_of};
use crate::vectors::Chosen;
use crate::{Error, Metric, Vectors};

/// Lists that can be searched.
#[derive(Debug)]
pub(crate) struct Lists {
    pub(super) view: View,
    /// Which rows are in which list; centres are coded like the rows of the graph.
    pub(super) shares: Shares,
    /// The centres as rows of blocks, seen from zero, by which lists are ranked at first.
    gates: Vec<u8>,
    /// The number of each list's first block.
    pub(super) firsts: Vec<usize>,
    blocks: Array<u8>,
    pub(super) block_bytes: usize,
    /// What the blocks say, row by row; images of version 3 have none.
    pub(super) rows: Option<Rows>,
}

/// Signs and factors of rows, each by itself.
#[derive(Debug)]
pub(super) struct Rows {
    lines: Array<u8>,
    /// Bytes from one row to the next.
    stride: usize,
    /// Bytes of signs, before the factors.
    signs: usize,
}

/// The signs of rows as they lie in [`Rows`].
const ONE_BIT: Planes = Planes::new(1).expect("one bit is a width");
/// Bytes of the factors of a row.
const FACTORS: usize = size_of::<[f32; 2]>();

impl Rows {
    fn read(dim: usize, rows: usize, image: &Image) -> Result<Self, Error> {
        let len = Self::lines(dim, rows).and_then(|lines| lines.checked_mul(size_of::<Line>()));
        let lines = image.array("list-rows", len.ok_or(Error::Corrupt { what: "list-rows" })?)?;
        Ok(Self { lines, stride: Self::stride(dim), signs: ONE_BIT.row_bytes(dim) })
    }

    /// Puts rows less their centre where they belong, one after the other.
    fn pack(metric: Metric, center: &[f32], rests: &[f32], out: &mut [u8]) {
        let (dim, signs) = (center.len(), ONE_BIT.row_bytes(center.len()));
        for (rest, out) in rests.chunks_exact(dim).zip(out.chunks_exact_mut(Self::stride(dim))) {
            for (eight, byte) in rest.chunks(8).zip(&mut *out) {
                *byte = eight.iter().enumerate().map(|(i, value)| u8::from(*value >= 0.0) << i).sum();
            }
            let (scale, bias) = factors(metric, center, rest);
            out[signs..signs + FACTORS].copy_from_slice(bytemuck::bytes_of(&[scale, bias]));
        }
    }

    /// Bytes from one row of `dim` elements to the next. Rows that fit into a line of memory do not lie in two.
    fn stride(dim: usize) -> usize {
        let bytes = ONE_BIT.row_bytes(dim) + FACTORS;
        if bytes <= size_of::<Line>() { bytes.next_power_of_two() } else { bytes }
    }

    /// Lines of memory that `rows` rows take.
    fn lines(dim: usize, rows: usize) -> Option<usize> {
        Some(rows.checked_mul(Self::stride(dim))?.div_ceil(size_of::<Line>()))
    }

    /// Asks the memory for a row.
    #[inline]
    pub(super) fn prefetch(&self, row: usize) {
        simd::prefetch(&self.lines[row * self.stride..][..self.signs + FACTORS]);
    }

    /// The sums of the elements of a query, in chunks of 64, at which each of `rows` is not below its centre.
    #[inline]
    pub(super) fn dots(&self, query: &[[i8; 64]], row: impl Fn(usize) -> usize, out: &mut [i32]) {
        ONE_BIT.dots(query, &self.lines, |i| row(i) * self.stride, out);
    }

    /// Scale and bias of a row.
    #[inline]
    pub(super) fn factors(&self, row: usize) -> [f32; 2] {
        let factors = &self.lines[row * self.stride + self.signs..];
        bytemuck::pod_read_unaligned(&factors[..FACTORS])
    }
}

/// How many blocks come before each list, and how many there are.
fn firsts(starts: &[u32]) -> Vec<usize> {
    let mut firsts = vec![0];
    let mut all = 0;
    for pair in starts.windows(2) {
        all += ((pair[1] - pair[0]) as usize).div_ceil(Lookups::ROWS);
        firsts.push(all);
    }
    firsts
}

/// What the signs of a row less its centre are multiplied with, and what is added: see above.
fn factors(metric: Metric, center: &[f32], rest: &[f32]) -> (f32, f32) {
    let (mut square, mut absolute, mut along) = (0.0, 0.0, 0.0);
    for (rest, center) in rest.iter().zip(center) {
        square += rest * rest;
        absolute += rest.abs();
        along += if *rest < 0.0 { -center } else { *center };
    }
    let scale = if absolute > 0.0 { square / absolute } else { 0.0 };
    let bias = if metric == Metric::Ip { 0.0 } else { square + 2.0 * scale * along };
    (scale, bias)
}

impl Lists {
    /// Shares out `vectors`, which `rows` are coded, and adds the sections to an image.
    pub(crate) fn build(
        (metric, rows): (Metric, &ByteRows<'_>),
        vectors: Vectors<'_>,
        seed: u64,
        (pool, cancel): (&Pool, &Cancel),
        image: &mut Image,
    ) -> Result<(), Error> {
        let (space, len) = (rows.space, vectors.len());
        let Some(shared) = Shared::new(rows, vectors, seed, (pool, cancel))? else { return Ok(()) };
        let turn_seed = Rng::new(seed).child("lists").child("turn").next_u64();
        let view = View::new(choose(space, Chosen::all(vectors), usize::MAX), turn_seed);
        let centers = space.decode(&shared.centers);
        let lists = &shared.lists;
        let pack = |list: usize| {
            let center = &centers[list * vectors.dim()..][..vectors.dim()];
            pack((metric, space, &view), vectors, (center, &lists[list]))
        };
        let mut lines = vec![Line::zeroed(); Rows::lines(view.dim(), len).unwrap_or_default()];
        let places = bytemuck::cast_slice_mut::<Line, u8>(&mut lines);
        let block_count: usize = lists.iter().map(|list| list.len().div_ceil(Lookups::ROWS)).sum();
        let mut blocks = Vec::with_capacity(block_count * Lookups::block_bytes(view.dim() / 4));
        let mut at = 0;
        in_waves(lists.len(), (pool, cancel), pack, |_, packed| {
            places[at..at + packed.rows.len()].copy_from_slice(&packed.rows);
            at += packed.rows.len();
            blocks.extend_from_slice(&packed.blocks);
            Ok(())
        })?;
        image.push("list-kept", view.kept);
        image.push("list-turn", vec![turn_seed]);
        shared.write(image);
        image.push("list-blocks", blocks);
        image.push("list-rows", lines);
        Ok(())
    }

    /// Bytes of the sections of `rows` rows of `dim` elements but for those of [`Shared`], at most, and of the centres as floats.
    pub(crate) fn need_bytes(rows: usize, dim: usize) -> usize {
        let (lists, wide) = (count_of(rows), dim.next_multiple_of(CHUNK));
        let blocks = rows.div_ceil(Lookups::ROWS) + lists;
        blocks * Lookups::block_bytes(wide / 4) + rows * Rows::stride(wide) + 4 * lists * dim
    }

    /// Reads back what [`Lists::build`] wrote, if it did; earlier it wrote no rows by themselves.
    pub(crate) fn read(
        space: &Space,
        (rows, dim): (usize, usize),
        has_rows: bool,
        image: &Image,
    ) -> Result<Option<Self>, Error> {
        let Some(shares) = Shares::read(space, rows, image)? else { return Ok(None) };
        let view = View::read(dim, ("list-kept", "list-turn"), image)?;
        let (firsts, block_bytes) = (firsts(&shares.starts), Lookups::block_bytes(view.dim() / 4));
        let len = firsts[firsts.len() - 1].checked_mul(block_bytes);
        let blocks = image.array("list-blocks", len.ok_or(Error::Corrupt { what: "list-blocks" })?)?;
        let by_row = if has_rows { Some(Rows::read(view.dim(), rows, image)?) } else { None };
        let gates = gates(space, &view, shares.coded_centers());
        Ok(Some(Self { view, gates, shares, firsts, blocks, block_bytes, rows: by_row }))
    }

    /// The blocks of the list `list`.
    #[inline]
    pub(super) fn blocks(&self, list: usize) -> &[u8] {
        &self.blocks[self.firsts[list] * self.block_bytes..self.firsts[list + 1] * self.block_bytes]
    }

    /// Blocks of the centres.
    pub(super) fn gates(&self) -> impl Iterator<Item = &[u8]> {
        self.gates.chunks_exact(self.block_bytes)
    }

    /// Bytes of the sections, and of what is made of them.
    pub(crate) fn memory_bytes(&self) -> usize {
        let rows = self.rows.as_ref().map_or(0, |rows| rows.lines.len());
        4 * self.view.kept.len() + self.shares.bytes() + self.blocks.len() + rows + self.gates.len()
    }
}

/// The rows of a list, twice.
struct Packed {
    blocks: Vec<u8>,
    rows: Vec<u8>,
}

/// Packs a list.
fn pack(
    (metric, space, view): (Metric, &Space, &View),
    vectors: Vectors<'_>,
    (center, list): (&[f32], &[u32]),
) -> Packed {
    let (mut wide, mut moved, mut turned, mut middle) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    view.turn(center, &mut middle);
    let dim = view.dim();
    let block_bytes = Lookups::block_bytes(dim / 4);
    let mut blocks = vec![0u8; list.len().div_ceil(Lookups::ROWS) * block_bytes];
    let stride = Rows::stride(dim);
    let mut by_row = vec![0u8; list.len() * stride];
    let mut rests = Vec::with_capacity(Lookups::ROWS * dim);
    let places = blocks.chunks_exact_mut(block_bytes).zip(by_row.chunks_mut(Lookups::ROWS * stride));
    for (rows, (block, by_row)) in list.chunks(Lookups::ROWS).zip(places) {
        rests.clear();
        for row in rows {
            space.moved(vectors.floats(*row as usize, &mut wide), &mut moved);
            view.turn(&moved, &mut turned);
            rests.extend(turned.iter().zip(&middle).map(|(value, middle)| value - middle));
        }
        pack_block(metric, &middle, &rests, block);
        Rows::pack(metric, &middle, &rests, by_row);
    }
    Packed { blocks, rows: by_row }
}

/// Puts rows less their centre into a block.
fn pack_block(metric: Metric, center: &[f32], rests: &[f32], block: &mut [u8]) {
    let dim = center.len();
    let four = |row: usize, code: usize| &rests[row * dim + code * 4..][..4];
    let bit = |(i, value): (usize, &f32)| u8::from(*value >= 0.0) << i;
    let code = |row: usize, code: usize| four(row, code).iter().enumerate().map(bit).sum();
    let factors = |row: usize| factors(metric, center, &rests[row * dim..][..dim]);
    Lookups::pack((rests.len() / dim, dim / 4), code, factors, block);
}

/// Blocks of centres seen from zero.
fn gates(space: &Space, view: &View, centers: &[i8]) -> Vec<u8> {
    let (dim, block_bytes) = (view.dim(), Lookups::block_bytes(view.dim() / 4));
    let (zero, mut turned, mut rests) = (vec![0.0; dim], Vec::new(), Vec::new());
    let mut gates = Vec::new();
    for some in centers.chunks(Lookups::ROWS * space.stride()) {
        rests.clear();
        for center in some.chunks_exact(space.stride()) {
            view.turn(&space.decode(center), &mut turned);
            rests.extend_from_slice(&turned);
        }
        let start = gates.len();
        gates.resize(start + block_bytes, 0);
        pack_block(space.metric(), &zero, &rests, &mut gates[start..]);
    }
    gates
}
