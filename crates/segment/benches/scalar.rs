//! What a leaf of a filter costs over a million rows, by the column and by an index on it. Times are the best of several
//! interleaved runs. `cargo bench -p segment --bench scalar`
//!
//! `-- switch`: where the choice between the two changes, what was chosen beside the better of both.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use data::{
    Batch, Column, ColumnBuilder, Field, FieldId, IndexId, PartitionId, Schema, SegmentId, Timestamp, Type,
    Value,
};
use filter::{Answer, Predicate, Probe, Rows, bind, parse};
use host::{Cancel, Progress, Rng};
use segment::{Growing, ScalarIndex, ScalarSpec, Sealed, build_scalar, write};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use store::{Blobs, MemoryDisk, Store};

const ROWS: usize = 1_000_000;
const ROUNDS: usize = 7;
const SWITCH_ROUNDS: usize = 9;
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

/// How a leaf is answered.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Column,
    Index,
    /// As the index says.
    Chosen,
}

/// Columns with an index on one of them.
struct Indexed<'a> {
    columns: &'a BTreeMap<FieldId, Column>,
    /// Where there is one, it answers whatever it costs.
    other: Option<&'a ScalarIndex>,
    index: &'a ScalarIndex,
    way: Way,
    answers: AtomicUsize,
}

impl Rows for Indexed<'_> {
    fn len(&self) -> usize {
        ROWS
    }

    fn column(&self, field: FieldId) -> Option<&Column> {
        self.columns.get(&field)
    }

    fn answer(&self, probe: &Probe<'_>) -> Option<Answer> {
        if let Some(answer) = self.other.and_then(|other| other.insist(probe)) {
            return Some(answer);
        }
        let answer = match self.way {
            Way::Column => None,
            Way::Index => self.index.insist(probe),
            Way::Chosen => self.index.answer(probe),
        }?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        Some(answer)
    }
}

/// Asks `text` both ways and as chosen, and prints the best of each.
fn compare(
    columns: &BTreeMap<FieldId, Column>,
    (other, index): (Option<&ScalarIndex>, &ScalarIndex),
    title: &str,
    text: &str,
) {
    let predicate = predicate(text);
    let ways = [Way::Column, Way::Index, Way::Chosen];
    let (mut best, mut found, mut answers) = ([f64::INFINITY; 3], [0; 3], [0; 3]);
    for _ in 0..SWITCH_ROUNDS {
        for (i, way) in ways.into_iter().enumerate() {
            let rows = Indexed { columns, other, index, way, answers: AtomicUsize::new(0) };
            let start = Instant::now();
            found[i] = black_box(predicate.eval(&rows)).count();
            best[i] = best[i].min(start.elapsed().as_secs_f64() * 1e3);
            answers[i] = rows.answers.into_inner();
        }
    }
    assert!(found.iter().all(|count| *count == found[0]), "{text}");
    let [column, index, _] = best;
    let chosen = if answers[2] == 0 { column } else { index };
    println!(
        "  {title:<34} {:>7} rows  column {column:8.3}  index {index:8.3} ms  {:<6}  {:5.2}",
        found[0],
        if answers[2] == 0 { "column" } else { "index" },
        chosen / column.min(index),
    );
}

