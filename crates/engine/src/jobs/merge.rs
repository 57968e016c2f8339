//! Merging: small segments become one, dead rows go. Invariant: what is indexed stays indexed; the old segments serve
//! until the new one stands with its indexes.

use crate::catalog::{Collection, Edit, Moved, SegmentEntry};
use crate::flush::rows_file;
use crate::node::Node;
use crate::shard::{Member, Role, Shard};
use crate::{Error, ErrorKind};
use data::{CollectionId, FieldId, IndexId, PartitionId, SegmentId, Timestamp};
use host::Progress;
use segment::{Merged, Sealed, Segment};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many segments of a partition that are about as large as each other are merged without being asked. Merging only
/// like with like writes a row once for each fourfold growth of its segment, however many small ones keep coming.
const ALIKE_MAX: usize = 4;
/// Segments up to this size are alike, and each fourfold size makes the next class.
const SMALL_BYTES: u64 = 1 << 20;
/// A segment with this share of dead rows is rewritten (`dataCoord.compaction.single.ratio.threshold`).
const DEAD_SHARE_MAX: f64 = 0.2;

/// Merges done and asked for.
#[derive(Debug, Default)]
pub(crate) struct Compactions {
    inner: Mutex<BTreeMap<i64, Asked>>,
    /// Whether the last merge failed.
    is_failing: AtomicBool,
}

/// A compaction that was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) collection: CollectionId,
    pub(crate) is_done: bool,
    pub(crate) failed: i64,
    pub(crate) plans: Vec<(Vec<SegmentId>, SegmentId)>,
}

/// How many finished compactions can still be asked about.
const REMEMBERED_MAX: usize = 1_000;

impl Compactions {
    fn inner(&self) -> MutexGuard<'_, BTreeMap<i64, Asked>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a wish under its number.
    pub(crate) fn ask(&self, number: i64, collection: CollectionId) {
        let mut inner = self.inner();
        while inner.len() >= REMEMBERED_MAX {
            inner.pop_first();
        }
        inner.insert(number, Asked { collection, is_done: false, failed: 0, plans: Vec::new() });
    }

    /// How it is going.
    pub(crate) fn look(&self, number: i64) -> Option<Asked> {
        self.inner().get(&number).cloned()
    }

    fn is_asked(&self, collection: CollectionId) -> bool {
        self.inner().values().any(|asked| asked.collection == collection && !asked.is_done)
    }

    fn note(&self, collection: CollectionId, change: impl Fn(&mut Asked)) {
        self.inner()
            .values_mut()
            .filter(|asked| asked.collection == collection && !asked.is_done)
            .for_each(change);
    }
}

