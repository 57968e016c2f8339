//! A graph at rest and its search. Invariant: as many rows come back as match and were asked for; what the graph
//! does not find is found by looking at every row.

use host::Cancel;
use simd::Bits;

use super::beam::{Beam, Beams};
use super::block::Blocks;
use super::build::Built;
use super::links::Links;
use crate::codec::{BitRows, ByteRows, Codes, ROW_BY_ROW, Reach, Sketch, SketchRows, Space};
use crate::image::{Array, Image};
use crate::nearest::Nearest;
use crate::refine::Refiner;
use crate::spec::Codec;
use crate::{Error, Hits, Query, Spec, scan};

/// What following a row of the graph costs, in rows scored one after the other by a scan. About 24 are scored for it, but
/// here and there in memory, and their places in the pool are looked for (measured by the bench `filters`).
const NODE_COST: usize = 96;
/// What reading the links of a row costs that is not scored itself.
const DETOUR_COST: usize = 5;
/// The most links of such rows that are read for a row that is followed, about.
const DETOURS_MAX: usize = 32;
/// Places of the mask at which a search among its rows begins, besides the entries of the graph that are in it.
const SPREAD: usize = 16;

/// What a walk that keeps `ef` rows costs where `matching` of `rows` rows match, in rows scored by a scan.
fn walk_cost(ef: usize, matching: usize, rows: usize) -> usize {
    let detours = (rows / matching.max(1)).min(DETOURS_MAX);
    ef.saturating_mul(NODE_COST + DETOUR_COST * detours)
}

/// Whether looking at the codes of all rows that match is cheaper than a walk.
fn scan_is_cheaper(ef: usize, matching: usize, rows: usize) -> bool {
    walk_cost(ef, matching, rows) >= matching
}

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
        Ok(Self { nodes, entries, stored, beams: Beams::default() })
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
        matching < rows && query.range_filter().is_none() && scan_is_cheaper(ef, matching, rows)
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
        let share = matching as f32 / self.codes.len() as f32;
        let mut ef = self.query.effort().max(self.query.k());
        let mut found = Vec::new();
        loop {
            self.cancel.check()?;
            if scan_is_cheaper(ef, matching, self.codes.len()) {
                self.nearest_codes(probe, &mut found);
                return Ok(self.refiner.refine(q, &found, self.query).hits);
            }
            let entries = self.graph.entries.iter().copied().chain(spread(mask));
            beam.search_among(&self.codes, probe, self.graph.links(), entries, (ef, mask, share));
            found.clear();
            found.extend(beam.found().map(|(row, _)| row).take(self.query.depth()));
            let refined = self.refiner.refine(q, &found, self.query);
            if refined.beyond || refined.hits.len() >= wanted {
                return Ok(refined.hits);
            }
            ef *= 4;
        }
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
