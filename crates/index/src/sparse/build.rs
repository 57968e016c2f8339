//! From rows to postings. Invariant: the postings of a dimension stand in rising order of rows, each row once.

use host::{Cancel, Progress};
use simd::Bits;

use super::coded::{self, Coded};
use super::levels::constants;
use super::postings::BLOCK;
use crate::course::Course;
use crate::image::Image;
use crate::vectors::pairs_of;
use crate::{Error, Metric, Vectors};

/// Rows taken between two looks at the cancel flag.
const ROWS: usize = 1024;
/// Dimensions taken between two looks.
const DIMS: usize = 256;
/// Dimensions below this are looked up in a table whatever else there is.
const TABLE: usize = 1 << 16;
/// Percent of the work that is done when dimensions are known, when their postings are counted, when they are in place, and when the
/// sums of rows are known.
const KNOWN: u64 = 20;
const COUNTED: u64 = 40;
const PLACED: u64 = 80;
const SUMMED: u64 = 85;

/// What a row says: pairs whose value is not 0.
fn pairs<'a>(vectors: Vectors<'a>, row: usize) -> impl Iterator<Item = (u32, f32)> + use<'a> {
    pairs_of(vectors.bytes(row)).filter(|(_, value)| *value != 0.0)
}

/// Looks at every row in turn, and now and then at the cancel flag.
fn each_row(
    vectors: Vectors<'_>,
    (cancel, course): (&Cancel, &mut Course<'_>),
    mut look: impl FnMut(usize),
) -> Result<(), Error> {
    for row in 0..vectors.len() {
        if row.is_multiple_of(ROWS) {
            cancel.check()?;
            course.at(row, vectors.len());
        }
        look(row);
    }
    Ok(())
}

/// The dimensions that rows have, rising, and where each stands among them.
struct Dims {
    dims: Vec<u32>,
    /// The place of each dimension up to the last, where these are not many more than there are pairs.
    table: Vec<u32>,
}

impl Dims {
    fn of(vectors: Vectors<'_>, (cancel, course): (&Cancel, &mut Course<'_>)) -> Result<Self, Error> {
        let (mut last, mut count) = (0, 0usize);
        each_row(vectors, (cancel, course), |row| {
            for (dim, _) in pairs(vectors, row) {
                last = last.max(dim as usize);
                count += 1;
            }
        })?;
        if last < count.max(TABLE) {
            let mut seen = Bits::zeros(last + 1);
            each_row(vectors, (cancel, course), |row| {
                pairs(vectors, row).for_each(|(dim, _)| seen.set(dim as usize, true));
            })?;
            let dims: Vec<u32> = seen.iter().map(|dim| dim as u32).collect();
            let mut table = vec![0; last + 1];
            (0..).zip(&dims).for_each(|(place, dim)| table[*dim as usize] = place);
            return Ok(Self { dims, table });
        }
        // Sorted whenever half of them may have come before.
        let (mut dims, mut known) = (Vec::new(), 0);
        each_row(vectors, (cancel, course), |row| {
            dims.extend(pairs(vectors, row).map(|(dim, _)| dim));
            if dims.len() > 2 * known + TABLE {
                dims.sort_unstable();
                dims.dedup();
                known = dims.len();
            }
        })?;
        dims.sort_unstable();
        dims.dedup();
        Ok(Self { dims, table: Vec::new() })
    }

    fn place(&self, dim: u32) -> usize {
        match self.table.get(dim as usize) {
            Some(place) => *place as usize,
            None => self.dims.partition_point(|other| *other < dim),
        }
    }
}

/// Postings of all dimensions, one after the other.
pub(super) struct Postings {
    pub(super) dims: Vec<u32>,
    /// Where those of each dimension start, and where the last end.
    pub(super) starts: Vec<u64>,
    pub(super) rows: Vec<u32>,
    pub(super) values: Vec<f32>,
}

