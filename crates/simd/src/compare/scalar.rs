//! The comparison in plain Rust, written so that the compiler finds vector instructions for it.

pub(super) fn between<T: Copy + PartialOrd>(chunks: &[[T; 64]], low: T, high: T, words: &mut [u64]) {
    for (chunk, word) in chunks.iter().zip(words) {
        let mut flags = [0_u8; 64];
        for (flag, value) in flags.iter_mut().zip(chunk) {
            *flag = u8::from(*value >= low) & u8::from(*value <= high);
        }
        *word = pack(&flags);
    }
}

/// Gathers 64 bytes, each 0 or 1, to bits: the multiplication moves the lowest bits of eight bytes into the top one.
#[inline]
fn pack(flags: &[u8; 64]) -> u64 {
    let mut word = 0;
    for (i, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= gathered << (i * 8);
    }
    word
}
