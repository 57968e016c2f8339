//! Names that cannot be illegal: a [`Name`] is only made by checking it.

use std::fmt;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Words of the filter language, which no field may be called.
const KEYWORDS: [&str; 40] = [
    "$meta",
    "like",
    "LIKE",
    "exists",
    "EXISTS",
    "and",
    "AND",
    "or",
    "OR",
    "not",
    "NOT",
    "in",
    "IN",
    "json_contains",
    "JSON_CONTAINS",
    "json_contains_all",
    "JSON_CONTAINS_ALL",
    "json_contains_any",
    "JSON_CONTAINS_ANY",
    "array_contains",
    "ARRAY_CONTAINS",
    "array_contains_all",
    "ARRAY_CONTAINS_ALL",
    "array_contains_any",
    "ARRAY_CONTAINS_ANY",
    "array_length",
    "ARRAY_LENGTH",
    "true",
    "True",
    "TRUE",
    "false",
    "False",
    "FALSE",
    "text_match",
    "TEXT_MATCH",
    "phrase_match",
    "PHRASE_MATCH",
    "random_sample",
    "RANDOM_SAMPLE",
    "is",
];

/// Field names the system uses itself.
const RESERVED: [&str; 3] = ["RowID", "Timestamp", "__virtual_pk__"];

/// What a name is of; each kind has its own alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A database.
    Database,
    /// A collection or an alias, which share one name space.
    Collection,
    /// A partition.
    Partition,
    /// A field.
    Field,
    /// An index.
    Index,
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Collection => "collection",
            Self::Partition => "partition",
            Self::Field => "field",
            Self::Index => "index",
        })
    }
}

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid {kind} name: {name}. {why}")]
pub struct NameError {
    /// What it was to name.
    pub kind: NameKind,
    /// The text, cut to a readable length.
    pub name: String,
    /// What is wrong, and by implication what would be right.
    pub why: String,
}

/// A legal name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Checks `text` against the rules for `kind`.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long, starts or goes on with a forbidden character, or is a reserved word.
    pub fn new(kind: NameKind, text: &str) -> Result<Self, NameError> {
        let refuse = |why: String| NameError { kind, name: text.chars().take(64).collect(), why };
        let Some(first) = text.chars().next() else {
            return Err(refuse(format!("the {kind} name should not be empty")));
        };
        if text.len() > NAME_BYTES_MAX {
            let length = text.len();
            return Err(refuse(format!(
                "the length of a {kind} name must be less than or equal to {NAME_BYTES_MAX} bytes, got {length}"
            )));
        }
        let digit_first = kind == NameKind::Partition && first.is_ascii_digit();
        if first != '_' && !first.is_ascii_alphabetic() && !digit_first {
            return Err(refuse(format!(
                "the first character of a {kind} name must be an underscore or letter"
            )));
        }
        let extra = match kind {
            NameKind::Partition => "-",
            NameKind::Index => "[]",
            NameKind::Database | NameKind::Collection | NameKind::Field => "",
        };
        if !text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric() || extra.contains(c)) {
            return Err(refuse(format!("{kind} name can only contain numbers, letters and underscores")));
        }
        if kind == NameKind::Field {
            if KEYWORDS.contains(&text) {
                return Err(refuse(format!("{text} is keyword in milvus.")));
            }
            if RESERVED.contains(&text) {
                return Err(refuse(format!("{text} is reserved for the system")));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_kind() {
        let ok = |kind, text: &str| Name::new(kind, text).is_ok();
        assert!(ok(NameKind::Collection, "_a1"));
        assert!(!ok(NameKind::Collection, "1a"));
        assert!(!ok(NameKind::Collection, "a-b"));
        assert!(!ok(NameKind::Collection, ""));
        assert!(!ok(NameKind::Collection, "naïve"));
        assert!(ok(NameKind::Partition, "2024-01"));
        assert!(ok(NameKind::Index, "vec[0]"));
        assert!(!ok(NameKind::Field, "like"));
        assert!(!ok(NameKind::Field, "RowID"));
        assert!(ok(NameKind::Field, &"a".repeat(255)));
        assert!(!ok(NameKind::Field, &"a".repeat(256)));
    }

    #[test]
    fn the_message_says_what_would_be_right() {
        let error = Name::new(NameKind::Collection, "1a").unwrap_err().to_string();
        assert_eq!(
            error,
            "Invalid collection name: 1a. the first character of a collection name must be an underscore or letter"
        );
    }
}
