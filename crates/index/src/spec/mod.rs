//! From names and parameters to what is to be built and asked. Invariant: a [`Spec`] or [`Query`] that exists is
//! valid; every mistake dies here, worded from the one table.

mod check;
mod former;
mod known;
mod level;
mod param;
mod params;
mod query;
mod table;

pub use check::Spec;
pub use query::Query;
pub use table::Kind;
pub(crate) use table::{Codec, Shape};
