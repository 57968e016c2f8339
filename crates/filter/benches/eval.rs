//! What a predicate costs a row, each beside what it is to be measured by: the bandwidth of memory, an equality, a plain
//! loop, a JSON parser. Times are the best of several interleaved runs.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use data::{Column, Field, FieldId, Schema, Type, Values, VarLen};
use filter::{Predicate, Rows, ZoneBuilder, Zones, bind, parse};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

/// Other programs disturb: the best of many is what the code can do.
const ROUNDS: usize = 25;

struct Table(Vec<Column>);

impl Rows for Table {
    fn len(&self) -> usize {
        self.0[0].len()
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.0.get(usize::try_from(field.0 - 100).ok()?)
    }
}

fn predicate(text: &str, types: &[(&str, Type)]) -> Predicate {
    let fields = types.iter().enumerate();
    let fields = fields.map(|(i, (name, t))| Field { id: FieldId(100 + i as i64), ..Field::new(name, *t) });
    let schema = Schema { fields: fields.collect(), ..Schema::default() };
    bind(&parse(text).unwrap(), &schema, &BTreeMap::new()).unwrap()
}

type Work<'a> = (&'a str, Box<dyn FnMut() -> usize + 'a>);

/// Runs all of `works` in turn, and prints the best time of each.
fn race(title: &str, rows: usize, works: &mut [Work<'_>]) {
    println!("{title}, {rows} rows");
    let mut best = vec![(f64::INFINITY, 0); works.len()];
    for _ in 0..ROUNDS {
        for (best, (_, work)) in best.iter_mut().zip(works.iter_mut()) {
            let start = Instant::now();
            let found = black_box(work());
            *best = (best.0.min(start.elapsed().as_secs_f64()), found);
        }
    }
    for ((seconds, found), (name, _)) in best.iter().zip(works.iter()) {
        let (ms, ns) = (seconds * 1e3, seconds * 1e9 / rows as f64);
        println!("  {name:<44} {ms:9.3} ms  {ns:8.3} ns a row  {found} found");
    }
}

fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

fn numbers() {
    const ROWS: usize = 10_000_000;
    let mut next = random(1);
    let a: Vec<i64> = (0..ROWS).map(|_| (next() % 1_000_000) as i64).collect();
    let c: Vec<i32> = a.iter().map(|v| *v as i32).collect();
    let d: Vec<f64> = a.iter().map(|v| *v as f64).collect();
    let columns = vec![
        Column::from_ints(a.clone()),
        Column::new(Values::Int32(c.into()), None).unwrap(),
        Column::new(Values::Double(d.into()), None).unwrap(),
        // As wide as the sparse lists.
        Column::from_ints((0..ROWS).map(|_| (next() % 10_000_030_000) as i64).collect::<Vec<_>>()),
    ];
    let table = Table(columns);
    let types = [("a", Type::Int64), ("c", Type::Int32), ("d", Type::Double), ("e", Type::Int64)];
    let spread =
        |n: usize, step: i64| (0..n as i64).map(|i| (i * step).to_string()).collect::<Vec<_>>().join(",");
    let texts = [
        ("a == 5", "a == 5".to_owned()),
        ("a < 500000", "a < 500000".to_owned()),
        ("1000 < a < 500000", "1000 < a < 500000".to_owned()),
        ("c < 500000", "c < 500000".to_owned()),
        ("d < 500000", "d < 500000".to_owned()),
        ("a % 10 == 3", "a % 10 == 3".to_owned()),
        ("a < 500000 and c > 250000", "a < 500000 and c > 250000".to_owned()),
        ("a in [10,000 dense]", format!("a in [{}]", spread(10_000, 17))),
        ("a in [1,000 sparse]", format!("a in [{}]", spread(1_000, 1_000_003))),
        ("a in [4,000 sparse]", format!("a in [{}]", spread(4_000, 1_000_003))),
        ("a in [10,000 sparse]", format!("a in [{}]", spread(10_000, 1_000_003))),
        ("e in [10,000 sparse]", format!("e in [{}]", spread(10_000, 1_000_003))),
        ("a in [100,000 sparse]", format!("a in [{}]", spread(100_000, 1_000_003))),
    ];
    let predicates: Vec<_> = texts.iter().map(|(name, text)| (*name, predicate(text, &types))).collect();
    let mut works: Vec<Work<'_>> =
        vec![("sum of the int64 column (memory bandwidth)", Box::new(|| a.iter().sum::<i64>() as usize))];
    for (name, predicate) in &predicates {
        let table = &table;
        works.push((name, Box::new(move || predicate.eval(table).count())));
    }
    race("numbers", ROWS, &mut works);
}

/// `like` by its definition.
fn like(pattern: &[char], value: &[char]) -> bool {
    match pattern {
        [] => value.is_empty(),
        ['%', rest @ ..] => (0..=value.len()).any(|i| like(rest, &value[i..])),
        ['_', rest @ ..] => !value.is_empty() && like(rest, &value[1..]),
        [c, rest @ ..] => value.first() == Some(c) && like(rest, &value[1..]),
    }
}

fn texts() {
    const ROWS: usize = 1_000_000;
    let mut next = random(2);
    let names: Vec<String> =
        (0..ROWS).map(|_| format!("{:x} product {:x}", next() % 4096, next() % 65_536)).collect();
    let table = Table(vec![Column::from_texts(&names)]);
    let types = [("name", Type::VarChar)];
    let (prefix, infix) = (predicate("name like 'ab%'", &types), predicate("name like '%ct abc%'", &types));
    let equal = predicate("name == 'ab product 12'", &types);
    let pattern: Vec<char> = "ab%".chars().collect();
    let naive = |name: &String| like(&pattern, &name.chars().collect::<Vec<_>>());
    let mut works: Vec<Work<'_>> = vec![
        (
            "naive loop: the pattern by its definition",
            Box::new(|| names.iter().filter(|name| naive(name)).count()),
        ),
        ("naive loop: starts_with", Box::new(|| names.iter().filter(|name| name.starts_with("ab")).count())),
        ("like 'ab%'", Box::new(|| prefix.eval(&table).count())),
        ("naive loop: contains", Box::new(|| names.iter().filter(|name| name.contains("ct abc")).count())),
        ("like '%ct abc%'", Box::new(|| infix.eval(&table).count())),
        ("== 'ab product 12'", Box::new(|| equal.eval(&table).count())),
    ];
    race("texts", ROWS, &mut works);
}

