//! What an expression says of a row, straight from the language's definition.

use crate::language::{Const, Expr, REGEXES, Source};
use crate::table::{TYPES, Table};
use data::{Type, Value};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A number in the arithmetic of its column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Int(i64),
    Single(f32),
    Double(f64),
}

pub(crate) fn row_value(table: &Table, source: &Source, row: usize) -> Option<Result<Value, Json>> {
    let value = table.columns[source.column].as_ref()?.value(row);
    match value {
        Value::Null => None,
        Value::Json(text) => {
            let document: Json = serde_json::from_str(&text).unwrap();
            let found = source.path.iter().try_fold(&document, |value, step| match value {
                Json::Object(map) => map.get(step),
                Json::Array(items) => items.get(step.parse::<usize>().ok()?),
                _ => None,
            });
            match found {
                Some(Json::Array(items)) if source.length => Some(Ok(Value::Int(items.len() as i64))),
                _ if source.length => None,
                found => Some(Err(found.cloned().unwrap_or(Json::Null))),
            }
        }
        value => Some(Ok(value)),
    }
}

pub(crate) fn number(table: &Table, source: &Source, row: usize) -> Option<Option<Number>> {
    let float_steps = source.steps.iter().any(|(_, constant, _)| matches!(constant, Const::Float(_)));
    let start = match row_value(table, source, row)? {
        Ok(Value::Int(value)) if float_steps => Number::Double(value as f64),
        Ok(Value::Int(value)) => Number::Int(value),
        Ok(Value::Double(value)) if TYPES[source.column].1 == Type::Float => Number::Single(value as f32),
        Ok(Value::Double(value)) => Number::Double(value),
        Err(Json::Number(value)) => match value.as_i64() {
            Some(value) => Number::Int(value),
            None => Number::Double(value.as_f64().unwrap()),
        },
        _ => return Some(None),
    };
    Some(
        source
            .steps
            .iter()
            .try_fold(start, |value, (op, constant, reversed)| step(value, op, constant, *reversed)),
    )
}

pub(crate) fn step(value: Number, op: &str, constant: &Const, reversed: bool) -> Option<Number> {
    let as_f64 = match constant {
        Const::Int(value) => *value as f64,
        Const::Float(value) => *value,
        _ => unreachable!(),
    };
    Some(match (value, constant) {
        (Number::Int(a), Const::Int(b)) => {
            let (a, b) = if reversed { (*b, a) } else { (a, *b) };
            Number::Int(match op {
                "+" => a.wrapping_add(b),
                "-" => a.wrapping_sub(b),
                "*" => a.wrapping_mul(b),
                "/" => a.wrapping_div(b),
                _ => a.wrapping_rem(b),
            })
        }
        _ if op == "%" => return None,
        (Number::Single(a), _) => {
            let (a, b) = if reversed { (as_f64 as f32, a) } else { (a, as_f64 as f32) };
            Number::Single(match op {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                _ => a / b,
            })
        }
        (value, _) => {
            let a = match value {
                Number::Int(value) => value as f64,
                Number::Single(value) => value.into(),
                Number::Double(value) => value,
            };
            let (a, b) = if reversed { (as_f64, a) } else { (a, as_f64) };
            Number::Double(match op {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                _ => a / b,
            })
        }
    })
}

/// Whether `a op b`, for anything that has an order.
pub(crate) fn by<T: PartialOrd>(a: T, op: &str, b: T) -> bool {
    match op {
        "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        _ => a >= b,
    }
}

/// The same for a number out of a JSON document: no column says what it is rounded to, so it is compared as it is.
pub(crate) fn compare_free_number(a: Number, op: &str, b: &Const) -> Option<bool> {
    match (a, b) {
        (Number::Double(a), Const::Int(_)) if a.is_nan() => Some(op == "!="),
        (Number::Double(a), Const::Int(b)) => {
            let mirrored = match op {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                same => same,
            };
            compare_number(Number::Int(*b), mirrored, &Const::Float(a))
        }
        _ => compare_number(a, op, b),
    }
}

