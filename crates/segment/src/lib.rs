//! Some thousand to million rows as one unit, and the three questions to it: which rows match, which are nearest,
//! what do they hold.
//!
//! A [`Segment`] is [`Growing`] (append-only, in memory, one writer) or [`Sealed`] (one mapped file). Every row has a
//! stamp and is never changed; a delete is a key and a stamp, and kills the rows of that key with a smaller stamp
//! of their own. A reader at time `t` sees the rows stamped `<= t` that no delete stamped `<= t` has killed. An upsert is a
//! delete and an insert with one stamp: the new row, not being older than the delete, lives. So what happens after
//! `t` cannot change what a reader at `t` sees, nobody waits for anybody, and locks are held only for moments.
//!
//! The life of a row: [`Growing::append`], later [`Growing::freeze`] and [`write`](fn@write) into a file with the same row
//! numbers (so that deletes carry over by number), [`Sealed::open`], [`Sealed::delete`], and at last [`merge`] with
//! other segments into a new file that leaves out the dead.
//!
//! Rows are asked in two steps. [`Segment::matches`] turns time and predicate into a [`Mask`]; [`Segment::search`] and
//! [`Segment::read`] answer for the rows of a mask. A mask stays true while rows are added.
//!
//! An index on a scalar field ([`ScalarIndex`]) answers the leaves of a predicate in place of its column, where that is
//! cheaper; the answer is the same.
//!
//! Long texts and JSON lie compressed in their files. One value is read by unpacking a frame of some, a filter unpacks
//! 2,048 rows at a time, and what was unpacked is kept in a [`BlockCache`], as far as memory goes.
//!
//! This crate starts no threads, asks no clock and never waits but for the page faults of a mapped file.

mod blocks;
mod cache;
mod chunk;
mod column;
mod deletes;
mod error;
mod files;
mod growing;
mod items;
mod key_order;
mod keys;
mod mask;
mod merge;
mod nearest;
mod scalar;
mod sealed;
mod segment;
mod write;

pub use cache::BlockCache;
pub use deletes::DeleteList;
pub use error::Error;
pub use growing::{Frozen, Growing};
pub use items::{ElementHits, NearestLists, items_of};
pub use mask::Mask;
pub use merge::{Merged, RowMap, merge};
pub use nearest::{Nearest, vectors_of};
pub use scalar::{Need, ScalarError, ScalarIndex, ScalarKind, ScalarSpec, build_scalar};
pub use sealed::Sealed;
pub use segment::Segment;
pub use write::{Written, write};
