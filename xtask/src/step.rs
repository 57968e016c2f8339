//! Steps: run a program, show what it says, and keep count of what passed and failed.
//!
//! Invariant: every check that ran is in the tally exactly once, and the last line printed is `N passed, N failed`.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Why a chore could not go on, in words for the person who started it.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// How many checks passed and failed, and the names of the failed ones.
#[derive(Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    failures: Vec<String>,
}

impl Tally {
    pub(crate) fn pass(&mut self, count: u64) {
        self.passed += count;
    }

    pub(crate) fn fail(&mut self, name: &str) {
        self.fail_many(1, name);
    }

    pub(crate) fn fail_many(&mut self, count: u64, name: &str) {
        self.failed += count;
        if count > 0 {
            self.failures.push(if count == 1 { name.to_owned() } else { format!("{name} ({count})") });
        }
    }

    pub(crate) fn finish(self) -> ExitCode {
        for name in &self.failures {
            println!("failed: {name}");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        ExitCode::from(u8::from(self.failed > 0 || self.passed == 0))
    }
}

/// What a program said and how it ended.
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) text: String,
}

/// Runs a program in the repository's root, shows its output as it comes, and returns it.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<Said, Failure> {
    println!("== {name}");
    let began = Instant::now();
    let said = listen(command, true)?;
    let how = if said.ok { "ok" } else { "FAILED" };
    println!("== {name}: {how} in {:.0} s", began.elapsed().as_secs_f64());
    Ok(said)
}

/// Runs a program without showing its output.
pub(crate) fn quietly(command: &mut Command) -> Result<Said, Failure> {
    listen(command, false)
}

fn listen(command: &mut Command, show: bool) -> Result<Said, Failure> {
    command.current_dir(root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child =
        command.spawn().map_err(|error| Failure::new(format!("cannot start {program}: {error}")))?;
    let text = Arc::new(Mutex::new(String::new()));
    let readers = [
        child.stdout.take().map(|pipe| follow(pipe, show, &text)),
        child.stderr.take().map(|pipe| follow(pipe, show, &text)),
    ];
    let status = child.wait()?;
    for reader in readers.into_iter().flatten() {
        reader.join().map_err(|_| Failure::new(format!("lost the output of {program}")))?;
    }
    let text = text.lock().map_err(|_| Failure::new("output lock"))?.clone();
    Ok(Said { ok: status.success(), text })
}

fn follow(
    pipe: impl Read + Send + 'static,
    show: bool,
    text: &Arc<Mutex<String>>,
) -> std::thread::JoinHandle<()> {
    let text = Arc::clone(text);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if show {
                println!("{line}");
            }
            if let Ok(mut text) = text.lock() {
                text.push_str(&line);
                text.push('\n');
            }
        }
    })
}

/// A step that is one check.
pub(crate) fn check(name: &str, command: &mut Command, tally: &mut Tally) -> Result<bool, Failure> {
    let said = run(name, command)?;
    if said.ok {
        tally.pass(1)
    } else {
        tally.fail(name)
    }
    Ok(said.ok)
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// Where build output goes.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Cargo, the same one that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Whether this is an integration machine, where nothing may be skipped.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
