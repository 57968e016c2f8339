//! The true nearest rows, by looking at all of them. Invariant: one list a query, best first.

use super::cache::Cache;
use super::data::{Dataset, fingerprint};
use crate::show;
use bytes::Bytes;
use host::{Cancel, Pool};
use index::{Hits, Metric, Query, scan};
use simd::Bits;
use std::sync::atomic::{AtomicU64, Ordering};

/// Queries that one thread takes at a time.
const TURN: usize = 16;

/// The `k` best rows of each query among those of `mask`, out of the cache if they are there.
pub(super) fn find(
    dataset: &Dataset,
    metric: Metric,
    k: usize,
    mask: Option<&Bits>,
    pool: &Pool,
    cache: &Cache,
) -> Result<Vec<Hits>, String> {
    let masked = mask
        .map_or(0, |mask| mask.words().iter().fold(1, |hash, word| fingerprint(&word.to_le_bytes(), hash)));
    let of = fingerprint(metric.name().as_bytes(), dataset.fingerprint() ^ masked);
    let name = format!("truth-{of:016x}-{k}");
    let queries = dataset.queries();
    if let Some(sections) = cache.read(&name)
        && let Some(hits) = decode(&sections, queries.len())
    {
        return Ok(hits);
    }
    let (turns, done) = (queries.len().div_ceil(TURN), AtomicU64::new(0));
    let (query, cancel) = (Query::exact(metric, k), Cancel::new());
    let found = pool.map(turns, |turn| {
        let queries = queries.slice(turn * TURN..queries.len().min((turn + 1) * TURN));
        let mut hits = vec![Hits::default(); queries.len()];
        let scanned = scan(metric, dataset.rows(), queries, 0, mask, &query, &mut hits, &cancel);
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        show::bar("truth", done, turns as u64);
        scanned.map(|()| hits)
    });
    show::clear_bar();
    let mut all = Vec::with_capacity(queries.len());
    for hits in found {
        all.extend(hits.map_err(|error| error.to_string())?);
    }
    cache.write(&name, &encode(&all));
    Ok(all)
}

/// Counts, rows and scores of all queries.
fn encode(hits: &[Hits]) -> Vec<(String, Bytes)> {
    let counts: Vec<u32> = hits.iter().map(|hits| hits.len() as u32).collect();
    let rows: Vec<u32> = hits.iter().flat_map(|hits| hits.rows.iter().copied()).collect();
    let scores: Vec<u32> =
        hits.iter().flat_map(|hits| hits.scores.iter().map(|score| score.to_bits())).collect();
    let bytes = |numbers: Vec<u32>| Bytes::from_iter(numbers.into_iter().flat_map(u32::to_le_bytes));
    [("counts", counts), ("rows", rows), ("scores", scores)]
        .map(|(name, list)| (name.to_owned(), bytes(list)))
        .into()
}

fn decode(sections: &[(String, Bytes)], queries: usize) -> Option<Vec<Hits>> {
    let numbers = |name: &str| -> Option<Vec<u32>> {
        let (_, bytes) = sections.iter().find(|(key, _)| key == name)?;
        Some(bytes.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number)).collect())
    };
    let (counts, rows, scores) = (numbers("counts")?, numbers("rows")?, numbers("scores")?);
    let (mut hits, mut at) = (Vec::with_capacity(queries), 0_usize);
    for count in &counts {
        let range = at..at.checked_add(*count as usize)?;
        at = range.end;
        let scores = scores.get(range.clone())?.iter().map(|bits| f32::from_bits(*bits)).collect();
        hits.push(Hits { rows: rows.get(range)?.to_vec(), scores });
    }
    (hits.len() == queries).then_some(hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_any_length_come_back_and_cut_ones_do_not() {
        let hits = vec![
            Hits { rows: vec![3, 1], scores: vec![0.5, 0.75] },
            Hits::default(),
            Hits { rows: vec![7], scores: vec![-1.0] },
        ];
        let mut sections = encode(&hits);
        assert_eq!(decode(&sections, 3).unwrap(), hits);
        assert!(decode(&sections, 4).is_none());
        sections[1].1.truncate(8);
        assert!(decode(&sections, 3).is_none());
    }
}
