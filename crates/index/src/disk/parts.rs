//! A graph made part by part, where memory has no room for all candidates at once. Invariant: the same rows and number of parts make the
//! same graph, with no more links a row than one that is made as a whole.
//!
//! Rows are shared out to centres, each row to the nearest two; a part has the rows of some centres. Each part is linked by
//! itself, and rows that are in two parts hold these together: their links are those of both, chosen anew (Subramanya et al.,
//! "DiskANN", NeurIPS 2019, section 4.2).

use std::ops::Range;

use host::{Cancel, Pool, Rng};
use simd::Bits;

use super::build::need_bytes as write_bytes;
use super::plan::Plan;
use crate::codec::{ByteRows, Codes, Pairs, Reach, Space};
use crate::course::{A_THREAD, Course};
use crate::graph::{Built, NONE, Pruner, build, need_bytes as need_bytes_of_graph};
use crate::hits::order;
use crate::kmeans::{nearest_few, train};
use crate::{Error, Spec, Vectors};

/// Centres a part has.
const CENTERS: usize = 8;
/// Parts that a row is in at most.
const COPIES: usize = 2;
/// So many parts are the smallest that are made: more of them cost more time and links than they save memory.
const PARTS: usize = 64;
/// Percent of the work that is done when rows are shared out.
const SHARED_OUT: u64 = 5;
/// Rows worked on by one task.
const TASK: usize = 1024;
/// Entries of a whole graph at most, and how many more there may be for what hangs together with no other.
const ENTRIES: usize = 256;
const MORE_ENTRIES: usize = 1024;

/// What a graph is made of, and by how many threads.
#[derive(Debug, Clone, Copy)]
struct Size {
    rows: usize,
    /// Bytes of a row by a byte an element.
    stride: usize,
    /// Links that a row chooses, and among how many.
    degree: (usize, usize),
    threads: usize,
}

impl Size {
    /// Bytes that linking takes at most besides the rows by a byte an element, as a whole.
    fn whole(self) -> usize {
        let Self { rows, stride, degree: (m, ef), threads } = self;
        need_bytes_of_graph(rows, stride, (m, ef, 0), threads)
    }

    /// The same in parts of `part` rows at most: the links of all rows and which are in which part, then a part. Before there are links,
    /// rows are shared out to lists and these to parts.
    fn in_parts(self, part: usize) -> usize {
        let Self { rows, stride, degree: (m, _), .. } = self;
        let one = part * stride + Self { rows: part, ..self }.whole();
        (rows * (8 * m + 4 * COPIES) + one).max(rows * (8 + 16 * COPIES))
    }

    /// Rows of the smallest parts that are made.
    fn part_min(self) -> usize {
        (COPIES * self.rows / PARTS).max(2 * TASK).min(self.rows)
    }

    /// How many rows a part may have where `memory_bytes` are for linking besides the rows by a byte an element; `None` if they are enough for
    /// all at once.
    fn part_of(self, memory_bytes: usize) -> Option<usize> {
        if self.whole() <= memory_bytes || self.rows < 2 * TASK {
            return None;
        }
        let (mut fits, mut beyond) = (self.part_min(), self.rows);
        while beyond - fits > 1 {
            let middle = fits.midpoint(beyond);
            if self.in_parts(middle) <= memory_bytes { fits = middle } else { beyond = middle }
        }
        Some(fits)
    }
}

/// Bytes that building a graph on disk of `rows` rows takes at most, made as a whole, and in the smallest parts.
pub(crate) fn need_bytes(spec: &Spec, rows: usize, threads: usize) -> (usize, usize) {
    let (plan, stride) = (Plan::new(spec), Space::stride_of(spec.dim()));
    let size = Size { rows, stride, degree: (plan.degree(), spec.degree().1), threads };
    // There are links while all is written.
    let writing = rows * 4 * plan.width + write_bytes(spec, plan, rows, threads);
    let with_rows = |linking: usize| writing.max(rows * stride + linking);
    let (whole, parts) = (with_rows(size.whole()), with_rows(size.in_parts(size.part_min())));
    (whole, whole.min(parts))
}

