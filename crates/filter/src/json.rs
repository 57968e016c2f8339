//! Finds one value in the text of a JSON document without parsing the rest. Invariant: never reads a byte twice, never
//! recurses, and takes any bytes; on a text that is no JSON it finds nothing or something, but does not fail.

use crate::number::Num;
use std::borrow::Cow;

/// The text of the value at `path`; of equal keys the first counts. A number names a place in an array and a key in an
/// object, as in a JSON pointer (RFC 6901).
pub(crate) fn find<'a>(document: &'a [u8], path: &[String]) -> Option<&'a [u8]> {
    whole(locate(document, path)?)
}

/// The text from the value at `path` on.
pub(crate) fn locate<'a>(document: &'a [u8], path: &[String]) -> Option<&'a [u8]> {
    let mut at = 0;
    for step in path {
        at = enter(document, at, step)?;
    }
    start(document, at)
}

/// The text from the value on that begins at `at`, or after blanks.
pub(crate) fn start(document: &[u8], at: usize) -> Option<&[u8]> {
    let mut scan = Scan { text: document, at };
    scan.peek()?;
    document.get(scan.at..)
}

/// The value that `text` begins with.
pub(crate) fn whole(text: &[u8]) -> Option<&[u8]> {
    let mut scan = Scan { text, at: 0 };
    scan.skip_value()?;
    text.get(..scan.at)
}

/// From the value at `at` (or after blanks) to where its part `step` begins.
#[inline]
pub(crate) fn enter(document: &[u8], at: usize, step: &str) -> Option<usize> {
    let mut scan = Scan { text: document, at };
    match scan.peek()? {
        b'{' => {
            let mut found = [None];
            if simd::find_keys(document, scan.at, &[step.as_bytes()], &mut found) {
                return found[0];
            }
            scan.enter_object(step)?;
        }
        b'[' => scan.enter_array(step)?,
        _ => return None,
    }
    Some(scan.at)
}

/// A scalar or what its first byte says it is.
#[derive(Debug, PartialEq)]
pub(crate) enum Item<'a> {
    Null,
    Bool(bool),
    Number(Num),
    Text(Cow<'a, [u8]>),
    Array,
    Object,
}

/// What kind of value `text` is, and which.
pub(crate) fn read(text: &[u8]) -> Option<Item<'_>> {
    Some(match text.first()? {
        b'n' => Item::Null,
        b't' => Item::Bool(true),
        b'f' => Item::Bool(false),
        b'"' => Item::Text(read_text(text)?),
        b'[' => Item::Array,
        b'{' => Item::Object,
        _ => Item::Number(read_number(text)?),
    })
}

/// What kind of value `text` begins with, and which.
pub(crate) fn read_first(text: &[u8]) -> Option<Item<'_>> {
    match text.first()? {
        b'n' | b't' | b'f' | b'[' | b'{' => read(text),
        b'"' => match plain_text(text) {
            Some(text) => Some(Item::Text(Cow::Borrowed(text))),
            None => read(whole(text)?),
        },
        _ => match short_number(text) {
            Some(number) => Some(Item::Number(number)),
            None => read(whole(text)?),
        },
    }
}

/// The number that `text` begins with; `None` when that is something else.
#[inline]
pub(crate) fn first_number(text: &[u8]) -> Option<Num> {
    if let Some(number) = short_number(text) {
        return Some(number);
    }
    match read_first(text)? {
        Item::Number(number) => Some(number),
        _ => None,
    }
}

/// The string that `text` begins with, if it is short and has no escapes.
#[inline]
fn plain_text(text: &[u8]) -> Option<&[u8]> {
    let rest = text.get(1..)?;
    let end = rest.iter().take(16).position(|byte| matches!(byte, b'"' | b'\\'))?;
    if rest.get(end) == Some(&b'"') { rest.get(..end) } else { None }
}

/// The number that `text` begins with, if it is short, as nearly all are: without a branch for a digit, since numbers of
/// one column have different lengths. `None` says nothing.
#[inline]
fn short_number(text: &[u8]) -> Option<Num> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_negative = digits.len() < text.len();
    let ends = |byte: Option<&u8>| {
        matches!(byte, None | Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b':'))
    };
    let (whole, count) = leading_digits(digits)?;
    let after = digits.get(count..)?;
    if after.first() != Some(&b'.') {
        let value = whole as i64;
        return ends(after.first()).then_some(Num::Int(if is_negative { -value } else { value }));
    }
    let after = after.get(1..)?;
    let (fraction, places) = leading_digits(after)?;
    if !ends(after.get(places)) {
        return None;
    }
    // At most fourteen digits: both numbers are doubles, as in `read_decimal`.
    let scale = POWERS.get(places)?;
    let value = (whole * *scale as u64 + fraction) as f64 / scale;
    Some(Num::Float(if is_negative { -value } else { value }))
}

