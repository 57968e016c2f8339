//! Files mapped into memory: the only `unsafe` of this crate.
#![expect(unsafe_code, reason = "mapping a file is unsafe: the file could change under the map")]

use std::fs::File;
use std::io;

use bytes::Bytes;

/// The bytes of `file`, in place and page-aligned. They stay valid after the file is closed or removed.
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the bytes under a map must not change. Only finished files are mapped; those are immutable by
    // construction (written under another name, renamed once, never opened for writing again), and the lock on the
    // data folder keeps other processes of ours away. Someone who edits files of a running database by hand can
    // break this, as for every database that maps its files.
    let map = unsafe { memmap2::Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
