//! Graphs on disk: what is read and kept, and what becomes of damage.

mod sets;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use host::{Cancel, Pool, Progress};
use index::{
    BuildBytes, Element, Error, Hits, Image, Index, Metric, PAGE_BYTES, Pages, Query, Spec, Vectors,
    build_paged, scan,
};
use proptest::prelude::*;
use sets::{Rows, built, naive, pairs, recall};
use simd::Bits;

const ROWS: usize = 2500;

/// Pages that count what is read of them, and fail from some read on.
#[derive(Debug)]
struct Counted {
    nodes: Bytes,
    pieces: AtomicU64,
    left: AtomicU64,
}

impl Pages for Counted {
    fn count(&self) -> u64 {
        self.nodes.count()
    }

    fn read(&self, first: &[u64], into: &mut [u8]) -> io::Result<()> {
        assert_eq!(into.len() % (first.len() * PAGE_BYTES), 0);
        assert_eq!(
            into.as_ptr().align_offset(PAGE_BYTES),
            0,
            "as the system wants it for reads past its cache"
        );
        self.pieces.fetch_add(first.len() as u64, Ordering::Relaxed);
        let take = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return Err(io::Error::other("the disk is gone"));
        }
        self.nodes.read(first, into)
    }
}

#[expect(clippy::unwrap_used, reason = "parameters of a test are valid")]
fn spec(element: Element, dim: usize, params: &[(&str, &str)]) -> Spec {
    let given = [("index_type", "DISKANN"), ("metric_type", "L2"), ("max_degree", "16")];
    // What comes first counts.
    let mut all = params.to_vec();
    all.extend(given.iter().filter(|(name, _)| params.iter().all(|(known, _)| known != name)));
    Spec::parse(element, dim, &pairs(&all)).unwrap()
}

/// An image without the nodes, and the nodes.
#[expect(clippy::unwrap_used, reason = "a disk index has the section")]
fn split(spec: &Spec, mut image: Image, reads: u64) -> (Image, Arc<Counted>) {
    let name = spec.paged_section().unwrap();
    let place = image.sections.iter().position(|(key, _)| key == name).unwrap();
    let (_, nodes) = image.sections.remove(place);
    (image, Arc::new(Counted { nodes, pieces: AtomicU64::new(0), left: AtomicU64::new(reads) }))
}

#[expect(clippy::unwrap_used, reason = "nothing cancels it")]
fn search(
    index: &Index,
    rows: Vectors<'_>,
    queries: Vectors<'_>,
    query: &Query,
    mask: Option<&Bits>,
) -> Vec<Hits> {
    index.search(rows, queries, query, mask, &Cancel::new()).unwrap()
}

#[expect(clippy::unwrap_used, reason = "nothing cancels it")]
fn exact(metric: Metric, rows: Vectors<'_>, queries: Vectors<'_>, query: &Query) -> Vec<Hits> {
    let mut hits = vec![Hits::default(); queries.len()];
    scan(metric, rows, queries, 0, None, query, &mut hits, &Cancel::new()).unwrap();
    hits
}

