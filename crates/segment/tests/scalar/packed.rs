//! Indexes over columns that lie compressed: built block by block, with the answers of the columns.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use super::{Plain, blobs};
use data::{
    Batch, ColumnBuilder, Field, FieldId, IndexId, PartitionId, Schema, SegmentId, Timestamp, Type, Value,
};
use filter::{bind, parse};
use host::{Cancel, OutOfMemory, Progress, Rng};
use segment::{Error, Growing, ScalarIndex, ScalarSpec, Sealed, build_scalar, write};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Blobs;

const ROWS: usize = 20_000;

/// Parameters of an index, and a filter that it answers.
type Kind = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const KINDS: &[Kind] = &[
    ("text", &[("index_type", "INVERTED")], "text like 'line 7 %'"),
    ("text", &[("index_type", "Trie")], "text < 'line 3'"),
    ("text", &[("index_type", "BITMAP")], "text like 'line 12 %'"),
    ("text", &[("index_type", "NGRAM"), ("min_gram", "2"), ("max_gram", "3")], "text like '%e 31 %'"),
    (
        "doc",
        &[("index_type", "INVERTED"), ("json_cast_type", "DOUBLE"), ("json_path", "doc['n']")],
        "doc['n'] == 3",
    ),
    (
        "doc",
        &[("index_type", "STL_SORT"), ("json_cast_type", "VARCHAR"), ("json_path", "doc['s']")],
        "doc['s'] == 's4'",
    ),
    (
        "doc",
        &[("index_type", "INVERTED"), ("json_cast_type", "ARRAY_VARCHAR"), ("json_path", "doc['l']")],
        "json_contains(doc['l'], 's2')",
    ),
    (
        "doc",
        &[("index_type", "INVERTED"), ("json_cast_type", "JSON"), ("json_path", "doc")],
        "doc['s'] == 's5' or doc['n'] > 8",
    ),
    (
        "doc",
        &[
            ("index_type", "NGRAM"),
            ("json_cast_type", "VARCHAR"),
            ("json_path", "doc['s']"),
            ("min_gram", "1"),
            ("max_gram", "2"),
        ],
        "doc['s'] like '%9%'",
    ),
];

fn schema() -> Arc<Schema> {
    let nullable = |field: Field| Field { nullable: true, ..field };
    let mut fields = vec![
        Field::new("id", Type::Int64).primary(),
        nullable(Field::new("text", Type::VarChar).with_max_length(1_000)),
        nullable(Field::new("doc", Type::Json)),
    ];
    (100..).zip(&mut fields).for_each(|(id, field)| field.id = FieldId(id));
    Arc::new(Schema { fields, ..Schema::default() })
}

/// Texts of 40 kinds and documents that say much the same, both absent now and then.
fn seal(blobs: &Blobs) -> Sealed {
    let mut rng = Rng::new(17);
    let words = "and so on, as long texts do that are worth compressing, ".repeat(4);
    let mut row = |name: &str, row: usize| match name {
        "id" => Value::Int(row as i64),
        _ if rng.chance(0.1) => Value::Null,
        "text" => Value::Text(format!("line {} {words}", rng.below(40))),
        _ => {
            let (n, s, l) = (rng.below(12), rng.below(12), rng.below(12));
            Value::Json(format!(
                "{{\"n\": {n}, \"s\": \"s{s}\", \"l\": [\"s{l}\", \"s{s}\", {n}], \"rest\": \"{words}\"}}"
            ))
        }
    };
    let schema = schema();
    let column = |field: &Field| {
        let mut builder = ColumnBuilder::of(field.kind());
        (0..ROWS).for_each(|at| builder.push(&row(&field.name, at)));
        builder.finish()
    };
    let columns = schema.fields.iter().map(column).collect();
    let growing = Growing::new(SegmentId(1), PartitionId(1), Arc::clone(&schema));
    growing.append(Batch::new(ROWS, columns).unwrap(), Timestamp(3)).unwrap();
    write(&growing.freeze(), blobs, "rows", &Cancel::new()).unwrap();
    Sealed::open(blobs, "rows", SegmentId(1), PartitionId(1), schema).unwrap()
}

fn spec((field, params, _): &Kind) -> ScalarSpec {
    let (schema, own) = (schema(), |text: &&str| (*text).to_owned());
    let params: Vec<_> = params.iter().map(|(key, value)| (own(key), own(value))).collect();
    ScalarSpec::parse(schema.field(field).unwrap(), &schema, &params).unwrap()
}

#[test]
fn compressed_columns_are_indexed_block_by_block() {
    let blobs = blobs();
    let sealed = seal(&blobs);
    let column_bytes = |id| sealed.column(FieldId(id)).unwrap().bytes() as u64;
    let unpacked = column_bytes(101).min(column_bytes(102));
    assert!((sealed.bytes() as u64) < unpacked, "the columns are compressed");
    let plain = Plain(
        sealed.schema().fields.iter().map(|field| (field.id, sealed.column(field.id).unwrap())).collect(),
    );
    for (kind, number) in KINDS.iter().zip(1_i64..) {
        let (spec, name, mut held) = (spec(kind), format!("index-{number}"), 0_u64);
        let mut need = |bytes: u64| {
            held += bytes;
            Ok(())
        };
        build_scalar(&spec, &sealed, (&blobs, &name), &mut need, &Cancel::new(), &Progress::new()).unwrap();
        // Runs and many paths take more than the texts do.
        let is_lean = !matches!(kind.1[0].1, "NGRAM") && kind.1.get(1) != Some(&("json_cast_type", "JSON"));
        assert!(
            !is_lean || held < unpacked / 2,
            "{kind:?} asked for {held} bytes, the column has {unpacked}"
        );
        let index = Arc::new(ScalarIndex::open(&spec, &blobs, &name, ROWS).unwrap());
        let predicate = bind(&parse(kind.2).unwrap(), &schema(), &BTreeMap::new()).unwrap();
        let want: Vec<u32> = filter_rows(&predicate.eval(&plain));
        assert!(!want.is_empty() && want.len() < ROWS, "{kind:?}");
        sealed.attach_scalar(IndexId(number), index);
        let got = sealed.matches(Some(&predicate), Timestamp(9)).unwrap();
        assert_eq!(got.iter().collect::<Vec<u32>>(), want, "{kind:?}");
        sealed.detach_scalar(IndexId(number));
    }
}

fn filter_rows(bits: &simd::Bits) -> Vec<u32> {
    bits.iter().map(|row| row as u32).collect()
}

#[test]
fn a_build_that_gets_no_memory_says_so_and_leaves_nothing() {
    let blobs = blobs();
    let sealed = seal(&blobs);
    for kind in KINDS {
        let mut need = |bytes| Err(OutOfMemory { needed_bytes: bytes, available_bytes: 0, limit_bytes: 0 });
        let place = (&blobs, "index");
        let outcome = build_scalar(&spec(kind), &sealed, place, &mut need, &Cancel::new(), &Progress::new());
        assert!(matches!(outcome, Err(Error::Memory(_))), "{kind:?}: {outcome:?}");
        assert!(!blobs.exists("index").unwrap(), "{kind:?}");
    }
}
