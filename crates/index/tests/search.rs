//! Search against the obvious way, for every kind and metric.

mod sets;

use host::{Cancel, Pool, Progress};
use index::{Element, Error, Hits, Index, Metric, Query, Spec, Vectors, build, scan};
use sets::{Rows, built, effort, naive, opened, pairs, recall, specs};
use simd::Bits;

const ROWS: usize = 3000;

fn check_scores(hits: &Hits, metric: Metric, rows: Vectors<'_>, queries: Vectors<'_>, q: usize) {
    for (row, score) in hits.rows.iter().zip(&hits.scores) {
        let want = sets::naive_score(metric, queries, q, rows, *row as usize);
        assert!(
            (f64::from(*score) - want).abs() <= 1e-4 * want.abs().max(1.0),
            "{metric}: {score} and {want}"
        );
    }
    let sorted = hits.scores.windows(2).all(|pair| !metric.better(pair[1], pair[0]));
    assert!(sorted, "best first: {:?}", hits.scores);
    let mut seen = hits.rows.clone();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), hits.len(), "no row twice");
}

#[test]
fn every_kind_returns_k_exact_scores_and_most_of_the_true_rows() {
    for spec in specs() {
        let (rows, queries) =
            (Rows::new(spec.element(), ROWS, spec.dim(), 1), Rows::new(spec.element(), 30, spec.dim(), 2));
        let (rows, queries) = (rows.view(), queries.view());
        let index = opened(&spec, rows);
        let query = spec.query(10, &effort(64)).unwrap();
        let hits = index.search(rows, queries, &query, None, &Cancel::new()).unwrap();
        let mut found = 0.0;
        for (q, hits) in hits.iter().enumerate() {
            check_scores(hits, spec.metric(), rows, queries, q);
            let truth = naive(spec.metric(), rows, queries, q, 10, |_, _| true);
            assert_eq!(hits.len(), truth.len());
            found += recall(hits, &truth, spec.metric()) / 30.0;
        }
        let floor = match spec.index_type() {
            "FLAT" | "BIN_FLAT" => 1.0,
            // Ten times four of the true ten are measured; five bits an element and less lose some of them.
            "HNSW_PQ" | "HNSW_PRQ" | "DISKANN" => 0.8,
            _ => 0.9,
        };
        assert!(found >= floor - 1e-9, "{} {}: recall {found}", spec.index_type(), spec.metric());
    }
}

#[test]
fn under_any_mask_only_matching_rows_come_back_and_as_many_as_there_are() {
    let wand = pairs(&[("index_type", "SPARSE_WAND"), ("metric_type", "IP")]);
    for spec in specs().into_iter().chain([Spec::parse(Element::Sparse, 0, &wand).unwrap()]) {
        let (rows, queries) =
            (Rows::new(spec.element(), ROWS, spec.dim(), 1), Rows::new(spec.element(), 5, spec.dim(), 2));
        let (rows, queries) = (rows.view(), queries.view());
        let index = opened(&spec, rows);
        let query = spec.query(10, &effort(40)).unwrap();
        for matching in [0, 1, 3, 9, 11, 30, 300, 1500, ROWS - 1] {
            // Spread out in an order that has nothing to do with the data.
            let mask = Bits::from_fn(ROWS, |row| row * 1997 % ROWS < matching);
            let hits = index.search(rows, queries, &query, Some(&mask), &Cancel::new()).unwrap();
            let mut found = 0.0;
            for (q, hits) in hits.iter().enumerate() {
                assert!(hits.rows.iter().all(|row| mask.get(*row as usize)));
                check_scores(hits, spec.metric(), rows, queries, q);
                let truth = naive(spec.metric(), rows, queries, q, 10, |row, _| mask.get(row));
                assert!(truth.len() == matching.min(10) || spec.element() == Element::Sparse);
                assert_eq!(hits.len(), truth.len(), "{} with {matching}", spec.index_type());
                found += recall(hits, &truth, spec.metric()) / 5.0;
            }
            assert!(found > 0.75, "{} {} with {matching}: recall {found}", spec.index_type(), spec.metric());
        }
    }
}

