//! The Milvus contract as bytes: generated messages and services, error codes, and the way between messages and the
//! database's own words.
//!
//! [`proto`] holds what the contract says, compiled from `contract.fds` (see `tools/contract.py` for where that comes
//! from). [`code`](Code) is every error code. The rest turns messages into `data` and back: [`schema`], [`columns`],
//! [`vectors`] (the queries of a search), [`hits`] (results), [`params`] (lists of keys and values), [`templates`] (values in filters). They judge
//! structure only; whether a dimension or a name is allowed is the engine's business.
//!
//! Nothing here panics on bytes from outside.

pub mod buckets;
mod code;
pub mod columns;
mod error;
mod flat;
pub mod hits;
pub mod params;
pub mod proto;
pub mod schema;
pub mod templates;
pub mod vectors;

pub use code::{Code, success};
pub use error::Error;
pub use flat::{FloatArray, TextArray};
