//! The database of one node: catalogue, write path, visibility, search across segments, background jobs.
//!
//! [`Engine`] is the public Rust API. It has six verbs: [`change`](Engine::change) edits the catalogue,
//! [`describe`](Engine::describe) looks, [`write`](Engine::write) puts rows in and takes rows out,
//! [`search`](Engine::search) finds nearest neighbours, [`query`](Engine::query) finds rows by what they say, and
//! [`run`](Engine::run) does the rest (flush, load, compact). What they take and give is plain data, in [`api`].
//!
//! An acknowledged write is in the log, durably; a visible write has been applied from the log. There is no third way.

pub mod api;
mod catalog;
mod engine;
mod error;
mod find;
mod flush;
mod holds;
mod ingest;
mod inspect;
mod jobs;
mod load;
mod look;
mod node;
mod open;
mod progress;
mod record;
mod settings;
mod shard;
mod tasks;
mod time;

pub use engine::Engine;
pub use error::{Error, ErrorKind};
pub use inspect::{describe_record, files_named_by};
pub use settings::Settings;