#[test]
fn what_is_read_in_pages_is_found_as_in_memory_and_counted() {
    let variants: [&[(&str, &str)]; 11] = [
        &[],
        // Some links of every slot.
        &[("search_cache_budget_gb_ratio", "0.15")],
        &[("search_cache_budget_gb_ratio", "0.2"), ("metric_type", "IP")],
        &[("search_cache_budget_gb_ratio", "0")],
        &[("search_cache_budget_gb_ratio", "1"), ("metric_type", "COSINE")],
        &[("search_cache_budget_gb_ratio", "0.3"), ("metric_type", "IP")],
        &[("index_type", "AISAQ")],
        &[("index_type", "AISAQ"), ("search_cache_budget_gb_ratio", "0.4"), ("metric_type", "IP")],
        &[("index_type", "AISAQ"), ("search_cache_budget_gb_ratio", "0"), ("pq_code_budget_gb_ratio", "0.2")],
        &[("index_type", "AISAQ"), ("inline_pq", "12"), ("pq_code_budget_gb_ratio", "0.2")],
        &[("index_type", "AISAQ"), ("rearrange", "false"), ("metric_type", "COSINE")],
    ];
    let (rows, queries) = (Rows::new(Element::F32, ROWS, 40, 1), Rows::new(Element::F32, 20, 40, 2));
    let (rows, queries) = (rows.view(), queries.view());
    for params in variants {
        let spec = spec(Element::F32, 40, params);
        let image = built(&spec, rows, &Pool::inline());
        let whole = Index::open(&spec, image.clone(), ROWS).unwrap();
        let (image, pages) = split(&spec, image, u64::MAX);
        let paged = Index::open_paged(&spec, &image, ROWS, pages.clone()).unwrap();
        assert_eq!(paged.memory_bytes(), whole.memory_bytes());
        let all = image.bytes() + pages.nodes.len() as u64;
        // Of all rows with lists it also knows the slot.
        assert!(paged.memory_bytes() < all - pages.nodes.len() as u64 + 4 * ROWS as u64);
        for width in ["1", "4", "16"] {
            let query = spec.query(10, &pairs(&[("search_list", "40"), ("beamwidth", width)])).unwrap();
            let before = paged.reads().unwrap();
            let read = pages.pieces.load(Ordering::Relaxed);
            let hits = search(&paged, rows, queries, &query, None);
            assert_eq!(hits, search(&whole, rows, queries, &query, None));
            let found = hits.iter().enumerate().map(|(q, hits)| {
                recall(hits, &naive(spec.metric(), rows, queries, q, 10, |_, _| true), spec.metric())
            });
            let found = found.sum::<f64>() / 20.0;
            assert!(found > 0.93, "{params:?}: {found}");
            let reads = paged.reads().unwrap();
            assert_eq!(reads.queries - before.queries, 20);
            assert_eq!(reads.reads - before.reads, pages.pieces.load(Ordering::Relaxed) - read);
            // A walk follows little more than it keeps.
            assert!(reads.reads - before.reads <= 20 * 60, "{params:?}: {reads:?} after {before:?}");
            assert!(reads.rounds - before.rounds <= reads.reads - before.reads);
            assert_eq!(reads.failures, 0);
        }
    }
}

#[test]
fn links_in_memory_are_never_read() {
    let rows = Rows::new(Element::F32, ROWS, 64, 1);
    let read = |share: &str| {
        let spec = spec(Element::F32, 64, &[("search_cache_budget_gb_ratio", share)]);
        let (image, pages) = split(&spec, built(&spec, rows.view(), &Pool::inline()), u64::MAX);
        let index = Index::open_paged(&spec, &image, ROWS, pages).unwrap();
        let query = spec.query(10, &pairs(&[("search_list", "60")])).unwrap();
        search(&index, rows.view(), rows.view().slice(0..20), &query, None);
        let budget: f64 = share.parse::<f64>().unwrap() * (ROWS * 64 * 4) as f64;
        (index.reads().unwrap().reads, index.memory_bytes() as f64 - budget)
    };
    let [none, some, all] = ["0", "0.05", "0.5"].map(read);
    assert!(all.0 < some.0 && some.0 < none.0, "{none:?} {some:?} {all:?}");
    // Rows are measured still, but no more of them than it takes.
    assert!(all.0 <= 20 * 18, "{all:?}");
    // The budget is kept, where it is used at all.
    assert!(some.1 <= none.1 + 16.0, "{none:?} {some:?}");
}

