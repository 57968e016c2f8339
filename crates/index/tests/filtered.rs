//! Searches among few rows: how they choose their way, and that rows far from the query are found, too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sets;

use std::sync::atomic::{AtomicU64, Ordering};

use host::{Cancel, Pool};
use index::{Costs, Element, Index, Metric, Spec, Way};
use sets::{Rows, built, effort, naive, opened, recall};
use simd::Bits;

const ROWS: usize = 20_000;
const DIM: usize = 16;
const QUERIES: usize = 40;

fn graph() -> Spec {
    let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "16"), ("efConstruction", "100")];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Spec::parse(Element::F32, DIM, &params).unwrap()
}

#[test]
fn rows_on_one_side_are_found_from_the_other() {
    let spec = graph();
    let (rows, queries) = (Rows::new(Element::F32, ROWS, DIM, 1), Rows::new(Element::F32, QUERIES, DIM, 2));
    let (rows, queries) = (rows.view(), queries.view());
    let Rows::Floats(_, values) = &Rows::new(Element::F32, ROWS, DIM, 1) else { panic!("floats") };
    // Images of before have no lists: among fewer rows than match here a walk then follows links.
    let with_lists = built(&spec, rows, &Pool::inline());
    let mut without = with_lists.clone();
    without.sections.retain(|(name, _)| !name.starts_with("list-"));
    let query = spec.query(10, &effort(48)).unwrap();
    let half = Bits::from_fn(ROWS, |row| values[row * DIM] > 0.0);
    let quarter = Bits::from_fn(ROWS, |row| values[row * DIM] > 0.0 && values[row * DIM + 1] > 1.0);
    let some = Bits::from_fn(ROWS, |row| row * 7919 % ROWS < ROWS * 2 / 5);
    // Of the quarter, queries far from it find little that leads from one piece to the next.
    let masks = [(half, 0.97, Way::Graph), (quarter, 0.85, Way::Lists), (some, 0.97, Way::Graph)];
    let images = [(with_lists, true), (without, false)];
    for ((image, has_lists), (mask, floor, way)) in
        images.iter().flat_map(|image| masks.iter().map(move |mask| (image, mask)))
    {
        let index = Index::open(&spec, image.clone(), ROWS).unwrap();
        assert_eq!(index.way(&query, mask.count()), if *has_lists { *way } else { Way::Graph });
        let hits = index.search(rows, queries, &query, Some(mask), &Cancel::new()).unwrap();
        let mut found = 0.0;
        for (q, hits) in hits.iter().enumerate() {
            assert!(hits.len() == 10 && hits.rows.iter().all(|row| mask.get(*row as usize)));
            let truth = naive(Metric::L2, rows, queries, q, 10, |row, _| mask.get(row));
            found += recall(hits, &truth, Metric::L2) / QUERIES as f64;
        }
        assert!(found >= *floor, "{} match, lists {has_lists}: recall {found}", mask.count());
    }
}

