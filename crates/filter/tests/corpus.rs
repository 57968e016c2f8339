//! Expressions and what becomes of them, as data: `fixtures/filter/*.case`. A case is a line `> expression` and below it
//! either `parse CODE: message` or `tree: ...` followed by `bound: ...` or `bind CODE: message`. `UPDATE_CASES=1` writes
//! what comes out into the files, for review.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use data::{Field, FieldId, Schema, Struct, Type, Value};
use filter::{ErrorKind, bind, parse};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The schema of the cases; those in `fixed*.case` are without dynamic field.
fn schema(dynamic: bool) -> Schema {
    let nullable = |field: Field| Field { nullable: true, ..field };
    let text = nullable(Field::new("text", Type::VarChar).with_max_length(100));
    let mut fields = vec![
        Field::new("id", Type::Int64).primary(),
        nullable(Field::new("a", Type::Int64)),
        Field::new("b", Type::Int8),
        Field::new("c", Type::Int32),
        nullable(Field::new("flag", Type::Bool)),
        Field::new("f", Type::Float),
        nullable(Field::new("d", Type::Double)),
        nullable(Field::new("name", Type::VarChar).with_max_length(100)),
        Field::new("city", Type::VarChar).with_max_length(100),
        nullable(Field::new("doc", Type::Json)),
        Field::new("vec", Type::FloatVector).with_dim(4),
        nullable(Field::new("tsz", Type::Timestamptz)),
        Field::new("tsz2", Type::Timestamptz),
        nullable(Field::new("geo", Type::Geometry)),
        Field { params: [("enable_match".to_owned(), "true".to_owned())].into(), ..text },
    ];
    for (name, element) in [
        ("ai", Type::Int64),
        ("a8", Type::Int8),
        ("at", Type::VarChar),
        ("ab", Type::Bool),
        ("af", Type::Float),
        ("s[x]", Type::Int64),
        ("s[y]", Type::VarChar),
        ("s[v]", Type::FloatVector),
    ] {
        let field = Field::new(name, Type::Array).with_elements(element, 10);
        fields.push(Field { nullable: name == "ai", ..field });
    }
    if dynamic {
        fields.push(Field::dynamic());
    }
    for (i, field) in fields.iter_mut().enumerate() {
        field.id = FieldId(100 + i as i64);
    }
    let of_struct = |field: &&Field| field.name.starts_with("s[");
    let parts = fields.iter().filter(of_struct).map(|field| field.id).collect();
    let one = Struct { name: "s".to_owned(), max_capacity: 10, fields: parts, ..Struct::default() };
    Schema { fields, structs: vec![one], ..Schema::default() }
}

fn templates() -> BTreeMap<String, Value> {
    let ints = Value::List(vec![Value::Int(3), Value::Int(1)]);
    let texts = Value::List(vec![Value::Text("x".into()), Value::Text("y".into())]);
    [
        ("int", Value::Int(7)),
        ("double", Value::Double(1.5)),
        ("text", Value::Text("a%".into())),
        ("yes", Value::Bool(true)),
        ("ints", ints),
        ("texts", texts),
        ("mixed", Value::Json(r#"[1, "a", true]"#.into())),
        ("nothing", Value::Null),
        ("none", Value::List(vec![])),
        ("nan", Value::Double(f64::NAN)),
        ("inf", Value::Double(f64::INFINITY)),
        ("floats", Value::List(vec![Value::Double(f64::NAN), Value::Double(1.5)])),
        ("moment", Value::Text("2025-01-01T00:00:00+08:00".into())),
        ("shape", Value::Text("POINT (1 2)".into())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn code(error: &filter::Error) -> u32 {
    match error.kind() {
        ErrorKind::Parameter => 1100,
        ErrorKind::Plan => 2201,
    }
}

fn outcome(expression: &str, schema: &Schema) -> String {
    let ast = match parse(expression) {
        Ok(ast) => ast,
        Err(error) => return format!("parse {}: {error}\n", code(&error)),
    };
    let mut out = format!("tree: {ast}\n");
    let again = parse(&ast.to_string()).unwrap();
    assert_eq!(again.to_string(), ast.to_string(), "the tree of {expression} reads back");
    match bind(&ast, schema, &templates()) {
        Ok(predicate) => {
            let text = predicate.to_string();
            let again = bind(&parse(&text).unwrap(), schema, &BTreeMap::new()).unwrap();
            assert_eq!(again.to_string(), text, "{expression} reads back");
            let _ = writeln!(out, "bound: {text}");
        }
        Err(error) => {
            let _ = writeln!(out, "bind {}: {error}", code(&error));
        }
    }
    out
}

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/filter");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "case"));
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let schema = schema(!name.starts_with("fixed"));
        let text = std::fs::read_to_string(&path).unwrap();
        let mut actual = String::new();
        for line in text.lines() {
            if let Some(expression) = line.strip_prefix('>') {
                let expression = expression.strip_prefix(' ').unwrap_or(expression);
                let _ = write!(actual, "{line}\n{}", outcome(&expression.replace("\\n", "\n"), &schema));
            } else if line.is_empty() || line.starts_with('#') {
                let _ = writeln!(actual, "{line}");
            }
        }
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(&path, &actual).unwrap();
            continue;
        }
        for (i, (actual, expected)) in actual.lines().zip(text.lines()).enumerate() {
            assert_eq!(actual, expected, "{name}.case, line {}", i + 1);
        }
        assert_eq!(actual.lines().count(), text.lines().count(), "{name}.case");
    }
}
