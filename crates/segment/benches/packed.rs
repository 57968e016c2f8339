//! What packing costs and gains: bytes in the file, one row read, a filter over all rows, against the same values as they are.
//! `ELANUS_LINES=FILE` takes the lines of a file as documents (JSON) or texts; else documents are made up.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use data::{Batch, Column, Field, FieldId, PartitionId, Schema, SegmentId, Timestamp, Type, Values, VarLen};
use host::{Budget, Cancel};
use segment::{BlockCache, Growing, Sealed, Segment, write};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use store::{MemoryDisk, Store};

const ROUNDS: usize = 15;
const READS: usize = 2000;

fn lines() -> Vec<String> {
    if let Some(path) = std::env::var_os("ELANUS_LINES") {
        return std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    }
    let document = |i: u64| {
        let (price, color) = (i * 7919 % 1000, i * 31 % 7);
        format!(
            r#"{{"id":{i},"title":"a thing of some length","tags":["x","y","z"],"price":{price}.5,"size":{{"w":{color},"h":2}},"color":"c{color}"}}"#
        )
    };
    (0..1_000_000).map(document).collect()
}

fn best(mut work: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min)
}

fn main() {
    let lines = lines();
    let is_json = lines.first().is_some_and(|line| line.starts_with('{'));
    let data_type = if is_json { Type::Json } else { Type::VarChar };
    let id = Field { id: FieldId(100), ..Field::new("id", Type::Int64).primary() };
    let doc = Field { id: FieldId(101), ..Field::new("doc", data_type) };
    let schema = Arc::new(Schema { fields: vec![id, doc], ..Schema::default() });
    let values = VarLen::from_values(&lines);
    let values = if is_json { Values::Json(values) } else { Values::Text(values) };
    let column = Column::new(values, None).unwrap();
    let (rows, raw) = (lines.len(), lines.iter().map(String::len).sum::<usize>());
    println!("{rows} rows of {} bytes", raw / rows);
    let growing = Growing::new(SegmentId(1), PartitionId(2), Arc::clone(&schema));
    let keys = Column::from_ints((0..rows as i64).collect());
    growing.append(Batch::new(rows, vec![keys, column]).unwrap(), Timestamp(5)).unwrap();
    let disk = Store::open(Arc::new(MemoryDisk::new())).unwrap();
    let start = Instant::now();
    let written = write(&growing.freeze(), disk.blobs(), "file", &Cancel::new()).unwrap();
    println!("file {} bytes, the values alone {raw}; written in {:?}", written.file_bytes, start.elapsed());
    let open =
        || Sealed::open(disk.blobs(), "file", SegmentId(1), PartitionId(2), Arc::clone(&schema)).unwrap();
    let cached = open();
    cached.keep_blocks_in(&Arc::new(BlockCache::new(Budget::new(1 << 33), 1 << 33)));
    let segments = [
        ("as they are", Segment::Growing(Arc::new(growing))),
        ("packed", Segment::Sealed(Arc::new(open()))),
        ("packed, kept", Segment::Sealed(Arc::new(cached))),
    ];
    let texts: &[&str] = match is_json {
        true if lines[0].contains("\"year\"") => {
            &["doc['year'] == 2019", "doc['year'] < 2010 and doc['n_authors'] > 3"]
        }
        true => &["doc['price'] < 500", "doc['size']['w'] == 3 or doc['price'] < 10"],
        false => &["doc like 'The%'", "doc like '%learning%'", "doc == 'x'"],
    };
    for text in texts {
        let predicate = filter::bind(&filter::parse(text).unwrap(), &schema, &[].into()).unwrap();
        for (name, segment) in &segments {
            let mut found = 0;
            let seconds = best(|| found = segment.matches(Some(&predicate), Timestamp(9)).unwrap().count());
            println!("{text:<44} {name:<14} {:8.2} ms, {found} found", seconds * 1e3);
        }
    }
    for (name, segment) in &segments {
        let mut row = 7_u32;
        let seconds = best(|| {
            for _ in 0..READS {
                row = row.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % rows as u32;
                black_box(segment.read(FieldId(101), &[row]).unwrap());
            }
        });
        println!(
            "one row read                                 {name:<14} {:8.2} us",
            seconds * 1e6 / READS as f64
        );
    }
}
