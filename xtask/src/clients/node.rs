//! The Node SDK, one folder of modules a version, installed by `npm ci` from its lock file in `conform/node`.

use std::process::Command;

use super::{Client, is_fresh, seal, versions};
use crate::step::{Failure, quietly, root, run, target};

const FOLDER: &str = "conform/node";

pub(super) fn names() -> Result<Vec<String>, Failure> {
    Ok(versions(FOLDER, "")?.into_iter().map(|version| format!("node-{version}")).collect())
}

/// What is missing for this ring, if anything.
pub(super) fn problem() -> Option<String> {
    let needs = "const [a, b] = process.versions.node.split('.').map(Number); if (a < 18 || (a === 18 && b < 17)) throw 'node ' + process.version";
    let node = quietly(Command::new("node").args(["-e", needs]));
    let npm = quietly(Command::new("npm").arg("--version"));
    match (node, npm) {
        (Ok(node), Ok(npm)) if node.ok && npm.ok => None,
        (Err(failure), _) | (_, Err(failure)) => Some(failure.to_string()),
        _ => Some("node 18.17 or later and npm are needed".to_owned()),
    }
}

/// Installs the modules when the lock file or the interpreter changed.
pub(super) fn set_up(name: &str) -> Result<Client, Failure> {
    let version = name.trim_start_matches("node-");
    let source = root().join(FOLDER).join(version);
    let folder = target().join("conform").join(name);
    let lock = std::fs::read_to_string(source.join("package-lock.json"))?;
    let stamp = format!("{}{lock}", quietly(Command::new("node").arg("--version"))?.text);
    if !is_fresh(&folder, &stamp)? {
        std::fs::create_dir_all(&folder)?;
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(source.join(file), folder.join(file))?;
        }
        let mut install = Command::new("npm");
        install.arg("--prefix").arg(&folder).args([
            "ci",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel",
            "error",
        ]);
        if !run(&format!("{name}: install"), &mut install)?.ok {
            return Err(Failure::new(
                "its modules could not be installed (is the package registry reachable?)",
            ));
        }
        seal(&folder, &stamp)?;
    }
    let arguments = [
        root().join(FOLDER).join("run.js"),
        "--sdk".into(),
        version.into(),
        "--modules".into(),
        folder.join("node_modules"),
    ];
    Ok(Client { name: name.to_owned(), command: std::iter::once("node".into()).chain(arguments).collect() })
}
