//! Paths named in the documents of the repository must exist: a map that lies is worse than none.

use super::Source;
use crate::step::root;

/// Where a path must begin to be one of ours.
const TOPS: [&str; 8] = ["crates/", "docs/", "conform/", "demo/", "xtask/", "fixtures/", ".ci/", ".config/"];

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let root = root();
    let mut wrong = Vec::new();
    for source in
        sources.iter().filter(|source| source.path.ends_with(".md") && source.path != "CHANGELOG.md")
    {
        for (at, line) in source.text.lines().enumerate() {
            for path in named(line).filter(|path| !root.join(path).exists()) {
                wrong.push(format!("{}:{}: `{path}` does not exist", source.path, at + 1));
            }
        }
    }
    wrong
}

/// Paths in backquotes, or in the round brackets of a link; patterns are not paths.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    quoted
        .chain(linked)
        .filter(|path| TOPS.iter().any(|top| path.starts_with(top)))
        .filter(|path| {
            !path.contains(['*', '{', '<', ' ', '…']) && !path.contains("NNNN") && !path.contains("VERSION")
        })
        .map(|path| path.split('#').next().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_patterns_and_prose() {
        let line = "See `crates/engine/src/lib.rs`, `cargo test`, [page](docs/formats/log.md#head) and `crates/*/Cargo.toml`.";
        assert_eq!(named(line).collect::<Vec<_>>(), ["crates/engine/src/lib.rs", "docs/formats/log.md"]);
    }
}
