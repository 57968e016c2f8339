//! Searches of vectors inside arrays of structs, by lists and one by one, against plain loops: while rows grow, from files
//! with and without an index, after deletes and after a merge.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop")]

use data::{
    Column, ColumnBuilder, Consistency, Field, Keys, Kind, Lists, Schema, Struct, Type, Value, Values,
};
use engine::api::{
    Change, Compact, CreateCollection, CreateIndex, Flush, Found, Group, Iteration, Load, NamedColumn, Order,
    Queries, Query, Rows, Search, Target, Write,
};
use engine::{Engine, ErrorKind, Settings};
use host::{ManualClock, Rng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::MemoryDisk;

const DIM: usize = 4;

/// A struct as the plain code knows it.
#[derive(Debug, Clone)]
struct Part {
    page: i64,
    vector: [f32; DIM],
}

struct World {
    engine: Arc<Engine>,
    clock: Arc<ManualClock>,
    rng: Rng,
    rows: BTreeMap<i64, Vec<Part>>,
}

fn target() -> Target {
    Target::new("", "c")
}

fn field(name: &str, element: Type, dim: usize) -> Field {
    Field { dim, ..Field::new(&Struct::field_name("parts", name), Type::Array).with_elements(element, 8) }
}

fn vector(rng: &mut Rng) -> [f32; DIM] {
    std::array::from_fn(|_| rng.normal() as f32)
}

fn flat(vectors: &[[f32; DIM]]) -> Column {
    Column::from_vectors(DIM, vectors.iter().flatten().copied().collect()).unwrap()
}

/// A column of lists of vectors.
fn lists(lists: &[Vec<[f32; DIM]>]) -> Column {
    let ends = lists.iter().scan(0_i64, |end, list| {
        *end += list.len() as i64;
        Some(*end)
    });
    let offsets: Vec<i64> = std::iter::once(0).chain(ends).collect();
    let lists = Lists::new(offsets.into(), flat(&lists.concat())).unwrap();
    Column::new(Values::Array(lists), None).unwrap()
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let settings = Settings { index_rows_min: 100, ..Settings::default() };
        let engine = Engine::open_still(settings, Arc::new(MemoryDisk::new()), clock.clone()).unwrap();
        let world = Self { engine, clock, rng: Rng::new(3), rows: BTreeMap::new() };
        let fields = vec![
            Field::new("id", Type::Int64).primary(),
            Field::new("v", Type::FloatVector).with_dim(DIM),
            field("page", Type::Int64, 0),
            field("lists", Type::FloatVector, DIM),
            field("single", Type::FloatVector, DIM),
        ];
        let one = Struct { name: "parts".to_owned(), max_capacity: 8, ..Struct::default() };
        let create = CreateCollection {
            target: target(),
            schema: Schema { fields, structs: vec![one], ..Schema::default() },
            shards: 0,
            consistency: Consistency::Strong,
            properties: vec![],
            partitions: 0,
        };
        world.engine.change(Change::CreateCollection(create)).unwrap();
        world.engine.run(Load { target: target(), partitions: vec![] }).unwrap();
        world
    }

    fn index(&self, field: &str, metric: &str) {
        let params =
            [("index_type", "HNSW"), ("metric_type", metric), ("M", "16"), ("efConstruction", "100")];
        let params = params.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let create = CreateIndex {
            target: target(),
            field: Struct::field_name("parts", field),
            name: String::new(),
            params,
            echo: vec![],
        };
        self.engine.change(Change::CreateIndex(create)).unwrap();
    }

    fn insert(&mut self, count: i64) {
        let first = self.rows.len() as i64 * 2;
        let mut new = Vec::new();
        for id in first..first + count {
            let parts =
                (0..self.rng.below(7)).map(|page| Part { page: page as i64, vector: vector(&mut self.rng) });
            new.push((id, parts.collect::<Vec<Part>>()));
        }
        let mut pages = ColumnBuilder::of(Kind::array(Type::Int64, 0));
        for (_, parts) in &new {
            pages.push(&Value::List(parts.iter().map(|part| Value::Int(part.page)).collect()));
        }
        let vectors = lists(
            &new.iter().map(|(_, parts)| parts.iter().map(|part| part.vector).collect()).collect::<Vec<_>>(),
        );
        let named = |name: &str, column| NamedColumn { name: name.to_owned(), column, is_dynamic: false };
        let columns = vec![
            named("id", Column::from_ints(new.iter().map(|(id, _)| *id).collect())),
            named("v", flat(&vec![[1.0; DIM]; new.len()])),
            named(&Struct::field_name("parts", "page"), pages.finish()),
            named(&Struct::field_name("parts", "lists"), vectors.clone()),
            named(&Struct::field_name("parts", "single"), vectors),
        ];
        let rows = Rows { target: target(), partition: String::new(), rows: new.len(), columns };
        self.engine.write(Write::Insert(rows)).unwrap();
        self.rows.extend(new);
    }

    fn settle(&self) {
        self.engine.run(Flush { targets: vec![target()] }).unwrap();
        self.clock.advance_ms(10);
        (0..6).for_each(|_| self.engine.tend());
    }

    fn search(&self, field: &str, queries: Queries, filter: &str) -> Found {
        let search = Search {
            field: Struct::field_name("parts", field),
            filter: filter.to_owned(),
            params: vec![("ef".to_owned(), "200".to_owned())],
            ..Search::new(target(), queries, 10)
        };
        self.engine.search(search).unwrap()
    }

    /// Every struct that `keep` lets pass, nearest first.
    fn singles(&self, query: [f32; DIM], keep: impl Fn(i64, &Part) -> bool) -> Vec<(f32, i64, u32)> {
        let mut all = Vec::new();
        for (id, parts) in &self.rows {
            let kept = parts.iter().zip(0_u32..).filter(|(part, _)| keep(*id, part));
            all.extend(kept.map(|(part, place)| (cosine(query, part.vector), *id, place)));
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all
    }

    fn check(&mut self, when: &str) {
        let tokens: Vec<[f32; DIM]> = (0..3).map(|_| vector(&mut self.rng)).collect();
        let other = vec![tokens[1]];
        let found = self.search("lists", Queries::Lists(lists(&[tokens.clone(), other.clone()])), "id != 4");
        let mut start = 0;
        for (query, count) in [tokens, other].iter().zip(&found.counts) {
            let mut want: Vec<(f32, i64)> = Vec::new();
            for (id, parts) in self.rows.iter().filter(|(id, parts)| **id != 4 && !parts.is_empty()) {
                let best = |token: &[f32; DIM]| {
                    parts.iter().map(|part| cosine(*token, part.vector)).fold(f32::MIN, f32::max)
                };
                want.push((query.iter().map(best).sum(), *id));
            }
            want.sort_by(|a, b| b.0.total_cmp(&a.0));
            let got = &found.keys.ints().unwrap()[start..start + count];
            assert_eq!(got, want[..10].iter().map(|(_, id)| *id).collect::<Vec<_>>(), "lists, {when}");
            for (score, (want, _)) in found.scores[start..start + count].iter().zip(&want) {
                assert!((score - want).abs() < 1e-4, "lists, {when}: {score} {want}");
            }
            start += count;
        }
        self.check_keys(when);
        let query = vector(&mut self.rng);
        for (filter, least) in [("", 0), ("id > 3 and element_filter(parts, $[page] >= 2)", 2)] {
            let found = self.search("single", Queries::Vectors(flat(&[query])), filter);
            let want = self.singles(query, |id, part| least == 0 || id > 3 && part.page >= least);
            let got = places(&found);
            assert_eq!(
                got,
                want[..10].iter().map(|one| (one.1, one.2)).collect::<Vec<_>>(),
                "{filter}, {when}"
            );
        }
        self.check_groups(query, when);
        self.check_query(when);
    }

    /// The lists of rows as queries; a row without structs finds nothing.
    fn check_keys(&self, when: &str) {
        let with = |is_empty: bool| self.rows.iter().find(|(_, parts)| parts.is_empty() == is_empty).unwrap();
        let (asked, blank) = (with(false), *with(true).0);
        let tokens: Vec<[f32; DIM]> = asked.1.iter().map(|part| part.vector).collect();
        let keys = Keys::new(Column::from_ints(vec![blank, *asked.0, blank])).unwrap();
        let by_keys = self.search("lists", Queries::Keys(keys), "");
        let by_lists = self.search("lists", Queries::Lists(lists(&[tokens])), "");
        assert_eq!(by_keys.counts, [0, 10, 0], "{when}");
        assert_eq!(by_keys.keys.ints(), by_lists.keys.ints(), "{when}");
        assert_eq!(by_keys.scores, by_lists.scores, "{when}");
    }

    fn check_groups(&self, query: [f32; DIM], when: &str) {
        let group = Group { fields: vec!["id".to_owned()], size: 1, is_strict: false };
        let search = Search {
            field: Struct::field_name("parts", "single"),
            params: vec![("ef".to_owned(), "200".to_owned())],
            group: Some(group),
            ..Search::new(target(), Queries::Vectors(flat(&[query])), 10)
        };
        let found = self.engine.search(search).unwrap();
        let mut seen = BTreeSet::new();
        let best = self.singles(query, |_, _| true).into_iter().filter(|one| seen.insert(one.1)).take(10);
        assert_eq!(places(&found), best.map(|one| (one.1, one.2)).collect::<Vec<_>>(), "groups, {when}");
    }

    /// Windows of structs that pass a filter, in the order of keys.
    fn check_query(&self, when: &str) {
        let mut want = Vec::new();
        for (id, parts) in &self.rows {
            want.extend(
                (0_u32..)
                    .zip(parts)
                    .filter(|(_, part)| part.page == 1 || part.page == 4)
                    .map(|(place, _)| (*id, place)),
            );
        }
        let count = Query {
            target: target(),
            filter: "element_filter(parts, $[page] in [1, 4])".to_owned(),
            output: vec!["count(*)".to_owned()],
            ..Query::default()
        };
        let count = self.engine.query(count).unwrap().count;
        assert_eq!(count, Some(want.len() as u64), "count, {when}");
        let sums = Query {
            target: target(),
            filter: "element_filter(parts, $[page] in [1, 4])".to_owned(),
            output: vec!["id".to_owned(), "count(*)".to_owned(), "sum(id)".to_owned()],
            group_by: vec!["id".to_owned()],
            order: vec![Order { field: "id".to_owned(), is_falling: false }],
            ..Query::default()
        };
        let sums = self.engine.query(sums).unwrap();
        let mut each: BTreeMap<i64, i64> = BTreeMap::new();
        want.iter().for_each(|(id, _)| *each.entry(*id).or_default() += 1);
        let ints = |at: usize| -> Vec<i64> {
            let column = &sums.fields[at].column;
            (0..column.len()).map(|row| as_int(&column.value(row))).collect()
        };
        let told = ints(0).into_iter().zip(ints(1)).zip(ints(2)).map(|((id, count), sum)| (id, count, sum));
        let each = each.into_iter().map(|(id, count)| (id, count, id * count));
        assert_eq!(told.collect::<Vec<_>>(), each.collect::<Vec<_>>(), "groups of structs, {when}");
        for (offset, limit) in [(0, None), (5, Some(11))] {
            let query = Query {
                target: target(),
                filter: "element_filter(parts, $[page] in [1, 4])".to_owned(),
                output: vec!["id".to_owned()],
                offset,
                limit,
                ..Query::default()
            };
            let found = self.engine.query(query).unwrap();
            let (keys, elements) = (found.keys.unwrap(), found.elements.unwrap());
            let rows = keys.ints().unwrap().iter().zip(&elements);
            let got: Vec<(i64, u32)> =
                rows.flat_map(|(id, elements)| elements.iter().map(|element| (*id, *element))).collect();
            let want = want.iter().copied().skip(offset).take(limit.unwrap_or(usize::MAX));
            assert_eq!(got, want.collect::<Vec<_>>(), "query, {when}");
        }
    }
}

fn as_int(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        _ => i64::MIN,
    }
}

