//! Arrays and arrays of structs against the evaluation of their elements as plain columns, which the oracle holds
//! against an interpreter. Arrays, nulls, empty arrays and conditions are random.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use data::{Column, ColumnBuilder, Field, FieldId, Schema, Struct, Type, Value};
use filter::{Rows, bind, parse};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Arrays by name and element; the last two are the sub-fields of a struct.
const ARRAYS: [(&str, Type); 7] = [
    ("ints", Type::Int64),
    ("bytes", Type::Int8),
    ("floats", Type::Float),
    ("texts", Type::VarChar),
    ("flags", Type::Bool),
    ("s[x]", Type::Int32),
    ("s[y]", Type::VarChar),
];

/// Conditions on a value of each type; `@` is the value.
const NUMBERS: [&str; 10] = [
    "@ == 1",
    "@ != 1",
    "@ > 0",
    "-1 < @ <= 2",
    "@ in [1, 2, -2]",
    "@ not in [0, 1]",
    "@ + 1 >= 2",
    "not (@ < 0 or @ == 2)",
    "@ < 1000",
    "@ * 2 == 2",
];
const TEXTS: [&str; 6] =
    ["@ == 'a'", "@ like 'a%'", "@ in ['a', 'bb', 'x']", "@ > 'a'", "@ =~ 'b$'", "not (@ == 'b')"];
const FLAGS: [&str; 3] = ["@ == true", "@ != true", "@ in [false]"];

#[derive(Debug)]
struct Table {
    rows: usize,
    columns: Vec<Column>,
    schema: Schema,
}

impl Rows for Table {
    fn len(&self) -> usize {
        self.rows
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.columns.get((field.0 - 100) as usize)
    }
}

fn schema(fields: impl Iterator<Item = Field>) -> Schema {
    let fields: Vec<Field> =
        fields.enumerate().map(|(i, field)| Field { id: FieldId(100 + i as i64), ..field }).collect();
    let of_struct = |field: &&Field| field.name.starts_with("s[");
    let parts = fields.iter().filter(of_struct).map(|field| field.id).collect();
    let one = Struct { name: "s".to_owned(), max_capacity: 10, fields: parts, ..Struct::default() };
    Schema { fields, structs: vec![one], ..Schema::default() }
}

impl Table {
    /// Arrays of up to four elements from a small pool of values; rows cross the blocks of the evaluator.
    fn new(rows: usize, seed: u64) -> Self {
        let mut state = seed | 1;
        let mut next = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let struct_lengths: Vec<Option<usize>> = (0..rows).map(|_| next(6).checked_sub(1)).collect();
        let mut columns = Vec::new();
        for (name, element) in ARRAYS {
            let field = Field::new(name, Type::Array).with_elements(element, 10);
            let mut builder = ColumnBuilder::of(field.kind());
            for length in &struct_lengths {
                let length = if name.starts_with("s[") { *length } else { next(6).checked_sub(1) };
                let Some(length) = length else {
                    builder.push_null();
                    continue;
                };
                let items = (0..length).map(|_| match element {
                    Type::Bool => Value::Bool(next(2) == 0),
                    Type::VarChar => Value::Text(["a", "b", "ab", "bb", ""][next(5)].to_owned()),
                    Type::Float => Value::Double(next(7) as f64 / 2.0 - 1.0),
                    _ => Value::Int(next(5) as i64 - 2),
                });
                builder.push(&Value::List(items.collect()));
            }
            columns.push(builder.finish());
        }
        let fields = ARRAYS.iter().map(|(name, element)| Field {
            nullable: true,
            ..Field::new(name, Type::Array).with_elements(*element, 10)
        });
        Self { rows, columns, schema: schema(fields) }
    }

    /// The same rows, of a batch whose offsets do not begin at zero.
    fn cut(&self, from: usize) -> Self {
        let columns = self.columns.iter().map(|column| column.slice(from, self.rows - from)).collect();
        Self { rows: self.rows - from, columns, schema: self.schema.clone() }
    }

