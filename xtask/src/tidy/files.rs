//! The shape of a source file: its first words, its length, the length of its functions, and whether it may be unsafe.

use super::Source;

const FILE_LINES: usize = 500;
const FILE_LINES_WITH_TESTS: usize = 800;
const FUNCTION_LINES: usize = 70;

/// Tables and matches that are long because the thing they list is. Path, and why.
const LONG: [(&str, &str); 2] = [
    ("crates/data/src/column.rs", "one arm a type"),
    ("crates/engine/src/catalog/apply.rs", "one arm a change of the catalogue"),
];

/// Where `unsafe` may stand.
const UNSAFE: [&str; 3] = ["crates/simd/src/", "crates/store/src/map.rs", "crates/python/src/"];

pub(super) fn openings(sources: &[Source]) -> Vec<String> {
    let opens = |source: &&Source| source.is_rust() && !source.text.starts_with("//!");
    sources
        .iter()
        .filter(opens)
        .map(|source| format!("{}: the first line should be `//!` and say what this file is", source.path))
        .collect()
}

pub(super) fn lengths(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in
        sources.iter().filter(|source| source.is_rust() && !LONG.iter().any(|(path, _)| *path == source.path))
    {
        let (product, whole) = (source.product_lines().count(), source.text.lines().count());
        if product > FILE_LINES && !source.is_test() {
            wrong.push(format!(
                "{}: {product} lines, {FILE_LINES} is long; what are the two things in it?",
                source.path
            ));
        } else if whole > FILE_LINES_WITH_TESTS {
            wrong.push(format!("{}: {whole} lines with tests, {FILE_LINES_WITH_TESTS} is long", source.path));
        }
        if !source.is_test() {
            let long = functions(source).into_iter().filter(|function| function.lines > FUNCTION_LINES);
            wrong.extend(long.map(|function| {
                format!(
                    "{}:{}: fn {} has {} lines, a screen has {FUNCTION_LINES}",
                    source.path, function.line, function.name, function.lines
                )
            }));
        }
    }
    wrong
}

pub(super) fn unsafe_places(sources: &[Source]) -> Vec<String> {
    let free =
        |source: &&Source| source.is_rust() && !UNSAFE.iter().any(|place| source.path.starts_with(place));
    let mut wrong = Vec::new();
    for source in sources.iter().filter(free) {
        for (at, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is_unsafe = ["{", "fn ", "impl ", "extern ", "trait "]
                .iter()
                .any(|next| code.contains(&format!("unsafe {next}")));
            if is_unsafe && !code.contains('"') {
                wrong.push(format!("{}:{}: unsafe belongs in {}", source.path, at + 1, UNSAFE.join(", ")));
            }
        }
    }
    wrong
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Functions by their indentation, which rustfmt guarantees: from `fn` to the `}` in the same column.
fn functions(source: &Source) -> Vec<Function> {
    let lines: Vec<_> = source.product_lines().map(|(_, line)| line).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let Some(name) = function_name(trimmed) else { continue };
        let close = format!("{}}}", &line[..line.len() - trimmed.len()]);
        let length = lines.get(at..).and_then(|rest| rest.iter().position(|line| *line == close));
        found.extend(length.map(|length| Function {
            name: name.to_owned(),
            line: at + 1,
            lines: length + 1,
        }));
    }
    found
}

/// The name, if this line begins a function with a body that goes on.
fn function_name(line: &str) -> Option<&str> {
    let before = line.split("fn ").next()?;
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern", "\"C\""];
    if !line.contains("fn ")
        || !before.split_whitespace().all(|word| modifiers.contains(&word))
        || line.ends_with(['}', ';'])
    {
        return None;
    }
    line[before.len() + 3..].split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: String) -> Source {
        Source { path: "crates/engine/src/a.rs".to_owned(), text }
    }

    #[test]
    fn long_functions_and_files_are_named() {
        let body =
            |lines: usize| format!("//! a\npub(crate) fn f<T>(\n{}) {{\n}}\n", "    a: u8,\n".repeat(lines));
        assert!(lengths(&[source(body(60))]).is_empty());
        assert_eq!(lengths(&[source(body(80))]).len(), 1);
        assert_eq!(lengths(&[source("//! a\n".repeat(501))]).len(), 1);
        let tests = format!("//! a\n#[cfg(test)]\nmod tests {{\n{}}}\n", "// a\n".repeat(600));
        assert!(lengths(&[source(tests)]).is_empty());
    }

    #[test]
    fn unsafe_code_is_seen_and_the_lint_is_not() {
        assert_eq!(unsafe_places(&[source("//! a\nlet a = unsafe { b() };\n".to_owned())]).len(), 1);
        assert!(unsafe_places(&[source("#![forbid(unsafe_code)] // unsafe { }\n".to_owned())]).is_empty());
    }

    #[test]
    fn a_file_opens_with_its_purpose() {
        assert_eq!(openings(&[source("use a;\n".to_owned())]).len(), 1);
    }
}
