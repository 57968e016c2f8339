//! Random tables and expressions.

use crate::interpreter::{compare_number, to_number};
use crate::language::{Const, Expr, REGEXES, Source};
use crate::table::{TYPES, Table};
use data::{ColumnBuilder, Type, Value};
use proptest::prelude::*;
use serde_json::Value as Json;

pub(crate) fn any_int() -> impl Strategy<Value = i64> {
    prop_oneof![
        10 => -4..5_i64,
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, i64::MAX - 1, 127, 128, -128, -129, 32_767, 1 << 31, 1 << 53]),
        1 => any::<i64>(),
    ]
}

pub(crate) fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        10 => (-10..10_i32).prop_map(|v| f64::from(v) / 2.0),
        3 => prop::sample::select(vec![0.1, -0.0, 1e30, -1e30, 5e-324, 1e-40, 9.007_199_254_740_992e15, 9.3e18]),
        1 => -1e6..1e6_f64,
    ]
}

pub(crate) fn any_text() -> impl Strategy<Value = String> {
    r"[ab%_é\\]{0,4}"
}

pub(crate) fn any_document() -> impl Strategy<Value = Json> {
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

pub(crate) fn any_value(data_type: Type) -> BoxedStrategy<Value> {
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
pub(crate) fn any_table() -> impl Strategy<Value = Table> {
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

pub(crate) const OPS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

pub(crate) fn any_path() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ab]|0|1", 1..3)
}

pub(crate) fn plain(columns: Vec<usize>) -> impl Strategy<Value = Source> {
    prop::sample::select(columns).prop_map(|column| Source {
        column,
        path: vec![],
        length: false,
        steps: vec![],
    })
}

pub(crate) fn document() -> impl Strategy<Value = Source> {
    (11..13_usize, any_path()).prop_map(|(column, path)| Source {
        column,
        path,
        length: false,
        steps: vec![],
    })
}

pub(crate) fn any_number() -> impl Strategy<Value = Const> {
    prop_oneof![any_int().prop_map(Const::Int), any_float().prop_map(Const::Float)]
}

pub(crate) fn text_const() -> impl Strategy<Value = Const> {
    any_text().prop_map(Const::Text)
}

/// A number column or a path, perhaps with arithmetic.
pub(crate) fn number_source() -> impl Strategy<Value = Source> {
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

pub(crate) fn any_words() -> impl Strategy<Value = String> {
    "[abA]{0,2}( [abÉ]{1,2}){0,2}"
}

pub(crate) fn any_leaf() -> BoxedStrategy<Expr> {
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

pub(crate) fn any_expr() -> impl Strategy<Value = Expr> {
    any_leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..5).prop_map(Expr::And),
            prop::collection::vec(inner, 2..5).prop_map(Expr::Or),
        ]
    })
}