fn json() {
    const ROWS: usize = 1_000_000;
    let mut next = random(3);
    let documents: Vec<String> = (0..ROWS)
        .map(|i| {
            let (price, color) = (next() % 1000, next() % 7);
            format!(
                r#"{{"id":{i},"title":"a thing of some length","tags":["x","y","z"],"price":{price}.5,"size":{{"w":{color},"h":2}},"color":"c{color}"}}"#
            )
        })
        .collect();
    let column = Column::new(Values::Json(VarLen::from_values(&documents)), None).unwrap();
    let table = Table(vec![column]);
    let types = [("doc", Type::Json)];
    let predicates = [
        "doc['price'] < 500",
        "doc['size']['w'] == 3",
        "doc['color'] in ['c1', 'c2']",
        "doc['price'] < 500 or doc['color'] == 'c1' or doc['size']['w'] == 3",
    ]
    .map(|text| (text, predicate(text, &types)));
    let parsed = || {
        let parse = |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap();
        documents.iter().filter(|text| parse(text)["price"].as_f64().unwrap() < 500.0).count()
    };
    let mut works: Vec<Work<'_>> = vec![("serde_json parse, then price", Box::new(parsed))];
    for (name, predicate) in &predicates {
        let table = &table;
        works.push((name, Box::new(move || predicate.eval(table).count())));
    }
    race("JSON paths", ROWS, &mut works);
}

/// The same rows with what is known of their zones, and without.
struct Zoned(Table, Vec<Zones>);

impl Rows for Zoned {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.0.column(field)
    }

    fn zones(&self, field: FieldId) -> Option<&Zones> {
        self.1.get(usize::try_from(field.0 - 100).ok()?)
    }
}

fn zones() {
    const ROWS: usize = 10_000_000;
    let mut next = random(5);
    let random: Vec<i64> = (0..ROWS).map(|_| (next() % 1_000_000) as i64).collect();
    // Like the time of arrival: rising, with some disorder.
    let rising: Vec<i64> = (0..ROWS as i64).map(|i| i + (next() % 10_000) as i64).collect();
    let texts: Vec<String> =
        (0..ROWS / 10).map(|i| format!("{:07} of some", i + (next() % 1000) as usize)).collect();
    let types = [("a", Type::Int64), ("t", Type::Int64)];
    let columns = vec![Column::from_ints(random), Column::from_ints(rising)];
    let text = vec![Column::from_texts(&texts)];
    let zoned = |columns: Vec<Column>| {
        let zones = columns.iter().map(|column| {
            let mut zones = ZoneBuilder::default();
            zones.add(column, 0..column.len());
            zones.finish()
        });
        let zones = zones.collect();
        Zoned(Table(columns), zones)
    };
    for (rows, types, expressions) in [
        (
            zoned(columns),
            &types[..],
            &["a < 500000", "t < 5000000", "t >= 9900000", "9000000 <= t < 9001000 and a < 500000"][..],
        ),
        (zoned(text), &[("s", Type::VarChar)][..], &["s < '0100000'", "s like '05%'"][..]),
    ] {
        let predicates: Vec<_> = expressions.iter().map(|text| (*text, predicate(text, types))).collect();
        let mut works: Vec<Work<'_>> = Vec::new();
        for (name, predicate) in &predicates {
            let rows = &rows;
            works.push((name, Box::new(move || predicate.eval(&rows.0).count())));
            works.push(("  with zones", Box::new(move || predicate.eval(rows).count())));
        }
        race("zones", rows.len(), &mut works);
    }
}

fn reading() {
    let numbers: Vec<String> = (0..100_000_i64).map(|i| (i * 1_000_003).to_string()).collect();
    let text = format!("a in [{}]", numbers.join(","));
    let mut works: Vec<Work<'_>> = vec![
        ("parse", Box::new(|| usize::from(parse(&text).is_ok()))),
        ("parse and bind", Box::new(|| predicate(&text, &[("a", Type::Int64)]).fields().len())),
    ];
    race("a list of 100,000, a row being a value", 100_000, &mut works);
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let works: [(&str, fn()); 5] =
        [("numbers", numbers), ("texts", texts), ("json", json), ("zones", zones), ("reading", reading)];
    for (name, work) in works {
        if asked.is_empty() || asked.iter().any(|word| word == name) {
            work();
        }
    }
}
