//! An index on disk through the public API: what it finds, what it takes of memory, restarts, damage.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

mod rows;

use data::{Column, Consistency, Field, Schema, Type};
use engine::api::{
    Change, CreateCollection, CreateIndex, Explained, Flush, IndexInfo, Indexes, Load, NamedColumn, Queries,
    Release, Rows, Search, Target, Write,
};
use engine::{Engine, Error, ErrorKind, Settings};
use host::ManualClock;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use store::Folder;

const DIM: usize = 64;
const ROWS: i64 = 3000;

fn target() -> Target {
    Target::new("", "c")
}

fn vector(id: i64) -> Vec<f32> {
    rows::vector(DIM, id)
}

fn nearest(id: i64, among: impl Iterator<Item = i64>) -> Vec<i64> {
    rows::nearest(DIM, id, among)
}

/// A collection of 3,000 rows in a folder.
struct World {
    folder: tempfile::TempDir,
    settings: Settings,
    engine: Arc<Engine>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(&folder, &settings);
        let schema = Schema {
            fields: vec![
                Field::new("id", Type::Int64).primary(),
                Field::new("v", Type::FloatVector).with_dim(DIM),
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
        engine.change(Change::CreateCollection(create)).unwrap();
        let named = |name: &str, column| NamedColumn { name: name.to_owned(), is_dynamic: false, column };
        let columns = vec![
            named("id", Column::from_ints((0..ROWS).collect())),
            named("v", Column::from_vectors(DIM, (0..ROWS).flat_map(vector).collect()).unwrap()),
        ];
        let rows = Rows { target: target(), partition: String::new(), rows: ROWS as usize, columns };
        engine.write(Write::Insert(rows)).unwrap();
        engine.run(Flush { targets: vec![target()] }).unwrap();
        Self { folder, settings, engine }
    }

    fn restart(self) -> Self {
        let Self { folder, settings, engine } = self;
        drop(engine);
        let engine = open(&folder, &settings);
        Self { folder, settings, engine }
    }

    fn index(&self, kind: &str) -> IndexInfo {
        let params = [("index_type", kind), ("metric_type", "L2")];
        let params = params.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let create =
            CreateIndex { target: target(), field: "v".into(), name: String::new(), params, echo: vec![] };
        self.engine.change(Change::CreateIndex(create)).unwrap();
        self.engine.tend();
        self.described()
    }

    fn described(&self) -> IndexInfo {
        let all = Indexes { target: target(), field: String::new(), index: String::new() };
        self.engine.describe(all).unwrap().remove(0)
    }

    fn load(&self) -> Result<(), Error> {
        self.engine.run(Load { target: target(), partitions: vec![] })
    }

    fn search(&self, id: i64, filter: &str) -> (Vec<i64>, Vec<Explained>) {
        let queries = Queries::Vectors(Column::from_vectors(DIM, vector(id)).unwrap());
        let params = vec![("search_list".to_owned(), "60".to_owned())];
        let found = self
            .engine
            .search(Search {
                metric: "L2".to_owned(),
                filter: filter.to_owned(),
                params,
                explain: true,
                ..Search::new(target(), queries, 10)
            })
            .unwrap();
        (found.keys.ints().unwrap().to_vec(), found.explained)
    }

    /// Holds answers against the truth, all but exact; those of rows that are looked at one by one are.
    fn check(&self, hits_min: usize) {
        let mut hits = 0;
        for id in 0..10 {
            let want = nearest(id, 0..ROWS);
            hits += self.search(id, "").0.iter().filter(|id| want.contains(id)).count();
            let few = self.search(id, "id % 100 == 3").0;
            assert_eq!(few.len(), 10);
            assert!(few.iter().all(|id| id % 100 == 3));
        }
        assert!(hits >= hits_min, "{hits} of 100");
    }

    /// Files of indexes.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().ends_with(".idx") {
                    found.push(path);
                }
            }
        }
        found
    }
}

fn open(folder: &tempfile::TempDir, settings: &Settings) -> Arc<Engine> {
    let disk = Arc::new(Folder::open(folder.path()).unwrap());
    Engine::open_still(settings.clone(), disk, Arc::new(ManualClock::at(1_000_000))).unwrap()
}

#[test]
fn it_is_built_searched_reopened_and_dropped() {
    for kind in ["DISKANN", "AISAQ"] {
        let world = World::new(Settings::default());
        let info = world.index(kind);
        assert_eq!((info.build.built_rows, info.pending_rows, info.build.memory_bytes), (3000, 0, 0));
        world.load().unwrap();
        world.check(90);
        let world = world.restart();
        world.check(90);
        let info = world.described();
        let (memory, file) = (info.build.memory_bytes, info.build.file_bytes);
        assert!(0 < memory && memory < file / 4, "{kind}: {memory} of {file}");
        let reads = world.search(1, "").1[0].reads.unwrap();
        assert!(reads.queries > 10 && reads.reads > 0 && reads.failures == 0, "{reads:?}");
        world.engine.run(Release { target: target(), partitions: vec![] }).unwrap();
        assert_eq!(world.files().len(), 1);
        let drop_index = Change::DropIndex { target: target(), index: "v".into(), field: "v".into() };
        world.engine.change(drop_index).unwrap();
        assert!(world.files().is_empty(), "{kind} leaves no file");
    }
}

#[test]
fn a_set_that_memory_has_no_room_for_can_be_loaded() {
    // Vectors alone are 768,000 bytes.
    let settings = Settings { memory_limit_bytes: 800_000, ..Settings::default() };
    let world = World::new(settings.clone());
    world.index("HNSW");
    assert_eq!(world.load().unwrap_err().kind(), ErrorKind::MemoryLimit);
    for kind in ["DISKANN", "AISAQ"] {
        let world = World::new(settings.clone());
        world.index(kind);
        world.load().unwrap();
        world.check(90);
        let world = world.restart();
        world.check(90);
    }
}

#[test]
fn damaged_nodes_cost_time_and_no_answers() {
    let world = World::new(Settings::default());
    world.index("DISKANN");
    world.load().unwrap();
    let [file] = &world.files()[..] else { panic!("one file") };
    let mut bytes = fs::read(file).unwrap();
    // Nodes stand first, and what stands behind them is in memory.
    let length = bytes.len();
    for page in (0..length - 4096).step_by(4096).skip(1) {
        bytes[page + 100] ^= 0x10;
    }
    // The open file is the one that is damaged.
    fs::write(file, &bytes).unwrap();
    world.check(100);
    let reads = world.search(1, "").1[0].reads.unwrap();
    assert!(reads.failures > 0, "{reads:?}");
    // It is built again; searches go by the new one.
    world.engine.tend();
    let info = world.described();
    assert_eq!((info.build.built_rows, info.pending_rows), (3000, 0));
    world.check(90);
    let reads = world.search(1, "").1[0].reads.unwrap();
    assert!(reads.queries > 10 && reads.reads > 0 && reads.failures == 0, "{reads:?}");
    // What is on the disk is whole, too.
    let world = world.restart();
    world.check(90);
    assert_eq!(world.search(1, "").1[0].reads.unwrap().failures, 0);
}
