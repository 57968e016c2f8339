//! A scan through byte codes against a scan of the rows: the same rows and the same bits.

mod sets;

use host::Cancel;
use index::{Element, Hits, Metric, Outline, Outlined, Query, Vectors, scan, scan_outlined};
use proptest::prelude::*;
use sets::Rows;
use simd::Bits;

/// Holds one scan against the other, over the rows in two pieces.
fn check(metric: Metric, rows: Vectors<'_>, queries: Vectors<'_>, mask: Option<&Bits>, query: &Query) {
    let cancel = Cancel::new();
    let cut = rows.len() / 3;
    let mut want = vec![Hits::default(); queries.len()];
    let mut got = want.clone();
    for (first, piece) in [(0, rows.slice(0..cut)), (cut as u32, rows.slice(cut..rows.len()))] {
        scan(metric, piece, queries, first, mask, query, &mut want, &cancel).expect("a scan");
        let Some(outline) = Outline::of(piece) else { continue };
        let outlined = Outlined { vectors: piece, outline: &outline };
        scan_outlined(metric, outlined, queries, first, mask, query, &mut got, &cancel).expect("a scan");
    }
    assert_eq!(got, want, "{metric}");
}

const METRICS: [Metric; 3] = [Metric::L2, Metric::Ip, Metric::Cosine];

#[test]
fn an_outline_changes_no_answer() {
    for element in [Element::F32, Element::F16, Element::Bf16] {
        for dim in [1, 7, 64, 257] {
            let (rows, queries) = (Rows::new(element, 700, dim, 1), Rows::new(element, 9, dim, 2));
            for metric in METRICS {
                for every in [1, 3, 90] {
                    let mask = Bits::from_fn(700, |row| row % every == 0);
                    let mask = Some(&mask).filter(|_| every > 1);
                    check(metric, rows.view(), queries.view(), mask, &Query::exact(metric, 10));
                }
                check(metric, rows.view(), queries.view(), None, &Query::exact(metric, 900));
            }
        }
    }
}

#[test]
fn parts_make_the_outline_of_the_whole() {
    let (rows, queries) = (Rows::new(Element::F32, 300, 20, 1), Rows::new(Element::F32, 5, 20, 2));
    let parts: Vec<_> = [0..1, 1..64, 64..300].map(|part| Outline::of(rows.view().slice(part))).into();
    let parts: Vec<_> = parts.iter().flatten().collect();
    let outline = Outline::concat(&parts).expect("three parts");
    assert_eq!(outline.bytes(), Outline::of(rows.view()).expect("rows of floats").bytes());
    for metric in METRICS {
        let (query, cancel) = (Query::exact(metric, 10), Cancel::new());
        let mut want = vec![Hits::default(); 5];
        let mut got = want.clone();
        scan(metric, rows.view(), queries.view(), 0, None, &query, &mut want, &cancel).unwrap();
        let outlined = Outlined { vectors: rows.view(), outline: &outline };
        scan_outlined(metric, outlined, queries.view(), 0, None, &query, &mut got, &cancel).unwrap();
        assert_eq!(got, want);
    }
}

#[test]
fn what_has_no_outline() {
    for element in [Element::Bits, Element::Sparse, Element::I8] {
        assert!(Outline::of(Rows::new(element, 10, 16, 1).view()).is_none(), "{element}");
    }
    assert!(Outline::of(Vectors::F32 { dim: 4, values: &[] }).is_none());
    assert!(Outline::concat(&[]).is_none());
}

/// Elements as users have them and as nobody should: of all sizes, equal, zero, far from the origin.
fn element() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -1.0f32..1.0,
        1 => Just(0.0),
        1 => 999.0f32..1000.0,
        1 => -1e-20f32..1e-20,
        1 => -1e17f32..1e17,
        1 => Just(3.0),
    ]
}

proptest! {
    #[test]
    fn an_outline_changes_no_answer_on_any_rows(
        (dim, rows, queries) in (1usize..70).prop_flat_map(|dim| {
            let some = |count: std::ops::Range<usize>| {
                prop_oneof![
                    prop::collection::vec(element(), count.start * dim..count.end * dim),
                    prop::collection::vec(-1.0f32..1.0, count.start * dim..count.end * dim),
                    prop::collection::vec(500.0f32..501.0, count.start * dim..count.end * dim),
                ]
            };
            (Just(dim), some(1..200), some(1..4))
        }),
        k in 1usize..20,
    ) {
        let of = |values: &[f32]| values[..values.len() / dim * dim].to_vec();
        let (rows, queries) = (of(&rows), of(&queries));
        let rows = Vectors::F32 { dim, values: &rows };
        let queries = Vectors::F32 { dim, values: &queries };
        for metric in METRICS {
            check(metric, rows, queries, None, &Query::exact(metric, k));
        }
    }
}
