//! Worlds whose disk fails: full, with syncs that fail, with errors at every change from some moment on, or off.
//! Errors must be clear, reads go on, nothing that was acknowledged is lost, and what was refused is there as a whole or
//! not at all.

use crate::check::{self, Wrong};
use crate::crash;
use crate::draw::Scale;
use crate::op::Op;
use crate::tap::Tapped;
use crate::truth::{Filter, Truth};
use crate::world::{Failure, guarded, settings};
use engine::{Engine, Error, ErrorKind, Settings};
use host::{ManualClock, Rng};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::{Disk, MemoryDisk};

/// So many databases may be the right one; then the workload ends.
const CANDIDATES_MAX: usize = 16;

/// Operations of a fault world.
pub const FAULT_OPERATIONS: u64 = 40;

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// No space is left.
    Full,
    /// Syncs fail, and what they should have written may be lost.
    Sync,
    /// Every change fails.
    Errors,
    /// A few changes fail, somewhere in the middle of an operation.
    Blip,
    /// The machine is off.
    Power,
}

/// What fault worlds came to.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    /// Worlds lived.
    pub worlds: u64,
    /// Operations that storage refused.
    pub refused: u64,
    /// Errors by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Worlds in which an operation that was refused had happened nevertheless.
    pub done: u64,
}

impl Faults {
    fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.refused += other.refused;
        self.done += other.done;
        other.kinds.into_iter().for_each(|(kind, count)| *self.kinds.entry(kind).or_default() += count);
    }
}

struct FaultWorld {
    rng: Rng,
    scale: Scale,
    settings: Settings,
    disk: Tapped,
    clock: Arc<ManualClock>,
    fault: Fault,
    /// At which change the power goes.
    off_at: Option<u64>,
    /// The first is what the running engine holds; any may be what the next start finds.
    candidates: Vec<Truth>,
    faults: Faults,
}

/// Lives the fault world of `seed`.
///
/// # Errors
/// What is wrong with it.
pub fn fail(seed: u64) -> (Faults, Result<(), Failure>) {
    let mut rng = Rng::new(seed);
    let settings = settings(&mut rng);
    let scale = Scale {
        collections_max: 1 + rng.below(2),
        rows_max: [3, 10, 40][rng.below(3) as usize],
        large_rows_max: 80,
        alive_max: 200,
        dim_max: 4,
    };
    let faults = [Fault::Full, Fault::Sync, Fault::Sync, Fault::Errors, Fault::Blip, Fault::Power];
    let fault = faults[rng.below(faults.len() as u64) as usize];
    let mut world = FaultWorld {
        rng,
        scale,
        settings,
        disk: Tapped::new(MemoryDisk::new()),
        clock: Arc::new(ManualClock::at(1_000_000)),
        fault,
        off_at: None,
        candidates: vec![Truth::default()],
        faults: Faults { worlds: 1, ..Faults::default() },
    };
    let outcome = guarded(|| world.run().map_err(|wrong| format!("{fault:?}: {wrong}")));
    (world.faults, outcome.map_err(|text| Failure { seed, text }))
}

impl FaultWorld {
    fn open(&self, disk: Arc<dyn Disk>) -> Result<Arc<Engine>, Error> {
        Engine::open_still(self.settings.clone(), disk, Arc::clone(&self.clock) as _)
    }

    fn run(&mut self) -> Result<(), Wrong> {
        let engine =
            self.open(Arc::new(self.disk.clone())).map_err(|error| format!("an empty disk: {error}"))?;
        let begins = self.rng.below(FAULT_OPERATIONS);
        let ends = begins + 1 + self.rng.below(FAULT_OPERATIONS);
        for number in 0..FAULT_OPERATIONS {
            if number == begins {
                self.begin();
            }
            if number == ends && self.fault != Fault::Power {
                self.disk.watch(None);
                self.disk.disk().heal();
            }
            self.clock.advance_ms(self.rng.below(3_000));
            let op = self.scale.next(&self.candidates[0], &mut self.rng);
            self.step(&engine, &op, number >= begins)
                .map_err(|wrong| format!("operation {number} (fault at {begins}): {op:?}: {wrong}"))?;
            if self.candidates.len() > CANDIDATES_MAX {
                break;
            }
        }
        self.disk.watch(None);
        if self.fault == Fault::Full {
            self.disk.disk().heal();
            self.works_again(&engine)?;
        }
        engine.close();
        drop(engine);
        self.reopen()
    }

    /// The fault comes some changes from now.
    fn begin(&mut self) {
        let disk = self.disk.disk();
        let mut left = self.rng.below(40);
        let count = 1 + self.rng.below(3);
        match self.fault {
            Fault::Full => disk.full_after(self.rng.below(10_000)),
            Fault::Errors => disk.fail_after(left),
            Fault::Power => {
                let at = disk.operations() + left;
                self.off_at = Some(at);
                disk.crash_after(at);
            }
            Fault::Sync => self.disk.watch(Some(Box::new(move |disk, _| {
                if left == 0 {
                    disk.fail_sync(count);
                }
                left = left.wrapping_sub(1);
            }))),
            Fault::Blip => self.disk.watch(Some(Box::new(move |disk, _| {
                if left == 0 {
                    disk.fail_after(0);
                } else if left == 0_u64.wrapping_sub(count) {
                    disk.heal();
                }
                left = left.wrapping_sub(1);
            }))),
        }
    }

