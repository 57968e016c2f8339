//! A graph at rest and its search. Invariant: as many rows come back as match and were asked for; what the graph
//! does not find is found by looking at every row.

use std::sync::{Arc, OnceLock};

use host::Cancel;
use simd::Bits;

use super::Costs;
use super::beam::{Beam, Beams, GATES};
use super::block::Blocks;
use super::build::Built;
use super::costs::{Beside, Choice};
use super::links::Links;
use super::lists::Lists;
use super::subgraph::{Subgraph, Subgraphs};
use crate::codec::{BitRows, ByteRows, Codes, ROW_BY_ROW, Sketch, SketchRows, Space};
use crate::image::{Array, Head, Image, VERSION_LEAN, VERSION_LIST_ROWS, VERSION_TIGHT};
use crate::refine::Refiner;
use crate::shares::{MORE, Shares};
use crate::spec::Codec;
use crate::{Error, Hits, Query, Spec, Way, scan};

/// Rows at which the growth of scores is measured.
pub(super) const SAMPLES: usize = 32;
/// How often costs are measured.
pub(super) const TURNS: usize = 4;

/// How scores grow with rank among bits. Those that have little in common are all about equally far, and a walk that waits for some that
/// are much farther than the best does not end.
const GROWTH_OF_BITS: f32 = 0.03;
/// The share of rows that match from which on a walk among all rows costs less than one among these.
const MOST: f32 = 0.45;

/// How many candidates a search keeps that knows them by estimates, to find at least as much as one that keeps `ef` and knows
/// how far they are. Measured; see docs/decisions/0331.
pub(super) fn widened(ef: usize) -> usize {
    ef.saturating_mul(5) / 4
}

/// A graph that can be searched.
#[derive(Debug)]
pub(crate) struct Graph {
    nodes: Nodes,
    pub(super) entries: Array<u32>,
    pub(super) stored: Stored,
    /// For searches among the rows of a mask.
    pub(super) listed: Listed,
    /// For filters that are asked for often.
    pub(crate) subgraphs: Subgraphs,
    beams: Beams,
    /// How scores grow with rank, once it was asked for.
    pub(super) growth: OnceLock<f32>,
    costs: OnceLock<Costs>,
}

/// How nodes lie in memory.
#[derive(Debug)]
enum Nodes {
    /// The numbers of their neighbours.
    Links(Links),
    /// With a bit an element of every neighbour.
    Blocks(Box<Blocks>),
}

/// What is looked at of a row.
#[derive(Debug)]
pub(super) enum Stored {
    /// The row itself.
    Rows,
    Bytes(Space, Array<i8>),
    Sketch(Box<Sketch>, Array<u8>),
}

/// Lists of rows beside a graph.
#[derive(Debug)]
pub(super) enum Listed {
    /// There are none.
    Not,
    /// With a bit an element of every row, and the space in which rows are.
    Bits(Box<(Lists, Space)>),
    /// Of numbers alone: rows are scored by the codes that the graph goes by.
    Numbers(Box<(Shares, Space)>),
}

impl Graph {
    /// Adds the sections of a built graph of `spec` without blocks to an image; those of the codes come from elsewhere.
    pub(crate) fn write(spec: &Spec, built: Built, image: &mut Image) {
        Links::write(&built.links, 2 * spec.degree().0, image);
        image.push("entries", built.entries);
    }

