//! A graph made part by part, where memory has no room for all candidates at once. Invariant: the same rows and number of parts make the
//! same graph, with no more links a row than one that is made as a whole.
//!
//! Rows are shared out to centres, each row to the nearest two; a part has the rows of some centres. Each part is linked by
//! itself, and rows that are in two parts hold these together: their links are those of both, chosen anew (Subramanya et al.,
//! "DiskANN", NeurIPS 2019, section 4.2).

use host::{Cancel, Pool, Progress, Rng};
use simd::Bits;

use super::plan::Plan;
use crate::codec::{ByteRows, Codes, Pairs, Reach, Space};
use crate::graph::{Built, NONE, Pruner, build};
use crate::hits::order;
use crate::kmeans::{nearest_few, train};
use crate::{Error, Spec, Vectors};

/// Centres a part has.
const CENTERS: usize = 8;
/// Parts that a row is in at most.
const COPIES: usize = 2;
/// Parts at most: more of them cost more time and links than they save memory.
const PARTS_MAX: usize = 64;
/// Rows worked on by one task.
const TASK: usize = 1024;
/// Entries of a whole graph at most, and how many more there may be for what hangs together with no other.
const ENTRIES: usize = 256;
const MORE_ENTRIES: usize = 1024;

/// Bytes that making the graph of a row takes: its candidates, what is drafted of its links, groups it is in.
fn row_bytes((m, ef): (usize, usize)) -> u64 {
    (8 * (ef / 2).clamp(2 * m, 8 * m) + 24 * m + 64) as u64
}

/// Bytes that building a graph on disk takes in memory in one part, and at least: rows by a byte an element and the links.
fn bytes(rows: usize, stride: usize, degree: (usize, usize)) -> (u64, u64) {
    let held = (stride + 8 * degree.0 + 16) as u64;
    (rows as u64 * (held + row_bytes(degree)), rows as u64 * held)
}

/// The same for `rows` rows of `spec`.
pub(crate) fn need_bytes(spec: &Spec, rows: usize) -> (u64, u64) {
    let (_, ef) = spec.degree();
    bytes(rows, Space::stride_of(spec.dim()), (Plan::new(spec).degree(), ef))
}

/// In how many parts a graph of `rows` rows is made so that it takes no more than about `memory_bytes`.
fn count_of(rows: usize, stride: usize, degree: (usize, usize), memory_bytes: u64) -> usize {
    let (whole, least) = bytes(rows, stride, degree);
    if whole <= memory_bytes {
        return 1;
    }
    let room = memory_bytes.saturating_sub(least).max(1);
    let all = rows as u64 * COPIES as u64 * (row_bytes(degree) + stride as u64);
    usize::try_from(all.div_ceil(room)).unwrap_or(PARTS_MAX).clamp(2, PARTS_MAX)
}

/// Links the rows of `codes`, which `vectors` are, as [`build`] does, in as many parts as `memory_bytes` asks for.
pub(crate) fn link(
    (codes, vectors): (&ByteRows<'_>, Vectors<'_>),
    (m, ef): (usize, usize),
    memory_bytes: u64,
    seed: u64,
    (pool, cancel, progress): (&Pool, &Cancel, &Progress),
) -> Result<Built, Error> {
    let rows = codes.len();
    let count = count_of(rows, codes.space.stride(), (m, ef), memory_bytes).min(rows / TASK);
    if count < 2 {
        return build(codes, (m, ef, 0), seed, pool, cancel, progress);
    }
    let mut rng = Rng::new(seed).child("parts");
    let parts = share_out((codes, vectors), count, &mut rng, (pool, cancel))?;
    let total: usize = parts.iter().map(Vec::len).sum();
    let mut whole = Whole { codes, width: 2 * m, links: vec![NONE; 2 * m * rows], entries: Vec::new() };
    let (mut seen, mut told) = (0, 0);
    for part in &parts {
        let own: Vec<i8> =
            part.iter().flat_map(|row| bytemuck::cast_slice(codes.place(*row))).copied().collect();
        let view = ByteRows::new(codes.space, &own);
        let built = build(&view, (m, ef, 0), rng.next_u64(), pool, cancel, &Progress::new())?;
        whole.add(part, &built, ENTRIES / count, pool);
        seen += part.len();
        let share = rows * seen / total;
        progress.add((share - told) as u64);
        told = share;
    }
    whole.connect();
    Ok(Built { links: whole.links, entries: whole.entries })
}