impl Postings {
    fn of(vectors: Vectors<'_>, (cancel, course): (&Cancel, &mut Course<'_>)) -> Result<Self, Error> {
        course.stage(KNOWN);
        let dims = Dims::of(vectors, (cancel, course))?;
        course.stage(COUNTED);
        // Moved on by one place: where the next posting of a dimension goes is where the last will end.
        let mut starts = vec![0u64; dims.dims.len() + 2];
        each_row(vectors, (cancel, course), |row| {
            pairs(vectors, row).for_each(|(dim, _)| starts[dims.place(dim) + 2] += 1);
        })?;
        (2..starts.len()).for_each(|i| starts[i] += starts[i - 1]);
        let count = starts.last().map_or(0, |end| *end as usize);
        course.stage(PLACED);
        let (mut rows, mut values) = (vec![0u32; count], vec![0f32; count]);
        each_row(vectors, (cancel, course), |row| {
            for (dim, value) in pairs(vectors, row) {
                let next = &mut starts[dims.place(dim) + 1];
                (rows[*next as usize], values[*next as usize]) = (row as u32, value);
                *next += 1;
            }
        })?;
        starts.pop();
        let mut made = Self { dims: dims.dims, starts, rows, values };
        made.once_each();
        Ok(made)
    }

    /// Leaves the first of those that a row has in one dimension: it would count twice.
    fn once_each(&mut self) {
        let Self { starts, rows, values, .. } = self;
        let (mut start, mut kept) = (0, 0);
        for end in &mut starts[1..] {
            let first = kept;
            for at in start..*end as usize {
                if kept == first || rows[kept - 1] != rows[at] {
                    (rows[kept], values[kept]) = (rows[at], values[at]);
                    kept += 1;
                }
            }
            start = std::mem::replace(end, kept as u64) as usize;
        }
        rows.truncate(kept);
        values.truncate(kept);
    }

    /// The dimensions with their rows and values.
    pub(super) fn groups(&self) -> impl Iterator<Item = (u32, &[u32], &[f32])> {
        let ranges = self.starts.windows(2).map(|pair| pair[0] as usize..pair[1] as usize);
        self.dims
            .iter()
            .zip(ranges)
            .map(|(dim, range)| (*dim, &self.rows[range.clone()], &self.values[range]))
    }
}

/// Writes the postings of sparse rows into `image`.
pub(crate) fn build(
    metric: Metric,
    vectors: Vectors<'_>,
    (cancel, course): (&Cancel, &mut Course<'_>),
    image: &mut Image,
) -> Result<(), Error> {
    let postings = Postings::of(vectors, (cancel, course))?;
    // Sums of codes are for what only adds.
    let is_plain = postings.values.iter().all(|value| *value > 0.0 && value.is_finite());
    if is_plain && metric == Metric::Ip {
        course.stage(100);
        return Coded::write(&postings, (cancel, course), image);
    }
    course.stage(SUMMED);
    let mut lengths = Vec::with_capacity(vectors.len());
    each_row(vectors, (cancel, course), |row| {
        lengths.push(pairs_of(vectors.bytes(row)).map(|(_, value)| value).sum::<f32>());
    })?;
    course.stage(100);
    if is_plain && is_usual(&postings.values, &lengths) {
        return Coded::write_counts(&postings, &lengths, (cancel, course), image);
    }
    let blocks: usize = postings.groups().map(|(_, rows, _)| rows.len().div_ceil(BLOCK)).sum();
    let (mut peaks, mut floors) = (Vec::with_capacity(blocks), Vec::with_capacity(blocks));
    for (i, (_, rows, values)) in postings.groups().enumerate() {
        if i.is_multiple_of(DIMS) {
            cancel.check()?;
        }
        peaks.extend(
            values.chunks(BLOCK).map(|block| block.iter().fold(0f32, |peak, value| peak.max(value.abs()))),
        );
        let floor =
            |block: &[u32]| block.iter().map(|row| lengths[*row as usize]).fold(f32::INFINITY, f32::min);
        floors.extend(rows.chunks(BLOCK).map(floor));
    }
    image.push("dims", postings.dims);
    image.push("starts", postings.starts);
    image.push("rows", postings.rows);
    image.push("values", postings.values);
    image.push("peaks", peaks);
    image.push("floors", floors);
    image.push("lengths", lengths);
    Ok(())
}

/// Whether rows of `lengths` have a mean length, and counts are none by which nothing can be divided.
fn is_usual(counts: &[f32], lengths: &[f32]) -> bool {
    let average = constants(lengths).average;
    average.is_normal() && counts.iter().all(|count| count.is_normal())
}

/// Bytes that [`build`] takes at most of such rows. It looks at all of them.
pub(crate) fn need_bytes(metric: Metric, vectors: Vectors<'_>) -> usize {
    let (progress, rows) = (Progress::new(), vectors.len());
    let dims = Dims::of(vectors, (&Cancel::new(), &mut Course::new(&progress, 0)));
    // Nobody cancels.
    let Ok(Dims { dims, table }) = dims else { return usize::MAX };
    let count: usize = (0..rows).map(|row| vectors.bytes(row).len() / size_of::<[u32; 2]>()).sum();
    let placing = 12 * dims.len() + 8 * count + 4 * table.len();
    let finding = if table.is_empty() { 8 * (2 * dims.len() + TABLE) } else { 0 };
    let lengths = if metric == Metric::Ip { 0 } else { 4 * rows };
    let written =
        (coded::bytes_of(count, dims.len(), rows) + lengths).max(4 * rows + count / 8 + 8 * dims.len());
    finding.max(placing).max(12 * dims.len() + 8 * count + written)
}
