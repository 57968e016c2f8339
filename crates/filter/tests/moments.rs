//! Moments against arithmetic on dates as texts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use data::{Column, Field, FieldId, NullBuffer, Schema, Type, Values, Zone};
use filter::{Rows, bind, bind_in, parse};
use proptest::prelude::*;
use std::collections::BTreeMap;

struct Moments(Column);

impl Rows for Moments {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn column(&self, _: FieldId) -> Option<&Column> {
        Some(&self.0)
    }
}

fn schema() -> Schema {
    let field = Field { id: FieldId(100), nullable: true, ..Field::new("tsz", Type::Timestamptz) };
    Schema { fields: vec![field], ..Schema::default() }
}

/// The same day so many months later, by going back from a day that may not exist.
fn later(text: &str, months: i64) -> String {
    let part = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    let all = part(0..4) * 12 + part(5..7) - 1 + months;
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
    let dates = (1..=part(8..10)).rev().map(|day| format!("{year:04}-{month:02}-{day:02}{}", &text[10..]));
    dates.into_iter().find(|date| Zone::default().parse(date).is_ok()).unwrap()
}

const MICROS_A_DAY: i64 = 86_400_000_000;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..Default::default() })]
    #[test]
    fn intervals_are_added_as_calendars_do(
        moments in prop::collection::vec((0..40_000_i64, 0..4_i64), 1..80), months in -30..30_i64, days in 0..40_i64,
        hours in 0..30_i64, at in 0..40_000_i64, op in 0..6_usize, nulls in any::<u64>(), one_month in any::<bool>(),
    ) {
        let months = if one_month { 1 } else { months };
        let utc = Zone::default();
        let values: Vec<i64> = moments.iter().map(|(day, quarter)| day * MICROS_A_DAY + quarter * MICROS_A_DAY / 4).collect();
        let valid: Vec<bool> = (0..values.len()).map(|i| nulls >> (i % 64) & 1 == 1).collect();
        let column = Column::new(Values::Timestamptz(values.clone().into()), Some(NullBuffer::from(valid.clone()))).unwrap();
        let (sign, op) = (if months < 0 { '-' } else { '+' }, ["==", "!=", "<", "<=", ">", ">="][op]);
        // A bound that some row meets.
        let bound = if at % 2 == 0 { at * MICROS_A_DAY } else { values[at as usize % values.len()] };
        let text = format!("tsz {sign} INTERVAL 'P{}M{days}DT{hours}H' {op} ISO '{}'", months.abs(), utc.format(bound));
        let predicate = bind(&parse(&text).unwrap(), &schema(), &BTreeMap::new()).unwrap();
        let rows = Moments(column);
        let found: Vec<usize> = predicate.eval(&rows).iter().collect();
        let expected: Vec<usize> = (0..values.len()).filter(|row| {
            let months_later = utc.parse(&later(&utc.format(values[*row]), months)).unwrap();
            let rest = (days * 24 + hours) * MICROS_A_DAY / 24;
            let moved = if months < 0 { months_later - rest } else { months_later + rest };
            valid[*row] && match op {
                "==" => moved == bound,
                "!=" => moved != bound,
                "<" => moved < bound,
                "<=" => moved <= bound,
                ">" => moved > bound,
                _ => moved >= bound,
            }
        }).collect();
        prop_assert_eq!(&found, &expected, "{}", text);
        let again = bind(&parse(&predicate.to_string()).unwrap(), &schema(), &BTreeMap::new()).unwrap();
        prop_assert_eq!(again.to_string(), predicate.to_string());
        prop_assert_eq!(again.eval(&rows).iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn moments_without_an_offset_are_in_the_zone_given() {
    let zone = Zone::named("Asia/Shanghai").unwrap();
    let ast = parse("tsz == ISO '2025-01-01T08:00:00'").unwrap();
    let predicate = bind_in(&ast, &schema(), &BTreeMap::new(), &zone).unwrap();
    assert_eq!(predicate.to_string(), "tsz == ISO '2025-01-01T00:00:00Z'");
}
