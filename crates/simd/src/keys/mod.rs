//! Finds keys in the text of a JSON object, 64 bytes at a time, without looking at what the values are. Invariant: what is
//! found is what a parser finds, at every [`Level`]; a text with escapes is left to the caller.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

use crate::Level;
#[cfg(target_arch = "x86_64")]
use crate::level::Tier;

/// Where bytes of a kind are among 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marks {
    quotes: u64,
    slashes: u64,
    /// `{` and `[`
    opening: u64,
    /// `}` and `]`
    closing: u64,
}

impl std::ops::Shr<usize> for Marks {
    type Output = Self;

    #[inline(always)]
    fn shr(self, by: usize) -> Self {
        let Self { quotes, slashes, opening, closing } = self;
        Self { quotes: quotes >> by, slashes: slashes >> by, opening: opening >> by, closing: closing >> by }
    }
}

/// Looks for `keys` in the object that `text` begins with. `found[i]` becomes where the value of `keys[i]` begins (a blank
/// may come first), `None` when there is no such key; of equal keys in the text the first counts. `false`: the text has a
/// backslash before all keys are found, and nothing is said.
///
/// # Panics
/// When `keys` and `found` differ in length.
pub fn find_keys(text: &[u8], keys: &[&[u8]], found: &mut [Option<usize>]) -> bool {
    find_keys_at(Level::current(), text, keys, found)
}

/// [`find_keys`] at a chosen level.
///
/// # Panics
/// When `keys` and `found` differ in length.
pub fn find_keys_at(level: Level, text: &[u8], keys: &[&[u8]], found: &mut [Option<usize>]) -> bool {
    assert_eq!(keys.len(), found.len(), "one answer a key");
    found.fill(None);
    match level.tier() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
        // SAFETY: a `Level` above the scalar one comes from detection alone.
        Tier::Avx512 => unsafe { avx512::search(text, keys, found) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
        // SAFETY: as above.
        Tier::Avx2 => unsafe { avx2::search(text, keys, found) },
        _ => scalar::search(text, keys, found),
    }
}

/// The search, given how 64 bytes are marked and compared with one byte. Strings are told from the rest by the parity of
/// the quotes before them, depth by counting brackets outside of strings.
#[inline(always)]
fn search(
    text: &[u8],
    keys: &[&[u8]],
    found: &mut [Option<usize>],
    marks: impl Fn(&[u8; 64]) -> Marks,
    equal: impl Fn(&[u8; 64], u8) -> u64,
) -> bool {
    let (mut depth, mut inside, mut open) = (0_usize, 0_u64, keys.len());
    let (chunks, rest) = text.as_chunks::<64>();
    // The last bytes once more, those before them shifted out; only of a short text a copy is needed.
    let mut short = [0; 64];
    let (last, shift) = match text.last_chunk::<64>() {
        Some(last) => (last, 64 - rest.len()),
        None => {
            short[..rest.len()].copy_from_slice(rest);
            (&short, 0)
        }
    };
    for c in 0..chunks.len() + usize::from(!rest.is_empty()) {
        let (chunk, shift) = chunks.get(c).map_or((last, shift), |chunk| (chunk, 0));
        let marks = marks(chunk) >> shift;
        if marks.slashes != 0 {
            return false;
        }
        // Set from each opening quote to the byte before the closing one.
        let strings = parities(marks.quotes) ^ inside;
        inside = if strings >> 63 == 1 { u64::MAX } else { 0 };
        let (opening, closing) = (marks.opening & !strings, marks.closing & !strings);
        let (mut brackets, mut from, mut level) = (opening | closing, u64::MAX, 0);
        let mut is_over = false;
        while brackets != 0 {
            let bracket = brackets & brackets.wrapping_neg();
            if depth == 1 {
                level |= from & (bracket - 1);
            }
            from = !(bracket | (bracket - 1));
            brackets ^= bracket;
            depth = if opening & bracket != 0 { depth + 1 } else { depth.saturating_sub(1) };
            if depth == 0 {
                is_over = true;
                break;
            }
        }
        if depth == 1 {
            level |= from;
        }
        let candidates = marks.quotes & strings & level;
        if candidates != 0 {
            for (key, found) in keys.iter().zip(found.iter_mut()).filter(|(_, found)| found.is_none()) {
                // A key's first byte follows its quote; the last quote's is in the next chunk.
                let first = key.first().copied().unwrap_or(b'"');
                let mut hits = candidates & (equal(chunk, first) >> shift >> 1 | 1 << 63);
                while hits != 0 {
                    let at = c * 64 + hits.trailing_zeros() as usize;
                    hits &= hits - 1;
                    *found = value_of(text, at, key);
                    if found.is_some() {
                        open -= 1;
                        break;
                    }
                }
            }
        }
        if is_over || open == 0 {
            break;
        }
    }
    true
}

/// Where the value begins, if the string whose quote is at `at` is `key`.
#[inline]
fn value_of(text: &[u8], at: usize, key: &[u8]) -> Option<usize> {
    let end = at + 1 + key.len();
    // The quote settles most without a call.
    if text.get(end) != Some(&b'"') || text.get(at + 1..end) != Some(key) {
        return None;
    }
    let rest = text.get(end + 1..)?;
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    (*rest.get(blanks)? == b':').then(|| text.len() - rest.len() + blanks + 1)
}

/// Bit `i` is the parity of bits `0 ..= i`.
#[inline(always)]
fn parities(mut bits: u64) -> u64 {
    for by in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << by;
    }
    bits
}
