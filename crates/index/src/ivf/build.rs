//! Making the lists. Invariant: within a list rows stand in rising order.

use host::{Cancel, Pool, Progress, Rng};

use super::fine;
use super::packed::pack;
use super::planes;
use super::spill::{CANDIDATES, second_lists};
use crate::codec::{BitRows, ByteRows, Codes, Members, PACKED, Sketch, Space};
use crate::image::Image;
use crate::kmeans::{nearest, nearest_few, train};
use crate::spec::Codec;
use crate::{Error, Spec, Vectors};

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
            work.share_out(count, |ids| (nearest(&centroids, ids), Vec::new()), image)?;
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
                work.share_coded((&space, &coded), &centroids, image)?;
            space.write(image);
            if spec.is_planed() {
                drop(codes);
                image.push("centroids", centroids);
                return planes::build(vectors, (&space, &members), (pool, cancel), image);
            }
            if let Some(recipe) = spec.recipe() {
                drop(codes);
                let members = Members { vectors, rows: &members, lists: &list_of };
                if let Some(nibbles) = recipe.nibbles(spec.dim()) {
                    let sketch = Sketch::learn(
                        spec,
                        (recipe, PACKED),
                        &space,
                        &centroids,
                        &members,
                        seed,
                        (pool, cancel),
                        image,
                    )?;
                    let codes = sketch.code(&members, pool, cancel)?;
                    image.push("blocks", pack(&codes, (sketch.stride(), nibbles), &starts));
                    if spec.is_coded_twice() {
                        fine::build(spec, vectors, &space, (pool, cancel), image)?;
                    }
                } else {
                    Sketch::build(spec, recipe, &space, &centroids, &members, seed, (pool, cancel), image)?;
                }
                image.push("centroids", centroids);
            }
        }
    }
    Ok(())
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
    progress: &'a Progress,
}

impl Work<'_> {
    /// Writes which list has which rows, and returns it. `assign` gives the list of each of some rows, and perhaps another.
    fn share_out(
        &self,
        count: usize,
        assign: impl Fn(&[u32]) -> (Vec<u32>, Vec<u32>),
        image: &mut Image,
    ) -> Result<Shares, Error> {
        let ids: Vec<u32> = (0..self.vectors.len() as u32).collect();
        let mut lists = vec![Vec::new(); count];
        for block in ids.chunks(BLOCK) {
            self.cancel.check()?;
            let (first, second) = assign(block);
            for (i, (row, list)) in block.iter().zip(&first).enumerate() {
                lists[*list as usize].push(*row);
                if let Some(other) = second.get(i).filter(|other| *other != list) {
                    lists[*other as usize].push(*row);
                }
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
        image.push("starts", starts.clone());
        image.push("members", members.clone());
        Ok(Shares { starts, members, list_of })
    }

    /// Shares rows out to coded centroids, to two each where rows are spilled.
    fn share_coded(
        &self,
        (space, coded): (&Space, &ByteRows<'_>),
        centroids: &[i8],
        image: &mut Image,
    ) -> Result<Shares, Error> {
        let centers = ByteRows::new(space, centroids);
        let count = centers.len();
        let few = if self.spec.is_spilled() { CANDIDATES.min(count) } else { 1 };
        let all: Vec<u32> = (0..count as u32).collect();
        let assign = |ids: &[u32]| {
            let found = nearest_few(coded, ids, (&centers, &all[..]), few, self.pool);
            if few == 1 {
                return (found, Vec::new());
            }
            let first = found.iter().step_by(few).copied().collect();
            let start = ids.first().map_or(0, |id| *id as usize);
            let rows = self.vectors.slice(start..start + ids.len());
            (first, second_lists(rows, space, centroids, (&found, few), self.pool))
        };
        self.share_out(count, assign, image)
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
