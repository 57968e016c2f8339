//! Making the lists. Invariant: within a list rows stand in rising order.

use host::{Cancel, Pool, Rng};
use simd::Lookups;

use super::fine;
use super::packed::pack;
use super::planes;
use super::spill::{CANDIDATES, second_lists};
use crate::codec::{BitRows, ByteRows, Codes, Members, PACKED, Recipe, Sketch, Space};
use crate::course::Course;
use crate::image::Image;
use crate::kmeans::{SAMPLE, nearest, nearest_few, train};
use crate::spec::Codec;
use crate::{Error, Spec, Vectors};

/// Fewer rows than this a list teach a centroid nothing.
const ROWS_A_LIST: usize = 39;
/// Rows assigned between two looks at the cancel flag: a part of all, but not fewer, and not more.
const BLOCKS: usize = 32;
const BLOCK: usize = 1024;
const BLOCK_MAX: usize = 4096;
/// Percent of the work that is done when there are centroids, and when rows are shared out to them.
const TRAINED: u64 = 30;
const SHARED_OUT: u64 = 60;

/// Builds the lists of `vectors` into `image`.
pub(crate) fn build(
    spec: &Spec,
    vectors: Vectors<'_>,
    seed: u64,
    pool: &Pool,
    (cancel, course): (&Cancel, &mut Course<'_>),
    image: &mut Image,
) -> Result<(), Error> {
    let rows = vectors.len();
    let count = count_of(spec, rows);
    let mut rng = Rng::new(seed).child("lists");
    let work = Work { spec, vectors, pool, cancel };
    course.stage(TRAINED);
    match spec.codec() {
        Codec::Raw => {
            let raw = BitRows { metric: spec.metric(), vectors };
            let nearest = |centroids: &Vec<u8>, ids: &[u32]| {
                let vectors = Vectors::Bits { dim: spec.dim(), bytes: centroids };
                nearest(&raw, ids, &BitRows { metric: spec.metric(), vectors }, pool)
            };
            let centroids = train((rows, count), &mut rng, cancel, nearest, |lists| work.bit_means(lists))?;
            work.share_out(count, |ids| (nearest(&centroids, ids), Vec::new()), course, image)?;
            image.push("centroids", centroids);
        }
        _ => {
            let space = Space::of(spec.metric(), vectors, pool);
            let codes = space.code(vectors, rows, |row| row, pool, cancel)?;
            let coded = ByteRows::new(&space, &codes);
            let nearest = |centroids: &Vec<i8>, ids: &[u32]| {
                nearest(&coded, ids, &ByteRows::new(&space, centroids), pool)
            };
            let means = |lists: &[Vec<u32>]| space.means(vectors, lists, pool);
            let centroids = train((rows, count), &mut rng, cancel, nearest, means)?;
            let Shares { starts, members, list_of } =
                work.share_coded((&space, &coded), &centroids, course, image)?;
            course.stage(100);
            space.write(image);
            if spec.is_planed() {
                drop(codes);
                image.push("centroids", centroids);
                return planes::build(vectors, (&space, &members), (pool, cancel), course, image);
            }
            if let Some(recipe) = spec.recipe() {
                drop(codes);
                let members = Members { vectors, rows: &members, lists: &list_of };
                let centers = (&space, &centroids[..], &starts[..]);
                work.sketch(recipe, centers, &members, seed, course, image)?;
                image.push("centroids", centroids);
            }
        }
    }
    Ok(())
}

/// How many lists `rows` rows have.
fn count_of(spec: &Spec, rows: usize) -> usize {
    spec.value("nlist").min(rows / ROWS_A_LIST).max(1).min(rows)
}

/// Bytes that [`build`] takes at most of `rows` rows with so many threads.
pub(crate) fn need_bytes(spec: &Spec, rows: usize, threads: usize) -> usize {
    let (count, dim) = (count_of(spec, rows), spec.dim());
    let sample = rows.min(SAMPLE * count);
    if spec.codec() == Codec::Raw {
        // Numbers of rows: all and the sample, once more in lists, which are half empty while they are made.
        let training = 8 * rows + 12 * sample + count * (dim / 4 + 48);
        return training.max(20 * rows + count * (dim / 8 + 48));
    }
    let (copies, stride) = (if spec.is_spilled() { 2 } else { 1 }, Space::stride_of(dim));
    let members = copies * rows;
    let centers = count * stride;
    let training = rows * (stride + 8) + 12 * sample + 2 * centers + count * (4 * dim + 48);
    let sharing = rows * (stride + 4) + 16 * members + centers + copies * count * (4 * dim + 48);
    // Members are kept as they are written, and the list of each.
    let held = 12 * members + centers + 4 * count * dim;
    let coded = match spec.recipe() {
        _ if spec.is_planed() => planes::need_bytes(rows, dim),
        None => 0,
        Some(recipe) => {
            let codes = members * recipe.stride(dim);
            // Each row twice while they are put into blocks, some of which are not full.
            let blocks = recipe.nibbles(dim).map_or(0, |nibbles| {
                let blocks = members.div_ceil(Lookups::ROWS) + count;
                let fine = if spec.is_coded_twice() { fine::need_bytes(rows, dim) } else { 0 };
                (blocks * Lookups::block_bytes(nibbles)).max(fine)
            });
            recipe.learning_bytes(members, dim, threads).max(codes + blocks)
        }
    };
    training.max(sharing).max(held + coded)
}

/// Which rows are in which list.
struct Shares {
    /// Where each list starts among the members, and where the last ends.
    starts: Vec<u32>,
    /// Rows in the order of lists.
    members: Vec<u32>,
    /// The list of each member.
    list_of: Vec<u32>,
}

struct Work<'a> {
    spec: &'a Spec,
    vectors: Vectors<'a>,
    pool: &'a Pool,
    cancel: &'a Cancel,
}

