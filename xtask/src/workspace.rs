//! What cargo itself can check: format, lints, tests, doc tests, and that the release binary builds.

use std::process::Command;

use crate::Selection;
use crate::step::{Failure, Said, Tally, cargo, check as check_step, quietly, run};

/// Runs the steps that are asked for.
pub(crate) fn check(selection: &Selection, tally: &mut Tally) -> Result<(), Failure> {
    if selection.wants("fmt") {
        check_step("fmt", cargo().args(["fmt", "--all", "--check"]), tally)?;
    }
    if selection.wants("clippy") {
        check_step(
            "clippy",
            cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
            tally,
        )?;
    }
    if selection.wants("tests") {
        tests(tally)?;
    }
    if selection.wants("doc tests") {
        let said = run("doc tests", cargo().args(["test", "--workspace", "--doc"]))?;
        count_cargo("doc tests", &said, tally);
    }
    Ok(())
}

/// The release binary that the clients talk to. A failed build ends the run: no client could tell more.
pub(crate) fn build(tally: &mut Tally) -> Result<(), Failure> {
    if check_step("build", cargo().args(["build", "--release", "-p", "elanus"]), tally)? {
        return Ok(());
    }
    Err(Failure::new("the server does not build, so no client was run"))
}

/// Benchmarks, as they are in the tree.
pub(crate) fn bench(tally: &mut Tally) -> Result<(), Failure> {
    check_step("bench", cargo().args(["bench", "--workspace"]), tally)?;
    Ok(())
}

/// Unit and integration tests: by nextest where it is installed, else by cargo.
fn tests(tally: &mut Tally) -> Result<(), Failure> {
    if quietly(cargo().args(["nextest", "--version"])).is_ok_and(|said| said.ok) {
        let said = run(
            "tests",
            with_plain_output(cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"])),
        )?;
        count_nextest(&said, tally);
    } else {
        let said = run(
            "tests",
            cargo().args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]),
        )?;
        count_cargo("tests", &said, tally);
    }
    Ok(())
}

fn with_plain_output(command: &mut Command) -> &mut Command {
    command.args(["--color", "never", "--status-level", "fail", "--final-status-level", "slow"])
}

/// The line `Summary [..] 12 tests run: 11 passed, 1 failed, 0 skipped`.
fn count_nextest(said: &Said, tally: &mut Tally) {
    let summary = said.text.lines().rev().find(|line| line.trim_start().starts_with("Summary ["));
    let passed = summary.map_or(0, |line| number_before(line, " passed"));
    let bad: u64 = summary.map_or(0, |line| {
        [" failed", " timed out", " exec failed"].iter().map(|word| number_before(line, word)).sum()
    });
    settle("tests", said.ok, passed, bad, tally);
}

/// The lines `test result: ok. 5 passed; 0 failed; ..`, one a test binary.
pub(crate) fn count_cargo(name: &str, said: &Said, tally: &mut Tally) {
    let results = || said.text.lines().filter(|line| line.starts_with("test result:"));
    let passed = results().map(|line| number_before(line, " passed")).sum();
    let failed = results().map(|line| number_before(line, " failed")).sum();
    settle(name, said.ok, passed, failed, tally);
}

/// A run that failed without a failed test did not compile, or died: that is one failure.
fn settle(name: &str, ok: bool, passed: u64, failed: u64, tally: &mut Tally) {
    tally.pass(passed);
    tally.fail_many(if ok { failed } else { failed.max(1) }, name);
}

/// The number right before `word`; 0 when there is none.
fn number_before(line: &str, word: &str) -> u64 {
    let Some(at) = line.find(word) else { return 0 };
    let digits = line[..at].rsplit(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_counts_of_both_runners() {
        let line = "     Summary [   0.512s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!((number_before(line, " passed"), number_before(line, " failed")), (10, 2));
        let line =
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!((number_before(line, " passed"), number_before(line, " failed")), (5, 0));
        assert_eq!(number_before(line, " timed out"), 0);
    }
}
