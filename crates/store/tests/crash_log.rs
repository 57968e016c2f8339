//! A log under power cuts, at every operation and with random outcomes: what was acknowledged is replayed, in order,
//! exactly once; what failed or was never enqueued is not.

use std::sync::Arc;

use bytes::Bytes;
use host::Rng;
use store::{Disk, Error, Log, LogSettings, Lsn, MemoryDisk, SyncPolicy};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Enqueued; nobody knows.
    Open,
    /// Its commit returned.
    Durable,
    /// Its commit failed, and the log went on: it must never come back.
    Failed,
}

#[derive(Debug, Clone)]
struct Enqueued {
    lsn: Lsn,
    payload: Bytes,
    fate: Fate,
}

/// What must be found.
#[derive(Debug, Default)]
struct Truth {
    records: Vec<Enqueued>,
    trimmed: Lsn,
}

impl Truth {
    /// Checks a replay, and takes it for the truth from here on.
    fn judge(&mut self, replay: Vec<(Lsn, Bytes)>, policy: SyncPolicy, power_cut: bool, context: &str) {
        let oldest = replay.first().map_or(Lsn(u64::MAX), |(lsn, _)| *lsn);
        // Only whole files at the old end may be missing.
        let first_kept = oldest.min(self.trimmed);
        let mut found = replay.iter();
        for record in self.records.iter().filter(|r| r.lsn >= first_kept && r.fate != Fate::Failed) {
            let Some((lsn, payload)) = found.next() else {
                let may_be_lost = record.fate == Fate::Open || (policy == SyncPolicy::None && power_cut);
                assert!(may_be_lost, "{context}: {:?} is lost", record.lsn);
                continue;
            };
            assert_eq!(*lsn, record.lsn, "{context}: a record is missing or was never enqueued");
            assert_eq!(*payload, record.payload, "{context}: {lsn:?}");
        }
        assert!(found.next().is_none(), "{context}: more records than were enqueued");
        self.records =
            replay.into_iter().map(|(lsn, payload)| Enqueued { lsn, payload, fate: Fate::Durable }).collect();
    }
}

struct World {
    disk: MemoryDisk,
    rng: Rng,
    truth: Truth,
    policy: SyncPolicy,
    context: String,
}

/// The power went while the log was in use.
struct Off;

impl World {
    fn new(seed: u64, policy: SyncPolicy) -> Self {
        let disk = MemoryDisk::new();
        Self { disk, rng: Rng::new(seed), truth: Truth::default(), policy, context: format!("seed {seed}") }
    }

    fn settings(&self) -> LogSettings {
        LogSettings { file_bytes_max: 3000, sync: self.policy, salt: 5, ..LogSettings::default() }
    }

