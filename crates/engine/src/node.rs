//! Everything a node holds, and the write path: a write is stamped and queued for the log, becomes durable together
//! with others, and is applied in the order of the log.
//!
//! Invariant: what is acknowledged is durable and applied. A reader's moment never lies after a write that is not
//! applied yet.

use crate::catalog::{Catalog, Collection, Edit, Registry};
use crate::holds::Holds;
use crate::jobs::Bells;
use crate::record::{Record, Unstamped};
use crate::shard::{Members, Shard};
use crate::time::Oracle;
use crate::{Error, ErrorKind, Settings};
use data::{CollectionId, SegmentId, Timestamp};
use host::{Budget, Cancel, OutOfMemory, Pool, Ticket};
use segment::BlockCache;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use store::{Blobs, Log, Lsn, Store};

/// Of the memory limit, one part in so many may hold what filters unpack.
const UNPACKED_SHARE: u64 = 8;

/// How long a read waits for a moment that is still to come.
const WAIT_MS_MAX: u64 = 10_000;

/// Everything a node holds.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) oracle: Oracle,
    pub(crate) registry: Registry,
    pub(crate) log: Log,
    pub(crate) blobs: Blobs,
    pub(crate) shards: RwLock<HashMap<CollectionId, Arc<Shard>>>,
    pub(crate) pools: Pools,
    pub(crate) budget: Budget,
    /// What filters have unpacked of compressed columns.
    pub(crate) unpacked: Arc<BlockCache>,
    pub(crate) bells: Bells,
    pub(crate) stopping: Cancel,
    pub(crate) started_ms: u64,
    /// When the last search came.
    pub(crate) last_search_ms: AtomicU64,
    /// Graphs for filters that were made since the start.
    pub(crate) subgraphs_built: AtomicU64,
    /// What is wrong with the data, for people; the rest goes on.
    pub(crate) troubles: Mutex<Vec<String>>,
    pub(crate) holds: Holds,
    queue: Mutex<Queue>,
    /// Rung whenever a record has been applied.
    applied: Condvar,
    /// Held while a record is applied, or by whoever must keep anything from being applied.
    applying: Mutex<()>,
    /// Holds the folder's lock for as long as the node lives.
    #[expect(dead_code, reason = "kept for its lock")]
    store: Store,
}

/// Records between being queued for the log and being applied, in the order of the log.
#[derive(Debug, Default)]
struct Queue {
    slots: VecDeque<Slot>,
    /// The last record applied.
    applied: Option<Lsn>,
}

#[derive(Debug)]
struct Slot {
    lsn: Lsn,
    stamp: Timestamp,
    record: Option<Record>,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// On its way to the disk.
    Waiting,
    /// On the disk.
    Durable,
    /// Refused by the disk.
    Failed,
}

/// Threads for CPU work, by how urgent it is.
#[derive(Debug, Clone)]
pub(crate) struct Pools {
    pub(crate) search: Pool,
    pub(crate) build: Pool,
    /// The same while searches come and nobody waits for the index: one thread, so that a core stays free for them.
    pub(crate) yielding: Pool,
    /// Builds that a merge needs.
    pub(crate) merge: Pool,
}

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) oracle: Oracle,
    pub(crate) registry: Registry,
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) pools: Pools,
}

impl Node {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { settings, oracle, registry, log, store, pools } = parts;
        let budget = Budget::new(settings.memory_limit_bytes);
        let share = settings.memory_limit_bytes / UNPACKED_SHARE;
        Self {
            unpacked: Arc::new(BlockCache::new(budget.clone(), share)),
            budget,
            started_ms: oracle.clock().now_ms(),
            last_search_ms: AtomicU64::new(0),
            subgraphs_built: AtomicU64::new(0),
            blobs: store.blobs().clone(),
            settings,
            oracle,
            registry,
            log,
            store,
            shards: RwLock::default(),
            pools,
            bells: Bells::default(),
            stopping: Cancel::new(),
            troubles: Mutex::default(),
            holds: Holds::default(),
            queue: Mutex::default(),
            applied: Condvar::new(),
            applying: Mutex::default(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps anything from being applied for as long as the guard lives.
    pub(crate) fn hold_still(&self) -> MutexGuard<'_, ()> {
        self.applying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last record applied. Only steady while [`Node::hold_still`] is held.
    pub(crate) fn last_applied(&self) -> Option<Lsn> {
        self.queue().applied
    }

    /// Says that everything up to `lsn` was applied by recovery.
    pub(crate) fn recovered_to(&self, lsn: Option<Lsn>) {
        self.queue().applied = lsn;
    }

    pub(crate) fn shard(&self, id: CollectionId) -> Result<Arc<Shard>, Error> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        shards.get(&id).cloned().ok_or_else(|| Error::collection_not_found("", &id.to_string()))
    }

    pub(crate) fn all_shards(&self) -> Vec<Arc<Shard>> {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = shards.values().cloned().collect();
        all.sort_by_key(|shard| shard.id);
        all
    }

    /// Takes memory for as long as the ticket lives. What is kept for speed alone makes room for it.
    pub(crate) fn take_memory(&self, bytes: u64) -> Result<Ticket, OutOfMemory> {
        self.budget.take(bytes).or_else(|_| {
            self.unpacked.clear();
            self.forget_subgraphs();
            self.budget.take(bytes)
        })
    }

    /// Notes that something is wrong with the data.
    pub(crate) fn trouble(&self, text: String) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if !troubles.contains(&text) {
            troubles.push(text);
        }
    }

