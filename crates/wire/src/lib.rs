//! The Milvus contract as bytes.

mod flat;
pub mod proto;

pub use flat::{FloatArray, TextArray};
