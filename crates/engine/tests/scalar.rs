//! Indexes on scalar fields through the public API: the same answers with and without, through everything that can
//! happen to a collection.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use data::{Column, ColumnBuilder, Consistency, Field, Kind, Schema, Struct, Type, Value};
use engine::api::{
    Change, CreateCollection, CreateIndex, Flush, IndexInfo, IndexState, Indexes, Load, NamedColumn, Query,
    Rows, Target, Write,
};
use engine::{Engine, Error, ErrorKind, Settings};
use host::{ManualClock, Rng};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Disk, MemoryDisk};

struct World {
    disk: Arc<MemoryDisk>,
    clock: Arc<ManualClock>,
    engine: Arc<Engine>,
}

fn open(disk: &Arc<MemoryDisk>, clock: &Arc<ManualClock>) -> Arc<Engine> {
    Engine::open_still(Settings::default(), disk.clone(), clock.clone()).unwrap()
}

fn target(name: &str) -> Target {
    Target::new("", name)
}

fn named(name: &str, column: Column) -> NamedColumn {
    NamedColumn { name: name.to_owned(), is_dynamic: false, column }
}

fn column(data_type: Type, values: impl Iterator<Item = Value>) -> Column {
    let mut builder = ColumnBuilder::new(data_type, 0);
    values.for_each(|value| builder.push(&value));
    builder.finish()
}

/// Lists of up to three numbers; some are absent where that is allowed.
fn array(element: Type, draws: Vec<i64>) -> Column {
    let mut builder = ColumnBuilder::of(Kind::array(element, 0));
    for n in draws {
        builder.push(&match n % 11 {
            10 if element == Type::Int32 => Value::Null,
            _ => Value::List((0..n % 4).map(|i| Value::Int((n + i * 7) % 9)).collect()),
        });
    }
    builder.finish()
}

/// Points in WKB.
fn points(draws: &[i64]) -> Column {
    let mut builder = ColumnBuilder::new(Type::Geometry, 0);
    for n in draws {
        let mut bytes = vec![1, 1, 0, 0, 0];
        [*n as f64, (*n * 7 % 50) as f64].iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
        builder.push_bytes(&bytes);
    }
    builder.finish()
}

/// What row `id` holds.
fn rng(id: i64) -> Rng {
    Rng::new(id as u64 + 1)
}

