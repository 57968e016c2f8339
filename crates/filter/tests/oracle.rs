//! The evaluator against an interpreter that goes row by row over values, in three-valued logic, straight from the
//! language's definition. Expressions, data, nulls and absent columns are random; whatever is bound must also read back
//! from its own text and answer the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use data::{Column, ColumnBuilder, Field, FieldId, Schema, Type, Value};
use filter::{Rows, bind, parse};
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The two texts can be asked for words.
const TYPES: [(&str, Type); 13] = [
    ("id", Type::Int64),
    ("i8", Type::Int8),
    ("i16", Type::Int16),
    ("i32", Type::Int32),
    ("i64", Type::Int64),
    ("f32", Type::Float),
    ("f64", Type::Double),
    ("flag", Type::Bool),
    ("flag2", Type::Bool),
    ("name", Type::VarChar),
    ("city", Type::VarChar),
    ("doc", Type::Json),
    ("$meta", Type::Json),
];

#[derive(Debug, Clone)]
enum Const {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Const>),
}

#[derive(Debug, Clone)]
enum Expr {
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
struct Source {
    column: usize,
    path: Vec<String>,
    length: bool,
    steps: Vec<(&'static str, Const, bool)>,
}

type Meaning = fn(&str) -> bool;

/// Regular expressions and what they mean.
const REGEXES: [(&str, Meaning); 6] = [
    ("", |_| true),
    ("^a", |text| text.starts_with('a')),
    ("b$", |text| text.ends_with('b')),
    ("a.*b", |text| text.find('a').is_some_and(|at| text[at..].contains('b'))),
    ("^[ab]{2}$", |text| text.len() == 2 && text.chars().all(|c| "ab".contains(c))),
    (r"\\|%", |text| text.contains(['\\', '%'])),
];

impl Const {
    fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(text) => serde_json::to_string(text).unwrap(),
            Self::List(values) => list(values),
        }
    }
}

fn list(values: &[Const]) -> String {
    format!("[{}]", values.iter().map(Const::text).collect::<Vec<_>>().join(", "))
}

