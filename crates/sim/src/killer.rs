//! `kill -9` on real files: a child works on a folder with all its threads and tells each operation that was
//! acknowledged; its parent kills it at some moment, opens the folder and holds it against the truth.
//!
//! Invariant: operation `n` of a collection follows from the seed, the collection and `n` alone, so the child needs to
//! tell nothing but numbers.

use crate::check::Wrong;
use crate::client;
use crate::op::contents;
use crate::truth::{Collection, DEFAULT_PARTITION, Filter, Kind, Metric, Row, Truth};
use data::Timestamp;
use engine::api::{self, Write};
use engine::{Engine, Error, Settings};
use host::{Rng, SystemClock};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::Folder;

/// Collections, each with one writer.
const COLLECTIONS: u64 = 3;
/// Components of a vector.
const DIM: usize = 8;
/// Keys are below this.
const KEYS: u64 = 3_000;
/// Rounds on one folder before a new one is begun.
const ROUNDS_PER_FOLDER: u64 = 20;
/// The child is killed after at most this long.
const LIFE_MS_MAX: u64 = 400;

/// What a write of the child is.
enum Step {
    Insert(Vec<Row>),
    Upsert(Vec<Row>),
    Delete(Vec<i64>),
}

fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.to_owned(),
        search_threads: 2,
        build_threads: 2,
        index_rows_min: 100,
        segment_bytes_max: 128 << 10,
        merged_bytes_max: 2 << 20,
        idle_flush_ms: 20,
        build_delay_ms: 100,
        drop_index_online: true,
        ..Settings::default()
    }
}

fn name_of(collection: u64) -> String {
    format!("c{collection}")
}

/// Operation `number` of a collection.
fn step(seed: u64, collection: u64, number: u64) -> Step {
    let mut rng = Rng::new(seed).child(&format!("{collection} {number}"));
    let is_large = rng.chance(0.1);
    let rows = 1 + rng.below(if is_large { 300 } else { 20 });
    let first = rng.below(KEYS) as i64;
    let keys: Vec<i64> = (first..first + rows as i64).collect();
    match rng.below(10) {
        0..4 => Step::Insert(contents(&keys, number, DIM, &[])),
        4..8 => Step::Upsert(contents(&keys, number, DIM, &[])),
        _ => Step::Delete(keys),
    }
}

fn perform(engine: &Engine, name: &str, step: Step) -> Result<Timestamp, Error> {
    let rows = |rows: &[Row]| client::rows(name, "", false, DIM, rows);
    match step {
        Step::Insert(new) => engine.write(Write::Insert(rows(&new))).map(|written| written.timestamp),
        Step::Upsert(new) => engine.write(Write::Upsert(rows(&new))).map(|written| written.timestamp),
        Step::Delete(keys) => client::delete(engine, name, "", &Filter::Keys(keys), false),
    }
}

fn apply(truth: &mut Collection, step: Step, at: Timestamp) {
    match step {
        Step::Insert(rows) => truth.insert(DEFAULT_PARTITION, &rows, at),
        Step::Upsert(rows) => truth.upsert(DEFAULT_PARTITION, &rows, at),
        Step::Delete(keys) => truth.delete(None, &keys, at),
    }
}

