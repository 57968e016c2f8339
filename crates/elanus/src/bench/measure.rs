//! Builds, and searches in rounds. Invariant: a search is timed on one thread, one query a call; every round goes once
//! over all searches, so that slow drift of the machine meets all alike.

use super::Mask;
use super::cache::Cache;
use super::data::{Dataset, fingerprint};
use super::plan::{Plan, Point};
use crate::show;
use bytes::Bytes;
use host::{Cancel, Pool, Progress};
use index::{Hits, Image, Index};
use serde_json::json;
use std::time::{Duration, Instant};

/// More than this is found only at a price that nobody pays.
const ENOUGH: f64 = 0.9995;
/// Searches before the clock starts.
const WARM: usize = 50;
/// How often the progress of a build is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// An index and what it cost.
pub(super) struct Built<'p> {
    pub(super) plan: &'p Plan,
    pub(super) index: Index,
    pub(super) cost: Cost,
    /// Bytes of the rows, which every search needs beside the index.
    pub(super) row_bytes: u64,
}

/// What a build took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    pub(super) wall_s: f64,
    /// Of the processor; not every system tells.
    pub(super) cpu_s: Option<f64>,
    pub(super) threads: usize,
    pub(super) disk_bytes: u64,
}

/// Builds what `plan` says, or takes it out of the cache: mapped, or read into memory.
pub(super) fn build<'p>(
    plan: &'p Plan,
    dataset: &Dataset,
    seed: u64,
    pool: &Pool,
    cache: Option<(&Cache, bool)>,
) -> Result<Built<'p>, String> {
    let rows = dataset.rows();
    let what = format!("{:?} {seed} {}", plan.spec.effective(), env!("CARGO_PKG_VERSION"));
    let name = format!("index-{:016x}", fingerprint(what.as_bytes(), dataset.fingerprint()));
    let opened = |image, cost| {
        let index = Index::open(&plan.spec, image, rows.len()).map_err(|error| error.to_string())?;
        Ok::<_, String>(Built { plan, index, cost, row_bytes: dataset.row_bytes() })
    };
    let kept = || {
        let (cache, is_mapped) = cache?;
        let (cost, mut image) = unwrap(cache.read(&name)?)?;
        if !is_mapped {
            image.sections.iter_mut().for_each(|(_, bytes)| *bytes = in_memory(bytes));
        }
        opened(image, cost).ok()
    };
    if let Some(kept) = kept() {
        return Ok(kept);
    }
    let (cancel, progress) = (Cancel::new(), Progress::new());
    let (start, cpu) = (Instant::now(), cpu_s());
    let image = std::thread::scope(|scope| {
        let work = scope.spawn(|| index::build(&plan.spec, rows, seed, pool, &cancel, &progress));
        while !work.is_finished() {
            let (done, total) = progress.get();
            show::bar("build", done, total);
            std::thread::sleep(LOOK.min(start.elapsed() / 8));
        }
        show::clear_bar();
        work.join().map_err(|_| "the build failed".to_owned())
    })?;
    let image = image.map_err(|error| format!("{}: {error}", plan.name))?;
    let cost = Cost {
        wall_s: start.elapsed().as_secs_f64(),
        cpu_s: cpu.zip(cpu_s()).map(|(before, after)| after - before),
        threads: pool.threads(),
        disk_bytes: image.bytes(),
    };
    if let Some((cache, _)) = cache {
        cache.write(&name, &wrap(&image, cost));
    }
    kept().map_or_else(|| opened(image, cost), Ok)
}

/// A copy that begins where a line of the processor's cache does.
fn in_memory(bytes: &Bytes) -> Bytes {
    const LINE: usize = 64;
    let mut copy: Vec<u8> = Vec::with_capacity(bytes.len() + LINE);
    let start = copy.as_ptr().align_offset(LINE).min(LINE);
    copy.resize(start, 0);
    copy.extend_from_slice(bytes);
    Bytes::from(copy).slice(start..)
}

/// An image together with what it cost.
fn wrap(image: &Image, cost: Cost) -> Vec<(String, Bytes)> {
    let cost = json!({"wall_s": cost.wall_s, "cpu_s": cost.cpu_s, "threads": cost.threads, "disk_bytes": cost.disk_bytes});
    let parts = image.sections.iter().map(|(name, bytes)| (format!("image/{name}"), bytes.clone()));
    std::iter::once(("cost".to_owned(), Bytes::from(cost.to_string()))).chain(parts).collect()
}

