//! Seeded worlds: a sequence of operations over a few collections, with restarts and power cuts, compared with the
//! truth after each. Invariant: everything follows from the seed, so a world that fails fails again, byte for byte.

use crate::check::{self, Watch, Wrong};
use crate::op::{Op, Scale};
use crate::tap::Tapped;
use crate::truth::Truth;
use data::Timestamp;
use engine::{Engine, Settings};
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
        merged_bytes_max: [16 << 10, 1 << 20][rng.below(2) as usize],
        idle_flush_ms: 2_000,
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
    scale: Scale,
    settings: Settings,
    disk: Tapped,
    clock: Arc<ManualClock>,
    engine: Arc<Engine>,
    truth: Truth,
    history: Vec<Timestamp>,
    watch: Arc<Mutex<Watch>>,
    /// Counts changes of rows.
    epoch: u64,
    story: Story,
    keep_lines: bool,
}

/// Lives the world of `seed` for so many operations. `keep_lines`: tell them in words.
///
/// # Errors
/// Where engine and truth differ. The story so far is handed back with it.
pub fn live(seed: u64, operations: u64, keep_lines: bool) -> (Story, Result<(), Failure>) {
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
    let engine = match opened {
        Ok(engine) => engine,
        Err(error) => {
            let text = format!("an empty disk cannot be opened: {error}");
            return (Story::default(), Err(Failure { seed, text }));
        }
    };
    let mut world = World {
        rng,
        scale,
        settings,
        disk,
        clock,
        engine,
        truth: Truth::default(),
        history: Vec::new(),
        watch: Arc::default(),
        epoch: 0,
        story: Story::default(),
        keep_lines,
    };
    let mut outcome = Ok(());
    for number in 0..operations {
        if let Err(wrong) = guarded(|| world.step()) {
            outcome = Err(Failure { seed, text: format!("operation {number}: {wrong}") });
            break;
        }
    }
    (world.story, outcome)
}

impl World {
    fn step(&mut self) -> Result<(), Wrong> {
        let is_long = self.rng.chance(0.1);
        self.clock.advance_ms(self.rng.below(if is_long { 5_000 } else { 20 }));
        let is_restart = self.rng.chance(0.02);
        let is_crash = self.rng.chance(0.03);
        if is_restart || is_crash {
            return self.restart(is_crash);
        }
        let op = self.scale.next(&self.truth, &mut self.rng);
        self.act(&op).map_err(|wrong| format!("{op:?}: {wrong}"))?;
        for name in self.truth.collections.keys() {
            lock(&self.watch).look(&self.engine, name, self.epoch)?;
        }
        if self.rng.chance(0.1) {
            check::everything(&self.engine, &self.truth).map_err(|wrong| format!("{op:?}: {wrong}"))?;
            check::files(&self.engine, self.disk.disk()).map_err(|wrong| format!("{op:?}: {wrong}"))?;
        }
        let picked = self.rng.below(self.truth.collections.len().max(1) as u64) as usize;
        if let Some((name, collection)) = self.truth.collections.iter().nth(picked) {
            let may_refuse = self.settings.retention_ms == 0;
            check::sample(&self.engine, name, collection, &self.history, may_refuse, &mut self.rng)
                .map_err(|wrong| format!("{op:?}: {wrong}"))?;
        }
        Ok(())
    }

    fn act(&mut self, op: &Op) -> Result<(), Wrong> {
        let wrong = self.look_on(op);
        let got = op.perform(&self.engine, &self.truth);
        self.disk.watch(None);
        if let Some(wrong) = lock(&wrong).take() {
            return Err(format!("on the way: {wrong}"));
        }
        let stamp = got.as_ref().ok().copied().flatten();
        let at = stamp.unwrap_or_else(|| self.engine.timestamp());
        let want = op.apply(&mut self.truth, at, self.settings.drop_index_online);
        let outcome = match (&got, &want) {
            (Ok(stamp), Ok(())) => format!("ok {stamp:?}"),
            (Err(error), Err(kind)) if error.kind() == *kind => format!("refused: {error}"),
            _ => return Err(format!("the engine says {got:?}, the truth is {want:?}")),
        };
        let operations = self.disk.disk().operations();
        let line = format!("{op:?} -> {outcome} ({operations} changes of the disk)");
        self.story.tell(self.keep_lines, op.word(), &line);
        if let Some(stamp) = stamp {
            self.history.push(stamp);
            self.epoch += 1;
        }
        Ok(())
    }

    /// Looks on while background work is done: at every change of the disk, everything is as before.
    fn look_on(&mut self, op: &Op) -> Arc<Mutex<Option<Wrong>>> {
        let found: Arc<Mutex<Option<Wrong>>> = Arc::default();
        if !matches!(op, Op::Flush { .. } | Op::Tend) {
            return found;
        }
        let (engine, truth, history) = (Arc::clone(&self.engine), self.truth.clone(), self.history.clone());
        let (watch, epoch, sink) = (Arc::clone(&self.watch), self.epoch, Arc::clone(&found));
        let may_refuse = self.settings.retention_ms == 0;
        let mut rng = self.rng.child("on the way");
        self.disk.watch(Some(Box::new(move |_| {
            for (name, collection) in &truth.collections {
                let mut looked = lock(&watch).look(&engine, name, epoch);
                if looked.is_ok() && rng.chance(0.1) {
                    looked = check::sample(&engine, name, collection, &history, may_refuse, &mut rng);
                }
                if let Err(wrong) = looked {
                    lock(&sink).get_or_insert(wrong);
                }
            }
        })));
        found
    }

    fn restart(&mut self, is_crash: bool) -> Result<(), Wrong> {
        let word = if is_crash { "crash" } else { "restart" };
        let line = format!("{word} after {} changes of the disk", self.disk.disk().operations());
        self.story.tell(self.keep_lines, word, &line);
        let disk = self.disk.disk();
        let disk = if is_crash { disk.crash(&mut self.rng) } else { disk.clone() };
        self.engine.close();
        // The old engine holds the lock of its disk until nobody has it.
        let placeholder = Engine::open_still(
            self.settings.clone(),
            Arc::new(MemoryDisk::new()),
            Arc::clone(&self.clock) as _,
        );
        self.engine = placeholder.map_err(|error| error.to_string())?;
        self.disk = Tapped::new(disk);
        let settings = self.settings.clone();
        let opened = Engine::open_still(settings, Arc::new(self.disk.clone()), Arc::clone(&self.clock) as _);
        self.engine = opened.map_err(|error| format!("{word}: cannot be opened again: {error}"))?;
        self.watch = Arc::default();
        let looked = check::healthy(&self.engine)
            .and_then(|()| check::everything(&self.engine, &self.truth))
            .and_then(|()| check::files(&self.engine, self.disk.disk()));
        looked.map_err(|wrong| format!("{word}: {wrong}"))
    }
}
