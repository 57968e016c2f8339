//! House rules that no compiler knows, checked over the tracked files of the repository.
//!
//! Invariant: a rule names each offender and what would be right; exemptions are listed by name in the rule's own file.

mod arrows;
mod files;
mod paths;
mod words;

use std::process::Command;

use crate::step::{Failure, Tally, quietly, root};

/// One text file of the repository.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

/// A rule: what it is called, and what it finds wrong, one line each.
type Rule = (&'static str, fn(&[Source]) -> Vec<String>);

const RULES: [Rule; 7] = [
    ("arrows between crates", arrows::check),
    ("every file opens with what it is", files::openings),
    ("lengths of files and functions", files::lengths),
    ("unsafe only where it is allowed", files::unsafe_places),
    ("names that say nothing", words::names),
    ("words that do not belong", words::words),
    ("paths named in documents exist", paths::check),
];

/// Checks every rule, prints what is wrong, and counts one check a rule.
pub(crate) fn check(tally: &mut Tally) {
    println!("== tidy");
    let sources = match sources() {
        Ok(sources) => sources,
        Err(failure) => return tally.fail(&format!("tidy: {failure}")),
    };
    for (name, rule) in RULES {
        let offenders = rule(&sources);
        for offender in &offenders {
            println!("tidy: {offender}");
        }
        if offenders.is_empty() {
            tally.pass(1)
        } else {
            tally.fail(&format!("tidy: {name}: {} to mend", offenders.len()))
        }
    }
    println!("== tidy: {} rules over {} files", RULES.len(), sources.len());
}

/// The files git tracks or would track, as far as they are UTF-8 text. Lock files are made by machines and left out.
fn sources() -> Result<Vec<Source>, Failure> {
    let listed =
        quietly(Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    if !listed.ok {
        return Err(Failure::new("git ls-files failed; tidy looks at the files that git tracks"));
    }
    let read = |path: &str| {
        let text = std::fs::read_to_string(root().join(path)).ok()?;
        Some(Source { path: path.to_owned(), text })
    };
    Ok(listed.text.lines().filter(|path| !path.ends_with(".lock")).filter_map(read).collect())
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Tests and benchmarks beside the sources.
    fn is_test(&self) -> bool {
        ["/tests/", "/benches/", "/fuzz/", "/examples/"].iter().any(|part| self.path.contains(part))
            || self.path.ends_with("tests.rs")
    }

    /// The lines of the product: without the test module at the end.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut after_cfg_test = false;
        self.text.lines().enumerate().take_while(move |(_, line)| {
            let starts_tests = after_cfg_test && line.starts_with("mod ") && line.ends_with('{');
            after_cfg_test = *line == "#[cfg(test)]" || (after_cfg_test && line.starts_with("#["));
            !starts_tests
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_ends_where_the_tests_begin() {
        let text = "//! a\nfn f() {}\n#[cfg(test)]\nmod tests {\nfn g() {}\n}\n".to_owned();
        let source = Source { path: "a.rs".to_owned(), text };
        assert_eq!(source.product_lines().count(), 3);
        let text = "//! a\n#[cfg(test)]\nmod tests;\nfn f() {}\n".to_owned();
        assert_eq!(Source { path: "a.rs".to_owned(), text }.product_lines().count(), 4);
    }

    #[test]
    fn this_repository_is_tidy() {
        let sources = sources().unwrap();
        for (name, rule) in RULES {
            assert_eq!(rule(&sources), Vec::<String>::new(), "{name}");
        }
    }
}
