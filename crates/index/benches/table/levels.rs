//! What AUTOINDEX finds at each level, for ten and for a hundred results, and the time that takes. What is true a scan of all rows says; a row as
//! good as the last true one counts.

use std::io::Write;
use std::time::Instant;

use host::{Cancel, Pool, Progress};
use index::{Element, Hits, Index, Metric, Query, Spec, Vectors, build, scan};

use crate::data;

const LEVELS: usize = 10;
/// How often each query is asked; its best time counts.
const ROUNDS: usize = 3;

/// Builds AUTOINDEX of the set `name` and asks all its queries at every level.
pub(crate) fn table(name: &str, out: &mut impl Write) -> std::io::Result<()> {
    if name == "chem" {
        let file = |path: &str| data::file(&format!("chem-morgan2048/{path}"));
        let (Some(rows), Some(queries)) = (file("base.npy.gz"), file("queries.npy")) else {
            return writeln!(out, "chem-morgan2048 is not there");
        };
        let bits = |bytes| Vectors::Bits { dim: 2048, bytes };
        return levels(name, (bits(&rows), bits(&queries)), (Element::Bits, Metric::Hamming), out);
    }
    let set = data::set(name);
    let floats = |values| Vectors::F32 { dim: set.dim, values };
    levels(name, (floats(&set.rows), floats(&set.queries)), (Element::F32, set.metric), out)
}

fn levels(
    name: &str,
    (rows, queries): (Vectors<'_>, Vectors<'_>),
    (element, metric): (Element, Metric),
    out: &mut impl Write,
) -> std::io::Result<()> {
    let (pool, cancel) = (Pool::new("build", 2).expect("threads"), Cancel::new());
    let params = [("metric_type".to_owned(), metric.name().to_owned())];
    let spec = Spec::parse(element, rows.dim(), &params).expect("AUTOINDEX");
    let image = build(&spec, rows, 1, &pool, &cancel, &Progress::new()).expect("a build");
    let index = Index::open(&spec, image, rows.len()).expect("its own image");
    writeln!(out, "{name}: {} rows, {:?}", rows.len(), spec.effective())?;
    let truths = [10, 100].map(|k| {
        let mut truth = vec![Hits::default(); queries.len()];
        scan(metric, rows, queries, 0, None, &Query::exact(metric, k), &mut truth, &cancel).expect("a scan");
        truth
    });
    for level in 1..=LEVELS {
        write!(out, "  level {level:2}")?;
        for truth in &truths {
            let k = truth[0].len();
            let query = spec.query(k, &[("level".to_owned(), level.to_string())]).expect("a valid query");
            let (mut times, mut found) = (vec![f64::MAX; queries.len()], 0);
            for round in 0..ROUNDS {
                for (q, time) in times.iter_mut().enumerate() {
                    let (one, start) = (queries.slice(q..q + 1), Instant::now());
                    let hits = index.search(rows, one, &query, None, &cancel).expect("a search");
                    *time = time.min(start.elapsed().as_secs_f64());
                    let last = truth[q].scores[k - 1];
                    let is_good = |score: &&f32| !metric.better(last, **score);
                    found += if round == 0 { hits[0].scores.iter().filter(is_good).count() } else { 0 };
                }
            }
            let us = times.iter().sum::<f64>() / times.len() as f64 * 1e6;
            let recall = found as f64 / (k * times.len()) as f64;
            write!(out, "   k {k:3}, ef {:4}: recall {recall:.4}, {us:7.1} us", query.effort())?;
        }
        writeln!(out)?;
    }
    Ok(())
}