/// Links the rows of `codes`, which `vectors` are, as [`build`] does, in parts if `memory_bytes` with those of `codes` ask for them.
pub(crate) fn link(
    (codes, vectors): (&ByteRows<'_>, Vectors<'_>),
    degree: (usize, usize),
    memory_bytes: u64,
    seed: u64,
    (pool, cancel, mut course): (&Pool, &Cancel, Course<'_>),
) -> Result<Built, Error> {
    let ((m, ef), rows, stride) = (degree, codes.len(), codes.space.stride());
    let size = Size { rows, stride, degree, threads: pool.threads() };
    let memory_bytes = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    let Some(most) = size.part_of(memory_bytes.saturating_sub(rows * stride)) else {
        return build(codes, (m, ef, 0), seed, pool, cancel, course);
    };
    let mut rng = Rng::new(seed).child("parts");
    course.stage(SHARED_OUT);
    let parts = share_out((codes, vectors), most, &mut rng, (pool, cancel, &mut course))?;
    let total: usize = parts.iter().map(Vec::len).sum();
    let mut whole = Whole { codes, width: 2 * m, links: vec![NONE; 2 * m * rows], entries: Vec::new() };
    course.stage(100);
    let mut seen = 0;
    for part in &parts {
        cancel.check()?;
        let mut own: Vec<i8> = Vec::with_capacity(part.len() * stride);
        part.iter().for_each(|row| own.extend_from_slice(bytemuck::cast_slice(codes.place(*row))));
        let view = ByteRows::new(codes.space, &own);
        let stretch = course.stretch((seen, part.len()), total);
        let built = build(&view, (m, ef, 0), rng.next_u64(), pool, cancel, stretch)?;
        whole.add(part, &built, ENTRIES / parts.len(), pool);
        seen += part.len();
    }
    cancel.check()?;
    whole.connect();
    course.finish();
    Ok(Built { links: whole.links, entries: whole.entries })
}

/// The rows of each part, rising, `most` in each.
fn share_out(
    (codes, vectors): (&ByteRows<'_>, Vectors<'_>),
    most: usize,
    rng: &mut Rng,
    (pool, cancel, course): (&Pool, &Cancel, &mut Course<'_>),
) -> Result<Vec<Vec<u32>>, Error> {
    let rows = codes.len();
    let few = |centers: &Vec<i8>, ids: &[u32], few: usize| {
        let centers = ByteRows::new(codes.space, centers);
        let all: Vec<u32> = (0..centers.len() as u32).collect();
        nearest_few(codes, ids, (&centers, &all), few, pool)
    };
    let nearest = |centers: &Vec<i8>, ids: &[u32]| few(centers, ids, 1);
    let means = |lists: &[Vec<u32>]| codes.space.means(vectors, lists, pool);
    let count = (COPIES * rows).div_ceil(most).max(2);
    let centers = train((rows, count * CENTERS), rng, cancel, nearest, means)?;
    let mut lists = vec![Vec::new(); count * CENTERS];
    let ids: Vec<u32> = (0..rows as u32).collect();
    for ids in ids.chunks(TASK) {
        cancel.check()?;
        for (row, near) in ids.iter().zip(few(&centers, ids, COPIES).chunks_exact(COPIES)) {
            near.iter().filter(|list| **list != u32::MAX).for_each(|list| lists[*list as usize].push(*row));
        }
        course.at(ids.last().map_or(0, |last| *last as usize), rows);
    }
    Ok(packed(lists, most))
}

/// The rows of `lists` in as few parts as have room for `most` each, or nearly so few: rising, each once in a part.
fn packed(lists: Vec<Vec<u32>>, most: usize) -> Vec<Vec<u32>> {
    let total: usize = lists.iter().map(Vec::len).sum();
    // What is longer than a part is cut into pieces that each have some of all its rows.
    let cut = |list: Vec<u32>| {
        let pieces = list.len().div_ceil(most).max(1);
        (0..pieces).map(move |piece| list.iter().skip(piece).step_by(pieces).copied().collect::<Vec<u32>>())
    };
    let mut lists: Vec<Vec<u32>> = lists.into_iter().flat_map(cut).filter(|list| !list.is_empty()).collect();
    // The longest lists first, each to the part that is shortest.
    lists.sort_by_key(|list| std::cmp::Reverse(list.len()));
    let share = |count: usize| {
        let mut lens = vec![0; count];
        let shortest = |list: &Vec<u32>| {
            let part = (0..count).min_by_key(|part| lens[*part]).unwrap_or(0);
            lens[part] += list.len();
            part
        };
        let places: Vec<usize> = lists.iter().map(shortest).collect();
        (places, lens)
    };
    let fits = |(_, lens): &(Vec<usize>, Vec<usize>)| lens.iter().all(|len| *len <= most);
    let counts = total.div_ceil(most).max(1)..=lists.len();
    let Some((places, lens)) = counts.map(share).find(fits) else { return lists };
    let mut parts: Vec<Vec<u32>> = lens.into_iter().map(Vec::with_capacity).collect();
    for (list, part) in lists.into_iter().zip(places) {
        parts[part].extend(list);
    }
    for part in &mut parts {
        part.sort_unstable();
        part.dedup();
    }
    parts
}

/// The graph of all rows, as far as it is made.
struct Whole<'a> {
    codes: &'a ByteRows<'a>,
    width: usize,
    links: Vec<u32>,
    entries: Vec<u32>,
}

impl Whole<'_> {
    fn of(&self, row: u32) -> impl Iterator<Item = u32> + '_ {
        let links = &self.links[row as usize * self.width..][..self.width];
        links.iter().copied().take_while(|near| *near != NONE)
    }

    /// Adds the graph of a part, and some of its entries.
    fn add(&mut self, part: &[u32], built: &Built, entries: usize, pool: &Pool) {
        let wave = TASK * A_THREAD * pool.threads();
        for first in (0..part.len()).step_by(wave) {
            self.add_some(part, first..(first + wave).min(part.len()), built, pool);
        }
        self.entries.extend(built.entries.iter().take(entries.max(1)).map(|entry| part[*entry as usize]));
    }

    /// Adds the links of the rows of a part that stand at `places`.
    fn add_some(&mut self, part: &[u32], places: Range<usize>, built: &Built, pool: &Pool) {
        let this = &*self;
        let width = this.width;
        let added = pool.map(places.len().div_ceil(TASK), |task| {
            let mut pruner = Pruner::new(this.codes.probe());
            let (mut probe, mut scores) = (this.codes.probe(), Vec::new());
            let start = places.start + task * TASK;
            let range = start..(start + TASK).min(places.end);
            let mut added = Vec::with_capacity(range.len() * width);
            for at in range {
                let own = built.links[at * width..][..width].iter().take_while(|near| **near != NONE);
                let mut links: Vec<u32> = own.map(|near| part[*near as usize]).collect();
                let before = links.len();
                links.extend(this.of(part[at]));
                if links.len() > before && before > 0 {
                    links.sort_unstable();
                    links.dedup();
                    this.codes.aim_row(&mut probe, part[at]);
                    this.codes.scores(&probe, &links, Reach::Scattered, &mut scores);
                    let mut both: Vec<u64> =
                        links.iter().zip(&scores).map(|(near, score)| order(*score, *near)).collect();
                    both.sort_unstable();
                    if both.len() > width {
                        pruner.prune(this.codes, &mut both, width);
                    }
                    links.clear();
                    links.extend(both.iter().map(|near| *near as u32));
                }
                links.resize(width, NONE);
                added.extend(links);
            }
            added
        });
        let added = added.iter().flat_map(|added| added.chunks_exact(width));
        for (row, links) in part[places].iter().zip(added) {
            self.links[*row as usize * width..][..width].copy_from_slice(links);
        }
    }

    /// Makes entries of rows that no entry leads to, the first of each piece that hangs together.
    fn connect(&mut self) {
        self.entries.sort_unstable();
        self.entries.dedup();
        let rows = self.links.len() / self.width;
        let mut reached = Bits::zeros(rows);
        let mut waiting = self.entries.clone();
        waiting.iter().for_each(|row| reached.set(*row as usize, true));
        let limit = self.entries.len() + MORE_ENTRIES;
        let mut lost = 0..rows as u32;
        loop {
            while let Some(row) = waiting.pop() {
                for near in self.of(row) {
                    if !reached.get(near as usize) {
                        reached.set(near as usize, true);
                        waiting.push(near);
                    }
                }
            }
            match lost.find(|row| !reached.get(*row as usize)) {
                Some(row) if self.entries.len() < limit => {
                    self.entries.push(row);
                    reached.set(row as usize, true);
                    waiting.push(row);
                }
                _ => return,
            }
        }
    }
}
