//! Finds one value in the text of a JSON document without parsing the rest. Invariant: never reads a byte twice, never
//! recurses, and takes any bytes; on a text that is no JSON it finds nothing or something, but does not fail.

use crate::number::Num;
use serde_json::Value;
use std::borrow::Cow;

/// The text of the value at `path`; of equal keys the first counts. A number names a place in an array and a key in an
/// object, as in a JSON pointer (RFC 6901).
pub(crate) fn find<'a>(document: &'a [u8], path: &[String]) -> Option<&'a [u8]> {
    let mut scan = Scan { text: document, at: 0 };
    for step in path {
        match scan.peek()? {
            b'{' => scan.enter_object(step)?,
            b'[' => scan.enter_array(step)?,
            _ => return None,
        }
    }
    scan.peek()?;
    let start = scan.at;
    scan.skip_value()?;
    document.get(start..scan.at)
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

/// Whether two documents say the same; numbers are equal when their values are.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.order(b).is_some_and(|order| order.is_eq()),
            _ => false,
        },
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        (a, b) => a == b,
    }
}

fn number(value: &serde_json::Number) -> Option<Num> {
    value.as_i64().map(Num::Int).or_else(|| value.as_f64().map(Num::Float))
}

fn read_number(text: &[u8]) -> Option<Num> {
    let text = std::str::from_utf8(text).ok()?;
    match text.parse() {
        Ok(int) => Some(Num::Int(int)),
        Err(_) => text.parse().ok().map(Num::Float),
    }
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

    fn find_in(document: &str, path: &[&str]) -> Option<String> {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        find(document.as_bytes(), &path).map(|found| String::from_utf8_lossy(found).into_owned())
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
            any::<f64>().prop_map(Value::from),
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
