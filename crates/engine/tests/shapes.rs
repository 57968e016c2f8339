//! Groups, iterations, orders, aggregates and hybrid searches against what a few lines of plain code say, over rows that
//! are spread over several segments, partly indexed, partly deleted and partly still growing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use data::{Column, ColumnBuilder, Consistency, Field, Schema, Timestamp, Type, Value};
use engine::api::{
    Change, Compact, CreateCollection, CreateIndex, Flush, Found, Group, GroupScore, Hybrid, Iteration, Load,
    NamedColumn, Order, Queries, Query, Rank, ReadTime, Rows, Search, Target, Write,
};
use engine::{Engine, Settings};
use host::{ManualClock, Rng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::MemoryDisk;

const DIM: usize = 4;
const ROWS: i64 = 600;

/// A row as the plain code knows it.
#[derive(Debug, Clone)]
struct Row {
    id: i64,
    vector: [f32; DIM],
    shade: i64,
    price: Option<f64>,
    name: String,
}

struct World {
    engine: Arc<Engine>,
    clock: Arc<ManualClock>,
    rows: Vec<Row>,
}

fn target() -> Target {
    Target::new("", "c")
}

/// Coarse coordinates, so that many rows are equally near.
fn row(rng: &mut Rng, id: i64) -> Row {
    let vector = std::array::from_fn(|_| rng.below(6) as f32);
    let shade = rng.below(9) as i64;
    let price = (!rng.chance(0.2)).then(|| rng.below(1_000) as f64 / 4.0);
    Row { id, vector, shade, price, name: format!("n{}", rng.below(5)) }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let clock = Arc::new(ManualClock::at(1_000_000));
        let settings = Settings { index_rows_min: 100, ..Settings::default() };
        let engine = Engine::open_still(settings, Arc::new(MemoryDisk::new()), clock.clone()).unwrap();
        let mut world = Self { engine, clock, rows: Vec::new() };
        world.create();
        for part in 0..4 {
            let new: Vec<Row> = (0..ROWS / 4).map(|at| row(&mut rng, part * ROWS / 4 + at)).collect();
            world.insert(new);
            if part < 3 {
                world.settle();
            }
        }
        let gone: Vec<i64> = (0..60).map(|_| rng.below(ROWS as u64) as i64).collect();
        world.delete(&gone);
        world
    }

    fn create(&self) {
        let fields = vec![
            Field::new("id", Type::Int64).primary(),
            Field::new("v", Type::FloatVector).with_dim(DIM),
            Field::new("shade", Type::Int16),
            Field { nullable: true, ..Field::new("price", Type::Double) },
            Field::new("name", Type::VarChar).with_max_length(8),
        ];
        let create = CreateCollection {
            target: target(),
            schema: Schema { fields, ..Schema::default() },
            shards: 0,
            consistency: Consistency::Strong,
            properties: vec![],
            partitions: 0,
        };
        self.engine.change(Change::CreateCollection(create)).unwrap();
        let params = [("index_type", "IVF_FLAT"), ("metric_type", "L2"), ("nlist", "4")];
        let params = params.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let (field, name) = ("v".to_owned(), String::new());
        let create = CreateIndex { target: target(), field, name, params, echo: vec![] };
        self.engine.change(Change::CreateIndex(create)).unwrap();
        self.engine.run(Load { target: target(), partitions: vec![] }).unwrap();
    }

    fn insert(&mut self, new: Vec<Row>) {
        let mut shades = ColumnBuilder::new(Type::Int16, 0);
        let mut prices = ColumnBuilder::new(Type::Double, 0);
        for row in &new {
            shades.push(&Value::Int(row.shade));
            prices.push(&row.price.map_or(Value::Null, Value::Double));
        }
        let named = |name: &str, column| NamedColumn { name: name.to_owned(), column, is_dynamic: false };
        let columns = vec![
            named("id", Column::from_ints(new.iter().map(|row| row.id).collect())),
            named("v", Column::from_vectors(DIM, new.iter().flat_map(|row| row.vector).collect()).unwrap()),
            named("shade", shades.finish()),
            named("price", prices.finish()),
            named("name", Column::from_texts(new.iter().map(|row| row.name.as_str()))),
        ];
        let rows = Rows { target: target(), partition: String::new(), rows: new.len(), columns };
        self.engine.write(Write::Insert(rows)).unwrap();
        self.rows.extend(new);
    }

    fn delete(&mut self, ids: &[i64]) {
        let (partition, filter) = (String::new(), format!("id in {ids:?}"));
        let delete = Write::Delete { target: target(), partition, filter, templates: BTreeMap::new() };
        self.engine.write(delete).unwrap();
        self.rows.retain(|row| !ids.contains(&row.id));
    }

    fn settle(&self) {
        self.engine.run(Flush { targets: vec![target()] }).unwrap();
        self.clock.advance_ms(10);
        (0..4).for_each(|_| self.engine.tend());
    }

    /// A search that looks at everything.
    fn search(&self, query: [f32; DIM], limit: usize) -> Search {
        let queries = Queries::Vectors(Column::from_vectors(DIM, query.to_vec()).unwrap());
        Search {
            params: vec![("nprobe".to_owned(), "4".to_owned())],
            output: vec!["shade".to_owned(), "name".to_owned()],
            ..Search::new(target(), queries, limit)
        }
    }

    /// The rows by distance, equal distances in any order.
    fn by_distance(&self, query: [f32; DIM]) -> Vec<(f32, &Row)> {
        let mut rows: Vec<(f32, &Row)> =
            self.rows.iter().map(|row| (distance(query, row.vector), row)).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.id.cmp(&b.1.id)));
        rows
    }
}