pub(crate) fn compare_number(a: Number, op: &str, b: &Const) -> Option<bool> {
    Some(match (a, b) {
        (Number::Int(a), Const::Int(b)) => by(a, op, *b),
        (Number::Int(a), Const::Float(b)) => {
            let a = i128::from(a);
            match op {
                "==" => b.fract() == 0.0 && a == *b as i128,
                "!=" => !(b.fract() == 0.0 && a == *b as i128),
                "<" => a < b.ceil() as i128,
                "<=" => a <= b.floor() as i128,
                ">" => a > b.floor() as i128,
                _ => a >= b.ceil() as i128,
            }
        }
        (Number::Single(a), Const::Int(b)) => by(a, op, *b as f32),
        (Number::Single(a), Const::Float(b)) => by(a, op, *b as f32),
        (Number::Double(a), Const::Float(b)) => by(a, op, *b),
        (Number::Double(a), Const::Int(b)) => by(a, op, *b as f64),
        _ => return None,
    })
}

/// `None`: unknown. A JSON value of another kind, or none, is an answer: only `!=` holds of it.
pub(crate) fn compare(
    table: &Table,
    source: &Source,
    op: &str,
    constant: &Const,
    row: usize,
) -> Option<bool> {
    let other = op == "!=";
    match constant {
        Const::Int(_) | Const::Float(_) => {
            let is_free = TYPES[source.column].1 == Type::Json && !source.length;
            let compare = if is_free { compare_free_number } else { compare_number };
            Some(number(table, source, row)?.and_then(|n| compare(n, op, constant)).unwrap_or(other))
        }
        constant => Some(match (row_value(table, source, row)?, constant) {
            (Ok(Value::Text(a)) | Err(Json::String(a)), Const::Text(b)) => by(a.as_bytes(), op, b.as_bytes()),
            (Ok(Value::Bool(a)) | Err(Json::Bool(a)), Const::Bool(b)) => by(a, op, *b),
            (Err(found), Const::List(_)) => (op == "==") == json_equal(&found, constant),
            _ => other,
        }),
    }
}

pub(crate) fn json_equal(found: &Json, constant: &Const) -> bool {
    match (found, constant) {
        (Json::Bool(a), Const::Bool(b)) => a == b,
        (Json::String(a), Const::Text(b)) => a == b,
        (Json::Number(a), Const::Int(_) | Const::Float(_)) => {
            let number = a.as_i64().map(Number::Int).unwrap_or(Number::Double(a.as_f64().unwrap()));
            compare_free_number(number, "==", constant).unwrap()
        }
        (Json::Array(a), Const::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| json_equal(a, b))
        }
        _ => false,
    }
}

pub(crate) fn like(pattern: &[char], value: &[char]) -> bool {
    match pattern {
        [] => value.is_empty(),
        ['%', rest @ ..] => (0..=value.len()).any(|i| like(rest, &value[i..])),
        ['_', rest @ ..] => !value.is_empty() && like(rest, &value[1..]),
        ['\\', c, rest @ ..] | [c, rest @ ..] => value.first() == Some(c) && like(rest, &value[1..]),
    }
}

