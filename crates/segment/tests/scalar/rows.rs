//! Rows of every scalar type, indexes that fit them, and expressions over them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use data::{
    Batch, Column, ColumnBuilder, Field, FieldId, PartitionId, Schema, SegmentId, Struct, Timestamp, Type,
    Value,
};
use host::{Cancel, Rng};
use segment::{Growing, Sealed, write};
use std::sync::Arc;
use store::Blobs;

/// A field, the parameters of an index on it, and expressions that it answers on its own.
pub(crate) type Kind = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

pub(crate) const KINDS: &[Kind] = &[
    ("id", &[("index_type", "STL_SORT")], &["id < 30"]),
    ("tiny", &[("index_type", "BITMAP")], &["tiny == 3", "tiny in [1, 2]", "tiny % 4 == 1"]),
    ("tiny", &[("index_type", "AUTOINDEX")], &["tiny != 3"]),
    ("big", &[("index_type", "INVERTED")], &["big == 40", "3 < big <= 40", "big in [1, 17, 80]"]),
    ("big", &[("index_type", "STL_SORT")], &["big > 150", "big > 2"]),
    ("single", &[("index_type", "INVERTED")], &["single >= 1.5", "single in [0.5, 1.0]"]),
    ("wide", &[("index_type", "STL_SORT")], &["wide < 0", "wide != 0.5"]),
    ("flag", &[("index_type", "BITMAP")], &["flag == true"]),
    ("flag", &[("index_type", "INVERTED")], &["flag != true"]),
    ("word", &[("index_type", "Trie")], &["word == 'ab'", "word like 'a%'", "'a' < word <= 'bb'"]),
    ("word", &[("index_type", "INVERTED")], &["word in ['a', 'ab', 'é']", "word like '%b'"]),
    ("word", &[("index_type", "BITMAP")], &["not (word like '_b%')"]),
    (
        "line",
        &[("index_type", "NGRAM"), ("min_gram", "2"), ("max_gram", "3")],
        &["line like '%aba%'", "line like '%ab%ba%'", "line like 'ab_a%'", "line =~ 'aba.*b'"],
    ),
    (
        "doc",
        &[("index_type", "INVERTED"), ("json_cast_type", "DOUBLE"), ("json_path", "doc['n']")],
        &["doc['n'] == 3", "doc['n'] > 5", "doc['n'] in [1, 2.5, 7]", "exists doc['n']"],
    ),
    (
        "doc",
        &[("index_type", "STL_SORT"), ("json_cast_type", "varchar"), ("json_path", "doc['s']")],
        &[
            "doc['s'] == 'ab'",
            "doc['s'] like 'a%'",
            "doc['s'] like '%b'",
            "doc['s'] =~ 'b.?b'",
            "doc['s'] in ['a', 'b']",
            "doc['s'] is null",
        ],
    ),
    (
        "doc",
        &[("index_type", "BITMAP"), ("json_cast_type", "bool"), ("json_path", "doc['o']['b']")],
        &["doc['o']['b'] == true"],
    ),
    (
        "doc",
        &[("index_type", "INVERTED"), ("json_cast_type", "array_double"), ("json_path", "doc['l']")],
        &[
            "json_contains(doc['l'], 3)",
            "json_contains_any(doc['l'], [1, 2])",
            "json_contains_all(doc['l'], [1, 2])",
        ],
    ),
    (
        "doc",
        &[("index_type", "INVERTED"), ("json_cast_type", "array_varchar"), ("json_path", "doc['l']")],
        &["json_contains(doc['l'], 'a')"],
    ),
    (
        "doc",
        &[("index_type", "INVERTED"), ("json_cast_type", "JSON"), ("json_path", "doc")],
        &["doc['n'] < 4", "doc['o']['b'] == false", "json_contains(doc['l'], 'ab')", "doc['s'] >= 'b'"],
    ),
    (
        "doc",
        &[
            ("index_type", "NGRAM"),
            ("json_cast_type", "varchar"),
            ("json_path", "doc['s']"),
            ("min_gram", "1"),
            ("max_gram", "2"),
        ],
        &["doc['s'] like '%ba%'"],
    ),
    ("ints", &[("index_type", "INVERTED")], &["array_contains(ints, 3)", "array_contains_any(ints, [1, 8])"]),
    ("ints", &[("index_type", "BITMAP")], &["not array_contains(ints, 3)"]),
    ("words", &[("index_type", "AUTOINDEX")], &["array_contains(words, 'ab')"]),
    (
        "place",
        &[("index_type", "RTREE")],
        &[
            "st_within(place, 'POLYGON((0 0, 30 0, 30 40, 0 0))')",
            "st_intersects(place, 'LINESTRING(0 0, 50 50)')",
            "st_dwithin(place, 'POINT(20 20)', 900000)",
        ],
    ),
    ("moment", &[("index_type", "STL_SORT")], &["moment < ISO '1970-01-01T00:00:20Z'"]),
    ("parts[size]", &[("index_type", "STL_SORT")], &["match_any(parts, $[size] == 7)"]),
    (
        "parts[name]",
        &[("index_type", "INVERTED")],
        &["match_least(parts, $[name] == 'b' and $[size] > 2, threshold=1)"],
    ),
    (
        "$meta",
        &[("index_type", "INVERTED"), ("json_cast_type", "DOUBLE"), ("json_path", "n")],
        &["n >= 6", "$meta['n'] == 5"],
    ),
];

