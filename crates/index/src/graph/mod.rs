//! A graph of near neighbours, searched from a few sampled entries. Invariant: links name rows that exist, and a
//! node has at most `2 M` of them, in blocks rounded up to a multiple of 16.
//!
//! Links are chosen as for HNSW's lowest level (Malkov and Yashunin, "Efficient and robust approximate nearest
//! neighbor search using hierarchical navigable small world graphs", TPAMI 2020): the nearest rows that no other
//! chosen row is clearly nearer to. Instead of its upper levels a search first looks at all of a small random sample.
//! Candidates come from pairs inside overlapping groups, not from searches; see [`partition`]. Where rows are long and links
//! few, a node keeps a bit an element of each neighbour beside its number, and following it reads one piece of memory; see
//! [`block`].

mod among;
mod beam;
mod block;
mod build;
mod candidates;
mod costs;
mod demand;
mod grow;
mod links;
mod lists;
mod masked;
mod partition;
mod prune;
mod search;
mod subgraph;
mod visit;

pub(crate) use beam::{Seen, insert, row_of};
pub(crate) use block::Blocks;
pub(crate) use build::{Built, build, need_bytes};
pub use costs::Costs;
pub use grow::GrowingGraph;
pub(crate) use links::{Links, NONE};
pub(crate) use lists::Lists;
pub(crate) use prune::Pruner;
pub(crate) use search::Graph;
pub use subgraph::Subgraph;