/// The number that up to seven digits say, and how many they are; `None` if there is none, or more, or too little text
/// to be read at once. Eight digits become a number in three multiplications of pairs, of fours and of all.
#[inline]
fn leading_digits(text: &[u8]) -> Option<(u64, usize)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*text.first_chunk::<8>()?) ^ (ONES * 0x30);
    // The upper bit of every byte that is no digit.
    let others = (((word & (ONES * 0x7f)) + ONES * 0x76) | word) & (ONES * 0x80);
    let count = others.trailing_zeros() / 8;
    if !(1..8).contains(&count) {
        return None;
    }
    // The digits move to the end, zeros come before them.
    let word = word << (64 - 8 * count);
    let pairs = (word.wrapping_mul(1 + (10 << 8)) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(1 + (100 << 16)) >> 16) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(1 + (10_000 << 32)) >> 32, count as usize))
}

/// Powers of ten that doubles hold.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The elements of an array.
pub(crate) fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut scan = Scan { text: array, at: 1 };
    std::iter::from_fn(move || {
        if matches!(scan.peek()?, b']' | b'}') {
            return None;
        }
        let start = scan.at;
        scan.skip_value()?;
        let element = array.get(start..scan.at);
        if scan.peek() == Some(b',') {
            scan.at += 1;
        }
        element
    })
}

fn read_number(text: &[u8]) -> Option<Num> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
        let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        return Some(Num::Int(if digits.len() == text.len() { value } else { -value }));
    }
    if let Some(value) = read_decimal(digits) {
        return Some(Num::Float(if digits.len() == text.len() { value } else { -value }));
    }
    let text = std::str::from_utf8(text).ok()?;
    match text.parse() {
        Ok(int) => Some(Num::Int(int)),
        Err(_) => text.parse().ok().map(Num::Float),
    }
}

