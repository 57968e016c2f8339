//! Every single bit of a stored container, register, log and format mark, flipped: each flip is noticed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use std::sync::Arc;

use bytes::Bytes;
use store::file::{Reader, Writer};
use store::{Disk, Error, Log, LogSettings, Lsn, MemoryDisk, Store};

/// Flips each bit of `path` in turn and asks `notices`.
fn flip_all(disk: &MemoryDisk, path: &str, notices: impl Fn(&MemoryDisk, u64) -> bool) {
    let bits = disk.len(path).unwrap() * 8;
    for bit in 0..bits {
        let bad = disk.killed();
        assert!(bad.flip(path, bit).unwrap());
        assert!(notices(&bad, bit), "{path}: bit {} of byte {} of {} bytes", bit % 8, bit / 8, bits / 8);
    }
}

#[test]
fn containers() {
    let disk = MemoryDisk::new();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    let mut writer = Writer::new(store.blobs().create("c").unwrap(), *b"flips   ", 3).unwrap();
    writer.section("empty", &[]).unwrap();
    writer.section("small", &[Bytes::from_static(b"one"), Bytes::from_static(b"two")]).unwrap();
    writer.section("whole", &[Bytes::from(vec![9; 64])]).unwrap();
    writer.finish().unwrap();
    let good = disk.read("blobs/c").unwrap();
    Reader::open(good).unwrap().verify().unwrap();
    flip_all(&disk, "blobs/c", |bad, _| match Reader::open(bad.read("blobs/c").unwrap()) {
        Ok(reader) => reader.verify().is_err(),
        Err(error) => matches!(error, Error::Corrupt { .. } | Error::Newer { .. }),
    });
    // Small sections are checked on access.
    flip_all(&disk, "blobs/c", |bad, bit| {
        let Ok(reader) = Reader::open(bad.read("blobs/c").unwrap()) else { return true };
        let inside = reader.sections().find(|s| (s.offset..s.offset + s.length).contains(&(bit / 8)));
        inside.is_none_or(|section| reader.section(section.name).is_err())
    });
}

#[test]
fn registers_and_the_mark_of_the_folder() {
    let disk = MemoryDisk::new();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    store.registers().commit("r", None, b"a small value").unwrap();
    drop(store);
    flip_all(&disk, "registers/r", |bad, _| {
        let store = Store::open(Arc::new(bad.clone())).unwrap();
        let refused = store.registers().load("r").unwrap_err();
        store.registers().commit("r", None, b"over it").unwrap_err();
        matches!(refused, Error::Corrupt { .. } | Error::Newer { .. })
    });
    flip_all(&disk, "FORMAT", |bad, _| Store::open(Arc::new(bad.clone())).is_err());
}

fn replay(disk: &MemoryDisk) -> Result<(Vec<(Lsn, Bytes)>, u64), Error> {
    let settings = LogSettings { file_bytes_max: 300, ..LogSettings::default() };
    let (_log, replay) = Log::open(Arc::new(disk.clone()), settings)?;
    let cut_bytes = replay.cut_bytes();
    Ok((replay.collect::<Result<_, _>>()?, cut_bytes))
}

#[test]
fn logs() {
    let disk = MemoryDisk::new();
    let settings = LogSettings { file_bytes_max: 300, ..LogSettings::default() };
    let (log, _) = Log::open(Arc::new(disk.clone()), settings).unwrap();
    for number in 0..9u8 {
        let lsn = log.enqueue(vec![Bytes::from(vec![number; 20 + usize::from(number)])]).unwrap();
        log.commit(lsn).unwrap();
    }
    // Closing leaves a mark, so that the last record, too, is known to have been durable.
    drop(log);
    let (good, _) = replay(&disk).unwrap();
    let files = disk.list("log").unwrap();
    assert_eq!((good.len(), files.len()), (9, 3));
    for file in files {
        flip_all(&disk, &format!("log/{file}"), |bad, _| match replay(bad) {
            // A flip in the mark itself costs the mark and nothing else.
            Ok((records, cut_bytes)) => records == good && cut_bytes > 0,
            Err(error) => matches!(error, Error::Corrupt { .. } | Error::Newer { .. }),
        });
    }
}

#[test]
fn a_log_that_lost_a_file_or_a_record_is_refused() {
    let disk = MemoryDisk::new();
    let settings = LogSettings { file_bytes_max: 300, ..LogSettings::default() };
    let (log, _) = Log::open(Arc::new(disk.clone()), settings).unwrap();
    for number in 0..20u8 {
        let lsn = log.enqueue(vec![Bytes::from(vec![number; 40])]).unwrap();
        log.commit(lsn).unwrap();
    }
    drop(log);
    let files = disk.list("log").unwrap();
    for file in &files[1..files.len() - 1] {
        let bad = disk.killed();
        bad.remove(&format!("log/{file}")).unwrap();
        assert!(matches!(replay(&bad), Err(Error::Corrupt { .. })), "{file} is missing");
    }
    for file in &files {
        let bytes = disk.read(&format!("log/{file}")).unwrap();
        for cut in [1, 40, 81, 88] {
            let bad = disk.killed();
            bad.put(&format!("log/{file}"), &bytes[..bytes.len() - cut]).unwrap();
            let is_last = Some(file) == files.last();
            match replay(&bad) {
                Err(Error::Corrupt { .. }) => {}
                // The end of the newest file looks as if the power had gone; nothing tells it from that.
                other => assert!(is_last, "{file} without its last {cut} bytes: {other:?}"),
            }
        }
    }
    for file in &files {
        // The record in the middle is taken out; what stays is well formed.
        let mut bytes = disk.read(&format!("log/{file}")).unwrap().to_vec();
        bytes.drain(128..208);
        let bad = disk.killed();
        bad.put(&format!("log/{file}"), &bytes).unwrap();
        assert!(matches!(replay(&bad), Err(Error::Corrupt { .. })), "{file} without a record");
    }
    // A newest file whose header is torn tells that the file before it was whole.
    let bad = disk.killed();
    let (newest, before) = (&files[files.len() - 1], &files[files.len() - 2]);
    bad.put(&format!("log/{newest}"), &[0; 20]).unwrap();
    assert!(replay(&bad.killed()).unwrap().1 > 0);
    let end = bad.len(&format!("log/{before}")).unwrap() - 1;
    bad.flip(&format!("log/{before}"), end * 8).unwrap();
    assert!(matches!(replay(&bad), Err(Error::Corrupt { .. })), "damage before a torn file");
    let bad = disk.killed();
    bad.put("log/notes.txt", b"").unwrap();
    assert!(matches!(replay(&bad), Err(Error::Foreign { .. })));
}
