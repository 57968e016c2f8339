//! The life of a collection through the public API: made, filled, indexed, searched, changed, restarted, dropped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod rows;

use data::{Column, Consistency, Field, Schema, Timestamp, Type, Value};
use engine::api::{
    Change, Collection, CreateCollection, CreateIndex, Flush, Found, IndexState, Indexes, Load, NamedColumn,
    Queries, Query, ReadTime, Release, RowCount, Rows, Search, Target, Write,
};
use engine::{Engine, ErrorKind, Settings};
use host::ManualClock;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::MemoryDisk;

const DIM: usize = 16;

struct World {
    disk: Arc<MemoryDisk>,
    clock: Arc<ManualClock>,
    engine: Arc<Engine>,
    settings: Settings,
}

fn target() -> Target {
    Target::new("", "c")
}

impl World {
    fn new(settings: Settings) -> Self {
        let disk = Arc::new(MemoryDisk::new());
        let clock = Arc::new(ManualClock::at(1_000_000));
        let engine = Engine::open_still(settings.clone(), disk.clone(), clock.clone()).unwrap();
        Self { disk, clock, engine, settings }
    }

    fn restart(self) -> Self {
        let Self { disk, clock, engine, settings } = self;
        drop(engine);
        clock.advance_ms(10);
        let engine = Engine::open_still(settings.clone(), disk.clone(), clock.clone()).unwrap();
        Self { disk, clock, engine, settings }
    }

    fn create(&self) {
        let schema = Schema {
            fields: vec![
                Field::new("id", Type::Int64).primary(),
                Field::new("v", Type::FloatVector).with_dim(DIM),
                Field::new("tag", Type::VarChar).with_max_length(32),
                Field::dynamic(),
            ],
            ..Schema::default()
        };
        let create = CreateCollection {
            target: target(),
            schema,
            shards: 0,
            consistency: Consistency::Strong,
            properties: vec![],
            partitions: 0,
        };
        self.engine.change(Change::CreateCollection(create)).unwrap();
    }

    fn insert(&self, ids: std::ops::Range<i64>) -> Timestamp {
        let columns = vec![
            named("id", Column::from_ints(ids.clone().collect())),
            named("v", Column::from_vectors(DIM, ids.clone().flat_map(vector).collect()).unwrap()),
            named("tag", Column::from_texts(ids.clone().map(|id| format!("t{}", id % 10)))),
        ];
        let rows = Rows { target: target(), partition: String::new(), rows: ids.count(), columns };
        self.engine.write(Write::Insert(rows)).unwrap().timestamp
    }

    fn delete(&self, filter: &str) -> u64 {
        let (partition, filter, templates) = (String::new(), filter.to_owned(), BTreeMap::new());
        self.engine.write(Write::Delete { target: target(), partition, filter, templates }).unwrap().deleted
    }

    fn load(&self) {
        self.engine.run(Load { target: target(), partitions: vec![] }).unwrap();
    }

    fn search(&self, id: i64, filter: &str, travel: Timestamp) -> Result<Found, engine::Error> {
        self.engine.search(Search {
            metric: "L2".to_owned(),
            filter: filter.to_owned(),
            output: vec!["tag".to_owned()],
            time: ReadTime { travel, ..ReadTime::default() },
            ..Search::new(target(), Queries::Vectors(Column::from_vectors(DIM, vector(id)).unwrap()), 10)
        })
    }

    fn ids(&self, id: i64) -> Vec<i64> {
        self.search(id, "", Timestamp::ZERO).unwrap().keys.ints().unwrap().to_vec()
    }

    fn count(&self) -> u64 {
        self.engine.describe(RowCount { target: target(), partition: None }).unwrap()
    }

    fn query(&self, filter: &str) -> Vec<i64> {
        let found = self.engine.query(Query {
            target: target(),
            filter: filter.to_owned(),
            output: vec!["*".to_owned()],
            limit: Some(16_384),
            ..Query::default()
        });
        found.unwrap().keys.unwrap().ints().unwrap().to_vec()
    }

    fn create_index(&self, kind: &str) {
        let params = [
            ("index_type", kind),
            ("metric_type", "L2"),
            ("nlist", "16"),
            ("M", "8"),
            ("efConstruction", "64"),
        ];
        let used = params.iter().filter(|(key, _)| match kind {
            "HNSW" => *key != "nlist",
            "IVF_FLAT" => *key != "M" && *key != "efConstruction",
            _ => !["nlist", "M", "efConstruction"].contains(key),
        });
        let params = used.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let create =
            CreateIndex { target: target(), field: "v".into(), name: String::new(), params, echo: vec![] };
        self.engine.change(Change::CreateIndex(create)).unwrap();
    }

