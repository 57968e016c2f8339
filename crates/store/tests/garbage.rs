//! Bytes from anywhere: an error or an answer, never a panic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use store::file::{Reader, Writer};
use store::{Disk, Log, LogSettings, MemoryDisk, Store};

fn read_everything(bytes: Bytes) {
    let Ok(reader) = Reader::open(bytes) else { return };
    drop(reader.verify());
    for section in reader.sections() {
        drop(reader.section(section.name));
    }
}

fn open_as_log(bytes: &[u8]) {
    let disk = MemoryDisk::new();
    disk.create_folder("log").unwrap();
    disk.put("log/0000000000000001.log", bytes).unwrap();
    if let Ok((_log, replay)) = Log::open(Arc::new(disk), LogSettings::default()) {
        replay.for_each(drop);
    }
}

fn open_as_register(bytes: &[u8]) {
    let disk = MemoryDisk::new();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    disk.put("registers/r", bytes).unwrap();
    drop(store.registers().load("r"));
}

fn good_files() -> [Bytes; 3] {
    let disk = MemoryDisk::new();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    let mut writer = Writer::new(store.blobs().create("c").unwrap(), *b"garbage ", 1).unwrap();
    writer.section("a", &[Bytes::from(vec![1; 100])]).unwrap();
    writer.section("b", &[Bytes::from(vec![2; 200])]).unwrap();
    writer.finish().unwrap();
    store.registers().commit("r", None, b"value").unwrap();
    let (log, _) = store.open_log(LogSettings::default()).unwrap();
    for size in [10, 0, 50] {
        log.enqueue(vec![Bytes::from(vec![3; size])]).unwrap();
    }
    log.commit(store::Lsn(3)).unwrap();
    drop(log);
    ["blobs/c", "registers/r", "log/0000000000000001.log"].map(|path| disk.read(path).unwrap())
}

proptest! {
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        read_everything(Bytes::from(bytes.clone()));
        open_as_log(&bytes);
        open_as_register(&bytes);
    }

    #[test]
    fn good_files_with_bytes_changed_cut_or_added(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<proptest::sample::Index>(),
        more in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        for (kind, good) in good_files().into_iter().enumerate() {
            let mut bytes = good.to_vec();
            for (at, value) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *value;
            }
            bytes.truncate(keep.index(bytes.len() * 2));
            bytes.extend_from_slice(&more);
            match kind {
                0 => read_everything(Bytes::from(bytes)),
                1 => open_as_register(&bytes),
                _ => open_as_log(&bytes),
            }
        }
    }
}
