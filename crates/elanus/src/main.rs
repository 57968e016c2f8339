//! The binary: `serve`, `demo`, `bench`, `inspect`, `check`, `config`.

mod bench;
mod check;
mod config;
mod demo;
mod inspect;
mod serve;
mod show;
mod vectors;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A vector database that speaks Milvus, in one binary.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server: gRPC on one port, health on another.
    Serve(serve::Arguments),
    /// Show the main job on real data: create, insert, index, describe, search, filter, drop.
    Demo(demo::Arguments),
    /// Measure kinds of indexes on your own vectors: recall, speed, building, memory.
    Bench(Box<bench::Arguments>),
    /// Print any file of a data folder, or an overview of the folder.
    Inspect(inspect::Arguments),
    /// Verify every checksum of a data folder.
    Check(check::Arguments),
    /// Print every setting with its default and what it does.
    Config,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Config => {
            config::print();
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            show::error(&why);
            ExitCode::FAILURE
        }
    }
}
