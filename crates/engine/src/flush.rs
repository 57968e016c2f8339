//! From the log to files: growing rows become sealed segments, deletes of sealed segments are saved, and the log
//! before is no longer needed.
//!
//! Invariant: the catalogue names a new file only when all its bytes are durable, and moves the checkpoint in the same
//! edit; a crash anywhere leaves the old state and some unnamed files.

use crate::catalog::{Catalog, Collection, Edit, Moved, SegmentEntry};
use crate::node::Node;
use crate::shard::{Freeze, Member, Role, Shard};
use crate::{Error, ErrorKind};
use data::{CollectionId, SegmentId, Timestamp};
use segment::{DeleteList, Growing, Sealed, Segment};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What a flush has written.
#[derive(Debug, Default)]
struct FrozenFiles {
    added: Vec<SegmentEntry>,
    deletes: Vec<(SegmentId, String)>,
    /// How many deletes of each segment are in its file now.
    saved: BTreeMap<SegmentId, usize>,
}

/// Names of files: collection, segment, and what it is.
pub(crate) fn rows_file(collection: CollectionId, segment: SegmentId) -> String {
    format!("{collection}/{segment}.rows")
}

fn deletes_file(collection: CollectionId, segment: SegmentId, at: Timestamp) -> String {
    format!("{collection}/{segment}-{}.deletes", at.0)
}

impl Node {
    /// Writes everything of a collection that is only in the log to files. Gives the new segments.
    pub(crate) fn flush(&self, id: CollectionId) -> Result<Vec<SegmentId>, Error> {
        let shard = self.shard(id)?;
        let _maintenance = shard.maintain();
        if !shard.has_unflushed() {
            return Ok(Vec::new());
        }
        self.registry.check()?;
        let (freeze, checkpoint, at) = {
            let _still = self.hold_still();
            let checkpoint = self.last_applied().map(|lsn| lsn.0 + 1);
            // Deletes that are queued but not applied belong to the log behind the checkpoint.
            (shard.freeze(), checkpoint, self.now())
        };
        let mut written = Vec::new();
        let outcome = self.write_frozen(id, &freeze, at, &mut written).and_then(|frozen| {
            let (added, deletes) = (frozen.added, frozen.deletes);
            let (removed, floor) = (Vec::new(), Timestamp::ZERO);
            let moved = Moved { collection: id, checkpoint, removed, added, deletes, floor };
            self.edit(Edit::Moved(moved)).map(|(_, catalog)| (frozen.saved, catalog))
        });
        let saved = match outcome {
            Ok((saved, catalog)) => {
                // The partition of a new segment may have been dropped in the meantime.
                self.discard_unnamed(written, &catalog);
                saved
            }
            Err(error) => {
                self.discard(written);
                return Err(error);
            }
        };
        let new = self.swap_frozen(&shard, &freeze, &saved)?;
        shard.flushed();
        self.trim_log();
        self.bells.builder.ring();
        self.bells.keeper.ring();
        Ok(new)
    }

    fn write_frozen(
        &self,
        id: CollectionId,
        freeze: &Freeze,
        at: Timestamp,
        written: &mut Vec<String>,
    ) -> Result<FrozenFiles, Error> {
        let mut files = FrozenFiles::default();
        for growing in freeze.frozen.iter().filter(|growing| growing.rows() > 0) {
            if self.is_named(id, growing.id()) {
                // An earlier flush has written it and could not open it; only its deletes may be new.
                let list = growing.deletes(at);
                let file = self.save_deletes(id, growing.id(), &list, at, written)?;
                files.deletes.extend(file.map(|file| (growing.id(), file)));
                files.saved.insert(growing.id(), list.len());
                continue;
            }
            let file = rows_file(id, growing.id());
            let rows = segment::write(&growing.freeze(), &self.blobs, &file, &self.stopping)?;
            written.push(file.clone());
            let list = growing.deletes(at);
            let deletes = self.save_deletes(id, growing.id(), &list, at, written)?;
            files.saved.insert(growing.id(), list.len());
            files.added.push(SegmentEntry {
                id: growing.id(),
                partition: growing.partition(),
                rows: rows.rows as u64,
                bytes: rows.file_bytes,
                file,
                deletes,
                indexes: Vec::new(),
            });
        }
        for sealed in &freeze.dirty {
            let list = sealed.deletes(at);
            if let Some(file) = self.save_deletes(id, sealed.id(), &list, at, written)? {
                files.deletes.push((sealed.id(), file));
                files.saved.insert(sealed.id(), list.len());
            }
        }
        Ok(files)
    }

    /// Saves deletes to a file; none make no file.
    pub(crate) fn save_deletes(
        &self,
        collection: CollectionId,
        segment: SegmentId,
        list: &DeleteList,
        at: Timestamp,
        written: &mut Vec<String>,
    ) -> Result<Option<String>, Error> {
        if list.is_empty() {
            return Ok(None);
        }
        let file = deletes_file(collection, segment, at);
        list.save(&self.blobs, &file)?;
        written.push(file.clone());
        Ok(Some(file))
    }