impl Source {
    fn text(&self) -> String {
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
    fn text(&self) -> String {
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

fn join(members: &[Expr], between: &str) -> String {
    members.iter().map(|member| format!("({})", member.text())).collect::<Vec<_>>().join(between)
}

/// A number in the arithmetic of its column.
#[derive(Debug, Clone, Copy)]
enum Number {
    Int(i64),
    Single(f32),
    Double(f64),
}

fn row_value(table: &Table, source: &Source, row: usize) -> Option<Result<Value, Json>> {
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

fn number(table: &Table, source: &Source, row: usize) -> Option<Option<Number>> {
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

fn step(value: Number, op: &str, constant: &Const, reversed: bool) -> Option<Number> {
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
fn by<T: PartialOrd>(a: T, op: &str, b: T) -> bool {
    match op {
        "==" => a == b,
        "!=" => a != b,
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        _ => a >= b,
    }
}

fn compare_number(a: Number, op: &str, b: &Const) -> Option<bool> {
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
fn compare(table: &Table, source: &Source, op: &str, constant: &Const, row: usize) -> Option<bool> {
    let other = op == "!=";
    match constant {
        Const::Int(_) | Const::Float(_) => {
            Some(number(table, source, row)?.and_then(|n| compare_number(n, op, constant)).unwrap_or(other))
        }
        constant => Some(match (row_value(table, source, row)?, constant) {
            (Ok(Value::Text(a)) | Err(Json::String(a)), Const::Text(b)) => by(a.as_bytes(), op, b.as_bytes()),
            (Ok(Value::Bool(a)) | Err(Json::Bool(a)), Const::Bool(b)) => by(a, op, *b),
            (Err(found), Const::List(_)) => (op == "==") == json_equal(&found, constant),
            _ => other,
        }),
    }
}

fn json_equal(found: &Json, constant: &Const) -> bool {
    match (found, constant) {
        (Json::Bool(a), Const::Bool(b)) => a == b,
        (Json::String(a), Const::Text(b)) => a == b,
        (Json::Number(a), Const::Int(_) | Const::Float(_)) => {
            let number = a.as_i64().map(Number::Int).unwrap_or(Number::Double(a.as_f64().unwrap()));
            compare_number(number, "==", constant).unwrap()
        }
        (Json::Array(a), Const::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| json_equal(a, b))
        }
        _ => false,
    }
}

fn like(pattern: &[char], value: &[char]) -> bool {
    match pattern {
        [] => value.is_empty(),
        ['%', rest @ ..] => (0..=value.len()).any(|i| like(rest, &value[i..])),
        ['_', rest @ ..] => !value.is_empty() && like(rest, &value[1..]),
        ['\\', c, rest @ ..] | [c, rest @ ..] => value.first() == Some(c) && like(rest, &value[1..]),
    }
}

fn text(table: &Table, column: usize, row: usize) -> Option<String> {
    match table.columns[column].as_ref()?.value(row) {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

fn interpret(table: &Table, expr: &Expr, row: usize) -> Option<bool> {
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
fn chain(table: &Table, members: &[Expr], decides: bool, row: usize) -> Option<bool> {
    let values: Vec<_> = members.iter().map(|member| interpret(table, member, row)).collect();
    if values.contains(&Some(decides)) {
        return Some(decides);
    }
    if values.contains(&None) { None } else { Some(!decides) }
}

#[derive(Debug)]
struct Table {
    rows: usize,
    columns: Vec<Option<Column>>,
    nullable: Vec<bool>,
}

impl Rows for Table {
    fn len(&self) -> usize {
        self.rows
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.columns[(field.0 - 100) as usize].as_ref()
    }
}

impl Table {
    fn schema(&self) -> Schema {
        let fields = TYPES.iter().enumerate().map(|(i, (name, data_type))| Field {
            id: FieldId(100 + i as i64),
            nullable: self.nullable[i],
            is_primary: i == 0,
            is_dynamic: *name == "$meta",
            params: [("enable_match".to_owned(), "true".to_owned())].into(),
            ..Field::new(name, *data_type)
        });
        Schema { fields: fields.collect(), ..Schema::default() }
    }
}

fn any_int() -> impl Strategy<Value = i64> {
    prop_oneof![
        10 => -4..5_i64,
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, i64::MAX - 1, 127, 128, -128, -129, 32_767, 1 << 31, 1 << 53]),
        1 => any::<i64>(),
    ]
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        10 => (-10..10_i32).prop_map(|v| f64::from(v) / 2.0),
        3 => prop::sample::select(vec![0.1, -0.0, 1e30, -1e30, 5e-324, 1e-40, 9.007_199_254_740_992e15, 9.3e18]),
        1 => -1e6..1e6_f64,
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    r"[ab%_é\\]{0,4}"
}

fn any_document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any_int().prop_map(Json::from),
        (-10..10_i32).prop_map(|v| Json::from(f64::from(v) / 2.0)),
        any_text().prop_map(Json::from),
    ];
    let inner = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|map| Json::Object(map.into_iter().collect()))
}

fn any_value(data_type: Type) -> BoxedStrategy<Value> {
    match data_type {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Float => any_float().prop_map(|v| Value::Double((v as f32).into())).boxed(),
        Type::Double => prop_oneof![20 => any_float(), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]
            .prop_map(Value::Double)
            .boxed(),
        Type::VarChar => any_text().prop_map(Value::Text).boxed(),
        Type::Json => any_document().prop_map(|v| Value::Json(v.to_string())).boxed(),
        _ => any_int().prop_map(Value::Int).boxed(),
    }
}

/// Rows of few distinct values, so that equalities hit; some tables cross the blocks of the evaluator.
fn any_table() -> impl Strategy<Value = Table> {
    let rows = prop_oneof![8 => 0..150_usize, 1 => 2040..2060_usize, 1 => 4090..4200_usize];
    let pools: Vec<_> = TYPES.iter().map(|(_, t)| prop::collection::vec(any_value(*t), 1..12)).collect();
    let shapes = prop::collection::vec(0..6_u8, TYPES.len());
    (rows, pools, shapes, any::<u64>()).prop_map(|(rows, pools, shapes, seed)| {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let (mut columns, mut nullable) = (Vec::new(), Vec::new());
        for (i, (pool, shape)) in pools.into_iter().zip(shapes).enumerate() {
            let mut builder = ColumnBuilder::new(TYPES[i].1, 0);
            for _ in 0..rows {
                if shape == 1 && next() % 3 == 0 || shape == 2 && next() % 40 != 0 {
                    builder.push_null();
                } else {
                    builder.push(&pool[next() % pool.len()]);
                }
            }
            columns.push((shape != 3).then(|| builder.finish()));
            nullable.push(shape <= 4 && shape > 0);
        }
        Table { rows, columns, nullable }
    })
}

const OPS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

fn any_path() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab]|0|1", 1..3)
}

fn plain(columns: Vec<usize>) -> impl Strategy<Value = Source> {
    prop::sample::select(columns).prop_map(|column| Source {
        column,
        path: vec![],
        length: false,
        steps: vec![],
    })
}

fn document() -> impl Strategy<Value = Source> {
    (11..13_usize, any_path()).prop_map(|(column, path)| Source {
        column,
        path,
        length: false,
        steps: vec![],
    })
}

fn any_number() -> impl Strategy<Value = Const> {
    prop_oneof![any_int().prop_map(Const::Int), any_float().prop_map(Const::Float)]
}

fn text_const() -> impl Strategy<Value = Const> {
    any_text().prop_map(Const::Text)
}

/// A number column or a path, perhaps with arithmetic.
fn number_source() -> impl Strategy<Value = Source> {
    let step = (0..5_usize, any_number(), any::<bool>()).prop_map(|(op, constant, reversed)| {
        let op = ["+", "-", "*", "/", "%"][op];
        let zero = matches!(constant, Const::Int(0)) || matches!(constant, Const::Float(v) if v == 0.0);
        let constant = if zero { Const::Int(3) } else { constant };
        let constant = if op == "%" && !matches!(constant, Const::Int(_)) { Const::Int(2) } else { constant };
        (op, constant, reversed && op != "/" && op != "%")
    });
    let steps = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(step, 1..3)];
    let length = document().prop_map(|source| Source { length: true, ..source });
    (prop_oneof![4 => plain((0..7).collect()), 4 => document(), 1 => length], steps).prop_map(
        |(mut source, mut steps)| {
            let whole = source.column < 5;
            let floats = steps.iter().any(|(_, constant, _)| matches!(constant, Const::Float(_)));
            steps.retain(|(op, ..)| {
                *op != "%" || whole && !floats || source.column > 10 && !(source.length && floats)
            });
            source.steps = steps;
            source
        },
    )
}

fn any_words() -> impl Strategy<Value = String> {
    "[abA]{0,2}( [abÉ]{1,2}){0,2}"
}

fn any_leaf() -> BoxedStrategy<Expr> {
    let op = || prop::sample::select(OPS.to_vec());
    let equality = || prop::sample::select(vec!["==", "!="]);
    let rising = || prop::sample::select(vec!["<", "<="]);
    let text_source = || prop_oneof![plain(vec![9, 10]), document()];
    let bool_source = || prop_oneof![plain(vec![7, 8]), document()];
    let truth = || any::<bool>().prop_map(Const::Bool);
    let scalar = || prop_oneof![any_number(), text_const(), truth()];
    let values = |strategy: BoxedStrategy<Const>| prop::collection::vec(strategy, 0..6);
    let length = document().prop_map(|source| Source { length: true, ..source });
    let in_list = prop_oneof![
        (length, values(any_int().prop_map(Const::Int).boxed())),
        (plain((0..5).collect()), values(any_int().prop_map(Const::Int).boxed())),
        (plain(vec![5, 6]), values(any_number().boxed())),
        (plain(vec![9, 10]), values(text_const().boxed())),
        (plain(vec![7]), values(truth().boxed())),
        (document(), values(scalar().boxed())),
    ];
    let nested = prop_oneof![scalar(), prop::collection::vec(scalar(), 0..2).prop_map(Const::List)];
    let contained = (document(), 0..3_usize, prop::collection::vec(nested, 1..3));
    let pair = prop_oneof![(0..7_usize, 0..7_usize), (9..11_usize, 9..11_usize)];
    prop_oneof![
        1 => any::<bool>().prop_map(Expr::Truth),
        12 => (number_source(), op(), any_number(), any::<bool>()).prop_map(|(s, o, c, m)| Expr::Compare(s, o, c, m)),
        5 => (text_source(), op(), text_const(), any::<bool>()).prop_map(|(s, o, c, m)| Expr::Compare(s, o, c, m)),
        3 => (bool_source(), equality(), truth(), any::<bool>()).prop_map(|(s, o, c, m)| Expr::Compare(s, o, c, m)),
        2 => (document(), equality(), values(scalar().boxed()))
            .prop_map(|(s, o, c)| Expr::Compare(s, o, Const::List(c), false)),
        4 => (pair, op()).prop_map(|((a, b), op)| Expr::Columns(a, op, b)),
        1 => equality().prop_map(|op| Expr::Columns(7, op, 8)),
        4 => (number_source(), any_number(), any_number(), rising(), rising()).prop_map(|(s, a, b, x, y)| {
            let swap = compare_number(to_number(&a), ">", &b) == Some(true);
            let (a, b) = if swap { (b, a) } else { (a, b) };
            Expr::Range(a, x, s, y, b)
        }),
        2 => (text_source(), any_text(), any_text(), rising(), rising()).prop_map(|(s, a, b, x, y)| {
            let (a, b) = if a > b { (b, a) } else { (a, b) };
            Expr::Range(Const::Text(a), x, s, y, Const::Text(b))
        }),
        8 => (in_list, any::<bool>()).prop_map(|((s, v), not)| Expr::In(s, v, not)),
        6 => (text_source(), r"([ab%_é]|\\%|\\_|\\\\){0,5}").prop_map(|(s, p)| Expr::Like(s, p)),
        3 => (text_source(), 0..REGEXES.len(), any::<bool>()).prop_map(|(s, r, n)| Expr::Regex(s, r, n)),
        2 => (9..11_usize, any_words(), 1..3_usize).prop_map(|(c, w, n)| Expr::Words(c, w, n)),
        2 => (9..11_usize, any_words()).prop_map(|(c, w)| Expr::Phrase(c, w)),
        1 => (9..11_usize, prop_oneof![any_text().prop_map(Ok), (9..11_usize).prop_map(Err)])
            .prop_map(|(c, s)| Expr::StartsWith(c, s)),
        1 => (9..11_usize).prop_map(Expr::Empty),
        4 => (prop_oneof![plain((0..11).collect()), document()], any::<bool>()).prop_map(|(s, n)| Expr::IsNull(s, n)),
        2 => document().prop_map(Expr::Exists),
        4 => contained.prop_map(|(s, name, values)| {
            Expr::Contains(s, ["json_contains", "json_contains_all", "json_contains_any"][name], values)
        }),
    ]
    .boxed()
}

fn to_number(constant: &Const) -> Number {
    match constant {
        Const::Int(value) => Number::Int(*value),
        Const::Float(value) => Number::Double(*value),
        other => unreachable!("{other:?}"),
    }
}

fn any_expr() -> impl Strategy<Value = Expr> {
    any_leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..5).prop_map(Expr::And),
            prop::collection::vec(inner, 2..5).prop_map(Expr::Or),
        ]
    })
}

