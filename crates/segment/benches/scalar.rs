//! What a leaf of a filter costs over a million rows, by the column and by an index on it. Times are the best of several
//! interleaved runs. `cargo bench -p segment --bench scalar`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use data::{
    Batch, Column, ColumnBuilder, Field, FieldId, IndexId, PartitionId, Schema, SegmentId, Timestamp, Type,
    Value,
};
use filter::{Predicate, bind, parse};
use host::{Cancel, Progress, Rng};
use segment::{Growing, ScalarIndex, ScalarSpec, Sealed, build_scalar, write};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use store::{Blobs, MemoryDisk, Store};

const ROWS: usize = 1_000_000;
const ROUNDS: usize = 7;
const NOW: Timestamp = Timestamp(9);

fn schema() -> Schema {
    let mut fields = vec![
        Field::new("id", Type::Int64).primary(),
        Field::new("many", Type::Int64),
        Field::new("few", Type::Int32),
        Field::new("word", Type::VarChar),
        Field::new("line", Type::VarChar),
        Field::new("doc", Type::Json),
        Field::new("tags", Type::Array).with_elements(Type::Int32, 8),
    ];
    for (field, id) in fields.iter_mut().zip(100..) {
        field.id = FieldId(id);
    }
    Schema { fields, ..Schema::default() }
}

fn value(field: &str, row: usize, rng: &mut Rng) -> Value {
    match field {
        "id" => Value::Int(row as i64),
        "many" => Value::Int(rng.below(1 << 40) as i64),
        "few" => Value::Int(rng.below(100) as i64),
        "word" => Value::Text(format!("word-{:06}", rng.below(200_000))),
        "line" => Value::Text((0..6).map(|_| format!("{:x} ", rng.below(1 << 16))).collect()),
        "doc" => Value::Json(format!(
            r#"{{"name": "n{}", "size": {}, "more": {{"a": [1, 2, 3], "b": "text"}}}}"#,
            rng.below(100_000),
            rng.below(1000)
        )),
        _ => Value::List((0..rng.below(6)).map(|_| Value::Int(rng.below(500) as i64)).collect()),
    }
}

fn seal(blobs: &Blobs) -> Sealed {
    let schema = Arc::new(schema());
    let column = |field: &Field| -> Column {
        let mut rng = Rng::new(field.id.0 as u64);
        let mut builder = ColumnBuilder::of(field.kind());
        (0..ROWS).for_each(|row| builder.push(&value(&field.name, row, &mut rng)));
        builder.finish()
    };
    let columns = schema.fields.iter().map(column).collect();
    let growing = Growing::new(SegmentId(1), PartitionId(1), Arc::clone(&schema));
    growing.append(Batch::new(ROWS, columns).unwrap(), Timestamp(3)).unwrap();
    write(&growing.freeze(), blobs, "rows", &Cancel::new()).unwrap();
    Sealed::open(blobs, "rows", SegmentId(1), PartitionId(1), schema).unwrap()
}

fn predicate(text: &str) -> Predicate {
    bind(&parse(text).unwrap(), &schema(), &BTreeMap::new()).unwrap()
}

fn build(sealed: &Sealed, blobs: &Blobs, field: &str, params: &[(&str, &str)]) -> Arc<ScalarIndex> {
    let schema = schema();
    let params: Vec<_> = params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let spec = ScalarSpec::parse(schema.field(field).unwrap(), &schema, &params).unwrap();
    let name = format!("{field}-{}", params.iter().map(|(_, value)| value.len()).sum::<usize>());
    let start = Instant::now();
    let place = (blobs, name.as_str());
    let bytes =
        build_scalar(&spec, sealed, place, &mut |_| Ok(()), &Cancel::new(), &Progress::new()).unwrap();
    let built = start.elapsed();
    let index = ScalarIndex::open(&spec, blobs, &name, ROWS).unwrap();
    println!(
        "{} on {field}: built in {:.2} s, {:.1} MB, opened in {:.1} ms",
        params[0].1,
        built.as_secs_f64(),
        bytes as f64 / 1e6,
        (start.elapsed() - built).as_secs_f64() * 1e3
    );
    Arc::new(index)
}

