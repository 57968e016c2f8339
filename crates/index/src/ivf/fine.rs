//! A finer code of every row, beside the coarse ones that lists are read by. Invariant: tells only which of the rows that seemed
//! near are measured.
//!
//! What a search reads of a list should be short, but by a bit an element many rows seem as near as the nearest, and to
//! measure each costs a wait for memory and hundreds of bytes. By four bits an element few are left to measure.

use host::{Cancel, Pool};

use crate::codec::{Codes, Members, Reach, Recipe, Sketch, SketchAim, SketchRows, Space};
use crate::image::{Array, Image};
use crate::nearest::Nearest;
use crate::{Error, Metric, Query, Spec, Vectors};

/// The section of the codes.
pub(super) const SECTION: &str = "fine";
/// Bits of an element.
const BITS: usize = 4;
/// How many rows may be looked at for each that may be measured, and how many more.
const TIMES: usize = 4;
const MORE: usize = 64;

/// Codes in the order of rows.
#[derive(Debug)]
pub(super) struct Fine {
    metric: Metric,
    sketch: Sketch,
    codes: Array<u8>,
}

/// A query, and buffers.
#[derive(Default)]
pub(super) struct Aim {
    aim: SketchAim,
    rows: Vec<u32>,
    scores: Vec<f32>,
}

/// Codes all rows into `image`.
pub(super) fn build(
    spec: &Spec,
    vectors: Vectors<'_>,
    space: &Space,
    (pool, cancel): (&Pool, &Cancel),
    image: &mut Image,
) -> Result<(), Error> {
    let rows: Vec<u32> = (0..vectors.len() as u32).collect();
    let members = Members { vectors, rows: &rows, lists: &[] };
    image.push(SECTION, Sketch::plain(spec, BITS, space.clone()).code(&members, pool, cancel)?);
    Ok(())
}

/// Bytes of the codes of rows of `dim` elements.
pub(super) fn need_bytes(rows: usize, dim: usize) -> usize {
    rows * Recipe::Scalar { bits: BITS, turned: false }.stride(dim)
}

impl Fine {
    /// Reads the codes back, if there are any.
    pub(super) fn read(
        spec: &Spec,
        space: &Space,
        rows: usize,
        image: &Image,
    ) -> Result<Option<Self>, Error> {
        if !spec.may_be_coded_twice() || !image.has(SECTION) {
            return Ok(None);
        }
        let sketch = Sketch::plain(spec, BITS, space.clone());
        let len = rows.checked_mul(sketch.stride()).ok_or(Error::Corrupt { what: "number of rows" })?;
        Ok(Some(Self { metric: spec.metric(), codes: image.array(SECTION, len)?, sketch }))
    }

    /// Bytes of the codes.
    pub(super) fn bytes(&self) -> usize {
        self.codes.len()
    }

    /// Among how many of the nearest by their coarse codes those `depth` are that are measured.
    pub(super) fn breadth(depth: usize) -> usize {
        depth.saturating_mul(TIMES).saturating_add(MORE)
    }

    /// The nearest of `found` to query `q`, nearest first: `depth`, or twice as many where measuring ends by what it sees, so that
    /// codes that are rather far off cost time and not rows. The nearest of them by their coarse codes are looked at
    /// first. How far off coarse codes are shows there, and so does which of the others cannot be near.
    pub(super) fn nearest(
        &self,
        (queries, q): (Vectors<'_>, usize),
        query: &Query,
        (found, depth): (&mut [(u32, f32)], usize),
        aim: &mut Aim,
    ) -> Vec<(u32, f32)> {
        let codes = SketchRows::new(&self.sketch, &self.codes, query);
        codes.aim(&mut aim.aim, queries, q);
        let times = if self.metric == Metric::Ip { 1 } else { 2 };
        let mut nearest = Nearest::new(depth.saturating_mul(times));
        if found.len() <= depth {
            aim.look(&codes, found.iter(), |row, _, score| nearest.push(score, row));
            return nearest.into_scored();
        }
        found.select_nth_unstable_by(depth - 1, |a, b| a.1.total_cmp(&b.1));
        let (first, others) = found.split_at(depth);
        let mut best = Nearest::new(query.k());
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        aim.look(&codes, first.iter(), |row, coarse, score| {
            (least, most) = (least.min(coarse - score), most.max(coarse - score));
            best.push(score, row);
            nearest.push(score, row);
        });
        let bar = best.worst() + most + (most - least) / 2.0;
        let near = others.iter().filter(|(_, coarse)| coarse.total_cmp(&bar).is_le());
        aim.look(&codes, near, |row, _, score| nearest.push(score, row));
        nearest.into_scored()
    }
}

impl Aim {
    /// Shows rows with their coarse scores and those by their codes.
    fn look<'a>(
        &mut self,
        codes: &SketchRows<'_>,
        found: impl Iterator<Item = &'a (u32, f32)> + Clone,
        mut show: impl FnMut(u32, f32, f32),
    ) {
        let Self { aim, rows, scores } = self;
        rows.clear();
        rows.extend(found.clone().map(|(row, _)| *row));
        codes.scores(aim, rows, Reach::Scattered, scores);
        found.zip(scores).for_each(|((row, coarse), score)| show(*row, *coarse, *score));
    }
}
