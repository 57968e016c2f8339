//! Looks: questions with typed answers. An answer is derived from the catalogue and the segments at that moment.

use super::{Properties, Target};
use crate::Error;
use data::{CollectionId, Consistency, IndexId, PartitionId, Schema, SegmentId, Timestamp};

/// Something that [`Engine::describe`](crate::Engine::describe) can answer.
pub trait Question {
    /// The answer.
    type Answer;

    /// Looks it up.
    ///
    /// # Errors
    /// When something named in the question does not exist.
    fn answer(self, engine: &crate::Engine) -> Result<Self::Answer, Error>;
}

/// All databases.
#[derive(Debug, Clone, Copy)]
pub struct Databases;

/// A database.
#[derive(Debug, Clone)]
pub struct DatabaseInfo {
    /// Its name.
    pub name: String,
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its properties.
    pub properties: Properties,
}

/// All collections of a database.
#[derive(Debug, Clone)]
pub struct Collections {
    /// Which database; empty = `default`.
    pub database: String,
}

/// One collection, by name or alias, or (when `id` is given) by number.
#[derive(Debug, Clone)]
pub struct Collection {
    /// By name.
    pub target: Target,
    /// By number; wins when given.
    pub id: Option<CollectionId>,
}

/// A collection.
#[derive(Debug, Clone)]
pub struct CollectionInfo {
    /// Its number.
    pub id: CollectionId,
    /// Its database.
    pub database: String,
    /// Its name (not an alias).
    pub name: String,
    /// Its fields, with ids; `$meta` is last when there is a dynamic field.
    pub schema: std::sync::Arc<Schema>,
    /// Counts changes of the schema.
    pub schema_version: u32,
    /// Shards the user asked for.
    pub shards: u32,
    /// The level of reads that name none.
    pub consistency: Consistency,
    /// Its properties.
    pub properties: Properties,
    /// Second names.
    pub aliases: Vec<String>,
    /// Its partitions in order of creation.
    pub partitions: Vec<PartitionInfo>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its schema or properties changed last.
    pub updated_at: Timestamp,
    /// Whether it answers reads.
    pub load: LoadInfo,
}

/// A partition.
#[derive(Debug, Clone)]
pub struct PartitionInfo {
    /// Its number.
    pub id: PartitionId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it answers reads.
    pub load: LoadInfo,
}

/// How far a collection or partition is loaded. An unknown partition or collection is
/// [`LoadState::NotExist`], not an error.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Which collection.
    pub target: Target,
    /// Which partitions; empty = all.
    pub partitions: Vec<String>,
}

/// Whether something answers reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadInfo {
    /// The state.
    pub state: LoadState,
    /// 0 to 100.
    pub percent: u8,
}

/// Whether something answers reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadState {
    /// There is no such thing.
    NotExist,
    /// It must be loaded first.
    NotLoaded,
    /// On its way.
    Loading,
    /// It answers.
    Loaded,
}

/// Indexes of a collection: all, or those on `field`, or the one called `index`. None at all is an
/// [`ErrorKind::IndexNotFound`](crate::ErrorKind::IndexNotFound).
#[derive(Debug, Clone)]
pub struct Indexes {
    /// Which collection.
    pub target: Target,
    /// On which field; empty = any.
    pub field: String,
    /// Called what; empty = any.
    pub index: String,
}

/// Where an index stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// Rows are waiting for it.
    InProgress,
    /// No row is waiting.
    Finished,
    /// A build failed; `reason` says why. Reads go on by scan.
    Failed,
}

