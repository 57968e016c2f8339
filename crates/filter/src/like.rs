//! `like`: `%` is any run of characters, `_` one character, a backslash takes the next character as it is.
//! The whole value must match.

use memchr::memmem;
use std::fmt;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    form: Form,
}

/// The forms that need no more than one search, and the general one.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Infix(Box<memmem::Finder<'static>>),
    /// What stands between the `%`s; the flags say whether the first and the last piece are anchored.
    Pieces(Vec<Piece>),
}

/// Characters that follow each other without `%`: literal bytes, and `None` for each `_`.
pub(crate) type Piece = Vec<Atom>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Atom {
    Literal(Vec<u8>),
    One,
}

impl Atom {
    /// Its bytes, when they are given.
    pub(crate) fn literal(&self) -> Option<&[u8]> {
        match self {
            Self::Literal(bytes) => Some(bytes),
            Self::One => None,
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::literal::quote(&self.text))
    }
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Self {
        let mut pieces = split(text);
        let literal = |piece: &Piece| match piece.as_slice() {
            [] => Some(Vec::new()),
            [Atom::Literal(bytes)] => Some(bytes.clone()),
            _ => None,
        };
        let plain: Option<Vec<Vec<u8>>> = pieces.iter().map(literal).collect();
        // Between two `%` nothing is nothing.
        let last = pieces.len() - 1;
        let mut i = 0;
        pieces.retain(|piece| {
            i += 1;
            i == 1 || i == last + 1 || !piece.is_empty()
        });
        let form = match plain.as_deref() {
            Some([only]) => Form::Exact(only.clone()),
            Some([prefix, rest @ ..]) if rest.iter().all(Vec::is_empty) => Form::Prefix(prefix.clone()),
            Some([rest @ .., suffix]) if rest.iter().all(Vec::is_empty) => Form::Suffix(suffix.clone()),
            Some([first, middle, end]) if first.is_empty() && end.is_empty() => {
                Form::Infix(Box::new(memmem::Finder::new(middle).into_owned()))
            }
            _ => Form::Pieces(pieces),
        };
        Self { text: text.to_owned(), form }
    }

    /// What begins with `text`, taken as it is.
    pub(crate) fn prefix(text: &str) -> Self {
        let mut pattern = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        Self::new(&pattern)
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        match &self.form {
            Form::Exact(text) => value == text,
            Form::Prefix(text) => value.starts_with(text),
            Form::Suffix(text) => value.ends_with(text),
            Form::Infix(finder) => finder.find(value).is_some(),
            Form::Pieces(pieces) => match_pieces(pieces, value),
        }
    }
}

/// The pieces between the `%`s; a pattern without `%` is one piece.
fn split(text: &str) -> Vec<Piece> {
    let mut pieces = vec![Piece::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '%' => {
                pieces.push(Piece::new());
                continue;
            }
            '_' => {
                if let Some(piece) = pieces.last_mut() {
                    piece.push(Atom::One);
                }
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        if let Some(piece) = pieces.last_mut() {
            let mut buffer = [0; 4];
            let bytes = literal.encode_utf8(&mut buffer).as_bytes();
            match piece.last_mut() {
                Some(Atom::Literal(run)) => run.extend_from_slice(bytes),
                _ => piece.push(Atom::Literal(bytes.to_vec())),
            }
        }
    }
    pieces
}

/// The first piece starts the value, the last one ends it, each one between is found at its first place: leaving it
/// for a later one can only lose room.
fn match_pieces(pieces: &[Piece], value: &[u8]) -> bool {
    let Some((first, rest)) = pieces.split_first() else {
        return value.is_empty();
    };
    let Some(mut at) = match_at(first, value, 0) else {
        return false;
    };
    let Some((last, middle)) = rest.split_last() else {
        return at == value.len();
    };
    for piece in middle {
        let Some(end) = find(piece, value, at) else {
            return false;
        };
        at = end;
    }
    start_of_last(last, value).is_some_and(|start| start >= at)
}

/// Where the last piece must start to end with the value, walking backwards.
fn start_of_last(piece: &Piece, value: &[u8]) -> Option<usize> {
    let mut end = value.len();
    for atom in piece.iter().rev() {
        match atom {
            Atom::Literal(bytes) => {
                end = end.checked_sub(bytes.len())?;
                value.get(end..)?.starts_with(bytes).then_some(())?;
            }
            Atom::One => {
                end = end.checked_sub(1)?;
                while end > 0 && is_continuation(value[end]) {
                    end -= 1;
                }
            }
        }
    }
    Some(end)
}

/// The end of the piece when it matches at `at`.
fn match_at(piece: &Piece, value: &[u8], mut at: usize) -> Option<usize> {
    for atom in piece {
        match atom {
            Atom::Literal(bytes) => {
                value.get(at..)?.starts_with(bytes).then_some(())?;
                at += bytes.len();
            }
            Atom::One => {
                value.get(at)?;
                at += 1;
                while value.get(at).is_some_and(|byte| is_continuation(*byte)) {
                    at += 1;
                }
            }
        }
    }
    Some(at)
}

/// The end of the first match at or after `from`.
fn find(piece: &Piece, value: &[u8], from: usize) -> Option<usize> {
    if let [Atom::Literal(bytes)] = piece.as_slice() {
        return memmem::find(value.get(from..)?, bytes).map(|found| from + found + bytes.len());
    }
    let starts = (from..=value.len()).filter(|at| value.get(*at).is_none_or(|byte| !is_continuation(*byte)));
    starts.map(|at| match_at(piece, value, at)).find_map(|end| end)
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition, one character after the other.
    fn naive(pattern: &[char], value: &[char]) -> bool {
        match pattern {
            [] => value.is_empty(),
            ['%', rest @ ..] => (0..=value.len()).any(|i| naive(rest, &value[i..])),
            ['_', rest @ ..] => !value.is_empty() && naive(rest, &value[1..]),
            ['\\', c, rest @ ..] => value.first() == Some(c) && naive(rest, &value[1..]),
            [c, rest @ ..] => value.first() == Some(c) && naive(rest, &value[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..Default::default() })]
        #[test]
        fn agrees_with_the_definition(
            pattern in r"([ab%_é]|\\%|\\_|\\\\){0,7}", value in r"[ab%_é\\]{0,9}"
        ) {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                Pattern::new(&pattern).matches(value.as_bytes()),
                naive(&chars(&pattern), &chars(&value))
            );
        }
    }

    #[test]
    fn cheap_forms_are_recognised() {
        assert!(matches!(Pattern::new("a").form(), Form::Exact(_)));
        assert!(matches!(Pattern::new("a%").form(), Form::Prefix(_)));
        assert!(matches!(Pattern::new("%").form(), Form::Prefix(_)));
        assert!(matches!(Pattern::new(r"%a\%").form(), Form::Suffix(_)));
        assert!(matches!(Pattern::new("%a%").form(), Form::Infix(_)));
        assert!(matches!(Pattern::new("a%b").form(), Form::Pieces(_)));
    }
}