    fn index(&self) -> Result<engine::api::IndexInfo, engine::Error> {
        let all = Indexes { target: target(), field: String::new(), index: String::new() };
        self.engine.describe(all).map(|mut indexes| indexes.remove(0))
    }

    fn flush(&self) {
        self.engine.run(Flush { targets: vec![target()] }).unwrap();
    }
}

fn named(name: &str, column: Column) -> NamedColumn {
    NamedColumn { name: name.to_owned(), is_dynamic: false, column }
}

fn vector(id: i64) -> Vec<f32> {
    rows::vector(DIM, id)
}

fn nearest(id: i64, among: impl Iterator<Item = i64>) -> Vec<i64> {
    rows::nearest(DIM, id, among)
}

#[test]
fn rows_are_found_in_memory_in_files_and_after_a_restart() {
    let world = World::new(Settings::default());
    world.create();
    assert_eq!(world.search(1, "", Timestamp::ZERO).unwrap_err().kind(), ErrorKind::CollectionNotLoaded);
    world.load();
    for start in (0..1500).step_by(100) {
        world.insert(start..start + 100);
    }
    let want = nearest(7, 0..1500);
    assert_eq!(world.ids(7), want);
    world.flush();
    assert_eq!(world.ids(7), want);
    world.insert(1500..1600);
    let want = nearest(7, 0..1600);
    assert_eq!(world.ids(7), want);
    let world = world.restart();
    assert_eq!(world.ids(7), want, "a loaded collection is loaded after a restart");
    assert_eq!(world.count(), 1600);
    assert_eq!(world.query("id in [3, 1550, 9999]"), [3, 1550]);
    assert_eq!(world.query("tag == 't3' and id < 30"), [3, 13, 23]);
    let found = world.search(7, "tag == 't4'", Timestamp::ZERO).unwrap();
    assert_eq!(found.keys.ints().unwrap(), nearest(7, (0..1600).filter(|id| id % 10 == 4)));
    assert_eq!(found.fields[0].column.value(0), Value::Text("t4".into()));
}

#[test]
fn deletes_and_upserts_hold_everywhere() {
    let world = World::new(Settings { retention_ms: 3_600_000, ..Settings::default() });
    world.create();
    world.load();
    let before = world.insert(0..2000);
    world.flush();
    world.insert(2000..2100);
    assert_eq!(world.delete("id in [7, 2050]"), 2);
    assert_eq!(world.delete("tag == 't5' and id < 100"), 10);
    assert_eq!(world.count(), 2088);
    let alive = |id: &i64| *id != 7 && *id != 2050 && !(id % 10 == 5 && *id < 100);
    assert_eq!(world.ids(7), nearest(7, (0..2100).filter(alive)));
    let then = world.search(7, "", before).unwrap();
    assert_eq!(then.keys.ints().unwrap(), nearest(7, 0..2000), "time travel sees the rows of that time");
    let world = world.restart();
    assert_eq!(world.count(), 2088);
    assert_eq!(world.ids(7), nearest(7, (0..2100).filter(alive)));
    world.flush();
    let world = world.restart();
    assert_eq!(world.count(), 2088);
    assert_eq!(world.ids(7), nearest(7, (0..2100).filter(alive)));
    assert_eq!(world.search(7, "", before).unwrap().keys.ints().unwrap(), nearest(7, 0..2000));
}

