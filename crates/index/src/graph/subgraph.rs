//! Graphs of the rows of filters that are asked for often. Invariant: a search along one finds only rows of its mask, and as many as are
//! wanted, or gives up.
//!
//! What a filter passes lies scattered in the graph of all rows and in its lists; where it goes by what is searched, most queries lie
//! far from all of it. A graph of these rows alone has neither trouble, and a search along it costs what one without a filter does (Li et
//! al., "SIEVE: effective filtered vector search with collection of indexes", VLDB 2025). It takes time to make, so it is made
//! once about that much time has been lost without it: see [`Demand`]. It serves every filter that passes a good part of its rows and no
//! others, however that filter is written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use host::{Cancel, Pool, Progress, Ticket};
use simd::Bits;

use super::beam::Beam;
use super::block::Blocks;
use super::demand::Demand;
use super::search::{Graph, Stored, Walk, widened};
use crate::codec::{ByteRows, Codes, Reach};
use crate::course::Course;
use crate::image::{Array, Image, VERSION_NARROW};
use crate::shares::AMID;
use crate::vectors::Chosen;
use crate::{Error, Hits, Spec, Vectors};

/// What part of its rows a filter must pass for a subgraph to be of use to it.
const SHARE_MIN: usize = 2;
/// Subgraphs have no more than this part of the rows of the index, all together.
const ROOM: usize = 2;

/// Entries that a search begins with. Rows of a filter may lie in islands, and a query from elsewhere has near rows on several.
const GATES: usize = 64;

/// A graph of the rows of a mask alone.
#[derive(Debug)]
pub struct Subgraph {
    mask: Bits,
    /// Which rows they are in the index.
    rows: Vec<u32>,
    blocks: Blocks,
    entries: Array<u32>,
    /// Searches that went along it lately.
    searches: AtomicUsize,
    ticket: Option<Ticket>,
}

impl Subgraph {
    /// Links the rows of `mask`, some of `vectors`.
    pub(crate) fn build(
        (spec, graph): (&Spec, &Graph),
        vectors: Vectors<'_>,
        mask: &Bits,
        seed: u64,
        (pool, cancel): (&Pool, &Cancel),
    ) -> Result<Self, Error> {
        let Stored::Bytes(space, _) = &graph.stored else { return Err(Error::Corrupt { what: "codes" }) };
        let rows: Vec<u32> = mask.iter().map(|row| row as u32).collect();
        let chosen = Chosen { vectors, rows: Some(&rows) };
        let (m, ef) = spec.degree();
        let codes = space.code(vectors, rows.len(), |i| chosen.row(i), pool, cancel)?;
        let codes = ByteRows::new(space, &codes);
        let degree = (m, ef, spec.block_width());
        let unseen = Progress::new();
        let built = super::build(&codes, degree, seed, pool, cancel, Course::new(&unseen, 0))?;
        let mut image = Image::default();
        let nodes = (&built.links[..], &built.entries[..]);
        Blocks::build((spec, space), chosen, nodes, seed, (pool, cancel), &mut image)?;
        let blocks = Blocks::read(spec, (rows.len(), built.entries.len()), VERSION_NARROW, &image)?;
        let (mask, entries) = (mask.clone(), Array::Copied(built.entries));
        Ok(Self { mask, rows, blocks, entries, searches: AtomicUsize::new(0), ticket: None })
    }

    /// Bytes it keeps in memory.
    pub fn memory_bytes(&self) -> u64 {
        (self.blocks.memory_bytes() + 4 * (self.rows.len() + self.entries.len()) + self.mask.len() / 8) as u64
    }

    /// Charges what it keeps to `ticket`, which goes with it.
    pub fn charge(&mut self, ticket: Ticket) {
        self.ticket = Some(ticket);
    }

    fn serves(&self, mask: &Bits, matching: usize) -> bool {
        let range = self.rows.len().div_ceil(SHARE_MIN)..=self.rows.len();
        range.contains(&matching) && self.mask.contains(mask)
    }
}

/// The subgraphs of an index, and what is asked for.
#[derive(Debug, Default)]
pub(crate) struct Subgraphs {
    kept: RwLock<Vec<Arc<Subgraph>>>,
    pub(crate) demand: Demand,
}

