//! Lists of keys and values as clients send them, and the JSON that travels inside of one of them.
//!
//! Invariant: order is kept; a key is never there twice after flattening.

use crate::Error;
use crate::proto::common::KeyValuePair;
use serde_json::Value;

/// The key under which clients put further parameters, as a JSON object.
const NESTED: &str = "params";

/// Keys and values in their order.
pub type Params = Vec<(String, String)>;

/// What to do with a key that is there both outside and inside of `params`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twice {
    /// Refuse, unless both say the same (index parameters).
    Refuse,
    /// The outer one wins (search parameters, where some clients send both).
    OuterWins,
}

/// The pairs as plain texts.
pub fn decode(pairs: Vec<KeyValuePair>) -> Params {
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

/// The pairs as messages.
pub fn encode<'a>(params: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<KeyValuePair> {
    params.into_iter().map(|(key, value)| pair(key, value)).collect()
}

/// One pair.
pub fn pair(key: impl Into<String>, value: impl Into<String>) -> KeyValuePair {
    KeyValuePair { key: key.into(), value: value.into() }
}

/// The value of `key`, when it is there.
pub fn find<'a>(params: &'a Params, key: &str) -> Option<&'a str> {
    params.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

/// Takes `key` out, when it is there.
pub fn take(params: &mut Params, key: &str) -> Option<String> {
    let at = params.iter().position(|(name, _)| name == key)?;
    Some(params.remove(at).1)
}

/// Takes `key` out as a number, when it is there and not empty.
///
/// # Errors
/// [`Error::Param`] when it is no number of type `T`.
pub fn take_number<T: std::str::FromStr>(params: &mut Params, key: &str) -> Result<Option<T>, Error> {
    match take(params, key) {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => parse(key, &text).map(Some),
    }
}

/// Takes `key` out as true or false (any spelling of either), when it is there and not empty.
///
/// # Errors
/// [`Error::Param`] when it is neither.
pub fn take_bool(params: &mut Params, key: &str) -> Result<Option<bool>, Error> {
    let Some(text) = take(params, key).filter(|text| !text.is_empty()) else { return Ok(None) };
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(Some(true)),
        "false" | "0" => Ok(Some(false)),
        _ => {
            Err(Error::Param { key: key.to_owned(), value: text, why: "should be true or false".to_owned() })
        }
    }
}

/// `text` as a number; a whole number may be written with a fraction of zero (`10.0`), as JavaScript and Python do.
pub(crate) fn parse<T: std::str::FromStr>(key: &str, text: &str) -> Result<T, Error> {
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let number = text.trim().parse().or_else(|_| whole.trim().parse());
    number.map_err(|_| Error::Param {
        key: key.to_owned(),
        value: text.to_owned(),
        why: "should be a number in the range of its type".to_owned(),
    })
}

/// Expands the JSON object under key `params` into the list itself.
///
/// # Errors
/// [`Error::Param`] when it is no JSON object, [`Error::Duplicate`] when a key is there twice and `twice` refuses.
pub fn flatten(pairs: Vec<KeyValuePair>, twice: Twice) -> Result<Params, Error> {
    let mut flat = Params::with_capacity(pairs.len() + 4);
    let mut nested = None;
    for KeyValuePair { key, value } in pairs {
        if key == NESTED {
            nested = Some(value);
        } else {
            add(&mut flat, key, value, twice)?;
        }
    }
    let Some(text) = nested.filter(|text| !text.trim().is_empty()) else { return Ok(flat) };
    let refuse = |why: String| Error::Param { key: NESTED.to_owned(), value: text.clone(), why };
    let object = match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => object,
        // What Python writes for an absent dictionary.
        Ok(Value::Null) => return Ok(flat),
        Ok(_) => return Err(refuse("should be a JSON object".to_owned())),
        Err(error) => return Err(refuse(error.to_string())),
    };
    for (key, value) in object {
        let value = match value {
            Value::String(text) => text,
            Value::Null => continue,
            other => other.to_string(),
        };
        add(&mut flat, key, value, twice)?;
    }
    Ok(flat)
}

fn add(flat: &mut Params, key: String, value: String, twice: Twice) -> Result<(), Error> {
    /// What JavaScript makes of an object where a text is due; the same object lies whole among the nested ones.
    const NO_TEXT: &str = "[object Object]";
    match flat.iter_mut().find(|(name, _)| *name == key) {
        None => flat.push((key, value)),
        Some((_, before)) if before == NO_TEXT => *before = value,
        Some((_, before)) if twice == Twice::OuterWins || *before == value => {}
        Some(_) => return Err(Error::Duplicate { key, value }),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(pairs: &[(&str, &str)], twice: Twice) -> Result<Vec<String>, Error> {
        let params = flatten(encode(pairs.iter().copied()), twice)?;
        Ok(params.into_iter().map(|(key, value)| format!("{key}={value}")).collect())
    }

    #[test]
    fn the_json_inside_is_expanded() {
        let pairs =
            [("index_type", "HNSW"), ("params", r#"{"M": 16, "r": 0.5, "on": true, "s": "x", "n": null}"#)];
        let mut got = flat(&pairs, Twice::Refuse).unwrap();
        got.sort();
        assert_eq!(got, ["M=16", "index_type=HNSW", "on=true", "r=0.5", "s=x"]);
        assert_eq!(flat(&[("params", "")], Twice::Refuse).unwrap(), Vec::<String>::new());
        assert_eq!(flat(&[("params", "null")], Twice::Refuse).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn keys_given_twice() {
        let pairs = [("M", "8"), ("params", r#"{"M": 16}"#)];
        assert_eq!(flat(&pairs, Twice::Refuse).unwrap_err().code().number(), 1100);
        assert_eq!(flat(&pairs, Twice::OuterWins).unwrap(), ["M=8"]);
        let script = [("scope", "[object Object]"), ("params", r#"{"scope": {"a": 1}}"#)];
        assert_eq!(flat(&script, Twice::OuterWins).unwrap(), [r#"scope={"a":1}"#]);
        let same = [("M", "16"), ("params", r#"{"M": 16}"#)];
        assert_eq!(flat(&same, Twice::Refuse).unwrap(), ["M=16"]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "7", "{", "x"] {
            assert!(flat(&[("params", text)], Twice::OuterWins).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers() {
        let mut params: Params =
            vec![("topk".into(), "10".into()), ("offset".into(), "2.0".into()), ("x".into(), "a".into())];
        assert_eq!(take_number::<usize>(&mut params, "topk").unwrap(), Some(10));
        assert_eq!(take_number::<usize>(&mut params, "offset").unwrap(), Some(2));
        assert_eq!(take_number::<usize>(&mut params, "none").unwrap(), None);
        assert!(take_number::<usize>(&mut params, "x").is_err());
        assert!(params.is_empty());
    }
}