#[test]
fn an_index_is_built_described_and_dropped() {
    for kind in ["FLAT", "IVF_FLAT", "HNSW"] {
        let world = World::new(Settings::default());
        world.create();
        world.insert(0..3000);
        assert_eq!(world.index().unwrap_err().kind(), ErrorKind::IndexNotFound);
        world.create_index(kind);
        let info = world.index().unwrap();
        assert_eq!(
            (info.total_rows, info.pending_rows, info.state),
            (3000, 3000, IndexState::InProgress),
            "{kind}"
        );
        world.create_index(kind);
        world.engine.tend();
        let info = world.index().unwrap();
        assert_eq!((info.total_rows, info.indexed_rows, info.pending_rows), (3000, 3000, 0), "{kind}");
        assert_eq!((info.state, info.build.built_rows), (IndexState::Finished, 3000), "{kind}");
        world.load();
        let (got, want) = (world.ids(7), nearest(7, 0..3000));
        assert_eq!(got[0], 7, "{kind}");
        let hits = got.iter().filter(|id| want.contains(id)).count();
        assert!(hits >= 5, "{kind} found {hits} of 10");
        let drop_index = Change::DropIndex { target: target(), index: "v".into(), field: "v".into() };
        let refused = world.engine.change(drop_index.clone()).unwrap_err();
        assert!(refused.to_string().contains("vector index cannot be dropped on loaded collection"));
        world.engine.run(Release { target: target(), partitions: vec![] }).unwrap();
        world.engine.change(drop_index).unwrap();
        assert_eq!(world.index().unwrap_err().kind(), ErrorKind::IndexNotFound);
        let left: Vec<String> =
            all_files(&world.disk, "blobs").into_iter().filter(|f| f.ends_with(".idx")).collect();
        assert!(left.is_empty(), "{kind} left {left:?}");
        world.load();
        assert_eq!(world.ids(7), nearest(7, 0..3000), "after the drop a scan answers");
    }
}

fn all_files(disk: &MemoryDisk, folder: &str) -> Vec<String> {
    use store::Disk;
    let mut files = Vec::new();
    for name in disk.list(folder).unwrap_or_default() {
        let path = format!("{folder}/{name}");
        let below = all_files(disk, &path);
        if below.is_empty() {
            files.push(path);
        } else {
            files.extend(below);
        }
    }
    files
}

#[test]
fn small_segments_are_scanned_and_say_so() {
    let world = World::new(Settings::default());
    world.create();
    world.insert(0..500);
    world.create_index("HNSW");
    world.engine.tend();
    let info = world.index().unwrap();
    assert_eq!((info.total_rows, info.indexed_rows, info.state), (500, 500, IndexState::Finished));
    assert_eq!((info.build.built_rows, info.build.scanned_rows), (0, 500));
    assert!(info.reason.contains("fewer than 1024 rows"), "{}", info.reason);
}

#[test]
fn rows_that_come_later_wait_for_a_pause_in_the_searches() {
    let late = || {
        let world = World::new(Settings { index_rows_min: 100, ..Settings::default() });
        world.create();
        world.create_index("HNSW");
        world.load();
        world.clock.advance_ms(10);
        world.ids(0);
        world.insert(0..1200);
        world.flush();
        world.engine.tend();
        assert_eq!(world.index().unwrap().pending_rows, 1200, "held off while searches come");
        assert_eq!(world.ids(7), nearest(7, 0..1200), "and scanned meanwhile");
        world
    };
    let world = late();
    world.clock.advance_ms(1_001);
    world.engine.tend();
    assert_eq!(world.index().unwrap().pending_rows, 0, "searches have paused");

    let world = late();
    for _ in 0..(world.settings.build_delay_ms / 500) {
        assert_eq!(world.index().unwrap().pending_rows, 1200);
        world.clock.advance_ms(500);
        world.ids(7);
        world.engine.tend();
    }
    assert_eq!(world.index().unwrap().pending_rows, 0, "they did not pause, and it was long enough");

    let world = late();
    let again =
        World { settings: Settings { scanned_bytes_max: 1 << 10, ..world.settings.clone() }, ..world };
    let world = again.restart();
    world.ids(7);
    world.engine.tend();
    assert_eq!(world.index().unwrap().pending_rows, 0, "too many to wait");
}