pub(crate) fn schema() -> Schema {
    let nullable = |name, data_type| Field { nullable: true, ..Field::new(name, data_type) };
    let mut fields = vec![
        Field::new("id", Type::Int64).primary(),
        nullable("tiny", Type::Int8),
        Field::new("big", Type::Int64),
        nullable("single", Type::Float),
        Field::new("wide", Type::Double),
        nullable("flag", Type::Bool),
        nullable("word", Type::VarChar),
        Field::new("line", Type::VarChar),
        nullable("doc", Type::Json),
        nullable("ints", Type::Array).with_elements(Type::Int32, 9),
        Field::new("words", Type::Array).with_elements(Type::VarChar, 9),
        Field::new("parts[size]", Type::Array).with_elements(Type::Int64, 9),
        Field::new("parts[name]", Type::Array).with_elements(Type::VarChar, 9),
        nullable("place", Type::Geometry),
        nullable("moment", Type::Timestamptz),
        Field::dynamic(),
    ];
    for (field, id) in fields.iter_mut().zip(100..) {
        field.id = FieldId(id);
    }
    let subs = fields.iter().filter(|field| field.name.starts_with("parts")).map(|field| field.id).collect();
    let parts = Struct {
        id: FieldId(200),
        name: "parts".to_owned(),
        max_capacity: 9,
        fields: subs,
        ..Struct::default()
    };
    Schema { fields, structs: vec![parts], ..Schema::default() }
}

/// A point in WKB.
fn point(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![1, 1, 0, 0, 0];
    for _ in 0..2 {
        bytes.extend_from_slice(&(rng.below(85) as f64).to_le_bytes());
    }
    bytes
}

fn text(rng: &mut Rng, most: u64) -> String {
    (0..rng.below(most)).map(|_| ["a", "b", "é", "ab"][rng.below(4) as usize]).collect()
}

fn json(rng: &mut Rng) -> String {
    let number = |rng: &mut Rng| match rng.below(12) {
        0 => "9007199254740993".to_owned(),
        1 => "9007199254740992".to_owned(),
        2 => "2.5".to_owned(),
        3 => "1e300".to_owned(),
        _ => rng.below(10).to_string(),
    };
    let scalar = |rng: &mut Rng| match rng.below(8) {
        0 => "null".to_owned(),
        1 => ["true", "false"][rng.below(2) as usize].to_owned(),
        2 | 3 => format!("\"{}\"", text(rng, 4)),
        4 => "[]".to_owned(),
        _ => number(rng),
    };
    let mut members = Vec::new();
    if rng.below(5) > 0 {
        members.push(format!("\"n\": {}", scalar(rng)));
    }
    if rng.below(4) > 0 {
        members.push(format!("\"s\": \"{}\"", text(rng, 4)));
    }
    if rng.below(3) > 0 {
        let list: Vec<String> = (0..rng.below(5)).map(|_| scalar(rng)).collect();
        members.push(format!("\"l\": [{}]", list.join(", ")));
    }
    if rng.below(3) > 0 {
        members.push(format!("\"o\": {{\"b\": {}}}", scalar(rng)));
    }
    format!("{{{}}}", members.join(", "))
}

fn value(field: &Field, row: usize, rng: &mut Rng) -> Value {
    if field.nullable && rng.below(6) == 0 {
        return Value::Null;
    }
    match field.name.as_str() {
        "id" => Value::Int(row as i64 * 3),
        "tiny" => Value::Int(rng.below(9) as i64 - 2),
        "single" | "wide" => Value::Double(match rng.below(12) {
            0 => -0.0,
            1 => f64::NAN,
            2 => f64::INFINITY,
            n => n as f64 / 2.0 - 2.0,
        }),
        "flag" => Value::Bool(rng.below(3) == 0),
        "word" => Value::Text(text(rng, 4)),
        "line" => Value::Text(text(rng, 24)),
        "big" => Value::Int(rng.below(200) as i64),
        "moment" => Value::Int(rng.below(50) as i64 * 1_000_000),
        "ints" => Value::List((0..rng.below(4)).map(|_| Value::Int(rng.below(12) as i64)).collect()),
        "words" => Value::List((0..rng.below(4)).map(|_| Value::Text(text(rng, 3))).collect()),
        // All sub-fields of a row have as many elements.
        "parts[size]" => Value::List((0..row % 4).map(|_| Value::Int(rng.below(12) as i64)).collect()),
        "parts[name]" => Value::List((0..row % 4).map(|_| Value::Text(text(rng, 3))).collect()),
        _ => Value::Json(json(rng)),
    }
}

