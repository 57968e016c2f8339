//! Rows in lists around centroids; a search looks at the lists of the nearest few. Invariant: every row is in
//! exactly one list.

mod build;
mod search;

pub(crate) use build::build;
pub(crate) use search::Ivf;
