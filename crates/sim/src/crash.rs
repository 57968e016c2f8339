//! Power cuts at every change of the disk: a short workload runs once, and after each change the disk is taken as a
//! power cut might leave it. Each such disk is opened again, perhaps with further cuts while it recovers, and must hold
//! every acknowledged operation and nothing that was never asked for; the operation under way may be there as a whole.

use crate::check::{self, Wrong};
use crate::client;
use crate::draw::Scale;
use crate::field::Added;
use crate::op::Op;
use crate::tap::Tapped;
use crate::truth::{Collection, Row, Truth};
use crate::world::{Failure, guarded, settings};
use engine::{Engine, Settings};
use host::{ManualClock, Rng};
use std::sync::{Arc, Mutex, PoisonError};
use store::MemoryDisk;

/// Rounds of background work after which every index must be finished.
const TENDS_MAX: usize = 10;

/// Operations of a workload whose every change of the disk is tried.
pub const CRASH_OPERATIONS: u64 = 25;

/// What was tried.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cuts {
    /// Disks opened after a power cut, or the death of the process, at some change.
    pub points: u64,
    /// Of these, opened with another cut during the recovery.
    pub nested: u64,
    /// Recoveries that found the operation under way done.
    pub done: u64,
}

impl Cuts {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.points += other.points;
        self.nested += other.nested;
        self.done += other.done;
    }
}

/// Runs the workload of `seed` with so many operations, cutting the power at every change of the disk.
///
/// # Errors
/// Where a recovered database is not what it should be.
pub fn crash(seed: u64, operations: u64) -> (Cuts, Result<(), Failure>) {
    let mut cuts = Cuts::default();
    let outcome = guarded(|| {
        let mut workload = Workload::new(seed)?;
        (0..operations).try_for_each(|number| workload.step(number, &mut cuts))
    });
    (cuts, outcome.map_err(|text| Failure { seed, text }))
}

struct Workload {
    rng: Rng,
    scale: Scale,
    settings: Settings,
    disk: Tapped,
    clock: Arc<ManualClock>,
    engine: Arc<Engine>,
    truth: Truth,
}

fn scale(rng: &mut Rng) -> Scale {
    Scale {
        collections_max: 1 + rng.below(2),
        rows_max: [3, 8, 20][rng.below(3) as usize],
        large_rows_max: 60,
        alive_max: 120,
        dim_max: 4,
    }
}

impl Workload {
    fn new(seed: u64) -> Result<Self, Wrong> {
        let mut rng = Rng::new(seed);
        let settings = settings(&mut rng);
        let scale = scale(&mut rng);
        let disk = Tapped::new(MemoryDisk::new());
        let clock = Arc::new(ManualClock::at(1_000_000));
        let opened = Engine::open_still(settings.clone(), Arc::new(disk.clone()), Arc::clone(&clock) as _);
        let engine = opened.map_err(|error| format!("an empty disk cannot be opened: {error}"))?;
        Ok(Self { rng, scale, settings, disk, clock, engine, truth: Truth::default() })
    }

    fn step(&mut self, number: u64, cuts: &mut Cuts) -> Result<(), Wrong> {
        self.clock.advance_ms(self.rng.below(3_000));
        let op = self.scale.next(&self.truth, &mut self.rng);
        let found: Arc<Mutex<Vec<MemoryDisk>>> = Arc::default();
        let (sink, mut rng) = (Arc::clone(&found), self.rng.child("cuts"));
        self.rng.next_u64();
        self.disk.watch(Some(Box::new(move |disk, _| {
            // Now and then only the process dies.
            let left = if rng.chance(0.1) { disk.killed() } else { disk.crash(&mut rng) };
            sink.lock().unwrap_or_else(PoisonError::into_inner).push(left);
        })));
        let before = self.truth.clone();
        let got = op.perform(&self.engine, &self.truth);
        self.disk.watch(None);
        let stamp = got.as_ref().ok().copied().flatten();
        let at = stamp.unwrap_or_else(|| self.engine.timestamp());
        let want = op.apply(&mut self.truth, at, self.settings.drop_index_online);
        if got.as_ref().map(drop).map_err(|error| error.kind()) != want {
            return Err(format!(
                "operation {number}: {op:?}: the engine says {got:?}, the truth is {want:?}"
            ));
        }
        let truths = [before, self.truth.clone()];
        let left = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        for (change, disk) in left.into_iter().enumerate() {
            cuts.points += 1;
            let outcome = self.recover(disk, &op, &truths, change, cuts);
            outcome.map_err(|wrong| {
                format!("operation {number}: {op:?}, power cut after change {change}: {wrong}")
            })?;
        }
        Ok(())
    }