#[test]
fn rows_in_lists_are_found_whatever_the_mask_has_to_do_with_them() {
    const DIM: usize = 96;
    // So many that 0.02 is more than chance.
    const QUERIES: usize = 400;
    let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "16"), ("efConstruction", "100")];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let spec = Spec::parse(Element::F32, DIM, &params).unwrap();
    let mut rng = host::Rng::new(4);
    let noise = (0..ROWS * DIM).map(|_| rng.normal() as f32).collect();
    let noise_queries = (0..QUERIES * DIM).map(|_| rng.normal() as f32).collect();
    let clusters = |count, seed| Rows::new(Element::F32, count, DIM, seed);
    let sets = [
        (clusters(ROWS, 1), clusters(QUERIES, 2), 0.96),
        (Rows::Floats(DIM, noise), Rows::Floats(DIM, noise_queries), 0.85),
    ];
    for (rows, queries, floor) in sets {
        let Rows::Floats(_, values) = &rows else { panic!("floats") };
        let (rows, queries) = (rows.view(), queries.view());
        let index = opened(&spec, rows);
        let query = spec.query(10, &effort(48)).unwrap();
        let masks = [
            (Bits::from_fn(ROWS, |row| values[row * DIM] > 0.0), Way::Graph),
            (Bits::from_fn(ROWS, |row| values[row * DIM] > 0.8 && values[row * DIM + 1] > 0.0), Way::Lists),
            (Bits::from_fn(ROWS, |row| row * 7919 % ROWS < ROWS / 4), Way::Lists),
            (Bits::from_fn(ROWS, |row| row * 7919 % ROWS < ROWS * 9 / 10), Way::Graph),
            (Bits::from_fn(ROWS, |row| values[row * DIM] > 0.5 && row % 50 == 0), Way::Codes),
        ];
        let found = |mask: Option<&Bits>| {
            let hits = index.search(rows, queries, &query, mask, &Cancel::new()).unwrap();
            let matches = |row: usize| mask.is_none_or(|mask| mask.get(row));
            let shares = hits.iter().enumerate().map(|(q, hits)| {
                assert!(hits.len() == 10 && hits.rows.iter().all(|row| matches(*row as usize)));
                let truth = naive(Metric::L2, rows, queries, q, 10, |row, _| matches(row));
                recall(hits, &truth, Metric::L2) / QUERIES as f64
            });
            shares.sum::<f64>()
        };
        let bare = found(None);
        for (mask, way) in masks {
            assert_eq!(index.way(&query, mask.count()), way, "{}", mask.count());
            let found = found(Some(&mask));
            // A walk that leaves out a few finds as much as one that does not.
            let floor = if way == Way::Graph { bare - 0.02 } else { floor };
            assert!(found >= floor, "{} match: recall {found}, of all {bare}", mask.count());
        }
    }
}

#[test]
fn costs_are_measured_once_by_a_clock_that_moves() {
    let spec = graph();
    let rows = Rows::new(Element::F32, ROWS, DIM, 1);
    let standing = opened(&spec, rows.view());
    standing.calibrate(rows.view(), &|| 7);
    assert_eq!(standing.costs(), Some(Costs::default()));

    let index = opened(&spec, rows.view());
    // Each look at the clock takes longer than all before it.
    let now = AtomicU64::new(1000);
    let now_ns = || now.fetch_add(now.load(Ordering::Relaxed), Ordering::Relaxed);
    index.calibrate(rows.view(), &now_ns);
    let costs = index.costs().unwrap();
    assert!(!costs.is_measured || costs.node_ns > costs.row_ns, "{costs:?}");

    let index = opened(&spec, rows.view());
    let now = AtomicU64::new(0);
    let now_ns = || now.fetch_add(1_000_000, Ordering::Relaxed);
    index.calibrate(rows.view(), &now_ns);
    let costs = index.costs().unwrap();
    assert!(costs.is_measured && costs.node_ns > costs.row_ns, "{costs:?}");
    index.calibrate(rows.view(), &|| panic!("measured once"));
    // Where rows and lists cost as much as each other, a walk among few rows does not pay.
    let query = spec.query(10, &effort(48)).unwrap();
    assert_eq!(index.way(&query, ROWS / 20), Way::Codes);
}