#[test]
fn many_small_writes_are_flushed_once_they_pause() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { folder: folder.path().to_owned(), idle_flush_ms: 300, ..Settings::default() };
    let engine = Engine::open(settings.clone()).unwrap();
    // The disk and the clock are real ones; these are not used.
    let (disk, clock) = (Arc::new(MemoryDisk::new()), Arc::new(ManualClock::at(0)));
    let world = World { disk, clock, engine, settings };
    world.create();
    world.create_index("HNSW");
    world.load();
    (0..4).for_each(|part| _ = world.insert(part * 500..(part + 1) * 500));
    // None of the writes alone was worth an index.
    let start = std::time::Instant::now();
    while world.index().unwrap().build.built_rows < 2_000 {
        assert!(start.elapsed().as_secs() < 60, "{:?}", world.index().unwrap());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn merging_keeps_rows_deletes_and_indexes() {
    let world = World::new(Settings::default());
    world.create();
    world.load();
    world.create_index("HNSW");
    for part in 0..4 {
        world.insert(part * 1100..(part + 1) * 1100);
        world.delete(&format!("id in [{}, {}]", part * 1100, part * 1100 + 1));
        world.flush();
        while world.index().unwrap().pending_rows > 0 {
            world.engine.tend();
        }
    }
    world.clock.advance_ms(10);
    world.engine.tend();
    let info = world.index().unwrap();
    assert_eq!((info.pending_rows, info.build.built_rows), (0, 4392));
    assert_eq!(world.count(), 4392);
    let world = world.restart();
    assert_eq!(world.count(), 4392);
    assert_eq!(world.ids(9)[0], 9);
    let info = world.engine.describe(Collection { target: target(), id: None }).unwrap();
    assert_eq!(info.name, "c");
}

#[test]
fn a_load_that_cannot_fit_fails_at_once_with_both_figures() {
    let world = World::new(Settings { memory_limit_bytes: 100_000, ..Settings::default() });
    world.create();
    world.insert(0..3000);
    world.flush();
    let refused = world.engine.run(Load { target: target(), partitions: vec![] }).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::MemoryLimit);
    let text = refused.to_string();
    assert!(text.contains("needs ") && text.contains("100000 of 100000 are available"), "{text}");
    assert_eq!(world.search(1, "", Timestamp::ZERO).unwrap_err().kind(), ErrorKind::CollectionNotLoaded);
    assert_eq!(world.count(), 3000, "nothing was lost");
}

#[test]
fn an_answer_that_would_be_too_large_is_refused() {
    let world = World::new(Settings { output_bytes_max: 2_000, ..Settings::default() });
    world.create();
    world.load();
    world.insert(0..100);
    assert_eq!(world.ids(7).len(), 10);
    let refused = world.engine.query(Query {
        target: target(),
        filter: "id >= 0".to_owned(),
        output: vec!["v".to_owned()],
        ..Query::default()
    });
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("query results exceed the maxOutputSize Limit"), "{text}");
}

#[test]
fn a_query_that_sorts_more_rows_than_memory_has_room_for_is_refused() {
    let world = World::new(Settings { memory_limit_bytes: 100_000, ..Settings::default() });
    world.create();
    world.load();
    world.insert(0..3000);
    let ask = |filter: &str| {
        let (filter, output) = (filter.to_owned(), vec!["id".to_owned()]);
        world.engine.query(Query { target: target(), filter, output, limit: Some(10), ..Query::default() })
    };
    let refused = ask("id >= 0").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::MemoryLimit);
    assert!(refused.to_string().contains("query of 3000 matching rows needs 144000 bytes"), "{refused}");
    assert_eq!(ask("id >= 0 and id < 1000").unwrap().keys.unwrap().len(), 10);
    assert_eq!(world.count(), 3000, "counting takes none");
}

#[test]
fn wrong_rows_are_refused_whole() {
    let world = World::new(Settings::default());
    world.create();
    let rows =
        |columns: Vec<NamedColumn>, rows| Rows { target: target(), partition: String::new(), rows, columns };
    let id = || named("id", Column::from_ints(vec![1]));
    let tag = |text: &str| named("tag", Column::from_texts([text]));
    let vectors = |dim: usize, value: f32| named("v", Column::from_vectors(dim, vec![value; dim]).unwrap());
    let cases = [
        (
            vec![id(), tag("a"), vectors(8, 0.5)],
            "the dim (8) of field data(v) is not equal to schema dim (16)",
        ),
        (vec![id(), tag("a"), vectors(16, f32::NAN)], "value 'NaN' is not a number or infinity"),
        (vec![id(), tag("a"), vectors(16, f32::INFINITY)], "value 'inf' is not a number or infinity"),
        (vec![id(), tag("a")], "fieldSchema(v) has no corresponding fieldData pass in"),
        (
            vec![id(), tag(&"x".repeat(33)), vectors(16, 0.5)],
            "the length (33) of string exceeds max length (32)",
        ),
        (
            vec![id(), named("tag", Column::from_ints(vec![1])), vectors(16, 0.5)],
            "the data type of field (tag)",
        ),
        (
            vec![id(), tag("a"), vectors(16, 0.5), named("more", Column::from_ints(vec![1]))],
            "field more not exist",
        ),
        (vec![id(), id(), tag("a"), vectors(16, 0.5)], "duplicated field id"),
    ];
    for (columns, want) in cases {
        let refused = world.engine.write(Write::Insert(rows(columns, 1))).unwrap_err();
        assert!(refused.to_string().contains(want), "{refused} should contain {want}");
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
    assert_eq!(world.count(), 0);
}