    /// Reads them back.
    pub(crate) fn read(spec: &Spec, rows: usize, image: &Image) -> Result<Self, Error> {
        let entries: Array<u32> = image.list("entries")?;
        if entries.iter().any(|row| *row as usize >= rows) || (entries.is_empty() && rows > 0) {
            return Err(Error::Corrupt { what: "entries" });
        }
        let version = Head::version(image)?;
        let space = || -> Result<Space, Error> {
            let space = Space::read(spec.metric(), spec.dim(), image)?;
            Ok(if version >= VERSION_TIGHT { space.tight() } else { space })
        };
        let stored = match (spec.codec(), spec.recipe()) {
            (_, Some(recipe)) => {
                let sketch = Sketch::read(spec, (recipe, ROW_BY_ROW), space()?, &[], rows, image)?;
                let sketch = if version >= VERSION_LEAN { sketch.lean(image)? } else { sketch };
                let codes = image.array("codes", rows * sketch.stride())?;
                Stored::Sketch(Box::new(sketch), codes)
            }
            (Codec::Raw, None) => Stored::Rows,
            _ => {
                let space = space()?;
                let codes = image.array("codes", rows * space.stride())?;
                Stored::Bytes(space, codes)
            }
        };
        // The first version had no blocks.
        let nodes = if spec.block_width() > 0 && !image.has("links") {
            Nodes::Blocks(Box::new(Blocks::read(spec, (rows, entries.len()), version, image)?))
        } else {
            Nodes::Links(Links::read(2 * spec.degree().0, rows, version, image)?)
        };
        let listed = match (&nodes, &stored) {
            (Nodes::Blocks(_), Stored::Bytes(space, _)) => {
                let lists = Lists::read(space, (rows, spec.dim()), version >= VERSION_LIST_ROWS, image)?;
                lists.map_or(Listed::Not, |lists| Listed::Bits(Box::new((lists, space.clone()))))
            }
            (Nodes::Links(_), Stored::Bytes(..) | Stored::Sketch(..)) => {
                let space = space()?;
                let shares = Shares::read(&space, rows, image)?;
                shares.map_or(Listed::Not, |shares| {
                    Listed::Numbers(Box::new((shares.gated(&space, spec.dim()), space)))
                })
            }
            _ => Listed::Not,
        };
        let growth =
            if matches!(stored, Stored::Rows) { OnceLock::from(GROWTH_OF_BITS) } else { OnceLock::new() };
        let (subgraphs, beams, costs) = (Subgraphs::default(), Beams::default(), OnceLock::new());
        Ok(Self { nodes, entries, stored, listed, subgraphs, beams, growth, costs })
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let codes = match &self.stored {
            Stored::Rows => 0,
            Stored::Bytes(_, codes) => codes.len(),
            Stored::Sketch(_, codes) => codes.len(),
        };
        let nodes = match &self.nodes {
            Nodes::Links(links) => links.memory_bytes(),
            Nodes::Blocks(blocks) => blocks.memory_bytes(),
        };
        let lists = match &self.listed {
            Listed::Not => 0,
            Listed::Bits(lists) => lists.0.memory_bytes(),
            Listed::Numbers(shares) => shares.0.bytes(),
        };
        (codes + nodes + lists + 4 * self.entries.len()) as u64 + self.subgraphs.sizes().1
    }

    /// Whether a search among `matching` rows is one that a subgraph makes faster.
    fn goes_by_subgraph(&self, query: &Query, matching: usize) -> bool {
        let is_scan = || self.choice(query.effort().max(query.k()), matching) == Choice::Scan;
        let has_blocks = matches!((&self.nodes, &self.stored), (Nodes::Blocks(_), Stored::Bytes(..)));
        has_blocks && self.is_among(query, matching) && !is_scan()
    }

    /// The subgraph for so many searches among the `matching` rows of `mask`. Where there is none, it is noted that it was asked for.
    fn subgraph(
        &self,
        query: &Query,
        (mask, matching): (&Bits, usize),
        searches: usize,
    ) -> Option<Arc<Subgraph>> {
        if !self.goes_by_subgraph(query, matching) {
            return None;
        }
        let found = self.subgraphs.find(mask, matching, searches);
        if found.is_none() {
            self.subgraphs.demand.note(mask, matching, searches);
        }
        found
    }

    pub(super) fn links(&self) -> &Links {
        match &self.nodes {
            Nodes::Links(links) => links,
            Nodes::Blocks(blocks) => &blocks.links,
        }
    }

    /// How a search begins that is asked to keep `ef` of `matching` rows.
    pub(super) fn choice(&self, ef: usize, matching: usize) -> Choice {
        // Among bits a walk follows more rows.
        let ef = if matches!(self.stored, Stored::Rows) { ef.saturating_mul(3) / 2 } else { ef };
        let beside = match &self.listed {
            Listed::Not => Beside::Nothing,
            Listed::Bits(_) => Beside::Bits,
            Listed::Numbers(_) => Beside::Numbers,
        };
        self.costs().choice((ef, matching, self.rows()), beside)
    }

    /// How many rows a walk among all keeps of which this share match, to find as much as one that keeps `ef` where all do.
    pub(super) fn effort_of_all(&self, ef: usize, share: f32) -> usize {
        let times = 1.0 / f64::from(share);
        // Rows are known by estimates or codes, and of those found more are measured than are asked for.
        let times = if matches!(self.stored, Stored::Rows) { times } else { times.powf(MORE) };
        (ef as f64 * times) as usize
    }

