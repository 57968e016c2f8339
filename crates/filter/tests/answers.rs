//! Leaves that an index answers, in full or in part, come out like leaves that the column answers.

use data::{Column, ColumnBuilder, Field, FieldId, NullBuffer, Schema, Type, Value};
use filter::{Answer, Probe, Rows, bind, parse};
use proptest::prelude::*;
use simd::Bits;
use std::collections::BTreeMap;
use std::sync::Mutex;

const ROWS: usize = 2300;

/// Answers by evaluating the column, and lies as an index may: about absent rows, and "maybe" of a part.
struct Table {
    columns: Vec<Column>,
    answers: bool,
    noise: u64,
}

impl Table {
    fn noise(&self, row: usize, salt: u64) -> bool {
        (row as u64 + 1).wrapping_mul(self.noise | 1).wrapping_add(salt).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 63
            == 1
    }
}

impl Rows for Table {
    fn len(&self) -> usize {
        ROWS
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.columns.get(usize::try_from(field.0).ok()?)
    }

    fn answer(&self, probe: &Probe<'_>) -> Option<Answer> {
        if !self.answers || !self.noise(probe.field().0 as usize, 7) {
            return None;
        }
        let column = self.column(probe.field())?;
        let known = column.validity().map(NullBuffer::inner);
        let is_known = |row: usize| known.is_none_or(|bits| bits.value(row));
        let true_of = probe.test(column);
        let known = known.map(|bits| Bits::from_fn(ROWS, |row| bits.value(row)));
        if self.noise.is_multiple_of(3) {
            let yes =
                Bits::from_fn(ROWS, |row| if is_known(row) { true_of.get(row) } else { self.noise(row, 1) });
            return Some(Answer { yes, maybe: None, known });
        }
        // Some are certain; of the rest all that pass, and more, may pass.
        let yes = Bits::from_fn(ROWS, |row| true_of.get(row) && self.noise(row, 2));
        let maybe = Bits::from_fn(ROWS, |row| true_of.get(row) || self.noise(row, 3));
        Some(Answer { yes, maybe: Some(maybe), known })
    }
}

fn columns(seed: u64) -> Vec<Column> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let types = [Type::Int32, Type::Double, Type::VarChar, Type::Bool];
    let of = |data_type: &Type| {
        let mut builder = ColumnBuilder::new(*data_type, 0);
        for _ in 0..ROWS {
            let (number, is_null) = ((next() % 20) as i64, next() % 5 == 0);
            builder.push(&match data_type {
                _ if is_null => Value::Null,
                Type::Double => Value::Double(number as f64 / 2.0),
                Type::VarChar => Value::Text(format!("t{number}")),
                Type::Bool => Value::Bool(number > 7),
                _ => Value::Int(number),
            });
        }
        builder.finish()
    };
    types.iter().map(of).collect()
}

const TEXTS: [&str; 12] = [
    "a == 3",
    "a != 3 and s like 't1%'",
    "not (a < 5 or d >= 2.5)",
    "a in [1, 2, 30] or s in ['t3', 't4']",
    "s not in ['t3'] and b == true",
    "a + 1 > 7 and d < 8.0",
    "a is null or s == 't9'",
    "not (s like '%7%') and a is not null",
    "2 < a <= 9 and not (b == false)",
    "a % 3 == 1 or (d > 3 and s > 't2')",
    "b != true and (a == 1 or a == 2 or d == 0.5)",
    "a > d",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..Default::default() })]
    #[test]
    fn an_answer_changes_nothing(seed in any::<u64>(), noise in any::<u64>(), text in 0..TEXTS.len()) {
        let fields = [("a", Type::Int32), ("d", Type::Double), ("s", Type::VarChar), ("b", Type::Bool)];
        let fields = fields.iter().zip(0..).map(|((name, data_type), id)| {
            Field { id: FieldId(id), nullable: true, ..Field::new(name, *data_type) }
        });
        let schema = Schema { fields: fields.collect(), ..Schema::default() };
        let predicate = bind(&parse(TEXTS[text]).unwrap(), &schema, &BTreeMap::new()).unwrap();
        let mut table = Table { columns: columns(seed), answers: false, noise };
        let want = predicate.eval(&table);
        table.answers = true;
        prop_assert_eq!(predicate.eval(&table), want, "{}", TEXTS[text]);
    }
}

/// An index that answers for `a` alone, and notes what the column would cost where another leaf is asked.
struct Noting {
    table: Table,
    costs: Mutex<Vec<usize>>,
}

impl Rows for Noting {
    fn len(&self) -> usize {
        ROWS
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.table.column(field)
    }

    fn answer(&self, probe: &Probe<'_>) -> Option<Answer> {
        if probe.field() == FieldId(0) {
            let column = self.column(probe.field())?;
            let known = column.validity().map(|bits| Bits::from_fn(ROWS, |row| bits.inner().value(row)));
            return Some(Answer { yes: probe.test(column), maybe: None, known });
        }
        self.costs.lock().ok()?.push(probe.column_cost());
        None
    }
}

#[test]
fn what_one_leaf_rules_out_the_next_is_not_asked() {
    let fields = [("a", Type::Int32), ("d", Type::Double), ("s", Type::VarChar), ("b", Type::Bool)];
    let fields = fields.iter().zip(0..).map(|((name, data_type), id)| Field {
        id: FieldId(id),
        nullable: true,
        ..Field::new(name, *data_type)
    });
    let schema = Schema { fields: fields.collect(), ..Schema::default() };
    let cost = |text: &str| {
        let predicate = bind(&parse(text).unwrap(), &schema, &BTreeMap::new()).unwrap();
        let table = Table { columns: columns(3), answers: false, noise: 0 };
        let want = predicate.eval(&table);
        let rows = Noting { table, costs: Mutex::default() };
        assert_eq!(predicate.eval(&rows), want, "{text}");
        let costs = rows.costs.into_inner().unwrap();
        costs[costs.len() - 1]
    };
    let alone = cost("s like '%7%'");
    assert!(cost("a == 3 and s like '%7%'") < alone);
    assert_eq!(cost("a != 3 and s like '%7%'"), alone, "few are ruled out");
    assert_eq!(cost("a == 3 or s like '%7%'"), alone);
    assert!(cost("(a == 3 or a + 1 == 77777) and s like '%7%'") < alone);
    assert_eq!(cost("a < 1000000 and s like '%7%'"), alone);
    assert_eq!(cost("a == 77777 and s like '%7%'"), 0, "no row is left");
}
