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

/// Looks for `keys` in the object that begins at `at`. `found[i]` becomes where in `text` the value of `keys[i]` begins (a blank
/// may come first), `None` when there is no such key; of equal keys in the text the first counts. `false`: the text has a
/// backslash before all keys are found, and nothing is said.
///
/// # Panics
/// When `keys` and `found` differ in length.
#[inline]
pub fn find_keys(text: &[u8], at: usize, keys: &[&[u8]], found: &mut [Option<usize>]) -> bool {
    find_keys_at(Level::current(), text, at, keys, found)
}

/// [`find_keys`] at a chosen level.
///
/// # Panics
/// When `keys` and `found` differ in length.
#[inline]
pub fn find_keys_at(
    level: Level,
    text: &[u8],
    at: usize,
    keys: &[&[u8]],
    found: &mut [Option<usize>],
) -> bool {
    assert_eq!(keys.len(), found.len(), "one answer a key");
    found.fill(None);
    match level.tier() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
        // SAFETY: a `Level` above the scalar one comes from detection alone.
        Tier::Avx512 => unsafe { avx512::search(text, at, keys, found) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "calls a function compiled for a detected instruction set")]
        // SAFETY: as above.
        Tier::Avx2 => unsafe { avx2::search(text, at, keys, found) },
        _ => scalar::search(text, at, keys, found),
    }
}

/// The search, given how 64 bytes are marked and compared with one byte. Strings are told from the rest by the parity of
/// the quotes before them, depth by counting brackets outside of strings, and only where a key seems to be.
#[inline(always)]
fn search(
    text: &[u8],
    at: usize,
    keys: &[&[u8]],
    found: &mut [Option<usize>],
    marks: impl Fn(&[u8; 64]) -> Marks,
    equal: impl Fn(&[u8; 64], u8) -> u64,
) -> bool {
    // Once more for the most frequent cases, which then are compiled without loops over keys.
    match (keys, &mut *found) {
        ([key], [found]) => {
            search_chunks(text, at, std::slice::from_ref(key), std::slice::from_mut(found), marks, equal)
        }
        ([_, _], [_, _]) => {
            let (keys, found) = (keys.first_chunk::<2>(), found.first_chunk_mut::<2>());
            keys.zip(found).is_some_and(|(keys, found)| search_chunks(text, at, keys, found, marks, equal))
        }
        _ => search_chunks(text, at, keys, found, marks, equal),
    }
}

#[inline(always)]
fn search_chunks(
    text: &[u8],
    at: usize,
    keys: &[&[u8]],
    found: &mut [Option<usize>],
    marks: impl Fn(&[u8; 64]) -> Marks,
    equal: impl Fn(&[u8; 64], u8) -> u64,
) -> bool {
    let (chunks, rest) = text.get(at..).unwrap_or_default().as_chunks::<64>();
    // The object's own bracket is open before the first chunk, though that has it.
    let mut state = State { start: at, depth: 1, own: 1, inside: 0, open: keys.len() };
    for chunk in chunks {
        match state.step(text, keys, found, marks(chunk), |byte| equal(chunk, byte)) {
            Step::More => {}
            Step::Done => return true,
            Step::Escape => return false,
        }
    }
    if rest.is_empty() {
        return true;
    }
    // The last bytes once more, those before them shifted out; only of a short text a copy is needed.
    let mut short = [0; 64];
    let (last, shift) = match text.last_chunk::<64>() {
        Some(last) => (last, 64 - rest.len()),
        None => {
            short[..rest.len()].copy_from_slice(rest);
            (&short, 0)
        }
    };
    let step = state.step(text, keys, found, marks(last) >> shift, |byte| equal(last, byte) >> shift);
    step != Step::Escape
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    /// All keys are found, or the object is over.
    Done,
    /// There is a backslash.
    Escape,
}

/// What is known before a chunk.
struct State {
    /// Where it begins.
    start: usize,
    /// Brackets that are open; never below 1.
    depth: u32,
    /// The bracket that is counted already.
    own: u64,
    /// All bits, if a string is open.
    inside: u64,
    /// Keys not found.
    open: usize,
}