/// Where the choice between index and column changes.
fn switch(sealed: &Sealed, blobs: &Blobs) {
    let columns: BTreeMap<FieldId, Column> =
        schema().fields.iter().map(|field| (field.id, sealed.column(field.id).unwrap())).collect();
    let mut rng = Rng::new(101);
    let numbers: Vec<i64> = (0..ROWS).map(|_| rng.below(1 << 40) as i64).collect();
    let joined = |items: Vec<String>| items.join(", ");
    let share = |percent: f64| (percent / 100.0 * (1_u64 << 40) as f64) as i64;
    let few = build(sealed, blobs, "few", &[("index_type", "BITMAP")]);
    let id = build(sealed, blobs, "id", &[("index_type", "STL_SORT")]);
    let among = |other: &ScalarIndex, index: &ScalarIndex, title: &str, text: &str| {
        compare(&columns, (Some(other), index), title, text);
    };
    let compare =
        |index: &ScalarIndex, title: &str, text: &str| compare(&columns, (None, index), title, text);

    let index = build(sealed, blobs, "many", &[("index_type", "STL_SORT")]);
    for percent in [2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 80.0, 85.0, 90.0, 95.0, 98.0] {
        compare(&index, &format!("int64 range of {percent} %"), &format!("many < {}", share(percent)));
    }
    for count in [100, 300, 1000, 2000, 3000, 5000, 10_000, 20_000, 50_000] {
        let list = joined(numbers[..count].iter().map(i64::to_string).collect());
        compare(&index, &format!("int64 in, {count} values"), &format!("many in [{list}]"));
    }
    compare(&index, "int64 arithmetic", "many % 10 == 3");

    let index = &few;
    for most in [1, 3, 5, 10, 15, 20, 30, 50, 70, 80, 90, 95, 99] {
        compare(index, &format!("int32 range of {most} %"), &format!("few < {most}"));
    }
    for count in [2, 10, 30, 50, 90] {
        let list = joined((0..count).map(|i| i.to_string()).collect());
        compare(index, &format!("int32 in, {count} values"), &format!("few in [{list}]"));
        let list = joined((0..count).map(|i| (i * 7 % 100).to_string()).collect());
        compare(index, &format!("int32 in, {count} values apart"), &format!("few in [{list}]"));
    }
    compare(index, "int32 arithmetic", "few % 10 == 3");

    let index = build(sealed, blobs, "word", &[("index_type", "INVERTED")]);
    for percent in [1, 5, 10, 30, 50, 80, 95] {
        compare(
            &index,
            &format!("text range of {percent} %"),
            &format!("word < 'word-{:06}'", percent * 2000),
        );
    }
    for count in [100, 300, 1000, 3000, 10_000, 30_000, 100_000] {
        let list = joined((0..count).map(|i| format!("'word-{:06}'", i * 17 % 200_000)).collect());
        compare(&index, &format!("text in, {count} values"), &format!("word in [{list}]"));
    }
    for prefix in ["word-0001", "word-01", "word-1", "word-"] {
        compare(&index, &format!("text like {prefix}%"), &format!("word like '{prefix}%'"));
        compare(&index, &format!("text like {prefix}%7%"), &format!("word like '{prefix}%7%'"));
    }
    among(&few, &index, "text range of 50 %, of 1 %", "few == 7 and word < 'word-100000'");
    among(&id, &index, "text range of 50 %, of one row", "id == 7 and word < 'word-100000'");
    compare(&index, "text like infix", "word like '%-0001%'");
    compare(&index, "text like infix of many", "word like '%1%'");
    compare(&index, "text regex", "word =~ '7.*7$'");

    let index =
        build(sealed, blobs, "line", &[("index_type", "NGRAM"), ("min_gram", "1"), ("max_gram", "3")]);
    for part in ["abc d", "abc", "ab", "a", " ", "1% 2% 3"] {
        compare(&index, &format!("NGRAM, %{part}%"), &format!("line like '%{part}%'"));
    }

    let json = |path, cast| [("index_type", "INVERTED"), ("json_path", path), ("json_cast_type", cast)];
    let index = build(sealed, blobs, "doc", &json("doc['size']", "double"));
    for most in [1, 100, 500, 990] {
        compare(&index, &format!("JSON range of {} %", most / 10), &format!("doc['size'] < {most}"));
    }
    for most in [1, 10, 50, 90] {
        let text = format!("few < {most} and doc['size'] < 990");
        among(&few, &index, &format!("JSON range, of {most} %"), &text);
    }
    for most in [1, 100, 1000, 10_000] {
        let text = format!("id < {most} and doc['size'] < 990");
        among(&id, &index, &format!("JSON range, of {most} rows together"), &text);
    }
    let index = build(sealed, blobs, "doc", &json("doc['name']", "varchar"));
    compare(&index, "JSON text, prefix", "doc['name'] like 'n7%'");
    compare(&index, "JSON text, infix", "doc['name'] like '%77%'");

    let index = build(sealed, blobs, "tags", &[("index_type", "INVERTED")]);
    compare(&index, "array_contains", "array_contains(tags, 7)");
    for count in [3, 10, 30, 100, 300, 450] {
        let list = joined((0..count).map(|i| i.to_string()).collect());
        compare(
            &index,
            &format!("array_contains_any, {count}"),
            &format!("array_contains_any(tags, [{list}])"),
        );
    }
}

fn main() {
    let store = Store::open(Arc::new(MemoryDisk::new())).unwrap();
    let blobs = store.blobs();
    let sealed = seal(blobs);
    if std::env::args().any(|word| word == "switch") {
        return switch(&sealed, blobs);
    }
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