    /// Writes a record: it is stamped, durable and applied when this returns.
    pub(crate) fn append(&self, mut record: Record) -> Result<Timestamp, Error> {
        // The next start may find that this collection was dropped; what it would then forget is not taken.
        self.registry.check()?;
        let unstamped = Unstamped::new(&record)?;
        let (lsn, stamp) = {
            let mut queue = self.queue();
            let stamp = self.oracle.next();
            record.stamp = stamp;
            let lsn = self.log.enqueue(unstamped.stamped(stamp))?;
            queue.slots.push_back(Slot { lsn, stamp, record: Some(record), fate: Fate::Waiting });
            (lsn, stamp)
        };
        let outcome = self.log.commit(lsn);
        self.settle(lsn, if outcome.is_ok() { Fate::Durable } else { Fate::Failed });
        outcome?;
        Ok(stamp)
    }

    /// Notes the fate of a record, applies what is ready, and waits until this one is out of the queue. A later record
    /// may be durable first; it waits for the earlier ones, whose writers are about to wake up.
    fn settle(&self, lsn: Lsn, fate: Fate) {
        if let Some(slot) = self.queue().slots.iter_mut().find(|slot| slot.lsn == lsn) {
            slot.fate = fate;
        }
        self.apply_ready();
        let mut queue = self.queue();
        while queue.slots.iter().any(|slot| slot.lsn == lsn) {
            queue = self.applied.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn apply_ready(&self) {
        let _applying = self.hold_still();
        loop {
            let mut queue = self.queue();
            let Some(front) = queue.slots.front_mut().filter(|front| front.fate != Fate::Waiting) else {
                return;
            };
            let (lsn, fate, record) = (front.lsn, front.fate, front.record.take());
            drop(queue);
            if let (Fate::Durable, Some(record)) = (fate, record) {
                self.apply(lsn, record);
            }
            let mut queue = self.queue();
            queue.slots.pop_front();
            if fate == Fate::Durable {
                queue.applied = Some(lsn);
            }
            self.applied.notify_all();
        }
    }

    /// Does what a record says. Never fails as a whole: what cannot be done is noted as a trouble of that segment.
    pub(crate) fn apply(&self, lsn: Lsn, record: Record) {
        let catalog = self.registry.current();
        // A collection that was dropped in the meantime takes no rows.
        let Ok(collection) = catalog.collection_by_id(record.collection) else { return };
        let Ok(shard) = self.shard(record.collection) else { return };
        let (was_idle, was_worth) = (!shard.has_unflushed(), self.has_worth(&shard));
        if let Err(error) = shard.apply(lsn, record, collection, &self.oracle) {
            self.trouble(format!("collection {}: {error}", collection.name));
        }
        let is_worth = !was_worth && self.has_worth(&shard);
        if was_idle || is_worth || self.is_full(&shard, collection) {
            self.bells.keeper.ring();
        }
    }

    /// The latest moment whose every write is applied.
    pub(crate) fn now(&self) -> Timestamp {
        let queue = self.queue();
        match queue.slots.front() {
            None => self.oracle.next(),
            Some(first) => Timestamp(first.stamp.0.saturating_sub(1)),
        }
    }

    /// The segments of a shard and the latest moment at which they can be read.
    pub(crate) fn members_now(&self, shard: &Shard) -> (Timestamp, Arc<Members>) {
        loop {
            let now = self.now();
            let members = shard.members();
            if members.floor <= now {
                return (now, members);
            }
            // A merge has just forgotten this moment; the next one is fine.
        }
    }

    /// The moment a read is to look at.
    pub(crate) fn read_time(&self, time: crate::api::ReadTime) -> Result<Timestamp, Error> {
        let now = self.now();
        if time.travel != Timestamp::ZERO && time.travel < now {
            return Ok(time.travel);
        }
        if time.guarantee <= now {
            return Ok(now);
        }
        let ahead_ms = time.guarantee.ms().saturating_sub(now.ms());
        if ahead_ms > WAIT_MS_MAX {
            let text = format!(
                "the guarantee timestamp lies {ahead_ms} ms ahead, a read waits at most {WAIT_MS_MAX} ms"
            );
            return Err(Error::new(ErrorKind::Timeout, text));
        }
        let deadline_ms = self.oracle.clock().now_ms() + WAIT_MS_MAX;
        loop {
            let now = self.now();
            if now >= time.guarantee {
                return Ok(now);
            }
            if self.oracle.clock().now_ms() > deadline_ms {
                return Err(Error::new(ErrorKind::Timeout, "waited too long for the guarantee timestamp"));
            }
            self.oracle.clock().sleep(Duration::from_millis(1));
        }
    }

    /// Edits the catalogue and brings segments, files and background work into line with it.
    pub(crate) fn edit(&self, edit: Edit) -> Result<(Timestamp, Arc<Catalog>), Error> {
        // A new collection gives numbers to its partitions from the same range.
        let now = self.oracle.reserve(self.settings.partitions_max as u64 + 2);
        let prepare = |before: &Catalog, after: &Catalog| self.prepare(before, after);
        let follow = |before: &Catalog, after: &Catalog| self.follow(before, after);
        let catalog = self.registry.edit(edit, now, &self.settings, prepare, follow)?;
        Ok((now, catalog))
    }

    /// Makes room for new collections before anybody can write to them.
    fn prepare(&self, before: &Catalog, after: &Catalog) {
        for id in after.collections.keys().filter(|id| !before.collections.contains_key(id)) {
            let shard = Arc::new(Shard::new(*id, Vec::new(), Timestamp::ZERO));
            self.shards.write().unwrap_or_else(PoisonError::into_inner).insert(*id, shard);
        }
    }

    /// Whether the catalogue of this moment names a segment.
    pub(crate) fn is_named(&self, collection: CollectionId, segment: SegmentId) -> bool {
        let catalog = self.registry.current();
        catalog
            .collection_by_id(collection)
            .is_ok_and(|collection| collection.segments.iter().any(|entry| entry.id == segment))
    }

    /// Gives a new segment the fields of this moment: some may have come or gone since it was opened.
    pub(crate) fn adopt_schema(&self, collection: CollectionId, sealed: &segment::Sealed) {
        if let Ok(collection) = self.registry.current().collection_by_id(collection) {
            sealed.adopt(&collection.schema);
        }
    }

    /// Follows an edit. Readers that began before keep what they hold.
    fn follow(&self, before: &Catalog, after: &Catalog) {
        for (id, collection) in &after.collections {
            match before.collections.get(id) {
                Some(old) if !Arc::ptr_eq(old, collection) => self.follow_collection(old, collection),
                Some(_) | None => {}
            }
        }
        for (id, gone) in &before.collections {
            if !after.collections.contains_key(id) {
                self.shards.write().unwrap_or_else(PoisonError::into_inner).remove(id);
                gone.indexes.iter().for_each(|index| self.bells.builds.cancel(index.id));
                self.delete_files(gone.segments.iter().flat_map(|segment| segment.files()));
            }
        }
        self.bells.keeper.ring();
        self.bells.builder.ring();
    }

    fn follow_collection(&self, before: &Collection, after: &Collection) {
        let Ok(shard) = self.shard(after.id) else { return };
        let lives = |partition| after.partitions.iter().any(|one| one.id == partition);
        if before.partitions.len() > after.partitions.len() {
            let _still = self.hold_still();
            shard.replace(|members| members.list.retain(|member| lives(member.segment.partition())));
        }
        if !Arc::ptr_eq(&before.schema, &after.schema) && before.schema != after.schema {
            let _still = self.hold_still();
            for member in &shard.members().list {
                member.segment.adopt(&after.schema);
            }
        }
        for index in before.indexes.iter().filter(|index| !after.indexes.iter().any(|one| one.id == index.id))
        {
            self.bells.builds.cancel(index.id);
            for member in &shard.members().list {
                if let segment::Segment::Sealed(sealed) = &member.segment {
                    crate::jobs::detach(sealed, index.id, index.field);
                }
            }
        }
        if before.is_loaded() && !after.is_loaded() {
            self.unload(&shard, before);
        }
        let files: Vec<&String> = after.segments.iter().flat_map(|segment| segment.files()).collect();
        let gone = before.segments.iter().flat_map(|segment| segment.files());
        self.delete_files(gone.filter(|file| !files.contains(file)));
    }

    /// Deletes files nobody names any more. Readers that have one mapped keep its bytes until they are done. A file that
    /// cannot be deleted now is a leftover, which the next start removes.
    fn delete_files<'a>(&self, files: impl Iterator<Item = &'a String>) {
        for file in files {
            if let Err(error) = self.blobs.delete(file) {
                self.trouble(format!("cannot delete {file}: {error}; the next start removes it"));
            }
        }
    }
}
