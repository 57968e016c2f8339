//! The engine: open, close and the six verbs. A table of contents.

use crate::api::{Change, Changed, Found, Queried, Query, Question, Search, Task, Write, Written};
use crate::{Error, Settings};
use std::sync::Arc;

/// The database of one node. Shared by all its callers; every method may be called from any thread.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
}

impl Engine {
    /// Opens the database in `settings.folder`, making it when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be used: another process has it, it holds other things, or its files are damaged.
    pub fn open(settings: Settings) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self { settings }))
    }

    /// Edits the catalogue.
    ///
    /// # Errors
    /// When the edit is not allowed or does not make sense; nothing has changed then.
    pub fn change(&self, _change: Change) -> Result<Changed, Error> {
        Err(Error::internal("being written"))
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
    pub fn write(&self, _write: Write) -> Result<Written, Error> {
        Err(Error::internal("being written"))
    }

    /// Finds nearest neighbours.
    ///
    /// # Errors
    /// When the request does not fit the collection, or the collection is not loaded.
    pub fn search(&self, _search: Search) -> Result<Found, Error> {
        Err(Error::internal("being written"))
    }

    /// Finds rows by what they say.
    ///
    /// # Errors
    /// When the request does not fit the collection, or the collection is not loaded.
    pub fn query(&self, _query: Query) -> Result<Queried, Error> {
        Err(Error::internal("being written"))
    }

    /// Does a task. May block for as long as the task takes.
    ///
    /// # Errors
    /// When something named in the task does not exist, or storage fails.
    pub fn run<T: Task>(&self, task: T) -> Result<T::Outcome, Error> {
        task.run(self)
    }

    /// A stamp for now: later than every write acknowledged so far.
    pub fn timestamp(&self) -> data::Timestamp {
        data::Timestamp::ZERO
    }

    /// Whether `search` is expected to take well under a millisecond, so that a caller on an event loop may run it
    /// in place.
    pub fn is_quick(&self, _search: &Search) -> bool {
        true
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Stops background work and waits for it. Rows in memory stay in the log; the next open finds them.
    pub fn close(&self) {}
}