    fn list(&self, column: usize, row: usize) -> Option<Vec<Value>> {
        match self.columns[column].value(row) {
            Value::List(values) => Some(values),
            _ => None,
        }
    }

    fn matches(&self, text: &str) -> Vec<usize> {
        let bound = |text: &str| {
            let bound = bind(&parse(text).unwrap(), &self.schema, &BTreeMap::new());
            assert!(bound.is_ok(), "{text}: {bound:?}");
            bound.unwrap()
        };
        let predicate = bound(text);
        let found: Vec<usize> = predicate.eval(self).iter().collect();
        let again = bound(&predicate.to_string());
        assert_eq!(again.to_string(), predicate.to_string());
        assert_eq!(again.eval(self).iter().collect::<Vec<_>>(), found, "{text} reads back");
        found
    }
}

/// Which of `rows` pass `condition`, in which the columns are called by `names`.
fn plain(names: &[(&str, Type)], rows: &[Vec<Value>], condition: &str) -> Vec<bool> {
    let columns = names.iter().enumerate().map(|(i, (_, data_type))| {
        let mut builder = ColumnBuilder::new(*data_type, 0);
        rows.iter().for_each(|row| match &row[i] {
            Value::Null => builder.push_null(),
            value => builder.push(value),
        });
        builder.finish()
    });
    let fields = names.iter().map(|(name, t)| Field { nullable: true, ..Field::new(name, *t) });
    let table = Table { rows: rows.len(), columns: columns.collect(), schema: schema(fields) };
    let found = table.matches(condition);
    (0..rows.len()).map(|row| found.contains(&row)).collect()
}

