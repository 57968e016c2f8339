//! The disks of this crate keep the contract.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use std::sync::Arc;

use store::{Disk, Folder, MemoryDisk, contract};

fn with_folders(judge: impl Fn(contract::MakeDisk<'_>)) {
    let top = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    judge(&|| {
        count.set(count.get() + 1);
        let path = top.path().join(count.get().to_string());
        Arc::new(Folder::open(path).unwrap()) as Arc<dyn Disk>
    });
}

#[test]
fn a_disk_in_memory() {
    contract::all(&|| Arc::new(MemoryDisk::new()));
}

#[test]
fn a_folder_as_disk() {
    with_folders(contract::disk);
    with_folders(contract::locks);
}

#[test]
fn blobs_and_registers_in_a_folder() {
    with_folders(contract::blobs);
    with_folders(contract::registers);
}

#[test]
fn logs_in_a_folder() {
    with_folders(contract::log);
    with_folders(contract::log_under_many_threads);
}

#[test]
fn a_store_in_a_folder() {
    with_folders(contract::store);
    let top = tempfile::tempdir().unwrap();
    assert!(Folder::open(top.path()).unwrap().free_bytes().unwrap() > 0);
    let file = top.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = Folder::open(&file).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}