#[test]
fn a_mask_that_goes_by_where_rows_lie_loses_little_of_what_is_found_without_one() {
    for spec in specs() {
        let (rows, queries) =
            (Rows::new(spec.element(), ROWS, spec.dim(), 1), Rows::new(spec.element(), 30, spec.dim(), 2));
        let (rows, queries) = (rows.view(), queries.view());
        let index = opened(&spec, rows);
        // Few lists, so that more must be looked at where few rows match.
        let query = spec.query(10, &effort(12)).unwrap();
        // The order of rows by how near they are to one of them.
        let order = naive(spec.metric(), rows, rows, 0, ROWS, |_, _| true);
        let mut place = vec![ROWS; ROWS];
        order.iter().enumerate().for_each(|(i, (row, _))| place[*row as usize] = i);
        let recall_of = |mask: Option<&Bits>| {
            let hits = index.search(rows, queries, &query, mask, &Cancel::new()).unwrap();
            let keep = |row: usize, _| mask.is_none_or(|mask| mask.get(row));
            let each = hits.iter().enumerate().map(|(q, hits)| {
                let truth = naive(spec.metric(), rows, queries, q, 10, keep);
                assert!(hits.rows.iter().all(|row| keep(*row as usize, 0.0)), "{}", spec.index_type());
                assert_eq!(hits.len(), truth.len(), "{}", spec.index_type());
                recall(hits, &truth, spec.metric())
            });
            each.sum::<f64>() / 30.0
        };
        let bare = recall_of(None);
        for (from, to) in [(0, 30), (0, 300), (1500, 2400), (ROWS / 2, ROWS), (0, ROWS * 9 / 10)] {
            let mask = Bits::from_fn(ROWS, |row| (from..to).contains(&place[row]));
            let found = recall_of(Some(&mask));
            let (name, metric) = (spec.index_type(), spec.metric());
            assert!(found >= bare - 0.12, "{name} {metric} {from}..{to}: recall {found}, {bare} of all");
        }
    }
}

#[test]
fn a_range_holds_its_bounds_and_is_filled_up() {
    for spec in specs() {
        let (rows, queries) =
            (Rows::new(spec.element(), ROWS, spec.dim(), 1), Rows::new(spec.element(), 4, spec.dim(), 2));
        let (rows, queries) = (rows.view(), queries.view());
        let (index, metric) = (opened(&spec, rows), spec.metric());
        let half = Bits::from_fn(ROWS, |row| row * 1997 % ROWS < ROWS / 2);
        for (q, mask) in (0..4).flat_map(|q| [(q, None), (q, Some(&half))]) {
            let keep = |row: usize| mask.is_none_or(|mask| mask.get(row));
            let all = naive(metric, rows, queries, q, 400, |row, _| keep(row));
            for (near, far) in [(None, 5), (Some(3), 40), (Some(60), 90)] {
                if all.len() <= far {
                    continue;
                }
                // A little beside the scores that occur, where rounding decides.
                let beside = |score: f64| (score + score.abs() * 1e-4 + 1e-4).to_string();
                let mut params = effort(64);
                params.push(("radius".to_owned(), beside(all[far].1)));
                params.extend(near.map(|near: usize| ("range_filter".to_owned(), beside(all[near].1))));
                let Ok(query) = spec.query(20, &params) else { continue };
                let hits = index.search(rows, queries.slice(q..q + 1), &query, mask, &Cancel::new()).unwrap();
                assert!(hits[0].rows.iter().all(|row| keep(*row as usize)));
                let inside = |score: f32| {
                    metric.better(score, query.radius().unwrap())
                        && query.range_filter().is_none_or(|filter| !metric.better(score, filter))
                };
                assert!(hits[0].scores.iter().all(|score| inside(*score)));
                let wanted = |row: usize, score: f64| keep(row) && inside(score as f32);
                let truth = naive(metric, rows, queries, q, 20, wanted);
                let enough = truth.len() * 8 / 10;
                assert!(
                    hits[0].len() >= enough,
                    "{} {metric}: {} of {}",
                    spec.index_type(),
                    hits[0].len(),
                    truth.len()
                );
            }
        }
    }
}

#[test]
fn a_scan_by_chunks_is_a_scan_and_several_queries_are_one_each() {
    let rows = sets::clusters(1000, 33, 1);
    let queries = sets::clusters(21, 33, 2);
    let (rows, queries) =
        (Vectors::F32 { dim: 33, values: &rows }, Vectors::F32 { dim: 33, values: &queries });
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        let (query, cancel) = (Query::exact(metric, 13), Cancel::new());
        let mask = Bits::from_fn(1000, |row| row % 5 != 2 && !(300..420).contains(&row));
        for mask in [None, Some(&mask)] {
            let mut whole = vec![Hits::default(); 21];
            scan(metric, rows, queries, 0, mask, &query, &mut whole, &cancel).unwrap();
            for cuts in [vec![0, 1000], vec![0, 1, 64, 65, 501, 1000]] {
                for (q, whole) in whole.iter().enumerate() {
                    let mut hits = [Hits::default()];
                    for cut in cuts.windows(2) {
                        let (chunk, one) = (rows.slice(cut[0]..cut[1]), queries.slice(q..q + 1));
                        scan(metric, chunk, one, cut[0] as u32, mask, &query, &mut hits, &cancel).unwrap();
                    }
                    assert_eq!(hits[0], *whole);
                }
            }
            let (left, right) = (rows.slice(0..500), rows.slice(500..1000));
            let mut halves = [vec![Hits::default(); 21], vec![Hits::default(); 21]];
            scan(metric, left, queries, 0, mask, &query, &mut halves[0], &cancel).unwrap();
            scan(metric, right, queries, 500, mask, &query, &mut halves[1], &cancel).unwrap();
            for q in 0..21 {
                assert_eq!(halves[0][q].merge(&halves[1][q], metric, 13), whole[q]);
            }
        }
    }
}

