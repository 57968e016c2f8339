//! The rows of one collection: one writer (the applier of the log), many readers.
//!
//! Invariant: the list of segments is replaced, never changed, so a reader that holds one sees every row of its moment;
//! rows and deletes that come later are invisible to it by their stamps.

use crate::catalog::Collection;
use crate::record::Record;
use crate::time::Oracle;
use crate::{Error, ErrorKind, ingest};
use data::{Batch, CollectionId, Column, FieldId, PartitionId, Schema, SegmentId, Timestamp};
use host::Ticket;
use segment::{Growing, Sealed, Segment};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use store::Lsn;

/// A collection's segments and what their keeping needs.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) id: CollectionId,
    members: RwLock<Arc<Members>>,
    /// Held shared by writes, and alone by one that puts rows together from what is there.
    writes: RwLock<()>,
    /// Held by a flush or by the end of a merge, so that the two never meet.
    maintenance: Mutex<()>,
    held: Mutex<Held>,
    /// When rows came last, milliseconds since the epoch.
    last_write_ms: AtomicU64,
    /// The memory that reads of this collection were promised.
    pub(crate) ticket: Mutex<Option<Ticket>>,
}

/// The segments of one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members {
    pub(crate) list: Vec<Member>,
    /// Rows deleted up to here may be gone: no reader may look at an earlier moment.
    pub(crate) floor: Timestamp,
}

/// A segment and its part in the life of rows.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) segment: Segment,
    pub(crate) role: Role,
}

/// Its part in the life of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes rows.
    Growing,
    /// Takes no more rows and is being written to a file.
    Frozen,
    /// In a file; so many of its deletes are, too.
    Sealed { saved_deletes: usize },
}

/// The places in the log that this collection still needs.
#[derive(Debug, Default)]
struct Held {
    /// The first record not in files.
    unflushed: Option<Lsn>,
    /// The first record of the flush that is going on.
    flushing: Option<Lsn>,
}

/// What a flush has to write.
#[derive(Debug)]
pub(crate) struct Freeze {
    pub(crate) frozen: Vec<Arc<Growing>>,
    /// Sealed segments with deletes that no file has.
    pub(crate) dirty: Vec<Arc<Sealed>>,
}

impl Shard {
    pub(crate) fn new(id: CollectionId, sealed: Vec<(Arc<Sealed>, usize)>, floor: Timestamp) -> Self {
        let member = |(segment, saved_deletes)| Member {
            segment: Segment::Sealed(segment),
            role: Role::Sealed { saved_deletes },
        };
        let members = Members { list: sealed.into_iter().map(member).collect(), floor };
        Self {
            id,
            members: RwLock::new(Arc::new(members)),
            writes: RwLock::default(),
            maintenance: Mutex::default(),
            held: Mutex::default(),
            last_write_ms: AtomicU64::new(0),
            ticket: Mutex::default(),
        }
    }

