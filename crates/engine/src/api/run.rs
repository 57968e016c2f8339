//! Work to be done: flush, load, release, compact.

use super::Target;
use crate::Error;
use data::{CollectionId, SegmentId, Timestamp};

/// Something that [`Engine::run`](crate::Engine::run) can do.
pub trait Task {
    /// What comes of it.
    type Outcome;

    /// Does it.
    ///
    /// # Errors
    /// When something named in the task does not exist, or storage fails.
    fn run(self, engine: &crate::Engine) -> Result<Self::Outcome, Error>;
}

/// Writes the rows in memory of these collections to files, and waits for it.
#[derive(Debug, Clone)]
pub struct Flush {
    /// Which collections.
    pub targets: Vec<Target>,
}

/// What a flush did, for one collection.
#[derive(Debug, Clone)]
pub struct Flushed {
    /// Which collection.
    pub target: Target,
    /// Its number.
    pub collection: CollectionId,
    /// Segments this flush wrote.
    pub segments: Vec<SegmentId>,
    /// Segments that were in files before.
    pub earlier: Vec<SegmentId>,
    /// Everything up to here is in files.
    pub timestamp: Timestamp,
}

/// Flushes every collection, and waits for it. Gives the moment up to which everything is in files.
#[derive(Debug, Clone, Copy)]
pub struct FlushAll;

/// Whether everything up to `timestamp` (zero: everything in the named segments) is in files.
#[derive(Debug, Clone)]
pub struct FlushState {
    /// Of this collection; `None` = of all.
    pub target: Option<Target>,
    /// These segments.
    pub segments: Vec<SegmentId>,
    /// Up to this moment.
    pub timestamp: Timestamp,
}

/// Lets a collection, or some of its partitions, answer reads.
#[derive(Debug, Clone)]
pub struct Load {
    /// Which collection.
    pub target: Target,
    /// Which partitions; empty = the whole collection.
    pub partitions: Vec<String>,
}

/// The opposite of [`Load`].
#[derive(Debug, Clone)]
pub struct Release {
    /// Which collection.
    pub target: Target,
    /// Which partitions; empty = the whole collection.
    pub partitions: Vec<String>,
}

/// Merges small segments and drops deleted rows, in the background. Gives the number of the compaction.
#[derive(Debug, Clone)]
pub struct Compact {
    /// Which collection, by name; or
    pub target: Target,
    /// by number; wins when given.
    pub id: Option<CollectionId>,
}

/// Asks how a compaction is going, by its number.
#[derive(Debug, Clone, Copy)]
pub struct Compacted(
    /// What [`Compact`] gave.
    pub i64,
);

/// Where a compaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactionState {
    /// Going on.
    Executing,
    /// Done.
    Completed,
}

/// A compaction.
#[derive(Debug, Clone)]
pub struct CompactionInfo {
    /// Where it stands.
    pub state: CompactionState,
    /// Merges going on.
    pub executing: i64,
    /// Merges done.
    pub completed: i64,
    /// Merges that failed.
    pub failed: i64,
    /// Which segments became which: sources and target.
    pub plans: Vec<(Vec<SegmentId>, SegmentId)>,
}
