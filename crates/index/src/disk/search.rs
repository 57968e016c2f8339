//! A graph on disk that can be searched. Invariant: as many rows come back as match and were asked for; what the graph does
//! not find is found by looking at every row.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use host::Cancel;
use simd::Bits;

use super::layout::Layout;
use super::lists::Lists;
use super::pages::Pages;
use super::plan::Plan;
use super::walk::{Room, Walk};
use crate::codec::{ROW_BY_ROW, Sketch, Space};
use crate::graph::NONE;
use crate::image::{Array, Head, Image};
use crate::refine::Refiner;
use crate::shares::{LOOKED_AT, SHARE_WHOLE};
use crate::{Error, Hits, Query, Spec, Way};

/// The section that stays on the disk.
pub(crate) const NODES: &str = "nodes";

/// What following a node costs whose links are in memory, reading one that is not, and scoring a code or a row out of order, in
/// nanoseconds; for the choice between walk and scan.
const NODE_NS: f64 = 700.0;
const READ_NS: f64 = 80_000.0;
const CODE_NS: f64 = 30.0;
const ROW_NS: f64 = 1_500.0;

/// How a search among the rows of a mask begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It looks at the codes of all of them, or at the rows.
    Scan,
    /// It looks at the codes of those in the lists nearest to the query.
    Lists,
    /// It walks.
    Walk,
}

/// What searches have read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// Queries that were answered.
    pub queries: u64,
    /// Pieces that were read for them, each from one place.
    pub reads: u64,
    /// Pages in these pieces.
    pub pages: u64,
    /// Times that several pieces were asked for at once, one after the other for each query.
    pub rounds: u64,
    /// Queries for which nodes could not be read or were damaged, so that all rows were looked at.
    pub failures: u64,
}

/// A graph on disk.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(super) layout: Layout,
    pub(super) rows: usize,
    pub(super) space: Space,
    pub(super) sketch: Sketch,
    /// For searches among the rows of a mask.
    pub(super) lists: Option<Lists>,
    /// Of all slots; with codes inline, of the entries.
    pub(super) codes: Array<u8>,
    pub(super) entries: Array<u32>,
    /// The row of each slot.
    pub(super) order: Array<u32>,
    /// The number of slots whose links are here, whether all of them; where those of each start and the last end, counted from
    /// what follows; the links.
    near: Array<u32>,
    pub(super) held: u32,
    pub(super) is_whole: bool,
    pub(super) pages: Arc<dyn Pages>,
    rooms: Mutex<Vec<Room>>,
    queries: AtomicU64,
    reads: AtomicU64,
    rounds: AtomicU64,
    failures: AtomicU64,
    is_damaged: AtomicBool,
}

impl Disk {
    /// Reads back what [`super::write`] wrote. Without `pages` nodes are those of the image; with them, all else is copied into
    /// memory.
    pub(crate) fn read(
        spec: &Spec,
        rows: usize,
        image: &Image,
        pages: Option<Arc<dyn Pages>>,
    ) -> Result<Self, Error> {
        let corrupt = |what| Error::Corrupt { what };
        let plan = Plan::of(spec, Head::version(image)?);
        let space = Space::read(spec.metric(), spec.dim(), image)?;
        let sketch = Sketch::read(spec, (plan.recipe(), ROW_BY_ROW), space.clone(), &[], rows, image)?;
        let layout = Layout::of(spec, plan, sketch.stride());
        let entries: Array<u32> = image.list("entries")?;
        if entries.iter().any(|slot| *slot as usize >= rows) || (entries.is_empty() && rows > 0) {
            return Err(corrupt("entries"));
        }
        let coded = if layout.code_bytes == 0 { rows } else { entries.len() };
        let codes = image.array("codes", coded.checked_mul(sketch.stride()).ok_or(corrupt("codes"))?)?;
        let order: Array<u32> = image.array("order", rows)?;
        let mut is_placed = Bits::zeros(rows);
        for row in order.iter() {
            if *row as usize >= rows || is_placed.get(*row as usize) {
                return Err(corrupt("order"));
            }
            is_placed.set(*row as usize, true);
        }
        let near: Array<u32> = image.list("links")?;
        let (held, is_whole) = check_links(&near, rows).ok_or(corrupt("links"))?;
        let blocks = rows.div_ceil(layout.per_block) as u64;
        let is_held = pages.is_none();
        let lists = match plan.is_inline {
            true => None,
            false => Lists::read((&space, spec.dim(), &order), !is_held, image)?,
        };
        let pages = match pages {
            Some(pages) => pages,
            None => {
                let nodes = image.section(NODES)?;
                if nodes.len() as u64 != blocks * layout.block_bytes() as u64 {
                    return Err(corrupt(NODES));
                }
                Arc::new(nodes)
            }
        };
        if pages.count() != blocks * layout.block_pages as u64 {
            return Err(corrupt(NODES));
        }
        Ok(Self {
            layout,
            rows,
            space,
            sketch,
            lists,
            codes: if is_held { codes } else { codes.copied() },
            entries: if is_held { entries } else { entries.copied() },
            order: if is_held { order } else { order.copied() },
            near: if is_held { near } else { near.copied() },
            held,
            is_whole,
            pages,
            rooms: Mutex::default(),
            queries: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            is_damaged: AtomicBool::new(false),
        })
    }