pub(crate) fn seal(seed: u64, rows: usize, blobs: &Blobs, name: &str) -> Arc<Sealed> {
    let schema = Arc::new(schema());
    let mut rng = Rng::new(seed);
    let column = |field: &Field| -> Column {
        let mut builder = ColumnBuilder::of(field.kind());
        for row in 0..rows {
            match field.name.as_str() {
                "place" if rng.below(6) > 0 => builder.push_bytes(&point(&mut rng)),
                "place" => builder.push_null(),
                _ => builder.push(&value(field, row, &mut rng)),
            }
        }
        builder.finish()
    };
    let columns = schema.fields.iter().map(column).collect();
    let growing = Growing::new(SegmentId(1), PartitionId(1), Arc::clone(&schema));
    growing.append(Batch::new(rows, columns).unwrap(), Timestamp(3)).unwrap();
    write(&growing.freeze(), blobs, name, &Cancel::new()).unwrap();
    Arc::new(Sealed::open(blobs, name, SegmentId(1), PartitionId(1), schema).unwrap())
}

/// A random expression; `depth` bounds how it nests.
pub(crate) fn expression(rng: &mut Rng, depth: u32) -> String {
    if depth > 0 && rng.below(2) == 0 {
        let (left, right) = (expression(rng, depth - 1), expression(rng, depth - 1));
        return match rng.below(3) {
            0 => format!("({left} and {right})"),
            1 => format!("({left} or {right})"),
            _ => format!("not ({left})"),
        };
    }
    let number = rng.below(12) as i64 - 2;
    let op = ["==", "!=", "<", "<=", ">", ">="][rng.below(6) as usize];
    let word = text(rng, 3);
    let pattern =
        ["%a%", "a%", "%b", "_b%", "%ab%", "%ba%b%", "ab", "%é_", "%", "a_%b"][rng.below(10) as usize];
    match rng.below(32) {
        0 if rng.below(2) == 0 => format!("id in [{}, {}, 30]", number * 3, number * 6),
        0 => format!("id {op} {}", number * 30),
        1 => format!("tiny {op} {number}"),
        2 => format!("tiny in [{number}, {}, 3]", number + 1),
        3 => format!("big {op} {}", number * 15),
        4 => format!("{number} < big < {}", number + 60),
        5 => format!("big not in [{number}, {}]", number * 9),
        6 => format!("single {op} {}", number as f64 / 2.0 - 1.0),
        7 => format!("single in [0.5, -0.0, {number}]"),
        8 => format!("wide {op} {}", number as f64 / 2.0 - 1.0),
        9 => format!("flag {} true", ["==", "!="][rng.below(2) as usize]),
        10 => format!("word {op} '{word}'"),
        11 => format!("word in ['{word}', 'a', 'bb']"),
        12 => format!("word like '{pattern}'"),
        13 if rng.below(3) == 0 => {
            format!("line =~ '{}'", ["ab", "a+ba", "^ab|b$", "(ba)+.a"][rng.below(4) as usize])
        }
        13 => format!("line like '{pattern}'"),
        14 => format!(
            "{} is {}null",
            ["tiny", "word", "single", "doc"][rng.below(4) as usize],
            ["", "not "][rng.below(2) as usize]
        ),
        15 => format!("doc['n'] {op} {number}"),
        16 => format!("doc['n'] in [{number}, 2.5, 'a', true, 9007199254740993]"),
        17 => format!("doc['s'] {op} '{word}'"),
        18 => format!("doc['s'] like '{pattern}'"),
        19 => format!("doc['o']['b'] == {}", ["true", "false", "3", "'a'"][rng.below(4) as usize]),
        20 => format!(
            "json_contains(doc['l'], {})",
            ["1", "'a'", "true", "2.5", "9007199254740993"][rng.below(5) as usize]
        ),
        21 => format!(
            "json_contains_{}(doc['l'], [{number}, {}])",
            ["all", "any"][rng.below(2) as usize],
            ["3", "'a'"][rng.below(2) as usize]
        ),
        22 => format!("n {op} {number} + 9007199254740990"),
        23 => format!("array_contains(ints, {number})"),
        24 => format!("array_contains_{}(ints, [{number}, 3, 5])", ["all", "any"][rng.below(2) as usize]),
        25 => format!("array_contains(words, '{word}')"),
        26 => format!("{}(parts, $[size] {op} {number})", ["match_any", "match_all"][rng.below(2) as usize]),
        27 => format!(
            "match_{}(parts, $[size] {op} {number} and $[name] == '{word}', threshold={})",
            ["least", "most", "exact"][rng.below(3) as usize],
            1 + rng.below(2)
        ),
        _ => format!(
            "{}{} {}",
            ["exists ", "not exists "][rng.below(2) as usize],
            ["doc['n']", "doc['o']['b']", "doc['l']", "$meta['n']"][rng.below(4) as usize],
            ""
        ),
    }
}
