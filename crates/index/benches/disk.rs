//! A graph on disk of rows four times larger than the memory it is allowed.
//! `cargo bench -p index --bench disk -- [arxiv|sift|mnist] [times=4] [index_type=AISAQ max_degree=48 ...] [memory=90]`, with `memory` for
//! a build that is allowed so many MB.
//!
//! The set is a real one, made larger: beside each row stand `times - 1` others, each a mix of the row (50 to 90 %) and one of
//! its eight nearest, with noise of a tenth of their distance. What is built is kept for the next run with the same words.
//! Searches run in a process of their own, in a control group that is allowed a quarter of the bytes of the rows (where the
//! system lets us make one; otherwise what is resident says it), and read the disk past the system's cache. The disk's limit
//! is measured between searches: random reads of the same size, from as many threads, as many together as a search asks for.

#[expect(dead_code, reason = "shared with the table, which has more sets")]
#[path = "table/data.rs"]
mod data;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use host::{Cancel, Pool, Progress, Rng};
use index::{
    Element, Hits, Image, Index, Metric, PAGE_BYTES, Pages, Query, Spec, Vectors, build, build_paged, scan,
};
use store::{Disk, Folder, Pieces};

const K: usize = 10;
const QUERIES: usize = 500;
const NEAR: usize = 8;
const GROUP: &str = "/sys/fs/cgroup/memory/elanus-bench-disk";

type Params = Vec<(String, String)>;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let name = words.iter().find(|word| !word.contains('=')).map_or("arxiv", String::as_str);
    let given = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let number = |key: &str, default: usize| given(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let times = number("times", 4);
    let set = Grown { name: name.to_owned(), times, folder: folder(&format!("{name}-{times}"))? };
    let rows = set.rows()?;
    let mut params: Params = words
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    for (key, value) in [("index_type", "DISKANN"), ("metric_type", rows.metric.name())] {
        if given(key).is_none() {
            params.push((key.to_owned(), value.to_owned()));
        }
    }
    let spec = Spec::parse(Element::F32, rows.dim, &params).expect("valid parameters");
    let about = spec.effective().iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("-");
    let place = folder(&format!("{name}-{times}/{about}-{}", given("memory").unwrap_or("all")))?;
    let allowed = (rows.bytes.len() / number("share", 4)) as u64;
    if given("measure").is_some() {
        return measure(&rows, &spec, &place, (&params, allowed, number("depth", 0)));
    }
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{name} x {times}: {} rows of {}, {:.0} MB, {:.0} MB allowed; {:?}",
        rows.view().len(),
        rows.dim,
        mb(rows.bytes.len() as u64),
        mb(allowed),
        spec.effective()
    )?;
    if !place.join("nodes").exists() {
        let start = Instant::now();
        let bytes =
            given("memory").and_then(|mb| mb.parse::<u64>().ok()).map_or(u64::MAX, |mb| mb * 1_000_000);
        let (before, peak) = (own_kb(), peak_of(|| make(&spec, &rows, bytes, &place))?);
        writeln!(
            out,
            "built in {:.0} s, with at most {:.0} MB of memory besides the mapped rows",
            start.elapsed().as_secs_f64(),
            (peak - before) as f64 * 1024.0 / 1e6
        )?;
    }
    // Nothing is to be in the system's cache from before.
    Command::new("sync").status()?;
    for file in fs::read_dir(&place)?.chain(fs::read_dir(&set.folder)?) {
        let path = file?.path().display().to_string();
        Command::new("dd")
            .args([format!("if={path}").as_str(), "iflag=nocache", "count=0", "status=none"])
            .status()?;
    }
    out.flush()?;
    let is_limited = limit(allowed).is_ok();
    if !is_limited {
        writeln!(out, "no control group: nothing holds the limit but what is resident")?;
    }
    drop(rows);
    Command::new(std::env::current_exe()?).args(&words).arg("measure=1").status()?;
    fs::remove_dir(GROUP).or(Ok(()))
}

