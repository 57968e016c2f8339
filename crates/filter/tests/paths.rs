//! Predicates that ask a JSON field for several paths, over several blocks of rows: whichever path is asked first, and how often each,
//! a row passes when each part says so by itself.

use data::{Column, Field, FieldId, Schema, Type, Values, VarLen};
use filter::{Rows, bind, parse};
use std::collections::BTreeMap;

const ROWS: usize = 5000;

struct Documents(Column);

impl Rows for Documents {
    fn len(&self) -> usize {
        ROWS
    }

    fn column(&self, _: FieldId) -> Option<&Column> {
        Some(&self.0)
    }
}

/// Parts of a predicate, and what each says of row `i`.
type Part = (&'static str, fn(usize) -> bool);

const PARTS: [Part; 7] = [
    ("doc['a'] < 3", |i| i % 7 < 3),
    ("doc['a'] == 5", |i| i % 7 == 5),
    ("doc['in']['b'] == 1", |i| i % 5 == 1),
    ("doc['in']['c'] == 'x2'", |i| i % 3 == 2),
    ("exists doc['late']", |i| i % 11 == 0),
    ("doc['list'][1] > 3", |i| i % 13 > 3),
    ("doc['in']['b'] in [0, 4]", |i| [0, 4].contains(&(i % 5))),
];

#[test]
fn parts_of_a_predicate_come_out_as_by_themselves() {
    let documents: Vec<String> = (0..ROWS)
        .map(|i| {
            let late = if i % 11 == 0 { r#","late":true"# } else { "" };
            let (a, b, c, one) = (i % 7, i % 5, i % 3, i % 13);
            format!(r#"{{"id":{i},"a":{a},"in":{{"c":"x{c}","b":{b}}},"list":[0,{one}]{late}}}"#)
        })
        .collect();
    let rows = Documents(Column::new(Values::Json(VarLen::from_values(&documents)), None).unwrap());
    let schema = Schema { fields: vec![Field::new("doc", Type::Json)], ..Schema::default() };
    let eval = |text: &str| bind(&parse(text).unwrap(), &schema, &BTreeMap::new()).unwrap().eval(&rows);
    let order =
        |from: usize, step: usize| (0..PARTS.len()).map(move |i| PARTS[(from + i * step) % PARTS.len()]);
    for (from, step) in (0..PARTS.len()).flat_map(|from| [(from, 1), (from, 3), (from, 5)]) {
        for count in 2..=PARTS.len() {
            let parts: Vec<Part> = order(from, step).take(count).collect();
            let texts: Vec<&str> = parts.iter().map(|(text, _)| *text).collect();
            let any = eval(&texts.join(" or "));
            let none = eval(&format!("not ({})", texts.join(") and not (")));
            // One part decides, the others together.
            let mixed = eval(&format!("{} and ({})", texts[0], texts[1..].join(" or ")));
            for row in 0..ROWS {
                let says = |(_, test): &Part| test(row);
                assert_eq!(any.get(row), parts.iter().any(says), "{texts:?}, row {row}");
                assert_eq!(none.get(row), !parts.iter().any(says), "none of {texts:?}, row {row}");
                let want = says(&parts[0]) && parts[1..].iter().any(says);
                assert_eq!(mixed.get(row), want, "first and any other of {texts:?}, row {row}");
            }
        }
    }
}
