//! The bytes of one file in memory, and which of them a power cut cannot take.
//!
//! Invariant: the bytes below `floor` have been equal in memory and on the platter since the last sync.

use std::io;

use bytes::Bytes;
use host::Rng;

/// The bytes that a disk writes in one piece.
const SECTOR_BYTES: usize = 512;

/// Maps start at multiples of this.
const ALIGN_BYTES: usize = 64;

#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    bytes: Vec<u8>,
    floor: usize,
    /// What the platter holds from `floor` on.
    below: Vec<u8>,
    /// Bytes that were never synced and cut off again since, and where they were: the platter may hold them still.
    cut_off: Option<(usize, Vec<u8>)>,
    /// A sync failed: what was above this point then can never be trusted again.
    doubtful: Option<usize>,
    shared: Option<Bytes>,
}

impl Node {
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(super) fn append(&mut self, part: &[u8]) {
        self.shared = None;
        self.bytes.extend_from_slice(part);
    }

    /// Takes bytes that must be there already; it ends doubt about them if nothing doubtful stays beside them.
    pub(super) fn rewrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let to = from.saturating_add(bytes.len());
        if self.bytes.get(from..to) != Some(bytes) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "other bytes are there"));
        }
        if to == self.bytes.len() {
            self.doubtful = self.doubtful.filter(|doubtful| *doubtful < from);
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, length: u64) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.shared = None;
        if length < self.floor {
            let mut below = self.bytes.get(length..self.floor).unwrap_or_default().to_vec();
            below.append(&mut self.below);
            self.below = below;
            self.floor = length;
        }
        if let Some(end) = self.bytes.get(length..).filter(|end| !end.is_empty()) {
            self.cut_off = Some((length, end.to_vec()));
        }
        self.bytes.resize(length, 0);
        // What is written from here on is new to the system, which writes it at the next sync.
        self.doubtful = self.doubtful.filter(|doubtful| *doubtful < length);
    }

    pub(super) fn sync(&mut self) {
        self.floor = self.bytes.len();
        self.below.clear();
        self.cut_off = None;
        if let Some(doubtful) = self.doubtful {
            self.floor = self.floor.min(doubtful);
        }
    }

    /// The sync failed, and the system forgot that these bytes were never written.
    pub(super) fn sync_failed(&mut self) {
        self.doubtful = Some(self.doubtful.map_or(self.floor, |d| d.min(self.floor)));
    }

    pub(super) fn flip(&mut self, bit: u64) -> bool {
        self.shared = None;
        let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| self.bytes.get_mut(at)) else {
            return false;
        };
        *byte ^= 1 << (bit % 8);
        true
    }

    /// The bytes, aligned, without copying them twice.
    pub(super) fn shared(&mut self) -> Bytes {
        if let Some(shared) = &self.shared {
            return shared.clone();
        }
        let mut room = vec![0u8; self.bytes.len() + ALIGN_BYTES];
        let start = room.as_ptr().align_offset(ALIGN_BYTES);
        let end = start + self.bytes.len();
        room[start..end].copy_from_slice(&self.bytes);
        let shared = Bytes::from(room).slice(start..end);
        self.shared = Some(shared.clone());
        shared
    }

    /// What may be found after a power cut: the synced bytes, then any mixture of old, new, zeros and garbage.
    pub(super) fn after_power_cut(&self, rng: &mut Rng) -> Self {
        let above = self.bytes.get(self.floor..).unwrap_or_default();
        let longest = above.len().max(self.below.len());
        let tail = match rng.below(5) {
            0 => self.below.clone(),
            1 => above.to_vec(),
            2 => above[..rng.below(above.len() as u64 + 1) as usize].to_vec(),
            3 => self.before_the_cut().unwrap_or_else(|| above.to_vec()),
            _ => self.mixture(above, rng.below(longest as u64 + 1) as usize, rng),
        };
        let mut bytes = self.bytes.get(..self.floor).unwrap_or_default().to_vec();
        bytes.extend_from_slice(&tail);
        let floor = bytes.len();
        Self { bytes, floor, ..Self::default() }
    }

    /// The bytes above the floor as they were before the last cut, which may not have reached the platter.
    fn before_the_cut(&self) -> Option<Vec<u8>> {
        let (at, end) = self.cut_off.as_ref()?;
        let mut tail = self.bytes.get(self.floor..*at)?.to_vec();
        tail.extend_from_slice(end);
        Some(tail)
    }

    fn mixture(&self, above: &[u8], length: usize, rng: &mut Rng) -> Vec<u8> {
        let mut tail = Vec::with_capacity(length);
        while tail.len() < length {
            let from = tail.len();
            let sector_end = ((self.floor + from) / SECTOR_BYTES + 1) * SECTOR_BYTES - self.floor;
            let to = sector_end.min(length);
            let kind = rng.below(8);
            for at in from..to {
                tail.push(match kind {
                    0 => 0,
                    1 => rng.next_u64() as u8,
                    2 => self.below.get(at).copied().unwrap_or(0),
                    _ => above.get(at).copied().unwrap_or(0),
                });
            }
        }
        tail
    }
}