#[test]
fn lists_measure_their_costs_and_find_the_same() {
    const ROWS: usize = 5000;
    let rows = Rows::new(Element::F32, ROWS, DIM, 1);
    let queries = Rows::new(Element::F32, QUERIES, DIM, 2);
    let (rows, queries) = (rows.view(), queries.view());
    // A clock that stands, one that has all steps cost the same, and one that says that measuring rows is dear, or cheap: it is asked
    // eight times a turn, and rows are measured between the fifth and the last but one.
    let tick = |steps: [u64; 8]| {
        let (now, asked) = (AtomicU64::new(0), AtomicU64::new(0));
        move || {
            let step = steps[asked.fetch_add(1, Ordering::Relaxed) as usize % 8];
            now.fetch_add(step, Ordering::Relaxed) + step
        }
    };
    const MUCH: u64 = 1_000_000_000;
    let (dear, cheap) = ([0, 1, 1, 1, 1, MUCH, MUCH, 1], [0, 1, MUCH, MUCH, MUCH, 1, 1, MUCH]);
    for kind in ["IVF_FLAT", "IVF_SQ8", "IVF_PQ", "IVF_RABITQ", "SCANN"] {
        let params = [("index_type", kind), ("metric_type", "L2"), ("nlist", "64"), ("m", "8")];
        let params = params.iter().filter(|(name, _)| *name != "m" || kind == "IVF_PQ");
        let params: Vec<_> = params.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let spec = Spec::parse(Element::F32, DIM, &params).unwrap();
        let query = spec.query(10, &[("nprobe".to_owned(), "16".to_owned())]).unwrap();
        let (mut switches, image) = (Vec::new(), built(&spec, rows, &Pool::inline()));
        for steps in [[0; 8], [1_000_000; 8], dear, cheap] {
            let index = Index::open(&spec, image.clone(), rows.len()).unwrap();
            index.calibrate(rows, &tick(steps));
            index.calibrate(rows, &|| panic!("measured once"));
            let is_row = |matching: &usize| index.way(&query, *matching) == Way::Rows;
            switches.push((1..ROWS).take_while(is_row).count());
            let mut floor = 0.0;
            for part in [1, 2, 20, 100] {
                let mask = Bits::from_fn(ROWS, |row| row * 7919 % part == 0);
                let hits = index.search(rows, queries, &query, Some(&mask), &Cancel::new()).unwrap();
                let shares = hits.iter().enumerate().map(|(q, hits)| {
                    assert!(hits.len() == 10 && hits.rows.iter().all(|row| mask.get(*row as usize)));
                    let truth = naive(Metric::L2, rows, queries, q, 10, |row, _| mask.get(row));
                    recall(hits, &truth, Metric::L2) / QUERIES as f64
                });
                let found = shares.sum::<f64>();
                let is_exact = part > 1 && index.way(&query, mask.count()) == Way::Rows;
                assert!(found >= if is_exact { 1.0 } else { floor }, "{kind}, 1 of {part}: {found}, {floor}");
                // Few rows are found as well as all are.
                floor = if part == 1 { found - 0.1 } else { floor };
            }
        }
        let [usual, _, dear, cheap] = switches[..] else { panic!("four clocks") };
        assert!(dear < usual && usual < cheap, "{kind}: {switches:?}");
    }
}

/// Clusters in 96 dimensions, queries, and the rows of five of the clusters: those of the others lie far from all of these.
fn apart() -> (Rows, Rows, Bits) {
    const DIM: usize = 96;
    let (values, centres) = (sets::clusters(ROWS, DIM, 1), sets::clusters(ROWS, DIM, 99));
    let nearest = |row: usize| {
        let far = |centre: usize| -> f32 {
            let pair = values[row * DIM..][..DIM].iter().zip(&centres[centre * DIM..][..DIM]);
            pair.map(|(a, b)| (a - b) * (a - b)).sum()
        };
        (0..40).min_by(|a, b| far(*a).total_cmp(&far(*b)))
    };
    let mask = Bits::from_fn(ROWS, |row| nearest(row) < Some(12));
    (Rows::Floats(DIM, values), Rows::new(Element::F32, QUERIES, DIM, 2), mask)
}

