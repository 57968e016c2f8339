//! Postings at rest whose values are codes of one byte. Invariant: what a code stands for is known beforehand, see
//! [`super::levels`]; what [`Coded::read`] accepts names only rows that exist, none twice in a run.

use std::cmp::Reverse;
use std::sync::{Mutex, PoisonError};

use host::Cancel;
use simd::Bits;

use super::build::Postings;
use super::levels::{Coder, Levels, Spans, constants};
use super::sums::{self, Room};
use crate::course::Course;
use crate::image::{Array, Head, Image, VERSION_RANKED};
use crate::refine::Refiner;
use crate::{Error, Hits, Metric, Query};

/// Rows of a window: as many as have sums of two bytes in half of the nearest cache.
pub(super) const WINDOW: usize = 8192;
/// How many codes there are, and the largest.
pub(super) const CODES: usize = 256;
pub(super) const CODE_MAX: f32 = 255.0;
/// The mark of a run that a row was not named by yet.
const UNSEEN: u32 = u32::MAX;

/// Which rows have a dimension, and about with what value.
#[derive(Debug)]
pub(crate) struct Coded {
    rows: usize,
    /// Whether the postings of a run stand in falling order of their codes.
    pub(super) is_ranked: bool,
    /// Dimensions that some row has, rising.
    dims: Array<u32>,
    /// How many dimensions are below each multiple of a power of two, and that power.
    below: Vec<u32>,
    shift: u32,
    /// Where the postings of each start, and where the last end.
    starts: Array<u64>,
    /// What a code of 1 stands for, for each dimension; 1 where codes are of BM25.
    steps: Array<f32>,
    /// What codes of BM25 are made of.
    spans: Option<Spans>,
    /// Where the runs of each start, and where the last end. A run is what a dimension has in a window.
    runs: Array<u32>,
    /// The window of each run, rising.
    windows: Array<u32>,
    /// Where it ends, counted from the first posting of its dimension.
    ends: Array<u32>,
    /// Its largest code.
    peaks: Array<u8>,
    /// Rows, counted from the start of their window.
    places: Array<u16>,
    codes: Array<u8>,
    /// What searches work in, while none does.
    idle: Mutex<Vec<Room>>,
}

/// The sections as plain slices.
#[derive(Clone, Copy)]
pub(super) struct Lists<'a> {
    pub(super) starts: &'a [u64],
    pub(super) steps: &'a [f32],
    pub(super) runs: &'a [u32],
    pub(super) windows: &'a [u32],
    pub(super) ends: &'a [u32],
    pub(super) peaks: &'a [u8],
    pub(super) places: &'a [u16],
    pub(super) codes: &'a [u8],
}

impl Lists<'_> {
    /// Asks for a run, and for the postings from `first` on, which are its.
    #[inline]
    pub(super) fn prefetch(&self, run: usize, first: usize) {
        simd::prefetch(&self.windows[run..=run]);
        simd::prefetch(&self.ends[run..=run]);
        simd::prefetch(&self.peaks[run..=run]);
        simd::prefetch(&self.places[first..=first]);
        simd::prefetch(&self.codes[first..=first]);
    }
}

/// The sections while they are written.
#[derive(Debug)]
struct Draft {
    dims: Vec<u32>,
    starts: Vec<u64>,
    steps: Vec<f32>,
    runs: Vec<u32>,
    windows: Vec<u32>,
    ends: Vec<u32>,
    peaks: Vec<u8>,
    places: Vec<u16>,
    codes: Vec<u8>,
}

/// The window of a row.
fn window(row: u32) -> u32 {
    row / WINDOW as u32
}

/// Runs of rows, rising, that are in one window.
fn runs(rows: &[u32]) -> impl Iterator<Item = &[u32]> {
    rows.chunk_by(|a, b| window(*a) == window(*b))
}

/// Bytes of the sections of so many postings and dimensions of `rows` rows, at most.
pub(super) fn bytes_of(count: usize, dims: usize, rows: usize) -> usize {
    let runs = count.min(dims * rows.div_ceil(WINDOW));
    3 * count + 9 * runs + 20 * dims + 12
}

impl Draft {
    /// With room for all of `postings`.
    fn of(postings: &Postings) -> Self {
        let (count, dims) = (postings.rows.len(), postings.dims.len());
        let runs = postings.groups().map(|(_, rows, _)| runs(rows).count()).sum();
        Self {
            dims: Vec::with_capacity(dims),
            starts: Vec::with_capacity(dims + 1),
            steps: Vec::with_capacity(dims),
            runs: Vec::with_capacity(dims + 1),
            windows: Vec::with_capacity(runs),
            ends: Vec::with_capacity(runs),
            peaks: Vec::with_capacity(runs),
            places: Vec::with_capacity(count),
            codes: Vec::with_capacity(count),
        }
    }

