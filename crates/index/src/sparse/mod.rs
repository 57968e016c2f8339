//! Sparse rows by what they have in common with a query. Invariant: the answer is that of a scan, bit for bit, unless
//! the query says how much of itself may be dropped.

mod build;
mod coded;
mod levels;
mod postings;
mod search;
mod sums;

pub(crate) use build::{build, need_bytes};
pub(crate) use coded::Coded;
pub(crate) use postings::Inverted;