    /// Opens what a power cut left, and looks whether one of `truths` is there.
    fn recover(
        &self,
        mut disk: MemoryDisk,
        op: &Op,
        truths: &[Truth],
        change: usize,
        cuts: &mut Cuts,
    ) -> Result<(), Wrong> {
        let mut rng = self.rng.child(&format!("recovery {change}"));
        while rng.chance(0.3) {
            cuts.nested += 1;
            disk.crash_after(disk.operations() + rng.below(8));
            // May fail or not; the power is off soon.
            drop(self.open(&disk));
            disk = disk.crash(&mut rng);
        }
        let engine = self.open(&disk).map_err(|error| format!("cannot be opened: {error}"))?;
        let truth = judge(&engine, &disk, truths)?;
        cuts.done += u64::from(truth == 1);
        if rng.chance(0.1) {
            self.go_on(&engine, &disk, &truths[truth], op)?;
        }
        Ok(())
    }

    fn open(&self, disk: &MemoryDisk) -> Result<Arc<Engine>, engine::Error> {
        Engine::open_still(self.settings.clone(), Arc::new(disk.clone()), Arc::clone(&self.clock) as _)
    }

    /// Life goes on: everything can be loaded, indexes get finished, rows can be written and survive.
    fn go_on(&self, engine: &Engine, disk: &MemoryDisk, truth: &Truth, op: &Op) -> Result<(), Wrong> {
        let mut truth = truth.clone();
        let failed =
            |what: &'static str| move |error: engine::Error| format!("{what} after recovery: {error}");
        load_all(engine, &mut truth)?;
        for (name, collection) in &mut truth.collections {
            let (vector, tag) = (vec![1.0; collection.dim], "t0".to_owned());
            let row = Row { key: 9_999, vector, number: 1, tag, added: Added::new() };
            let rows = std::slice::from_ref(&row);
            let at = client::insert(engine, name, "", collection, rows).map_err(failed("insert"))?;
            collection.insert(crate::truth::DEFAULT_PARTITION, rows, at);
        }
        check::everything(engine, &truth)?;
        self.clock.advance_ms(10_000);
        for name in truth.collections.keys() {
            let flush = Op::Flush { name: name.clone() };
            flush.perform(engine, &truth).map_err(failed("flush"))?;
        }
        finish(engine, &truth).map_err(|wrong| format!("{wrong} (after {})", op.word()))?;
        check::everything(engine, &truth)?;
        check::files(engine, disk)?;
        engine.close();
        let mut rng = self.rng.child("once more");
        let disk = disk.crash(&mut rng);
        let engine = self.open(&disk).map_err(|error| format!("cannot be opened again: {error}"))?;
        check::healthy(&engine)?;
        check::everything(&engine, &truth)?;
        check::files(&engine, &disk)
    }
}

/// Which of `truths` the engine holds; with a clean bill of health and no file too many. Loads everything in the end.
pub(crate) fn judge(engine: &Engine, disk: &MemoryDisk, truths: &[Truth]) -> Result<usize, Wrong> {
    check::healthy(engine)?;
    check::files(engine, disk)?;
    let mut wrongs = Vec::new();
    let mut fitting = Vec::new();
    for (place, truth) in truths.iter().enumerate() {
        match check::everything(engine, truth) {
            Ok(()) => fitting.push(place),
            Err(wrong) => wrongs.push(wrong),
        }
    }
    // Rows of what is not loaded can only be told apart when they can be read.
    if let Some(place) = fitting.first() {
        load_all(engine, &mut truths[*place].clone())?;
    }
    for place in fitting {
        let mut truth = truths[place].clone();
        truth.collections.values_mut().for_each(loaded);
        match check::everything(engine, &truth) {
            Ok(()) => return Ok(place),
            Err(wrong) => wrongs.push(wrong),
        }
    }
    Err(wrongs.join("; nor: "))
}

fn loaded(collection: &mut Collection) {
    collection.partitions.values_mut().for_each(|loaded| *loaded = true);
}

fn load_all(engine: &Engine, truth: &mut Truth) -> Result<(), Wrong> {
    for (name, collection) in &mut truth.collections {
        client::load(engine, name, &[]).map_err(|error| format!("load of {name}: {error}"))?;
        loaded(collection);
    }
    Ok(())
}

/// Lets the background work until every index is finished.
pub(crate) fn finish(engine: &Engine, truth: &Truth) -> Result<(), Wrong> {
    for _ in 0..TENDS_MAX {
        engine.tend();
        let mut pending = 0;
        for name in truth.collections.keys() {
            let index = client::index(engine, name).map_err(|error| error.to_string())?;
            pending += index.map_or(0, |info| info.pending_rows);
        }
        if pending == 0 {
            return Ok(());
        }
    }
    Err(format!("indexes are not finished after {TENDS_MAX} rounds of background work"))
}

/// Runs the workloads of many seeds on `threads` threads until so many points were tried.
pub fn crash_many(first_seed: u64, operations: u64, points: u64, threads: u64) -> (Cuts, Vec<Failure>) {
    let total = Mutex::new((Cuts::default(), Vec::new()));
    let next = Mutex::new(first_seed);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = {
                        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                        *next += 1;
                        *next - 1
                    };
                    let (cuts, outcome) = crash(seed, operations);
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.0.add(cuts);
                    total.1.extend(outcome.err());
                    if total.0.points >= points || total.1.len() > 20 {
                        break;
                    }
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}