/// Builds an index in files, one a section; the nodes are written as they are made.
fn make(spec: &Spec, rows: &Rows, memory_bytes: u64, place: &Path) -> io::Result<()> {
    let pool = Pool::new("build", 2).expect("threads");
    let mut nodes = fs::File::create(place.join("nodes.part"))?;
    let mut append = |bytes: Vec<u8>| nodes.write_all(&bytes);
    let (cancel, progress) = (Cancel::new(), Progress::new());
    let pages = (memory_bytes, &mut append as &mut dyn FnMut(Vec<u8>) -> io::Result<()>);
    let image = build_paged(spec, rows.view(), 1, &pool, &cancel, &progress, pages).expect("a build");
    for (section, bytes) in &image.sections {
        fs::write(place.join(section), bytes)?;
    }
    fs::rename(place.join("nodes.part"), place.join("nodes"))
}

/// The memory of this process that is no file's, in kB.
fn own_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Does it, and says how much memory of its own this process had at most meanwhile, looked at 50 times a second.
fn peak_of(work: impl FnOnce() -> io::Result<()>) -> io::Result<u64> {
    let (peak, is_done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while is_done.load(Ordering::Relaxed) == 0 {
                peak.fetch_max(own_kb() as usize, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let outcome = work();
        is_done.store(1, Ordering::Relaxed);
        outcome
    })?;
    Ok(peak.into_inner() as u64)
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn folder(name: &str) -> io::Result<PathBuf> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disk").join(name);
    fs::create_dir_all(&path)?;
    Ok(path)
}

/// Makes a control group that is allowed so much memory, the system's cache included.
fn limit(bytes: u64) -> io::Result<()> {
    fs::create_dir_all(GROUP)?;
    fs::write(format!("{GROUP}/memory.limit_in_bytes"), bytes.to_string())
}

/// A real set made larger, in files.
struct Grown {
    name: String,
    times: usize,
    folder: PathBuf,
}

/// Its rows, mapped.
struct Rows {
    dim: usize,
    metric: Metric,
    bytes: Bytes,
    queries: Bytes,
    /// Ten rows a query.
    truth: Bytes,
}

impl Rows {
    fn view(&self) -> Vectors<'_> {
        Vectors::F32 { dim: self.dim, values: bytemuck::cast_slice(&self.bytes) }
    }

    fn queries(&self) -> Vectors<'_> {
        Vectors::F32 { dim: self.dim, values: bytemuck::cast_slice(&self.queries) }
    }
}

impl Grown {
    fn rows(&self) -> io::Result<Rows> {
        let (dim, metric) = match self.name.as_str() {
            "arxiv" => (384, Metric::Cosine),
            "sift" => (128, Metric::L2),
            _ => (784, Metric::L2),
        };
        if !self.folder.join("truth").exists() {
            self.make(dim, metric)?;
        }
        let disk = Folder::open(&self.folder)?;
        Ok(Rows {
            dim,
            metric,
            bytes: disk.map("rows")?,
            queries: disk.map("queries")?,
            truth: disk.map("truth")?,
        })
    }

    fn make(&self, dim: usize, metric: Metric) -> io::Result<()> {
        let set = data::set(&self.name);
        assert_eq!(set.dim, dim, "the real set is in ELANUS_DATA");
        let base = Vectors::F32 { dim, values: &set.rows };
        let near = neighbours(base, metric);
        let mut rng = Rng::new(4);
        let mut rows = set.rows.clone();
        for _ in 1..self.times {
            for (row, near) in set.rows.chunks_exact(dim).zip(&near) {
                let other = near[rng.below(near.len() as u64) as usize] as usize;
                let other = &set.rows[other * dim..][..dim];
                let share = 0.5 + 0.4 * rng.below(1 << 20) as f32 / (1 << 20) as f32;
                let apart = row.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
                let noise = 0.1 * apart / (dim as f32).sqrt();
                rows.extend(
                    row.iter()
                        .zip(other)
                        .map(|(a, b)| share * a + (1.0 - share) * b + noise * rng.normal() as f32),
                );
            }
        }
        let queries = &set.queries[..QUERIES * dim];
        let mut truth = vec![Hits::default(); QUERIES];
        let view = Vectors::F32 { dim, values: &rows };
        let asked = Vectors::F32 { dim, values: queries };
        scan(metric, view, asked, 0, None, &Query::exact(metric, K), &mut truth, &Cancel::new())
            .expect("a scan");
        let truth: Vec<u32> = truth.into_iter().flat_map(|hits| hits.rows).collect();
        fs::write(self.folder.join("rows"), bytemuck::cast_slice(&rows))?;
        fs::write(self.folder.join("queries"), bytemuck::cast_slice(queries))?;
        fs::write(self.folder.join("truth"), bytemuck::cast_slice(&truth))
    }
}

