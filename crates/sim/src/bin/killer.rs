//! Kills a child with `kill -9` again and again and looks at what it leaves:
//! `cargo run --release -p sim --bin killer -- --rounds 200 [--seed 1]`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, folder, numbers @ ..] = words.as_slice()
        && word == "child"
    {
        let numbers: Vec<u64> = numbers.iter().filter_map(|text| text.parse().ok()).collect();
        let (seed, begin) = numbers.split_first().unwrap_or((&1, &[]));
        return match sim::child(Path::new(folder), *seed, begin) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("error {error}");
                ExitCode::FAILURE
            }
        };
    }
    let number = |name: &str, default: u64| {
        let place = words.iter().position(|word| word == name);
        place.and_then(|place| words.get(place + 1)?.parse().ok()).unwrap_or(default)
    };
    let outcome = std::env::current_exe()
        .map_err(|error| error.to_string())
        .and_then(|program| sim::kill(&program, number("--seed", 1), number("--rounds", 200)));
    match outcome {
        Ok(kills) => {
            println!(
                "{} children killed ({} before they were ready), {} writes acknowledged, none lost; {} writes under way \
                 were found done",
                kills.rounds, kills.early, kills.acknowledged, kills.done
            );
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            println!("{wrong}");
            ExitCode::FAILURE
        }
    }
}