    /// Whether a search among `matching` rows goes by these rows from the start. Where most match and there are no lists, it walks
    /// among all: of those it finds enough match.
    fn is_among(&self, query: &Query, matching: usize) -> bool {
        let has_most = matches!(self.listed, Listed::Not) && matching as f32 >= MOST * self.rows() as f32;
        matching < self.rows() && query.range_filter().is_none() && !has_most
    }

    /// Whether a walk among all rows finds as many of `mask` around any query as there are elsewhere, as far as lists tell.
    fn is_spread(&self, query: &Query, (mask, matching): (&Bits, usize)) -> bool {
        let shares = match &self.listed {
            Listed::Not => return false,
            Listed::Bits(lists) => &lists.0.shares,
            Listed::Numbers(shares) => &shares.0,
        };
        let is_walk = || self.choice(query.effort().max(query.k()), matching) == Choice::Whole;
        matching < self.rows() && is_walk() && shares.is_spread(mask, matching as f32 / self.rows() as f32)
    }

    /// Whether there is a subgraph that serves a search among the `matching` rows of `mask`.
    pub(crate) fn has_subgraph(&self, query: &Query, mask: &Bits, matching: usize) -> bool {
        self.goes_by_subgraph(query, matching) && self.subgraphs.find(mask, matching, 0).is_some()
    }

    /// How a search begins among `matching` of all rows.
    pub(crate) fn way(&self, query: &Query, matching: usize) -> Way {
        if !self.is_among(query, matching) {
            return Way::Graph;
        }
        match self.choice(query.effort().max(query.k()), matching) {
            Choice::Scan => Way::Codes,
            Choice::Lists => Way::Lists,
            Choice::Links | Choice::Whole => Way::Graph,
        }
    }

    fn rows(&self) -> usize {
        self.links().count
    }

    /// What the steps of a search cost: as measured, or what is usual.
    pub(crate) fn costs(&self) -> Costs {
        self.costs.get().copied().unwrap_or_default()
    }

    /// Measures what the steps of a search cost, once; `now_ns` tells the time.
    pub(crate) fn calibrate(&self, refiner: &Refiner<'_>, query: &Query, now_ns: &dyn Fn() -> u64) {
        self.costs.get_or_init(|| {
            let cancel = &Cancel::new();
            let mask = None;
            let costs = match &self.stored {
                Stored::Sketch(sketch, codes) => {
                    let codes = SketchRows::new(sketch, codes, query);
                    Walk { graph: self, codes, refiner, query, mask, cancel }.costs(now_ns)
                }
                Stored::Bytes(space, codes) => {
                    Walk { graph: self, codes: ByteRows::new(space, codes), refiner, query, mask, cancel }
                        .costs(now_ns)
                }
                Stored::Rows => {
                    let codes = BitRows { metric: refiner.metric, vectors: refiner.vectors };
                    Walk { graph: self, codes, refiner, query, mask, cancel }.costs(now_ns)
                }
            };
            costs.unwrap_or_default()
        });
    }

    /// The best rows for every query.
    pub(crate) fn search(
        &self,
        refiner: &Refiner<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        match &self.stored {
            Stored::Sketch(sketch, codes) => {
                let codes = SketchRows::new(sketch, codes, query);
                Walk { graph: self, codes, refiner, query, mask, cancel }.run()
            }
            Stored::Bytes(space, codes) => {
                Walk { graph: self, codes: ByteRows::new(space, codes), refiner, query, mask, cancel }.run()
            }
            Stored::Rows => {
                let codes = BitRows { metric: refiner.metric, vectors: refiner.vectors };
                Walk { graph: self, codes, refiner, query, mask, cancel }.run()
            }
        }
    }
}

/// One search for several queries.
pub(super) struct Walk<'a, C> {
    pub(super) graph: &'a Graph,
    pub(super) codes: C,
    pub(super) refiner: &'a Refiner<'a>,
    pub(super) query: &'a Query,
    pub(super) mask: Option<&'a Bits>,
    pub(super) cancel: &'a Cancel,
}

