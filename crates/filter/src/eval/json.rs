//! Tests of what a JSON document holds at a path. What is missing there passes no test but "is null".

use super::kernel::each;
use super::paths::{Paths, text_at};
use super::{Block, Place};
use crate::json::{Item, elements, first_number, locate, read, read_first, whole};
use crate::number::{Interval, Num};
use crate::predicate::{Leaf, Test};
use data::VarLen;
use serde_json::Value;

pub(super) fn test(
    leaf: &Leaf,
    documents: &VarLen,
    paths: &[Paths<'_>],
    place: Place,
    want: &Block,
    yes: &mut Block,
) {
    let test = &leaf.test;
    let places = paths.iter().find_map(|paths| paths.places(leaf, documents, place, want));
    let text = |i: usize| {
        let document = documents.get(place.start + i);
        match &places {
            Some(places) => text_at(document, places, i),
            None => locate(document, &leaf.path),
        }
    };
    let raw = |i: usize| text(i).and_then(whole);
    let item = |i: usize| text(i).and_then(read_first);
    let number = |i: usize| {
        let number = text(i).and_then(first_number)?;
        leaf.steps.iter().try_fold(number, |number, step| step.on_num(number))
    };
    match test {
        Test::JsonNull => each(want, yes, |i| matches!(item(i), None | Some(Item::Null))),
        Test::JsonExists => each(want, yes, |i| !matches!(item(i), None | Some(Item::Null))),
        Test::JsonNumber(interval) => {
            let plain = interval.plain();
            each(want, yes, |i| number(i).is_some_and(|number| contains_number(interval, plain, number)));
        }
        Test::JsonText(interval) if interval.single().is_some() => {
            let only = interval.single().map(String::as_bytes).unwrap_or_default();
            each(want, yes, |i| match item(i) {
                Some(Item::Text(text)) => text.len() == only.len() && text.as_ref() == only,
                _ => false,
            });
        }
        Test::JsonText(interval) => each(want, yes, |i| match item(i) {
            Some(Item::Text(text)) => interval.contains(|bound| Some(text.as_ref().cmp(bound.as_bytes()))),
            _ => false,
        }),
        Test::JsonBool(constant) => each(want, yes, |i| item(i) == Some(Item::Bool(*constant))),
        Test::JsonIn(set) if !leaf.steps.is_empty() => {
            each(want, yes, |i| number(i).is_some_and(|number| set.contains_number(number)));
        }
        Test::JsonIn(set) => each(want, yes, |i| match item(i) {
            Some(Item::Number(number)) => set.contains_number(number),
            Some(Item::Text(text)) => set.texts.contains(&text),
            Some(Item::Bool(value)) => set.bools[usize::from(value)],
            _ => false,
        }),
        Test::JsonLike(pattern) => each(want, yes, |i| match item(i) {
            Some(Item::Text(text)) => pattern.matches(&text),
            _ => false,
        }),
        Test::JsonRegex(regex) => each(want, yes, |i| match item(i) {
            Some(Item::Text(text)) => regex.matches(&text),
            _ => false,
        }),
        Test::JsonEquals(list) => {
            each(want, yes, |i| raw(i).is_some_and(|raw| raw.first() == Some(&b'[') && is_equal(raw, list)));
        }
        Test::JsonContains(all, values) => {
            each(want, yes, |i| raw(i).is_some_and(|raw| contains(raw, *all, values)));
        }
        _ => {}
    }
}

/// Whether an array has one of `values`, or all of them.
fn contains(raw: &[u8], all: bool, values: &[Value]) -> bool {
    let has = |value: &Value| elements(raw).any(|element| is_equal(element, value));
    raw.first() == Some(&b'[') && if all { values.iter().all(has) } else { values.iter().any(has) }
}

/// `plain`: the interval as [`Interval::plain`] gives it.
#[inline]
fn contains_number(interval: &Interval<Num>, plain: Option<(f64, f64)>, number: Num) -> bool {
    if let (Some((low, high)), Some(value)) = (plain, number.to_plain()) {
        // Without a branch: which way it goes nobody can foresee.
        return (low <= value) & (value <= high);
    }
    interval.contains(|bound| number.order(*bound))
}

/// Whether the text of a JSON value says what the constant `value` does.
fn is_equal(raw: &[u8], value: &Value) -> bool {
    match (read(raw), value) {
        (Some(Item::Text(text)), Value::String(value)) => text.as_ref() == value.as_bytes(),
        (Some(Item::Bool(found)), Value::Bool(value)) => found == *value,
        (Some(Item::Number(found)), Value::Number(value)) => {
            let value = value.as_i64().map(Num::Int).or_else(|| value.as_f64().map(Num::Float));
            value.and_then(|value| found.order(value)).is_some_and(|order| order.is_eq())
        }
        (Some(Item::Array), Value::Array(values)) => {
            let mut found = elements(raw);
            let all = values.iter().all(|value| found.next().is_some_and(|found| is_equal(found, value)));
            all && found.next().is_none()
        }
        _ => false,
    }
}
