//! Writing the image of a graph on disk. Invariant: the same graph and seed make the same bytes.

use std::io;

use host::{Cancel, Pool};

use super::arrange::arrange;
use super::layout::{Layout, row_bytes};
use super::plan::{LINKS_MIN, Plan};
use crate::codec::{ByteRows, Members, ROW_BY_ROW, Sketch, Space};
use crate::course::{A_THREAD, Course, in_waves};
use crate::graph::{Built, NONE};
use crate::image::Image;
use crate::shares::Shared;
use crate::{Error, Spec, Vectors};

/// Percent of the work of writing that is done when rows are shared out and coded.
const SHARED: u64 = 50;
/// Numbers before the starts of links in memory, and after the last.
const HEAD: usize = 3;
/// Bytes of the blocks that one task makes, unless a block has more.
const TASK: usize = 1 << 18;

/// Adds the sections of `built` over `vectors` to an image, but for the nodes: their bytes are handed to `pages` as they are made.
pub(crate) fn write(
    (spec, plan): (&Spec, Plan),
    (rows, vectors): (Coded<'_>, Vectors<'_>),
    built: Built,
    seed: u64,
    (pool, cancel, mut course): (&Pool, &Cancel, Course<'_>),
    image: &mut Image,
    pages: &mut dyn FnMut(Vec<u8>) -> io::Result<()>,
) -> Result<(), Error> {
    let space = rows.space;
    course.stage(SHARED);
    let lists = match plan.is_inline {
        true => None,
        false => Shared::new(&rows.view(), vectors, seed, (pool, cancel))?,
    };
    drop(rows.codes);
    let rows = vectors.len();
    let all: Vec<u32> = (0..rows as u32).collect();
    let learned = Members { vectors, rows: &all, lists: &[] };
    let sketch =
        Sketch::learn(spec, (plan.recipe(), ROW_BY_ROW), space, &[], &learned, seed, (pool, cancel), image)?;
    let layout = Layout::of(spec, plan, sketch.stride());
    let order = match spec.is_rearranged() {
        true => arrange(&built.links, layout.width, &built.entries, layout.per_block),
        false => all,
    };
    let codes = sketch.code(&Members { vectors, rows: &order, lists: &[] }, pool, cancel)?;
    let mut slots = vec![0u32; rows];
    for (slot, row) in order.iter().enumerate() {
        slots[*row as usize] = slot as u32;
    }
    let Built { mut links, entries } = built;
    for link in links.iter_mut().filter(|link| **link != NONE) {
        *link = slots[*link as usize];
    }
    let entries: Vec<u32> = entries.iter().map(|row| slots[*row as usize]).collect();
    drop(slots);
    course.stage(100);
    let nodes = Nodes { layout, vectors, order: &order, links: &links, codes: &codes };
    let tasks = rows.div_ceil(layout.per_block).div_ceil(nodes.blocks_a_task());
    in_waves(
        tasks,
        (pool, cancel),
        |task| nodes.blocks(task, cancel),
        |task, blocks| {
            course.at(task + 1, tasks);
            pages(blocks).map_err(|error| Error::Unwritable { reason: error.to_string() })
        },
    )?;
    let (lists, cached) = cached(budget(spec, plan, &nodes), &nodes, lists);
    space.write(image);
    if let Some(lists) = lists {
        lists.write(image);
    }
    drop(links);
    image.push("entries", entries.clone());
    image.push("order", order);
    image.push("links", cached);
    let stride = sketch.stride();
    let kept = match layout.code_bytes {
        0 => codes,
        _ => entries.iter().flat_map(|slot| &codes[*slot as usize * stride..][..stride]).copied().collect(),
    };
    image.push("codes", kept);
    course.finish();
    Ok(())
}

/// Rows by a byte an element, as the links were chosen by.
pub(crate) struct Coded<'a> {
    pub(crate) space: &'a Space,
    pub(crate) codes: Vec<i8>,
}

impl Coded<'_> {
    fn view(&self) -> ByteRows<'_> {
        ByteRows::new(self.space, &self.codes)
    }
}

/// All that nodes are made of, in the order of slots but for the links and rows.
struct Nodes<'a> {
    layout: Layout,
    vectors: Vectors<'a>,
    order: &'a [u32],
    /// Slots, in the order of rows.
    links: &'a [u32],
    codes: &'a [u8],
}

impl Nodes<'_> {
    fn links(&self, slot: usize) -> &[u32] {
        &self.links[self.order[slot] as usize * self.layout.width..][..self.layout.width]
    }

    fn blocks_a_task(&self) -> usize {
        (TASK / self.layout.block_bytes()).max(1)
    }

    /// The blocks of one task.
    fn blocks(&self, task: usize, cancel: &Cancel) -> Vec<u8> {
        let (layout, each) = (&self.layout, self.blocks_a_task());
        let rows = self.order.len();
        let last = rows.div_ceil(layout.per_block);
        let range = task * each..((task + 1) * each).min(last);
        let mut blocks = vec![0u8; range.len() * layout.block_bytes()];
        let mut inline = Vec::new();
        for (number, block) in range.zip(blocks.chunks_exact_mut(layout.block_bytes())) {
            if cancel.is_cancelled() {
                break;
            }
            for slot in layout.slots(number as u32, rows) {
                let links = self.links(slot as usize);
                inline.clear();
                for near in links.iter().take_while(|near| **near != NONE) {
                    let codes = &self.codes[*near as usize * self.stride()..][..self.stride()];
                    inline.extend_from_slice(&codes[..layout.code_bytes]);
                }
                let row = self.vectors.bytes(self.order[slot as usize] as usize);
                layout.put(block, slot, links, &inline, row);
            }
            Layout::seal(block, number as u32);
        }
        blocks
    }

    fn stride(&self) -> usize {
        self.codes.len() / self.order.len().max(1)
    }
}

