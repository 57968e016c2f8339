//! Lives one seed again and tells what happens: `cargo run -p sim --bin replay -- SEED [OPERATIONS]` for a world,
//! `replay crash SEED` for power cuts, `replay fault SEED` for a failing disk.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| words.get(place).and_then(|text| text.parse::<u64>().ok());
    let outcome = match (words.first().map(String::as_str), number(0), number(1)) {
        (Some("crash"), _, Some(seed)) => {
            let (cuts, outcome) = sim::crash(seed, sim::CRASH_OPERATIONS);
            println!("{cuts:?}");
            outcome
        }
        (Some("fault"), _, Some(seed)) => {
            let (faults, outcome) = sim::fail(seed);
            println!("{faults:?}");
            outcome
        }
        (_, Some(seed), operations) => {
            let (story, outcome) = sim::live(seed, operations.unwrap_or(sim::OPERATIONS), true);
            for (number, line) in story.lines.iter().enumerate() {
                println!("{number:5} {line}");
            }
            println!("hash {:016x}, {:?}", story.hash, story.counts);
            outcome
        }
        _ => {
            println!("usage: replay SEED [OPERATIONS] | replay crash SEED | replay fault SEED");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}
