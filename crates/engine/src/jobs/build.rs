//! The builder: a sealed segment whose collection has an index that the segment lacks gets it built.
//!
//! Invariant: building blocks nobody. Searches use the old way until the index is attached, and when the segment or the
//! index goes away in the meantime, the build is dropped. A build takes a core that searches may want; so rows that came
//! after their index wait for a pause in the searches, though not long, and not many of them.

use super::opened::{self, Opened};
use crate::catalog::{Collection, Edit, Index, IndexEntry, IndexSpec};
use crate::node::Node;
use crate::{Error, ErrorKind};
use data::{CollectionId, Column, FieldId, IndexId, SegmentId, Timestamp};
use host::{Cancel, Pool, Progress};
use segment::Sealed;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a build that failed is tried at once.
const TRIES_MAX: u32 = 3;
/// When a build is tried again that failed for want of memory or disk, which may pass.
const RETRY_MS: u64 = 5_000;
/// An index that is damaged again is not built again before this has passed.
const DAMAGED_MS: u64 = 600_000;
/// Searches are taken to come when the last one is this new.
const SEARCHED_MS: u64 = 1_000;

/// Bytes that a build may take uncharged, so that small ones are never refused: what one has in hand whatever its rows are, mostly.
const UNCOUNTED: u64 = 32 << 20;

/// How many times the bytes at which growing rows are flushed may wait for an index; the last flush alone always may.
const HELD_SHARE: u64 = 2;

/// Whether rows came after their index: nobody waits for their build.
fn is_late(segment: SegmentId, index: &Index) -> bool {
    segment.0 as u64 > index.created_at.0
}

/// What is being built, and what failed.
#[derive(Debug, Default)]
pub(crate) struct Builds {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: Option<Running>,
    failed: HashMap<(SegmentId, IndexId), Failed>,
    /// When to look again for builds that are held off.
    held_until_ms: Option<u64>,
    /// When indexes were last forgotten because they were damaged.
    damaged_ms: HashMap<(SegmentId, IndexId), u64>,
}

/// A build that failed.
#[derive(Debug, Default)]
struct Failed {
    tries: u32,
    reason: String,
    /// When it is worth another try; `None` = never.
    again_at_ms: Option<u64>,
}

/// The build that is going on.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) index: IndexId,
    pub(crate) progress: Progress,
    pub(crate) started_ms: u64,
    cancel: Cancel,
}

impl Builds {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The build that is going on.
    pub(crate) fn running(&self) -> Option<Running> {
        self.inner().running.clone()
    }

    /// Why there is no index `index` on `segment`, when its build has failed for good.
    pub(crate) fn failure(&self, segment: SegmentId, index: IndexId) -> Option<String> {
        let inner = self.inner();
        let failed = inner.failed.get(&(segment, index)).filter(|failed| failed.tries >= TRIES_MAX);
        failed.map(|failed| failed.reason.clone())
    }

    /// Notes that builds are held off until then.
    fn hold_off(&self, until_ms: Option<u64>) {
        self.inner().held_until_ms = until_ms;
    }

    /// Whether a build has failed and is not worth another try yet.
    fn waits(&self, key: (SegmentId, IndexId), now_ms: u64) -> bool {
        let inner = self.inner();
        let failed = inner.failed.get(&key).filter(|failed| failed.tries >= TRIES_MAX);
        failed.is_some_and(|failed| failed.again_at_ms.is_none_or(|at_ms| now_ms < at_ms))
    }

    /// Whether an index that was found damaged is to be built again now. Where files are damaged again and again, that is no help.
    fn takes_damage(&self, key: (SegmentId, IndexId), now_ms: u64) -> bool {
        let mut inner = self.inner();
        let is_due = inner.damaged_ms.get(&key).is_none_or(|last_ms| now_ms >= last_ms + DAMAGED_MS);
        if is_due {
            inner.damaged_ms.insert(key, now_ms);
        }
        is_due
    }

    /// Notes that a build has failed.
    fn note(&self, key: (SegmentId, IndexId), error: &Error, now_ms: u64) {
        let may_pass = matches!(error.kind(), ErrorKind::DiskFull | ErrorKind::Io | ErrorKind::MemoryLimit);
        let mut inner = self.inner();
        let failed = inner.failed.entry(key).or_default();
        failed.tries += 1;
        failed.reason = error.to_string();
        failed.again_at_ms = may_pass.then_some(now_ms + RETRY_MS);
    }

    /// Forgets builds that nobody wants any more, and gives the time until another is worth a look.
    fn next_try(&self, is_wanted: impl Fn((SegmentId, IndexId)) -> bool, now_ms: u64) -> Option<Duration> {
        let mut inner = self.inner();
        inner.failed.retain(|key, _| is_wanted(*key));
        inner.damaged_ms.retain(|key, _| is_wanted(*key));
        let again =
            inner.failed.values().filter_map(|failed| failed.again_at_ms).chain(inner.held_until_ms).min();
        again.map(|at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms).max(1)))
    }

    /// Stops whatever is being built.
    pub(crate) fn cancel_all(&self) {
        if let Some(running) = &self.inner().running {
            running.cancel.cancel();
        }
    }

    /// Stops the build of `index`, should it be going on.
    pub(crate) fn cancel(&self, index: IndexId) {
        if let Some(running) = self.inner().running.as_ref().filter(|running| running.index == index) {
            running.cancel.cancel();
        }
    }
}

