//! Reading pages. Invariant: nothing is read past the last page.

use std::fmt::Debug;
use std::io;

use bytemuck::{Pod, Zeroable};
use bytes::Bytes;

/// Bytes of a page. Places in a file and in memory that are handed to [`Pages::read`] are multiples of it.
pub const PAGE_BYTES: usize = 4096;

/// A page in memory.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C, align(4096))]
pub(super) struct Page([u8; PAGE_BYTES]);

/// The pages that nodes lie in: those of a file, or of memory.
pub trait Pages: Debug + Send + Sync {
    /// How many there are.
    fn count(&self) -> u64;

    /// Reads, from each page of `first` on, as many pages as make `into` full, one piece after the other. All pieces are
    /// of the same length; better at once than one by one.
    ///
    /// # Errors
    /// What the system says, and when a page is not there.
    fn read(&self, first: &[u64], into: &mut [u8]) -> io::Result<()>;

    /// Says that `each` pages from each of `first` on will be read soon, so that they can be on their way meanwhile. Does nothing by
    /// itself.
    fn announce(&self, _first: &[u64], _each: usize) {}
}

impl Pages for Bytes {
    fn count(&self) -> u64 {
        (self.len() / PAGE_BYTES) as u64
    }

    fn read(&self, first: &[u64], into: &mut [u8]) -> io::Result<()> {
        let each = into.len() / first.len().max(1);
        for (first, into) in first.iter().zip(into.chunks_exact_mut(each.max(1))) {
            let start = usize::try_from(*first).ok().and_then(|first| first.checked_mul(PAGE_BYTES));
            let pages = start.and_then(|start| self.get(start..start.checked_add(each)?));
            into.copy_from_slice(pages.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(())
    }
}
