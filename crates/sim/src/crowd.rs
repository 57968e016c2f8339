//! Many threads at once on real files: writers, searchers, index create and drop, flushes, merges, loads. Not
//! repeatable; what holds at every moment must hold at every moment.
//!
//! Each writer owns a range of keys and publishes what is certain about them: a key whose insert was acknowledged and
//! whose delete has not begun is there, and a key whose delete was acknowledged and whose insert has not begun is not.

use crate::check::{self, Watch, Wrong};
use crate::client::{self, Ask, Window};
use crate::op::contents;
use crate::truth::{Filter, Kind, Metric, Row};
use data::Timestamp;
use engine::api::{self, Write};
use engine::{Engine, Error, ErrorKind, Settings};
use host::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const NAME: &str = "crowd";
const DIM: usize = 8;
/// Keys of each writer.
const KEYS: i64 = 2_000;
const WRITERS: i64 = 2;
/// A thread that does nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// What is certain about the keys of one writer, at one moment.
#[derive(Debug, Default, Clone)]
struct Certain {
    alive: BTreeSet<i64>,
    dead: BTreeSet<i64>,
    /// How often each key was written or deleted.
    turns: BTreeMap<i64, u64>,
}

/// What the crowd did.
#[derive(Debug, Default)]
pub struct Bustle {
    /// Writes acknowledged.
    pub writes: AtomicU64,
    /// Searches and queries held against the truth.
    pub reads: AtomicU64,
    /// Indexes created.
    pub indexes: AtomicU64,
    /// Flushes, merges asked for, loads and releases.
    pub upkeep: AtomicU64,
    /// Looks at the progress of the index.
    pub looks: AtomicU64,
}

struct Crowd {
    engine: Arc<Engine>,
    stop: AtomicBool,
    wrongs: Mutex<Vec<Wrong>>,
    certain: Vec<Mutex<Certain>>,
    bustle: Bustle,
    /// One for each thread: how often it came round.
    beats: Vec<AtomicU64>,
}

/// Lets the crowd loose for so long on `folder`.
///
/// # Errors
/// Everything that was wrong at some moment. A thread that hangs ends the process.
pub fn crowd(folder: &Path, seed: u64, for_ms: u64) -> Result<Bustle, Vec<String>> {
    let settings = Settings {
        folder: folder.to_owned(),
        search_threads: 2,
        build_threads: 2,
        index_rows_min: 200,
        segment_bytes_max: 64 << 10,
        merged_bytes_max: 1 << 20,
        idle_flush_ms: 50,
        build_delay_ms: 100,
        drop_index_online: true,
        ..Settings::default()
    };
    let one = |error: Error| vec![error.to_string()];
    let engine = Engine::open(settings).map_err(one)?;
    client::create(&engine, NAME, DIM, false, false).map_err(one)?;
    client::load(&engine, NAME, &[]).map_err(one)?;
    let crowd = Crowd {
        engine,
        stop: AtomicBool::new(false),
        wrongs: Mutex::default(),
        certain: (0..WRITERS).map(|_| Mutex::default()).collect(),
        bustle: Bustle::default(),
        beats: (0..8).map(|_| AtomicU64::new(0)).collect(),
    };
    crowd.run(seed, for_ms);
    let finished = crowd.settle();
    let mut wrongs = crowd.wrongs.into_inner().unwrap_or_else(PoisonError::into_inner);
    wrongs.extend(finished.err());
    if wrongs.is_empty() { Ok(crowd.bustle) } else { Err(wrongs) }
}

