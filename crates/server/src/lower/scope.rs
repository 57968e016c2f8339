//! `element_scope` of one search of a hybrid: what the scores of structs make of their row.

use crate::status::Fault;
use engine::api::Collapse;
use serde_json::{Map, Value};
use wire::params::{Params, take};

/// The parameter's name.
const KEY: &str = "element_scope";

/// Takes it out, when it is there.
pub(super) fn take_collapse(params: &mut Params) -> Result<Option<Collapse>, Fault> {
    let Some(text) = take(params, KEY) else { return Ok(None) };
    let scope = object(KEY, serde_json::from_str(&text).ok())?;
    known(KEY, &scope, &["collapse"])?;
    let name = format!("{KEY}.collapse");
    let inner = scope.get("collapse").ok_or_else(|| missing(format!("{name} is required")))?;
    let inner = object(&name, Some(inner.clone()))?;
    known(&name, &inner, &["strategy", "topk"])?;
    let strategy = match inner.get("strategy") {
        None => "",
        Some(Value::String(text)) => text.trim(),
        Some(_) => return Err(Fault::invalid(format_args!("{name}.strategy must be a string"))),
    };
    let of = inner.get("topk").map(|given| positive(&name, given)).transpose()?;
    let needs = || of.ok_or_else(|| missing(format!("{name}.topk is required for strategy {strategy}")));
    let collapse = match strategy {
        "" => return Err(missing(format!("{name}.strategy is required"))),
        "topk_sum" => return Ok(Some(Collapse::Sum(Some(needs()?)))),
        "topk_avg" => return Ok(Some(Collapse::Mean(Some(needs()?)))),
        "max" => Collapse::Best,
        "sum" => Collapse::Sum(None),
        "avg" => Collapse::Mean(None),
        other => {
            return Err(Fault::invalid(format_args!(
                "unsupported {name}.strategy: {other}, use max, sum, avg, topk_sum or topk_avg"
            )));
        }
    };
    match of {
        Some(_) => Err(Fault::invalid(format_args!("{name}.topk is only valid for topk strategies"))),
        None => Ok(Some(collapse)),
    }
}

fn missing(what: String) -> Fault {
    Fault::new(wire::Code::ParameterMissing, format!("{what}: {}", wire::Code::ParameterMissing.text()))
}

fn object(name: &str, value: Option<Value>) -> Result<Map<String, Value>, Fault> {
    match value {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(Fault::invalid(format_args!("{name} must be a JSON object"))),
    }
}

fn known(name: &str, object: &Map<String, Value>, keys: &[&str]) -> Result<(), Fault> {
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(Fault::invalid(format_args!("unsupported {name} key: {key}"))),
        None => Ok(()),
    }
}

fn positive(name: &str, value: &Value) -> Result<usize, Fault> {
    let Some(number) = value.as_i64() else {
        return Err(Fault::invalid(format_args!("{name}.topk must be an integer")));
    };
    match usize::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Fault::invalid(format_args!("{name}.topk must be positive"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_refused() {
        let read = |text: &str| {
            let mut params = vec![("limit".to_owned(), "3".to_owned()), (KEY.to_owned(), text.to_owned())];
            let collapse = take_collapse(&mut params);
            assert_eq!(params.len(), 1);
            collapse.map_err(|fault| fault.into_status().reason)
        };
        for (inner, want) in [
            (r#"{"strategy": "max"}"#, Collapse::Best),
            (r#"{"strategy": " sum "}"#, Collapse::Sum(None)),
            (r#"{"strategy": "avg"}"#, Collapse::Mean(None)),
            (r#"{"strategy": "topk_sum", "topk": 3}"#, Collapse::Sum(Some(3))),
            (r#"{"strategy": "topk_avg", "topk": 1}"#, Collapse::Mean(Some(1))),
        ] {
            assert_eq!(read(&format!("{{\"collapse\": {inner}}}")), Ok(Some(want)), "{inner}");
        }
        for (text, fragment) in [
            ("[]", "element_scope must be a JSON object"),
            ("{", "element_scope must be a JSON object"),
            ("{}", "element_scope.collapse is required"),
            (r#"{"collapse": {}, "other": 1}"#, "unsupported element_scope key: other"),
            (r#"{"collapse": 3}"#, "element_scope.collapse must be a JSON object"),
            (r#"{"collapse": {}}"#, "element_scope.collapse.strategy is required"),
            (r#"{"collapse": {"strategy": 3}}"#, "element_scope.collapse.strategy must be a string"),
            (r#"{"collapse": {"strategy": "min"}}"#, "unsupported element_scope.collapse.strategy: min"),
            (r#"{"collapse": {"strategy": "max", "k": 1}}"#, "unsupported element_scope.collapse key: k"),
            (r#"{"collapse": {"strategy": "topk_sum"}}"#, "topk is required for strategy topk_sum"),
            (r#"{"collapse": {"strategy": "max", "topk": 3}}"#, "topk is only valid for topk strategies"),
            (r#"{"collapse": {"strategy": "topk_avg", "topk": 0}}"#, "topk must be positive"),
            (r#"{"collapse": {"strategy": "topk_avg", "topk": 1.5}}"#, "topk must be an integer"),
        ] {
            let said = read(text).err().unwrap_or_default();
            assert!(said.contains(fragment), "{text}: {said}");
        }
        assert!(matches!(take_collapse(&mut Vec::new()), Ok(None)));
    }
}
