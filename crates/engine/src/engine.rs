//! The engine: open, close and the six verbs. A table of contents.

use crate::api::{
    Change, Changed, Found, Queried, Query, Question, Search, Seek, Task, Update, Write, Written,
};
use crate::catalog::{Catalog, Edit};
use crate::node::{Node, Pools};
use crate::{Error, ErrorKind, Settings, find, ingest, jobs};
use data::{Keys, Timestamp};
use host::{Clock, Pool, SystemClock};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use store::{Disk, Folder};

/// The database of one node. Shared by all its callers; every method may be called from any thread.
#[derive(Debug)]
pub struct Engine {
    node: Arc<Node>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Opens the database in `settings.folder`, making it when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be used: another process has it, it holds other things, or its files are damaged.
    pub fn open(settings: Settings) -> Result<Arc<Self>, Error> {
        let folder = Folder::open(&settings.folder).map_err(|error| {
            Error::new(
                ErrorKind::Io,
                format!("cannot open the folder {}: {error}", settings.folder.display()),
            )
        })?;
        let search = Pool::new("search", settings.search_threads).map_err(Error::internal)?;
        let build =
            Pool::patient("build", settings.build_threads, jobs::BUILD_NICENESS).map_err(Error::internal)?;
        let yielding = Pool::patient("yield", 1, jobs::YIELD_NICENESS).map_err(Error::internal)?;
        let merge = Pool::patient("merge", 1, jobs::MERGE_NICENESS).map_err(Error::internal)?;
        let pools = Pools { search, build, yielding, merge };
        let node = Node::open(settings, Arc::new(folder), Arc::new(SystemClock), pools)?;
        let threads = jobs::start(&node);
        Ok(Arc::new(Self { node, threads: Mutex::new(threads) }))
    }

    /// Opens the database on `disk` without a thread of its own: background work is done when [`Engine::tend`] is
    /// called, searches run on the caller, time is what `clock` says. A run can be repeated step by step.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_still(
        settings: Settings,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Error> {
        let node = Node::open(
            settings,
            disk,
            clock,
            Pools {
                search: Pool::inline(),
                build: Pool::inline(),
                yielding: Pool::inline(),
                merge: Pool::inline(),
            },
        )?;
        Ok(Arc::new(Self { node, threads: Mutex::default() }))
    }

    /// Does the background work there is; only for engines opened by [`Engine::open_still`].
    pub fn tend(&self) {
        self.node.keep();
        while self.node.build_one() || self.node.build_subgraph() {}
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Edits the catalogue.
    ///
    /// # Errors
    /// When the edit is not allowed or does not make sense; nothing has changed then.
    pub fn change(&self, change: Change) -> Result<Changed, Error> {
        let (timestamp, _) = self.node.edit(Edit::User(change))?;
        Ok(Changed { timestamp })
    }

    /// Looks something up.
    ///
    /// # Errors
    /// When something named in the question does not exist.
    pub fn describe<Q: Question>(&self, question: Q) -> Result<Q::Answer, Error> {
        question.answer(self)
    }

    /// Puts rows in or takes rows out. On return the write is durable and visible. Blocks for the disk.
    ///
    /// # Errors
    /// When the rows do not fit the schema (nothing was written), or the disk fails.
    pub fn write(&self, write: Write) -> Result<Written, Error> {
        let node = &self.node;
        let catalog = node.registry.current();
        let (prepared, is_upsert) = match write {
            Write::Insert(rows) => {
                let collection = catalog.collection(&rows.target)?;
                let zone = catalog.zone(collection);
                (ingest::insert(collection, rows, &node.oracle, &node.settings, &zone)?, false)
            }
            Write::Upsert(rows) => {
                let collection = catalog.collection(&rows.target)?;
                let zone = catalog.zone(collection);
                (ingest::upsert(collection, rows, &node.oracle, &node.settings, &zone)?, true)
            }
            Write::Update(update) => return self.update(&catalog, update),
            Write::Delete { target, partition, filter, templates } => {
                return self.delete(&target, &partition, &filter, &templates);
            }
        };
        let shard = node.shard(prepared.record.collection)?;
        let _shared = shard.write_shared();
        let timestamp = node.append(prepared.record)?;
        let deleted = if is_upsert { prepared.inserted } else { 0 };
        Ok(Written { keys: prepared.keys, inserted: prepared.inserted, deleted, timestamp })
    }

    /// A write that puts rows together from what is there lets no other in between.
    fn update(&self, catalog: &Catalog, update: Update) -> Result<Written, Error> {
        let collection = catalog.collection(&update.rows.target)?;
        let shard = self.node.shard(collection.id)?;
        let _alone = shard.write_alone();
        let prepared = ingest::update(&self.node, collection, update, &catalog.zone(collection))?;
        let timestamp = self.node.append(prepared.record)?;
        let inserted = prepared.inserted;
        Ok(Written { keys: prepared.keys, inserted, deleted: inserted, timestamp })
    }

    fn delete(
        &self,
        target: &crate::api::Target,
        partition: &str,
        filter: &str,
        templates: &std::collections::BTreeMap<String, data::Value>,
    ) -> Result<Written, Error> {
        let catalog = self.node.registry.current();
        let collection = catalog.collection(target)?;
        let shard = self.node.shard(collection.id)?;
        let _shared = shard.write_shared();
        let deletes = find::keys_to_delete(&self.node, collection, partition, filter, templates)?;
        let (keys, count): (Keys, u64) = (deletes.keys.clone(), deletes.keys.len() as u64);
        let timestamp = if count == 0 {
            self.node.now()
        } else {
            let stamp = Timestamp::ZERO;
            let record = crate::record::Record {
                collection: collection.id,
                stamp,
                deletes: Some(deletes),
                inserts: Vec::new(),
            };
            self.node.append(record)?
        };
        Ok(Written { keys, inserted: 0, deleted: count, timestamp })
    }

    /// Finds nearest neighbours: by one [`Search`], or by several as [`Hybrid`](crate::api::Hybrid).
    ///
    /// # Errors
    /// When the request does not fit the collection, or the collection is not loaded.
    pub fn search<S: Seek>(&self, search: S) -> Result<Found, Error> {
        search.seek(self)
    }

    /// Finds rows by what they say.
    ///
    /// # Errors
    /// When the request does not fit the collection, or the collection is not loaded.
    pub fn query(&self, query: Query) -> Result<Queried, Error> {
        find::query(&self.node, query)
    }

    /// Does a task. May block for as long as the task takes.
    ///
    /// # Errors
    /// When something named in the task does not exist, or storage fails.
    pub fn run<T: Task>(&self, task: T) -> Result<T::Outcome, Error> {
        task.run(self)
    }

    /// A stamp for now: later than every write acknowledged so far.
    pub fn timestamp(&self) -> Timestamp {
        self.node.oracle.next()
    }

    /// Whether `search` is expected to take well under a millisecond, so that a caller on an event loop may run it
    /// in place.
    pub fn is_quick(&self, search: &Search) -> bool {
        find::is_quick(&self.node, search)
    }

    /// The same for a query.
    pub fn is_quick_query(&self, query: &Query) -> bool {
        find::is_quick_query(&self.node, query)
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.node.settings
    }

    /// Stops background work and waits for it. Rows in memory stay in the log; the next open finds them.
    pub fn close(&self) {
        self.node.stopping.cancel();
        self.node.bells.builds.cancel_all();
        self.node.bells.keeper.ring();
        self.node.bells.builder.ring();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                self.node.trouble("a background thread has panicked".to_owned());
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
