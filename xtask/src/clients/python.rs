//! pymilvus, one virtual environment a version, made from its file of pins in `conform/python/requirements`.

use std::path::PathBuf;
use std::process::Command;

use super::{Client, is_fresh, seal, versions};
use crate::step::{Failure, quietly, root, run, target};

const FOLDER: &str = "conform/python";
/// The installer itself, so that every machine installs with the same one.
const PIP: &str = "pip==25.3";

pub(super) fn names() -> Result<Vec<String>, Failure> {
    Ok(versions("conform/python/requirements", ".txt")?
        .into_iter()
        .map(|version| format!("py-{version}"))
        .collect())
}

/// What is missing for this ring, if anything.
pub(super) fn problem() -> Option<String> {
    let needs = "import sys, venv, ensurepip; assert (3, 10) <= sys.version_info[:2] <= (3, 12), 'python 3.10 to 3.12 is needed'";
    match quietly(interpreter().args(["-c", needs])) {
        Err(failure) => Some(failure.to_string()),
        Ok(said) if said.ok => None,
        Ok(said) => {
            let last = said.text.lines().last().unwrap_or("no venv").to_owned();
            Some(format!("python3 with the venv module is needed ({last})"))
        }
    }
}

fn interpreter() -> Command {
    Command::new(std::env::var_os("ELANUS_PYTHON").unwrap_or_else(|| "python3".into()))
}

/// Makes the environment when its pins or the interpreter changed.
pub(super) fn set_up(name: &str) -> Result<Client, Failure> {
    let version = name.trim_start_matches("py-");
    let pins = root().join(FOLDER).join("requirements").join(format!("{version}.txt"));
    let venv = target().join("conform").join(name);
    let python = venv.join("bin").join("python");
    let stamp = format!("{}{}", quietly(interpreter().arg("-VV"))?.text, std::fs::read_to_string(&pins)?);
    if !is_fresh(&venv, &stamp)? {
        must(
            run(name, interpreter().args(["-m", "venv", "--without-pip"]).arg(&venv))?.ok,
            "no virtual environment",
        )?;
        let mut install = Command::new(installer()?);
        install.args(["-m", "pip", "--python"]).arg(&python).args([
            "install",
            "--quiet",
            "--no-input",
            "--no-deps",
            "--no-compile",
        ]);
        install.args(["--disable-pip-version-check", "--only-binary", ":all:", "-r"]).arg(&pins);
        must(
            run(&format!("{name}: install"), &mut install)?.ok,
            "its packages could not be installed (is the package index reachable?)",
        )?;
        seal(&venv, &stamp)?;
    }
    contract(name, &python)?;
    Ok(Client { name: name.to_owned(), command: vec![python, root().join(FOLDER).join("run.py")] })
}

/// One environment with pip in it installs into all the others.
fn installer() -> Result<PathBuf, Failure> {
    let venv = target().join("conform").join("pip");
    let python = venv.join("bin").join("python");
    let stamp = format!("{}{PIP}", quietly(interpreter().arg("-VV"))?.text);
    if !is_fresh(&venv, &stamp)? {
        must(run("pip", interpreter().args(["-m", "venv"]).arg(&venv))?.ok, "no virtual environment")?;
        let mut upgrade = Command::new(&python);
        upgrade.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PIP]);
        must(
            run("pip: install", &mut upgrade)?.ok,
            "pip could not be installed (is the package index reachable?)",
        )?;
        seal(&venv, &stamp)?;
    }
    Ok(python)
}

/// Holds the wire contract against the descriptors inside the installed package, where that check is in the tree.
fn contract(name: &str, python: &PathBuf) -> Result<(), Failure> {
    let script = root().join("conform/contract/check.py");
    if script.exists() {
        must(
            run(&format!("{name}: contract"), Command::new(python).arg(script))?.ok,
            "the wire contract does not cover this client",
        )?;
    }
    Ok(())
}

fn must(ok: bool, what: &str) -> Result<(), Failure> {
    if ok { Ok(()) } else { Err(Failure::new(what)) }
}
