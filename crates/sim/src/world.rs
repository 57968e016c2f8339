//! Seeded worlds: a sequence of operations over a few collections, with restarts and power cuts, compared with the
//! truth after each. Invariant: everything follows from the seed, so a world that fails fails again, byte for byte.

use crate::check::{self, Watch, Wrong};
use crate::draw::Scale;
use crate::op::Op;
use crate::tap::Tapped;
use crate::truth::Truth;
use data::Timestamp;
use engine::{Engine, Error, Settings};
use host::{ManualClock, Rng};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::MemoryDisk;

/// Operations of an ordinary world.
pub const OPERATIONS: u64 = 200;

/// What a world did.
#[derive(Debug, Default)]
pub struct Story {
    /// Operations by kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// A hash of all operations, their outcomes and the disk's count of changes.
    pub hash: u64,
    /// The operations in words, when they were asked for.
    pub lines: Vec<String>,
}

impl Story {
    /// Notes what happened.
    fn tell(&mut self, keep: bool, word: &'static str, line: &str) {
        *self.counts.entry(word).or_default() += 1;
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if keep {
            self.lines.push(line.to_owned());
        }
    }
}

/// A world that went wrong.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What was wrong, after which operation.
    pub text: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, text } = self;
        write!(f, "{text}\nreplay with: cargo run -p sim --bin replay -- {seed}")
    }
}

