//! The one container of all our files: named sections with checksums.
//!
//! A container is a blob: a header that tells its kind, sections that each begin at a multiple of 64 bytes, a footer
//! with the table of sections and the checksum of every 1 MiB block, and a trailer that finds the footer. Mapped, a
//! section is read in place: aligned vectors and Arrow buffers need no copy.
//!
//! Invariant: every stored byte is under a checksum or known to be zero, so [`Reader::verify`] finds every flipped
//! bit. Opening checks header, footer and bounds; a section of at most 64 KiB is checked whenever it is asked for.
//! The format is described in `docs/formats/file.md`.

mod layout;
mod reader;
mod writer;

pub use reader::{Reader, Section};
pub use writer::Writer;

#[cfg(test)]
mod tests;
