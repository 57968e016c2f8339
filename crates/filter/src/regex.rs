//! `=~`: a regular expression in RE2's syntax, found anywhere in the text. Invariant: time is linear in the text
//! whatever the expression, and a compiled expression is bounded in size.

use crate::limits::REGEX_BYTES_MAX;
use regex_syntax::hir::{Hir, HirKind};
use std::fmt;

/// A compiled expression.
#[derive(Debug, Clone)]
pub(crate) struct Regex {
    text: String,
    compiled: regex::bytes::Regex,
    /// Runs of bytes that every match contains.
    parts: Vec<Vec<u8>>,
}

impl Regex {
    /// # Errors
    /// What is wrong with the expression, in one line.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let built = regex::bytes::RegexBuilder::new(text)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .build();
        match built {
            Ok(compiled) => Ok(Self { text: text.to_owned(), compiled, parts: parts_of(text) }),
            Err(regex::Error::CompiledTooBig(bytes)) => {
                Err(format!("compiled it is larger than {bytes} bytes"))
            }
            // The parser draws the expression with a caret below it; its last line says what is wrong.
            Err(error) => {
                let text = error.to_string();
                Err(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// Runs of bytes that every match contains.
    pub(crate) fn parts(&self) -> &[Vec<u8>] {
        &self.parts
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        self.compiled.is_match(value)
    }
}

fn parts_of(text: &str) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    if let Ok(hir) = regex_syntax::ParserBuilder::new().utf8(false).build().parse(text) {
        gather(&hir, &mut parts);
    }
    parts
}

/// What `hir` cannot match without. It is as deep as the parser lets it be.
fn gather(hir: &Hir, parts: &mut Vec<Vec<u8>>) {
    match hir.kind() {
        HirKind::Literal(literal) => parts.push(literal.0.to_vec()),
        HirKind::Capture(capture) => gather(&capture.sub, parts),
        HirKind::Repetition(repetition) if repetition.min > 0 => gather(&repetition.sub, parts),
        HirKind::Concat(members) => members.iter().for_each(|member| gather(member, parts)),
        _ => {}
    }
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::literal::quote(&self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_match_contains() {
        let parts = |text: &str| {
            let regex = Regex::new(text).unwrap();
            regex
                .parts()
                .iter()
                .map(|part| String::from_utf8_lossy(part).into_owned())
                .collect::<Vec<_>>()
                .join("|")
        };
        assert_eq!(parts("^abc.*(def)+g?h$"), "abc|def|h");
        assert_eq!(parts("abc|abd"), "");
        assert_eq!(parts("(?i)abc"), "");
        assert_eq!(parts("(ab)*[cd]é"), "é");
    }

    #[test]
    fn found_anywhere_and_bounded() {
        let regex = Regex::new(r"b+\d").unwrap();
        assert!(regex.matches(b"abb1") && !regex.matches(b"abb"));
        assert!(Regex::new(r"^\p{Greek}.$").unwrap().matches("αé".as_bytes()));
        assert_eq!(Regex::new("(").unwrap_err(), "unclosed group");
        assert!(Regex::new(r"((\w{100}){100}){100}").unwrap_err().contains("larger than"));
        assert!(Regex::new(&"(".repeat(100_000)).is_err());
    }
}