impl Node {
    /// Merges what should be merged in a collection. `false`: something failed and should be tried again.
    pub(crate) fn merge_due(&self, id: CollectionId) -> bool {
        let is_asked = self.bells.compactions.is_asked(id);
        let mut fine = true;
        while !self.stopping.is_cancelled() && !self.registry.is_in_doubt() {
            let Some(sources) = self.choose(id, is_asked) else { break };
            let outcome = self.merge(id, &sources);
            self.bells.compactions.is_failing.store(outcome.is_err(), Ordering::Relaxed);
            match outcome {
                Ok(Some(plan)) => self.bells.compactions.note(id, |asked| asked.plans.push(plan.clone())),
                Ok(None) => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::CollectionNotFound) =>
                {
                    break;
                }
                Err(error) => {
                    self.trouble(format!("cannot merge segments of collection {id}: {error}"));
                    self.bells.compactions.note(id, |asked| asked.failed += 1);
                    fine = false;
                    break;
                }
            }
        }
        self.bells.compactions.note(id, |asked| asked.is_done = true);
        fine
    }

    /// Whether a segment is about to be merged into another, which then gets the indexes.
    pub(crate) fn is_to_be_merged(&self, collection: CollectionId, segment: SegmentId) -> bool {
        !self.bells.compactions.is_failing.load(Ordering::Relaxed)
            && self
                .choose(collection, self.bells.compactions.is_asked(collection))
                .is_some_and(|sources| sources.iter().any(|source| source.id() == segment))
    }

    /// The segments to merge next.
    fn choose(&self, id: CollectionId, is_asked: bool) -> Option<Vec<Arc<Sealed>>> {
        let shard = self.shard(id).ok()?;
        let keep_after = self.keep_deleted_after(id);
        let mut by_partition: BTreeMap<PartitionId, Vec<Arc<Sealed>>> = BTreeMap::new();
        for member in &shard.members().list {
            if let (Segment::Sealed(segment), Role::Sealed { .. }) = (&member.segment, member.role) {
                by_partition.entry(segment.partition()).or_default().push(Arc::clone(segment));
            }
        }
        for mut segments in by_partition.into_values() {
            segments.sort_by_key(|segment| (segment.bytes(), segment.id()));
            if is_asked {
                let small = self.that_fit(&segments);
                if small.len() >= 2 {
                    return Some(small);
                }
            }
            let alike = segments.chunk_by(|a, b| size_class(a) == size_class(b));
            if let Some(small) = alike.map(|run| self.that_fit(run)).find(|small| small.len() >= ALIKE_MAX) {
                return Some(small);
            }
            let dead = |segment: &&Arc<Sealed>| {
                let dead = if segment.deleted_rows() == 0 { 0 } else { segment.deletes(keep_after).len() };
                let most = if is_asked { 0.0 } else { DEAD_SHARE_MAX * segment.rows() as f64 };
                dead > 0 && dead as f64 > most
            };
            if let Some(segment) = segments.iter().find(dead) {
                return Some(vec![Arc::clone(segment)]);
            }
        }
        None
    }

    /// The first of `segments` that one segment can take.
    fn that_fit(&self, segments: &[Arc<Sealed>]) -> Vec<Arc<Sealed>> {
        let mut bytes = 0;
        let fit = segments.iter().take_while(|segment| {
            bytes += segment.bytes() as u64;
            bytes <= self.settings.merged_bytes_max
        });
        fit.cloned().collect()
    }

    /// Rows that died before this moment are seen by nobody any more.
    fn keep_deleted_after(&self, id: CollectionId) -> Timestamp {
        let retention = Timestamp::from_ms(self.settings.retention_ms);
        let now_ms = self.oracle.clock().now_ms();
        self.holds.bound(id, now_ms, || Timestamp(self.now().0.saturating_sub(retention.0)))
    }

    fn merge(
        &self,
        id: CollectionId,
        sources: &[Arc<Sealed>],
    ) -> Result<Option<(Vec<SegmentId>, SegmentId)>, Error> {
        let keep_after = self.keep_deleted_after(id);
        let shard = self.shard(id)?;
        let catalog = self.registry.current();
        let collection = catalog.collection_by_id(id)?;
        let new = SegmentId(self.oracle.next().0 as i64);
        let file = rows_file(id, new);
        let segments: Vec<Segment> =
            sources.iter().map(|source| Segment::Sealed(Arc::clone(source))).collect();
        let merged =
            segment::merge(&segments, keep_after, &collection.schema, &self.blobs, &file, &self.stopping)?;
        let mut written = vec![file.clone()];
        let mut entry = SegmentEntry {
            id: new,
            partition: sources[0].partition(),
            rows: merged.written.rows as u64,
            bytes: merged.written.file_bytes,
            file,
            deletes: None,
            indexes: Vec::new(),
        };
        let outcome =
            self.index_merged(collection, sources, &mut entry, &mut written).and_then(|(sealed, indexes)| {
                let new = NewSegment { entry, sealed, indexes, floor: keep_after };
                self.swap_merged(&shard, &segments, &merged, new, &mut written)
            });
        match outcome {
            Ok(()) => Ok(Some((sources.iter().map(|source| source.id()).collect(), new))),
            Err(error) => {
                self.discard(written);
                Err(error)
            }
        }
    }

    /// Opens the new segment and builds the indexes that cover a source, before anybody sees it.
    fn index_merged(
        &self,
        collection: &Collection,
        sources: &[Arc<Sealed>],
        entry: &mut SegmentEntry,
        written: &mut Vec<String>,
    ) -> Result<(Arc<Sealed>, Attached), Error> {
        let schema = Arc::clone(&collection.schema);
        let sealed = Sealed::open(&self.blobs, &entry.file, entry.id, entry.partition, schema)?;
        sealed.keep_blocks_in(&self.unpacked);
        // Small sources count as covered: they are scanned.
        let covered = |index| {
            let mut of_sources =
                collection.segments.iter().filter(|old| sources.iter().any(|s| s.id() == old.id));
            let least = self.settings.index_rows_min;
            let is_built = |old: &SegmentEntry| old.indexes.iter().any(|built| built.index == index);
            of_sources.any(|old| old.rows < least || is_built(old))
        };
        let mut indexes = Vec::new();
        for index in &collection.indexes {
            if entry.rows >= self.settings.index_rows_min && covered(index.id) {
                let progress = Progress::new();
                let (built, opened) = self.build_index(
                    collection,
                    index,
                    &sealed,
                    &self.pools.merge,
                    (&self.stopping, &progress),
                )?;
                written.push(built.file.clone());
                entry.indexes.push(built);
                indexes.push((index.id, index.field));
                opened.attach(&sealed, index);
            }
        }
        self.outline_ahead(collection, &sealed)?;
        Ok((Arc::new(sealed), indexes))
    }

    /// Puts the new segment in the place of its sources, in the catalogue and before readers.
    fn swap_merged(
        &self,
        shard: &Shard,
        segments: &[Segment],
        merged: &Merged,
        new: NewSegment,
        written: &mut Vec<String>,
    ) -> Result<(), Error> {
        let NewSegment { mut entry, sealed, indexes, floor } = new;
        let _maintenance = shard.maintain();
        let gone: Vec<SegmentId> = segments.iter().map(Segment::id).collect();
        // A flush may have saved deletes of the sources and moved the checkpoint past them: save them all.
        let at = self.oracle.next();
        let deletes = {
            let _still = self.hold_still();
            merged.deletes(segments)
        };
        entry.deletes = self.save_deletes(shard.id, entry.id, &deletes, at, written)?;
        let (id, saved_deletes) = (entry.id, deletes.len());
        let added = if entry.rows == 0 { Vec::new() } else { vec![entry] };
        let moved = Moved {
            collection: shard.id,
            checkpoint: None,
            removed: gone.clone(),
            added,
            deletes: Vec::new(),
            floor,
        };
        let (_, catalog) = self.edit(Edit::Moved(moved))?;
        {
            let _still = self.hold_still();
            self.adopt_schema(shard.id, &sealed);
            sealed.apply_deletes(&merged.deletes(segments));
            // An empty segment is none, and one whose partition was dropped meanwhile is none either.
            let is_there = self.is_named(shard.id, id);
            shard.replace(|members| {
                members.list.retain(|member| !gone.contains(&member.segment.id()));
                if is_there {
                    let segment = Segment::Sealed(Arc::clone(&sealed));
                    members.list.push(Member { segment, role: Role::Sealed { saved_deletes } });
                }
                members.floor = members.floor.max(floor);
            });
        }
        for (index, field) in indexes {
            self.detach_unless_wanted(shard.id, &sealed, index, field);
        }
        self.discard_unnamed(std::mem::take(written), &catalog);
        Ok(())
    }
}

fn size_class(segment: &Sealed) -> u32 {
    (segment.bytes() as u64 / SMALL_BYTES).max(1).ilog(4)
}

/// Indexes that were built for a segment and are attached to it.
type Attached = Vec<(IndexId, FieldId)>;

/// A merged segment before anybody knows of it.
struct NewSegment {
    entry: SegmentEntry,
    sealed: Arc<Sealed>,
    indexes: Attached,
    /// Rows that died up to this moment were left out.
    floor: Timestamp,
}