    /// The segments of this moment.
    pub(crate) fn members(&self) -> Arc<Members> {
        Arc::clone(&self.members.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the list. Only the applier, or whoever keeps it from applying, may do so.
    pub(crate) fn replace(&self, change: impl FnOnce(&mut Members)) {
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Members::clone(&members);
        change(&mut next);
        *members = Arc::new(next);
    }

    /// To be held while a write is under way.
    pub(crate) fn write_shared(&self) -> RwLockReadGuard<'_, ()> {
        self.writes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be held by a write that depends on what is there, from before it looks until it is applied.
    pub(crate) fn write_alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.writes.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn maintain(&self) -> MutexGuard<'_, ()> {
        self.maintenance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first log record this collection needs; `None`: it needs none.
    pub(crate) fn needs_from(&self) -> Option<Lsn> {
        let held = self.held();
        held.flushing.into_iter().chain(held.unflushed).min()
    }

    pub(crate) fn last_write_ms(&self) -> u64 {
        self.last_write_ms.load(Ordering::Relaxed)
    }

    /// Growing segments, which only the applier adds to.
    pub(crate) fn growing(&self) -> Vec<Arc<Growing>> {
        let members = self.members();
        let growing = members.list.iter().filter(|member| member.role == Role::Growing);
        growing
            .filter_map(|member| match &member.segment {
                Segment::Growing(segment) => Some(Arc::clone(segment)),
                Segment::Sealed(_) => None,
            })
            .collect()
    }

    /// The sealed segment with this number.
    pub(crate) fn sealed(&self, id: SegmentId) -> Option<Arc<Sealed>> {
        self.members().list.iter().find_map(|member| match &member.segment {
            Segment::Sealed(segment) if segment.id() == id => Some(Arc::clone(segment)),
            _ => None,
        })
    }

    /// Does what a log record says. To be called by the one applier, in the order of the log.
    ///
    /// # Errors
    /// When a segment cannot be read; the others have been served.
    pub(crate) fn apply(
        &self,
        lsn: Lsn,
        record: Record,
        collection: &Collection,
        oracle: &Oracle,
    ) -> Result<(), Error> {
        let mut outcome = Ok(());
        self.held().unflushed.get_or_insert(lsn);
        self.last_write_ms.store(oracle.clock().now_ms(), Ordering::Relaxed);
        if let Some(deletes) = record.deletes {
            for member in &self.members().list {
                let segment = &member.segment;
                if deletes.partition.is_none_or(|partition| partition == segment.partition())
                    && let Err(error) = segment.delete(&deletes.keys, record.stamp)
                {
                    outcome = Err(error.into());
                }
            }
        }
        for insert in record.inserts {
            // A partition that was dropped in the meantime takes no rows.
            if collection.partitions.iter().any(|partition| partition.id == insert.partition) {
                let growing = self.growing_of(insert.partition, &collection.schema, oracle);
                let batch = arrange(insert.batch, &insert.fields, &collection.schema);
                growing.append(batch, record.stamp)?;
            }
        }
        outcome
    }

    fn growing_of(&self, partition: PartitionId, schema: &Arc<Schema>, oracle: &Oracle) -> Arc<Growing> {
        if let Some(growing) = self.growing().into_iter().find(|growing| growing.partition() == partition) {
            return growing;
        }
        let id = SegmentId(oracle.next().0 as i64);
        let growing = Arc::new(Growing::new(id, partition, Arc::clone(schema)));
        let member = Member { segment: Segment::Growing(Arc::clone(&growing)), role: Role::Growing };
        self.replace(|members| members.list.push(member));
        growing
    }

    /// Stops the growing segments from growing. To be called while nothing is applied.
    pub(crate) fn freeze(&self) -> Freeze {
        self.replace(|members| {
            for member in &mut members.list {
                if member.role == Role::Growing {
                    member.role = Role::Frozen;
                }
            }
        });
        let mut held = self.held();
        held.flushing = held.flushing.into_iter().chain(held.unflushed.take()).min();
        let mut freeze = Freeze { frozen: Vec::new(), dirty: Vec::new() };
        for member in &self.members().list {
            match (&member.segment, member.role) {
                // Also what an earlier flush could not write.
                (Segment::Growing(segment), Role::Frozen) => freeze.frozen.push(Arc::clone(segment)),
                (Segment::Sealed(segment), Role::Sealed { saved_deletes })
                    if segment.deleted_rows() != saved_deletes =>
                {
                    freeze.dirty.push(Arc::clone(segment));
                }
                _ => {}
            }
        }
        freeze
    }

    /// The flush has ended well: the log before its freeze is no longer needed.
    pub(crate) fn flushed(&self) {
        self.held().flushing = None;
    }

    /// Whether rows or deletes wait to be written to files.
    pub(crate) fn has_unflushed(&self) -> bool {
        self.needs_from().is_some()
    }
}

/// Puts the columns of a record into the order of `schema`, which may have got fields since.
fn arrange(batch: Batch, fields: &[FieldId], schema: &Schema) -> Batch {
    if fields.iter().eq(schema.fields.iter().map(|field| &field.id)) {
        return batch;
    }
    let rows = batch.rows();
    let columns: Vec<Column> = schema
        .fields
        .iter()
        .map(|field| match fields.iter().position(|id| *id == field.id) {
            Some(place) => batch.columns()[place].clone(),
            None => ingest::absent(field, rows),
        })
        .collect();
    Batch::new(rows, columns).unwrap_or(batch)
}

impl From<segment::Error> for Error {
    fn from(error: segment::Error) -> Self {
        match error {
            segment::Error::Store(error) => error.into(),
            segment::Error::Memory(refusal) => {
                Self::new(ErrorKind::MemoryLimit, format!("memory limit exceeded: {refusal}"))
            }
            segment::Error::Cancelled(_) => Self::new(ErrorKind::Cancelled, "cancelled"),
            segment::Error::Damaged { .. } => Self::new(ErrorKind::Corrupt, error.to_string()),
            segment::Error::Index(error) => error.into(),
            other => Self::internal(other.to_string()),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let kind = match error {
            store::Error::DiskFull { .. } => ErrorKind::DiskFull,
            store::Error::Corrupt { .. } | store::Error::Newer { .. } => ErrorKind::Corrupt,
            store::Error::TooLarge { .. } => ErrorKind::TooLarge,
            _ => ErrorKind::Io,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<index::Error> for Error {
    fn from(error: index::Error) -> Self {
        let kind = match error {
            index::Error::Corrupt { .. } => ErrorKind::Corrupt,
            index::Error::Cancelled => ErrorKind::Cancelled,
            index::Error::Missing { .. } => ErrorKind::Missing,
            _ => ErrorKind::Invalid,
        };
        let text = error.to_string();
        match kind {
            ErrorKind::Invalid if !text.contains("invalid parameter") => Self::invalid(text),
            _ => Self::new(kind, text),
        }
    }
}