impl<C: Codes> Walk<'_, C> {
    fn run(&self) -> Result<Vec<Hits>, Error> {
        let rows = self.codes.len();
        let matching = self.mask.map_or(rows, Bits::count);
        let count = self.refiner.queries.len();
        let subgraph = self.mask.and_then(|mask| self.graph.subgraph(self.query, (mask, matching), count));
        let is_spread = self.mask.is_some_and(|mask| self.graph.is_spread(self.query, (mask, matching)));
        let mut probe = self.codes.probe();
        self.graph.beams.with(|beam| {
            (0..count)
                .map(|q| {
                    self.cancel.check()?;
                    self.one(q, (matching, is_spread), subgraph.as_deref(), &mut probe, beam)
                })
                .collect()
        })
    }

    fn one(
        &self,
        q: usize,
        (matching, is_spread): (usize, bool),
        subgraph: Option<&Subgraph>,
        probe: &mut C::Probe,
        beam: &mut Beam,
    ) -> Result<Hits, Error> {
        if matching == 0 {
            return Ok(Hits::default());
        }
        self.codes.aim(probe, self.refiner.queries, q);
        if let (Some(mask), Some(subgraph)) = (self.mask, subgraph)
            && let Some(hits) = self.along(q, subgraph, (mask, matching), probe, beam)?
        {
            return Ok(hits);
        }
        match self.mask {
            Some(mask) if self.graph.is_among(self.query, matching) => {
                self.among(q, (mask, matching, is_spread), probe, beam)
            }
            _ => {
                let share = matching as f32 / self.codes.len() as f32;
                let ef = self.graph.effort_of_all(self.query.effort().max(self.query.k()), share);
                self.whole(q, (matching, ef), probe, beam)
            }
        }
    }

    /// Some rows from all over; others for each `turn`.
    pub(super) fn samples(&self, turn: usize) -> impl Iterator<Item = usize> {
        let rows = self.codes.len();
        let count = SAMPLES.min(rows);
        (0..count).map(move |sample| (sample * rows + turn * rows / TURNS) / count)
    }

    /// A walk of all rows, towards row `row`.
    pub(super) fn walk_from(&self, row: usize, ef: usize, probe: &mut C::Probe, beam: &mut Beam) {
        self.codes.aim(probe, self.refiner.vectors, row);
        beam.search(&self.codes, probe, self.graph.links(), &self.graph.entries, (ef, ef));
    }

    /// A search of the whole graph that keeps `ef` rows, of which those that match are left.
    pub(super) fn whole(
        &self,
        q: usize,
        (matching, mut ef): (usize, usize),
        probe: &C::Probe,
        beam: &mut Beam,
    ) -> Result<Hits, Error> {
        let (rows, k) = (self.codes.len(), self.query.k());
        let mut found = Vec::new();
        while ef < rows / 2 {
            self.cancel.check()?;
            self.walk(q, probe, beam, ef);
            let matches = beam.found().filter(|(row, _)| self.matches(*row));
            let depth = if self.query.range_filter().is_some() { ef } else { self.query.depth() };
            found.clear();
            found.extend(matches.take(depth));
            let refined = self.refiner.refine_near(q, &found, self.query);
            if refined.beyond || refined.hits.len() >= k.min(matching) {
                return Ok(refined.hits);
            }
            ef *= 4;
        }
        let mut hits = [Hits::default()];
        let Refiner { metric, vectors, queries, .. } = *self.refiner;
        scan(metric, vectors, queries.slice(q..q + 1), 0, self.mask, self.query, &mut hits, self.cancel)?;
        let [hits] = hits;
        Ok(hits)
    }

    /// Fills the beam with near rows, of which the nearest `ef` were followed.
    fn walk(&self, q: usize, probe: &C::Probe, beam: &mut Beam, ef: usize) {
        let Graph { nodes, entries, stored, .. } = self.graph;
        match (nodes, stored) {
            (Nodes::Blocks(blocks), Stored::Bytes(space, _)) => {
                let mut aim = std::mem::take(&mut beam.aim);
                blocks.aim(space, &mut aim, self.refiner.queries, q);
                beam.search_blocks((&self.codes, probe), (blocks, &aim), (entries, GATES), widened(ef));
                beam.aim = aim;
            }
            _ => {
                // Coarse codes make rows seem farther that are not: as many are kept as are measured in any case.
                let is_coarse = matches!(stored, Stored::Sketch(..));
                let most = if is_coarse { ef.max(self.query.judged()) } else { ef };
                beam.search(&self.codes, probe, self.graph.links(), entries, (ef, most));
            }
        }
    }

    #[inline]
    fn matches(&self, row: u32) -> bool {
        self.mask.is_none_or(|mask| mask.get(row as usize))
    }
}