#[test]
fn a_scan_of_any_element_finds_what_trying_all_finds() {
    let metrics =
        [Metric::L2, Metric::Ip, Metric::Cosine, Metric::Bm25, Metric::Hamming, Metric::MinHashJaccard];
    for element in [Element::F32, Element::F16, Element::Bf16, Element::I8, Element::Bits, Element::Sparse] {
        let dim = if element == Element::Bits { 72 } else { 37 };
        let (rows, queries) = (Rows::new(element, 500, dim, 1), Rows::new(element, 19, dim, 2));
        let (rows, queries) = (rows.view(), queries.view());
        for metric in metrics {
            let Ok(spec) = Spec::unindexed(element, dim, Some(metric.name())) else { continue };
            let query = spec.query(10, &[]).unwrap();
            let sparse = Bits::from_fn(500, |row| row % 7 == 3);
            let dense = Bits::from_fn(500, |row| row % 7 != 3);
            for mask in [None, Some(&sparse), Some(&dense)] {
                let mut hits = vec![Hits::default(); 19];
                // In two pieces, as segments come.
                let (cancel, cut) = (Cancel::new(), 333);
                scan(metric, rows.slice(0..cut), queries, 0, mask, &query, &mut hits, &cancel).unwrap();
                let rest = rows.slice(cut..500);
                scan(metric, rest, queries, cut as u32, mask, &query, &mut hits, &cancel).unwrap();
                for (q, hits) in hits.iter().enumerate() {
                    let keep = |row: usize, _| mask.is_none_or(|mask| mask.get(row));
                    let truth = naive(metric, rows, queries, q, 10, keep);
                    assert!(recall(hits, &truth, metric) == 1.0, "{element} {metric} {q}");
                    assert_eq!(hits.len(), truth.len());
                    check_scores(hits, metric, rows, queries, q);
                }
            }
        }
    }
    assert!(Spec::unindexed(Element::Sparse, 0, Some("L2")).is_err());
    assert_eq!(Spec::unindexed(Element::I8, 8, None).unwrap().metric(), Metric::Cosine);
}

#[test]
fn structures_that_fit_are_found_and_no_others() {
    // Eight bits a row: all of 0..=255, so that what fits is known by number.
    let rows: Vec<u8> = (0..=255).collect();
    let rows = Vectors::Bits { dim: 8, bytes: &rows };
    for (metric, fits) in [
        (Metric::Superstructure, (|row, query| row & query == query) as fn(u8, u8) -> bool),
        (Metric::Substructure, |row, query| row & query == row),
    ] {
        let names = [("index_type", "BIN_FLAT"), ("metric_type", metric.name())];
        let spec = Spec::parse(Element::Bits, 8, &pairs(&names)).unwrap();
        let index = opened(&spec, rows);
        for query in [0u8, 1, 0b1010_0101, 255] {
            let asked = spec.query(1000, &[]).unwrap();
            let one = Vectors::Bits { dim: 8, bytes: &[query] };
            let hits = index.search(rows, one, &asked, None, &Cancel::new()).unwrap();
            let want: Vec<u32> = (0..=255).filter(|row| fits(*row as u8, query)).collect();
            assert_eq!(hits[0].rows, want, "{metric} of {query:#b}");
            assert!(hits[0].scores.iter().all(|score| *score == 0.0));
        }
        for other in ["BIN_IVF_FLAT", "HNSW"] {
            let names = [("index_type", other), ("metric_type", metric.name())];
            assert!(Spec::parse(Element::Bits, 8, &pairs(&names)).is_err());
        }
    }
}