fn places(found: &Found) -> Vec<(i64, u32)> {
    found.keys.ints().unwrap().iter().copied().zip(found.elements.clone().unwrap()).collect()
}

fn cosine(a: [f32; DIM], b: [f32; DIM]) -> f32 {
    let dot = |a: [f32; DIM], b: [f32; DIM]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn lists_and_single_structs_are_found_as_a_loop_finds_them() {
    let mut world = World::new();
    world.insert(150);
    world.check("growing");
    world.settle();
    world.insert(2_000);
    world.check("sealed and growing");
    world.settle();
    world.check("sealed");
    world.index("lists", "MAX_SIM_COSINE");
    world.index("single", "COSINE");
    world.settle();
    world.check("by index");
    let gone: Vec<i64> = world.rows.keys().copied().filter(|id| id % 3 == 0).collect();
    let (partition, filter) = (String::new(), format!("id in {gone:?}"));
    let delete = Write::Delete { target: target(), partition, filter, templates: BTreeMap::new() };
    world.engine.write(delete).unwrap();
    world.rows.retain(|id, _| id % 3 != 0);
    world.check("after deletes");
    world.engine.run(Compact { target: target(), id: None }).unwrap();
    world.clock.advance_ms(100_000);
    world.settle();
    world.check("merged");
}

#[test]
fn what_lists_cannot_do_is_refused() {
    let mut world = World::new();
    world.insert(20);
    world.index("lists", "MAX_SIM");
    world.index("single", "L2");
    let list = || Queries::Lists(lists(&[vec![[1.0; DIM]]]));
    let one = || Queries::Vectors(flat(&[[1.0; DIM]]));
    let group = |field: &str| Some(Group { fields: vec![field.to_owned()], size: 1, is_strict: false });
    let of = |field: &str, queries| Search {
        field: Struct::field_name("parts", field),
        ..Search::new(target(), queries, 3)
    };
    let radius = || vec![("radius".to_owned(), "1".to_owned())];
    for (search, part) in [
        (of("lists", one()), "vector type must be the same"),
        (of("single", list()), "vector type must be the same"),
        (of("lists", Queries::Lists(lists(&[vec![]]))), "empty"),
        (
            Search { group: group("id"), ..of("lists", list()) },
            "group by is not supported for multi-search-multi on embedding list fields: invalid parameter[expected=][actual=]",
        ),
        (
            Search { params: radius(), ..of("lists", list()) },
            "range search is not supported for multi-search-multi on embedding list fields: invalid parameter",
        ),
        (
            Search { iteration: Some(Iteration { after: None }), ..of("lists", list()) },
            "search iterator is not supported for multi-search-multi on embedding list fields: invalid parameter",
        ),
        (
            Search { group: group("id"), params: radius(), ..of("lists", list()) },
            "Not allowed to do range-search when doing search-group-by",
        ),
        (
            Search { group: group("id"), iteration: Some(Iteration { after: None }), ..of("single", one()) },
            "Not allowed to do groupBy when doing iteration",
        ),
        (
            Search { group: group("page"), ..of("single", one()) },
            "only group by primary key is supported for element-level search",
        ),
        (
            of("single", Queries::Keys(Keys::new(Column::from_ints(vec![2])).unwrap())),
            "field is not a vector field",
        ),
        (Search { metric: "COSINE".to_owned(), ..of("lists", list()) }, "metric type not match"),
        (Search { metric: "MAX_SIM_L2".to_owned(), ..of("single", one()) }, "metric type not match"),
        (of("page", one()), "not a vector field"),
    ] {
        let error = world.engine.search(search).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let narrow = Column::from_vectors(1, vec![1.0; DIM + 1]).unwrap();
    let narrow = Lists::new(vec![0, DIM as i64 + 1].into(), narrow).unwrap();
    let narrow = Column::new(Values::Array(narrow), None).unwrap();
    let error = world.engine.search(of("lists", Queries::Lists(narrow))).unwrap_err();
    assert!(error.to_string().contains("vector dimension mismatch"), "{error}");
}