pub(crate) fn text(table: &Table, column: usize, row: usize) -> Option<String> {
    match table.columns[column].as_ref()?.value(row) {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

pub(crate) fn interpret(table: &Table, expr: &Expr, row: usize) -> Option<bool> {
    match expr {
        Expr::Truth(value) => Some(*value),
        Expr::Compare(source, op, constant, mirrored) => {
            let op = match (*op, mirrored) {
                ("<", true) => ">",
                ("<=", true) => ">=",
                (">", true) => "<",
                (">=", true) => "<=",
                (op, _) => op,
            };
            compare(table, source, op, constant, row)
        }
        Expr::Columns(a, op, b) => {
            let value = |column: usize| match table.columns[column].as_ref()?.value(row) {
                Value::Null => None,
                value => Some(value),
            };
            Some(match (value(*a)?, value(*b)?) {
                (Value::Int(a), Value::Int(b)) => by(a, op, b),
                (Value::Int(a), Value::Double(b)) => by(a as f64, op, b),
                (Value::Double(a), Value::Int(b)) => by(a, op, b as f64),
                (Value::Double(a), Value::Double(b)) => by(a, op, b),
                (Value::Text(a), Value::Text(b)) => by(a, op, b),
                (Value::Bool(a), Value::Bool(b)) => by(a, op, b),
                other => unreachable!("{other:?}"),
            })
        }
        Expr::Range(low, op, source, op2, high) => {
            let low_op = if *op == "<" { ">" } else { ">=" };
            Some(compare(table, source, low_op, low, row)? && compare(table, source, op2, high, row)?)
        }
        Expr::In(source, values, not) => {
            let _known = row_value(table, source, row)?;
            let found = values.iter().any(|value| compare(table, source, "==", value, row) == Some(true));
            Some(found != *not)
        }
        Expr::Like(source, pattern) => Some(match row_value(table, source, row)? {
            Ok(Value::Text(text)) | Err(Json::String(text)) => {
                like(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
            }
            _ => false,
        }),
        Expr::Regex(source, regex, not) => Some(match row_value(table, source, row)? {
            Ok(Value::Text(text)) | Err(Json::String(text)) => REGEXES[*regex].1(&text) != *not,
            _ => *not,
        }),
        Expr::Words(column, asked, least) => {
            let (found, asked) = (words(&text(table, *column, row)?), words(asked));
            let asked: BTreeSet<&String> = asked.iter().collect();
            Some(asked.iter().filter(|word| found.contains(word)).count() >= *least)
        }
        Expr::Phrase(column, asked) => {
            let (found, asked) = (words(&text(table, *column, row)?), words(asked));
            Some(!asked.is_empty() && found.windows(asked.len()).any(|window| window == asked))
        }
        Expr::StartsWith(column, start) => {
            let start = match start {
                Ok(text) => text.clone(),
                Err(other) => text(table, *other, row)?,
            };
            Some(text(table, *column, row)?.starts_with(&start))
        }
        Expr::Empty(column) => Some(text(table, *column, row)?.is_empty()),
        Expr::IsNull(source, not) => {
            Some(matches!(row_value(table, source, row), None | Some(Err(Json::Null))) != *not)
        }
        Expr::Exists(source) => Some(row_value(table, source, row)? != Err(Json::Null)),
        Expr::Contains(source, name, values) => Some(match row_value(table, source, row)? {
            Err(Json::Array(items)) => {
                let values = if *name == "json_contains" { &values[..1] } else { values.as_slice() };
                let has = |value: &Const| items.iter().any(|item| json_equal(item, value));
                if name.ends_with("any") { values.iter().any(has) } else { values.iter().all(has) }
            }
            _ => false,
        }),
        Expr::Not(inner) => interpret(table, inner, row).map(|value| !value),
        Expr::And(members) => chain(table, members, false, row),
        Expr::Or(members) => chain(table, members, true, row),
    }
}

/// `decides` if any member says so, else unknown if any is, else the opposite.
pub(crate) fn chain(table: &Table, members: &[Expr], decides: bool, row: usize) -> Option<bool> {
    let values: Vec<_> = members.iter().map(|member| interpret(table, member, row)).collect();
    if values.contains(&Some(decides)) {
        return Some(decides);
    }
    if values.contains(&None) { None } else { Some(!decides) }
}

pub(crate) fn to_number(constant: &Const) -> Number {
    match constant {
        Const::Int(value) => Number::Int(*value),
        Const::Float(value) => Number::Double(*value),
        other => unreachable!("{other:?}"),
    }
}