    /// Deletes the files among `written` that `catalog` does not name.
    pub(crate) fn discard_unnamed(&self, mut written: Vec<String>, catalog: &Catalog) {
        let named: HashSet<&String> = catalog.files().collect();
        written.retain(|file| !named.contains(file));
        self.discard(written);
    }

    /// Deletes files of work that came to nothing. What cannot be deleted is a leftover, which the next start removes.
    ///
    /// While the catalogue is in doubt it may name them after the next start: then they stay.
    pub(crate) fn discard(&self, written: Vec<String>) {
        if self.registry.is_in_doubt() {
            return;
        }
        for file in written {
            if let Err(error) = self.blobs.delete(&file) {
                self.trouble(format!("cannot delete {file}: {error}; the next start removes it"));
            }
        }
    }

    /// Puts the sealed segments in the place of the frozen ones; deletes that came in the meantime come along.
    fn swap_frozen(
        &self,
        shard: &Shard,
        freeze: &Freeze,
        saved: &BTreeMap<SegmentId, usize>,
    ) -> Result<Vec<SegmentId>, Error> {
        let catalog = self.registry.current();
        let collection = catalog.collection_by_id(shard.id)?;
        let mut opened: Vec<(&Arc<Growing>, Arc<Sealed>)> = Vec::new();
        for growing in &freeze.frozen {
            if let Some(entry) = collection.segments.iter().find(|entry| entry.id == growing.id()) {
                let schema = Arc::clone(&collection.schema);
                let sealed = Sealed::open(&self.blobs, &entry.file, entry.id, entry.partition, schema)?;
                sealed.keep_blocks_in(&self.unpacked);
                self.outline_ahead(collection, &sealed)?;
                opened.push((growing, Arc::new(sealed)));
            }
        }
        let _still = self.hold_still();
        // A partition may have been dropped in the meantime.
        opened.retain(|(_, sealed)| self.is_named(shard.id, sealed.id()));
        for (growing, sealed) in &opened {
            self.adopt_schema(shard.id, sealed);
            sealed.apply_deletes(&growing.deletes(Timestamp::MAX));
        }
        shard.replace(|members| {
            members
                .list
                .retain(|member| !freeze.frozen.iter().any(|frozen| frozen.id() == member.segment.id()));
            for (_, sealed) in &opened {
                let segment = Segment::Sealed(Arc::clone(sealed));
                members.list.push(Member { segment, role: Role::Sealed { saved_deletes: 0 } });
            }
            // Deletes since the freeze are in the log, behind the checkpoint; a later flush saves them.
            for member in &mut members.list {
                if let (Role::Sealed { saved_deletes }, Some(count)) =
                    (&mut member.role, saved.get(&member.segment.id()))
                {
                    *saved_deletes = *count;
                }
            }
        });
        Ok(opened.into_iter().map(|(_, sealed)| sealed.id()).collect())
    }

    /// While searches come, builds are held off; then what they will scan of a new segment is made before they see it.
    pub(crate) fn outline_ahead(&self, collection: &Collection, sealed: &Sealed) -> Result<(), Error> {
        if self.searched_until_ms().is_none() {
            return Ok(());
        }
        let vectors = collection.schema.fields.iter().filter(|field| field.data_type.is_vector());
        for field in vectors {
            if collection.index_on(field.id).is_some() && sealed.index(field.id).is_none() {
                sealed.outline_ahead(field.id)?;
            }
        }
        Ok(())
    }

    /// Deletes the part of the log that no collection needs.
    pub(crate) fn trim_log(&self) {
        let below = {
            let _still = self.hold_still();
            let needed = self.all_shards().iter().filter_map(|shard| shard.needs_from()).min();
            needed.or_else(|| self.last_applied().map(|lsn| store::Lsn(lsn.0 + 1)))
        };
        if let Some(below) = below
            && let Err(error) = self.log.trim(below)
        {
            self.trouble(format!("cannot trim the log: {error}"));
        }
    }

    /// The collection whose rows keep the log longest.
    pub(crate) fn holder_of_log(&self) -> Option<CollectionId> {
        let shards = self.all_shards();
        let needing = shards.iter().filter_map(|shard| shard.needs_from().map(|lsn| (lsn, shard.id)));
        needing.min().map(|(_, id)| id)
    }

    /// Flushes, and notes a failure instead of telling it; for background work.
    pub(crate) fn flush_quietly(&self, id: CollectionId) -> bool {
        match self.flush(id) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::CollectionNotFound => true,
            Err(error) => {
                self.trouble(format!("cannot flush collection {id}: {error}; its rows are safe in the log"));
                false
            }
        }
    }
}
