//! The loops everything else is made of, written so that the compiler turns them into vector instructions.

use super::Block;

/// Bit `i` is `test(a[i], b[i])`.
pub(super) fn fill_pairs<T: Copy>(a: &[T], b: &[T], yes: &mut Block, test: impl Fn(T, T) -> bool) {
    for (word, (a, b)) in yes.iter_mut().zip(a.chunks(64).zip(b.chunks(64))) {
        let mut flags = [0_u8; 64];
        for (flag, (a, b)) in flags.iter_mut().zip(a.iter().zip(b)) {
            *flag = u8::from(test(*a, *b));
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

/// Asks `test` for the wanted rows one by one.
pub(super) fn each(want: &Block, yes: &mut Block, mut test: impl FnMut(usize) -> bool) {
    for (w, (want, yes)) in want.iter().zip(yes).enumerate() {
        let mut rest = *want;
        while rest != 0 {
            let bit = rest.trailing_zeros() as usize;
            *yes |= u64::from(test(w * 64 + bit)) << bit;
            rest &= rest - 1;
        }
    }
}
