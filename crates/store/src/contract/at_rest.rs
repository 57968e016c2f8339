//! What blobs, registers, logs and a data folder promise.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{MakeDisk, bytes, ok, refused};
use crate::crc::crc32c;
use crate::disk::Disk;
use crate::error::Error;
use crate::log::{Log, LogSettings, Lsn, SyncPolicy};
use crate::registers::Version;
use crate::store::Store;

/// Blobs are whole or absent, given once, and readable after deletion.
pub fn blobs(make: MakeDisk<'_>) {
    let disk = make();
    let store = ok(Store::open(Arc::clone(&disk)), "open");
    let blobs = store.blobs();
    let mut writer = ok(blobs.create("a/b.1"), "create");
    ok(writer.append(&[bytes("one"), bytes("two")]), "append");
    assert!(!ok(blobs.exists("a/b.1"), "exists"), "not before it is finished");
    assert!(matches!(refused(blobs.open("a/b.1"), "open"), Error::NotFound { .. }));
    assert!(matches!(refused(blobs.create("a/b.1"), "create"), Error::Exists { .. }));
    ok(writer.append(&[bytes("three")]), "append");
    assert_eq!(ok(writer.finish(), "finish"), 11);
    assert!(matches!(refused(blobs.create("a/b.1"), "create"), Error::Exists { .. }));
    let held = ok(blobs.open("a/b.1"), "open");
    assert_eq!(held, "onetwothree");
    assert_eq!(held.as_ptr() as usize % 64, 0, "blobs are aligned");
    assert_eq!(ok(blobs.len("a/b.1"), "length"), 11);

    ok(blobs.put("a", &[]), "put an empty one whose name begins another's");
    let large: Vec<Bytes> = (0..5u8).map(|i| Bytes::from(vec![i; 700_000])).collect();
    ok(blobs.put("c", &large), "put a large one");
    assert_eq!(ok(blobs.open("c"), "open"), large.concat());
    drop(ok(blobs.create("given-up"), "create"));
    drop(ok(blobs.create("given-up"), "create again what was given up"));
    assert_eq!(ok(blobs.list(""), "list"), ["a", "a/b.1", "c"]);
    assert_eq!(ok(blobs.list("a/"), "list"), ["a/b.1"]);

    ok(blobs.delete("a/b.1"), "delete");
    assert_eq!(held, "onetwothree", "bytes outlive their blob");
    assert!(matches!(refused(blobs.delete("a/b.1"), "delete"), Error::NotFound { .. }));
    assert!(matches!(refused(blobs.len("a/b.1"), "length"), Error::NotFound { .. }));
    ok(blobs.sync(), "sync");
    assert!(matches!(refused(blobs.create("../x"), "create"), Error::BadName { .. }));
    drop(store);
    drop(ok(disk.create("blobs/dead.tmp"), "leave something unfinished"));
    let store = ok(Store::open(Arc::clone(&disk)), "open again");
    assert_eq!(ok(store.blobs().list(""), "list"), ["a", "c"]);
    assert!(!ok(disk.exists("blobs/dead.tmp"), "exists"), "what was unfinished is removed");
}

/// Registers change by compare-and-set and survive.
pub fn registers(make: MakeDisk<'_>) {
    let disk = make();
    let store = ok(Store::open(Arc::clone(&disk)), "open");
    let registers = store.registers();
    assert!(ok(registers.load("r"), "load").is_none());
    let conflict = refused(registers.commit("r", Some(Version(1)), b"x"), "a commit to nothing");
    assert!(matches!(conflict, Error::Conflict { found: None, .. }), "{conflict:?}");
    assert_eq!(ok(registers.commit("r", None, b"one"), "first commit"), Version(1));
    let conflict = refused(registers.commit("r", None, b"x"), "a second first commit");
    assert!(matches!(conflict, Error::Conflict { found: Some(Version(1)), .. }), "{conflict:?}");
    assert_eq!(ok(registers.commit("r", Some(Version(1)), b""), "commit"), Version(2));
    assert_eq!(ok(registers.load("r"), "load"), Some((Version(2), Bytes::new())));
    ok(registers.commit("s/t", None, b"other"), "commit another");
    drop(store);

    let store = ok(Store::open(Arc::clone(&disk)), "open again");
    let registers = store.registers();
    assert_eq!(ok(registers.list(""), "list"), ["r", "s/t"]);
    assert_eq!(ok(registers.list("s"), "list"), ["s/t"]);
    assert_eq!(ok(registers.load("s/t"), "load"), Some((Version(1), bytes("other"))));
    let mut seen = ok(registers.load("r"), "load").map(|(version, _)| version);
    for round in 0..20u8 {
        seen = Some(ok(registers.commit("r", seen, &[round; 100]), "commit"));
    }
    assert_eq!(seen, Some(Version(22)));
    ok(registers.remove("r"), "remove");
    ok(registers.remove("r"), "remove what is not there");
    assert!(ok(registers.load("r"), "load").is_none());
    races(registers);
}

/// Of many threads that change a register from the same version, one succeeds.
fn races(registers: &crate::Registers) {
    let won = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let won = &won;
            scope.spawn(move || {
                while won.load(Ordering::SeqCst) < 40 {
                    let seen = ok(registers.load("race"), "load").map(|(version, _)| version);
                    match registers.commit("race", seen, &[thread]) {
                        Ok(version) => {
                            won.fetch_add(1, Ordering::SeqCst);
                            assert_eq!(version.0, seen.map_or(0, |v| v.0) + 1);
                        }
                        Err(error) => assert!(matches!(error, Error::Conflict { .. }), "{error}"),
                    }
                }
            });
        }
    });
    let version = ok(registers.load("race"), "load").map(|(version, _)| version.0);
    assert_eq!(version, Some(won.load(Ordering::SeqCst)), "each success is one version");
}

