//! The inverted index against a scan: the same rows and the same bits.

mod sets;

use host::Cancel;
use index::{Element, Hits, Index, Metric, Spec, Vectors, scan};
use proptest::prelude::*;
use sets::{Rows, opened, pairs};
use simd::Bits;

fn spec(metric: Metric, own: &[(&str, &str)]) -> Spec {
    let mut params = vec![("index_type", "SPARSE_INVERTED_INDEX"), ("metric_type", metric.name())];
    params.extend(own);
    Spec::parse(Element::Sparse, 0, &pairs(&params)).expect("a valid specification")
}

fn check(
    spec: &Spec,
    index: &Index,
    rows: Vectors<'_>,
    queries: Vectors<'_>,
    mask: Option<&Bits>,
    params: &[(&str, &str)],
) {
    for k in [1, 10, 500] {
        let query = spec.query(k, &pairs(params)).expect("a valid query");
        let mut want = vec![Hits::default(); queries.len()];
        let cancel = Cancel::new();
        scan(spec.metric(), rows, queries, 0, mask, &query, &mut want, &cancel)
            .expect("a scan of matching queries");
        let got = index.search(rows, queries, &query, mask, &cancel).expect("a search");
        assert_eq!(got, want, "{} best by {}", k, spec.metric());
    }
}

#[test]
fn the_answer_is_that_of_a_scan_over_many_windows() {
    // More rows than two windows have.
    let (rows, queries) = (Rows::new(Element::Sparse, 9_000, 0, 1), Rows::new(Element::Sparse, 12, 0, 2));
    let (rows, queries) = (rows.view(), queries.view());
    for metric in [Metric::Ip, Metric::Bm25] {
        for algorithm in ["BLOCK_MAX_MAXSCORE", "TAAT_NAIVE"] {
            let spec = spec(metric, &[("inverted_index_algo", algorithm), ("bm25_avgdl", "7")]);
            let index = opened(&spec, rows);
            check(&spec, &index, rows, queries, None, &[]);
            check(&spec, &index, rows, queries, None, &[("bm25_avgdl", "3.5"), ("search_algo", "DAAT_WAND")]);
            for every in [2, 97, 4000] {
                let mask = Bits::from_fn(rows.len(), |row| row % every == 1);
                check(&spec, &index, rows, queries, Some(&mask), &[]);
            }
        }
    }
}

/// Rows whose indices are among `dims`, each with about two thirds of them.
fn rows_of(dims: &[u32], rows: usize) -> Rows {
    let (mut offsets, mut bytes) = (vec![0i64], Vec::new());
    for row in 0..rows {
        for (i, dim) in dims.iter().enumerate().filter(|(i, _)| !(row * 7 + i * 5).is_multiple_of(3)) {
            bytes.extend(dim.to_le_bytes());
            bytes.extend((((row * 31 + i * 17) % 113 + 1) as f32).to_le_bytes());
        }
        offsets.push(bytes.len() as i64);
    }
    Rows::Sparse(offsets, bytes)
}

#[test]
fn dimensions_are_found_wherever_they_lie() {
    for dims in [&[0][..], &[u32::MAX - 1], &[0, u32::MAX - 1], &[3, 4, 5, 1 << 31, u32::MAX - 2]] {
        let rows = rows_of(dims, 9_000);
        let mut asked = vec![1, 6, 1 << 16];
        asked.extend(dims);
        asked.sort_unstable();
        let queries = rows_of(&asked, 3);
        let spec = spec(Metric::Ip, &[]);
        let index = opened(&spec, rows.view());
        check(&spec, &index, rows.view(), queries.view(), None, &[]);
    }
}

#[test]
fn rows_with_a_value_below_zero_have_the_answer_of_a_scan_too() {
    let rows = Rows::new(Element::Sparse, 9_000, 0, 1);
    let Rows::Sparse(offsets, mut bytes) = rows else { unreachable!("sparse rows") };
    // The sign of the first value.
    bytes[7] |= 0x80;
    let (rows, queries) = (Rows::Sparse(offsets, bytes), Rows::new(Element::Sparse, 12, 0, 2));
    let spec = spec(Metric::Ip, &[]);
    let index = opened(&spec, rows.view());
    check(&spec, &index, rows.view(), queries.view(), None, &[]);
    let mask = Bits::from_fn(rows.view().len(), |row| row % 97 == 1);
    check(&spec, &index, rows.view(), queries.view(), Some(&mask), &[]);
}

