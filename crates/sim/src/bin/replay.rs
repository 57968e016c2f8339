//! Lives the world of one seed again and tells what happens: `cargo run -p sim --bin replay -- SEED [OPERATIONS]`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let Some(Ok(seed)) = numbers.next() else {
        println!("usage: replay SEED [OPERATIONS]");
        return ExitCode::from(2);
    };
    let operations = numbers.next().and_then(Result::ok).unwrap_or(sim::OPERATIONS);
    let (story, outcome) = sim::live(seed, operations, true);
    for (number, line) in story.lines.iter().enumerate() {
        println!("{number:5} {line}");
    }
    println!("hash {:016x}, {:?}", story.hash, story.counts);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}