#[test]
fn signatures_are_compared_by_elements() {
    // Four elements of 16 bits.
    let rows = [[1u8, 1, 2, 2, 3, 3, 4, 4], [1, 1, 2, 2, 3, 3, 4, 9], [1, 9, 2, 9, 3, 9, 4, 4]].concat();
    let rows = Vectors::Bits { dim: 64, bytes: &rows };
    for (kind, own) in [("BIN_FLAT", ""), ("MINHASH_LSH", "2")] {
        let mut names =
            vec![("index_type", kind), ("metric_type", "MHJACCARD"), ("mh_element_bit_width", "16")];
        names.extend((!own.is_empty()).then_some(("mh_lsh_band", own)));
        let spec = Spec::parse(Element::Bits, 64, &pairs(&names)).unwrap();
        let index = opened(&spec, rows);
        let query = spec.query(3, &[]).unwrap();
        let hits = index.search(rows, rows.slice(0..1), &query, None, &Cancel::new()).unwrap();
        assert_eq!(
            (&hits[0].rows[..], &hits[0].scores[..]),
            (&[0, 1, 2][..], &[0.0, 0.25, 0.75][..]),
            "{kind}"
        );
    }
    let wrong = [("index_type", "MINHASH_LSH"), ("metric_type", "MHJACCARD"), ("mh_lsh_band", "3")];
    assert!(matches!(Spec::parse(Element::Bits, 64, &pairs(&wrong)), Err(Error::NotDivisible { .. })));
}

#[test]
fn a_row_scores_alike_in_a_block_and_by_itself() {
    for element in [Element::F32, Element::F16, Element::Bf16, Element::I8, Element::Bits] {
        let rows = Rows::new(element, 200, 40, 1);
        let metric = if element == Element::Bits { Metric::Jaccard } else { Metric::Cosine };
        let (query, cancel) = (Query::exact(metric, 200), Cancel::new());
        let mut all = [Hits::default()];
        let one = rows.view().slice(7..8);
        scan(metric, rows.view(), one, 0, None, &query, &mut all, &cancel).unwrap();
        for (row, score) in all[0].rows.iter().zip(&all[0].scores) {
            let (row, mut hits) = (*row as usize, [Hits::default()]);
            let single = rows.view().slice(row..row + 1);
            scan(metric, single, one, 0, None, &query, &mut hits, &cancel).unwrap();
            assert_eq!(hits[0].scores[0].to_bits(), score.to_bits());
        }
    }
}

#[test]
fn few_equal_and_zero_rows_are_no_trouble() {
    for spec in specs() {
        for count in [0, 1, 2, 40, 700] {
            let rows = match spec.element() {
                Element::Sparse => continue,
                Element::Bits => Rows::Bits(spec.dim(), vec![0; count * spec.dim() / 8]),
                element => Rows::of(element, spec.dim(), &vec![0.0; count * spec.dim()]),
            };
            let index = opened(&spec, rows.view());
            let queries = Rows::new(spec.element(), 2, spec.dim(), 3);
            let query = spec.query(10, &[]).unwrap();
            for hits in index.search(rows.view(), queries.view(), &query, None, &Cancel::new()).unwrap() {
                assert_eq!(hits.len(), count.min(10), "{} of {count}", spec.index_type());
            }
        }
    }
}

#[test]
fn any_number_of_threads_builds_the_same_bytes() {
    for spec in specs() {
        let rows = Rows::new(spec.element(), 2500, spec.dim(), 4);
        let image = built(&spec, rows.view(), &Pool::inline());
        for threads in [1, 3] {
            assert_eq!(image, built(&spec, rows.view(), &Pool::new("test", threads).unwrap()));
        }
    }
}

#[test]
fn cancelled_work_says_so_and_progress_ends_at_the_total() {
    let spec = specs().into_iter().find(|spec| spec.index_type() == "HNSW").unwrap();
    let rows = Rows::new(spec.element(), 600, spec.dim(), 4);
    let (cancel, progress, pool) = (Cancel::new(), Progress::new(), Pool::inline());
    let image = build(&spec, rows.view(), 1, &pool, &cancel, &progress).unwrap();
    assert_eq!(progress.get(), (600, 600));
    cancel.cancel();
    assert_eq!(build(&spec, rows.view(), 1, &pool, &cancel, &progress), Err(Error::Cancelled));
    let index = Index::open(&spec, image, 600).unwrap();
    let query = spec.query(3, &[]).unwrap();
    assert_eq!(index.search(rows.view(), rows.view(), &query, None, &cancel), Err(Error::Cancelled));
}

#[test]
fn vectors_of_another_kind_are_refused() {
    let spec = Spec::parse(Element::F32, 8, &[]).unwrap();
    let values = vec![0.0; 90];
    let other = Vectors::F32 { dim: 9, values: &values };
    let refused = build(&spec, other, 1, &Pool::inline(), &Cancel::new(), &Progress::new());
    assert!(matches!(refused, Err(Error::OtherVectors { dim: 8, actual_dim: 9, .. })));
}