/// An index and how far it is built: `total_rows = indexed_rows + pending_rows`, always.
#[derive(Debug, Clone)]
pub struct IndexInfo {
    /// Its number.
    pub id: IndexId,
    /// Its name.
    pub name: String,
    /// The field it is on.
    pub field: String,
    /// What the user set, flat.
    pub params: Properties,
    /// What the user set, as it was written.
    pub echo: Properties,
    /// Where it stands.
    pub state: IndexState,
    /// Why a build failed, or why rows are served by scan (segments below the smallest size worth an index).
    pub reason: String,
    /// Rows it has to cover.
    pub total_rows: u64,
    /// Rows it covers, and rows in segments too small to be indexed.
    pub indexed_rows: u64,
    /// Rows still to do.
    pub pending_rows: u64,
    /// What is really built.
    pub build: IndexBuild,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What is really built for an index.
#[derive(Debug, Clone, Default)]
pub struct IndexBuild {
    /// Index type and parameters in force (AUTOINDEX resolved).
    pub effective: Properties,
    /// Rows in segments that have the index.
    pub built_rows: u64,
    /// Rows in segments below the smallest size worth an index; they are scanned.
    pub scanned_rows: u64,
    /// Bytes in memory or mapped.
    pub memory_bytes: u64,
    /// Bytes on disk.
    pub file_bytes: u64,
    /// Seconds spent on building what stands.
    pub build_seconds: f64,
    /// Rows of the builds now running that are done, and rows a second.
    pub running: Option<(u64, f64)>,
}

/// Rows of a collection or partition, as written minus deleted; exact at once.
#[derive(Debug, Clone)]
pub struct RowCount {
    /// Which collection.
    pub target: Target,
    /// Which partition; `None` = all.
    pub partition: Option<String>,
}

/// The segments of a collection, growing and sealed.
#[derive(Debug, Clone)]
pub struct Segments {
    /// Which collection.
    pub target: Target,
}

/// Where a segment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentState {
    /// In memory, taking rows.
    Growing,
    /// In a file.
    Sealed,
}

/// A segment.
#[derive(Debug, Clone)]
pub struct SegmentInfo {
    /// Its number.
    pub id: SegmentId,
    /// Its collection.
    pub collection: CollectionId,
    /// Its partition.
    pub partition: PartitionId,
    /// Rows stored, deleted ones included.
    pub rows: u64,
    /// Rows deleted.
    pub deleted_rows: u64,
    /// Bytes of the rows.
    pub bytes: u64,
    /// Where it stands.
    pub state: SegmentState,
    /// Whether its collection and partition answer reads.
    pub is_loaded: bool,
    /// The indexes it has: number and name.
    pub indexes: Vec<(IndexId, String)>,
}

/// Aliases of one collection (`collection` given), or of a whole database, or one by name.
#[derive(Debug, Clone)]
pub struct Aliases {
    /// Which database; empty = `default`.
    pub database: String,
    /// Of this collection only; empty = of all.
    pub collection: String,
    /// Only this alias, which must exist; empty = all.
    pub alias: String,
}

/// An alias.
#[derive(Debug, Clone)]
pub struct AliasInfo {
    /// Its database.
    pub database: String,
    /// The second name.
    pub alias: String,
    /// The collection's name.
    pub collection: String,
}

/// The node as a whole.
#[derive(Debug, Clone, Copy)]
pub struct System;

/// The node as a whole.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// Where its data are, for people.
    pub folder: String,
    /// When it started, milliseconds since the epoch.
    pub started_ms: u64,
    /// CPUs it may use.
    pub cpus: usize,
    /// Bytes of memory it may use.
    pub memory_limit_bytes: u64,
    /// Bytes its tickets add up to.
    pub memory_used_bytes: u64,
    /// Bytes of its files.
    pub disk_used_bytes: u64,
    /// Graphs for filters that are asked for often.
    pub subgraphs: SubgraphInfo,
    /// Why it is not healthy; empty = it is.
    pub troubles: Vec<String>,
}

/// Graphs of the rows of filters that are asked for often, in all loaded segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubgraphInfo {
    /// How many there are now.
    pub count: u64,
    /// Bytes of memory they take.
    pub bytes: u64,
    /// How many were built since the start.
    pub built: u64,
    /// How many of these went: for others that are asked for more, for memory, or with their segment.
    pub dropped: u64,
}

/// The time zone in which a collection reads and writes moments: its own, else its database's, else UTC. The answer is a
/// [`data::Zone`].
#[derive(Debug, Clone)]
pub struct TimeZone {
    /// Of which collection.
    pub target: Target,
}