/// The rows of each part, rising.
fn share_out(
    (codes, vectors): (&ByteRows<'_>, Vectors<'_>),
    count: usize,
    rng: &mut Rng,
    (pool, cancel): (&Pool, &Cancel),
) -> Result<Vec<Vec<u32>>, Error> {
    let rows = codes.len();
    let few = |centers: &Vec<i8>, ids: &[u32], few: usize| {
        let centers = ByteRows::new(codes.space, centers);
        let all: Vec<u32> = (0..centers.len() as u32).collect();
        nearest_few(codes, ids, (&centers, &all), few, pool)
    };
    let nearest = |centers: &Vec<i8>, ids: &[u32]| few(centers, ids, 1);
    let means = |lists: &[Vec<u32>]| codes.space.means(vectors, lists, pool);
    let centers = train((rows, count * CENTERS), rng, cancel, nearest, means)?;
    let mut lists = vec![Vec::new(); count * CENTERS];
    let ids: Vec<u32> = (0..rows as u32).collect();
    for ids in ids.chunks(TASK) {
        cancel.check()?;
        for (row, near) in ids.iter().zip(few(&centers, ids, COPIES).chunks_exact(COPIES)) {
            near.iter().filter(|list| **list != u32::MAX).for_each(|list| lists[*list as usize].push(*row));
        }
    }
    // The longest lists first, each to the part that is shortest.
    lists.sort_by_key(|list| std::cmp::Reverse(list.len()));
    let mut parts = vec![Vec::new(); count];
    for list in lists {
        if let Some(part) = parts.iter_mut().min_by_key(|part: &&mut Vec<u32>| part.len()) {
            part.extend(list);
        }
    }
    for part in &mut parts {
        part.sort_unstable();
        part.dedup();
    }
    parts.retain(|part| !part.is_empty());
    Ok(parts)
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
        let this = &*self;
        let width = this.width;
        let added = pool.map(part.len().div_ceil(TASK), |task| {
            let mut pruner = Pruner::new(this.codes.probe());
            let (mut probe, mut scores) = (this.codes.probe(), Vec::new());
            let range = task * TASK..((task + 1) * TASK).min(part.len());
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
        for (row, links) in part.iter().zip(added.iter().flat_map(|added| added.chunks_exact(width))) {
            self.links[*row as usize * width..][..width].copy_from_slice(links);
        }
        self.entries.extend(built.entries.iter().take(entries.max(1)).map(|entry| part[*entry as usize]));
    }

    /// Makes entries of rows that no entry leads to, the first of each piece that hangs together.
    fn connect(&mut self) {
        self.entries.sort_unstable();
        self.entries.dedup();
        let rows = self.links.len() / self.width;
        let mut reached = Bits::zeros(rows);
        let mut waiting = self.entries.clone();
        let limit = self.entries.len() + MORE_ENTRIES;
        let mut lost = 0..rows as u32;
        loop {
            while let Some(row) = waiting.pop() {
                if !reached.get(row as usize) {
                    reached.set(row as usize, true);
                    waiting.extend(self.of(row));
                }
            }
            match lost.find(|row| !reached.get(*row as usize)) {
                Some(row) if self.entries.len() < limit => {
                    self.entries.push(row);
                    waiting.push(row);
                }
                _ => return,
            }
        }
    }
}
