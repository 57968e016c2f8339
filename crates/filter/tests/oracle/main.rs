//! The evaluator against an interpreter that goes row by row over values, in three-valued logic, straight from the
//! language's definition. Expressions, data, nulls and absent columns are random; whatever is bound must also read back
//! from its own text and answer the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drawn;
mod interpreter;
mod language;
mod table;

use drawn::{any_expr, any_table};
use filter::{bind, parse};
use interpreter::interpret;
use proptest::prelude::*;
use std::collections::BTreeMap;

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

/// Found by fuzzing: 2^63 as a float is not 2^63 - 1, though that as a float is 2^63.
#[test]
fn a_float_out_of_a_document_is_compared_with_a_whole_number_as_it_is() {
    let mut builder = data::ColumnBuilder::new(data::Type::Json, 0);
    for text in [r#"{"b":0.0}"#, r#"{"b":0}"#] {
        builder.push(&data::Value::Json(text.to_owned()));
    }
    let mut columns: Vec<_> = table::TYPES.iter().map(|_| None).collect();
    *columns.last_mut().unwrap() = Some(builder.finish());
    let table = table::Table { rows: 2, columns, nullable: vec![true; table::TYPES.len()] };
    for (op, expected) in [("==", vec![1]), (">", vec![0]), ("<=", vec![1]), ("!=", vec![0])] {
        let text = format!("$meta['b'] + 9223372036854775807 {op} 9223372036854775807");
        let predicate = bind(&parse(&text).unwrap(), &table.schema(), &BTreeMap::new()).unwrap();
        assert_eq!(predicate.eval(&table).iter().collect::<Vec<_>>(), expected, "{text}");
    }
}