/// Bytes that memory has for lists and links. Codes of AISAQ that are in memory take of them.
fn budget(spec: &Spec, plan: Plan, nodes: &Nodes<'_>) -> usize {
    let rows = nodes.order.len();
    let row_bytes = if rows == 0 { 0 } else { nodes.vectors.bytes(0).len() };
    let all = (spec.cache_share() * (rows * row_bytes) as f64) as usize;
    let is_charged = spec.has_inline_codes() && !plan.is_inline;
    all.saturating_sub(if is_charged { nodes.codes.len() } else { 0 })
}

/// Lists, if they leave room for enough links, and links that are kept in memory, as many as `budget` bytes allow: how many slots have
/// some, whether these are all they have, where the links of each start and where the last end; then the links.
///
/// If there is no room for all, every slot has some of its links: the nearest, and as many from among the rest. Where that
/// would leave too few, the first slots have all of theirs.
fn cached(budget: usize, nodes: &Nodes<'_>, lists: Option<Shared>) -> (Option<Shared>, Vec<u32>) {
    let rows = nodes.order.len();
    // With the slot of each row.
    let bytes = |lists: &Shared| lists.bytes() + 4 * rows;
    let lists = lists.filter(|lists| bytes(lists) + 4 * (HEAD + rows + LINKS_MIN * rows) <= budget);
    let budget = budget - lists.as_ref().map_or(0, bytes);
    let room = (budget / 4).saturating_sub(HEAD + rows).min(u32::MAX as usize);
    // With codes inline nothing in memory says how far a neighbour is.
    let can_hold = nodes.layout.code_bytes == 0;
    let degree = |slot| nodes.links(slot).iter().take_while(|near| **near != NONE).count();
    let width = nodes.layout.width;
    let mut of_degree = vec![0usize; width + 1];
    (0..rows).for_each(|slot| of_degree[degree(slot)] += 1);
    // A link more for each slot that has so many.
    let (mut taken, mut above) = (0, rows);
    let fits = |most: &usize| {
        above -= of_degree[most - 1];
        taken += above;
        can_hold && taken <= room
    };
    let most = (1..=width).take_while(fits).last().unwrap_or(0);
    let is_whole = most == width || most < LINKS_MIN;
    let len = |slot| if is_whole { degree(slot) } else { degree(slot).min(most) };
    let mut end = 0;
    let ends = (0..rows).map(|slot| {
        end += len(slot);
        end
    });
    let fits = |(slot, end): &(usize, usize)| !is_whole || can_hold && HEAD + slot + 1 + end <= budget / 4;
    let ends: Vec<usize> = ends.enumerate().take_while(fits).map(|(_, end)| end).collect();
    let mut kept = Vec::with_capacity(HEAD + ends.len() + ends.last().unwrap_or(&0));
    kept.extend([ends.len() as u32, u32::from(is_whole), 0]);
    kept.extend(ends.iter().map(|end| *end as u32));
    for slot in 0..ends.len() {
        let near = &nodes.links(slot)[..degree(slot)];
        if is_whole { kept.extend_from_slice(near) } else { kept.extend(some(near, most)) }
    }
    (lists, kept)
}

/// Bytes that [`write`] takes at most for `rows` rows, whose links there are already: with their bytes, by which lists are made, and
/// with what is kept and written.
pub(super) fn need_bytes(spec: &Spec, plan: Plan, rows: usize, threads: usize) -> usize {
    let stride = Space::stride_of(spec.dim());
    let shared = if plan.is_inline { 0 } else { Shared::need_bytes(rows, stride) };
    let budget = (spec.cache_share() * (rows * row_bytes(spec)) as f64) as usize;
    let cached = budget.min(rows * (4 + 4 * plan.width));
    // Codes, and the order of rows as it is made; then blocks.
    let code_bytes = plan.stride(spec.dim());
    let blocks = A_THREAD * threads * TASK.max(Layout::of(spec, plan, code_bytes).block_bytes());
    let writing = shared / 2 + rows * (code_bytes + 4 + 8 + 5) + cached + 8 * rows + blocks;
    writing.max(rows * stride + shared)
}

/// Up to `most` of some links: the nearest, and as many spread over the others.
fn some(near: &[u32], most: usize) -> Vec<u32> {
    let count = near.len().min(most);
    let (nearest, rest) = near.split_at(count - count / 2);
    let spread = (0..count / 2).filter_map(|i| rest.get(i * rest.len() / (count / 2)));
    nearest.iter().chain(spread).copied().collect()
}
