//! How far builds say they have come, and how soon they end when they are told to.

mod sets;

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use host::{Cancel, Pool, Progress};
use index::{Error, build};
use sets::{Rows, kinds};

#[test]
fn every_kind_tells_often_how_far_it_has_come() {
    for (name, spec) in kinds(64, 96) {
        let rows = Rows::new(spec.element(), 20_000, spec.dim(), 5);
        let progress = Progress::new();
        build(&spec, rows.view(), 7, &Pool::new("test", 2).unwrap(), &Cancel::new(), &progress).unwrap();
        assert_eq!(progress.get(), (20_000, 20_000), "{name}");
        assert!(progress.steps() >= 20, "{name} says {} times how far it is", progress.steps());
    }
    for (name, spec) in kinds(64, 96) {
        for count in [0, 1, 300] {
            let rows = Rows::new(spec.element(), count, spec.dim(), 5);
            let progress = Progress::new();
            build(&spec, rows.view(), 7, &Pool::inline(), &Cancel::new(), &progress).unwrap();
            assert_eq!(progress.get(), (count as u64, count as u64), "{name}");
        }
    }
}

/// Time that a thread was on a processor.
fn busy(thread: &str) -> Duration {
    let text = fs::read_to_string(format!("/proc/{thread}/schedstat")).unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// The share of the work of a build that goes on after it is told to end, at most.
const AFTER: u32 = 6;
/// Time that is nothing.
const NOTHING: Duration = Duration::from_millis(30);

#[test]
fn every_kind_ends_soon_when_it_is_cancelled() {
    for (name, spec) in kinds(64, 96) {
        let rows = Rows::new(spec.element(), 12_000, spec.dim(), 5);
        // The time that a build takes that is cancelled when it was busy for so long, and the time after that.
        let timed = |until: Duration| {
            let (cancel, told) = (Cancel::new(), AtomicU64::new(0));
            thread::scope(|scope| {
                let (tell_id, id) = std::sync::mpsc::channel();
                let (spec, rows, cancel, told) = (&spec, &rows, &cancel, &told);
                let work = scope.spawn(move || {
                    let link = fs::read_link("/proc/thread-self").unwrap_or_default();
                    tell_id.send(link.display().to_string()).unwrap();
                    let start = busy("thread-self");
                    let built = build(spec, rows.view(), 7, &Pool::inline(), cancel, &Progress::new());
                    assert!(built.is_ok() || matches!(built, Err(Error::Cancelled)));
                    let end = busy("thread-self");
                    let told = Duration::from_nanos(told.load(Ordering::SeqCst));
                    (end - start, if built.is_ok() { Duration::ZERO } else { end.saturating_sub(told) })
                });
                let thread = id.recv().unwrap();
                let start = busy(&thread);
                while !work.is_finished() && busy(&thread) < start + until {
                    thread::sleep(Duration::from_micros(200));
                }
                // Told before it can be seen.
                told.store(busy(&thread).as_nanos() as u64, Ordering::SeqCst);
                cancel.cancel();
                work.join().unwrap()
            })
        };
        let (whole, _) = timed(Duration::from_secs(3600));
        for part in [1, 3, 5, 7, 9] {
            let (_, after) = timed(whole * part / 10);
            assert!(after < whole / AFTER + NOTHING, "{name}: {after:?} of {whole:?} after {part} tenths");
        }
    }
}