    /// Adds a dimension: its rows, rising, with their values, and the code of each posting.
    fn push(&mut self, (dim, rows, values): (u32, &[u32], &[f32]), step: f32, code: impl Fn(u32, f32) -> u8) {
        self.dims.push(dim);
        self.starts.push(self.places.len() as u64);
        self.runs.push(self.windows.len() as u32);
        self.steps.push(step);
        let mut end = 0;
        for run in runs(rows) {
            let values = &values[end..end + run.len()];
            let place = |row: u32| (row % WINDOW as u32) as u16;
            let coded = run.iter().zip(values).map(|(row, value)| (Reverse(code(*row, *value)), place(*row)));
            let mut ranked: Vec<(Reverse<u8>, u16)> = coded.collect();
            ranked.sort_unstable();
            self.places.extend(ranked.iter().map(|(_, place)| place));
            self.codes.extend(ranked.iter().map(|(Reverse(code), _)| code));
            end += run.len();
            self.windows.push(window(run[0]));
            self.ends.push(end as u32);
            self.peaks.push(ranked[0].0.0);
        }
    }

    fn write(mut self, image: &mut Image) {
        self.starts.push(self.places.len() as u64);
        self.runs.push(self.windows.len() as u32);
        image.push("dims", self.dims);
        image.push("starts", self.starts);
        image.push("steps", self.steps);
        image.push("runs", self.runs);
        image.push("windows", self.windows);
        image.push("ends", self.ends);
        image.push("peaks", self.peaks);
        image.push("places", self.places);
        image.push("codes", self.codes);
    }
}

/// The largest code that stands for no more than `value`.
fn code(value: f32, step: f32) -> u8 {
    let code = (value / step).min(CODE_MAX) as u8;
    if f32::from(code) * step > value { code.saturating_sub(1) } else { code }
}