#[test]
fn what_is_dropped_of_a_query_counts_in_scores_all_the_same() {
    let (rows, queries) = (Rows::new(Element::Sparse, 3_000, 0, 1), Rows::new(Element::Sparse, 20, 0, 2));
    let (rows, queries) = (rows.view(), queries.view());
    for metric in [Metric::Ip, Metric::Bm25] {
        let spec = spec(metric, &[("bm25_avgdl", "7")]);
        let index = opened(&spec, rows);
        let search = |ratio| {
            let query = spec.query(10, &pairs(&[("drop_ratio_search", ratio)])).unwrap();
            index.search(rows, queries, &query, None, &Cancel::new()).unwrap()
        };
        let all = spec.query(rows.len(), &[]).unwrap();
        let truth = index.search(rows, queries, &all, None, &Cancel::new()).unwrap();
        let (mut found, mut count) = (0, 0);
        for ((few, best), truth) in search("0.3").iter().zip(search("0")).zip(truth) {
            for (row, score) in few.rows.iter().zip(&few.scores) {
                let place = truth.rows.iter().position(|other| other == row).unwrap();
                assert_eq!(truth.scores[place].to_bits(), score.to_bits());
                found += usize::from(best.rows.contains(row));
            }
            count += best.rows.len();
        }
        assert!(found * 10 > count * 7, "{found} of {count} by {metric}");
        assert!(spec.query(10, &pairs(&[("drop_ratio_search", "1")])).is_err());
    }
}

#[test]
fn as_many_rows_come_back_whatever_is_left_out() {
    let (rows, queries) = (Rows::new(Element::Sparse, 9_000, 0, 1), Rows::new(Element::Sparse, 20, 0, 2));
    let (rows, queries) = (rows.view(), queries.view());
    let spec = spec(Metric::Ip, &[]);
    let index = opened(&spec, rows);
    for k in [1, 40, 2_000, 9_000] {
        let search = |ratio| {
            let query = spec.query(k, &pairs(&[("drop_ratio_search", ratio)])).unwrap();
            index.search(rows, queries, &query, None, &Cancel::new()).unwrap()
        };
        for (few, all) in search("0.9").iter().zip(search("0")) {
            assert_eq!(few.rows.len(), all.rows.len(), "{k}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Few values, so that many rows are equally good, in any distribution, negative ones too.
    #[test]
    fn ties_and_odd_rows(rows in proptest::collection::vec(proptest::collection::btree_map(0u32..12, -1i8..4, 0..6), 0..300), query in proptest::collection::btree_map(0u32..14, 1u8..4, 0..6), average in proptest::sample::select(vec!["0.01", "3", "7.5", "90000"])) {
        let make = |rows: Vec<Vec<(u32, f32)>>| {
            let (mut offsets, mut bytes) = (vec![0i64], Vec::new());
            for row in rows {
                for (dim, value) in row {
                    bytes.extend(dim.to_le_bytes());
                    bytes.extend(value.to_le_bytes());
                }
                offsets.push(bytes.len() as i64);
            }
            Rows::Sparse(offsets, bytes)
        };
        let query = query.into_iter().map(|(dim, value)| (dim, f32::from(value)));
        let query = make(vec![query.collect()]);
        for metric in [Metric::Ip, Metric::Bm25] {
            // No word occurs less than not at all.
            let value = |value: i8| f32::from(if metric == Metric::Bm25 { value.abs() } else { value });
            let floats = |row: &std::collections::BTreeMap<u32, i8>| {
                row.iter().map(|(dim, own)| (*dim, value(*own))).collect::<Vec<_>>()
            };
            let rows = make(rows.iter().map(floats).collect());
            let spec = spec(metric, &[]);
            let index = opened(&spec, rows.view());
            let params = [("bm25_avgdl", average)];
            let own = usize::from(metric == Metric::Bm25);
            check(&spec, &index, rows.view(), query.view(), None, &params[..own]);
        }
    }
}
