//! Opening a data folder: catalogue, segments, then the log from where the files end.

use crate::catalog::{Collection, Registry, SegmentEntry};
use crate::node::{Node, Parts, Pools};
use crate::record::Record;
use crate::shard::Shard;
use crate::time::Oracle;
use crate::{Error, ErrorKind, Settings};
use data::Timestamp;
use host::Clock;
use segment::{DeleteList, Sealed};
use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use store::{Disk, LogSettings, Lsn, Store, SyncPolicy};

impl Node {
    /// Opens the data on `disk`.
    pub(crate) fn open(
        settings: Settings,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        pools: Pools,
    ) -> Result<Arc<Self>, Error> {
        let oracle = Oracle::new(clock);
        let store = Store::open(disk)?;
        let registry = Registry::open(store.registers().clone(), oracle.next())?;
        let sync = if settings.sync_writes { SyncPolicy::Always } else { SyncPolicy::None };
        let checkpoints =
            registry.current().collections.values().map(|collection| collection.checkpoint).max();
        let first = Lsn(checkpoints.unwrap_or_default().max(1));
        let (log, replay) =
            store.open_log(LogSettings { sync, first, salt: oracle.next().0, ..LogSettings::default() })?;
        let node = Self::new(Parts { settings, oracle, registry, log, store, pools });
        node.remove_leftovers()?;
        let catalog = node.registry.current();
        for collection in catalog.collections.values() {
            node.oracle.advance(collection.updated_at);
            let shard = Arc::new(node.open_shard(collection)?);
            node.shards.write().unwrap_or_else(PoisonError::into_inner).insert(collection.id, shard);
        }
        node.replay(replay)?;
        for collection in catalog.collections.values().filter(|collection| collection.is_loaded()) {
            // A collection that no longer fits stays readable on disk and says so; the others go on.
            if let Err(error) = node.attach_loaded(collection) {
                node.trouble(format!("collection {} is loaded only in part: {error}", collection.name));
            }
        }
        Ok(Arc::new(node))
    }

    /// Deletes files that nothing in the catalogue names: what a crash left behind.
    fn remove_leftovers(&self) -> Result<(), Error> {
        let catalog = self.registry.current();
        let named: HashSet<&String> = catalog.files().collect();
        for file in self.blobs.list("")? {
            if !named.contains(&file) {
                self.blobs.delete(&file)?;
            }
        }
        Ok(())
    }

    fn open_shard(&self, collection: &Collection) -> Result<Shard, Error> {
        let mut sealed = Vec::new();
        for entry in &collection.segments {
            match self.open_segment(collection, entry) {
                Ok(opened) => sealed.push(opened),
                // One bad segment never stops the others.
                Err(error) => {
                    self.trouble(format!("collection {}: segment {}: {error}", collection.name, entry.id))
                }
            }
        }
        self.oracle.advance(collection.floor);
        Ok(Shard::new(collection.id, sealed, collection.floor))
    }

    fn open_segment(
        &self,
        collection: &Collection,
        entry: &SegmentEntry,
    ) -> Result<(Arc<Sealed>, usize), Error> {
        let schema = Arc::clone(&collection.schema);
        let sealed = Sealed::open(&self.blobs, &entry.file, entry.id, entry.partition, schema)?;
        sealed.keep_blocks_in(&self.unpacked);
        self.oracle.advance(sealed.max_stamp());
        self.oracle.advance(Timestamp(entry.id.0 as u64));
        let mut saved = 0;
        if let Some(file) = &entry.deletes {
            let list = DeleteList::open(&self.blobs, file)?;
            self.oracle.advance(list.max_stamp());
            saved = list.len();
            sealed.apply_deletes(&list);
        }
        Ok((Arc::new(sealed), saved))
    }

    fn replay(&self, replay: store::Replay) -> Result<(), Error> {
        let catalog = self.registry.current();
        let mut last: Option<Lsn> = None;
        for record in replay {
            let (lsn, bytes) = record?;
            let record = Record::decode(&bytes)
                .map_err(|error| Error::new(ErrorKind::Corrupt, format!("log record {}: {error}", lsn.0)))?;
            last = Some(lsn);
            self.oracle.advance(record.stamp);
            let collection = catalog.collections.get(&record.collection);
            if collection.is_some_and(|collection| lsn.0 >= collection.checkpoint) {
                self.apply(lsn, record);
            }
        }
        // The log may have been trimmed to nothing; later records must not be taken for earlier ones.
        let end = self.log.end().0.checked_sub(1).map(Lsn);
        self.recovered_to(last.max(end));
        Ok(())
    }
}
