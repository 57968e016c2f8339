//! A graph that grows row by row: what a row costs, and what searches of the finished graph find.

use std::io::Write;
use std::time::Instant;

use host::Cancel;
use index::{Element, GrowingGraph, Hits, Spec, Vectors};

use crate::data::Set;

const EFS: [usize; 6] = [10, 20, 40, 80, 160, 320];

/// Pushes all rows of the set, one by one, and asks all its queries.
pub(crate) fn table(set: &Set, params: &[(String, String)], out: &mut impl Write) -> std::io::Result<()> {
    let spec = Spec::parse(Element::F32, set.dim, params).expect("a valid index");
    let mut graph = GrowingGraph::new(&spec).expect("a graph of floats");
    let start = crate::thread_s();
    for row in set.rows.chunks_exact(set.dim) {
        graph.push(row).expect("a row of the set");
    }
    let seconds = crate::thread_s() - start;
    let us = seconds * 1e6 / graph.len() as f64;
    let mb = graph.memory_bytes() as f64 / 1e6;
    writeln!(
        out,
        "growing: {us:.0} us a row one by one, {seconds:.1} s of one core in all, {mb:.0} MB with rows"
    )?;
    let queries = Vectors::F32 { dim: set.dim, values: &set.queries };
    for ef in EFS {
        let query = spec.query(set.k, &[("ef".to_owned(), ef.to_string())]).expect("a valid query");
        let mut best = vec![f64::MAX; queries.len()];
        let mut hits = vec![Hits::default(); queries.len()];
        for _ in 0..3 {
            for (q, (best, hits)) in best.iter_mut().zip(&mut hits).enumerate() {
                let start = Instant::now();
                let one = graph.search(queries.slice(q..q + 1), &query, None, &Cancel::new());
                *best = best.min(start.elapsed().as_secs_f64());
                *hits = one.expect("a search of a matching query").swap_remove(0);
            }
        }
        let found =
            |(hits, truth): (&Hits, &[u32])| hits.rows.iter().filter(|row| truth.contains(row)).count();
        let found: usize = hits.iter().zip(set.truth.chunks_exact(set.k)).map(found).sum();
        let recall = found as f64 / (hits.len() * set.k) as f64;
        let qps = best.len() as f64 / best.iter().sum::<f64>();
        writeln!(out, "  ef {ef:4} recall {recall:.4} {qps:8.0} queries/s")?;
    }
    Ok(())
}