/// A number like `12.5` whose digits make a whole number below 2^53: then both it and the power of ten are doubles, and
/// one division rounds as the definition does (Clinger, "How to read floating point numbers accurately", 1990).
fn read_decimal(text: &[u8]) -> Option<f64> {
    let point = text.iter().take(POWERS.len()).position(|byte| *byte == b'.')?;
    let (whole, fraction) = (text.get(..point)?, text.get(point + 1..)?);
    if whole.is_empty() || fraction.is_empty() || whole.len() + fraction.len() >= POWERS.len() {
        return None;
    }
    let mut value = 0_u64;
    for digit in whole.iter().chain(fraction) {
        value = value * 10 + u64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    Some(value as f64 / POWERS.get(fraction.len())?)
}

fn read_text(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    let body = text.get(1..text.len().checked_sub(1)?)?;
    if memchr::memchr(b'\\', body).is_none() {
        return Some(Cow::Borrowed(body));
    }
    serde_json::from_slice::<String>(text).ok().map(|text| Cow::Owned(text.into_bytes()))
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    /// From the brace to the value of `key`.
    fn enter_object(&mut self, key: &str) -> Option<()> {
        self.at += 1;
        while self.peek()? == b'"' {
            let start = self.at;
            self.skip_string()?;
            let raw = self.text.get(start..self.at)?;
            let found = is_key(raw, key);
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            self.peek()?;
            if found {
                return Some(());
            }
            self.skip_value()?;
            if self.peek()? != b',' {
                return None;
            }
            self.at += 1;
        }
        None
    }

    /// From the bracket to the element at `index`.
    fn enter_array(&mut self, index: &str) -> Option<()> {
        let canonical = index == "0" || !index.starts_with(['0', '+']);
        let index: usize = index.parse().ok().filter(|_| canonical)?;
        self.at += 1;
        for _ in 0..index {
            if matches!(self.peek()?, b']' | b',') {
                return None;
            }
            self.skip_value()?;
            if self.peek()? != b',' {
                return None;
            }
            self.at += 1;
        }
        (self.peek()? != b']').then_some(())
    }

    fn skip_string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..)?;
            // Most keys and values are short: look at a few bytes before a search is set up.
            let near = rest.iter().take(16).position(|byte| matches!(byte, b'"' | b'\\'));
            let found = match near {
                Some(found) => found,
                None => memchr::memchr2(b'"', b'\\', rest)?,
            };
            self.at += found + 1;
            if rest.get(found) == Some(&b'"') {
                return Some(());
            }
            self.at += 1;
        }
    }

    fn skip_value(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_nested(),
            _ => {
                let rest = self.text.get(self.at..)?;
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b':');
                let len = rest.iter().position(ends).unwrap_or(rest.len());
                self.at += len;
                (len > 0).then_some(())
            }
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at)? {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// Whether the string literal `raw` is `key`.
fn is_key(raw: &[u8], key: &str) -> bool {
    let Some(body) = raw.get(1..raw.len().saturating_sub(1)) else {
        return false;
    };
    body == key.as_bytes() && !key.contains('\\')
        || body.contains(&b'\\') && read_text(raw).is_some_and(|text| text.as_ref() == key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn find_in(document: &str, path: &[&str]) -> Option<String> {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        find(document.as_bytes(), &path).map(|found| String::from_utf8_lossy(found).into_owned())
    }

    /// Read out of a longer text.
    fn first(text: &str) -> Option<Item<'static>> {
        match read_first(format!("{text}, \"more\"").as_bytes()) {
            Some(Item::Number(number)) => Some(Item::Number(number)),
            _ => None,
        }
    }

    #[test]
    fn numbers() {
        for text in
            ["0", "-0", "7", "-12", "999999999999999999", "9223372036854775807", "-9223372036854775808"]
        {
            assert_eq!(read_number(text.as_bytes()), Some(Num::Int(text.parse().unwrap())), "{text}");
            assert_eq!(first(text), Some(Item::Number(Num::Int(text.parse().unwrap()))), "{text}");
        }
        for text in [
            "0.1",
            "-0.0",
            "12.5",
            "3.14159",
            "0.000001",
            "99999999999999.9",
            "123456789.123456789",
            "1e5",
            "-2.5E-3",
            "9223372036854775808",
            "0.30000000000000004",
            "1.7976931348623157e308",
            "5e-324",
        ] {
            assert_eq!(read_number(text.as_bytes()), Some(Num::Float(text.parse().unwrap())), "{text}");
            assert_eq!(first(text), Some(Item::Number(Num::Float(text.parse().unwrap()))), "{text}");
        }
        for text in ["1.2.3", "1.x", ".", "-", "1-2"] {
            assert_eq!(read_number(text.as_bytes()), None, "{text}");
            assert_eq!(first(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn decimals_are_rounded_as_the_library_does(whole in 0..1_000_000_u64, fraction in "[0-9]{1,10}") {
            let text = format!("{whole}.{fraction}");
            prop_assert_eq!(read_number(text.as_bytes()), Some(Num::Float(text.parse().unwrap())));
        }

        #[test]
        fn the_first_value_is_read_as_if_alone(
            text in r#"-?[0-9]{0,9}(\.[0-9]{0,9})?[:ex]?|"[a\\\\"é]{0,20}"#, rest in r#"([,\]} ][a-z,0-9]{0,12})?"#
        ) {
            let both = text.clone() + &rest;
            prop_assert_eq!(read_first(both.as_bytes()), whole(both.as_bytes()).and_then(read), "{}", both);
        }
    }

    #[test]
    fn paths() {
        let document = r#" {"a" : 1 , "b":{"c":[1,{"d":"x\"]}"}, [] ]},"e\"\u0041":null,"":true, "a":2}"#;
        for (path, found) in [
            (&["a"][..], Some("1")),
            (&["b", "c", "1", "d"], Some(r#""x\"]}""#)),
            (&["b", "c", "2"], Some("[]")),
            (&["b", "c", "3"], None),
            (&["b", "c", "2", "0"], None),
            (&["b", "c", "01"], None),
            (&["e\"A"], Some("null")),
            (&[""], Some("true")),
            (&["a", "b"], None),
            (&["x"], None),
        ] {
            assert_eq!(find_in(document, path).as_deref(), found, "{path:?}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|v| Value::from(f64::from(v) / 8.0)),
            r#"[ab"\\é\n]{0,3}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 30, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(r#"[ab"\\é0]{0,2}"#, inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..Default::default() })]
        #[test]
        fn finds_what_a_parser_finds(
            value in any_json(), path in prop::collection::vec(r#"[ab"\\é0]{0,2}|1"#, 0..3), pretty in any::<bool>()
        ) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            let expected = path.iter().try_fold(&value, |value, step| match value {
                Value::Object(map) => map.get(step),
                Value::Array(items) => step.parse::<usize>().ok().filter(|i| i.to_string() == *step).and_then(|i| items.get(i)),
                _ => None,
            });
            let found = find(text.as_bytes(), &path).map(|raw| serde_json::from_slice::<Value>(raw).unwrap());
            prop_assert_eq!(found.as_ref(), expected);
        }

        #[test]
        fn takes_any_bytes(bytes in r#"[\[\]{}",:\\ a0n]{0,40}"#, path in prop::collection::vec("[a01]", 0..3)) {
            if let Some(raw) = find(bytes.as_bytes(), &path) {
                let _ = (read(raw), elements(raw).count());
            }
        }
    }
}