#[test]
fn rows_that_are_asked_for_often_get_a_graph_of_their_own() {
    let (rows, queries, mask) = apart();
    let (rows, queries) = (rows.view(), queries.view());
    let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "16"), ("efConstruction", "100")];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let spec = Spec::parse(Element::F32, 96, &params).unwrap();
    let (index, query, cancel) = (opened(&spec, rows), spec.query(10, &effort(24)).unwrap(), Cancel::new());
    let count = mask.count();
    assert!((ROWS / 5..ROWS / 2).contains(&count), "{count}");
    let ask = |mask: &Bits| index.search(rows, queries, &query, Some(mask), &cancel).unwrap();
    let found = |mask: &Bits| {
        let hits = ask(mask);
        let shares = hits.iter().enumerate().map(|(q, hits)| {
            assert!(hits.len() == 10 && hits.rows.iter().all(|row| mask.get(*row as usize)));
            let truth = naive(Metric::L2, rows, queries, q, 10, |row, _| mask.get(row));
            recall(hits, &truth, Metric::L2) / QUERIES as f64
        });
        shares.sum::<f64>()
    };
    // The same without the rows that lie around some of the queries.
    let mut fewer = mask.clone();
    for q in 0..QUERIES / 4 {
        naive(Metric::L2, rows, queries, q, 150, |row, _| mask.get(row))
            .iter()
            .for_each(|(row, _)| fewer.set(*row as usize, false));
    }
    let (before, fewer_before) = (found(&mask), found(&fewer));
    assert!(index.wants_subgraph().is_none() && index.way_among(&query, &mask) == Way::Lists);
    (0..count / 2 / QUERIES).for_each(|_| _ = ask(&mask));
    let wanted = index.wants_subgraph().unwrap();
    assert_eq!(*wanted, mask);

    let bare_bytes = index.memory_bytes();
    let build = |pool: &Pool| index.build_subgraph(rows, &wanted, 1, pool, &cancel).unwrap();
    let (one, two) = (build(&Pool::inline()), build(&Pool::new("build", 2).unwrap()));
    assert_eq!(format!("{one:?}"), format!("{two:?}"), "the same at any number of threads");
    let bytes = one.memory_bytes();
    index.keep_subgraph(one);
    assert!(index.wants_subgraph().is_none() && index.way_among(&query, &mask) == Way::Subgraph);
    assert_eq!(index.memory_bytes(), bare_bytes + bytes);
    let with = found(&mask);
    // These queries lie far from nearly all rows that match, where those are about equally near.
    assert!(with >= 0.88 && with >= before - 0.03, "{before} before, {with} now");

    // Another filter that passes most of these rows and no others goes along it, too.
    assert_eq!(index.way_among(&query, &fewer), Way::Subgraph);
    let with = found(&fewer);
    assert!(with >= fewer_before - 0.03, "{fewer_before} before, {with} now");
    // One that passes few of them does not, and neither does one that passes others.
    let few = Bits::from_fn(ROWS, |row| mask.get(row) && row % 3 == 0);
    let others = Bits::from_fn(ROWS, |row| mask.get(row) || row == 0 || row == 1 || row % 1000 == 0);
    assert!(few.count() < count / 2 && index.way_among(&query, &few) != Way::Subgraph);
    assert!(index.way_among(&query, &others) != Way::Subgraph);

    index.forget_subgraphs();
    assert_eq!(index.memory_bytes(), bare_bytes);
    assert_eq!((index.way_among(&query, &mask), found(&mask)), (Way::Lists, before));
    index.build_subgraph(rows, &Bits::ones(ROWS - 1), 1, &Pool::inline(), &cancel).unwrap_err();
}

#[test]
fn subgraphs_share_half_the_rows_by_how_often_they_are_asked_for() {
    const DIM: usize = 64;
    let params = [("index_type", "HNSW"), ("metric_type", "L2"), ("M", "4"), ("efConstruction", "8")];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let spec = Spec::parse(Element::F32, DIM, &params).unwrap();
    let (rows, queries) = (Rows::new(Element::F32, 8000, DIM, 1), Rows::new(Element::F32, 100, DIM, 2));
    let (rows, queries) = (rows.view(), queries.view());
    let (index, query, cancel) = (opened(&spec, rows), spec.query(2, &effort(4)).unwrap(), Cancel::new());
    let part = |part: usize, of: usize| Bits::from_fn(8000, |row| row % of == part);
    let ask = |mask: &Bits, times: usize| {
        (0..times).for_each(|_| _ = index.search(rows, queries, &query, Some(mask), &cancel).unwrap());
    };
    let serve = || {
        let mask = index.wants_subgraph().unwrap();
        index.keep_subgraph(index.build_subgraph(rows, &mask, 1, &Pool::inline(), &cancel).unwrap());
        mask
    };
    let has = |mask: &Bits| index.way_among(&query, mask) == Way::Subgraph;
    let (first, second, third, most) =
        (part(0, 5), part(1, 5), part(2, 5), Bits::from_fn(8000, |row| row % 4 > 0));
    ask(&first, 20);
    assert_eq!(*serve(), first);
    ask(&second, 15);
    assert_eq!(*serve(), second);
    assert!(has(&first) && has(&second), "two fifths of the rows");
    // There is no room for a third that is not asked for more than one of the two.
    ask(&first, 20);
    ask(&second, 10);
    ask(&third, 12);
    assert!(index.wants_subgraph().is_none());
    ask(&third, 20);
    assert_eq!(*serve(), third);
    assert!(has(&first) && has(&third) && !has(&second), "who was asked for least goes");
    // All rows but some never have room, and what is declined is counted anew.
    ask(&most, 100);
    assert!(index.wants_subgraph().is_none());
    ask(&second, 60);
    index.decline_subgraph(&index.wants_subgraph().unwrap());
    assert!(index.wants_subgraph().is_none());
}
