//! One signed byte an element, with a scale for each row. Invariant: the score of two rows is the squared distance
//! of what their bytes stand for, so equal codes are at distance zero and the triangle inequality holds.
//!
//! All metrics become that one distance: for COSINE rows are brought to length one first; for IP a row `x` gets one
//! more coordinate `sqrt(reach - |x|^2)` and a query gets 0 there, which makes the nearest row the one with the
//! largest product (Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation for
//! inner-product spaces", RecSys 2014). For L2 and COSINE the mean of all rows is taken off before coding.

use bytemuck::{Pod, Zeroable};
use host::{Cancel, Pool};
use simd::TILE_ROWS;

use super::{Beside, Codes, Pairs, Reach};
use crate::image::{Array, Image};
use crate::score::norm;
use crate::{Error, Metric, Vectors};

/// Rows coded by one task.
const CHUNK: usize = 512;
/// Rows whose memory is asked for before they are scored.
const AHEAD: usize = 8;
/// Bytes that rows are filled up to a multiple of, where nothing else is said.
const LINE: usize = 64;
/// What a code is moved by to become unsigned.
pub(super) const SHIFT: i32 = 128;

/// Where rows and queries are brought before they are coded.
#[derive(Debug, Clone)]
pub(crate) struct Space {
    metric: Metric,
    /// Taken off every row and query.
    mean: Vec<f32>,
    /// No coded row is longer than the root of this; 0 except for IP.
    reach: f32,
    /// Rows take a multiple of so many bytes.
    unit: usize,
}

/// What is kept of a row beside its codes.
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Factors {
    /// What a code of 1 stands for.
    pub(super) scale: f32,
    /// The squared length of what the codes stand for, and of the lift.
    pub(super) norm: f32,
    /// The additional coordinate.
    pub(super) lift: f32,
    /// The sum of the codes.
    pub(super) sum: i32,
}

impl Space {
    /// What byte rows stand for, one after the other.
    pub(crate) fn decode(&self, rows: &[i8]) -> Vec<f32> {
        let rows = ByteRows::new(self, rows);
        (0..rows.len()).flat_map(|row| rows.stands_for(row as u32)).collect()
    }