/// A gap: this segment lacks this index.
struct Gap {
    collection: Arc<Collection>,
    index: Index,
    sealed: Arc<Sealed>,
}

impl Node {
    /// Builds one missing index; whether there was one.
    pub(crate) fn build_one(&self) -> bool {
        self.forget_damaged();
        let Some(gap) = self.find_gap() else { return false };
        let key = (gap.sealed.id(), gap.index.id);
        let running = Running {
            index: key.1,
            progress: Progress::new(),
            started_ms: self.oracle.clock().now_ms(),
            cancel: Cancel::new(),
        };
        self.bells.builds.inner().running = Some(running.clone());
        let outcome = self.build_gap(&gap, &running);
        let builds = &self.bells.builds;
        builds.inner().running = None;
        match outcome {
            Ok(()) => drop(builds.inner().failed.remove(&key)),
            // The segment or the index is gone, or the engine closes.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Cancelled | ErrorKind::IndexNotFound | ErrorKind::CollectionNotFound
                ) => {}
            Err(error) => builds.note(key, &error, self.oracle.clock().now_ms()),
        }
        true
    }

    /// The time until a build that failed or was held off is worth another look; to be asked when there is nothing to
    /// build.
    pub(crate) fn until_next_build(&self) -> Option<Duration> {
        let catalog = self.registry.current();
        let is_wanted = |(segment, index): (SegmentId, IndexId)| {
            catalog.collections.values().any(|collection| {
                collection.indexes.iter().any(|one| one.id == index)
                    && collection.segments.iter().any(|one| one.id == segment)
            })
        };
        self.bells.builds.next_try(is_wanted, self.oracle.clock().now_ms())
    }

    /// Forgets indexes in which a search found damage, so that they are built again. Until then they are searched on.
    fn forget_damaged(&self) {
        let catalog = self.registry.current();
        let now_ms = self.oracle.clock().now_ms();
        for collection in catalog.collections.values() {
            let Ok(shard) = self.shard(collection.id) else { continue };
            for (entry, built) in collection
                .segments
                .iter()
                .flat_map(|entry| entry.indexes.iter().map(move |built| (entry, built)))
            {
                let index = collection.indexes.iter().find(|index| index.id == built.index);
                let attached = index.and_then(|index| shard.sealed(entry.id)?.index(index.field));
                if let (Some(index), Some(attached)) = (index, attached)
                    && attached.is_damaged()
                    && self.bells.builds.takes_damage((entry.id, index.id), now_ms)
                {
                    self.trouble(format!(
                        "index {} of segment {}: damaged; it is rebuilt",
                        index.name, entry.id
                    ));
                    self.forget_index(collection, entry.id, index.id);
                }
            }
        }
    }

    fn find_gap(&self) -> Option<Gap> {
        if self.registry.is_in_doubt() {
            return None;
        }
        let catalog = self.registry.current();
        let now_ms = self.oracle.clock().now_ms();
        let mut held_until_ms: Option<u64> = None;
        for collection in catalog.collections.values() {
            for index in &collection.indexes {
                let lacking = collection.segments.iter().filter(|entry| {
                    let lacks = !entry.indexes.iter().any(|built| built.index == index.id);
                    lacks && entry.rows >= self.settings.index_rows_min
                });
                let waiting_bytes: u64 = lacking.clone().map(|entry| entry.bytes).sum();
                for entry in lacking {
                    if self.bells.builds.waits((entry.id, index.id), now_ms) {
                        continue;
                    }
                    if let Some(until_ms) = self.held_off(entry.id, index, waiting_bytes) {
                        held_until_ms = held_until_ms.into_iter().chain([until_ms]).min();
                        continue;
                    }
                    let sealed = self.shard(collection.id).ok().and_then(|shard| shard.sealed(entry.id));
                    if let Some(sealed) = sealed {
                        if self.is_to_be_merged(collection.id, sealed.id()) {
                            // Building now would be building twice. The keeper may not know yet; it rings when it is done.
                            self.bells.keeper.ring();
                            continue;
                        }
                        return Some(Gap {
                            collection: Arc::clone(collection),
                            index: index.clone(),
                            sealed,
                        });
                    }
                }
            }
        }
        self.bells.builds.hold_off(held_until_ms);
        None
    }

    /// Until when a segment is better scanned than indexed, its index being older and searches coming. `waiting_bytes` is
    /// what all segments have that lack the index.
    fn held_off(&self, segment: SegmentId, index: &Index, waiting_bytes: u64) -> Option<u64> {
        let searched_until_ms = self.searched_until_ms()?;
        let late = is_late(segment, index) && waiting_bytes < HELD_SHARE * self.settings.scanned_bytes_max;
        let until_ms = Timestamp(segment.0 as u64).ms() + self.settings.build_delay_ms;
        let is_held = late && until_ms > self.oracle.clock().now_ms();
        is_held.then(|| until_ms.min(searched_until_ms))
    }

    /// Searches come; if the last one was the last, this is when that is known.
    pub(crate) fn searched_until_ms(&self) -> Option<u64> {
        let until_ms = self.last_search_ms.load(Ordering::Relaxed) + SEARCHED_MS;
        (until_ms > self.oracle.clock().now_ms()).then_some(until_ms)
    }

    fn build_gap(&self, gap: &Gap, running: &Running) -> Result<(), Error> {
        let Gap { collection, index, sealed } = gap;
        let (entry, opened) = self.build_index(
            collection,
            index,
            sealed,
            self.pool_for(gap),
            (&running.cancel, &running.progress),
        )?;
        let file = entry.file.clone();
        let built = Edit::Built { collection: collection.id, segment: sealed.id(), entry };
        match self.edit(built) {
            Ok(_) => {
                opened.attach(sealed, index);
                self.detach_unless_wanted(collection.id, sealed, index.id, index.field);
                Ok(())
            }
            Err(error) => {
                self.discard(vec![file]);
                Err(error)
            }
        }
    }

    /// Whoever makes an index waits for it. Rows that come later are found by scan meanwhile; then searches go first.
    fn pool_for(&self, gap: &Gap) -> &Pool {
        let gives_way = is_late(gap.sealed.id(), &gap.index) && self.searched_until_ms().is_some();
        if gives_way { &self.pools.yielding } else { &self.pools.build }
    }

    /// Builds `index` over the rows of `sealed` and writes its file. Nobody knows of it yet.
    pub(crate) fn build_index(
        &self,
        collection: &Collection,
        index: &Index,
        sealed: &Sealed,
        pool: &Pool,
        (cancel, progress): (&Cancel, &Progress),
    ) -> Result<(IndexEntry, Opened), Error> {
        let field = collection.schema.field_by_id(index.field);
        let field = field.ok_or_else(|| Error::internal("an index without its field"))?;
        let spec = IndexSpec::parse(field, &collection.schema, &index.params)?;
        let started_ms = self.oracle.clock().now_ms();
        progress.set_total(sealed.rows() as u64);
        let file = format!("{}/{}-{}.idx", collection.id, sealed.id(), index.id);
        // A build that was cut off may have left its file.
        if self.blobs.exists(&file)? {
            self.blobs.delete(&file)?;
        }
        let mut held = Vec::new();
        let mut need = |bytes| self.take_memory(bytes).map(|ticket| held.push(ticket));
        let place = (&self.blobs, file.as_str());
        let built = match &spec {
            IndexSpec::Scalar(spec) => {
                segment::build_scalar(spec, sealed, place, &mut need, cancel, progress).map_err(Error::from)
            }
            _ => {
                let column = sealed.column(index.field)?;
                let bytes = self.build_bytes(&spec, &column, pool)?;
                need(bytes).map_err(segment::Error::from)?;
                opened::build(
                    &spec,
                    &column,
                    place,
                    pool,
                    (cancel, progress),
                    bytes.saturating_add(UNCOUNTED),
                )
            }
        };
        let bytes = built.map_err(|error| error.context(&format!("build of index {}", index.name)))?;
        let opened = Opened::open(&spec, &self.blobs, &file, (sealed, index.field))?;
        let build_ms = self.oracle.clock().now_ms().saturating_sub(started_ms);
        let effective = opened.effective(&spec);
        let entry = IndexEntry { index: index.id, file, bytes, build_ms, effective };
        Ok((entry, opened))
    }

    /// Bytes of memory that a build of `spec` over `column` is charged, besides [`UNCOUNTED`]: for what it takes, or as many as there are of
    /// these, but no fewer than for what it takes at least.
    fn build_bytes(&self, spec: &IndexSpec, column: &Column, pool: &Pool) -> Result<u64, Error> {
        let (need, rows) = (opened::build_bytes(spec, column, pool)?, column.bytes() as u64);
        let counted = |bytes: u64| bytes.saturating_sub(UNCOUNTED).max(rows.min(bytes));
        let free = self.budget.limit_bytes().saturating_sub(self.budget.used_bytes());
        Ok(counted(need.whole).min(free.max(counted(need.least))))
    }

    /// Takes an index that was just attached out of use again when it was dropped, or its collection released, in the
    /// meantime. Whoever drops or releases later finds it attached.
    pub(crate) fn detach_unless_wanted(
        &self,
        id: CollectionId,
        sealed: &Sealed,
        index: IndexId,
        field: FieldId,
    ) {
        let catalog = self.registry.current();
        let is_loaded = catalog.collection_by_id(id).is_ok_and(|collection| collection.is_loaded());
        if !is_loaded || !catalog.has_index(id, index) {
            opened::detach(sealed, index, field);
        }
    }

    /// Takes an index file out of the catalogue, so that it is built again.
    pub(crate) fn forget_index(&self, collection: &Collection, segment: SegmentId, index: IndexId) {
        let edit = Edit::Lost { collection: collection.id, segment, index };
        if let Err(error) = self.edit(edit) {
            self.trouble(format!("cannot forget a damaged index: {error}"));
        }
    }
}
