//! Graphs that grow row by row, against a scan at every stage.

mod sets;

use host::Cancel;
use index::{Element, Error, GrowingGraph, Hits, Metric, Query, Spec, Vectors, scan};
use sets::{clusters, pairs};
use simd::Bits;

const DIM: usize = 24;

fn spec(kind: &str, metric: &str, element: Element) -> Spec {
    let params = [("index_type", kind), ("metric_type", metric)];
    let graph = [("M", "8"), ("efConstruction", "80")];
    let params = if kind == "HNSW" { [params, graph].concat() } else { params.to_vec() };
    Spec::parse(element, DIM, &pairs(&params)).expect("a valid index")
}

fn truth(
    metric: Metric,
    rows: Vectors<'_>,
    queries: Vectors<'_>,
    mask: Option<&Bits>,
    k: usize,
) -> Vec<Hits> {
    let mut hits = vec![Hits::default(); queries.len()];
    let query = Query::exact(metric, k);
    scan(metric, rows, queries, 0, mask, &query, &mut hits, &Cancel::new()).expect("a scan");
    hits
}

/// The share of the true rows that were found, each with its very score.
fn recall(got: &[Hits], want: &[Hits]) -> f64 {
    let (mut found, mut all) = (0, 0);
    for (got, want) in got.iter().zip(want) {
        all += want.len();
        for (row, score) in want.rows.iter().zip(&want.scores) {
            if let Some(place) = got.rows.iter().position(|other| other == row) {
                assert_eq!(got.scores[place].to_bits(), score.to_bits(), "the score of a scan");
                found += 1;
            }
        }
    }
    found as f64 / all as f64
}

#[test]
fn it_finds_what_it_has_so_far() {
    for (kind, name, metric) in
        [("HNSW", "L2", Metric::L2), ("HNSW", "COSINE", Metric::Cosine), ("AUTOINDEX", "L2", Metric::L2)]
    {
        let spec = spec(kind, name, Element::F32);
        let values = clusters(3_000, DIM, 1);
        let asked = clusters(60, DIM, 2);
        let queries = Vectors::F32 { dim: DIM, values: &asked };
        let query = spec.query(10, &pairs(&[("ef", "64")])).expect("a valid query");
        let mut graph = GrowingGraph::new(&spec).expect("a graph of floats");
        assert!(graph.search(queries, &query, None, &Cancel::new()).unwrap().iter().all(Hits::is_empty));
        for (row, values) in values.chunks_exact(DIM).enumerate() {
            assert_eq!(graph.push(values).unwrap(), row as u32);
            let rows = graph.len();
            if [1, 7, 100, 1_000, 3_000].contains(&rows) {
                for mask in [None, Some(2), Some(50)] {
                    let mask = mask.map(|every| Bits::from_fn(rows, |row| row % every == 0));
                    let got = graph.search(queries, &query, mask.as_ref(), &Cancel::new()).unwrap();
                    let want = truth(metric, graph.vectors(), queries, mask.as_ref(), 10);
                    for (got, want) in got.iter().zip(&want) {
                        assert_eq!(got.len(), want.len(), "as many as match");
                        assert!(
                            got.rows
                                .iter()
                                .all(|row| mask.as_ref().is_none_or(|mask| mask.get(*row as usize)))
                        );
                    }
                    let recall = recall(&got, &want);
                    assert!(recall >= 0.97, "{kind} {metric}: {recall} of {rows} rows");
                }
            }
        }
    }
}

#[test]
fn the_same_rows_make_the_same_graph_and_equal_rows_do_no_harm() {
    let spec = spec("HNSW", "L2", Element::F32);
    let values = clusters(400, DIM, 3);
    let queries = Vectors::F32 { dim: DIM, values: &values };
    let query = spec.query(5, &pairs(&[("ef", "64")])).expect("a valid query");
    let answers: Vec<Vec<Hits>> = (0..2)
        .map(|_| {
            let mut graph = GrowingGraph::new(&spec).unwrap();
            for row in values.chunks_exact(DIM) {
                // Each row ten times over, and a row of zeros now and then.
                (0..10).for_each(|_| _ = graph.push(row).unwrap());
                graph.push(&[0.0; DIM]).unwrap();
            }
            graph.search(queries, &query, None, &Cancel::new()).unwrap()
        })
        .collect();
    assert_eq!(answers[0], answers[1]);
    let is_there = |hits: &&Hits| hits.scores.first() == Some(&0.0);
    let there = answers[0].iter().filter(is_there).count();
    assert!(there >= 390, "{there} of 400 rows find themselves");
}

#[test]
fn what_cannot_grow_is_refused() {
    let refused = |kind, metric, element| GrowingGraph::new(&spec(kind, metric, element)).map(drop);
    assert!(matches!(refused("HNSW", "IP", Element::F32), Err(Error::MetricNotSupported { .. })));
    assert!(matches!(refused("HNSW", "L2", Element::F16), Err(Error::ElementNotSupported { .. })));
    assert!(matches!(refused("FLAT", "L2", Element::F32), Err(Error::ElementNotSupported { .. })));
    let mut graph = GrowingGraph::new(&spec("HNSW", "L2", Element::F32)).unwrap();
    assert!(matches!(graph.push(&[0.0; 7]), Err(Error::OtherVectors { .. })));
    assert!(graph.is_empty(), "nothing of it stays");
}
