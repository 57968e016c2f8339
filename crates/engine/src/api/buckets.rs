//! Search hits in buckets by the values of fields, with figures of each.

use super::Order;
use data::{Field, Value};

/// One level of buckets. Every bucket is made of the hits nearest to the query: of each combination of the values of all
/// levels' fields as many as the largest [`TopHits::size`] says, or one.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    /// Hits with the same values of these fields share a bucket.
    pub fields: Vec<String>,
    /// How many buckets come back, of each bucket of the level above.
    pub size: usize,
    /// Among how many, the nearest, these are chosen; `None`: `size`.
    pub search_size: Option<usize>,
    /// Figures of each bucket.
    pub measures: Vec<Measure>,
    /// What sorts the buckets; empty = the nearest hit.
    pub order: Vec<BucketOrder>,
    /// Hits that come back with each bucket.
    pub hits: Option<TopHits>,
    /// Buckets inside of each bucket.
    pub inner: Option<Box<Buckets>>,
}

/// A figure of a bucket.
#[derive(Debug, Clone)]
pub struct Measure {
    /// What it is called.
    pub alias: String,
    /// `count`, `sum`, `avg`, `min` or `max`.
    pub function: String,
    /// Of which field; `_score`; `*` for `count` only.
    pub field: String,
}

/// What sorts buckets.
#[derive(Debug, Clone)]
pub struct BucketOrder {
    /// The alias of a measure, `_count`, or `_key`: the values of the level's fields.
    pub key: String,
    /// Largest first.
    pub is_falling: bool,
    /// Whether absent values stand first, not last.
    pub nulls_first: bool,
}

/// Which hits of a bucket come back.
#[derive(Debug, Clone, Default)]
pub struct TopHits {
    /// How many.
    pub size: usize,
    /// What sorts them, fields or `_score`; empty = nearness.
    pub sort: Vec<Order>,
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The values of the level's fields.
    pub key: Vec<(Field, Value)>,
    /// How many hits it has.
    pub count: usize,
    /// Its figures.
    pub measures: Vec<(String, Value)>,
    /// The hits that come back, by their place in [`super::Found::keys`].
    pub hits: Vec<usize>,
    /// Its own buckets.
    pub inner: Vec<Bucket>,
}