    /// Bytes in memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let numbers = self.entries.len() + self.order.len() + self.near.len();
        let lists = self.lists.as_ref().map_or(0, Lists::memory_bytes);
        (self.codes.len() + 4 * numbers + lists) as u64
    }

    /// What searches have read so far.
    pub(crate) fn reads(&self) -> Reads {
        Reads {
            queries: self.queries.load(Ordering::Relaxed),
            reads: self.reads.load(Ordering::Relaxed),
            pages: self.reads.load(Ordering::Relaxed) * self.layout.block_pages as u64,
            rounds: self.rounds.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }

    pub(super) fn count(&self, reads: usize, rounds: usize) {
        self.reads.fetch_add(reads as u64, Ordering::Relaxed);
        self.rounds.fetch_add(rounds as u64, Ordering::Relaxed);
    }

    /// Counts a query that could not go by the nodes, and why.
    pub(super) fn count_failure(&self, error: &Error) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if matches!(error, Error::Corrupt { .. }) {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a node that was read was not what was written.
    pub(crate) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Where blocks begin.
    pub(super) fn first_pages(&self, blocks: &[u32]) -> Vec<u64> {
        blocks.iter().map(|block| u64::from(*block) * self.layout.block_pages as u64).collect()
    }

    /// Whether codes of all rows are in memory.
    pub(super) fn holds_codes(&self) -> bool {
        self.layout.code_bytes == 0
    }

    /// The links of `slot`, or some of them, if they are in memory.
    #[inline]
    pub(super) fn held_links(&self, slot: u32) -> Option<&[u32]> {
        if slot >= self.held {
            return None;
        }
        let (starts, links) = self.near[2..].split_at(self.held as usize + 1);
        let range = starts[slot as usize] as usize..starts[slot as usize + 1] as usize;
        Some(&links[range])
    }

    /// The links of `slot` in its block.
    #[inline]
    pub(super) fn read_links<'a>(&self, block: &'a [u8], slot: u32) -> Result<&'a [u32], Error> {
        let links = self.layout.links(block, slot);
        let len = links.iter().position(|near| *near == NONE).unwrap_or(links.len());
        let links = &links[..len];
        match links.iter().all(|near| (*near as usize) < self.rows) {
            true => Ok(links),
            false => Err(Error::Corrupt { what: NODES }),
        }
    }

    /// How a search among `matching` rows begins.
    pub(crate) fn way(&self, query: &Query, matching: usize) -> Way {
        let ef = query.effort().max(query.k());
        if query.range_filter().is_some() || matching >= self.rows {
            return Way::Graph;
        }
        match self.choice(ef, matching) {
            Choice::Scan if self.holds_codes() => Way::Codes,
            Choice::Scan => Way::Rows,
            Choice::Lists => Way::Lists,
            Choice::Walk => Way::Graph,
        }
    }

    /// How a search begins that keeps `ef` of `matching` rows.
    pub(super) fn choice(&self, ef: usize, matching: usize) -> Choice {
        let (share, scan) = (matching as f64 / self.rows.max(1) as f64, matching as f64);
        match &self.lists {
            None if self.prefers_scan(ef, matching) => Choice::Scan,
            None => Choice::Walk,
            Some(_) if scan <= f64::from(LOOKED_AT) * ef as f64 => Choice::Scan,
            Some(_) if share >= f64::from(SHARE_WHOLE) => Choice::Walk,
            Some(_) => Choice::Lists,
        }
    }

    /// Whether a walk that ends with `ef` rows that match costs more than a scan of those that do.
    fn prefers_scan(&self, ef: usize, matching: usize) -> bool {
        let rows = self.rows.max(1) as f64;
        let read = 1.0 - f64::from(self.held) / rows;
        let walk = ef as f64 * rows / matching.max(1) as f64 * (NODE_NS + read * READ_NS);
        walk >= matching as f64 * if self.holds_codes() { CODE_NS } else { ROW_NS }
    }

    /// The best rows for every query.
    pub(crate) fn search(
        &self,
        refiner: &Refiner<'_>,
        query: &Query,
        mask: Option<&Bits>,
        cancel: &Cancel,
    ) -> Result<Vec<Hits>, Error> {
        let idle = || self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = idle().pop().unwrap_or_default();
        let count = refiner.queries.len();
        let mut walk = Walk::new(self, refiner, (query, mask), cancel, &mut room);
        let hits = (0..count).map(|q| walk.one(q)).collect();
        self.queries.fetch_add(count as u64, Ordering::Relaxed);
        idle().push(room);
        hits
    }
}

/// The number of slots of which the section `links` tells, and whether all of their links, if it is what was written.
fn check_links(near: &[u32], rows: usize) -> Option<(u32, bool)> {
    let ([held, is_whole], rest) = near.split_first_chunk()?;
    let (starts, links) = rest.split_at_checked((*held as usize).checked_add(1)?)?;
    let rising = starts.first() == Some(&0) && starts.windows(2).all(|pair| pair[0] <= pair[1]);
    let fits = *held as usize <= rows && starts.last().copied()? as usize == links.len() && *is_whole <= 1;
    let is_fine = rising && fits && links.iter().all(|slot| (*slot as usize) < rows);
    is_fine.then_some((*held, *is_whole == 1))
}