/// The settings of a world: small segments, so that everything happens often.
pub(crate) fn settings(rng: &mut Rng) -> Settings {
    Settings {
        folder: PathBuf::from("memory"),
        search_threads: 1,
        build_threads: 1,
        index_rows_min: [8, 40, 150][rng.below(3) as usize],
        segment_bytes_max: [4 << 10, 64 << 10, 1 << 20][rng.below(3) as usize],
        scanned_bytes_max: [2 << 10, 32 << 10][rng.below(2) as usize],
        merged_bytes_max: [16 << 10, 1 << 20][rng.below(2) as usize],
        idle_flush_ms: 2_000,
        build_delay_ms: [0, 3_000][rng.below(2) as usize],
        retention_ms: [0, 3_600_000][rng.below(2) as usize],
        drop_index_online: rng.chance(0.5),
        ..Settings::default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work`; a panic is a wrong like any other.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Wrong>) -> Result<T, Wrong> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        Err(format!("panicked: {text}"))
    })
}

/// One seeded world.
struct World {
    rng: Rng,
    disk: Tapped,
    clock: Arc<ManualClock>,
    life: Arc<Mutex<Life>>,
}

/// The part of a world that can be lived while background work goes on.
struct Life {
    rng: Rng,
    scale: Scale,
    settings: Settings,
    engine: Arc<Engine>,
    truth: Truth,
    history: Vec<Timestamp>,
    watch: Watch,
    /// Counts changes of rows.
    epoch: u64,
    story: Story,
    keep_lines: bool,
    /// What went wrong while background work was done.
    wrong: Option<Wrong>,
}

/// Lives the world of `seed` for so many operations. `keep_lines`: tell them in words.
///
/// # Errors
/// Where engine and truth differ. The story so far is handed back with it.
pub fn live(seed: u64, operations: u64, keep_lines: bool) -> (Story, Result<(), Failure>) {
    let mut world = match World::new(seed, keep_lines) {
        Ok(world) => world,
        Err(text) => return (Story::default(), Err(Failure { seed, text })),
    };
    let mut outcome = Ok(());
    for number in 0..operations {
        if let Err(wrong) = guarded(|| world.step()) {
            outcome = Err(Failure { seed, text: format!("operation {number}: {wrong}") });
            break;
        }
    }
    (std::mem::take(&mut lock(&world.life).story), outcome)
}

impl World {
    fn new(seed: u64, keep_lines: bool) -> Result<Self, Wrong> {
        let mut rng = Rng::new(seed);
        let settings = settings(&mut rng);
        let scale = Scale {
            collections_max: 1 + rng.below(3),
            rows_max: [5, 40, 120][rng.below(3) as usize],
            large_rows_max: [100, 600, 2_000][rng.below(3) as usize],
            alive_max: 2_500,
            dim_max: [4, 16][rng.below(2) as usize],
        };
        let disk = Tapped::new(MemoryDisk::new());
        let clock = Arc::new(ManualClock::at(1_000_000));
        let opened = Engine::open_still(settings.clone(), Arc::new(disk.clone()), Arc::clone(&clock) as _);
        let life = Life {
            rng: rng.child("life"),
            scale,
            settings,
            engine: opened.map_err(|error| format!("an empty disk cannot be opened: {error}"))?,
            truth: Truth::default(),
            history: Vec::new(),
            watch: Watch::default(),
            epoch: 0,
            story: Story::default(),
            keep_lines,
            wrong: None,
        };
        Ok(Self { rng, disk, clock, life: Arc::new(Mutex::new(life)) })
    }

    fn step(&mut self) -> Result<(), Wrong> {
        let is_long = self.rng.chance(0.1);
        self.clock.advance_ms(self.rng.below(if is_long { 5_000 } else { 20 }));
        let is_restart = self.rng.chance(0.02);
        let is_crash = self.rng.chance(0.03);
        if is_restart || is_crash {
            return self.restart(is_crash);
        }
        let op = lock(&self.life).next();
        let in_background = matches!(op, Op::Flush { .. } | Op::Tend);
        if in_background { self.work(&op) } else { lock(&self.life).act(&op, "") }
            .and_then(|()| {
                let mut life = lock(&self.life);
                life.look_at_indexes()?;
                let thorough = life.rng.chance(0.1);
                if thorough {
                    check::everything(&life.engine, &life.truth)?;
                    check::files(&life.engine, self.disk.disk())?;
                }
                life.sample(1.0)
            })
            .map_err(|wrong| format!("{op:?}: {wrong}"))
    }

    /// Lets the engine do background work, and lives on at every change of the disk.
    fn work(&mut self, op: &Op) -> Result<(), Wrong> {
        let life = Arc::clone(&self.life);
        let is_flush = matches!(op, Op::Flush { .. });
        self.disk.watch(Some(Box::new(move |_, path| {
            let mut life = lock(&life);
            if life.wrong.is_none()
                && let Err(wrong) = life.meanwhile(is_flush, path)
            {
                life.wrong = Some(wrong);
            }
        })));
        let engine = Arc::clone(&lock(&self.life).engine);
        let got = op.perform(&engine, &Truth::default());
        self.disk.watch(None);
        let mut life = lock(&self.life);
        match life.wrong.take() {
            Some(wrong) => Err(format!("on the way: {wrong}")),
            None => life.judge(op, got, ""),
        }
    }

    fn restart(&mut self, is_crash: bool) -> Result<(), Wrong> {
        let life = &mut *lock(&self.life);
        let word = if is_crash { "crash" } else { "restart" };
        let line = format!("{word} after {} changes of the disk", self.disk.disk().operations());
        life.story.tell(life.keep_lines, word, &line);
        let disk = self.disk.disk();
        let disk = if is_crash { disk.crash(&mut self.rng) } else { disk.clone() };
        life.engine.close();
        let open = |disk: Tapped| {
            Engine::open_still(life.settings.clone(), Arc::new(disk), Arc::clone(&self.clock) as _)
                .map_err(|error| format!("{word}: cannot be opened again: {error}"))
        };
        // The old engine holds the lock of its disk until nobody has it.
        life.engine = open(Tapped::default())?;
        self.disk = Tapped::new(disk);
        life.engine = open(self.disk.clone())?;
        life.watch = Watch::default();
        let looked = check::healthy(&life.engine)
            .and_then(|()| check::everything(&life.engine, &life.truth))
            .and_then(|()| check::files(&life.engine, self.disk.disk()));
        looked.map_err(|wrong| format!("{word}: {wrong}"))
    }
}

impl Life {
    fn next(&mut self) -> Op {
        self.scale.next(&self.truth, &mut self.rng)
    }

    fn act(&mut self, op: &Op, when: &str) -> Result<(), Wrong> {
        let got = op.perform(&self.engine, &self.truth);
        self.judge(op, got, when)
    }

    /// Does an operation to the truth, and compares how it ended.
    fn judge(&mut self, op: &Op, got: Result<Option<Timestamp>, Error>, when: &str) -> Result<(), Wrong> {
        let stamp = got.as_ref().ok().copied().flatten();
        let at = stamp.unwrap_or_else(|| self.engine.timestamp());
        let want = op.apply(&mut self.truth, at, self.settings.drop_index_online);
        let outcome = match (&got, &want) {
            (Ok(stamp), Ok(())) => format!("ok {stamp:?}"),
            (Err(error), Err(kind)) if error.kind() == *kind => format!("refused: {error}"),
            _ => return Err(format!("the engine says {got:?}, the truth is {want:?}")),
        };
        self.story.tell(self.keep_lines, op.word(), &format!("{when}{op:?} -> {outcome}"));
        if let Some(stamp) = stamp {
            self.history.push(stamp);
        }
        // Rows may also go with their partition.
        self.epoch += u64::from(stamp.is_some() || matches!(op, Op::DropPartition { .. }));
        Ok(())
    }

    /// In the middle of background work everything is as if there was none, and anything may be done.
    fn meanwhile(&mut self, is_flush: bool, path: &str) -> Result<(), Wrong> {
        self.look_at_indexes()?;
        self.sample(0.1)?;
        // While a new file is written others may go ahead; elsewhere they would wait for the work, which on a single
        // thread is for ever.
        let is_open = path.starts_with("blobs/") && path.ends_with(".tmp");
        if !is_open || !self.rng.chance(0.05) {
            return Ok(());
        }
        let op = self.next();
        let waits = matches!(op, Op::Flush { .. } | Op::Tend);
        let pulls_away = matches!(op, Op::Create { .. } | Op::Drop { .. } | Op::Rename { .. });
        if waits || (is_flush && pulls_away) {
            return Ok(());
        }
        self.act(&op, "meanwhile: ").map_err(|wrong| format!("{op:?}: {wrong}"))?;
        self.sample(1.0).map_err(|wrong| format!("{op:?}: {wrong}"))
    }

    fn look_at_indexes(&mut self) -> Result<(), Wrong> {
        for name in self.truth.collections.keys() {
            self.watch.look(&self.engine, name, self.epoch)?;
        }
        Ok(())
    }

    /// Reads of one collection, perhaps.
    fn sample(&mut self, chance: f64) -> Result<(), Wrong> {
        let count = self.truth.collections.len() as u64;
        if count == 0 || !self.rng.chance(chance) {
            return Ok(());
        }
        let picked = self.rng.below(count) as usize;
        let may_refuse = self.settings.retention_ms == 0;
        let Some((name, collection)) = self.truth.collections.iter().nth(picked) else { return Ok(()) };
        check::sample(&self.engine, name, collection, &self.history, may_refuse, &mut self.rng)
    }
}
