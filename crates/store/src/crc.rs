//! CRC32C (Castagnoli; RFC 3720, appendix B.4), the checksum of every format here.

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};

/// A checksum under way.
#[derive(Debug)]
pub(crate) struct Crc(Digest);

impl Crc {
    pub(crate) fn new() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc32Iscsi))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u32 {
        // The algorithm is 32 bits wide: the upper half of the 64-bit answer is always zero.
        self.0.finalize() as u32
    }
}

/// The checksum of one slice.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// The checksum of the parts as if they were one slice.
pub(crate) fn crc32c_parts(parts: &[Bytes]) -> u32 {
    match parts {
        [one] => crc32c(one),
        _ => {
            let mut crc = Crc::new();
            parts.iter().for_each(|part| crc.update(part));
            crc.value()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, bit by bit.
    fn slow(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |mut crc, byte| {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
            }
            crc
        })
    }

    #[test]
    fn agrees_with_the_definition_at_every_length_and_split() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let bytes: Vec<u8> = (0..700u32).map(|i| (i * 37 % 251) as u8).collect();
        for length in 0..bytes.len() {
            assert_eq!(crc32c(&bytes[..length]), slow(&bytes[..length]), "length {length}");
        }
        for split in 0..bytes.len() {
            let (a, b) = bytes.split_at(split);
            let parts = [Bytes::copy_from_slice(a), Bytes::copy_from_slice(b)];
            assert_eq!(crc32c_parts(&parts), slow(&bytes), "split {split}");
        }
    }
}