fn distance(a: [f32; DIM], b: [f32; DIM]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn ids(found: &Found) -> Vec<i64> {
    found.keys.ints().unwrap().to_vec()
}

#[test]
fn iterations_give_every_row_once_nearest_first() {
    let world = World::new(1);
    let query = [2.0, 3.0, 1.0, 4.0];
    for limit in [1, 7, 100, 5_000] {
        let (mut after, mut seen, mut scores) = (None, Vec::new(), Vec::new());
        loop {
            let search = Search { iteration: Some(Iteration { after }), ..world.search(query, limit) };
            let found = world.engine.search(search).unwrap();
            if found.keys.is_empty() {
                break;
            }
            seen.extend(ids(&found));
            scores.extend(found.scores);
            after = found.bound;
        }
        let want: Vec<f32> = world.by_distance(query).iter().map(|(score, _)| *score).collect();
        assert_eq!(scores, want, "batches of {limit}");
        let distinct: BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!(distinct, world.rows.iter().map(|row| row.id).collect(), "batches of {limit}");
    }
}

#[test]
fn a_held_moment_outlives_deletes_and_merges() {
    let mut world = World::new(2);
    let first = Query {
        target: target(),
        output: vec!["id".to_owned()],
        limit: Some(1),
        time: ReadTime { hold: true, ..ReadTime::default() },
        ..Query::default()
    };
    let began = world.engine.query(first.clone()).unwrap().timestamp;
    let before: Vec<i64> = world.rows.iter().map(|row| row.id).collect();
    world.delete(&(0..ROWS / 2).collect::<Vec<_>>());
    world.settle();
    world.engine.run(Compact { target: target(), id: None }).unwrap();
    world.settle();
    let again = |travel: Timestamp| {
        let time = ReadTime { travel, hold: true, ..ReadTime::default() };
        world.engine.query(Query { limit: Some(5_000), time, ..first.clone() })
    };
    assert_eq!(again(began).unwrap().keys.unwrap().ints().unwrap(), before);
    // Nobody comes back for long: the dead are forgotten, and the moment with them.
    world.clock.advance_ms(3_600_000);
    world.engine.run(Compact { target: target(), id: None }).unwrap();
    world.settle();
    assert!(again(began).unwrap_err().to_string().contains("travel back"));
}

#[test]
fn groups_are_led_by_their_nearest_rows() {
    let world = World::new(3);
    let query = [1.0, 1.0, 5.0, 0.0];
    for (size, is_strict, limit, offset) in
        [(1, false, 4, 0), (1, false, 20, 2), (3, true, 5, 1), (10, true, 9, 0)]
    {
        let group = Group { fields: vec!["shade".to_owned()], size, is_strict };
        let search = Search { group: Some(group), offset, ..world.search(query, limit) };
        let found = world.engine.search(search).unwrap();
        let mut want: Vec<(i64, Vec<f32>)> = Vec::new();
        for (score, row) in world.by_distance(query) {
            match want.iter_mut().find(|(shade, _)| *shade == row.shade) {
                Some((_, scores)) if scores.len() < size => scores.push(score),
                Some(_) => {}
                None => want.push((row.shade, vec![score])),
            }
        }
        // Groups whose best rows are equally near may stand in any order: compare the best distance of each.
        let want: Vec<Vec<f32>> =
            want.into_iter().skip(offset).take(limit).map(|(_, scores)| scores).collect();
        let values = found.groups[0].column.clone();
        let mut got: Vec<Vec<f32>> = Vec::new();
        for hit in 0..found.scores.len() {
            if hit > 0 && values.value(hit) == values.value(hit - 1) {
                got.last_mut().unwrap().push(found.scores[hit]);
            } else {
                got.push(vec![found.scores[hit]]);
            }
        }
        let best = |groups: &[Vec<f32>]| groups.iter().map(|scores| scores[0]).collect::<Vec<_>>();
        assert_eq!(best(&got), best(&want), "{size} {limit} {offset}");
        let all: usize = want.iter().map(Vec::len).sum();
        let shades: BTreeSet<String> =
            (0..values.len()).map(|hit| format!("{:?}", values.value(hit))).collect();
        assert_eq!(
            (shades.len(), is_strict && values.len() != all),
            (got.len(), false),
            "{size} {limit} {offset}"
        );
    }
}

#[test]
fn aggregates_are_what_plain_code_says() {
    let world = World::new(4);
    let asked =
        ["count(*)", "count(price)", "sum(shade)", "sum(price)", "avg(price)", "min(price)", "max(name)"];
    for (filter, above) in [("", i64::MIN), ("shade > 3", 3), ("shade > 100", 100)] {
        for grouped in [false, true] {
            let mut want: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
            if !grouped {
                want.insert(String::new(), Vec::new());
            }
            for row in world.rows.iter().filter(|row| row.shade > above) {
                want.entry(if grouped { row.name.clone() } else { String::new() }).or_default().push(row);
            }
            let mut query = Query { target: target(), filter: filter.to_owned(), ..Query::default() };
            query.output = asked.map(str::to_owned).to_vec();
            if grouped {
                query.group_by = vec!["name".to_owned()];
                query.output.push("name".to_owned());
                query.order = vec![Order { field: "name".to_owned(), is_falling: false }];
            }
            let found = world.engine.query(query).unwrap();
            if found.count.is_some() {
                continue;
            }
            let rows = found.fields[0].column.len();
            assert_eq!(rows, want.len(), "{filter} {grouped}");
            for (at, rows) in want.values().enumerate() {
                let prices: Vec<f64> = rows.iter().filter_map(|row| row.price).collect();
                let sum: f64 = prices.iter().sum();
                let some = |value: f64| if prices.is_empty() { Value::Null } else { Value::Double(value) };
                let shades = rows.iter().map(|row| row.shade).sum();
                let want = [
                    Value::Int(rows.len() as i64),
                    Value::Int(prices.len() as i64),
                    if rows.is_empty() { Value::Null } else { Value::Int(shades) },
                    some(sum),
                    some(sum / prices.len() as f64),
                    some(prices.iter().copied().fold(f64::INFINITY, f64::min)),
                    rows.iter().map(|row| row.name.clone()).max().map_or(Value::Null, Value::Text),
                ];
                let got: Vec<Value> = found.fields[..7].iter().map(|field| field.column.value(at)).collect();
                assert_eq!(got, want, "{filter} {grouped}");
            }
        }
    }
}

#[test]
fn orders_sort_and_absent_values_stand_at_the_end_they_should() {
    let world = World::new(5);
    for is_falling in [false, true] {
        let order = vec![
            Order { field: "price".to_owned(), is_falling },
            Order { field: "id".to_owned(), is_falling: true },
        ];
        let (output, filter) = (vec!["price".to_owned()], "id >= 0".to_owned());
        let query = Query {
            target: target(),
            filter,
            output,
            order,
            offset: 10,
            limit: Some(700),
            ..Query::default()
        };
        let found = world.engine.query(query).unwrap();
        let mut want = world.rows.clone();
        want.sort_by(|a, b| {
            let key = |row: &Row| row.price.unwrap_or(f64::INFINITY);
            let by_price = key(a).total_cmp(&key(b));
            (if is_falling { by_price.reverse() } else { by_price }).then(b.id.cmp(&a.id))
        });
        let want: Vec<i64> = want.iter().skip(10).map(|row| row.id).collect();
        assert_eq!(found.keys.unwrap().ints().unwrap(), want, "falling: {is_falling}");
    }
}

#[test]
fn a_hybrid_search_sums_reciprocal_ranks() {
    let world = World::new(6);
    let asked = [[0.0, 0.5, 1.25, 3.0], [5.0, 4.5, 2.25, 1.0]];
    let searches = asked.map(|query| world.search(query, 50)).to_vec();
    let mut want: BTreeMap<i64, f64> = BTreeMap::new();
    for search in &searches {
        for (rank, id) in ids(&world.engine.search(search.clone()).unwrap()).into_iter().enumerate() {
            *want.entry(id).or_default() += 1.0 / (10.0 + rank as f64 + 1.0);
        }
    }
    let hybrid = Hybrid {
        target: target(),
        partitions: vec![],
        searches,
        rank: Rank::Rrf { k: 10.0 },
        limit: 20,
        offset: 3,
        output: vec!["id".to_owned()],
        round_decimal: -1,
        ignore_growing: false,
        group: None,
        group_score: GroupScore::Max,
        zone: None,
        time: ReadTime::default(),
    };
    let found = world.engine.search(hybrid.clone()).unwrap();
    for (id, score) in ids(&found).iter().zip(&found.scores) {
        assert!((want[id] - f64::from(*score)).abs() < 1e-6, "{id}");
    }
    let mut all: Vec<f64> = want.into_values().collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let scores: Vec<f64> = found.scores.iter().map(|score| f64::from(*score)).collect();
    assert!(all[3..23].iter().zip(&scores).all(|(a, b)| (a - b).abs() < 1e-6) && scores.len() == 20);
    let short = Rank::Weighted { weights: vec![0.5], is_normalised: false };
    assert!(world.engine.search(Hybrid { rank: short, ..hybrid }).is_err());
}

#[test]
fn the_planner_tells_what_it_did_and_counts_exactly() {
    let world = World::new(7);
    let filter = "shade > 3".to_owned();
    let search = Search { explain: true, filter, ..world.search([0.0; DIM], 10) };
    let found = world.engine.search(search).unwrap();
    let matching: usize = found.explained.iter().map(|one| one.matching).sum();
    assert_eq!(matching, world.rows.iter().filter(|row| row.shade > 3).count());
    let ways: BTreeSet<&str> = found.explained.iter().map(|one| one.way).collect();
    assert_eq!(ways, BTreeSet::from(["scan of rows"]), "of so few rows all that match are measured");
    assert!(world.engine.search(world.search([0.0; DIM], 10)).unwrap().explained.is_empty());
}

#[test]
fn a_filter_on_the_partition_key_looks_into_its_partition_only() {
    let clock = Arc::new(ManualClock::at(1_000_000));
    let engine = Engine::open_still(Settings::default(), Arc::new(MemoryDisk::new()), clock).unwrap();
    let fields = vec![
        Field::new("id", Type::Int64).primary(),
        Field::new("v", Type::FloatVector).with_dim(2),
        Field { is_partition_key: true, ..Field::new("owner", Type::VarChar).with_max_length(16) },
    ];
    let create = CreateCollection {
        target: target(),
        schema: Schema { fields, ..Schema::default() },
        shards: 0,
        consistency: Consistency::Strong,
        properties: vec![],
        partitions: 8,
    };
    engine.change(Change::CreateCollection(create)).unwrap();
    engine.run(Load { target: target(), partitions: vec![] }).unwrap();
    let owner = |id: i64| format!("owner {}", id % 20);
    let named = |name: &str, column| NamedColumn { name: name.to_owned(), column, is_dynamic: false };
    let columns = vec![
        named("id", Column::from_ints((0..400).collect())),
        named("v", Column::from_vectors(2, (0..800).map(|at| at as f32).collect()).unwrap()),
        named("owner", Column::from_texts((0..400).map(owner))),
    ];
    let rows = Rows { target: target(), partition: String::new(), rows: 400, columns };
    engine.write(Write::Insert(rows)).unwrap();
    for (filter, owners) in [
        ("owner == 'owner 3'", vec![3]),
        ("id < 300 and owner in ['owner 3', 'owner 7', 'nobody']", vec![3, 7]),
        ("owner != 'owner 3'", (0..20).filter(|owner| *owner != 3).collect()),
        ("owner == 'nobody'", vec![]),
    ] {
        let most = if filter.starts_with("id") { 300 } else { 400 };
        let want: Vec<i64> = (0..most).filter(|id| owners.contains(&(id % 20))).collect();
        let query =
            Query { target: target(), filter: filter.to_owned(), limit: Some(1_000), ..Query::default() };
        let found = engine.query(query).unwrap();
        assert_eq!(found.keys.unwrap().ints().unwrap(), want, "{filter}");
        let queries = Queries::Vectors(Column::from_vectors(2, vec![0.0, 0.0]).unwrap());
        let filter = filter.to_owned();
        let search =
            Search { explain: true, filter: filter.clone(), ..Search::new(target(), queries, 1_000) };
        let found = engine.search(search).unwrap();
        let mut nearest = ids(&found);
        nearest.sort_unstable();
        assert_eq!(nearest, want, "{filter}");
        let asked = found.explained.iter().filter(|one| one.way == "scan of rows").count();
        let most = if filter.contains("!=") { 8 } else { filter.matches('\'').count() / 2 };
        assert!(found.explained.len() > 4 && asked <= most, "{filter}: {asked}");
    }
}