impl Coded {
    /// Writes `postings`, all values above zero.
    pub(super) fn write(
        postings: &Postings,
        (cancel, course): (&Cancel, &mut Course<'_>),
        image: &mut Image,
    ) -> Result<(), Error> {
        let mut draft = Draft::of(postings);
        for (i, group) in postings.groups().enumerate() {
            cancel.check()?;
            let most = group.2.iter().fold(0f32, |most, value| most.max(*value));
            let step = (most / CODE_MAX).max(f32::MIN_POSITIVE);
            draft.push(group, step, |_, value| code(value, step));
            course.at(i + 1, postings.dims.len());
        }
        draft.write(image);
        Ok(())
    }

    /// The same of counts, for BM25; `lengths` has the sum of each row.
    pub(super) fn write_counts(
        postings: &Postings,
        lengths: &[f32],
        (cancel, course): (&Cancel, &mut Course<'_>),
        image: &mut Image,
    ) -> Result<(), Error> {
        let counted = || {
            postings.rows.iter().zip(&postings.values).map(|(row, count)| (*count, lengths[*row as usize]))
        };
        let mut draft = Draft::of(postings);
        let mut coder = Coder::new(constants(lengths), counted());
        cancel.check()?;
        counted().for_each(|(count, length)| coder.add(count, length));
        for (i, group) in postings.groups().enumerate() {
            cancel.check()?;
            draft.push(group, 1.0, |row, count| coder.code(count, lengths[row as usize]));
            course.at(i + 1, postings.dims.len());
        }
        draft.write(image);
        coder.write(image);
        Ok(())
    }

    /// Reads the sections back.
    pub(crate) fn read(metric: Metric, rows: usize, image: &Image) -> Result<Self, Error> {
        let dims: Array<u32> = image.list("dims")?;
        let windows: Array<u32> = image.list("windows")?;
        let places: Array<u16> = image.list("places")?;
        let mut coded = Self {
            rows,
            below: Vec::new(),
            shift: 0,
            idle: Mutex::default(),
            is_ranked: Head::version(image)? >= VERSION_RANKED,
            starts: image.array("starts", dims.len() + 1)?,
            steps: image.array("steps", dims.len())?,
            spans: if metric == Metric::Bm25 { Some(Spans::read(image)?) } else { None },
            runs: image.array("runs", dims.len() + 1)?,
            ends: image.array("ends", windows.len())?,
            peaks: image.array("peaks", windows.len())?,
            codes: image.array("codes", places.len())?,
            dims,
            windows,
            places,
        };
        let outer = |ends: Option<(u64, u64)>, len: usize| ends == Some((0, len as u64));
        let starts = coded.starts.first().copied().zip(coded.starts.last().copied());
        let runs = coded.runs.first().copied().zip(coded.runs.last().copied());
        let runs = runs.map(|(first, last)| (u64::from(first), u64::from(last)));
        if !rising(&coded.starts) || !outer(starts, coded.places.len()) {
            return Err(Error::Corrupt { what: "starts" });
        }
        if !rising(&coded.runs) || !outer(runs, coded.windows.len()) {
            return Err(Error::Corrupt { what: "runs" });
        }
        if !rising(&coded.dims) {
            return Err(Error::Corrupt { what: "dims" });
        }
        (coded.below, coded.shift) = directory(&coded.dims);
        if !coded.steps.iter().all(|step| step.is_finite() && *step > 0.0) {
            return Err(Error::Corrupt { what: "steps" });
        }
        let mut seen = vec![UNSEEN; WINDOW];
        (0..coded.dims.len()).try_for_each(|dim| coded.check(dim, &mut seen))?;
        Ok(coded)
    }

    /// Checks the runs of the dimension at `dim`; `seen` has the last run that named a place, of all places.
    fn check(&self, dim: usize, seen: &mut [u32]) -> Result<(), Error> {
        let postings = self.starts[dim] as usize..self.starts[dim + 1] as usize;
        let runs = self.runs[dim] as usize..self.runs[dim + 1] as usize;
        let (windows, ends) = (&self.windows[runs.clone()], &self.ends[runs.clone()]);
        let whole = ends.last().is_some_and(|end| *end as usize == postings.len());
        if !rising(windows) || !rising(ends) || !whole || ends[0] == 0 {
            return Err(Error::Corrupt { what: "ends" });
        }
        let mut start = 0;
        for run in runs {
            let end = self.ends[run] as usize;
            let places = &self.places[postings.clone()][start..end];
            let first = self.windows[run] as usize * WINDOW;
            let rows = self.rows.saturating_sub(first).min(WINDOW);
            let is_new = |place: &u16| {
                let place = usize::from(*place);
                place < rows && std::mem::replace(&mut seen[place], run as u32) != run as u32
            };
            if !places.iter().all(is_new) || !self.is_ranked && !rising(places) {
                return Err(Error::Corrupt { what: "places" });
            }
            let codes = &self.codes[postings.clone()][start..end];
            if self.is_ranked && !codes.is_sorted_by(|a, b| a >= b) {
                return Err(Error::Corrupt { what: "codes" });
            }
            if codes.iter().max() != Some(&self.peaks[run]) {
                return Err(Error::Corrupt { what: "peaks" });
            }
            start = end;
        }
        Ok(())
    }

    /// The best rows for every query.
    pub(crate) fn search(
        &self,
        refiner: &Refiner<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = idle().pop().unwrap_or_default();
        let hits = sums::search(self, &mut room, refiner, (query, mask), cancel)?;
        idle().push(room);
        Ok(hits)
    }

    /// What codes stand for in a search; nothing if it cannot be said.
    pub(super) fn levels(&self, query: &Query) -> Option<Levels> {
        self.spans.as_ref().map_or_else(|| Some(Levels::steps()), |spans| Levels::of(spans, &query.bm25()))
    }

    /// The sections as they are searched.
    pub(super) fn lists(&self) -> Lists<'_> {
        Lists {
            starts: &self.starts,
            steps: &self.steps,
            runs: &self.runs,
            windows: &self.windows,
            ends: &self.ends,
            peaks: &self.peaks,
            places: &self.places,
            codes: &self.codes,
        }
    }

    /// Rows of the index.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let dims = self.dims.len() * (4 + 8 + 4 + 4) + 8 + 4 + 4 * self.below.len();
        let dims = dims + self.spans.as_ref().map_or(0, |_| CODES * 16 + 12);
        (dims + self.windows.len() * (4 + 4 + 1) + self.places.len() * (2 + 1)) as u64
    }

    /// Where dimension `dim` stands among all.
    #[inline]
    pub(super) fn of(&self, dim: u32) -> Option<usize> {
        let at = (dim >> self.shift) as usize;
        let near = *self.below.get(at)? as usize..*self.below.get(at + 1)? as usize;
        let place = self.dims[near.clone()].binary_search(&dim).ok()?;
        Some(near.start + place)
    }
}

/// How many of the rising `dims` are below each multiple of a power of two, and the logarithm of that power: the least by which there are no more
/// multiples than dimensions, about.
fn directory(dims: &[u32]) -> (Vec<u32>, u32) {
    let last = dims.last().copied().unwrap_or(0);
    let bits = u32::BITS - last.leading_zeros();
    let shift = bits.saturating_sub(dims.len().next_power_of_two().ilog2()).min(u32::BITS - 1);
    let mut below = vec![0; (last >> shift) as usize + 2];
    for dim in dims {
        below[(dim >> shift) as usize + 1] += 1;
    }
    for at in 1..below.len() {
        below[at] += below[at - 1];
    }
    (below, shift)
}

fn rising<T: PartialOrd>(numbers: &[T]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}
