//! What the log costs above a plain write and sync of the same bytes: CPU seconds per gigabyte, and the rate.
//!
//! Both write the same payloads in turns, so that noise of the machine hits both. Run with
//! `cargo bench -p store`; a folder can be given as `STORE_BENCH_FOLDER`.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on may stop")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::{Folder, Log, LogSettings, Lsn, SyncPolicy};

const ROUNDS: usize = 12;

/// CPU time of this thread so far, as the kernel counts it.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let on_cpu = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(on_cpu.unwrap_or(0))
}

#[derive(Default)]
struct Cost {
    cpu: Duration,
    wall: Duration,
    bytes: usize,
}

impl Cost {
    fn of(&mut self, bytes: usize, run: impl FnOnce()) {
        let (cpu_before, wall_before) = (cpu(), Instant::now());
        run();
        self.cpu += cpu() - cpu_before;
        self.wall += wall_before.elapsed();
        self.bytes += bytes;
    }

    fn cpu_per_gb(&self) -> f64 {
        self.cpu.as_secs_f64() / (self.bytes as f64 / 1e9)
    }

    fn show(&self, what: &str) {
        let rate = self.bytes as f64 / 1e6 / self.wall.as_secs_f64();
        eprintln!("  {what:<28} {rate:8.0} MB/s   {:6.3} CPU-s/GB", self.cpu_per_gb());
    }
}

fn compare(folder: &Path, record_bytes: usize, records: usize, sync: SyncPolicy) {
    let payload = Bytes::from((0..record_bytes).map(|i| (i * 31 % 251) as u8).collect::<Vec<_>>());
    let synced = sync == SyncPolicy::Always;
    let log_folder = folder.join("bench-log");
    let settings = LogSettings { sync, ..LogSettings::default() };
    let (log, _) = Log::open(Arc::new(Folder::open(&log_folder).unwrap()), settings).unwrap();
    let (mut plain_cost, mut log_cost) = (Cost::default(), Cost::default());
    // Both keep one file of the past, so that both write on pages that were free for as long.
    let plain_path = |round: usize| folder.join(format!("bench-plain-{round}"));
    for round in 0..ROUNDS {
        let mut plain = File::create(plain_path(round)).unwrap();
        plain_cost.of(record_bytes * records, || {
            for _ in 0..records {
                plain.write_all(&payload).unwrap();
                if synced {
                    plain.sync_data().unwrap();
                }
            }
        });
        log_cost.of(record_bytes * records, || {
            for _ in 0..records {
                let lsn = log.enqueue(vec![payload.clone()]).unwrap();
                log.commit(lsn).unwrap();
            }
        });
        log.trim(log.end()).unwrap();
        if let Some(past) = round.checked_sub(1) {
            std::fs::remove_file(plain_path(past)).unwrap();
        }
    }
    eprintln!("{records} records of {record_bytes} bytes a round, sync {sync:?}");
    plain_cost.show("plain write");
    log_cost.show("log");
    eprintln!("  the log above plain {:>36.3} CPU-s/GB", log_cost.cpu_per_gb() - plain_cost.cpu_per_gb());
    drop(log);
    std::fs::remove_dir_all(log_folder).unwrap();
    std::fs::remove_file(plain_path(ROUNDS - 1)).unwrap();
}

/// How many commits many threads share.
fn share(folder: &Path) {
    for threads in [1, 4, 16] {
        let log_folder = folder.join("bench-log");
        let disk = Arc::new(Folder::open(&log_folder).unwrap());
        let (log, _) = Log::open(disk, LogSettings::default()).unwrap();
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let lsn: Lsn = log.enqueue(vec![Bytes::from_static(&[7; 1000])]).unwrap();
                        log.commit(lsn).unwrap();
                    }
                });
            }
        });
        let rate = f64::from(threads) * 200.0 / begun.elapsed().as_secs_f64();
        eprintln!("{threads:3} threads, records of 1000 bytes, each committed: {rate:.0} commits/s");
        drop(log);
        std::fs::remove_dir_all(log_folder).unwrap();
    }
}

/// Takes the plain line apart: one checksum of the bytes.
fn checksum_alone() {
    let payload = vec![5u8; 3 << 20];
    let mut cost = Cost::default();
    cost.of(payload.len() * 100, || {
        for _ in 0..100 {
            std::hint::black_box(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &payload));
        }
    });
    cost.show("CRC32C alone");
}

fn main() {
    let folder = std::env::var_os("STORE_BENCH_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("store-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    checksum_alone();
    for sync in [SyncPolicy::Always, SyncPolicy::None] {
        compare(&folder, 3_000_000, 20, sync);
        compare(&folder, 100_000, 200, sync);
    }
    share(&folder);
    std::fs::remove_dir_all(folder).unwrap();
}
