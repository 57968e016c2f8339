//! Whatever text comes: an answer or an error, in time and on a small stack.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use data::{Column, Field, FieldId, Schema, Struct, Type, Value};
use filter::{Error, Predicate, Problem, Rows, bind, parse};
use proptest::prelude::*;
use std::collections::BTreeMap;

struct Ints(Column);

impl Rows for Ints {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        (field == FieldId(100)).then_some(&self.0)
    }
}

fn schema() -> Schema {
    let mut fields = vec![
        Field::new("a", Type::Int64).primary(),
        Field { nullable: true, ..Field::new("name", Type::VarChar) },
        Field { nullable: true, ..Field::new("doc", Type::Json) },
        Field::new("arr", Type::Array).with_elements(Type::Int32, 10),
        Field::new("tsz", Type::Timestamptz),
        Field::new("geo", Type::Geometry),
        Field::new("s[x]", Type::Array).with_elements(Type::Int64, 10),
        Field::new("s[y]", Type::Array).with_elements(Type::VarChar, 10),
        Field::dynamic(),
    ];
    for (i, field) in fields.iter_mut().enumerate() {
        field.id = FieldId(100 + i as i64);
    }
    let parts = fields.iter().filter(|field| field.name.starts_with("s[")).map(|field| field.id).collect();
    let one = Struct { name: "s".to_owned(), max_capacity: 10, fields: parts, ..Struct::default() };
    Schema { fields, structs: vec![one], ..Schema::default() }
}

fn run(text: &str) -> Result<Predicate, Error> {
    let ast = parse(text)?;
    let shown = ast.to_string();
    let predicate = bind(&ast, &schema(), &[("x".to_owned(), Value::Int(1))].into())?;
    predicate.eval(&Ints(Column::from_ints((0..70).collect())));
    // What is shown has more parentheses, and may be too deep to read back.
    match parse(&shown) {
        Ok(again) => assert_eq!(again.to_string(), shown, "{text}"),
        Err(error) => assert!(matches!(error.problem, Problem::TooDeep { .. }), "{text}: {error}"),
    }
    Ok(predicate)
}

/// On half a megabyte of stack: a quarter of what the smallest thread of the product has.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 << 10).spawn(test).unwrap().join().unwrap();
}

const WORDS: [&str; 97] = [
    "a",
    "name",
    "doc",
    "b",
    "$meta",
    "$",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "{x}",
    "{y}",
    ",",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "=",
    "=~",
    "!~",
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "<<",
    ">>",
    "&",
    "^",
    "|",
    "~",
    "and",
    "or",
    "not",
    "!",
    "in",
    "like",
    "exists",
    "is null",
    "is not null",
    "true",
    "False",
    "1",
    "0",
    "-1",
    "9223372036854775808",
    "1.5",
    "1e999",
    "\"x%\"",
    "'\\_'",
    "r\"\\\"",
    "\"",
    "[1, 2]",
    "[\"k\"]",
    "json_contains(",
    "f(",
    "doc[\"a\"][0]",
    "text_match(name,",
    "phrase_match(name,",
    "text_match_fuzzy(name, 'q', max_edit_distance=",
    "minimum_should_match=",
    "starts_with(name, name)",
    "empty(name)",
    "random_sample(0.5)",
    "array_length(doc)",
    "array_length(",
    "'^a+(b|c)'",
    "'('",
    "array_contains_all(doc['a'], [1])",
    "0.5)",
    "arr",
    "arr[0]",
    "array_contains(arr,",
    "array_contains_any(arr, [1, 2])",
    "array_length(s)",
    "s[x]",
    "s[0][y]",
    "match_any(s,",
    "match_least(s, $[x] > 1, threshold=",
    "element_filter(s,",
    "$[x]",
    "$[y]",
    "tsz",
    "ISO '2025-01-01T00:00:00Z'",
    "INTERVAL 'P1M'",
    "INTERVAL 'P1DT2H'",
    "geo",
    "st_within(geo, 'POINT (1 2)')",
    "st_intersects(geo,",
    "'POLYGON ((0 0, 1 0, 1 1, 0 0))'",
    "st_dwithin(geo, 'POINT (0 0)',",
    "st_isvalid(geo)",
];

/// How many texts of each kind are tried; `SOUP_CASES` asks for more.
fn cases() -> u32 {
    std::env::var("SOUP_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(20_000)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: cases(), ..Default::default() })]
    #[test]
    fn any_text(text in r#"[ -~\n\té]{0,60}"#) {
        let _ = run(&text);
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..14)) {
        let _ = run(&words.join(" "));
    }

    #[test]
    fn sensible_words(
        parts in prop::collection::vec((0..8_usize, prop::sample::select(WORDS.to_vec())), 1..8)
    ) {
        let text: Vec<String> = parts.iter().map(|(form, word)| match form {
            0 => "a == 1 and".to_owned(),
            1 => "not (a in [1, 2]) or".to_owned(),
            2 => "name like '%x_' or".to_owned(),
            3 => "1 < a <= 3 or".to_owned(),
            4 => "doc['k'] + 1 > 2 and not".to_owned(),
            5 => format!("(a {word} 1) or"),
            _ => (*word).to_owned(),
        }).collect();
        let _ = run(&format!("{} a != 5", text.join(" ")));
        let _ = run(&text.join(" "));
    }
}

fn is_too_deep(text: &str) -> bool {
    matches!(parse(text), Err(Error { problem: Problem::TooDeep { .. }, .. }))
}

