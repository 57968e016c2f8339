//! A container gives back what was put in, in place, and names what is bad.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Reader, Writer};
use crate::{Disk, Error, MemoryDisk, Store};

const KIND: [u8; 8] = *b"testfile";

fn fresh() -> (MemoryDisk, Store) {
    let disk = MemoryDisk::new();
    let store = Store::open(Arc::new(disk.clone())).unwrap();
    (disk, store)
}

fn writer(store: &Store) -> Writer {
    Writer::new(store.blobs().create("f").unwrap(), KIND, 7).unwrap()
}

#[test]
fn sections_of_every_size_around_a_block_come_back_in_place() {
    const MIB: usize = 1 << 20;
    let (disk, store) = fresh();
    let mut writer = writer(&store);
    let sizes = [0, 1, 63, 64, 65, 65_536, 65_537, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 5];
    let content = |size: usize| Bytes::from((0..size).map(|i| (i * 7 % 253) as u8).collect::<Vec<_>>());
    for size in sizes {
        let bytes = content(size);
        writer.begin(&size.to_string()).unwrap();
        // Pieces of odd sizes, none at a block's edge.
        for piece in bytes.chunks(300_007) {
            writer.append(&[bytes.slice_ref(piece), Bytes::new()]).unwrap();
        }
        writer.end().unwrap();
    }
    let length = writer.finish().unwrap();
    let reader = Reader::open_blob(store.blobs(), "f").unwrap();
    reader.verify().unwrap();
    assert_eq!((reader.kind(), reader.version(), reader.file_bytes()), (KIND, 7, length));
    let names: Vec<String> = reader.sections().map(|section| section.name.to_owned()).collect();
    assert_eq!(names, sizes.map(|size| size.to_string()));
    for size in sizes {
        let section = reader.section(&size.to_string()).unwrap().unwrap();
        assert!(section == content(size), "{size}");
        assert_eq!(section.as_ptr() as usize % 64, 0);
    }
    assert_eq!(reader.section("none").unwrap(), None);

    let at = reader.sections().last().unwrap().offset + MIB as u64 + 1;
    disk.flip("blobs/f", at * 8).unwrap();
    let reader = Reader::open_blob(store.blobs(), "f").unwrap();
    let last = sizes[11].to_string();
    assert_eq!(
        reader.section(&last).unwrap().unwrap().len(),
        sizes[11],
        "large ones are not checked on access"
    );
    for error in [reader.verify().unwrap_err(), reader.verify_section(&last).unwrap_err()] {
        let text = error.to_string();
        assert!(text.contains("section 2097157, block 1") && text.starts_with('f'), "{text}");
    }
    reader.verify_section("1").unwrap();
}

#[test]
fn misuse_is_refused_and_leaves_nothing() {
    let (disk, store) = fresh();
    let mut writer = writer(&store);
    assert!(matches!(writer.end(), Err(Error::Misuse { .. })));
    assert!(matches!(writer.append(&[Bytes::new()]), Err(Error::Misuse { .. })));
    assert!(matches!(writer.begin(""), Err(Error::BadName { .. })));
    assert!(matches!(writer.begin(&"x".repeat(256)), Err(Error::BadName { .. })));
    writer.section(&"x".repeat(255), &[]).unwrap();
    assert!(matches!(writer.section(&"x".repeat(255), &[]), Err(Error::Exists { .. })));
    writer.begin("open").unwrap();
    assert!(matches!(writer.begin("other"), Err(Error::Misuse { .. })));
    assert!(matches!(writer.finish(), Err(Error::Misuse { .. })));
    assert!(disk.list("blobs").unwrap().is_empty());
    let mut used = store.blobs().create("used").unwrap();
    used.append(&[Bytes::from_static(b"x")]).unwrap();
    assert!(matches!(Writer::new(used, KIND, 1), Err(Error::Misuse { .. })));
}

#[test]
fn a_full_disk_is_said_so_and_leaves_nothing() {
    let (disk, store) = fresh();
    disk.full_after(100_000);
    let mut writer = writer(&store);
    let large = Bytes::from(vec![1; 3 << 20]);
    let error = writer.section("large", &[large]).and_then(|()| writer.finish()).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert!(disk.list("blobs").unwrap().is_empty());
}

#[test]
fn what_is_no_container_is_told_apart() {
    for (bytes, word) in [
        (Bytes::new(), "does not begin"),
        (Bytes::from(vec![0; 500]), "does not begin"),
        (Bytes::from_static(b"ELANFIL\n"), "too short"),
    ] {
        let error = Reader::open(bytes).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
}

proptest! {
    #[test]
    fn any_sections_come_back(
        sections in proptest::collection::btree_map(".{1,20}", proptest::collection::vec(any::<u8>(), 0..300), 0..20)
    ) {
        let (_, store) = fresh();
        let mut writer = writer(&store);
        for (name, bytes) in &sections {
            writer.section(name, &[Bytes::from(bytes.clone())]).unwrap();
        }
        writer.finish().unwrap();
        let reader = Reader::open_blob(store.blobs(), "f").unwrap();
        reader.verify().unwrap();
        prop_assert_eq!(reader.sections().count(), sections.len());
        for (name, bytes) in &sections {
            let section = reader.section(name).unwrap().unwrap();
            prop_assert_eq!(section.as_ref(), bytes.as_slice());
        }
    }
}
