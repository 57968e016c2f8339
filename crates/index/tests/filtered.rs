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
