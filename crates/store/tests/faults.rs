//! What a log, registers and blobs say and do when the disk fails under them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use store::{Error, Log, LogSettings, Lsn, MemoryDisk, Store, Version};

fn open(disk: &MemoryDisk) -> (Log, Vec<Lsn>) {
    let (log, replay) = Log::open(Arc::new(disk.clone()), LogSettings::default()).unwrap();
    (log, replay.map(|record| record.unwrap().0).collect())
}

fn append(log: &Log, bytes: usize) -> Result<Lsn, Error> {
    let lsn = log.enqueue(vec![Bytes::from(vec![1; bytes])])?;
    log.commit(lsn).map(|()| lsn)
}

#[test]
fn a_full_disk_costs_the_group_and_nothing_else() {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk);
    append(&log, 1000).unwrap();
    let before = log.bytes();
    disk.full_after(1500);
    let group: Vec<Lsn> = (0..3).map(|_| log.enqueue(vec![Bytes::from(vec![2; 900])]).unwrap()).collect();
    for lsn in group {
        let error = log.commit(lsn).unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        assert!(error.to_string().starts_with("disk full: cannot write the log"), "{error}");
    }
    assert_eq!(log.bytes(), before);
    disk.heal();
    assert_eq!(append(&log, 10).unwrap(), Lsn(5), "numbers that failed stay unused");
    assert!(matches!(log.commit(Lsn(3)), Err(Error::DiskFull { .. })), "and stay failed");
    log.commit(Lsn(1)).unwrap();
    drop(log);
    assert_eq!(open(&disk).1, [Lsn(1), Lsn(5)]);
}

#[test]
fn a_failed_sync_ends_writing_until_the_log_is_opened_again() {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk);
    append(&log, 1000).unwrap();
    disk.fail_sync(1);
    let lost = log.enqueue(vec![Bytes::from_static(b"in doubt")]).unwrap();
    assert!(matches!(log.commit(lost), Err(Error::Io { .. })));
    for outcome in [append(&log, 1).map(drop), log.enqueue(vec![]).map(drop)] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Poisoned { .. }), "{error}");
        assert!(error.to_string().contains("restart"), "{error}");
    }
    log.commit(Lsn(1)).unwrap();
    drop(log);
    let (log, found) = open(&disk);
    assert_eq!(found[0], Lsn(1));
    append(&log, 1).unwrap();
}

#[test]
fn a_write_that_cannot_be_cut_back_ends_writing() {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk);
    append(&log, 10).unwrap();
    disk.fail_after(0);
    assert!(matches!(append(&log, 10), Err(Error::Io { .. })));
    assert!(matches!(append(&log, 10), Err(Error::Poisoned { .. })));
}

#[test]
fn limits_are_named() {
    let disk = Arc::new(MemoryDisk::new());
    let settings = LogSettings { queue_bytes_max: 100, ..LogSettings::default() };
    let (log, _) = Log::open(disk, settings).unwrap();
    assert!(matches!(append(&log, 101), Err(Error::TooLarge { bytes: 101, bytes_max: 100, .. })));
    log.enqueue(vec![Bytes::from(vec![0; 60])]).unwrap();
    let error = log.enqueue(vec![Bytes::from(vec![0; 60])]).unwrap_err();
    assert!(error.to_string().contains("queue of the log"), "{error}");
    log.commit(Lsn(1)).unwrap();
    append(&log, 60).unwrap();
}

#[test]
fn numbers_begin_where_the_caller_says() {
    let disk = MemoryDisk::new();
    let settings = LogSettings { first: Lsn(1000), ..LogSettings::default() };
    let (log, _) = Log::open(Arc::new(disk.clone()), settings).unwrap();
    assert_eq!(append(&log, 1).unwrap(), Lsn(1000));
    drop(log);
    let settings = LogSettings { first: Lsn(2000), ..LogSettings::default() };
    let (log, _) = Log::open(Arc::new(disk.clone()), settings).unwrap();
    assert_eq!(append(&log, 1).unwrap(), Lsn(2000));
    drop(log);
    assert_eq!(open(&disk).1, [Lsn(1000), Lsn(2000)]);
}

#[test]
fn many_threads_on_a_disk_that_fails_now_and_then() {
    let disk = MemoryDisk::new();
    let (log, _) = open(&disk);
    let done = AtomicBool::new(false);
    let mut durable: Vec<Lsn> = std::thread::scope(|scope| {
        let (log, disk, done) = (&log, &disk, &done);
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                disk.full_after(5000);
                std::thread::yield_now();
                disk.heal();
                std::thread::yield_now();
            }
        });
        let writers: Vec<_> = (0..6)
            .map(|_| scope.spawn(move || (0..200).filter_map(|_| append(log, 300).ok()).collect::<Vec<_>>()))
            .collect();
        let durable = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        done.store(true, Ordering::SeqCst);
        durable
    });
    disk.heal();
    durable.sort_unstable();
    drop(log);
    assert_eq!(open(&disk).1, durable, "what was acknowledged, and only that");
}

#[test]
fn registers_say_when_nobody_can_tell_what_is_on_disk() {
    let disk = MemoryDisk::new();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    let registers = store.registers();
    registers.commit("r", None, b"1").unwrap();
    disk.full_after(3);
    let error = registers.commit("r", Some(Version(1)), b"2").unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    disk.heal();
    disk.fail_sync(1);
    registers.commit("r", Some(Version(1)), b"2").unwrap_err();
    assert_eq!(registers.load("r").unwrap().unwrap().0, Version(1));
    registers.commit("r", Some(Version(1)), b"2").unwrap();
    // Create, append, sync and rename work; the sync of the folder does not.
    disk.fail_after(4);
    assert!(matches!(registers.commit("r", Some(Version(2)), b"3"), Err(Error::Io { .. })));
    disk.heal();
    assert!(matches!(registers.commit("q", None, b""), Err(Error::Poisoned { .. })));
    assert!(matches!(registers.remove("r"), Err(Error::Poisoned { .. })));
    drop(store);
    let store = Store::open(Arc::new(disk)).unwrap();
    assert_eq!(store.registers().load("r").unwrap().unwrap().0, Version(3));
}

#[test]
fn a_value_that_was_seen_after_the_death_of_a_process_survives_a_power_cut() {
    let disk = MemoryDisk::new();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    let first = store.registers().commit("r", None, b"old").unwrap();
    // The file is created, written, synced and renamed; then the process dies, before the sync of the folder.
    disk.crash_after(disk.operations() + 4);
    assert!(store.registers().commit("r", Some(first), b"new").is_err());
    assert!(store.registers().is_poisoned());
    drop(store);
    let disk = disk.killed();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    let seen = store.registers().load("r").unwrap().unwrap();
    assert_eq!(seen, (Version(2), Bytes::from_static(b"new")));
    for seed in 0..50 {
        let later = disk.crash(&mut host::Rng::new(seed));
        let store = Store::open(Arc::new(later)).unwrap();
        assert_eq!(store.registers().load("r").unwrap(), Some(seen.clone()), "seed {seed}");
    }
}
