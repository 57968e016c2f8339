//! Files of every released format version still open, and the newest version is still written byte for byte.
//!
//! `WRITE_FIXTURES=1 cargo nextest run -p store --test fixtures` writes what is missing for the newest version. A
//! file that was released is never changed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use store::file::{Reader, Writer};
use store::{Disk, Log, LogSettings, Lsn, MemoryDisk, Store, Version};

/// A stored file: where it lies in a data folder, and the fixture's name without version.
const FILES: [(&str, &str); 4] = [
    ("FORMAT", "mark"),
    ("blobs/sample", "container"),
    ("registers/sample", "register"),
    ("log/0000000000000001.log", "log"),
];

fn fixture(name: &str, version: u32) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/store");
    root.join(format!("{name}-{version}.bin"))
}

fn payload(size: usize) -> Bytes {
    Bytes::from((0..size).map(|i| (i % 251) as u8).collect::<Vec<_>>())
}

const SIZES: [usize; 4] = [0, 5, 64, 1500];

fn settings() -> LogSettings {
    LogSettings { salt: 42, ..LogSettings::default() }
}

/// A data folder as this release writes it.
fn written() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    let mut writer = Writer::new(store.blobs().create("sample").unwrap(), *b"fixture ", 9).unwrap();
    for size in SIZES {
        writer.section(&format!("bytes {size}"), &[payload(size)]).unwrap();
    }
    writer.finish().unwrap();
    store.registers().commit("sample", None, b"first").unwrap();
    store.registers().commit("sample", Some(Version(1)), b"second").unwrap();
    let (log, _) = store.open_log(settings()).unwrap();
    for size in SIZES {
        let lsn = log.enqueue(vec![payload(size)]).unwrap();
        log.commit(lsn).unwrap();
    }
    disk
}

/// What every version of the files must say.
fn check(disk: &MemoryDisk) {
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    let reader = Reader::open_blob(store.blobs(), "sample").unwrap();
    reader.verify().unwrap();
    assert_eq!((reader.kind(), reader.version()), (*b"fixture ", 9));
    for size in SIZES {
        assert_eq!(reader.section(&format!("bytes {size}")).unwrap().unwrap(), payload(size));
    }
    let register = store.registers().load("sample").unwrap();
    assert_eq!(register, Some((Version(2), Bytes::from_static(b"second"))));
    let (_log, replay) = Log::open(Arc::new(disk.clone()), settings()).unwrap();
    assert_eq!(replay.cut_bytes(), 0);
    let records: Vec<_> = replay.map(Result::unwrap).collect();
    let expected: Vec<_> = (1..).map(Lsn).zip(SIZES.map(payload)).collect();
    assert_eq!(records, expected);
}

#[test]
fn every_version_opens_and_the_newest_is_written_as_ever() {
    let newest = 1;
    let disk = written();
    if std::env::var_os("WRITE_FIXTURES").is_some() {
        for (path, name) in FILES {
            let file = fixture(name, newest);
            if !file.exists() {
                std::fs::write(file, disk.read(path).unwrap()).unwrap();
            }
        }
    }
    for (path, name) in FILES {
        let released = std::fs::read(fixture(name, newest)).unwrap();
        assert!(disk.read(path).unwrap() == released, "{name} is no longer written as version {newest} was");
    }
    for version in 1..=newest {
        let disk = MemoryDisk::new();
        for folder in ["blobs", "registers", "log"] {
            disk.create_folder(folder).unwrap();
        }
        for (path, name) in FILES {
            disk.put(path, &std::fs::read(fixture(name, version)).unwrap()).unwrap();
        }
        check(&disk);
    }
}