impl Crowd {
    fn run(&self, seed: u64, for_ms: u64) {
        let rng = |name: &str| Rng::new(seed).child(name);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let rng = rng(&format!("writer {writer}"));
                scope.spawn(move || self.repeat(writer as usize, rng, |rng| self.write(writer, rng)));
            }
            scope.spawn(|| self.repeat(2, rng("search"), |rng| self.search(rng)));
            scope.spawn(|| self.repeat(3, rng("query"), |rng| self.query(rng)));
            scope.spawn(|| self.repeat(4, rng("index"), |rng| self.index(rng)));
            scope.spawn(|| self.repeat(5, rng("upkeep"), |rng| self.upkeep(rng)));
            scope.spawn(|| self.repeat(6, rng("other"), |rng| self.come_and_go(rng)));
            scope.spawn(|| self.repeat(7, rng("look"), |_| self.look()));
            self.watch_over(for_ms);
        });
    }

    /// Waits for the end, and ends the process when a thread hangs.
    fn watch_over(&self, for_ms: u64) {
        const TICK: Duration = Duration::from_millis(50);
        let ticks = for_ms.div_ceil(TICK.as_millis() as u64);
        let silence_max = SILENCE.as_millis() / TICK.as_millis();
        let beats = || self.beats.iter().map(|beat| beat.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let mut last = beats();
        let mut silent = vec![0; last.len()];
        let mut tick = 0;
        while tick < ticks || beats().iter().any(|beat| *beat != u64::MAX) {
            std::thread::sleep(TICK);
            tick += 1;
            if tick >= ticks {
                self.stop.store(true, Ordering::Relaxed);
            }
            let now = beats();
            for (thread, beat) in now.iter().enumerate() {
                silent[thread] =
                    if *beat == last[thread] && *beat != u64::MAX { silent[thread] + 1 } else { 0 };
                if silent[thread] > silence_max {
                    let wrongs = self.wrongs.lock().unwrap_or_else(PoisonError::into_inner);
                    // A deadlock cannot be unwound: say what is known and end.
                    let text = format!("thread {thread} hangs after {beat} rounds; {wrongs:?}\n");
                    drop(std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()));
                    std::process::abort();
                }
            }
            last = now;
        }
    }

    fn repeat(&self, thread: usize, mut rng: Rng, mut work: impl FnMut(&mut Rng) -> Result<(), Wrong>) {
        let mut watch = || work(&mut rng);
        while !self.stop.load(Ordering::Relaxed) {
            if let Err(wrong) = crate::world::guarded(&mut watch) {
                let mut wrongs = self.wrongs.lock().unwrap_or_else(PoisonError::into_inner);
                if wrongs.len() < 20 {
                    wrongs.push(wrong);
                }
            }
            self.beats[thread].fetch_add(1, Ordering::Relaxed);
        }
        self.beats[thread].store(u64::MAX, Ordering::Relaxed);
    }

    fn certain(&self) -> Certain {
        let mut all = Certain::default();
        for one in &self.certain {
            let one = one.lock().unwrap_or_else(PoisonError::into_inner);
            all.alive.extend(&one.alive);
            all.dead.extend(&one.dead);
            all.turns.extend(&one.turns);
        }
        all
    }

    /// What is certain before and after `read`, and was not touched in between.
    fn during<T>(&self, read: impl FnOnce() -> T) -> (Certain, T) {
        let before = self.certain();
        let found = read();
        let after = self.certain();
        let both = |a: &BTreeSet<i64>, b: &BTreeSet<i64>| {
            let same = |key: &&i64| before.turns.get(key) == after.turns.get(key);
            a.intersection(b).filter(same).copied().collect()
        };
        let (alive, dead) = (both(&before.alive, &after.alive), both(&before.dead, &after.dead));
        (Certain { alive, dead, turns: BTreeMap::new() }, found)
    }

    /// The row of a key, which is the same whenever it is written.
    fn row(key: i64) -> Row {
        contents(&[key], 1, DIM, &[]).remove(0)
    }

    fn write(&self, writer: i64, rng: &mut Rng) -> Result<(), Wrong> {
        let first = writer * KEYS + rng.below(KEYS as u64 - 200) as i64;
        let keys: Vec<i64> = (first..=first + rng.below(60) as i64).collect();
        let certain = &self.certain[writer as usize];
        let set = |change: &dyn Fn(&mut Certain, i64)| {
            let mut certain = certain.lock().unwrap_or_else(PoisonError::into_inner);
            keys.iter().for_each(|key| change(&mut certain, *key));
        };
        let outcome = if rng.chance(0.6) {
            set(&|certain, key| {
                certain.dead.remove(&key);
                *certain.turns.entry(key).or_default() += 1;
            });
            let rows: Vec<Row> = keys.iter().map(|key| Self::row(*key)).collect();
            let rows = client::rows(NAME, "", false, DIM, &rows);
            // An upsert leaves its keys there all the time.
            let outcome = self.engine.write(Write::Upsert(rows)).map(drop);
            set(&|certain, key| {
                certain.alive.insert(key);
            });
            outcome
        } else {
            set(&|certain, key| {
                certain.alive.remove(&key);
                *certain.turns.entry(key).or_default() += 1;
            });
            let outcome = client::delete(&self.engine, NAME, "", &Filter::Keys(keys.clone()), false);
            set(&|certain, key| {
                certain.dead.insert(key);
            });
            outcome.map(drop)
        };
        self.bustle.writes.fetch_add(1, Ordering::Relaxed);
        outcome.map_err(|error| format!("write: {:?} {error}", error.kind()))
    }

    fn search(&self, rng: &mut Rng) -> Result<(), Wrong> {
        let wanted = rng.below((WRITERS * KEYS) as u64) as i64;
        // The metric is that of an index that comes and goes: always L2.
        let limit = 1 + rng.below(30) as usize;
        let window = Window { offset: 0, limit };
        let (vector, filter) = (Self::row(wanted).vector, Filter::All);
        let (name, partitions, travel) = (NAME.to_owned(), vec![], Timestamp::ZERO);
        let ask = Ask { name, partitions, vector, metric: Metric::L2, window, filter, travel };
        let (certain, found) = self.during(|| client::search(&self.engine, &ask, false));
        self.bustle.reads.fetch_add(1, Ordering::Relaxed);
        let found = match found {
            Err(error) if error.kind() == ErrorKind::CollectionNotLoaded => return Ok(()),
            found => found.map_err(|error| format!("search: {:?} {error}", error.kind()))?,
        };
        if found.len() < limit.min(certain.alive.len()) {
            return Err(format!("search: {} hits of {limit}, {} alive", found.len(), certain.alive.len()));
        }
        let mut keys = BTreeSet::new();
        for (place, (score, row)) in found.iter().enumerate() {
            if certain.dead.contains(&row.key) {
                return Err(format!("search: key {} is deleted", row.key));
            }
            if *row != Self::row(row.key) || !keys.insert(row.key) {
                return Err(format!("search: {row:?} is not the row of its key, or came twice"));
            }
            if Metric::L2.score(&row.vector, &ask.vector) != *score {
                return Err(format!("search: score {score} of {row:?} for {:?}", ask.vector));
            }
            if place > 0 && found[place - 1].0 > *score {
                return Err(format!("search: score {score} behind {}", found[place - 1].0));
            }
        }
        Ok(())
    }

    fn query(&self, rng: &mut Rng) -> Result<(), Wrong> {
        let first = rng.below((WRITERS * KEYS) as u64) as i64;
        let keys: Vec<i64> = (first..first + 100).collect();
        let filter = if rng.chance(0.3) { Filter::All } else { Filter::Keys(keys) };
        let read = || client::query(&self.engine, NAME, false, &[], &filter, Window::ALL, Timestamp::ZERO);
        let (certain, found) = self.during(read);
        self.bustle.reads.fetch_add(1, Ordering::Relaxed);
        let found = match found {
            Err(error) if error.kind() == ErrorKind::CollectionNotLoaded => return Ok(()),
            found => found.map_err(|error| format!("query: {:?} {error}", error.kind()))?,
        };
        let keys: BTreeSet<i64> = found.iter().map(|row| row.key).collect();
        let wanted = |key: &&i64| filter.holds(&Self::row(**key));
        let missing: Vec<&i64> =
            certain.alive.iter().filter(wanted).filter(|key| !keys.contains(key)).collect();
        let extra: Vec<&i64> = certain.dead.iter().filter(|key| keys.contains(key)).collect();
        if !missing.is_empty() || !extra.is_empty() {
            return Err(format!("query {filter:?}: missing {missing:?}, deleted but there {extra:?}"));
        }
        match found.iter().find(|row| **row != Self::row(row.key)) {
            None => self.count(),
            Some(row) => Err(format!("query: {row:?} is not the row of its key")),
        }
    }

    fn count(&self) -> Result<(), Wrong> {
        let question = api::RowCount { target: client::target(NAME), partition: None };
        let (certain, rows) = self.during(|| self.engine.describe(question));
        let rows = rows.map_err(|error| format!("count: {error}"))? as usize;
        let (least, most) = (certain.alive.len(), (WRITERS * KEYS) as usize - certain.dead.len());
        if (least..=most).contains(&rows) {
            return Ok(());
        }
        Err(format!("count: {rows} rows, but at least {least} and at most {most} must be there"))
    }

    fn index(&self, rng: &mut Rng) -> Result<(), Wrong> {
        if rng.chance(0.5) {
            return self.scalar_index(rng);
        }
        let kind = [Kind::Flat, Kind::Ivf, Kind::Hnsw][rng.below(3) as usize];
        let outcome = client::create_index(&self.engine, NAME, kind, Metric::L2);
        outcome.map_err(|error| format!("create index: {error}"))?;
        self.bustle.indexes.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(rng.below(60)));
        client::drop_index(&self.engine, NAME).map(drop).map_err(|error| format!("drop index: {error}"))
    }

    fn scalar_index(&self, rng: &mut Rng) -> Result<(), Wrong> {
        let (field, kind) =
            [("number", "STL_SORT"), ("number", "BITMAP"), ("tag", "INVERTED"), ("tag", "NGRAM")]
                [rng.below(4) as usize];
        let outcome = client::create_scalar(&self.engine, NAME, field, kind);
        outcome.map_err(|error| format!("create scalar index: {error}"))?;
        self.bustle.indexes.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(rng.below(60)));
        let outcome = client::drop_scalar(&self.engine, NAME, field);
        outcome.map(drop).map_err(|error| format!("drop scalar index: {error}"))
    }

    fn upkeep(&self, rng: &mut Rng) -> Result<(), Wrong> {
        let target = client::target(NAME);
        let outcome = match rng.below(10) {
            0..5 => self.engine.run(api::Flush { targets: vec![target] }).map(drop),
            5..8 => self.engine.run(api::Compact { target, id: None }).map(drop),
            8 => client::load(&self.engine, NAME, &[]),
            _ => {
                let release = self.engine.run(api::Release { target, partitions: vec![] });
                release.and_then(|()| client::load(&self.engine, NAME, &[]))
            }
        };
        self.bustle.upkeep.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(rng.below(20)));
        outcome.map_err(|error| format!("upkeep: {:?} {error}", error.kind()))
    }

    /// Collections that come, are filled, and go, while another thread may be at them.
    fn come_and_go(&self, rng: &mut Rng) -> Result<(), Wrong> {
        let wrong = |error: Error| format!("another collection: {:?} {error}", error.kind());
        let name = format!("other{}", rng.below(2));
        client::create(&self.engine, &name, DIM, false, false).map_err(wrong)?;
        client::create_index(&self.engine, &name, Kind::Hnsw, Metric::Ip).map_err(wrong)?;
        client::load(&self.engine, &name, &[]).map_err(wrong)?;
        let rows: Vec<Row> = (0..1 + rng.below(400) as i64).map(Self::row).collect();
        let insert = Write::Insert(client::rows(&name, "", false, DIM, &rows));
        self.engine.write(insert).map_err(wrong)?;
        if rng.chance(0.5) {
            self.engine.run(api::Flush { targets: vec![client::target(&name)] }).map_err(wrong)?;
        }
        let all = client::query(&self.engine, &name, false, &[], &Filter::All, Window::ALL, Timestamp::ZERO);
        let found = all.map_err(wrong)?;
        if found != rows {
            return Err(format!("{name}: {} of {} rows are there", found.len(), rows.len()));
        }
        let drop_it = api::Change::DropCollection(client::target(&name));
        self.engine.change(drop_it).map(drop).map_err(wrong)
    }

    fn look(&self) -> Result<(), Wrong> {
        self.bustle.looks.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(1));
        match client::index(&self.engine, NAME) {
            Ok(Some(info)) => check::adds_up(&info),
            Ok(None) => Ok(()),
            Err(error) => Err(format!("describe index: {error}")),
        }
    }

    /// After the bustle: an index is built while nobody writes; what is covered stays covered, and it gets finished.
    fn settle(&self) -> Result<(), Wrong> {
        let wrong = |error: Error| format!("afterwards: {:?} {error}", error.kind());
        client::load(&self.engine, NAME, &[]).map_err(wrong)?;
        client::create_index(&self.engine, NAME, Kind::Hnsw, Metric::L2).map_err(wrong)?;
        self.engine.run(api::Flush { targets: vec![client::target(NAME)] }).map_err(wrong)?;
        self.engine.run(api::Compact { target: client::target(NAME), id: None }).map_err(wrong)?;
        let mut watch = Watch::default();
        for _ in 0..SILENCE.as_millis() / 2 {
            watch.look(&self.engine, NAME, 0)?;
            let info = client::index(&self.engine, NAME).map_err(wrong)?;
            if info.is_some_and(|info| info.pending_rows == 0) {
                check::healthy(&self.engine)?;
                return self.query(&mut Rng::new(1)).and_then(|()| self.count());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err("the index is not finished within a minute".to_owned())
    }
}