    /// The space for rows of `vectors`.
    pub(crate) fn of(metric: Metric, vectors: Vectors<'_>, pool: &Pool) -> Self {
        let (dim, rows) = (vectors.dim(), vectors.len());
        if metric == Metric::Ip {
            let longest = |c: usize| {
                let mut room = Vec::new();
                let range = c * CHUNK..((c + 1) * CHUNK).min(rows);
                let lengths = range.map(|row| norm(vectors.floats(row, &mut room)));
                lengths.fold(0f32, f32::max)
            };
            let longest = pool.map(rows.div_ceil(CHUNK), longest).into_iter().fold(0f32, f32::max);
            // Rounding may make a coded row a little longer than the row was.
            return Self { metric, mean: vec![0.0; dim], reach: longest * longest * 1.02, unit: LINE };
        }
        let sums = pool.map(rows.div_ceil(CHUNK), |c| {
            let (mut sums, mut room) = (vec![0f32; dim], Vec::new());
            for row in c * CHUNK..((c + 1) * CHUNK).min(rows) {
                let values = vectors.floats(row, &mut room);
                let factor = if metric == Metric::Cosine { inverse(norm(values)) } else { 1.0 };
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += value * factor;
                }
            }
            sums
        });
        let mut mean = vec![0f64; dim];
        for sums in sums {
            for (mean, sum) in mean.iter_mut().zip(sums) {
                *mean += f64::from(sum);
            }
        }
        let mean = mean.iter().map(|sum| (sum / rows.max(1) as f64) as f32).collect();
        Self { metric, mean, reach: 0.0, unit: LINE }
    }

    /// The same space with rows that take no more room than they must.
    pub(crate) fn tight(self) -> Self {
        Self { unit: size_of::<Factors>(), ..self }
    }

    /// How near two rows are.
    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    /// Writes the section `space`: the mean, then the reach.
    pub(crate) fn write(&self, image: &mut Image) {
        let mut numbers = self.mean.clone();
        numbers.push(self.reach);
        image.push("space", numbers);
    }

    /// Reads it back.
    pub(crate) fn read(metric: Metric, dim: usize, image: &Image) -> Result<Self, Error> {
        let numbers: Array<f32> = image.array("space", dim + 1)?;
        if !simd::all_finite(&numbers) {
            return Err(Error::Corrupt { what: "space" });
        }
        Ok(Self { metric, mean: numbers[..dim].to_vec(), reach: numbers[dim], unit: LINE })
    }

    /// Bytes from one coded row to the next: codes, then the factors at the end.
    pub(crate) fn stride(&self) -> usize {
        (self.mean.len() + size_of::<Factors>()).next_multiple_of(self.unit)
    }

    /// The same for rows of `dim` elements that are filled up to whole lines of memory.
    pub(crate) fn stride_of(dim: usize) -> usize {
        (dim + size_of::<Factors>()).next_multiple_of(LINE)
    }

    /// The same for rows that take no more room than they must.
    pub(crate) fn tight_stride_of(dim: usize) -> usize {
        (dim + size_of::<Factors>()).next_multiple_of(size_of::<Factors>())
    }

    /// Codes the rows `rows(0) .. rows(count)` of `vectors`, one after the other.
    pub(crate) fn code(
        &self,
        vectors: Vectors<'_>,
        count: usize,
        rows: impl Fn(usize) -> usize + Sync,
        pool: &Pool,
        cancel: &Cancel,
    ) -> Result<Vec<i8>, Error> {
        let stride = self.stride();
        let mut codes = vec![0i8; count * stride];
        pool.fill(&mut codes, CHUNK * stride, |c, codes| {
            let (mut moved, mut room) = (Vec::with_capacity(self.mean.len()), Vec::new());
            for (i, row) in codes.chunks_exact_mut(stride).enumerate() {
                if cancel.is_cancelled() {
                    break;
                }
                self.code_row(vectors.floats(rows(c * CHUNK + i), &mut room), &mut moved, row);
            }
        });
        cancel.check()?;
        Ok(codes)
    }

    /// The means of lists of rows of `vectors`, coded; those of rows brought to length one for COSINE.
    pub(crate) fn means(&self, vectors: Vectors<'_>, lists: &[Vec<u32>], pool: &Pool) -> Vec<i8> {
        let dim = self.mean.len();
        let mut means = vec![0f32; lists.len() * dim];
        pool.fill(&mut means, dim, |list, mean| {
            let mut room = Vec::new();
            for row in &lists[list] {
                let values = vectors.floats(*row as usize, &mut room);
                let length = if self.metric == Metric::Cosine { norm(values) } else { 1.0 };
                let share = if length > 0.0 { 1.0 / (length * lists[list].len() as f32) } else { 0.0 };
                mean.iter_mut().zip(values).for_each(|(mean, value)| *mean += value * share);
            }
        });
        let means = Vectors::F32 { dim, values: &means };
        // Nothing is cancelled half-way through so small a piece of work.
        self.code(means, lists.len(), |row| row, pool, &Cancel::new()).unwrap_or_default()
    }

    fn code_row(&self, values: &[f32], moved: &mut Vec<f32>, row: &mut [i8]) {
        let (codes, rest) = row.split_at_mut(self.mean.len());
        let scale = self.round(values, moved, codes);
        let sum = codes.iter().map(|code| i32::from(*code)).sum();
        let squares: i32 = codes.iter().map(|code| i32::from(*code) * i32::from(*code)).sum();
        let length = scale * scale * squares as f32;
        let lift = (self.reach - length).max(0.0).sqrt();
        let factors = Factors { scale, norm: length + lift * lift, lift, sum };
        let place = rest.len() - size_of::<Factors>();
        rest[place..].copy_from_slice(bytemuck::cast_slice(&[factors]));
    }

    /// Brings a row or query into this space: to length one for COSINE, and the mean off.
    pub(crate) fn moved(&self, values: &[f32], moved: &mut Vec<f32>) {
        let factor = if self.metric == Metric::Cosine { inverse(norm(values)) } else { 1.0 };
        moved.clear();
        moved.extend(values.iter().zip(&self.mean).map(|(value, mean)| value * factor - mean));
    }

    /// Puts every element's code, in -127..=127, into `codes` and returns what a code of 1 stands for.
    #[inline]
    fn round(&self, values: &[f32], moved: &mut Vec<f32>, codes: &mut [i8]) -> f32 {
        self.moved(values, moved);
        let widest = widest(moved);
        if !(widest > 1e-30 && widest < 1e30) {
            codes.fill(0);
            return 0.0;
        }
        let inverse = 127.0 / widest;
        for (code, value) in codes.iter_mut().zip(moved) {
            // Adding 1.5 * 2^23 leaves the rounded number in the low bits; vector code needs no more.
            *code = (*value * inverse + 12_582_912.0).to_bits() as i8;
        }
        widest / 127.0
    }
}

/// The largest magnitude; in lanes, because a maximum after the other would wait for each other.
fn widest(values: &[f32]) -> f32 {
    let mut lanes = [0f32; 32];
    for values in values.chunks(lanes.len()) {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane = lane.max(value.abs());
        }
    }
    lanes.into_iter().fold(0f32, f32::max)
}

/// One by `norm`; 0 if that is none.
pub(super) fn inverse(norm: f32) -> f32 {
    if norm > 0.0 { 1.0 / norm } else { 0.0 }
}

/// Coded rows, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByteRows<'a> {
    pub(crate) space: &'a Space,
    codes: &'a [i8],
}

impl<'a> ByteRows<'a> {
    /// Rows that follow each other.
    pub(crate) fn new(space: &'a Space, codes: &'a [i8]) -> Self {
        Self { space, codes }
    }
}

