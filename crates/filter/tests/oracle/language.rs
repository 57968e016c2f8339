//! Expressions as trees, and their texts.

use crate::table::TYPES;
use std::fmt::Write as _;

#[derive(Debug, Clone)]
pub(crate) enum Const {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Const>),
}

#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Truth(bool),
    Compare(Source, &'static str, Const, bool),
    Columns(usize, &'static str, usize),
    Range(Const, &'static str, Source, &'static str, Const),
    In(Source, Vec<Const>, bool),
    Like(Source, String),
    Regex(Source, usize, bool),
    Words(usize, String, usize),
    Phrase(usize, String),
    StartsWith(usize, Result<String, usize>),
    Empty(usize),
    IsNull(Source, bool),
    Exists(Source),
    Contains(Source, &'static str, Vec<Const>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
}

#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) column: usize,
    pub(crate) path: Vec<String>,
    pub(crate) length: bool,
    pub(crate) steps: Vec<(&'static str, Const, bool)>,
}

pub(crate) type Meaning = fn(&str) -> bool;

/// Regular expressions and what they mean.
pub(crate) const REGEXES: [(&str, Meaning); 6] = [
    ("", |_| true),
    ("^a", |text| text.starts_with('a')),
    ("b$", |text| text.ends_with('b')),
    ("a.*b", |text| text.find('a').is_some_and(|at| text[at..].contains('b'))),
    ("^[ab]{2}$", |text| text.len() == 2 && text.chars().all(|c| "ab".contains(c))),
    (r"\\|%", |text| text.contains(['\\', '%'])),
];

impl Const {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => serde_json::to_string(text).unwrap(),
            Self::List(values) => list(values),
        }
    }
}

pub(crate) fn list(values: &[Const]) -> String {
    format!("[{}]", values.iter().map(Const::text).collect::<Vec<_>>().join(", "))
}

impl Source {
    pub(crate) fn text(&self) -> String {
        let mut text = TYPES[self.column].0.to_owned();
        for step in &self.path {
            let _ = write!(text, "[{}]", serde_json::to_string(step).unwrap());
        }
        if self.length {
            text = format!("array_length({text})");
        }
        for (op, constant, reversed) in &self.steps {
            let constant = constant.text();
            text = if *reversed {
                format!("({constant} {op} {text})")
            } else {
                format!("({text} {op} {constant})")
            };
        }
        text
    }
}

impl Expr {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Truth(value) => value.to_string(),
            Self::Compare(source, op, constant, false) => {
                format!("{} {op} {}", source.text(), constant.text())
            }
            Self::Compare(source, op, constant, true) => {
                format!("{} {op} {}", constant.text(), source.text())
            }
            Self::Columns(a, op, b) => format!("{} {op} {}", TYPES[*a].0, TYPES[*b].0),
            Self::Range(low, op, source, op2, high) => {
                format!("{} {op} {} {op2} {}", low.text(), source.text(), high.text())
            }
            Self::In(source, values, not) => {
                format!("{} {} {}", source.text(), if *not { "not in" } else { "in" }, list(values))
            }
            Self::Like(source, pattern) => {
                format!("{} like {}", source.text(), serde_json::to_string(pattern).unwrap())
            }
            Self::Regex(source, regex, not) => {
                let pattern = serde_json::to_string(REGEXES[*regex].0).unwrap();
                format!("{} {} {pattern}", source.text(), if *not { "!~" } else { "=~" })
            }
            Self::Words(column, words, least) => {
                let (name, words) = (TYPES[*column].0, serde_json::to_string(words).unwrap());
                format!("text_match({name}, {words}, minimum_should_match={least})")
            }
            Self::Phrase(column, words) => {
                format!("phrase_match({}, {})", TYPES[*column].0, serde_json::to_string(words).unwrap())
            }
            Self::StartsWith(column, start) => {
                let start = match start {
                    Ok(text) => serde_json::to_string(text).unwrap(),
                    Err(other) => TYPES[*other].0.to_owned(),
                };
                format!("starts_with({}, {start})", TYPES[*column].0)
            }
            Self::Empty(column) => format!("empty({})", TYPES[*column].0),
            Self::IsNull(source, not) => {
                format!("{} {}", source.text(), if *not { "is not null" } else { "is null" })
            }
            Self::Exists(source) => format!("exists {}", source.text()),
            Self::Contains(source, name, values) if *name == "json_contains" => {
                format!("{name}({}, {})", source.text(), values[0].text())
            }
            Self::Contains(source, name, values) => format!("{name}({}, {})", source.text(), list(values)),
            Self::Not(inner) => match inner.as_ref() {
                // Without parentheses, too: the reading that people mean.
                Self::Compare(source, _, _, false) if source.steps.is_empty() => {
                    format!("not {}", inner.text())
                }
                _ => format!("not ({})", inner.text()),
            },
            Self::And(members) => join(members, " and "),
            Self::Or(members) => join(members, " or "),
        }
    }
}

pub(crate) fn join(members: &[Expr], between: &str) -> String {
    members.iter().map(|member| format!("({})", member.text())).collect::<Vec<_>>().join(between)
}
