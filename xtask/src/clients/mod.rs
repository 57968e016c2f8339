//! Real clients, unmodified, against the release binary: each gets a server of its own with an empty folder.
//!
//! Invariant: a client that could not be set up or a server that died is a failure, never a silent gap. Only a missing interpreter
//! may skip a ring, with a loud notice, and not on an integration machine.

mod node;
mod python;
mod server;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::step::{Failure, Said, Tally, is_ci, root, run as run_step, target};
use crate::{Selection, compat};
use server::Server;

/// One client version that can be run.
struct Client {
    /// `py-2.0.2` or `node-3.0.6`.
    name: String,
    /// Program and arguments, without those that name the server.
    command: Vec<PathBuf>,
}

/// Whether any client is asked for.
pub(crate) fn any(selection: &Selection) -> Result<bool, Failure> {
    Ok(python::names()?.iter().chain(&node::names()?).any(|name| selection.wants(name)))
}

/// How many clients there are in all.
pub(crate) fn count() -> Result<usize, Failure> {
    Ok(python::names()?.len() + node::names()?.len())
}

/// Sets up and runs every client that is asked for; returns their results in order.
pub(crate) fn run(selection: &Selection, tally: &mut Tally) -> Result<Vec<Value>, Failure> {
    let binary = selection.server.clone().unwrap_or_else(|| target().join("release").join("elanus"));
    let mut results = Vec::new();
    for (ring, names, set_up) in [
        ("python3", python::names()?, python::set_up as fn(&str) -> Result<Client, Failure>),
        ("node", node::names()?, node::set_up),
    ] {
        let names: Vec<_> = names.into_iter().filter(|name| selection.wants(name)).collect();
        if names.is_empty() || skipped(ring, &names, tally) {
            continue;
        }
        for name in names {
            match set_up(&name).and_then(|client| attempt(&client, &binary, tally)) {
                Ok(result) => results.push(result),
                Err(failure) => tally.fail(&format!("{name}: {failure}")),
            }
        }
    }
    Ok(results)
}

/// Whether the interpreter of this ring is missing; says so loudly, and counts it as a failure on an integration machine.
fn skipped(program: &str, names: &[String], tally: &mut Tally) -> bool {
    let problem = match program {
        "node" => node::problem(),
        _ => python::problem(),
    };
    let Some(problem) = problem else { return false };
    let notice = format!("{} clients NOT RUN: {problem}", names.len());
    println!("!!\n!! {notice}\n!! ({})\n!!", names.join(", "));
    if is_ci() {
        tally.fail(&notice);
    }
    true
}

/// Starts a server, runs the client's checks against it, stops the server, and counts.
fn attempt(client: &Client, binary: &Path, tally: &mut Tally) -> Result<Value, Failure> {
    let folder = target().join("conform").join("runs").join(&client.name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let server = Server::start(binary, &folder)?;
    let results = folder.join("results.json");
    let port = server.port().to_string();
    let (program, fixed) =
        client.command.split_first().ok_or_else(|| Failure::new("a client without a program"))?;
    let mut command = Command::new(program);
    command
        .args(fixed)
        .args(["--host", "127.0.0.1", "--port", &port])
        .arg("--data")
        .arg(server.data())
        .arg("--out")
        .arg(&results);
    let said = run_step(&client.name, limited(&mut command))?;
    server.stop()?;
    settle(client, &said, &results, tally)
}

/// A hung client must not hang the run: `timeout` ends it where that program exists.
fn limited(command: &mut Command) -> &mut Command {
    const SECONDS: &str = "600";
    let has_timeout =
        Command::new("timeout").arg("--version").output().is_ok_and(|output| output.status.success());
    if has_timeout {
        let mut outer = Command::new("timeout");
        outer.arg(SECONDS).arg(command.get_program()).args(command.get_args());
        *command = outer;
    }
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONDONTWRITEBYTECODE", "1")
}

fn settle(client: &Client, said: &Said, results: &Path, tally: &mut Tally) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(results).map_err(|_| {
        let last = said.text.lines().last().unwrap_or("nothing").to_owned();
        Failure::new(format!("ended without results; it last said: {last}"))
    })?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| Failure::new(format!("results.json: {error}")))?;
    let checks = compat::checks(&value);
    let (passed, failed): (Vec<_>, Vec<_>) = checks.into_iter().partition(|check| check.ok);
    let gaps = compat::gaps()?;
    let (known, unknown): (Vec<_>, Vec<_>) =
        failed.into_iter().partition(|check| gaps.contains(&check.label));
    if !known.is_empty() {
        println!("== {}: {} known gaps, listed in {}", client.name, known.len(), compat::GAPS);
    }
    tally.pass(passed.len() as u64);
    for check in unknown {
        tally.fail(&format!("{}: {}", client.name, check.label));
    }
    if !said.ok && value.get("failed").and_then(Value::as_u64) == Some(0) {
        tally.fail(&format!("{}: ended badly after its checks", client.name));
    }
    Ok(value)
}

/// The versions named by files or folders of `conform/KIND`, oldest first.
fn versions(folder: &str, suffix: &str) -> Result<Vec<String>, Failure> {
    let mut versions: Vec<Vec<u32>> = Vec::new();
    for entry in std::fs::read_dir(root().join(folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let parts: Result<Vec<u32>, _> =
            name.strip_suffix(suffix).unwrap_or("").split('.').map(str::parse).collect();
        versions.extend(parts.ok().filter(|parts| parts.len() == 3));
    }
    versions.sort();
    Ok(versions.iter().map(|parts| parts.iter().map(u32::to_string).collect::<Vec<_>>().join(".")).collect())
}

/// Whether `folder` was set up from exactly this text before; if not, what is there is removed.
fn is_fresh(folder: &Path, stamp: &str) -> Result<bool, Failure> {
    let fresh = std::fs::read_to_string(folder.join("stamp")).is_ok_and(|old| old == stamp);
    if !fresh && folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(fresh)
}

/// Marks `folder` as set up from this text. The last step: an interrupted set-up is begun anew.
fn seal(folder: &Path, stamp: &str) -> Result<(), Failure> {
    Ok(std::fs::write(folder.join("stamp"), stamp)?)
}