fn unwrap(sections: Vec<(String, Bytes)>) -> Option<(Cost, Image)> {
    let (_, cost) = sections.iter().find(|(name, _)| name == "cost")?;
    let cost: serde_json::Value = serde_json::from_slice(cost).ok()?;
    let cost = Cost {
        wall_s: cost.get("wall_s")?.as_f64()?,
        cpu_s: cost.get("cpu_s")?.as_f64(),
        threads: cost.get("threads")?.as_u64()? as usize,
        disk_bytes: cost.get("disk_bytes")?.as_u64()?,
    };
    let part = |(name, bytes): (String, Bytes)| Some((name.strip_prefix("image/")?.to_owned(), bytes));
    Some((cost, Image { sections: sections.into_iter().filter_map(part).collect() }))
}

/// Seconds of the processor that this process has used, to hundredths; where the system says so.
fn cpu_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Searches of one index for `k` rows among all, or those of a mask.
pub(super) struct Run<'a> {
    pub(super) built: &'a Built<'a>,
    pub(super) mask: Option<&'a Mask>,
    truth: &'a [Hits],
    pub(super) k: usize,
    pub(super) points: Vec<Measured>,
}

/// A way to search and what it brings.
pub(super) struct Measured {
    pub(super) point: Point,
    pub(super) recall: f64,
    /// Queries a second, a number a round.
    rounds: Vec<f64>,
}

impl Measured {
    /// Queries a second: the median of the rounds.
    pub(super) fn rate(&self) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_by(f64::total_cmp);
        rounds.get(rounds.len() / 2).copied().unwrap_or(0.0)
    }

    pub(super) fn rounds(&self) -> &[f64] {
        &self.rounds
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(built: &'a Built<'a>, mask: Option<&'a Mask>, truth: &'a [Hits], k: usize) -> Self {
        Self { built, mask, truth, k, points: Vec::new() }
    }

    /// All queries, one after the other: the answers, and how many a second.
    fn pass(&self, point: &Point, dataset: &Dataset) -> Result<(Vec<Hits>, f64), String> {
        let (rows, queries, cancel) = (dataset.rows(), dataset.queries(), Cancel::new());
        let mask = self.mask.map(|mask| &mask.bits);
        let mut all = Vec::with_capacity(queries.len());
        let search = |q: usize| {
            self.built
                .index
                .search(rows, queries.slice(q..q + 1), &point.query, mask, &cancel)
                .map_err(|error| error.to_string())
        };
        for q in 0..WARM.min(queries.len()) {
            search(q)?;
        }
        let start = Instant::now();
        for q in 0..queries.len() {
            all.extend(search(q)?);
        }
        Ok((all, queries.len() as f64 / start.elapsed().as_secs_f64()))
    }

    /// The share of the true rows that was found; a row that is as near as the last of them is as good.
    fn recall(&self, found: &[Hits]) -> f64 {
        let metric = self.built.plan.spec.metric();
        let (mut hits, mut wanted) = (0, 0);
        for (found, truth) in found.iter().zip(self.truth) {
            let true_rows = &truth.rows[..self.k.min(truth.len())];
            wanted += true_rows.len();
            let Some(last) = true_rows.len().checked_sub(1).map(|last| truth.scores[last]) else { continue };
            let is_hit = |(row, score): (&u32, &f32)| true_rows.contains(row) || !metric.better(last, *score);
            hits +=
                found.rows.iter().zip(&found.scores).filter(|hit| is_hit(*hit)).count().min(true_rows.len());
        }
        if wanted == 0 { 1.0 } else { hits as f64 / wanted as f64 }
    }

    /// The first round, which settles what is tried.
    fn explore(&mut self, dataset: &Dataset) -> Result<(), String> {
        let plan = self.built.plan;
        for point in plan.queries(self.k)? {
            let (found, rate) = self.pass(&point, dataset)?;
            let recall = self.recall(&found);
            self.points.push(Measured { point, recall, rounds: vec![rate] });
            if plan.is_open_ended && recall >= ENOUGH {
                break;
            }
        }
        Ok(())
    }

    fn again(&mut self, dataset: &Dataset) -> Result<(), String> {
        for at in 0..self.points.len() {
            let (_, rate) = self.pass(&self.points[at].point, dataset)?;
            self.points[at].rounds.push(rate);
        }
        Ok(())
    }
}

/// Measures everything `rounds` times.
pub(super) fn rounds(runs: &mut [Run<'_>], dataset: &Dataset, rounds: usize) -> Result<(), String> {
    let total = (rounds * runs.len()) as u64;
    for round in 0..rounds {
        for at in 0..runs.len() {
            show::bar("search", (round * runs.len() + at) as u64, total);
            if round == 0 { runs[at].explore(dataset)? } else { runs[at].again(dataset)? }
        }
    }
    show::clear_bar();
    Ok(())
}
