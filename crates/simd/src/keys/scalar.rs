//! The marks in plain Rust.

use super::Marks;

pub(super) fn search(text: &[u8], at: usize, keys: &[&[u8]], found: &mut [Option<usize>]) -> bool {
    let equal = |chunk: &[u8; 64], byte| places(chunk, |other| other == byte);
    let marks = |chunk: &[u8; 64]| Marks {
        quotes: places(chunk, |byte| byte == b'"'),
        slashes: places(chunk, |byte| byte == b'\\'),
        opening: places(chunk, |byte| matches!(byte, b'{' | b'[')),
        closing: places(chunk, |byte| matches!(byte, b'}' | b']')),
    };
    super::search(text, at, keys, found, marks, equal)
}

fn places(chunk: &[u8; 64], is: impl Fn(u8) -> bool) -> u64 {
    chunk.iter().enumerate().fold(0, |bits, (i, byte)| bits | u64::from(is(*byte)) << i)
}
