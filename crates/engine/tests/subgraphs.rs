//! Filters that are asked for often get a graph of their rows, as long as memory allows.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use data::{Column, Consistency, Field, Schema, Type};
use engine::api::{
    Change, CreateCollection, CreateIndex, Flush, Load, NamedColumn, Queries, Rows, Search, SubgraphInfo,
    System, Target, Write,
};
use engine::{Engine, Settings};
use host::{ManualClock, Rng};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::MemoryDisk;

const DIM: usize = 64;
const ROWS: i64 = 6000;
/// The filter passes one row in so many.
const STEP: i64 = 5;
const FILTER: &str = "tag == 3";
const GRAPH: &str = "walk along a graph of the filter's rows";

struct World {
    engine: Arc<Engine>,
}

impl World {
    /// A loaded collection `c` with an index, and one `other`, which is not loaded.
    fn new(memory_limit_bytes: Option<u64>) -> Self {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let mut settings = Settings::default();
        settings.memory_limit_bytes = memory_limit_bytes.unwrap_or(settings.memory_limit_bytes);
        let engine = Engine::open_still(settings, Arc::new(MemoryDisk::new()), clock).unwrap();
        let world = Self { engine };
        world.create("c", ROWS);
        world.create("other", 2 * ROWS);
        let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "4"), ("efConstruction", "16")];
        let params = params.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let (target, field) = (Target::new("", "c"), "v".to_owned());
        let index = CreateIndex { target, field, name: String::new(), params, echo: vec![] };
        world.engine.change(Change::CreateIndex(index)).unwrap();
        world.engine.tend();
        world.load("c");
        world
    }

    fn create(&self, name: &str, rows: i64) {
        let target = Target::new("", name);
        let fields = vec![
            Field::new("id", Type::Int64).primary(),
            Field::new("v", Type::FloatVector).with_dim(DIM),
            Field::new("tag", Type::Int64),
        ];
        let create = CreateCollection {
            target: target.clone(),
            schema: Schema { fields, ..Schema::default() },
            shards: 0,
            consistency: Consistency::Strong,
            properties: vec![],
            partitions: 0,
        };
        self.engine.change(Change::CreateCollection(create)).unwrap();
        let mut rng = Rng::new(1);
        let values = (0..rows as usize * DIM).map(|_| rng.normal() as f32).collect();
        let named = |name: &str, column| NamedColumn { name: name.to_owned(), is_dynamic: false, column };
        let columns = vec![
            named("id", Column::from_ints((0..rows).collect())),
            named("v", Column::from_vectors(DIM, values).unwrap()),
            named("tag", Column::from_ints((0..rows).map(|id| id % STEP).collect())),
        ];
        let all = Rows { target: target.clone(), partition: String::new(), rows: rows as usize, columns };
        self.engine.write(Write::Insert(all)).unwrap();
        self.engine.run(Flush { targets: vec![target] }).unwrap();
    }

    fn load(&self, name: &str) {
        self.engine.run(Load { target: Target::new("", name), partitions: vec![] }).unwrap();
    }

    fn used_bytes(&self) -> u64 {
        self.engine.describe(System).unwrap().memory_used_bytes
    }

    fn subgraphs(&self) -> SubgraphInfo {
        self.engine.describe(System).unwrap().subgraphs
    }

    /// Searches so many times with a filter, then lets the engine work.
    fn ask(&self, filter: &str, count: usize) {
        let mut rng = Rng::new(2);
        let values = (0..count * DIM).map(|_| rng.normal() as f32).collect();
        self.search(filter, Column::from_vectors(DIM, values).unwrap());
        self.engine.tend();
    }

    fn search(&self, filter: &str, queries: Column) -> (Vec<i64>, &'static str) {
        let search = Search {
            metric: "L2".to_owned(),
            filter: filter.to_owned(),
            params: vec![("ef".to_owned(), "4".to_owned())],
            explain: true,
            ..Search::new(Target::new("", "c"), Queries::Vectors(queries), 2)
        };
        let found = self.engine.search(search).unwrap();
        (found.keys.ints().unwrap().to_vec(), found.explained[0].way)
    }

    /// How the filter is gone about; whatever way it is, it finds rows that match.
    fn way(&self, filter: &str) -> &'static str {
        let (ids, way) = self.search(filter, Column::from_vectors(DIM, vec![0.1; DIM]).unwrap());
        assert!(ids.len() == 2 && ids.iter().all(|id| id % STEP == 3), "{filter}: {ids:?}");
        way
    }

    /// The memory used before and after there is a graph for the filter.
    fn with_graph(&self) -> [u64; 2] {
        let before = self.used_bytes();
        assert_eq!(self.way(FILTER), "nearest lists");
        self.ask(FILTER, (ROWS / STEP / 4) as usize);
        assert_eq!((self.way(FILTER), self.used_bytes()), ("nearest lists", before), "not worth it yet");
        self.ask(FILTER, (ROWS / STEP / 4) as usize);
        [before, self.used_bytes()]
    }
}

#[test]
fn a_filter_that_is_asked_for_often_gets_a_graph_and_pays_for_it() {
    let world = World::new(None);
    let [before, with] = world.with_graph();
    assert!(world.way(FILTER) == GRAPH && with > before);
    assert_eq!(world.subgraphs(), SubgraphInfo { count: 1, bytes: with - before, built: 1, dropped: 0 });
    // However it is written, and if it passes a few rows less.
    for filter in ["tag in [3]", "2 < tag < 4", "tag == 3 and id > 100"] {
        assert_eq!(world.way(filter), GRAPH, "{filter}");
    }
    assert_eq!(world.way("tag == 3 and id > 4000"), "scan of codes");

    // Rows that die are gone at once.
    let (target, partition) = (Target::new("", "c"), String::new());
    let nearest = world.search(FILTER, Column::from_vectors(DIM, vec![0.1; DIM]).unwrap()).0;
    let (filter, templates) = (format!("id in {nearest:?}"), BTreeMap::new());
    world.engine.write(Write::Delete { target, partition, filter, templates }).unwrap();
    let (now, way) = world.search(FILTER, Column::from_vectors(DIM, vec![0.1; DIM]).unwrap());
    assert!(way == GRAPH && now.len() == 2 && now.iter().all(|id| !nearest.contains(id)), "{now:?}");

    // What goes with its index gives its memory back.
    let target = Target::new("", "c");
    world.engine.run(engine::api::Release { target, partitions: vec![] }).unwrap();
    assert_eq!(world.used_bytes(), 0);
    assert_eq!(world.subgraphs(), SubgraphInfo { count: 0, bytes: 0, built: 1, dropped: 1 });
}

#[test]
fn a_graph_for_a_filter_takes_free_memory_and_gives_way() {
    let world = World::new(None);
    let [before, with] = world.with_graph();
    world.load("other");
    let other = world.used_bytes() - with;

    // There is room for the graph, but not for it and another collection.
    let tight = World::new(Some(before + other + (with - before) / 2));
    let [_, used] = tight.with_graph();
    assert_eq!((used, tight.way(FILTER)), (with, GRAPH));
    tight.load("other");
    assert_eq!((tight.used_bytes(), tight.way(FILTER)), (before + other, "nearest lists"));
    assert_eq!(tight.subgraphs(), SubgraphInfo { count: 0, bytes: 0, built: 1, dropped: 1 });
    // Now there is none: what is asked for goes on as before.
    tight.ask(FILTER, ROWS as usize);
    assert_eq!((tight.used_bytes(), tight.way(FILTER)), (before + other, "nearest lists"));
}