/// Asks with and without `index` in turn, and prints the best of each.
fn race(sealed: &Sealed, index: &Arc<ScalarIndex>, title: &str, text: &str) {
    let predicate = predicate(text);
    let mut best = [f64::INFINITY; 2];
    let mut found = [0; 2];
    for _ in 0..ROUNDS {
        for indexed in [0, 1] {
            if indexed == 1 {
                sealed.attach_scalar(IndexId(1), Arc::clone(index));
            }
            let start = Instant::now();
            found[indexed] = black_box(sealed.matches(Some(&predicate), NOW).unwrap()).count();
            best[indexed] = best[indexed].min(start.elapsed().as_secs_f64() * 1e3);
            sealed.detach_scalar(IndexId(1));
        }
    }
    assert_eq!(found[0], found[1], "{text}");
    let [column, index] = best;
    println!(
        "  {title:<34} {:>7} rows  column {column:9.3} ms  index {index:9.3} ms  {:7.1}x",
        found[0],
        column / index
    );
}

fn main() {
    let store = Store::open(Arc::new(MemoryDisk::new())).unwrap();
    let blobs = store.blobs();
    let sealed = seal(blobs);
    let mut rng = Rng::new(101);
    // The same draws as the column's.
    let numbers: Vec<i64> = (0..ROWS).map(|_| rng.below(1 << 40) as i64).collect();
    let list = |count: usize| numbers[..count].iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let share = |percent: f64| (percent / 100.0 * (1_u64 << 40) as f64) as i64;

    let index = build(&sealed, blobs, "many", &[("index_type", "STL_SORT")]);
    race(&sealed, &index, "equality", &format!("many == {}", numbers[7]));
    for percent in [0.01, 1.0, 10.0, 50.0, 90.0] {
        race(&sealed, &index, &format!("range of {percent} %"), &format!("many < {}", share(percent)));
    }
    race(&sealed, &index, "in, 10,000 values", &format!("many in [{}]", list(10_000)));
    race(&sealed, &index, "not in, 10,000 values", &format!("many not in [{}]", list(10_000)));

    let index = build(&sealed, blobs, "few", &[("index_type", "BITMAP")]);
    race(&sealed, &index, "equality, 100 distinct values", "few == 7");
    race(&sealed, &index, "range, 100 distinct values", "few >= 20");
    race(&sealed, &index, "arithmetic", "few % 10 == 3");

    let index = build(&sealed, blobs, "word", &[("index_type", "INVERTED")]);
    race(&sealed, &index, "text, equality", "word == 'word-000123'");
    race(&sealed, &index, "text, like prefix", "word like 'word-0001%'");
    race(&sealed, &index, "text, like infix", "word like '%-0001%'");

    let index =
        build(&sealed, blobs, "line", &[("index_type", "NGRAM"), ("min_gram", "2"), ("max_gram", "3")]);
    race(&sealed, &index, "NGRAM, like infix, 5 characters", "line like '%abc d%'");
    race(&sealed, &index, "NGRAM, like infix, 3 characters", "line like '%abc%'");
    race(&sealed, &index, "NGRAM, two infixes", "line like '%abc%def%'");

    let json = |path, cast| [("index_type", "INVERTED"), ("json_path", path), ("json_cast_type", cast)];
    let index = build(&sealed, blobs, "doc", &json("doc['size']", "double"));
    race(&sealed, &index, "JSON path, equality", "doc['size'] == 7");
    race(&sealed, &index, "JSON path, range of 10 %", "doc['size'] < 100");
    let index = build(&sealed, blobs, "doc", &json("doc['name']", "varchar"));
    race(&sealed, &index, "JSON path, text", "doc['name'] == 'n77'");

    let index = build(&sealed, blobs, "tags", &[("index_type", "INVERTED")]);
    race(&sealed, &index, "array_contains", "array_contains(tags, 7)");
    race(&sealed, &index, "array_contains_any", "array_contains_any(tags, [7, 77, 177])");
    race(&sealed, &index, "array_contains_all", "array_contains_all(tags, [7, 77])");
}