#[test]
fn where_nodes_are_damaged_or_gone_every_row_is_looked_at() {
    let (rows, queries) = (Rows::new(Element::F32, ROWS, 40, 1), Rows::new(Element::F32, 10, 40, 2));
    let (rows, queries) = (rows.view(), queries.view());
    for kind in ["DISKANN", "AISAQ"] {
        let spec = spec(Element::F32, 40, &[("index_type", kind)]);
        let image = built(&spec, rows, &Pool::inline());
        let query = spec.query(10, &[]).unwrap();
        let want = exact(Metric::L2, rows, queries, &query);
        // Every block has a bit that is not what it was.
        let (less, whole) = split(&spec, image.clone(), u64::MAX);
        let mut nodes = whole.nodes.to_vec();
        nodes
            .chunks_mut(PAGE_BYTES)
            .enumerate()
            .for_each(|(i, page)| page[i * 37 % PAGE_BYTES] ^= 1 << (i % 8));
        let damaged = Arc::new(Bytes::from(nodes));
        let index = Index::open_paged(&spec, &less, ROWS, damaged).unwrap();
        assert_eq!(search(&index, rows, queries, &query, None), want);
        assert_eq!(index.reads().unwrap().failures, 10);
        // The disk goes away in the middle of it.
        for reads in [0, 1, 7] {
            let (less, failing) = split(&spec, image.clone(), reads);
            let index = Index::open_paged(&spec, &less, ROWS, failing).unwrap();
            let hits = search(&index, rows, queries, &query, None);
            assert!(index.reads().unwrap().failures > 0);
            assert_eq!(hits.last(), want.last());
        }
        // Blocks that changed places are not what they should be, either.
        let mut nodes = whole.nodes.to_vec();
        nodes.rotate_left(PAGE_BYTES);
        let index = Index::open_paged(&spec, &less, ROWS, Arc::new(Bytes::from(nodes))).unwrap();
        assert_eq!(search(&index, rows, queries, &query, None), want);
        for short in [whole.nodes.slice(PAGE_BYTES..), whole.nodes.slice(..0)] {
            let refused = Index::open_paged(&spec, &less, ROWS, Arc::new(short));
            assert!(matches!(refused, Err(Error::Corrupt { what: "nodes" })));
        }
    }
}

#[test]
fn rows_of_any_length_fit_into_blocks() {
    for (dim, count) in [(1, 300), (3, 300), (511, 200), (1000, 120), (1023, 100), (4096, 60), (32_768, 12)] {
        for (element, kind) in
            [(Element::F32, "DISKANN"), (Element::Bf16, "AISAQ"), (Element::F16, "DISKANN")]
        {
            let spec = spec(element, dim, &[("index_type", kind), ("max_degree", "7")]);
            let rows = Rows::new(element, count, dim, 3);
            let image = built(&spec, rows.view(), &Pool::inline());
            let index = Index::open(&spec, image, count).unwrap();
            let query = spec.query(5, &[]).unwrap();
            let hits = search(&index, rows.view(), rows.view().slice(7..8), &query, None);
            assert_eq!((hits[0].len(), hits[0].scores[0]), (5, 0.0), "{kind} of {element} x {dim}");
        }
    }
}

#[test]
fn a_graph_made_in_parts_finds_as_much_and_is_the_same_at_any_number_of_threads() {
    let (rows, queries) = (Rows::new(Element::F32, 6000, 40, 1), Rows::new(Element::F32, 40, 40, 2));
    let (rows, queries) = (rows.view(), queries.view());
    for metric in ["L2", "IP"] {
        let spec = spec(Element::F32, 40, &[("metric_type", metric)]);
        let BuildBytes { whole, least } = spec.build_bytes(rows, 1);
        assert!(least < whole);
        let made = |bytes: u64, pool: &Pool| {
            let (mut nodes, progress) = (Vec::new(), Progress::new());
            let mut append = |bytes: Vec<u8>| {
                nodes.extend(bytes);
                Ok(())
            };
            let pages = (bytes, &mut append as &mut dyn FnMut(Vec<u8>) -> io::Result<()>);
            let mut image = build_paged(&spec, rows, 7, pool, &Cancel::new(), &progress, pages).unwrap();
            assert_eq!(progress.get(), (6000, 6000));
            image.sections.push(("nodes".to_owned(), nodes.into()));
            image
        };
        let [one, few, many] = [whole, whole - whole / 10, 0].map(|bytes| made(bytes, &Pool::inline()));
        assert!(one != few && few != many);
        assert_eq!(one, built(&spec, rows, &Pool::inline()));
        assert_eq!(many, made(0, &Pool::new("test", 3).unwrap()));
        let found = [one, few, many].map(|image| {
            let index = Index::open(&spec, image, 6000).unwrap();
            let query = spec.query(10, &pairs(&[("search_list", "40")])).unwrap();
            let hits = search(&index, rows, queries, &query, None);
            let found = hits.iter().enumerate().map(|(q, hits)| {
                recall(hits, &naive(spec.metric(), rows, queries, q, 10, |_, _| true), spec.metric())
            });
            found.sum::<f64>() / 40.0
        });
        assert!(found[1] > found[0] - 0.02 && found[2] > found[0] - 0.03, "{metric}: {found:?}");
    }
}

