//! Rows in lists around centroids; a search looks at the lists nearest to the query.

mod build;
mod costs;
mod fine;
mod lists;
mod packed;
mod planes;
mod rows;
mod search;
mod spill;

pub(crate) use build::{build, need_bytes};
pub(crate) use lists::Ivf;