impl Subgraphs {
    /// The smallest subgraph that serves so many searches among the `matching` rows of `mask`.
    pub(super) fn find(&self, mask: &Bits, matching: usize, searches: usize) -> Option<Arc<Subgraph>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let serving = kept.iter().filter(|subgraph| subgraph.serves(mask, matching));
        let subgraph = serving.min_by_key(|subgraph| subgraph.rows.len())?;
        subgraph.searches.fetch_add(searches, Ordering::Relaxed);
        Some(Arc::clone(subgraph))
    }

    /// A mask that is asked for often enough, and for which there is room among the `all` rows of the index, or will be when those go that
    /// were asked for less.
    pub(crate) fn wanted(&self, all: usize) -> Option<Arc<Bits>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        self.demand.strongest(|rows, searches| {
            let stay = kept.iter().filter(|one| one.searches.load(Ordering::Relaxed) >= searches);
            stay.map(|one| one.rows.len()).sum::<usize>() + rows <= all / ROOM
        })
    }

    /// Adds a subgraph, and lets those go that were asked for least, as room demands.
    pub(crate) fn keep(&self, subgraph: Subgraph) {
        let searches = self.demand.forget(&subgraph.mask);
        subgraph.searches.store(searches, Ordering::Relaxed);
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let room = (subgraph.mask.len() / ROOM).saturating_sub(subgraph.rows.len());
        kept.sort_by_key(|one| std::cmp::Reverse(one.searches.load(Ordering::Relaxed)));
        let mut rows = 0;
        kept.retain(|one| {
            // What was long ago counts less.
            one.searches.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| Some(count / 2)).ok();
            let fits = rows + one.rows.len() <= room;
            rows += if fits { one.rows.len() } else { 0 };
            fits
        });
        kept.push(Arc::new(subgraph));
    }

    /// Lets all go, and all demand; searches that are on their way keep theirs until they end.
    pub(crate) fn clear(&self) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.demand.clear();
    }

    /// How many there are, and bytes in all of them.
    pub(crate) fn sizes(&self) -> (usize, u64) {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        (kept.len(), kept.iter().map(|subgraph| subgraph.memory_bytes()).sum())
    }
}

/// Some of the rows of `codes`, under numbers of their own.
struct Picked<'a, C> {
    codes: &'a C,
    rows: &'a [u32],
}

/// Rows scored at once without room being asked for.
const FEW: usize = 64;

impl<C: Codes> Codes for Picked<'_, C> {
    type Probe = C::Probe;

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn probe(&self) -> C::Probe {
        self.codes.probe()
    }

    fn aim(&self, probe: &mut C::Probe, queries: Vectors<'_>, query: usize) {
        self.codes.aim(probe, queries, query);
    }

    fn place(&self, row: u32) -> &[u8] {
        self.codes.place(self.rows[row as usize])
    }

    #[inline]
    fn scores(&self, probe: &C::Probe, rows: &[u32], reach: Reach, out: &mut Vec<f32>) {
        let picked = rows.iter().map(|row| self.rows[*row as usize]);
        if rows.len() <= FEW {
            let mut few = [0; FEW];
            few.iter_mut().zip(picked).for_each(|(place, row)| *place = row);
            self.codes.scores(probe, &few[..rows.len()], reach, out);
        } else {
            self.codes.scores(probe, &picked.collect::<Vec<_>>(), reach, out);
        }
    }
}

impl<C: Codes> Walk<'_, C> {
    /// A search along a subgraph that has all rows of the mask, and perhaps more; `None` if it comes out among those more.
    pub(super) fn along(
        &self,
        q: usize,
        subgraph: &Subgraph,
        (mask, matching): (&Bits, usize),
        probe: &C::Probe,
        beam: &mut Beam,
    ) -> Result<Option<Hits>, Error> {
        let Stored::Bytes(space, _) = &self.graph.stored else { return Ok(None) };
        let Subgraph { rows, blocks, entries, .. } = subgraph;
        let codes = Picked { codes: &self.codes, rows };
        let share = matching as f32 / rows.len() as f32;
        let mut ef = self.graph.effort_of_all(self.query.effort().max(self.query.k()), share);
        let mut aim = std::mem::take(&mut beam.aim);
        blocks.aim(space, &mut aim, self.refiner.queries, q);
        let (mut found, mut hits) = (Vec::new(), None);
        while ef < rows.len() / 2 {
            self.cancel.check()?;
            beam.search_blocks((&codes, probe), (blocks, &aim), (entries, GATES), widened(ef));
            found.clear();
            found.extend(beam.found().map(|(row, score)| (rows[row as usize], score)));
            let near = found.len() as f32;
            found.retain(|(row, _)| mask.get(*row as usize));
            if (found.len() as f32) < AMID * share * near {
                break;
            }
            found.truncate(self.query.depth());
            let refined = self.refiner.refine_near(q, &found, self.query);
            if refined.beyond || refined.hits.len() >= self.query.k().min(matching) {
                hits = Some(refined.hits);
                break;
            }
            ef *= 4;
        }
        beam.aim = aim;
        Ok(hits)
    }
}