fn conditions(element: Type) -> &'static [&'static str] {
    match element {
        Type::VarChar => &TEXTS,
        Type::Bool => &FLAGS,
        _ => &NUMBERS,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 60, ..Default::default() })]
    #[test]
    fn one_element_is_a_value(
        seed in any::<u64>(), rows in prop_oneof![4 => 0..100_usize, 1 => 2040..2060_usize], column in 0..7_usize,
        place in 0..5_usize, which in 0..10_usize, cut in 0..3_usize,
    ) {
        let table = Table::new(rows, seed).cut(cut.min(rows));
        let (name, element) = ARRAYS[column];
        let condition = conditions(element)[which % conditions(element).len()];
        let written = if name == "s[x]" { format!("s[{place}][x]") } else { format!("{name}[{place}]") };
        let values: Vec<Vec<Value>> = (0..table.rows)
            .map(|row| vec![table.list(column, row).and_then(|list| list.get(place).cloned()).unwrap_or(Value::Null)])
            .collect();
        let expected = plain(&[("v", element)], &values, &condition.replace('@', "v"));
        let found = table.matches(&condition.replace('@', &written));
        let expected: Vec<usize> = (0..table.rows).filter(|row| expected[*row]).collect();
        prop_assert_eq!(found, expected, "{} of {}", condition, written);
    }

    #[test]
    fn contains_and_length(
        seed in any::<u64>(), rows in prop_oneof![4 => 0..100_usize, 1 => 2040..2060_usize], column in 0..7_usize,
        picks in prop::collection::vec(0..4_usize, 0..4), all in any::<bool>(), not in any::<bool>(), cut in 0..3_usize,
    ) {
        let table = Table::new(rows, seed).cut(cut.min(rows));
        let (name, element) = ARRAYS[column];
        let pool = match element {
            Type::VarChar => ["'a'", "'b'", "''", "'x'"],
            Type::Bool => ["true", "false", "true", "false"],
            Type::Float => ["1", "0.5", "-1.0", "9"],
            _ => ["1", "-2", "0", "9"],
        };
        let value = |text: &str| match element {
            Type::VarChar => Value::Text(text.trim_matches('\'').to_owned()),
            Type::Bool => Value::Bool(text == "true"),
            Type::Float => Value::Double(text.parse().unwrap()),
            _ => Value::Int(text.parse().unwrap()),
        };
        let asked: Vec<&str> = picks.iter().map(|pick| pool[*pick]).collect();
        let holds = |list: &Vec<Value>| {
            let has = |text: &&str| list.contains(&value(text));
            (if all { asked.iter().all(has) } else { asked.iter().any(has) }) != not
        };
        let expected: Vec<usize> =
            (0..table.rows).filter(|row| table.list(column, *row).as_ref().is_some_and(holds)).collect();
        let (function, before) = (if all { "array_contains_all" } else { "JSON_CONTAINS_ANY" }, if not { "not " } else { "" });
        let text = format!("{before}{function}({name}, [{}])", asked.join(", "));
        prop_assert_eq!(table.matches(&text), expected, "{}", text);

        let lengths = |holds: &dyn Fn(usize) -> bool| -> Vec<usize> {
            (0..table.rows).filter(|row| table.list(column, *row).is_some_and(|list| holds(list.len()))).collect()
        };
        prop_assert_eq!(table.matches(&format!("{before}array_length({name}) == 2")), lengths(&|n| (n == 2) != not));
        prop_assert_eq!(table.matches(&format!("array_length({name}) * 2 > 3")), lengths(&|n| n > 1));
        if element != Type::Float {
            let list: Vec<Value> = asked.iter().map(|text| value(text)).collect();
            let op = if not { "!=" } else { "==" };
            let equal: Vec<usize> = (0..table.rows)
                .filter(|row| table.list(column, *row).is_some_and(|found| (found == list) != not))
                .collect();
            prop_assert_eq!(table.matches(&format!("{name} {op} [{}]", asked.join(", "))), equal);
        }
        let is_null: Vec<usize> = (0..table.rows).filter(|row| table.list(column, *row).is_none() != not).collect();
        let operator = if not { "is not null" } else { "is null" };
        prop_assert_eq!(table.matches(&format!("{name} {operator}")), is_null);
    }

    #[test]
    fn structs_are_counted(
        seed in any::<u64>(), rows in prop_oneof![4 => 0..100_usize, 1 => 2040..2060_usize], x in 0..10_usize, y in 0..6_usize,
        form in 0..4_usize, quantifier in 0..6_usize, threshold in 1..4_usize, not in any::<bool>(), cut in 0..3_usize,
    ) {
        let table = Table::new(rows, seed).cut(cut.min(rows));
        let condition = match form {
            0 => NUMBERS[x].replace('@', "$[x]"),
            1 => TEXTS[y].replace('@', "$[y]"),
            2 => format!("({}) and ({})", NUMBERS[x].replace('@', "$[x]"), TEXTS[y].replace('@', "$[y]")),
            _ => format!("{} or not ({})", TEXTS[y].replace('@', "$[y]"), NUMBERS[x].replace('@', "$[x]")),
        };
        let (name, option) = [
            ("match_any", String::new()),
            ("match_all", String::new()),
            ("match_least", format!(", threshold={threshold}")),
            ("MATCH_MOST", format!(", THRESHOLD={threshold}")),
            ("match_exact", format!(", threshold={threshold}")),
            ("element_filter", String::new()),
        ][quantifier].clone();
        let not = not && quantifier != 5;
        let text = format!("{}{name}(s, {condition}{option})", if not { "not " } else { "" });
        let expected: Vec<usize> = (0..table.rows)
            .filter(|row| {
                let (Some(x), Some(y)) = (table.list(5, *row), table.list(6, *row)) else { return false };
                let all = x.len();
                let elements: Vec<Vec<Value>> = x.into_iter().zip(y).map(|(x, y)| vec![x, y]).collect();
                let names = [("x", Type::Int32), ("y", Type::VarChar)];
                let named = condition.replace("$[x]", "x").replace("$[y]", "y");
                let passed = plain(&names, &elements, &named).iter().filter(|passed| **passed).count();
                not != match quantifier {
                    0 | 5 => passed > 0,
                    1 => passed == all,
                    2 => passed >= threshold,
                    3 => passed <= threshold,
                    _ => passed == threshold,
                }
            })
            .collect();
        prop_assert_eq!(table.matches(&text), expected, "{}", text);
    }
}
