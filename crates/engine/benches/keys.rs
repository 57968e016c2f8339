//! A query by a thousand primary keys out of a million, through the engine. `cargo bench -p engine --bench keys`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use data::{Column, Consistency, Field, Keys, Schema, Type};
use engine::api::{Change, CreateCollection, Flush, Load, NamedColumn, Query, Rows, Target, Write};
use engine::{Engine, Settings};
use host::{ManualClock, Rng};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use store::MemoryDisk;

const ROWS: i64 = 1_000_000;
const ROUNDS: usize = 50;

fn key(text: bool, id: i64) -> String {
    if text { format!("'key-{id:07}'") } else { id.to_string() }
}

fn keys(text: bool, ids: &[i64]) -> Column {
    if text {
        Column::from_texts(ids.iter().map(|id| format!("key-{id:07}")))
    } else {
        Column::from_ints(ids.to_vec())
    }
}

fn fill(engine: &Engine, text: bool, rng: &mut Rng) -> Target {
    let target = Target::new("", if text { "texts" } else { "numbers" });
    let key = if text {
        Field::new("id", Type::VarChar).with_max_length(20)
    } else {
        Field::new("id", Type::Int64)
    };
    let fields = vec![
        key.primary(),
        Field::new("v", Type::FloatVector).with_dim(8),
        Field::new("tag", Type::VarChar).with_max_length(20),
    ];
    let create = CreateCollection {
        target: target.clone(),
        schema: Schema { fields, ..Schema::default() },
        shards: 0,
        consistency: Consistency::Strong,
        properties: vec![],
        partitions: 0,
    };
    engine.change(Change::CreateCollection(create)).unwrap();
    engine.run(Load { target: target.clone(), partitions: vec![] }).unwrap();
    let mut ids: Vec<i64> = (0..ROWS).collect();
    rng.shuffle(&mut ids);
    for ids in ids.chunks(50_000) {
        let named = |name: &str, column| NamedColumn { name: name.to_owned(), is_dynamic: false, column };
        let columns = vec![
            named("id", keys(text, ids)),
            named("v", Column::from_vectors(8, ids.iter().flat_map(|id| [*id as f32; 8]).collect()).unwrap()),
            named("tag", Column::from_texts(ids.iter().map(|id| format!("tag {id}")))),
        ];
        let rows = Rows { target: target.clone(), partition: String::new(), rows: ids.len(), columns };
        engine.write(Write::Insert(rows)).unwrap();
    }
    engine.run(Flush { targets: vec![target.clone()] }).unwrap();
    target
}

fn race(engine: &Engine, target: &Target, text: bool, rng: &mut Rng) {
    for (title, by_filter, output) in [
        ("by a filter, the key alone", true, "id"),
        ("by a filter, key and text", true, "tag"),
        ("by a filter, key and vector", true, "v"),
        ("by a list of keys, key and text", false, "tag"),
    ] {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let ids: Vec<i64> = (0..1000).map(|_| rng.below(ROWS as u64) as i64).collect();
            let list = ids.iter().map(|id| key(text, *id)).collect::<Vec<_>>().join(", ");
            let query = Query {
                target: target.clone(),
                keys: if by_filter { None } else { Keys::new(keys(text, &ids)) },
                filter: if by_filter { format!("id in [{list}]") } else { String::new() },
                output: vec![output.to_owned()],
                ..Query::default()
            };
            let start = Instant::now();
            let found = black_box(engine.query(query).unwrap());
            times.push(start.elapsed().as_secs_f64() * 1e3);
            assert!(found.keys.unwrap().len() > 990);
        }
        times.sort_unstable_by(f64::total_cmp);
        println!("  {title:<34} best {:6.3} ms  median {:6.3} ms", times[0], times[ROUNDS / 2]);
    }
}

fn main() {
    let clock = Arc::new(ManualClock::at(1_000_000));
    let engine = Engine::open_still(Settings::default(), Arc::new(MemoryDisk::new()), clock).unwrap();
    let mut rng = Rng::new(3);
    for text in [false, true] {
        let target = fill(&engine, text, &mut rng);
        println!("1,000 of {ROWS} keys, {}", if text { "VARCHAR" } else { "INT64, in no order" });
        race(&engine, &target, text, &mut rng);
    }
}