    fn is_off(&self) -> bool {
        self.off_at.is_some_and(|at| self.disk.disk().operations() > at)
    }

    fn step(&mut self, engine: &Engine, op: &Op, may_fail: bool) -> Result<(), Wrong> {
        let online = self.settings.drop_index_online;
        let was_off = self.is_off();
        let got = op.perform(engine, &self.candidates[0]);
        if was_off {
            // What a machine without power says is heard by nobody; it only must not panic.
            return Ok(());
        }
        let stamp = got.as_ref().ok().copied().flatten();
        let at = stamp.unwrap_or_else(|| engine.timestamp());
        // Which rows an expression deletes and what an update keeps is found among what can be seen.
        let op = &op.resolved(&self.candidates[0]);
        match &got {
            Err(error) if is_storage(error) && may_fail => {
                self.faults.refused += 1;
                *self.faults.kinds.entry(format!("{:?}", error.kind())).or_default() += 1;
                if !refused_outright(error) {
                    let mut done = self.candidates.clone();
                    done.retain_mut(|truth| op.apply(truth, at, online).is_ok());
                    self.candidates.extend(done);
                }
            }
            _ => {
                let first = &mut true;
                let want = op.apply(&mut self.candidates[0], at, online);
                if got.as_ref().map(drop).map_err(Error::kind) != want {
                    return Err(format!("the engine says {got:?}, the truth is {want:?}"));
                }
                let does_nothing = match op {
                    Op::Delete { filter: Filter::Keys(keys), .. } => keys.is_empty(),
                    Op::Flush { .. } | Op::Compact { .. } | Op::Tend => true,
                    _ => false,
                };
                if got.is_ok() && !does_nothing {
                    // Where another candidate does not allow it, it is not what the next start finds.
                    self.candidates
                        .retain_mut(|truth| std::mem::take(first) || op.apply(truth, at, online).is_ok());
                }
            }
        }
        // With the power off not even reads need to work.
        if self.is_off() { Ok(()) } else { check::everything(engine, &self.candidates[0]) }
    }

    /// With space again, everything works again, without a restart.
    fn works_again(&mut self, engine: &Engine) -> Result<(), Wrong> {
        self.clock.advance_ms(10_000);
        engine.tend();
        for name in ["c0", "c1"] {
            let keys = vec![7_777];
            for op in [
                Op::Create { name: name.to_owned(), dim: 2, text_keys: false, parts: true },
                Op::Insert { name: name.to_owned(), partition: String::new(), keys, draw: 7, added: vec![] },
                Op::Flush { name: name.to_owned() },
            ] {
                let wrong = |wrong| format!("with space again: {op:?}: {wrong}");
                self.step(engine, &op, false).map_err(wrong)?;
            }
        }
        // Also builds that failed while there was none.
        crash::finish(engine, &self.candidates[0])
    }

    /// The next start finds one of the candidates, even if it fails a few times.
    fn reopen(&mut self) -> Result<(), Wrong> {
        let mut disk = match self.rng.below(3) {
            0 if self.fault != Fault::Power => self.disk.disk().killed(),
            _ => self.disk.disk().crash(&mut self.rng),
        };
        while self.rng.chance(0.3) {
            match self.rng.below(3) {
                0 => disk.full_after(self.rng.below(300)),
                1 => disk.fail_sync(1),
                _ => disk.fail_after(self.rng.below(8)),
            }
            match self.open(Arc::new(disk.clone())) {
                Ok(_) => {}
                Err(error) if is_storage(&error) => {}
                Err(error) => return Err(format!("a start on a failing disk: {:?}: {error}", error.kind())),
            }
            disk.heal();
            if self.rng.chance(0.5) {
                disk = disk.crash(&mut self.rng);
            }
        }
        let engine =
            self.open(Arc::new(disk.clone())).map_err(|error| format!("cannot be opened again: {error}"))?;
        let found = crash::judge(&engine, &disk, &self.candidates)?;
        self.faults.done += u64::from(found > 0);
        crash::finish(&engine, &self.candidates[found])
    }
}

fn is_storage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Io | ErrorKind::DiskFull)
}

/// Whether the operation was turned away before the disk was asked.
fn refused_outright(error: &Error) -> bool {
    let text = error.to_string();
    text.contains("takes no more writes") || text.contains("nothing more is taken")
}

/// Lives the fault worlds of `count` seeds on `threads` threads.
pub fn fail_many(first_seed: u64, count: u64, threads: u64) -> (Faults, Vec<Failure>) {
    let total = Mutex::new((Faults::default(), Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let total = &total;
            scope.spawn(move || {
                for seed in (first_seed + thread..first_seed + count).step_by(threads as usize) {
                    let (faults, outcome) = fail(seed);
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.0.add(faults);
                    total.1.extend(outcome.err());
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}
