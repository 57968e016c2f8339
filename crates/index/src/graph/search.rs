//! A graph at rest and its search. Invariant: as many rows come back as match and were asked for; what the graph
//! does not find is found by looking at every row.

use std::sync::OnceLock;

use host::Cancel;
use simd::Bits;

use super::among::{self, Effort};
use super::beam::{Beam, Beams, Neighbours};
use super::block::Blocks;
use super::build::Built;
use super::links::Links;
use super::{Costs, costs};
use crate::codec::{BitRows, ByteRows, Codes, ROW_BY_ROW, Reach, Sketch, SketchRows, Space};
use crate::image::{Array, Image};
use crate::nearest::Nearest;
use crate::refine::Refiner;
use crate::spec::Codec;
use crate::{Error, Hits, Query, Spec, scan};

/// What part of the usual reach of a walk is enough.
const REACH: f32 = 0.62;
/// What is added to it, for few rows say little.
const MARGIN: f32 = 0.15;
/// The most lists of links that are read for a row that is followed.
const LISTS_MAX: usize = 128;
/// How many times more rows than asked for a walk may keep.
const EFFORT_MAX: usize = 3;
/// Rows at which the growth of scores is measured.
const SAMPLES: usize = 32;
/// How often costs are measured.
const TURNS: usize = 4;
/// Places of the mask at which a search among its rows begins, besides the entries of the graph that are in it.
const SPREAD: usize = 16;

/// How many candidates a search keeps that knows them by estimates, to find as much as one that keeps `ef` and knows how
/// far they are. Measured; see docs/decisions/0330.
fn widened(ef: usize) -> usize {
    ef.saturating_mul(7) / 4
}

/// Rows of a mask that lie far from each other: the first at or after each of some places.
fn spread(mask: &Bits) -> impl Iterator<Item = u32> + '_ {
    let words = mask.words();
    let step = words.len().div_ceil(SPREAD).max(1);
    words.chunks(step).enumerate().filter_map(move |(chunk, words)| {
        let at = words.iter().position(|word| *word != 0)?;
        Some(((chunk * step + at) * 64) as u32 + words[at].trailing_zeros())
    })
}

/// A graph that can be searched.
#[derive(Debug)]
pub(crate) struct Graph {
    nodes: Nodes,
    entries: Array<u32>,
    stored: Stored,
    beams: Beams,
    /// How scores grow with rank, once it was asked for.
    growth: OnceLock<f32>,
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
enum Stored {
    /// The row itself.
    Rows,
    Bytes(Space, Array<i8>),
    Sketch(Box<Sketch>, Array<u8>),
}

impl Graph {
    /// Adds the sections of a built graph without blocks to an image; those of the codes come from elsewhere.
    pub(crate) fn write(built: Built, image: &mut Image) {
        image.push("links", built.links);
        image.push("entries", built.entries);
    }

    /// Reads them back.
    pub(crate) fn read(spec: &Spec, rows: usize, image: &Image) -> Result<Self, Error> {
        let entries: Array<u32> = image.list("entries")?;
        if entries.iter().any(|row| *row as usize >= rows) || (entries.is_empty() && rows > 0) {
            return Err(Error::Corrupt { what: "entries" });
        }
        let space = || Space::read(spec.metric(), spec.dim(), image);
        let stored = match (spec.codec(), spec.recipe()) {
            (_, Some(recipe)) => {
                let sketch = Sketch::read(spec, (recipe, ROW_BY_ROW), space()?, &[], rows, image)?;
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
            Nodes::Blocks(Box::new(Blocks::read(spec, (rows, entries.len()), image)?))
        } else {
            let width = 2 * spec.degree().0;
            Nodes::Links(Links::read("links", (width, width), rows, image)?)
        };
        Ok(Self {
            nodes,
            entries,
            stored,
            beams: Beams::default(),
            growth: OnceLock::new(),
            costs: OnceLock::new(),
        })
    }

    /// Bytes of the sections.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let codes = match &self.stored {
            Stored::Rows => 0,
            Stored::Bytes(_, codes) => codes.len(),
            Stored::Sketch(_, codes) => codes.len(),
        };
        let nodes = match &self.nodes {
            Nodes::Links(links) => 4 * links.rows.len(),
            Nodes::Blocks(blocks) => blocks.memory_bytes(),
        };
        (codes + nodes + 4 * self.entries.len()) as u64
    }

    fn links(&self) -> &Links {
        match &self.nodes {
            Nodes::Links(links) => links,
            Nodes::Blocks(blocks) => &blocks.links,
        }
    }

    /// Whether a search among `matching` of `rows` rows begins by looking at all of them.
    pub(crate) fn begins_with_scan(&self, query: &Query, matching: usize, rows: usize) -> bool {
        let ef = query.effort().max(query.k());
        matching < rows && query.range_filter().is_none() && self.costs().prefer_scan(ef, matching, rows)
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
                    Walk { graph: self, codes: ByteRows { space, codes }, refiner, query, mask, cancel }
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
                Walk { graph: self, codes: ByteRows { space, codes }, refiner, query, mask, cancel }.run()
            }
            Stored::Rows => {
                let codes = BitRows { metric: refiner.metric, vectors: refiner.vectors };
                Walk { graph: self, codes, refiner, query, mask, cancel }.run()
            }
        }
    }
}