impl Work<'_> {
    /// Writes which list has which rows, and returns it. `assign` gives the list of each of some rows, and perhaps another.
    fn share_out(
        &self,
        count: usize,
        assign: impl Fn(&[u32]) -> (Vec<u32>, Vec<u32>),
        course: &mut Course<'_>,
        image: &mut Image,
    ) -> Result<Shares, Error> {
        course.stage(SHARED_OUT);
        let ids: Vec<u32> = (0..self.vectors.len() as u32).collect();
        let mut lists = vec![Vec::new(); count];
        for block in ids.chunks(ids.len().div_ceil(BLOCKS).clamp(BLOCK, BLOCK_MAX)) {
            self.cancel.check()?;
            let (first, second) = assign(block);
            for (i, (row, list)) in block.iter().zip(&first).enumerate() {
                lists[*list as usize].push(*row);
                if let Some(other) = second.get(i).filter(|other| *other != list) {
                    lists[*other as usize].push(*row);
                }
            }
            course.at(block.last().map_or(0, |last| *last as usize), ids.len());
        }
        drop(ids);
        let mut starts = vec![0u32];
        for list in &lists {
            starts.push(starts.last().copied().unwrap_or(0) + list.len() as u32);
        }
        let members = lists.concat();
        let each = |(list, rows): (usize, &Vec<u32>)| std::iter::repeat_n(list as u32, rows.len());
        let list_of = lists.iter().enumerate().flat_map(each).collect();
        image.push("starts", starts.clone());
        image.push("members", members.clone());
        Ok(Shares { starts, members, list_of })
    }

    /// Shares rows out to coded centroids, to two each where rows are spilled.
    fn share_coded(
        &self,
        (space, coded): (&Space, &ByteRows<'_>),
        centroids: &[i8],
        course: &mut Course<'_>,
        image: &mut Image,
    ) -> Result<Shares, Error> {
        let centers = ByteRows::new(space, centroids);
        let count = centers.len();
        let few = if self.spec.is_spilled() { CANDIDATES.min(count) } else { 1 };
        let all: Vec<u32> = (0..count as u32).collect();
        let decoded = if few > 1 { space.decode(centroids) } else { Vec::new() };
        let assign = |ids: &[u32]| {
            let found = nearest_few(coded, ids, (&centers, &all[..]), few, self.pool);
            if few == 1 {
                return (found, Vec::new());
            }
            let first = found.iter().step_by(few).copied().collect();
            let start = ids.first().map_or(0, |id| *id as usize);
            let rows = self.vectors.slice(start..start + ids.len());
            (first, second_lists(rows, space, &decoded, (&found, few), self.pool))
        };
        self.share_out(count, assign, course, image)
    }

    /// Codes rows as they are seen from the centres of their lists.
    fn sketch(
        &self,
        recipe: Recipe,
        (space, centers, starts): (&Space, &[i8], &[u32]),
        members: &Members<'_>,
        seed: u64,
        course: &mut Course<'_>,
        image: &mut Image,
    ) -> Result<(), Error> {
        let Self { spec, vectors, pool, cancel } = *self;
        let Some(nibbles) = recipe.nibbles(spec.dim()) else {
            return Sketch::build(spec, recipe, space, centers, members, seed, (pool, cancel), image);
        };
        let recipe = (recipe, PACKED);
        let sketch = Sketch::learn(spec, recipe, space, centers, members, seed, (pool, cancel), image)?;
        let codes = sketch.code(members, pool, cancel)?;
        image.push("blocks", pack(&codes, (sketch.stride(), nibbles), starts));
        drop(codes);
        course.at(1, 2);
        if spec.is_coded_twice() {
            fine::build(spec, vectors, space, (pool, cancel), image)?;
        }
        Ok(())
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
