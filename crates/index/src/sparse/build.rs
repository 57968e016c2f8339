//! From rows to postings. Invariant: the postings of a dimension stand in rising order of rows.

use host::{Cancel, Progress};

use super::coded::Coded;
use super::levels::constants;
use super::postings::BLOCK;
use crate::image::Image;
use crate::vectors::pairs_of;
use crate::{Error, Metric, Vectors};

/// Rows taken between two looks at the cancel flag.
const ROWS: usize = 4096;

/// Writes the postings of sparse rows into `image`.
pub(crate) fn build(
    metric: Metric,
    vectors: Vectors<'_>,
    (cancel, progress): (&Cancel, &Progress),
    image: &mut Image,
) -> Result<(), Error> {
    let mut postings: Vec<(u64, f32)> = Vec::new();
    let mut lengths = Vec::with_capacity(vectors.len());
    for row in 0..vectors.len() {
        if row.is_multiple_of(ROWS) {
            cancel.check()?;
        }
        let pairs = || pairs_of(vectors.bytes(row));
        lengths.push(pairs().map(|(_, value)| value).sum::<f32>());
        let kept = pairs().filter(|(_, value)| *value != 0.0);
        postings.extend(kept.map(|(dim, value)| (u64::from(dim) << 32 | row as u64, value)));
    }
    cancel.check()?;
    postings.sort_unstable_by_key(|(place, _)| *place);
    // A row that names a dimension twice would count twice.
    postings.dedup_by_key(|(place, _)| *place);
    cancel.check()?;
    // Sums of codes are for what only adds.
    let is_plain = postings.iter().all(|(_, value)| *value > 0.0 && value.is_finite());
    if is_plain && (metric == Metric::Ip || is_usual(&postings, &lengths)) {
        match metric {
            Metric::Bm25 => Coded::write_counts(&postings, &lengths, image),
            _ => Coded::write(&postings, image),
        }
        progress.add(vectors.len() as u64);
        return Ok(());
    }
    let (mut dims, mut starts, mut peaks, mut floors) = (vec![], vec![], vec![], vec![]);
    let mut at = 0;
    for group in postings.chunk_by(|a, b| a.0 >> 32 == b.0 >> 32) {
        dims.push((group[0].0 >> 32) as u32);
        starts.push(at as u64);
        at += group.len();
        for block in group.chunks(BLOCK) {
            peaks.push(block.iter().fold(0f32, |peak, (_, value)| peak.max(value.abs())));
            let length = |place: u64| lengths[place as u32 as usize];
            floors.push(block.iter().fold(f32::INFINITY, |floor, (place, _)| floor.min(length(*place))));
        }
    }
    starts.push(at as u64);
    image.push("dims", dims);
    image.push("starts", starts);
    image.push("rows", postings.iter().map(|(place, _)| *place as u32).collect::<Vec<u32>>());
    image.push("values", postings.iter().map(|(_, value)| *value).collect::<Vec<f32>>());
    image.push("peaks", peaks);
    image.push("floors", floors);
    image.push("lengths", lengths);
    progress.add(vectors.len() as u64);
    Ok(())
}

/// Whether rows of `lengths` have a mean length, and counts are none by which nothing can be divided.
fn is_usual(postings: &[(u64, f32)], lengths: &[f32]) -> bool {
    let average = constants(lengths).average;
    average.is_normal() && postings.iter().all(|(_, count)| count.is_normal())
}
