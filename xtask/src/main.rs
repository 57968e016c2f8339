//! Chores of the repository, one command each: `cargo xtask test | tidy | conform | arm | bench`.
//!
//! `test` is what the integration machine runs and nothing else, so green here is green there. Every chore prints a line when it
//! begins a step and one when it ends it, and exits with 0 only when everything passed.
#![expect(clippy::print_stdout, reason = "what a chore prints is its product")]

mod arm;
mod clients;
mod compat;
mod step;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use step::{Failure, Tally};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the repository")]
struct Chores {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything: format, lints, house rules, tests, doc tests, the release build, real clients.
    Test(Selection),
    /// The house rules that no compiler knows: arrows between crates, lengths, names, words, headers, paths.
    Tidy,
    /// Real clients against the release binary; writes COMPAT.md.
    Conform(Selection),
    /// The kernels for AArch64, under an emulator.
    Arm,
    /// Benchmarks of the workspace.
    Bench,
}

#[derive(Args, Clone, Default)]
struct Selection {
    /// Only the steps and clients whose name contains this, such as `tidy`, `py-2.0.2` or `node`.
    #[arg(long)]
    only: Option<String>,
    /// Leave the clients out.
    #[arg(long)]
    skip_clients: bool,
    /// Use this server binary instead of building one.
    #[arg(long)]
    server: Option<PathBuf>,
}

impl Selection {
    /// Whether a step or client of that name is asked for.
    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|part| name.contains(part))
    }
}

fn main() -> ExitCode {
    let mut tally = Tally::default();
    let outcome = match Chores::parse().chore {
        Chore::Test(selection) => test(&selection, &mut tally),
        Chore::Tidy => {
            tidy::check(&mut tally);
            Ok(())
        }
        Chore::Conform(selection) => conform(&selection, &mut tally),
        Chore::Arm => arm::check(&mut tally),
        Chore::Bench => workspace::bench(&mut tally),
    };
    if let Err(failure) = outcome {
        tally.fail(&failure.to_string());
    }
    tally.finish()
}

fn test(selection: &Selection, tally: &mut Tally) -> Result<(), Failure> {
    if selection.wants("tidy") {
        tidy::check(tally);
    }
    workspace::check(selection, tally)?;
    if selection.wants("arm") {
        arm::check(tally)?;
    }
    let clients = !selection.skip_clients && clients::any(selection)?;
    if selection.wants("build") || (clients && selection.server.is_none()) {
        workspace::build(tally)?;
    }
    if !clients {
        return Ok(());
    }
    let results = clients::run(selection, tally)?;
    if results.len() == clients::count()? {
        compat::report_closed_gaps(&results)?;
        compat::compare(&results)?;
    }
    Ok(())
}

fn conform(selection: &Selection, tally: &mut Tally) -> Result<(), Failure> {
    if selection.server.is_none() {
        workspace::build(tally)?;
    }
    let results = clients::run(selection, tally)?;
    if selection.only.is_some() || results.len() < clients::count()? {
        println!("COMPAT.md is left as it is: only some of the clients ran");
        return Ok(());
    }
    compat::report_closed_gaps(&results)?;
    compat::write(&results)
}
