//! Making the lists. Invariant: within a list rows stand in rising order.

use host::{Cancel, Pool, Progress, Rng};

use crate::codec::{BitRows, ByteRows, Members, Sketch, Space};
use crate::image::Image;
use crate::kmeans::{nearest, train};
use crate::score::norm;
use crate::spec::Codec;
use crate::{Error, Metric, Spec, Vectors};

/// Fewer rows than this a list teach a centroid nothing.
const ROWS_A_LIST: usize = 39;
/// Rows assigned between two looks at the cancel flag.
const BLOCK: usize = 4096;

/// Builds the lists of `vectors` into `image`.
pub(crate) fn build(
    spec: &Spec,
    vectors: Vectors<'_>,
    seed: u64,
    pool: &Pool,
    (cancel, progress): (&Cancel, &Progress),
    image: &mut Image,
) -> Result<(), Error> {
    let rows = vectors.len();
    let count = spec.value("nlist").min(rows / ROWS_A_LIST).max(1).min(rows);
    let mut rng = Rng::new(seed).child("lists");
    let work = Work { spec, vectors, pool, cancel, progress };
    match spec.codec() {
        Codec::Raw => {
            let raw = BitRows { metric: spec.metric(), vectors };
            let nearest = |centroids: &Vec<u8>, ids: &[u32]| {
                let vectors = Vectors::Bits { dim: spec.dim(), bytes: centroids };
                nearest(&raw, ids, &BitRows { metric: spec.metric(), vectors }, pool)
            };
            let centroids = train((rows, count), &mut rng, cancel, nearest, |lists| work.bit_means(lists))?;
            work.share_out(count, |ids| nearest(&centroids, ids), image)?;
            image.push("centroids", centroids);
        }
        _ => {
            let space = Space::of(spec.metric(), vectors, pool);
            let codes = space.code(vectors, rows, |row| row, pool, cancel)?;
            let coded = ByteRows { space: &space, codes: &codes };
            let nearest = |centroids: &Vec<i8>, ids: &[u32]| {
                nearest(&coded, ids, &ByteRows { space: &space, codes: centroids }, pool)
            };
            let means = |lists: &[Vec<u32>]| work.float_means(&space, lists);
            let centroids = train((rows, count), &mut rng, cancel, nearest, means)?;
            let (members, lists) = work.share_out(count, |ids| nearest(&centroids, ids), image)?;
            space.write(image);
            if let Some(recipe) = spec.recipe() {
                drop(codes);
                let members = Members { vectors, rows: &members, lists: &lists };
                Sketch::build(spec, recipe, &space, &centroids, &members, seed, (pool, cancel), image)?;
                image.push("centroids", centroids);
                return Ok(());
            }
            image.push("centroids", centroids);
            let stride = space.stride();
            let mut sorted = Vec::with_capacity(codes.len());
            members
                .iter()
                .for_each(|row| sorted.extend_from_slice(&codes[*row as usize * stride..][..stride]));
            image.push("codes", sorted);
        }
    }
    Ok(())
}

struct Work<'a> {
    spec: &'a Spec,
    vectors: Vectors<'a>,
    pool: &'a Pool,
    cancel: &'a Cancel,
    progress: &'a Progress,
}

impl Work<'_> {
    /// Writes which list has which rows, and returns the rows in the order of lists, and the list of each.
    fn share_out(
        &self,
        count: usize,
        nearest: impl Fn(&[u32]) -> Vec<u32>,
        image: &mut Image,
    ) -> Result<(Vec<u32>, Vec<u32>), Error> {
        let ids: Vec<u32> = (0..self.vectors.len() as u32).collect();
        let mut lists = vec![Vec::new(); count];
        for block in ids.chunks(BLOCK) {
            self.cancel.check()?;
            for (row, list) in block.iter().zip(nearest(block)) {
                lists[list as usize].push(*row);
            }
            self.progress.add(block.len() as u64);
        }
        let mut starts = vec![0u32];
        for list in &lists {
            starts.push(starts.last().copied().unwrap_or(0) + list.len() as u32);
        }
        let members = lists.concat();
        let each = |(list, rows): (usize, &Vec<u32>)| std::iter::repeat_n(list as u32, rows.len());
        let list_of = lists.iter().enumerate().flat_map(each).collect();
        image.push("starts", starts);
        image.push("members", members.clone());
        Ok((members, list_of))
    }

    fn float_means(&self, space: &Space, lists: &[Vec<u32>]) -> Vec<i8> {
        let dim = self.spec.dim();
        let cosine = self.spec.metric() == Metric::Cosine;
        let means = self.pool.map(lists.len(), |list| {
            let (mut mean, mut room) = (vec![0f32; dim], Vec::new());
            for row in &lists[list] {
                let values = self.vectors.floats(*row as usize, &mut room);
                let length = if cosine { norm(values) } else { 1.0 };
                let share = if length > 0.0 { 1.0 / (length * lists[list].len() as f32) } else { 0.0 };
                mean.iter_mut().zip(values).for_each(|(mean, value)| *mean += value * share);
            }
            mean
        });
        let means = Vectors::F32 { dim, values: &means.concat() };
        // Nothing is cancelled half-way through so small a piece of work.
        space.code(means, lists.len(), |row| row, self.pool, &Cancel::new()).unwrap_or_default()
    }

    /// The majority of every bit.
    fn bit_means(&self, lists: &[Vec<u32>]) -> Vec<u8> {
        let means = self.pool.map(lists.len(), |list| {
            let mut ones = vec![0usize; self.spec.dim()];
            for row in &lists[list] {
                for (eight, byte) in ones.chunks_mut(8).zip(self.vectors.bytes(*row as usize)) {
                    eight
                        .iter_mut()
                        .enumerate()
                        .for_each(|(bit, ones)| *ones += usize::from(byte >> bit & 1));
                }
            }
            let byte = |eight: &[usize]| {
                eight.iter().rev().fold(0u8, |byte, ones| byte << 1 | u8::from(ones * 2 > lists[list].len()))
            };
            ones.chunks(8).map(byte).collect::<Vec<u8>>()
        });
        means.concat()
    }
}
