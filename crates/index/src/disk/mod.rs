//! A graph whose nodes lie on a disk. Invariant: a node is believed only once the checksum of its block was held against it,
//! and nothing of a search but codes, some links and what it read itself is in memory.
//!
//! The walk goes by codes; the rows and the links of nodes come from the disk, several at once, and each row that came
//! along is measured exactly (Subramanya et al., "DiskANN: fast accurate billion-point nearest neighbor search on a single
//! node", NeurIPS 2019). Nodes that are near each other share a block, so that one read brings several of those
//! that a walk wants (Wang et al., "Starling: an I/O-efficient disk-resident graph index framework for high-dimensional
//! vector similarity search on data segment", SIGMOD 2024). What memory is left for a cache holds no rows, only links: it
//! reaches several times as far, and a walk reads nothing as long as it stays inside. If there is no room for all links, memory
//! has a few of every node: a walk along these ends near the query, and goes on along all links of the nodes that it then reads.
//!
//! Codes of all rows are in memory, or (AISAQ without a cache) those of a node's neighbours lie beside their numbers in its block, and
//! memory holds only those of the entries. With codes in memory there may be lists of rows beside the graph, for masks.

mod arrange;
mod build;
mod layout;
mod lists;
mod pages;
mod parts;
mod plan;
mod search;
mod walk;

pub(crate) use build::{Coded, write};
pub use pages::{PAGE_BYTES, Pages};
pub(crate) use parts::{link, need_bytes};
pub(crate) use plan::Plan;
pub use search::Reads;
pub(crate) use search::{Disk, NODES};