/// The nearest of each row.
fn neighbours(rows: Vectors<'_>, metric: Metric) -> Vec<Vec<u32>> {
    let params =
        [("index_type", "HNSW"), ("metric_type", metric.name()), ("M", "16"), ("efConstruction", "100")];
    let params: Params = params.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    let spec = Spec::parse(rows.element(), rows.dim(), &params).expect("valid parameters");
    let (pool, cancel) = (Pool::new("build", 2).expect("threads"), Cancel::new());
    let image = build(&spec, rows, 1, &pool, &cancel, &Progress::new()).expect("a build");
    let index = Index::open(&spec, image, rows.len()).expect("its own image");
    let query = spec.query(NEAR + 1, &[]).expect("a valid query");
    pool.map(rows.len(), |row| {
        let hits = index.search(rows, rows.slice(row..row + 1), &query, None, &cancel).expect("a search");
        hits[0].rows.iter().copied().filter(|other| *other as usize != row).collect()
    })
}

/// Nodes in a file.
#[derive(Debug)]
struct File(Box<dyn Pieces>);

impl Pages for File {
    fn count(&self) -> u64 {
        self.0.len() / PAGE_BYTES as u64
    }

    fn read(&self, first: &[u64], into: &mut [u8]) -> io::Result<()> {
        let places: Vec<u64> = first.iter().map(|page| page * PAGE_BYTES as u64).collect();
        self.0.read(&places, into)
    }

    fn announce(&self, first: &[u64], each: usize) {
        let places: Vec<u64> = first.iter().map(|page| page * PAGE_BYTES as u64).collect();
        self.0.announce(&places, each * PAGE_BYTES);
    }
}

/// What threads share.
struct Bench<'a> {
    rows: &'a Rows,
    index: Index,
    pages: Arc<File>,
    /// Pages that are read at once from one place.
    block_pages: usize,
}

