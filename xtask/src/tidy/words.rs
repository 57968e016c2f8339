//! Names that say nothing, and words that do not belong in a product: places of one machine, trackers, hosts of registries.

use super::Source;

/// File and folder names that collect what has no home.
const EMPTY_NAMES: [&str; 9] =
    ["utils", "util", "common", "misc", "helper", "helpers", "manager", "handler", "base"];

/// Parts of words, joined here so that this file does not hold them.
const WORDS: [[&str; 2]; 10] = [
    ["/wo", "rk/"],
    ["/ro", "ot/"],
    ["/ho", "me/"],
    ["/fa", "rm/"],
    ["artif", "actory"],
    ["registry.npm", "js.org"],
    ["files.python", "hosted"],
    ["clau", "de"],
    ["as an", " ai "],
    ["chat", "gpt"],
];

pub(super) fn names(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let stems = source.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        if let Some(stem) = stems.clone().find(|stem| EMPTY_NAMES.contains(stem)) {
            wrong.push(format!("{}: `{stem}` says nothing; name it after what is in it", source.path));
        }
    }
    wrong
}

pub(super) fn words(sources: &[Source]) -> Vec<String> {
    let words: Vec<String> = WORDS.iter().map(|parts| parts.concat()).collect();
    let mut wrong = Vec::new();
    for source in
        sources.iter().filter(|source| !source.path.starts_with("demo/") || !source.path.ends_with(".jsonl"))
    {
        for (at, line) in source.text.lines().enumerate() {
            let lower = line.to_lowercase();
            let found = words.iter().find(|word| lower.contains(word.as_str()));
            let tracker = numbered(&lower, "issue ").then(|| "the number of an issue".to_owned());
            if let Some(word) = found.cloned().or(tracker) {
                wrong.push(format!("{}:{}: `{word}` does not belong in the product", source.path, at + 1));
            }
        }
    }
    wrong
}

/// Whether `word` is followed by a number, with or without a hash sign.
fn numbered(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        line[at + word.len()..].trim_start_matches('#').starts_with(|c: char| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Vec<Source> {
        vec![Source { path: path.to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn empty_names_and_foreign_words_are_found() {
        assert_eq!(names(&source("crates/engine/src/utils.rs", "")).len(), 1);
        assert_eq!(names(&source("crates/engine/src/common/mod.rs", "")).len(), 1);
        assert!(names(&source("crates/engine/src/ids.rs", "")).is_empty());
        assert_eq!(words(&source("a.md", &format!("see {} 12", "Issue"))).len(), 1);
        assert_eq!(words(&source("a.md", &format!("{}tmp", WORDS[0].concat()))).len(), 1);
        assert!(words(&source("a.md", "an issue of taste; homework/done")).is_empty());
    }
}