fn doc(id: i64) -> String {
    let mut rng = rng(id);
    let tags: Vec<String> = (0..rng.below(4)).map(|_| rng.below(9).to_string()).collect();
    format!(r#"{{"price": {}, "name": "n{}", "tags": [{}]}}"#, rng.below(100), rng.below(30), tags.join(","))
}

const FILTERS: [&str; 20] = [
    "year == 7",
    "year != 7 and word like 'w1%'",
    "100 < big <= 300",
    "not (big > 20)",
    "flag == true and year in [1, 2, 3]",
    "word in ['w1', 'w22', 'nothing']",
    "line like '%aba%'",
    "word is null or line like 'ab%'",
    "doc['price'] < 10",
    "doc['name'] == 'n7'",
    "json_contains(doc['tags'], 3)",
    "color == 'c3'",
    "id in [5, 2000, 9999]",
    "score >= 0.9 or score < 0.05",
    "array_contains(nums, 3)",
    "array_contains_all(nums, [1, 2]) or array_length(nums) == 0",
    "match_any(parts, $[size] == 5)",
    "id in [7, 8, 1234] and year > 2",
    "moment < ISO '1970-01-01T00:00:00.00003Z'",
    "st_within(place, 'POLYGON((0 0, 30 0, 30 40, 0 40, 0 0))')",
];

/// A field, the name of an index (empty: the derived one), and parameters.
type Asked = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const INDEXES: [Asked; 15] = [
    ("id", "", &[("index_type", "STL_SORT")]),
    ("year", "by_year", &[("index_type", "BITMAP")]),
    ("big", "", &[("index_type", "STL_SORT")]),
    ("flag", "", &[]),
    ("score", "", &[("index_type", "INVERTED")]),
    ("word", "", &[("index_type", "Trie")]),
    ("line", "", &[("index_type", "NGRAM"), ("min_gram", "2"), ("max_gram", "3")]),
    ("doc", "", &[("index_type", "INVERTED"), ("json_path", "doc['price']"), ("json_cast_type", "double")]),
    ("doc", "", &[("index_type", "INVERTED"), ("json_path", "doc['name']"), ("json_cast_type", "varchar")]),
    (
        "doc",
        "tags",
        &[("index_type", "INVERTED"), ("json_path", "doc['tags']"), ("json_cast_type", "array_double")],
    ),
    ("nums", "", &[("index_type", "BITMAP")]),
    ("parts[size]", "", &[("index_type", "STL_SORT")]),
    ("moment", "", &[("index_type", "STL_SORT")]),
    ("place", "", &[("index_type", "RTREE")]),
    ("color", "", &[("index_type", "AUTOINDEX"), ("json_cast_type", "varchar")]),
];

impl World {
    fn new() -> Self {
        let (disk, clock) = (Arc::new(MemoryDisk::new()), Arc::new(ManualClock::at(1_000_000)));
        let engine = open(&disk, &clock);
        let world = Self { disk, clock, engine };
        for name in ["plain", "indexed"] {
            world.create(name);
        }
        world
    }

    fn restart(&mut self) {
        self.engine = Engine::open_still(
            Settings::default(),
            Arc::new(MemoryDisk::new()),
            Arc::new(ManualClock::at(1)),
        )
        .unwrap();
        self.clock.advance_ms(10);
        self.engine = open(&self.disk, &self.clock);
    }

    fn create(&self, name: &str) {
        let nullable = |name, data_type| Field { nullable: true, ..Field::new(name, data_type) };
        let fields = vec![
            Field::new("id", Type::Int64).primary(),
            Field::new("v", Type::FloatVector).with_dim(2),
            nullable("year", Type::Int16),
            Field::new("big", Type::Int64),
            Field::new("flag", Type::Bool),
            Field::new("score", Type::Float),
            nullable("word", Type::VarChar).with_max_length(9),
            Field::new("line", Type::VarChar).with_max_length(99),
            Field::new("doc", Type::Json),
            nullable("nums", Type::Array).with_elements(Type::Int32, 9),
            nullable("moment", Type::Timestamptz),
            nullable("place", Type::Geometry),
            Field::new("parts[size]", Type::Array).with_elements(Type::Int64, 9),
            Field::dynamic(),
        ];
        let parts = Struct { name: "parts".to_owned(), max_capacity: 9, ..Struct::default() };
        let create = CreateCollection {
            target: target(name),
            schema: Schema { fields, structs: vec![parts], ..Schema::default() },
            shards: 0,
            consistency: Consistency::Strong,
            properties: vec![],
            partitions: 0,
        };
        self.engine.change(Change::CreateCollection(create)).unwrap();
        self.engine.run(Load { target: target(name), partitions: vec![] }).unwrap();
    }

    fn insert(&self, ids: std::ops::Range<i64>) {
        let draw = |bound: u64, salt: &str| {
            ids.clone().map(|id| rng(id).child(salt).below(bound) as i64).collect::<Vec<_>>()
        };
        let text = |id: i64| {
            let mut rng = rng(id).child("line");
            (0..rng.below(12)).map(|_| ["a", "b", "é"][rng.below(3) as usize]).collect::<String>()
        };
        let or_null = |n: i64, value: Value| if n % 7 == 0 { Value::Null } else { value };
        let columns = vec![
            named("id", Column::from_ints(ids.clone().collect())),
            named(
                "v",
                Column::from_vectors(2, ids.clone().flat_map(|id| [id as f32, 1.0]).collect()).unwrap(),
            ),
            named(
                "year",
                column(Type::Int16, draw(20, "year").into_iter().map(|n| or_null(n, Value::Int(n % 12)))),
            ),
            named("big", Column::from_ints(draw(1000, "big"))),
            named("flag", column(Type::Bool, draw(5, "flag").into_iter().map(|n| Value::Bool(n == 0)))),
            named(
                "score",
                column(Type::Float, draw(100, "score").into_iter().map(|n| Value::Double(n as f64 / 100.0))),
            ),
            named(
                "word",
                column(
                    Type::VarChar,
                    draw(40, "word").into_iter().map(|n| or_null(n, Value::Text(format!("w{n}")))),
                ),
            ),
            named("line", Column::from_texts(ids.clone().map(text))),
            named("nums", array(Type::Int32, draw(100, "nums"))),
            named("parts[size]", array(Type::Int64, draw(100, "parts"))),
            named(
                "moment",
                column(Type::Timestamptz, draw(99, "moment").into_iter().map(|n| or_null(n, Value::Int(n)))),
            ),
            named("place", points(&draw(50, "place"))),
            named("doc", column(Type::Json, ids.clone().map(|id| Value::Json(doc(id))))),
            NamedColumn {
                is_dynamic: true,
                ..named(
                    "$meta",
                    column(
                        Type::Json,
                        draw(8, "color").into_iter().map(|n| Value::Json(format!(r#"{{"color": "c{n}"}}"#))),
                    ),
                )
            },
        ];
        for name in ["plain", "indexed"] {
            let rows = Rows {
                target: target(name),
                partition: String::new(),
                rows: ids.clone().count(),
                columns: columns.clone(),
            };
            self.engine.write(Write::Insert(rows)).unwrap();
        }
    }

    fn delete(&self, filter: &str) {
        let deleted = ["plain", "indexed"].map(|name| {
            let (filter, templates) = (filter.to_owned(), BTreeMap::new());
            let delete = Write::Delete { target: target(name), partition: String::new(), filter, templates };
            self.engine.write(delete).unwrap().deleted
        });
        assert!(deleted[0] == deleted[1] && deleted[0] > 0, "{filter}: {deleted:?}");
    }

    fn flush(&self) {
        self.engine.run(Flush { targets: vec![target("plain"), target("indexed")] }).unwrap();
        self.clock.advance_ms(10);
        (0..3).for_each(|_| self.engine.tend());
    }

    fn query(&self, name: &str, filter: &str) -> Vec<i64> {
        let found = self.engine.query(Query {
            target: target(name),
            filter: filter.to_owned(),
            output: vec!["id".to_owned()],
            limit: Some(16_384),
            ..Query::default()
        });
        found.unwrap().keys.unwrap().ints().unwrap().to_vec()
    }

    fn check(&self, when: &str) {
        for filter in FILTERS {
            let want = self.query("plain", filter);
            assert!(!want.is_empty(), "{filter} finds something");
            assert_eq!(self.query("indexed", filter), want, "{filter} {when}");
        }
    }

    fn index(&self, field: &str, name: &str, params: &[(&str, &str)]) -> Result<(), Error> {
        let params = params.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let (field, name) = (field.to_owned(), name.to_owned());
        let create = CreateIndex { target: target("indexed"), field, name, params, echo: vec![] };
        self.engine.change(Change::CreateIndex(create)).map(|_| ())
    }

    fn infos(&self) -> Vec<IndexInfo> {
        let all = Indexes { target: target("indexed"), field: String::new(), index: String::new() };
        self.engine.describe(all).unwrap_or_default()
    }

    fn drop_index(&self, name: &str) -> Result<(), Error> {
        let drop =
            Change::DropIndex { target: target("indexed"), index: name.to_owned(), field: String::new() };
        self.engine.change(drop).map(|_| ())
    }

    fn index_files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec!["blobs".to_owned()];
        while let Some(folder) = folders.pop() {
            for name in self.disk.list(&folder).unwrap_or_default() {
                let path = format!("{folder}/{name}");
                if name.ends_with(".idx") { files.push(path) } else { folders.push(path) }
            }
        }
        files
    }
}

#[test]
fn the_same_answers_through_everything() {
    let mut world = World::new();
    world.insert(0..1500);
    world.flush();
    world.insert(1500..2800);
    world.check("before there is an index");
    for (field, name, params) in INDEXES {
        world.index(field, name, params).unwrap();
        world.index(field, name, params).unwrap();
    }
    world.check("before they are built");
    assert!(world.infos().iter().all(|info| info.total_rows == info.indexed_rows + info.pending_rows));
    assert!(world.infos().iter().any(|info| info.state == IndexState::InProgress));
    world.flush();
    for info in world.infos() {
        assert_eq!(
            (info.total_rows, info.indexed_rows, info.state),
            (2800, 2800, IndexState::Finished),
            "{}",
            info.name
        );
        assert!(info.build.file_bytes > 0 && info.build.built_rows == 2800, "{}", info.name);
        assert!(info.build.effective.iter().any(|(key, _)| key == "structure"), "{:?}", info.build.effective);
    }
    world.check("when they are built");
    world.delete("word like 'w3%' and doc['price'] > 40");
    world.delete("year == 3");
    world.insert(2800..2900);
    world.check("with deleted and new rows");
    world.restart();
    world.check("after a restart");
    for part in 0..4 {
        world.insert(2900 + part * 1200..2900 + (part + 1) * 1200);
        world.flush();
        world.check("while segments are merged");
    }
    assert!(world.infos().iter().all(|info| info.pending_rows == 0));
    world.restart();
    world.check("after merges and a restart");
    let names: Vec<String> = world.infos().into_iter().map(|info| info.name).collect();
    assert_eq!(
        names,
        [
            "id",
            "by_year",
            "big",
            "flag",
            "score",
            "word",
            "line",
            "doc/price",
            "doc/name",
            "tags",
            "nums",
            "parts[size]",
            "moment",
            "place",
            "$meta/color"
        ]
    );
    for name in names {
        world.drop_index(&name).unwrap();
        world.check("after a drop");
    }
    assert_eq!(world.index_files(), Vec::<String>::new());
}

#[test]
fn a_damaged_file_is_built_again() {
    let mut world = World::new();
    world.insert(0..1500);
    for (field, name, params) in INDEXES {
        world.index(field, name, params).unwrap();
    }
    world.flush();
    let files = world.index_files();
    assert_eq!(files.len(), INDEXES.len());
    for file in &files {
        assert!(world.disk.flip(file, 8 * 64 + 3).unwrap());
    }
    world.restart();
    world.check("with damaged files");
    (0..3).for_each(|_| world.engine.tend());
    for info in world.infos() {
        assert_eq!((info.pending_rows, info.build.built_rows), (0, 1500), "{}", info.name);
    }
    world.check("when they are built again");
}

/// A field, the name of an index, its parameters, and a part of what is said.
type Refusal = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

#[test]
fn what_is_refused_and_how() {
    let world = World::new();
    let cases: &[Refusal] = &[
        ("nothing", "", &[], "cannot create index on non-exist field: nothing"),
        ("year", "", &[("index_type", "HNSW")], "index HNSW only supports vector data type"),
        ("score", "", &[("index_type", "BITMAP")], "bitmap index are only supported on bool, int, string"),
        ("id", "", &[("index_type", "BITMAP")], "create bitmap index on primary key not supported"),
        ("doc", "", &[("index_type", "INVERTED")], "missing parameter[missing_param=json_cast_type]"),
        ("v", "", &[("index_type", "INVERTED")], "invalid index type: INVERTED"),
    ];
    for (field, name, params, want) in cases {
        let refused = world.index(field, name, params).unwrap_err();
        assert!(refused.to_string().contains(want), "{refused} should contain {want}");
        assert!(matches!(refused.kind(), ErrorKind::Invalid | ErrorKind::Missing));
    }
    world.index("year", "a", &[("index_type", "STL_SORT")]).unwrap();
    let again = world.index("year", "b", &[("index_type", "INVERTED")]).unwrap_err().to_string();
    assert!(again.contains("creating multiple indexes on same field is not supported"), "{again}");
    let again = world.index("year", "a", &[("index_type", "INVERTED")]).unwrap_err().to_string();
    assert!(again.contains("at most one distinct index is allowed per field"), "{again}");
    let json = [("index_type", "INVERTED"), ("json_path", "doc['a']"), ("json_cast_type", "double")];
    world.index("doc", "one", &json).unwrap();
    let again = world.index("doc", "two", &json).unwrap_err().to_string();
    assert!(again.contains("creating multiple indexes on same field is not supported"), "{again}");
    world.drop_index("nothing").unwrap();
    assert_eq!(world.drop_index("").unwrap_err().kind(), ErrorKind::IndexAmbiguous);
}
