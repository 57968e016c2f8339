//! What a disk promises to the store.

use std::io::ErrorKind;

use bytes::Bytes;

use super::{MakeDisk, bytes, ok, refused};
use crate::disk::Disk;
use crate::error::Error;

/// Files and folders behave as [`Disk`] says.
pub fn disk(make: MakeDisk<'_>) {
    files(&*make());
    folders(&*make());
    let disk = make();
    for (path, outcome) in [
        ("no/file", disk.read("no/file").map(drop)),
        ("gone", disk.open_append("gone").map(drop)),
        ("none", disk.remove("none")),
        ("void", disk.map("void").map(drop)),
        ("blank", disk.pieces("blank").map(drop)),
        ("old", disk.rename("old", "new")),
        ("nowhere", disk.len("nowhere").map(drop)),
        ("lost", disk.list("lost").map(drop)),
    ] {
        let error = outcome.err();
        assert!(error.as_ref().is_some_and(|e| e.kind() == ErrorKind::NotFound), "{path}: {error:?}");
        assert!(error.is_some_and(|e| e.to_string().contains(path)), "the error must name {path}");
    }
}

fn files(disk: &dyn Disk) {
    let mut file = ok(disk.create("a"), "create");
    ok(file.append(&[bytes("one"), Bytes::new(), bytes("two")]), "append");
    ok(file.append(&[]), "append nothing");
    ok(file.append(&[Bytes::new(), Bytes::new()]), "append empty parts");
    let many: Vec<Bytes> = (0..3000).map(|_| bytes("x")).collect();
    ok(file.append(&many), "append more parts than a system call takes");
    assert_eq!(file.len(), 3006);
    ok(file.truncate(4), "truncate");
    ok(file.append(&[bytes("WO")]), "append behind a cut");
    ok(file.sync(), "sync");
    assert_eq!(ok(disk.read("a"), "read"), "onetWO");
    drop(ok(disk.create("b"), "create"));
    ok(ok(disk.open_append("b"), "open").append(&[bytes("old")]), "append");
    ok(disk.put_empty("b"), "create over another");
    assert_eq!(ok(disk.len("b"), "length"), 0);
    ok(disk.remove("b"), "remove");
    drop(file);
    let mut file = ok(disk.open_append("a"), "open for appending");
    assert_eq!(file.len(), 6);
    ok(file.rewrite(1, b"net"), "rewrite");
    ok(file.append(&[bytes("!")]), "append on");
    assert_eq!(ok(disk.len("a"), "length"), 7);
    let map = ok(disk.map("a"), "map");
    assert_eq!(map, "onetWO!");
    assert_eq!(map.as_ptr() as usize % 64, 0, "maps are aligned");
    let pieces = ok(disk.pieces("a"), "open in pieces");
    let mut room = [0; 4];
    ok(pieces.read(&[5, 0], &mut room), "read in pieces");
    assert_eq!((pieces.len(), &room), (7, b"O!on"));
    ok(pieces.read(&[], &mut []), "read nothing");
    let past = pieces.read(&[0, 4], &mut [0; 8]).err().map(|error| error.kind());
    assert_eq!(past, Some(ErrorKind::UnexpectedEof), "a piece past the end");
    assert!(ok(disk.exists("a"), "exists") && !ok(disk.exists("b"), "exists"));
    ok(disk.put_empty("b"), "create another");
    assert!(ok(disk.map("b"), "map an empty file").is_empty());
    ok(disk.rename("a", "b"), "rename over another");
    ok(disk.sync_folder(""), "sync the folder");
    assert_eq!(ok(disk.list(""), "list"), ["b"]);
    ok(disk.remove("b"), "remove");
    assert_eq!(map, "onetWO!", "a map outlives its file");
}

/// A shorthand for the suite.
trait PutEmpty {
    fn put_empty(&self, path: &str) -> std::io::Result<()>;
}

impl PutEmpty for dyn Disk + '_ {
    fn put_empty(&self, path: &str) -> std::io::Result<()> {
        self.create(path).map(drop)
    }
}

fn folders(disk: &dyn Disk) {
    ok(disk.create_folder("f"), "make a folder");
    ok(disk.create_folder("f"), "make it again");
    ok(disk.create_folder("f/g"), "make one in it");
    ok(disk.put_empty("f/z"), "create in it");
    ok(disk.put_empty("f/a"), "create in it");
    assert_eq!(ok(disk.list("f"), "list"), ["a", "g/", "z"]);
    assert_eq!(ok(disk.list(""), "list the top"), ["f/"]);
    ok(disk.sync_folder("f"), "sync a folder");
    assert!(disk.remove_folder("f").is_err(), "a folder that is not empty stays");
    assert!(disk.create_folder("f/a").is_err(), "a file is no folder");
    ok(disk.remove_folder("f/g"), "remove a folder");
    assert!(!ok(disk.exists("f/g"), "exists"));
}

/// One process a folder.
pub fn locks(make: MakeDisk<'_>) {
    let disk = make();
    let lock = ok(disk.lock(), "lock");
    let error = refused(disk.lock(), "a second lock");
    let pid = std::process::id();
    assert!(matches!(error, Error::Locked { pid: Some(holder), .. } if holder == pid), "{error:?}");
    assert!(error.to_string().contains(&pid.to_string()), "{error}");
    drop(lock);
    drop(ok(disk.lock(), "lock after it was let go"));
}
