//! A scan through folds against a scan of the rows: the same rows and the same bits.

mod sets;

use host::{Cancel, Pool};
use index::{Element, Hits, Index, Metric, Query, Spec, Vectors, scan};
use proptest::prelude::*;
use sets::{Rows, THIN, built, pairs};
use simd::Bits;

const METRICS: [Metric; 2] = [Metric::Hamming, Metric::Jaccard];

/// Holds BIN_FLAT against a scan; says whether it has folds.
fn check(
    metric: Metric,
    rows: Vectors<'_>,
    queries: Vectors<'_>,
    mask: Option<&Bits>,
    params: &[(&str, &str)],
    k: usize,
) -> bool {
    let names = [("index_type", "BIN_FLAT"), ("metric_type", metric.name())];
    let spec = Spec::parse(Element::Bits, rows.dim(), &pairs(&names)).expect("a valid specification");
    let image = built(&spec, rows, &Pool::inline());
    let has_folds = image.sections.iter().any(|(name, _)| name == "folds");
    let query: Query = spec.query(k, &pairs(params)).expect("a valid query");
    let mut want = vec![Hits::default(); queries.len()];
    scan(metric, rows, queries, 0, mask, &query, &mut want, &Cancel::new()).expect("a scan");
    let index = Index::open(&spec, image, rows.len()).expect("its own image");
    let got = index.search(rows, queries, &query, mask, &Cancel::new()).expect("a search");
    assert_eq!(got, want, "{metric} {params:?}");
    has_folds
}

#[test]
fn folds_change_no_answer() {
    for (dim, count) in [(THIN, 700), (THIN, 33), (2048, 200), (64, 300)] {
        let (rows, queries) = (Rows::new(Element::Bits, count, dim, 1), Rows::new(Element::Bits, 19, dim, 2));
        for metric in METRICS {
            for every in [1, 3, 90] {
                let mask = Bits::from_fn(count, |row| row % every == 0);
                let mask = Some(&mask).filter(|_| every > 1);
                for k in [1, 10, 900] {
                    assert_eq!(check(metric, rows.view(), queries.view(), mask, &[], k), dim > 64);
                }
                let reach = if metric == Metric::Hamming { ["20", "60"] } else { ["0.3", "0.8"] };
                let range = [("radius", reach[1]), ("range_filter", reach[0])];
                check(metric, rows.view(), queries.view(), mask, &range, 50);
            }
        }
    }
}

/// Bytes as fingerprints have them, and as nobody should.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![12 => Just(0u8), 4 => (0u32..8).prop_map(|bit| 1 << bit), 1 => any::<u8>()]
}

proptest! {
    #[test]
    fn folds_change_no_answer_on_any_rows(
        (bytes, rows, queries) in (16usize..80).prop_flat_map(|bytes| {
            let some = |count: usize| prop::collection::vec(byte(), bytes..count * bytes);
            let full = prop::collection::vec(prop_oneof![any::<u8>(), Just(255), Just(0)], bytes..4 * bytes);
            (Just(bytes), some(200), prop_oneof![some(4), full])
        }),
        k in 1usize..20,
    ) {
        let of = |values: &[u8]| values[..values.len() / bytes * bytes].to_vec();
        let (rows, queries) = (of(&rows), of(&queries));
        let rows = Vectors::Bits { dim: 8 * bytes, bytes: &rows };
        let queries = Vectors::Bits { dim: 8 * bytes, bytes: &queries };
        for metric in METRICS {
            check(metric, rows, queries, None, &[], k);
        }
    }
}