/// The child: works until it is killed. `begin`: the next operation of each collection.
///
/// # Errors
/// The engine's; an error of the child is a failure.
pub fn child(folder: &Path, seed: u64, begin: &[u64]) -> Result<(), Error> {
    let engine = Engine::open(settings(folder))?;
    for collection in 0..COLLECTIONS {
        client::create(&engine, &name_of(collection), DIM, false, false)?;
        client::load(&engine, &name_of(collection), &[])?;
    }
    tell("ready");
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    std::thread::scope(|scope| {
        let note = |outcome: Result<(), Error>| {
            if let Err(error) = outcome {
                tell(&format!("error {error}"));
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        };
        for collection in 0..COLLECTIONS {
            let (engine, first) = (&engine, begin.get(collection as usize).copied().unwrap_or(0));
            scope.spawn(move || note(write_on(engine, seed, collection, first)));
            scope.spawn(move || note(disturb(engine, seed, collection, first)));
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// One line, in one write, at once.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: the parent is about to kill this process.
    drop(out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()));
}

fn write_on(engine: &Engine, seed: u64, collection: u64, first: u64) -> Result<(), Error> {
    let name = name_of(collection);
    for number in first.. {
        perform(engine, &name, step(seed, collection, number))?;
        tell(&format!("{collection} {number}"));
    }
    Ok(())
}

/// Flushes, merges, indexes and searches, which change no row.
fn disturb(engine: &Engine, seed: u64, collection: u64, first: u64) -> Result<(), Error> {
    let name = name_of(collection);
    let mut rng = Rng::new(seed).child(&format!("disturb {collection} {first}"));
    loop {
        match rng.below(6) {
            0 => drop(engine.run(api::Flush { targets: vec![client::target(&name)] })?),
            1 => drop(engine.run(api::Compact { target: client::target(&name), id: None })?),
            2 => drop(client::drop_index(engine, &name)?),
            3 => {
                client::drop_index(engine, &name)?;
                let kind = [Kind::Flat, Kind::Ivf, Kind::Hnsw][rng.below(3) as usize];
                client::create_index(engine, &name, kind, Metric::L2)?;
            }
            _ => drop(client::count(engine, &name, false, &Filter::All, Timestamp::ZERO)?),
        }
        std::thread::sleep(Duration::from_millis(rng.below(15)));
    }
}

/// What the killer came to.
#[derive(Debug, Default, Clone, Copy)]
pub struct Kills {
    /// Children killed.
    pub rounds: u64,
    /// Of these, before they had opened the folder.
    pub early: u64,
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Rounds after which a write under way was found done.
    pub done: u64,
}

/// A folder and what must be in it.
struct Grave {
    folder: tempfile::TempDir,
    truth: Truth,
    next: Vec<u64>,
}

impl Grave {
    fn new() -> Result<Self, Wrong> {
        let folder = tempfile::tempdir().map_err(|error| format!("no folder for the child: {error}"))?;
        Ok(Self { folder, truth: Truth::default(), next: vec![0; COLLECTIONS as usize] })
    }
}

/// Kills `rounds` children, each a run of `program child FOLDER SEED NEXT...`.
///
/// # Errors
/// What a folder lacks or has too much after a kill.
pub fn kill(program: &Path, seed: u64, rounds: u64) -> Result<Kills, String> {
    let mut rng = Rng::new(seed);
    let mut kills = Kills::default();
    let mut grave = Grave::new()?;
    for round in 0..rounds {
        if round % ROUNDS_PER_FOLDER == 0 {
            grave = Grave::new()?;
        }
        let outcome = one_round(program, seed, &mut grave, &mut rng, &mut kills);
        outcome.map_err(|wrong| format!("seed {seed}, round {round}: {wrong}"))?;
    }
    Ok(kills)
}

fn one_round(
    program: &Path,
    seed: u64,
    grave: &mut Grave,
    rng: &mut Rng,
    kills: &mut Kills,
) -> Result<(), Wrong> {
    let begin: Vec<String> = grave.next.iter().map(u64::to_string).collect();
    let mut command = Command::new(program);
    command.arg("child").arg(grave.folder.path()).arg(seed.to_string()).args(begin).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("the child does not start: {error}"))?;
    let out = child.stdout.take().ok_or("the child says nothing")?;
    let is_early = rng.chance(0.15);
    let life = Duration::from_millis(rng.below(if is_early { 15 } else { LIFE_MS_MAX }));
    let (ready, wait_ready) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let lines: Vec<String> = BufReader::new(out)
            .lines()
            .map_while(Result::ok)
            .inspect(|line| {
                if line == "ready" {
                    // The parent may have stopped waiting.
                    let _ = ready.send(());
                }
            })
            .collect();
        lines
    });
    if !is_early && wait_ready.recv().is_err() {
        child.wait().map_err(|error| error.to_string())?;
        let lines = reader.join().map_err(|_| "the reader has panicked")?;
        return Err(format!("the child has died by itself: {lines:?}"));
    }
    std::thread::sleep(life);
    child.kill().and_then(|()| child.wait()).map_err(|error| format!("cannot kill the child: {error}"))?;
    let lines = reader.join().map_err(|_| "the reader has panicked")?;
    kills.rounds += 1;
    kills.early += u64::from(!lines.iter().any(|line| line == "ready"));
    if let Some(error) = lines.iter().find(|line| line.starts_with("error")) {
        return Err(format!("the child had an {error}"));
    }
    for line in &lines {
        let mut numbers = line.split(' ').map(str::parse::<u64>);
        let (Some(Ok(collection)), Some(Ok(number))) = (numbers.next(), numbers.next()) else { continue };
        kills.acknowledged += 1;
        let at = Timestamp(number + 1);
        let truth = grave.truth.collections.entry(name_of(collection));
        apply(truth.or_insert_with(|| Collection::new(DIM, false)), step(seed, collection, number), at);
        grave.next[collection as usize] = number + 1;
    }
    examine(seed, grave, kills)
}

/// Opens the folder, and looks whether everything that was acknowledged is there.
fn examine(seed: u64, grave: &mut Grave, kills: &mut Kills) -> Result<(), Wrong> {
    let disk = Folder::open(grave.folder.path()).map_err(|error| error.to_string())?;
    let engine = Engine::open_still(settings(grave.folder.path()), Arc::new(disk), Arc::new(SystemClock))
        .map_err(|error| format!("cannot be opened: {error}"))?;
    crate::check::healthy(&engine)?;
    let disk = Folder::open(grave.folder.path()).map_err(|error| error.to_string())?;
    crate::check::files(&engine, &disk)?;
    let all = engine.describe(api::Collections { database: String::new() });
    let there: Vec<String> =
        all.map_err(|error| error.to_string())?.into_iter().map(|info| info.name).collect();
    for collection in 0..COLLECTIONS {
        let name = name_of(collection);
        if !there.contains(&name) {
            if grave.next[collection as usize] > 0 {
                return Err(format!("{name} is gone"));
            }
            continue;
        }
        client::load(&engine, &name, &[]).map_err(|error| format!("load of {name}: {error}"))?;
        let truth = grave.truth.collections.entry(name.clone());
        let truth = truth.or_insert_with(|| Collection::new(DIM, false));
        truth.partitions.insert(DEFAULT_PARTITION.to_owned(), true);
        let Err(before) = crate::check::rows(&engine, &name, truth) else { continue };
        let number = grave.next[collection as usize];
        let mut done = truth.clone();
        apply(&mut done, step(seed, collection, number), Timestamp(number + 1));
        crate::check::rows(&engine, &name, &done)
            .map_err(|after| format!("without operation {number}: {before}; with it: {after}"))?;
        *truth = done;
        grave.next[collection as usize] = number + 1;
        kills.done += 1;
    }
    engine.close();
    Ok(())
}
