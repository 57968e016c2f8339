//! One suite that judges every place where bytes can rest.
//!
//! Each function gets a way to make a fresh, empty disk, and panics with what was promised and not kept. Run it in a
//! test of the back end: `contract::all(&|| Arc::new(MyDisk::new()))`.

mod at_rest;
mod disk;

use std::sync::Arc;

use bytes::Bytes;

use crate::disk::Disk;
use crate::error::Error;

pub use at_rest::{blobs, log, log_under_many_threads, registers, store};
pub use disk::{disk, locks};

/// A way to make a fresh, empty disk.
pub type MakeDisk<'a> = &'a dyn Fn() -> Arc<dyn Disk>;

/// Everything in this module.
pub fn all(make: MakeDisk<'_>) {
    disk(make);
    locks(make);
    blobs(make);
    registers(make);
    log(make);
    log_under_many_threads(make);
    store(make);
}

/// The value, or a panic that says what was being done.
fn ok<T, E: std::fmt::Display>(outcome: Result<T, E>, doing: &str) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => {
            assert!(error.to_string().is_empty(), "{doing}: {error}");
            unreachable!("an error always has a text")
        }
    }
}

/// The error, or a panic that says what should not have worked.
fn refused<T>(outcome: Result<T, Error>, doing: &str) -> Error {
    outcome.err().into_iter().next().unwrap_or_else(|| unreachable!("{doing} should have been refused"))
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