/// One search for several queries.
struct Walk<'a, C> {
    graph: &'a Graph,
    codes: C,
    refiner: &'a Refiner<'a>,
    query: &'a Query,
    mask: Option<&'a Bits>,
    cancel: &'a Cancel,
}

impl<C: Codes> Walk<'_, C> {
    fn run(&self) -> Result<Vec<Hits>, Error> {
        let rows = self.codes.len();
        let matching = self.mask.map_or(rows, Bits::count);
        let mut probe = self.codes.probe();
        self.graph.beams.with(|beam| {
            let queries = 0..self.refiner.queries.len();
            queries
                .map(|q| {
                    self.cancel.check()?;
                    self.one(q, matching, &mut probe, beam)
                })
                .collect()
        })
    }

    fn one(&self, q: usize, matching: usize, probe: &mut C::Probe, beam: &mut Beam) -> Result<Hits, Error> {
        let rows = self.codes.len();
        if matching == 0 {
            return Ok(Hits::default());
        }
        self.codes.aim(probe, self.refiner.queries, q);
        match self.mask {
            Some(mask) if matching < rows && self.query.range_filter().is_none() => {
                self.among(q, (mask, matching), probe, beam)
            }
            _ => self.whole(q, matching, probe, beam),
        }
    }

    /// A search among the rows of a mask: along the graph, or by looking at all of them where that is cheaper.
    fn among(
        &self,
        q: usize,
        (mask, matching): (&Bits, usize),
        probe: &C::Probe,
        beam: &mut Beam,
    ) -> Result<Hits, Error> {
        let wanted = self.query.k().min(matching);
        let mut ef = self.query.effort().max(self.query.k());
        let mut found = Vec::new();
        loop {
            self.cancel.check()?;
            if self.graph.costs().prefer_scan(ef, matching, self.codes.len()) {
                self.nearest_codes(probe, &mut found);
                return Ok(self.refiner.refine(q, &found, self.query).hits);
            }
            let links = self.graph.links();
            let entries = self.graph.entries.iter().copied().chain(spread(mask));
            let effort = self.effort(ef, matching);
            beam.search_among(&self.codes, probe, links, entries, (mask, effort));
            found.clear();
            found.extend(beam.found().map(|(row, _)| row).take(self.query.depth()));
            let refined = self.refiner.refine(q, &found, self.query);
            if refined.beyond || refined.hits.len() >= wanted {
                return Ok(refined.hits);
            }
            ef *= 4;
        }
    }

    /// When a walk among the rows of a mask is over that was asked to keep `ef`. It goes on until its rows reach as far beyond the
    /// `k`-th as they mostly do in a search of all rows, within bounds.
    fn effort(&self, ef: usize, matching: usize) -> Effort {
        let k = self.query.k();
        let growth = *self.graph.growth.get_or_init(|| self.growth());
        let reach = (growth * (REACH * (ef as f32 / k as f32).ln() + MARGIN)).exp();
        let share = matching as f32 / self.codes.len() as f32;
        let lists = (costs::lists(matching, self.codes.len()) as usize).min(LISTS_MAX);
        // How far a few rows reach is chance.
        let least = (ef / 2).max(ef.min(2 * k));
        Effort { k, least: least.max(self.query.depth()), most: ef * EFFORT_MAX, reach, share, lists }
    }

    /// How scores grow with rank: the exponent of the power law, measured at some rows. (The rank of a row grows with the
    /// intrinsic dimension as power of its distance.)
    fn growth(&self) -> f32 {
        const RANKS: (usize, usize) = (10, 64);
        let mut probe = self.codes.probe();
        let mut beam = Beam::default();
        let mut growths = Vec::with_capacity(SAMPLES);
        for row in self.samples(0) {
            self.walk_from(row, RANKS.1 + 1, &mut probe, &mut beam);
            let score = |rank: usize| beam.found().nth(rank).map_or(0.0, |(_, score)| score);
            let growth = (score(RANKS.1) / score(RANKS.0)).ln() / (RANKS.1 as f32 / RANKS.0 as f32).ln();
            if growth.is_finite() {
                growths.push(growth);
            }
        }
        growths.iter().sum::<f32>() / growths.len().max(1) as f32
    }

    /// Some rows from all over; others for each `turn`.
    fn samples(&self, turn: usize) -> impl Iterator<Item = usize> {
        let rows = self.codes.len();
        let count = SAMPLES.min(rows);
        (0..count).map(move |sample| (sample * rows + turn * rows / TURNS) / count)
    }

    /// A walk of all rows, towards row `row`.
    fn walk_from(&self, row: usize, ef: usize, probe: &mut C::Probe, beam: &mut Beam) {
        self.codes.aim(probe, self.refiner.vectors, row);
        beam.search(&self.codes, probe, self.graph.links(), &self.graph.entries, ef);
    }

    /// Measures some walks, some rows one by one and some lists, a few times, and takes the least of each: the first time all
    /// comes from far away. The rows are more than the nearer caches hold, as those of a filter are that is asked for often.
    /// `None` where time stands still.
    fn costs(&self, now_ns: &dyn Fn() -> u64) -> Option<Costs> {
        const EF: usize = 32;
        const ROWS: usize = 2048;
        const GAP: usize = 17;
        let rows = self.codes.len();
        let (mut probe, mut beam, mut scores) = (self.codes.probe(), Beam::default(), Vec::new());
        let mut least = [f32::INFINITY; 3];
        let some: Vec<u32> = (0..ROWS).map(|i| (i * GAP % rows) as u32).collect();
        for turn in 0..TURNS {
            let samples: Vec<usize> = self.samples(turn).take(SAMPLES / 4).collect();
            let mut sum = 0;
            let starts = [
                now_ns(),
                {
                    samples.iter().for_each(|row| self.walk_from(*row, EF, &mut probe, &mut beam));
                    now_ns()
                },
                {
                    self.codes.scores(&probe, &some, Reach::Scattered, &mut scores);
                    now_ns()
                },
                {
                    let from = turn * rows / TURNS;
                    let list = |i: usize| ((from + i * GAP * GAP) % rows) as u32;
                    for i in 0..ROWS {
                        self.graph.links().prefetch(list(i + among::AHEAD));
                        self.graph.links().each(list(i), |near| sum ^= near);
                    }
                    now_ns()
                },
            ];
            // What was read is used, so that it is read.
            scores.push(sum as f32);
            let counts = [samples.len() * EF, ROWS, ROWS];
            for (least, (pair, count)) in least.iter_mut().zip(starts.windows(2).zip(counts)) {
                *least = least.min(pair[1].saturating_sub(pair[0]) as f32 / count.max(1) as f32);
            }
        }
        let [node_ns, row_ns, list_ns] = least;
        let is_measured = row_ns > 0.0 && node_ns > row_ns && list_ns > 0.0;
        is_measured.then_some(Costs { row_ns, node_ns, list_ns, is_measured })
    }

    /// A search of the whole graph, of whose rows those that match are kept.
    fn whole(&self, q: usize, matching: usize, probe: &C::Probe, beam: &mut Beam) -> Result<Hits, Error> {
        let (rows, k) = (self.codes.len(), self.query.k());
        let mut ef = self.query.effort().max(k).saturating_mul(rows) / matching;
        let mut found = Vec::new();
        while ef < rows / 2 {
            self.cancel.check()?;
            self.walk(q, probe, beam, ef);
            let matches = beam.found().map(|(row, _)| row).filter(|row| self.matches(*row));
            let depth = if self.query.range_filter().is_some() { ef } else { self.query.depth() };
            found.clear();
            found.extend(matches.take(depth));
            let refined = self.refiner.refine(q, &found, self.query);
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

    /// Fills the beam with up to `ef` near rows.
    fn walk(&self, q: usize, probe: &C::Probe, beam: &mut Beam, ef: usize) {
        let Graph { nodes, entries, stored, .. } = self.graph;
        match (nodes, stored) {
            (Nodes::Blocks(blocks), Stored::Bytes(space, _)) => {
                let mut aim = std::mem::take(&mut beam.aim);
                blocks.aim(space, &mut aim, self.refiner.queries, q);
                beam.search_blocks((&self.codes, probe), (blocks, &aim), entries, widened(ef));
                beam.aim = aim;
            }
            _ => beam.search(&self.codes, probe, self.graph.links(), entries, ef),
        }
    }

    #[inline]
    fn matches(&self, row: u32) -> bool {
        self.mask.is_none_or(|mask| mask.get(row as usize))
    }

    /// Looks at the code of every row that matches and leaves the nearest, enough to be refined.
    fn nearest_codes(&self, probe: &C::Probe, found: &mut Vec<u32>) {
        let mut nearest = Nearest::new(self.query.depth());
        let mut scores = Vec::new();
        let mut block = Vec::with_capacity(64);
        let mut score = |block: &mut Vec<u32>| {
            self.codes.scores(probe, block, Reach::Scattered, &mut scores);
            block.drain(..).zip(&scores).for_each(|(row, score)| nearest.push(*score, row));
        };
        let all = 0..self.codes.len();
        let rows: Box<dyn Iterator<Item = usize>> = match self.mask {
            Some(mask) => Box::new(mask.iter()),
            None => Box::new(all),
        };
        for row in rows {
            block.push(row as u32);
            if block.len() == 64 {
                score(&mut block);
            }
        }
        score(&mut block);
        *found = nearest.into_rows();
    }
}