    fn open(&mut self, power_cut: bool) -> Result<Log, Off> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let opened = Log::open(disk, self.settings()).and_then(|(log, replay)| {
            let records = replay.collect::<Result<Vec<_>, Error>>()?;
            Ok((log, records))
        });
        match opened {
            Ok((log, records)) => {
                self.truth.judge(records, self.policy, power_cut, &self.context);
                assert!(self.truth.records.iter().all(|r| r.lsn < log.end()));
                Ok(log)
            }
            Err(Error::Io { source, .. }) => {
                assert!(source.to_string().contains("the power is off"), "{}: {source}", self.context);
                Err(Off)
            }
            Err(error) => unreachable!("{}: {error}", self.context),
        }
    }

    fn enqueue(&mut self, log: &Log) {
        for _ in 0..=self.rng.below(3) {
            let size = if self.rng.chance(0.2) { self.rng.below(4000) } else { self.rng.below(60) } as usize;
            let fill = self.rng.next_u64() as u8;
            let payload = Bytes::from(vec![fill; size]);
            let split = self.rng.below(size as u64 + 1) as usize;
            let parts = vec![payload.slice(..split), payload.slice(split..)];
            if let Ok(lsn) = log.enqueue(parts) {
                self.truth.records.push(Enqueued { lsn, payload, fate: Fate::Open });
            }
        }
    }

    /// Commits everything; false if the log must be opened again.
    fn commit(&mut self, log: &Log) -> Result<bool, Off> {
        let mut goes_on = true;
        for record in self.truth.records.iter_mut().filter(|r| r.fate == Fate::Open) {
            match log.commit(record.lsn) {
                Ok(()) => record.fate = Fate::Durable,
                Err(Error::Io { source, .. }) if source.to_string().contains("power is off") => {
                    return Err(Off);
                }
                Err(Error::Io { .. } | Error::DiskFull { .. } | Error::Poisoned { .. }) => goes_on = false,
                Err(error) => unreachable!("{}: {error}", self.context),
            }
        }
        if goes_on {
            return Ok(true);
        }
        // The log says whether it goes on after a failure.
        let Ok(probe) = log.enqueue(vec![Bytes::from_static(b"probe")]) else { return Ok(false) };
        let failed = self.truth.records.iter_mut().filter(|r| r.fate == Fate::Open);
        failed.for_each(|record| record.fate = Fate::Failed);
        let payload = Bytes::from_static(b"probe");
        self.truth.records.push(Enqueued { lsn: probe, payload, fate: Fate::Open });
        Ok(true)
    }

    /// A life of a log until the power goes or `steps` are done.
    fn live(&mut self, steps: usize, power_cut: bool, faults: bool) -> Result<(), Off> {
        let mut log = self.open(power_cut)?;
        for _ in 0..steps {
            self.enqueue(&log);
            if faults && self.rng.chance(0.2) {
                match self.rng.below(3) {
                    0 => self.disk.full_after(self.rng.below(2000)),
                    1 => self.disk.fail_sync(1),
                    _ => self.disk.fail_after(self.rng.below(3)),
                }
            }
            let goes_on = if self.rng.chance(0.8) { self.commit(&log)? } else { true };
            if faults {
                self.disk.heal();
            }
            if goes_on && self.rng.chance(0.15) {
                let below = Lsn(self.rng.below(log.end().0 + 1));
                self.truth.trimmed = self.truth.trimmed.max(below);
                drop(log.trim(below));
            }
            if !goes_on || self.rng.chance(0.1) {
                drop(log);
                log = self.open(false)?;
            }
        }
        Ok(())
    }

    fn lose_power(&mut self) {
        self.disk = self.disk.crash(&mut self.rng);
    }
}

fn cut_everywhere(seed: u64, policy: SyncPolicy) {
    let mut whole = World::new(seed, policy);
    assert!(whole.live(15, false, false).is_ok());
    for at in 0..whole.disk.operations() {
        for outcome in 0..4u64 {
            let mut world = World::new(seed, policy);
            world.context = format!("seed {seed}, cut at operation {at}, outcome {outcome}");
            world.disk.crash_after(at);
            drop(world.live(15, false, false));
            world.rng = Rng::new(seed).child(&world.context);
            world.lose_power();
            // The power may go again while the log recovers.
            world.disk.crash_after(world.rng.below(12));
            drop(world.live(0, true, false));
            world.lose_power();
            assert!(world.live(3, true, false).is_ok(), "{}", world.context);
            assert!(world.live(0, false, false).is_ok(), "{}", world.context);
        }
    }
}

#[test]
fn a_power_cut_at_every_operation() {
    (0..12).for_each(|seed| cut_everywhere(seed, SyncPolicy::Always));
}

#[test]
fn a_power_cut_at_every_operation_without_syncs() {
    (0..6).for_each(|seed| cut_everywhere(seed, SyncPolicy::None));
}

#[test]
fn faults_and_power_cuts_at_random() {
    for seed in 0..1500 {
        let mut world = World::new(seed, SyncPolicy::Always);
        let mut power_cut = false;
        for life in 0..4 {
            world.context = format!("seed {seed}, life {life}");
            if world.rng.chance(0.5) {
                world.disk.crash_after(world.rng.below(150));
            }
            power_cut = world.live(12, power_cut, false).is_err() || {
                world.disk.heal();
                world.live(12, false, true).is_err() || world.rng.chance(0.5)
            };
            if power_cut {
                world.lose_power();
            } else {
                world.disk = world.disk.killed();
            }
        }
    }
}
