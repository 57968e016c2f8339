//! Which crate may name which: the table of the architecture, held against the manifests.
//!
//! Invariant: arrows only point to a lower rank, and crates that never wait depend on nothing that does.

use super::Source;

/// Crate, and the crates of this workspace that it may depend on.
const ARROWS: [(&str, &[&str]); 15] = [
    ("host", &[]),
    ("data", &[]),
    ("simd", &[]),
    ("text", &[]),
    ("store", &["host"]),
    ("index", &["simd", "host"]),
    ("filter", &["data", "simd"]),
    ("wire", &["data"]),
    ("segment", &["data", "simd", "host", "text", "store", "index", "filter"]),
    ("engine", &["data", "host", "text", "store", "index", "filter", "segment"]),
    ("cluster", &["data", "host", "store", "engine"]),
    ("server", &["data", "host", "wire", "engine"]),
    // At the top: whoever starts a server may name everything.
    (
        "elanus",
        &[
            "data", "simd", "host", "text", "store", "index", "filter", "wire", "segment", "engine",
            "cluster", "server",
        ],
    ),
    ("python", &["data", "host", "store", "engine", "server", "elanus"]),
    ("sim", &["data", "simd", "host", "text", "store", "index", "filter", "segment", "engine", "cluster"]),
];

/// Crates that never wait, and what would let them.
const NEVER_WAIT: [&str; 6] = ["data", "simd", "text", "index", "filter", "segment"];
const WAITING: [&str; 6] = ["tokio", "futures", "async-trait", "rand", "getrandom", "chrono"];

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let Some(name) =
            source.path.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            wrong.push(format!("{}: crate {name} has no row in the table of arrows", source.path));
            continue;
        };
        for dependency in dependencies(&source.text) {
            let ours = ARROWS.iter().any(|(known, _)| *known == dependency);
            if ours && !allowed.contains(&dependency) {
                wrong.push(format!(
                    "{}: {name} -> {dependency} is not an arrow of the architecture",
                    source.path
                ));
            }
            if NEVER_WAIT.contains(&name) && WAITING.contains(&dependency) {
                wrong.push(format!("{}: {name} never waits, and {dependency} would let it", source.path));
            }
        }
    }
    wrong
}

/// The names under `[dependencies]` and its target-dependent forms; what only tests or build scripts need is free.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let section = header.trim_end_matches(']');
            inside = section == "dependencies"
                || (section.starts_with("target.") && section.ends_with(".dependencies"));
            names.extend(section.strip_prefix("dependencies."));
        } else if inside && !line.starts_with('#') {
            names.extend(
                line.split(['=', '.'])
                    .next()
                    .map(str::trim)
                    .filter(|name| !name.is_empty() && line.contains('=')),
            );
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, dependencies: &str) -> Source {
        Source {
            path: format!("crates/{name}/Cargo.toml"),
            text: format!("[package]\nname = \"{name}\"\n{dependencies}"),
        }
    }

    #[test]
    fn every_form_of_a_dependency_is_seen() {
        let text = "[dependencies]\na.workspace = true\nb = { path = \"b\" }\n# c = 1\n[dependencies.d]\npath = \"d\"\n\
                    [target.'cfg(unix)'.dependencies]\ne = \"1\"\n[dev-dependencies]\nf = \"1\"\n";
        assert_eq!(dependencies(text), ["a", "b", "d", "e"]);
    }

    #[test]
    fn wrong_arrows_are_named() {
        assert!(
            check(&[manifest(
                "store",
                "[dependencies]\nhost.workspace = true\n[dev-dependencies]\nengine.workspace = true\n"
            )])
            .is_empty()
        );
        for (name, dependencies) in
            [("store", "data"), ("engine", "cluster"), ("index", "tokio"), ("utils", "host")]
        {
            let wrong =
                check(&[manifest(name, &format!("[dependencies]\n{dependencies}.workspace = true\n"))]);
            assert_eq!(wrong.len(), 1, "{name} -> {dependencies}: {wrong:?}");
        }
    }

    #[test]
    fn the_table_has_no_ring() {
        let rank = |name: &str| ARROWS.iter().position(|(known, _)| *known == name);
        for (name, allowed) in ARROWS {
            assert!(allowed.iter().all(|lower| rank(lower) < rank(name)), "{name}");
        }
    }
}
