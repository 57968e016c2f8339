//! What the six verbs take and give: plain data with public fields, in the database's own words.

mod buckets;
mod change;
mod describe;
mod query;
mod run;
mod search;
mod write;

pub use buckets::{Bucket, BucketOrder, Buckets, Measure, TopHits};
pub use change::{Change, Changed, CreateCollection, CreateIndex, FieldName, Properties};
pub use describe::{
    AliasInfo, Aliases, Collection, CollectionInfo, Collections, DatabaseInfo, Databases, IndexBuild,
    IndexInfo, IndexState, Indexes, LoadInfo, LoadState, Loaded, NodeInfo, PartitionInfo, Question, RowCount,
    SegmentInfo, SegmentState, Segments, SubgraphInfo, System, TimeZone,
};
pub use query::{Queried, Query};
pub use run::{
    Compact, Compacted, CompactionInfo, CompactionState, Flush, FlushAll, FlushState, Flushed, Load, Release,
    Task,
};
pub use search::{
    Collapse, Costs, Explained, Found, Group, GroupScore, Hybrid, Iteration, Order, OutputField, Queries,
    Rank, ReadTime, Reads, Search, Seek,
};
pub use write::{FieldOp, NamedColumn, Rows, Update, Write, Written};

/// The collection a request is about: by database and name (or alias).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Target {
    /// The database; empty = `default`.
    pub database: String,
    /// The collection's name or an alias of it.
    pub collection: String,
}

impl Target {
    /// `collection` in `database`.
    pub fn new(database: impl Into<String>, collection: impl Into<String>) -> Self {
        Self { database: database.into(), collection: collection.into() }
    }
}