/// The whole log as it is found now.
fn replayed(disk: &Arc<dyn Disk>, settings: &LogSettings) -> (Log, Vec<(Lsn, Bytes)>) {
    let (log, replay) = ok(Log::open(Arc::clone(disk), settings.clone()), "open the log");
    assert_eq!(replay.cut_bytes(), 0, "a log that was closed has no torn end");
    let records = replay.map(|record| ok(record, "replay")).collect();
    (log, records)
}

/// Records come back in order, over many files and openings; trimming deletes whole files.
pub fn log(make: MakeDisk<'_>) {
    for sync in [SyncPolicy::Always, SyncPolicy::None] {
        let disk = make();
        let settings = LogSettings { file_bytes_max: 4096, sync, salt: 7, ..LogSettings::default() };
        let mut written = Vec::new();
        for opening in 0..5usize {
            let (log, records) = replayed(&disk, &settings);
            assert_eq!(records, written, "opening {opening}");
            assert_eq!(log.end(), Lsn(written.len() as u64 + 1));
            for size in [0, 1, 7, 8, 9, 500, 1024, 1025, 5000, 100_000] {
                let parts: Vec<Bytes> =
                    (0..opening).map(|part| Bytes::from(vec![part as u8; size / opening])).collect();
                let lsn = ok(log.enqueue(parts.clone()), "enqueue");
                written.push((lsn, Bytes::from(parts.concat())));
            }
            assert_eq!(log.durable().0 + 10, log.end().0);
            ok(log.commit(Lsn(log.end().0 - 1)), "commit the last");
            assert_eq!(log.durable(), log.end());
            ok(log.commit(Lsn(1)), "commit what is durable");
            assert!(matches!(refused(log.commit(log.end()), "commit"), Error::Misuse { .. }));
        }
        trims(&disk, &settings, &written);
    }
}

fn trims(disk: &Arc<dyn Disk>, settings: &LogSettings, written: &[(Lsn, Bytes)]) {
    let (log, _) = replayed(disk, settings);
    let before = log.bytes();
    ok(log.trim(Lsn(25)), "trim");
    assert!(log.bytes() < before);
    drop(log);
    let (log, records) = replayed(disk, settings);
    assert!(records.len() >= written.len() - 24, "nothing at or above the bound is deleted");
    assert!(written.ends_with(&records), "what stays is the end of the row");
    ok(log.trim(log.end()), "trim all");
    let lsn = ok(log.enqueue(vec![bytes("after")]), "enqueue");
    assert_eq!(lsn, Lsn(written.len() as u64 + 1));
    ok(log.commit(lsn), "commit");
    ok(log.trim(lsn), "trim below the last");
    drop(log);
    let (_, records) = replayed(disk, settings);
    assert_eq!(records, [(lsn, bytes("after"))], "a file that was trimmed whole is left and deleted");
}

/// Many threads share writes, and each record is there once, in the order of its number.
pub fn log_under_many_threads(make: MakeDisk<'_>) {
    let disk = make();
    let settings = LogSettings { file_bytes_max: 20_000, ..LogSettings::default() };
    let (log, _) = replayed(&disk, &settings);
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..50u64 {
                    let text = format!("{thread} {number} {}", "x".repeat((thread * number) as usize));
                    let lsn = ok(log.enqueue(vec![bytes(&text)]), "enqueue");
                    ok(log.commit(lsn), "commit");
                    assert!(log.durable() > lsn);
                }
            });
        }
    });
    drop(log);
    let (_, records) = replayed(&disk, &settings);
    assert!(records.iter().zip(1..).all(|((lsn, _), number)| lsn.0 == number));
    let distinct: BTreeSet<&Bytes> = records.iter().map(|(_, payload)| payload).collect();
    assert_eq!(distinct.len(), 400);
}

/// A data folder is taken by one process, and one that is not ours is left alone.
pub fn store(make: MakeDisk<'_>) {
    let disk = make();
    let store = ok(Store::open(Arc::clone(&disk)), "make a data folder");
    assert!(matches!(refused(Store::open(Arc::clone(&disk)), "a second opening"), Error::Locked { .. }));
    let elsewhere = LogSettings { folder: "elsewhere".to_owned(), ..LogSettings::default() };
    assert!(matches!(refused(store.open_log(elsewhere), "a log elsewhere"), Error::Misuse { .. }));
    drop(ok(store.open_log(LogSettings::default()), "open the log"));
    drop(store);
    drop(ok(Store::open(disk), "open it again"));

    let newer = "elanus data folder\nlayout 2\n".to_owned();
    let newer = format!("{newer}crc32c {:08x}\n", crc32c(newer.as_bytes()));
    for (name, content) in [("photo.jpg", "smile"), ("FORMAT", "ext4"), ("FORMAT", &newer)] {
        let disk = make();
        let mut file = ok(disk.create(name), "create");
        ok(file.append(&[bytes(content)]), "append");
        drop(file);
        let error = refused(Store::open(Arc::clone(&disk)), "a folder of somebody else");
        let expected = if content == newer {
            matches!(error, Error::Newer { found: 2, known: 1, .. })
        } else {
            matches!(error, Error::Foreign { .. })
        };
        assert!(expected, "{error}");
        assert_eq!(ok(disk.list(""), "list"), [name], "it is left as it was");
        assert_eq!(ok(disk.read(name), "read"), content);
    }
}