/// How many tables are tried; `SOUP_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("SOUP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1500)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: cases(), ..Default::default() })]
    #[test]
    fn evaluator_agrees_with_interpreter(table in any_table(), exprs in prop::collection::vec(any_expr(), 1..4)) {
        let (schema, templates) = (table.schema(), BTreeMap::new());
        for expr in &exprs {
            let text = expr.text();
            let predicate = bind(&parse(&text).unwrap(), &schema, &templates)
                .map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            let found: Vec<usize> = predicate.eval(&table).iter().collect();
            let expected: Vec<usize> =
                (0..table.rows).filter(|row| interpret(&table, expr, *row) == Some(true)).collect();
            prop_assert_eq!(&found, &expected, "{} bound as {}", text, predicate);

            let rendered = predicate.to_string();
            let again = bind(&parse(&rendered).unwrap(), &schema, &templates)
                .map_err(|error| TestCaseError::fail(format!("{text} rendered as {rendered}: {error}")))?;
            prop_assert_eq!(again.to_string(), rendered);
            prop_assert_eq!(again.eval(&table).iter().collect::<Vec<_>>(), found);
        }
    }

    #[test]
    fn a_sample_is_a_part_of_the_rest(table in any_table(), expr in any_expr(), part in 0.1..0.9_f64, seed in any::<u64>()) {
        let (schema, text) = (table.schema(), expr.text());
        let bound = |text: &str| bind(&parse(text).unwrap(), &schema, &BTreeMap::new()).unwrap();
        let all = bound(&text).eval(&table);
        let sampled = bound(&format!("({text}) and random_sample({part})")).with_seed(seed);
        let kept = sampled.eval(&table);
        prop_assert!(sampled.is_sampled() && kept.iter().all(|row| all.get(row)));
        prop_assert_eq!(&sampled.eval(&table), &kept);
        let mean = all.count() as f64 * part;
        prop_assert!((kept.count() as f64 - mean).abs() < 6.0 * mean.sqrt() + 6.0);
    }
}
