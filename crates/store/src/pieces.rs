//! Reading pieces of a file where they are wanted, instead of mapping it. Invariant: what was read does not stay in the system's
//! cache, so the memory that a file takes is what its reader keeps.

use std::fmt::Debug;
use std::io;

use bytes::Bytes;

/// A finished file that is read in pieces.
#[expect(
    clippy::len_without_is_empty,
    reason = "a file that is read in pieces is never asked whether it is empty"
)]
pub trait Pieces: Debug + Send + Sync {
    /// Bytes in the file.
    fn len(&self) -> u64;

    /// Reads a piece from each of `places`, all of the same length, one after the other into `into`, which they fill. Pieces
    /// that are asked for together are on their way together. Fastest where places, lengths and `into` itself are multiples
    /// of 4,096 bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when a piece reaches past the end, else what the system says.
    fn read(&self, places: &[u64], into: &mut [u8]) -> io::Result<()>;

    /// Says that pieces of `each` bytes at `places` will be read soon, so that they are on their way meanwhile. Does nothing by
    /// itself.
    fn announce(&self, _places: &[u64], _each: usize) {}
}

/// Bytes that lie in memory, or are mapped.
impl Pieces for Bytes {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read(&self, places: &[u64], into: &mut [u8]) -> io::Result<()> {
        let each = into.len() / places.len().max(1);
        for (place, into) in places.iter().zip(into.chunks_exact_mut(each.max(1))) {
            let start = usize::try_from(*place).ok();
            let piece = start.and_then(|start| self.get(start..start.checked_add(each)?));
            into.copy_from_slice(piece.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::FilePieces;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::num::NonZeroU64;
    use std::os::unix::fs::{FileExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::fs::{Advice, OFlags, fadvise};

    /// What a read past the system's cache must be a multiple of.
    const SECTOR: u64 = 4096;

    /// A file of a real file system.
    #[derive(Debug)]
    pub(crate) struct FilePieces {
        file: File,
        /// The same file, read past the system's cache, where the file system does that.
        direct: Option<File>,
        length: u64,
    }

    impl FilePieces {
        pub(crate) fn open(path: &Path) -> io::Result<Self> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            // The system must not read on behind a piece. That it refuses advice changes nothing but speed.
            let _ = fadvise(&file, 0, None, Advice::Random);
            let flags = i32::try_from(OFlags::DIRECT.bits()).unwrap_or(0);
            let direct = OpenOptions::new().read(true).custom_flags(flags).open(path).ok();
            Ok(Self { file, direct, length })
        }

        fn advise(&self, places: &[u64], each: usize, advice: Advice) {
            for place in places {
                let _ = fadvise(&self.file, *place, NonZeroU64::new(each as u64), advice);
            }
        }
    }

    impl super::Pieces for FilePieces {
        fn len(&self) -> u64 {
            self.length
        }

        fn announce(&self, places: &[u64], each: usize) {
            self.advise(places, each, Advice::WillNeed);
        }

        fn read(&self, places: &[u64], into: &mut [u8]) -> io::Result<()> {
            let each = into.len() / places.len().max(1);
            let is_inside =
                |place: &u64| place.checked_add(each as u64).is_some_and(|end| end <= self.length);
            if !places.iter().all(is_inside) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let aligned = |at: u64| at.is_multiple_of(SECTOR);
            let is_aligned = aligned(each as u64)
                && aligned(into.as_ptr().addr() as u64)
                && places.iter().all(|place| aligned(*place));
            let mut pieces = places.iter().zip(into.chunks_exact_mut(each.max(1)));
            match &self.direct {
                Some(direct) if is_aligned && places.len() == 1 => {
                    pieces.try_for_each(|(place, into)| direct.read_exact_at(into, *place))
                }
                // Asked for ahead, pieces are on their way together without a thread for each; measured, that brings
                // twice as many as reading one after the other past the cache. Then they are not kept.
                _ => {
                    self.advise(places, each, Advice::WillNeed);
                    let outcome = pieces.try_for_each(|(place, into)| self.file.read_exact_at(into, *place));
                    self.advise(places, each, Advice::DontNeed);
                    outcome
                }
            }
        }
    }
}