#[test]
fn a_search_that_is_cancelled_says_so() {
    let spec = spec(Element::F32, 8, &[]);
    let rows = Rows::new(Element::F32, 600, 8, 4);
    let index = sets::opened(&spec, rows.view());
    let cancel = Cancel::new();
    cancel.cancel();
    let query = spec.query(3, &[]).unwrap();
    assert_eq!(index.search(rows.view(), rows.view(), &query, None, &cancel), Err(Error::Cancelled));
}

#[test]
fn masks_are_searched_through_lists_at_few_reads() {
    let (rows, queries) = (Rows::new(Element::F32, 6000, 64, 1), Rows::new(Element::F32, 40, 64, 2));
    let (rows, queries) = (rows.view(), queries.view());
    let mut rng = host::Rng::new(5);
    let masks = [0.9, 0.5, 0.3, 0.05, 0.005, 0.001].map(|share| Bits::from_fn(6000, |_| rng.chance(share)));
    // Rows on one side of the space: half of all queries lie on the other.
    let side = Bits::from_fn(
        6000,
        |row| matches!(rows.slice(row..row + 1), Vectors::F32 { values, .. } if values[0] > 0.4),
    );
    for (kind, metric) in [("DISKANN", "L2"), ("DISKANN", "IP"), ("AISAQ", "COSINE")] {
        let spec = spec(
            Element::F32,
            64,
            &[("index_type", kind), ("metric_type", metric), ("search_cache_budget_gb_ratio", "0.3")],
        );
        let image = built(&spec, rows, &Pool::inline());
        assert!(image.sections.iter().any(|(name, _)| name == "list-members"));
        let (image, pages) = split(&spec, image, u64::MAX);
        let index = Index::open_paged(&spec, &image, 6000, pages).unwrap();
        let query = spec.query(10, &pairs(&[("search_list", "40")])).unwrap();
        let mut ways = Vec::new();
        for mask in masks.iter().chain([&side]) {
            let before = index.reads().unwrap().reads;
            let hits = search(&index, rows, queries, &query, Some(mask));
            let reads = index.reads().unwrap().reads - before;
            assert!(reads <= 40 * 60, "{kind} {metric}: {reads} reads");
            let truth = |q| naive(spec.metric(), rows, queries, q, 10, |row, _| mask.get(row));
            let found = hits.iter().enumerate().map(|(q, hits)| recall(hits, &truth(q), spec.metric()));
            let found = found.sum::<f64>() / 40.0;
            assert!(found > 0.93, "{kind} {metric}: {found} of {}", mask.count());
            assert!(hits.iter().all(|hits| hits.len() == mask.count().min(10)));
            ways.push(index.way(&query, mask.count()));
        }
        for way in [index::Way::Graph, index::Way::Lists, index::Way::Codes] {
            assert!(ways.contains(&way), "{ways:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_match_scores_are_exact_and_as_many_come_back_as_there_are(
        seed in any::<u64>(),
        count in 1usize..600,
        share in 0.0f64..1.0,
        k in 1usize..40,
        inline in any::<bool>(),
        cache in 0.0f64..0.5,
    ) {
        let kind = if inline { "AISAQ" } else { "DISKANN" };
        let cache = cache.to_string();
        let spec = spec(Element::F32, 16, &[("index_type", kind), ("search_cache_budget_gb_ratio", &cache)]);
        let (rows, queries) = (Rows::new(Element::F32, count, 16, seed), Rows::new(Element::F32, 3, 16, !seed));
        let (rows, queries) = (rows.view(), queries.view());
        let index = sets::opened(&spec, rows);
        let mut rng = host::Rng::new(seed);
        let mask = Bits::from_fn(count, |_| rng.chance(share));
        let query = spec.query(k, &[]).expect("a valid query");
        let all = exact(Metric::L2, rows, queries, &Query::exact(Metric::L2, count));
        for (hits, all) in search(&index, rows, queries, &query, Some(&mask)).iter().zip(&all) {
            prop_assert_eq!(hits.len(), k.min(mask.count()));
            for (row, score) in hits.rows.iter().zip(&hits.scores) {
                prop_assert!(mask.get(*row as usize));
                let place = all.rows.iter().position(|other| other == row).expect("a row that exists");
                prop_assert_eq!(score.to_bits(), all.scores[place].to_bits());
            }
        }
    }
}
