//! A graph that takes rows one by one. Invariant: links name rows that exist, at most `3 M` a row, and a way leads to every
//! row, as long as there is room for it.
//!
//! Rows are inserted as Malkov and Yashunin do it (see [`super`]): near rows are searched in the graph so far, and links are
//! chosen among them, there and back. A list of links may grow to half again its length before it is pruned, so
//! that pruning comes once in `M` links. Entries are every so many-th row.

use host::Cancel;
use simd::Bits;

use super::beam::{Beam, Beams};
use super::links::Draft;
use super::prune::Pruner;
use crate::codec::{Codes, FloatAim, FloatRows, Pairs};
use crate::hits::{key_of, order};
use crate::refine::Refiner;
use crate::scan::{check_alike, scan};
use crate::spec::{Codec, Shape};
use crate::{Element, Error, Hits, Metric, Query, Spec, Vectors};

/// Entries at most.
const ENTRIES: usize = 64;
/// With a filter that fewer rows than one in so many match, all of them are measured.
const FEW: usize = 10;

/// An HNSW index of floats that grows row by row, searched in between; all in memory. Metrics are L2 and COSINE.
#[derive(Debug)]
pub struct GrowingGraph {
    codes: FloatRows,
    draft: Draft,
    /// How many links lead to each row.
    ways: Vec<u32>,
    entries: Vec<u32>,
    m: usize,
    /// Candidates of a row, and how many of the nearest of them links are chosen from.
    ef: usize,
    keep: usize,
    beam: Beam,
    beams: Beams,
}

impl GrowingGraph {
    /// An empty graph by `spec`, an HNSW or AUTOINDEX over 32-bit floats; `M` and `efConstruction` mean what they do when one
    /// is built.
    ///
    /// # Errors
    /// [`Error::ElementNotSupported`] for other kinds and elements, [`Error::MetricNotSupported`] for IP, by which what is a
    /// short link depends on rows that are still to come.
    pub fn new(spec: &Spec) -> Result<Self, Error> {
        let is_graph = spec.shape() == Shape::Graph && spec.codec() != Codec::Raw;
        if !is_graph || spec.element() != Element::F32 {
            return Err(Error::ElementNotSupported {
                index_type: spec.index_type(),
                element: spec.element(),
            });
        }
        if !matches!(spec.metric(), Metric::L2 | Metric::Cosine) {
            let supported = &[Metric::L2, Metric::Cosine];
            return Err(Error::MetricNotSupported { name: spec.metric().name().to_owned(), supported });
        }
        let (m, ef) = spec.degree();
        Ok(Self {
            codes: FloatRows::new(spec.metric(), spec.dim()),
            draft: Draft::new(0, 3 * m),
            ways: Vec::new(),
            entries: Vec::new(),
            m,
            ef,
            keep: (ef / 2).clamp(2 * m, 8 * m),
            beam: Beam::default(),
            beams: Beams::default(),
        })
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its rows, in the order in which they came.
    pub fn vectors(&self) -> Vectors<'_> {
        self.codes.vectors()
    }

    /// Bytes it has in memory, rows included.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.codes.values[..]) + size_of_val(&self.ways[..]) + self.draft.memory_bytes()
    }

    /// Adds a row and gives its number.
    ///
    /// # Errors
    /// [`Error::OtherVectors`] when it has another dimension, [`Error::TooManyRows`].
    pub fn push(&mut self, row: &[f32]) -> Result<u32, Error> {
        check_alike(self.vectors(), Vectors::F32 { dim: row.len(), values: row })?;
        let number = self.len();
        crate::index::check_rows(number + 1)?;
        self.codes.push(row);
        self.draft.push();
        self.ways.push(0);
        let number = number as u32;
        self.link(number);
        if self.entries.len() < (self.len().isqrt()).clamp(1, ENTRIES) {
            self.entries.push(number);
        }
        Ok(number)
    }

    fn link(&mut self, row: u32) {
        let Self { codes, draft, ways, entries, beam, m, ef, keep, .. } = self;
        let mut probe = codes.probe();
        codes.aim_row(&mut probe, row);
        beam.search(codes, &probe, draft, entries, (*ef, *ef));
        let near = beam.found().filter(|(other, _)| *other != row).take(*keep);
        let mut links: Vec<u64> = near.map(|(other, score)| order(score, other)).collect();
        let mut pruner = Pruner::new(probe);
        spare_equal(&mut links, *m / 2);
        pruner.prune(codes, &mut links, *m);
        draft.set(row, &links);
        links.iter().for_each(|link| ways[*link as u32 as usize] += 1);
        for link in links {
            let (other, back) = (link as u32, link >> 32 << 32 | u64::from(row));
            ways[row as usize] += 1;
            if draft.extend(other, &[(other, back)]) {
                continue;
            }
            let mut all = draft.of(other).to_vec();
            all.push(back);
            all.sort_unstable();
            let mut kept = all.clone();
            spare_equal(&mut kept, *m);
            pruner.prune(codes, &mut kept, 2 * *m);
            for link in all {
                if !kept.contains(&link) {
                    let way = &mut ways[link as u32 as usize];
                    // The last way to a row stays, whatever is nearer.
                    if *way == 1 && kept.len() < 3 * *m {
                        kept.push(link);
                    } else {
                        *way -= 1;
                    }
                }
            }
            draft.set(other, &kept);
        }
    }

    /// The best rows for every query, of those whose bit is set in `mask`, if there is one. As many as `query` asks for, if so
    /// many match.
    ///
    /// # Errors
    /// [`Error::OtherVectors`] when queries are not like the rows, [`Error::Cancelled`].
    pub fn search(
        &self,
        queries: Vectors<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        let vectors = self.vectors();
        check_alike(vectors, queries)?;
        let matching = mask.map_or(self.len(), Bits::count);
        let mut hits = vec![Hits::default(); queries.len()];
        if matching == 0 {
            return Ok(hits);
        }
        if matching * FEW < self.len() {
            scan(self.codes.metric, vectors, queries, 0, mask, query, &mut hits, cancel)?;
            return Ok(hits);
        }
        let refiner = Refiner::new(self.codes.metric, vectors, queries, query);
        let ef = query.effort().max(query.k()).saturating_mul(self.len()) / matching;
        let mut probe = self.codes.probe();
        for (q, hits) in hits.iter_mut().enumerate() {
            cancel.check()?;
            self.codes.aim(&mut probe, queries, q);
            let rows = self.near(&probe, ef, mask);
            if rows.len() < query.k().min(matching) {
                let one = queries.slice(q..q + 1);
                scan(self.codes.metric, vectors, one, 0, mask, query, std::slice::from_mut(hits), cancel)?;
            } else {
                *hits = refiner.refine(q, &rows, query).hits;
            }
        }
        Ok(hits)
    }

    /// Matching rows near the probe.
    fn near(&self, probe: &FloatAim, ef: usize, mask: Option<&Bits>) -> Vec<u32> {
        self.beams.with(|beam| {
            beam.search(&self.codes, probe, &self.draft, &self.entries, (ef, ef));
            let matches = |row: &u32| mask.is_none_or(|mask| mask.get(*row as usize));
            beam.found().map(|(row, _)| row).filter(matches).collect()
        })
    }
}

/// Leaves at most `most` of the links to equal rows, which come first. Rows that only link to their like cannot be reached.
fn spare_equal(links: &mut Vec<u64>, most: usize) {
    let equal = links.partition_point(|link| key_of(*link) <= 0.0);
    if equal > most {
        links.drain(most..equal);
    }
}