/// What the process of its own does.
fn measure(
    rows: &Rows,
    spec: &Spec,
    place: &Path,
    (params, allowed, depth): (&Params, u64, usize),
) -> io::Result<()> {
    let is_limited = fs::write(format!("{GROUP}/cgroup.procs"), std::process::id().to_string()).is_ok();
    let mut out = io::stdout().lock();
    let disk = Folder::open(place)?;
    let mut image = Image::default();
    for section in disk.list("")?.into_iter().filter(|section| section != "nodes") {
        image.sections.push((section.clone(), disk.map(&section)?));
    }
    let pages = Arc::new(File(disk.pieces("nodes")?));
    let count = rows.view().len();
    let index = Index::open_paged(spec, &image, count, pages.clone()).expect("its own image");
    drop(image);
    writeln!(
        out,
        "nodes {:.0} MB on the disk, the index keeps {:.1} MB in memory",
        mb(pages.0.len()),
        mb(index.memory_bytes())
    )?;
    let mut bench = Bench { rows, index, pages, block_pages: 1 };
    writeln!(
        out,
        "search_list  recall@10  reads  rounds | threads  queries/s  reads/s  the disk's reads/s  share"
    )?;
    let lists = params.iter().find(|(key, _)| key == "lists").map_or("16,32,64,112,192", |(_, lists)| lists);
    for search_list in lists.split(',') {
        let mut asked = params.clone();
        asked.push(("search_list".to_owned(), search_list.to_owned()));
        let query = spec.query(K, &asked).expect("a valid query");
        let before = bench.index.reads().unwrap_or_default();
        let recall = bench.recall(&query);
        let after = bench.index.reads().unwrap_or_default();
        bench.block_pages = (after.pages / after.reads.max(1)).max(1) as usize;
        let reads = (after.reads - before.reads) as f64 / QUERIES as f64;
        let rounds = (after.rounds - before.rounds) as f64 / QUERIES as f64;
        for threads in [1, 4, 16] {
            let together =
                if depth > 0 { depth } else { (reads / rounds.max(1.0)).round().max(1.0) as usize };
            let limit = bench.limit(threads, together) / 2.0;
            let rate = bench.rate(&query, threads);
            let limit = limit + bench.limit(threads, together) / 2.0;
            writeln!(
                out,
                "{search_list:>11}  {recall:9.4}  {reads:5.1}  {rounds:6.2} | {threads:7}  {rate:9.0}  {:7.0}  {limit:18.0}  {:4.0} %",
                rate * reads,
                100.0 * rate * reads / limit
            )?;
            out.flush()?;
        }
    }
    let failures = bench.index.reads().unwrap_or_default().failures;
    assert_eq!(failures, 0, "reads that failed");
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident =
        status.lines().filter(|line| ["VmHWM", "RssAnon", "RssFile"].iter().any(|key| line.starts_with(key)));
    let resident: Vec<String> =
        resident.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    writeln!(out, "{} (allowed {:.0} kB)", resident.join(", "), allowed as f64 / 1e3)?;
    if is_limited {
        let peak = fs::read_to_string(format!("{GROUP}/memory.max_usage_in_bytes")).unwrap_or_default();
        let peak: u64 = peak.trim().parse().unwrap_or(0);
        writeln!(out, "the control group took {:.1} MB at most, the system's cache included", mb(peak))?;
    }
    Ok(())
}

impl Bench<'_> {
    fn search(&self, q: usize, query: &Query) -> Hits {
        let one = self.rows.queries().slice(q..q + 1);
        let hits = self.index.search(self.rows.view(), one, query, None, &Cancel::new());
        hits.expect("a search").remove(0)
    }

    fn recall(&self, query: &Query) -> f64 {
        let truth: &[u32] = bytemuck::cast_slice(&self.rows.truth);
        let found: usize = (0..QUERIES)
            .map(|q| {
                let hits = self.search(q, query);
                hits.rows.iter().filter(|row| truth[q * K..][..K].contains(row)).count()
            })
            .sum();
        found as f64 / (QUERIES * K) as f64
    }

    /// Queries a second of so many threads.
    fn rate(&self, query: &Query, threads: usize) -> f64 {
        let next = AtomicUsize::new(0);
        let start = Instant::now();
        let work = || {
            while start.elapsed() < Duration::from_millis(1200) {
                let q = next.fetch_add(1, Ordering::Relaxed);
                self.search(q % QUERIES, query);
            }
        };
        std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
        next.into_inner() as f64 / start.elapsed().as_secs_f64()
    }

    /// Random reads a second of so many threads, each with `together` at once.
    fn limit(&self, threads: usize, together: usize) -> f64 {
        let done = AtomicUsize::new(0);
        let start = Instant::now();
        let blocks = self.pages.count() / self.block_pages as u64;
        let work = |thread: usize| {
            let mut rng = Rng::new(start.elapsed().as_nanos() as u64 + thread as u64);
            let each = self.block_pages * PAGE_BYTES;
            let mut room = vec![0u8; together * each + PAGE_BYTES];
            let from = room.as_ptr().align_offset(PAGE_BYTES);
            let mut first = vec![0; together];
            while start.elapsed() < Duration::from_millis(400) {
                first.fill_with(|| rng.below(blocks) * self.block_pages as u64);
                self.pages.read(&first, &mut room[from..from + together * each]).expect("a read");
                done.fetch_add(together, Ordering::Relaxed);
            }
        };
        std::thread::scope(|scope| {
            (0..threads).for_each(|thread| _ = scope.spawn(move || work(thread)));
        });
        done.into_inner() as f64 / start.elapsed().as_secs_f64()
    }
}
