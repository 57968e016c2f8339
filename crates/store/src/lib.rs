//! Where bytes rest. This crate knows nothing of vectors or schemas: bytes and names.
//!
//! Everything durable is one of three things, and each is judged by the same [`contract`]:
//!
//! - a **blob** ([`Blobs`]): immutable named bytes. It is there whole, or not at all; open it and it is mapped.
//! - a **register** ([`Registers`]): one small named value changed by compare-and-set. It has the old value or the
//!   new one, and the new one once `commit` returned.
//! - a **log** ([`Log`]): ordered records. A record whose `commit` returned is replayed, in order, exactly once;
//!   many writers share one write and one sync.
//!
//! The three stand on a [`Disk`], the small part of a file system that they need. [`Folder`] is a real one;
//! [`MemoryDisk`] is one in memory that remembers what was synced, so that a power cut can be tried at every step.
//! [`Store`] puts the three into one data folder, guarded by a lock and a format mark. [`file`](mod@file) is the one
//! container of all our files: aligned named sections with checksums.
//!
//! Everything here is synchronous: call it from a thread that may wait.

mod blobs;
pub mod contract;
mod crc;
mod disk;
mod error;
pub mod file;
mod folder;
mod log;
mod map;
mod memory;
mod name;
mod pieces;
mod recognise;
mod registers;
mod store;

pub use blobs::{BlobWriter, Blobs};
pub use disk::{Disk, DiskFile};
pub use error::Error;
pub use folder::Folder;
pub use log::{Log, LogSettings, Lsn, Replay, SyncPolicy};
pub use memory::MemoryDisk;
pub use pieces::Pieces;
pub use recognise::{Recognised, recognise};
pub use registers::{Registers, Version};
pub use store::Store;