/// A coded query.
#[derive(Debug, Default)]
pub(crate) struct Bytes8 {
    /// Codes moved into 0..=255, then zeros over what a row has after its codes.
    pub(super) codes: Vec<u8>,
    pub(super) scale: f32,
    pub(super) norm: f32,
    pub(super) lift: f32,
    moved: Vec<f32>,
    room: Vec<f32>,
}

impl ByteRows<'_> {
    /// The elements that the codes of a row stand for.
    pub(crate) fn stands_for(&self, row: u32) -> impl Iterator<Item = f32> {
        let (codes, scale) = self.coded(row);
        codes.iter().map(move |code| f32::from(*code) * scale)
    }

    /// The codes of a row and what a code of 1 stands for.
    pub(crate) fn coded(&self, row: u32) -> (&[i8], f32) {
        let row = self.row(row);
        (&row[..self.space.mean.len()], factors(row).scale)
    }

    #[inline]
    fn row(&self, row: u32) -> &[i8] {
        let stride = self.space.stride();
        &self.codes[row as usize * stride..][..stride]
    }

    /// What is kept of a row beside its codes.
    pub(super) fn factors(&self, row: u32) -> Factors {
        factors(self.row(row))
    }

    #[inline]
    fn distance(&self, probe: &Bytes8, dot: i32, row: u32) -> f32 {
        let factors = factors(self.row(row));
        // Sound factors never overflow; damaged ones may give a wrong distance, never a panic.
        let dot = dot.wrapping_sub(SHIFT.wrapping_mul(factors.sum)) as f32;
        let product = probe.scale * factors.scale * dot + probe.lift * factors.lift;
        probe.norm + factors.norm - 2.0 * product
    }
}

#[inline]
fn factors(row: &[i8]) -> Factors {
    bytemuck::pod_read_unaligned(bytemuck::cast_slice(&row[row.len() - size_of::<Factors>()..]))
}

impl Codes for ByteRows<'_> {
    type Probe = Bytes8;

    fn len(&self) -> usize {
        self.codes.len() / self.space.stride()
    }

    fn probe(&self) -> Bytes8 {
        Bytes8 { codes: vec![0; self.space.stride()], ..Bytes8::default() }
    }

    fn aim(&self, probe: &mut Bytes8, queries: Vectors<'_>, query: usize) {
        let Bytes8 { codes, moved, room, .. } = probe;
        codes.resize(self.space.stride(), 0);
        let codes: &mut [i8] = bytemuck::cast_slice_mut(&mut codes[..self.space.mean.len()]);
        let scale = self.space.round(queries.floats(query, room), moved, codes);
        let squares: i32 = codes.iter().map(|code| i32::from(*code) * i32::from(*code)).sum();
        codes.iter_mut().for_each(|code| *code ^= i8::MIN);
        probe.scale = scale;
        probe.norm = scale * scale * squares as f32;
        probe.lift = 0.0;
    }

    #[inline]
    fn place(&self, row: u32) -> &[u8] {
        bytemuck::cast_slice(self.row(row))
    }

    #[inline]
    fn scores(&self, probe: &Bytes8, rows: &[u32], reach: Reach, out: &mut Vec<f32>) {
        let stride = self.space.stride();
        out.clear();
        // Rows that follow each other are asked for past the end of `rows` too: the next call goes on there.
        let last = self.len().saturating_sub(1) as u32;
        let wanted = |i: usize| match reach {
            Reach::Scattered => rows.get(i).copied(),
            Reach::Streamed => rows.get(i - AHEAD).map(|row| last.min(row + AHEAD as u32)),
            Reach::Cached => None,
        };
        if reach == Reach::Scattered {
            rows.iter().take(AHEAD).for_each(|row| simd::prefetch(self.row(*row)));
        }
        for (block, four) in rows.chunks(4).enumerate() {
            (0..4)
                .filter_map(|i| wanted(block * 4 + AHEAD + i))
                .for_each(|row| simd::prefetch(self.row(row)));
            let mut dots = [0i32; 4];
            simd::dots(
                &probe.codes[..self.space.mean.len()],
                self.codes,
                |i| four[i] as usize * stride,
                &mut dots[..four.len()],
            );
            out.extend(four.iter().zip(dots).map(|(row, dot)| self.distance(probe, dot, *row)));
        }
    }
}

impl Pairs for ByteRows<'_> {
    fn aim_row(&self, probe: &mut Bytes8, row: u32) {
        let row = self.row(row);
        for (to, from) in probe.codes.iter_mut().zip(&row[..self.space.mean.len()]) {
            *to = (*from as u8) ^ SHIFT as u8;
        }
        let Factors { scale, norm, lift, .. } = factors(row);
        (probe.scale, probe.norm, probe.lift) = (scale, norm, lift);
    }

    fn side_by_side(&self, chosen: &[u32]) -> Option<Beside> {
        Some(Beside::of(self, self.space.mean.len(), chosen))
    }

    fn scores_beside(&self, beside: &Beside, tile: usize, probes: &[Bytes8], out: &mut [[f32; TILE_ROWS]]) {
        beside.scores(tile, probes, out);
    }
}