#[test]
fn depth_is_bounded_whatever_nests() {
    on_small_stack(|| {
        for (open, middle, close) in [
            ("(", "a", ")"),
            ("[", "1", "]"),
            ("not ", "a", ""),
            ("-", "1", ""),
            ("exists ", "doc", ""),
            ("f(", "1", ")"),
            ("a == (1 + ", "1", ")"),
            ("a in [", "1", "]"),
            ("a and (b or ", "c", ")"),
            ("{", "x", "}"),
        ] {
            let deep = |n: usize| format!("{}{middle}{}", open.repeat(n), close.repeat(n));
            let _ = parse(&deep(100)).map(|ast| bind(&ast, &schema(), &BTreeMap::new()));
            let text = deep(1_000_000);
            assert!(open == "{" || is_too_deep(&text), "{open}");
            let _ = parse(&open.repeat(1_000_000));
        }
        for (first, more) in
            [("a", " + 1"), ("a", " == 1"), ("a", " in [1]"), ("a", " like 'x'"), ("1", " ** 1")]
        {
            assert!(is_too_deep(&format!("{first}{}", more.repeat(100_000))), "{more}");
        }
    });
}

#[test]
fn the_deepest_allowed_is_answered_on_a_small_stack() {
    on_small_stack(|| {
        for n in (1..300).step_by(7) {
            let nots = format!("{}(a == 1)", "not ".repeat(n));
            let parens = format!("{}a == 1{}", "(".repeat(n), ")".repeat(n));
            let mixed =
                format!("{}a == 1{}", "(a == 2 and (name == 'x' or ".repeat(n / 2), "))".repeat(n / 2));
            let sums = format!("a{} == 1", " + 1".repeat(n));
            let truths = format!("a == 1{}", " == true".repeat(n));
            let minuses = format!("{}a == 1", "-".repeat(n));
            let lists = format!("doc == {}1{}", "[".repeat(n), "]".repeat(n));
            for text in [nots, parens, mixed, sums, truths, minuses, lists] {
                match run(&text) {
                    Ok(predicate) => assert!(!predicate.fields().is_empty()),
                    Err(error) => {
                        assert!(matches!(error.problem, Problem::TooDeep { .. }), "{text}: {error}")
                    }
                }
            }
        }
    });
}

#[test]
fn long_chains_are_fine() {
    on_small_stack(|| {
        let equalities: Vec<String> = (0..200_000).map(|i| format!("a == {i}")).collect();
        let predicate = run(&equalities.join(" or ")).unwrap();
        assert_eq!(predicate.keys().unwrap().len(), 200_000);
        let ranges: Vec<String> = (0..5_000).map(|i| format!("{} < a < {}", i * 2, i * 2 + 2)).collect();
        let predicate = run(&ranges.join(" || ")).unwrap();
        assert_eq!(predicate.eval(&Ints(Column::from_ints((0..70).collect()))).count(), 35);
        // Left-nested parentheses, as programs write them.
        let nested = (0..200).fold("a == 0".to_owned(), |text, i| format!("({text}) or a == {i}"));
        assert_eq!(run(&nested).unwrap().keys().unwrap().len(), 200);
        assert!(run(&format!("not {}", "(a == 1) and ".repeat(1000) + "a == 2")).is_ok());
    });
}

#[test]
fn long_lists_are_fine() {
    on_small_stack(|| {
        let numbers: Vec<String> = (0..1_200_000_i64).map(|i| (i * 7919 - 400_000).to_string()).collect();
        let text = format!("a in [{}]", numbers.join(","));
        assert!(text.len() > 10_000_000);
        let predicate = bind(&parse(&text).unwrap(), &schema(), &BTreeMap::new()).unwrap();
        assert_eq!(predicate.keys().unwrap().len(), 1_200_000);
        let texts: Vec<String> = (0..200_000).map(|i| format!("\"key {i}\"")).collect();
        assert!(run(&format!("name in [{}]", texts.join(","))).is_ok());
        assert!(run(&format!("doc['x'] not in [{}, 1.5]", texts.join(","))).is_ok());
    });
}

#[test]
fn long_words_are_fine() {
    on_small_stack(|| {
        for fill in ["x", " ", "\\\\", "0", "é", "\n"] {
            let text = format!("name == \"{}\"", fill.repeat(10_000_000 / fill.len()));
            assert!(run(&text).is_ok(), "{fill}");
        }
        for text in [
            "a".repeat(5_000_000),
            "1".repeat(5_000_000),
            " ".repeat(5_000_000),
            "\"".to_owned() + &"\\".repeat(5_000_001),
        ] {
            let _ = parse(&text);
            let _ = parse(&format!("a == {text}"));
        }
        let long = "a == 1 ".repeat(10_000_000);
        assert!(matches!(parse(&long), Err(Error { problem: Problem::TooLong { .. }, .. })));
    });
}

#[test]
fn lists_made_to_collide_are_searched_in_time() {
    // Every number has the same low bits after mixing, found by trying.
    let mix = |key: u64| {
        let key = (key ^ key >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let key = (key ^ key >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        key ^ key >> 33
    };
    let bad: Vec<i64> =
        (0..4_000_000_u64).filter(|i| mix(*i) & 0xfff == 0).map(|i| i as i64).take(900).collect();
    let text = format!("a in {bad:?}");
    let predicate = bind(&parse(&text).unwrap(), &schema(), &BTreeMap::new()).unwrap();
    let rows = Ints(Column::from_ints((0..4_000_000).collect()));
    assert_eq!(predicate.eval(&rows).iter().map(|row| row as i64).collect::<Vec<_>>(), bad);
}
