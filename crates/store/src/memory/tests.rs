//! A disk in memory keeps what was synced and may lose the rest.

use super::*;

fn bytes(text: &str) -> [Bytes; 1] {
    [Bytes::copy_from_slice(text.as_bytes())]
}

#[test]
fn a_crash_keeps_what_was_synced_and_shows_every_other_outcome() {
    let disk = MemoryDisk::new();
    let mut file = disk.create("a").unwrap();
    file.append(&bytes("safe")).unwrap();
    file.sync().unwrap();
    disk.sync_folder("").unwrap();
    file.append(&bytes("risky")).unwrap();
    disk.create("b").unwrap();
    disk.rename("b", "c").unwrap();
    let mut rng = Rng::new(1);
    let (mut lost, mut whole, mut names) = (0, 0, [0; 3]);
    for _ in 0..400 {
        let found = disk.crash(&mut rng);
        let text = found.read("a").unwrap();
        assert!(text.starts_with(b"safe"));
        lost += usize::from(text == "safe");
        whole += usize::from(text == "saferisky");
        let (b, c) = (found.exists("b").unwrap(), found.exists("c").unwrap());
        assert!(!(b && c));
        names[usize::from(b) + 2 * usize::from(c)] += 1;
    }
    assert!(lost > 40 && whole > 40 && names.iter().all(|n| *n > 40), "{lost} {whole} {names:?}");
}

#[test]
fn a_failed_sync_is_not_made_good_by_a_later_one() {
    let disk = MemoryDisk::new();
    let mut file = disk.create("a").unwrap();
    disk.sync_folder("").unwrap();
    file.append(&bytes("lost?")).unwrap();
    disk.fail_sync(1);
    file.sync().unwrap_err();
    file.sync().unwrap();
    let mut rng = Rng::new(1);
    assert!((0..100).any(|_| disk.crash(&mut rng).read("a").unwrap() != "lost?"));
}

#[test]
fn a_full_disk_takes_what_fits_and_a_cut_power_line_ends_everything() {
    let disk = MemoryDisk::new();
    let mut file = disk.create("a").unwrap();
    disk.full_after(3);
    assert_eq!(file.append(&bytes("12345")).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.read("a").unwrap(), "123");
    disk.heal();
    disk.crash_after(disk.operations() + 1);
    file.append(&bytes("4")).unwrap();
    file.append(&bytes("5")).unwrap_err();
    disk.read("a").unwrap_err();
    file.sync().unwrap_err();
}

#[test]
fn maps_are_aligned_and_stay() {
    let disk = MemoryDisk::new();
    disk.put("a", &[7; 1000]).unwrap();
    let map = disk.map("a").unwrap();
    assert_eq!(map.as_ptr() as usize % 64, 0);
    disk.remove("a").unwrap();
    assert_eq!(map, [7; 1000].as_slice());
}