impl State {
    #[inline(always)]
    fn step(
        &mut self,
        text: &[u8],
        keys: &[&[u8]],
        found: &mut [Option<usize>],
        marks: Marks,
        equal: impl Fn(u8) -> u64,
    ) -> Step {
        if marks.slashes != 0 {
            return Step::Escape;
        }
        // Set from each opening quote to the byte before the closing one.
        let strings = parities(marks.quotes) ^ self.inside;
        let opening = marks.opening & !strings & !self.own;
        let levels = Levels { depth: self.depth, opening, closing: marks.closing & !strings };
        let alive = levels.before_end();
        let candidates = marks.quotes & strings & alive;
        for (key, found) in keys.iter().zip(found).filter(|(_, found)| found.is_none()) {
            // A key's first byte follows its quote; the last quote's is in the next chunk.
            let first = key.first().copied().unwrap_or(b'"');
            let mut hits = candidates & (equal(first) >> 1 | 1 << 63);
            while hits != 0 {
                let hit = hits & hits.wrapping_neg();
                hits ^= hit;
                if levels.at(hit) == 1 {
                    *found = value_of(text, self.start + hit.trailing_zeros() as usize, key);
                    if found.is_some() {
                        self.open -= 1;
                        break;
                    }
                }
            }
        }
        if alive != u64::MAX || self.open == 0 {
            return Step::Done;
        }
        let inside = if strings >> 63 == 1 { u64::MAX } else { 0 };
        *self = Self { start: self.start + 64, depth: levels.after(), own: 0, inside, open: self.open };
        Step::More
    }
}

/// How deep the bytes of a chunk lie.
struct Levels {
    /// Before its first byte; never below 1.
    depth: u32,
    /// Brackets outside of strings.
    opening: u64,
    closing: u64,
}

impl Levels {
    /// The depth before the one byte whose bit is set. Lower than 1: the object has ended before it.
    #[inline(always)]
    fn at(&self, bit: u64) -> u32 {
        let before = bit - 1;
        let opened = self.depth + (self.opening & before).count_ones();
        opened.saturating_sub((self.closing & before).count_ones())
    }

    /// The depth after the last byte.
    #[inline(always)]
    fn after(&self) -> u32 {
        (self.depth + self.opening.count_ones()).saturating_sub(self.closing.count_ones())
    }

    /// The bytes before the end of the object: all of them, if it does not end here.
    #[inline(always)]
    fn before_end(&self) -> u64 {
        let mut rest = self.closing;
        if self.depth > rest.count_ones() {
            return u64::MAX;
        }
        while rest != 0 {
            let bit = rest & rest.wrapping_neg();
            if self.at(bit) <= 1 {
                return bit - 1;
            }
            rest ^= bit;
        }
        u64::MAX
    }
}

/// Where the value begins, if the string whose quote is at `at` is `key`.
#[inline]
fn value_of(text: &[u8], at: usize, key: &[u8]) -> Option<usize> {
    let end = at + 1 + key.len();
    // The quote settles most without a call.
    if text.get(end) != Some(&b'"') || !is_same(text.get(at + 1..end)?, key) {
        return None;
    }
    let rest = text.get(end + 1..)?;
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    (*rest.get(blanks)? == b':').then(|| text.len() - rest.len() + blanks + 1)
}

/// Whether two texts of one length are the same; most keys are short, and a call would cost more than they do.
#[inline(always)]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(first), Some(other)) if a.len() <= 16 => {
            first == other && a.last_chunk::<8>() == b.last_chunk::<8>()
        }
        (Some(_), _) => a == b,
        _ => match (a.first_chunk::<4>(), b.first_chunk::<4>()) {
            (Some(first), Some(other)) => first == other && a.last_chunk::<4>() == b.last_chunk::<4>(),
            _ => a.iter().zip(b).all(|(a, b)| a == b),
        },
    }
}

/// Bit `i` is the parity of bits `0 ..= i`.
#[inline(always)]
fn parities(mut bits: u64) -> u64 {
    for by in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << by;
    }
    bits
}
