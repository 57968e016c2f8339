//! Tests of text columns. Texts compare by bytes.

use super::kernel::each;
use super::{BLOCK_WORDS, Block, Place};
use crate::like::Form;
use crate::predicate::Test;
use crate::words::Scratch;
use data::VarLen;
use memchr::memmem::Finder;

/// A list of up to so many texts is looked for one by one, which is faster than looking every row up.
const SCANS_MAX: usize = 12;

/// So many times what a row costs in one go it costs by itself.
const ALONE_SHARE: usize = 16;

pub(super) fn test(test: &Test, texts: &VarLen, place: Place, want: &Block, yes: &mut Block) {
    let text = |i: usize| texts.get(place.start + i);
    match test {
        Test::Texts(interval) => match interval.single() {
            Some(only) if is_dense(want, place) => {
                Start::new(only.as_bytes()).scan(texts, place, only.len(), yes);
            }
            Some(only) => {
                let start = Start::new(only.as_bytes());
                each(want, yes, |i| text(i).len() == only.len() && start.of(text(i)));
            }
            None => each(want, yes, |i| interval.contains(|bound| Some(text(i).cmp(bound.as_bytes())))),
        },
        Test::InTexts(set) if set.values().len() <= SCANS_MAX && is_dense(want, place) => {
            for value in set.values() {
                let mut found: Block = [0; BLOCK_WORDS];
                Start::new(value.as_bytes()).scan(texts, place, value.len(), &mut found);
                yes.iter_mut().zip(found).for_each(|(yes, found)| *yes |= found);
            }
        }
        Test::InTexts(set) => each(want, yes, |i| set.contains(text(i))),
        // Of JSON the distinct texts of an index are tested so.
        Test::Like(pattern) | Test::JsonLike(pattern) => match pattern.form() {
            Form::Infix(finder) if is_dense(want, place) => infix(finder, texts, place, yes),
            Form::Prefix(prefix) if is_dense(want, place) => {
                Start::new(prefix).scan(texts, place, usize::MAX, yes);
            }
            Form::Prefix(prefix) => {
                let start = Start::new(prefix);
                each(want, yes, |i| start.of(text(i)));
            }
            Form::Suffix(suffix) => each(want, yes, |i| text(i).ends_with(suffix)),
            _ => each(want, yes, |i| pattern.matches(text(i))),
        },
        Test::Regex(regex) | Test::JsonRegex(regex) => each(want, yes, |i| regex.matches(text(i))),
        Test::Words(words) => {
            let mut scratch = Scratch::default();
            each(want, yes, |i| words.matches(texts.text(place.start + i), &mut scratch));
        }
        Test::Phrase(phrase) => {
            let mut scratch = Scratch::default();
            each(want, yes, |i| phrase.matches(texts.text(place.start + i), &mut scratch));
        }
        _ => {}
    }
}

/// What a text must start with. Eight bytes are compared as one number, which settles most rows without a call.
struct Start<'a> {
    text: &'a [u8],
    first: u64,
    mask: u64,
}

impl<'a> Start<'a> {
    fn new(text: &'a [u8]) -> Self {
        let mut first = [0; 8];
        let len = text.len().min(8);
        first[..len].copy_from_slice(&text[..len]);
        let mask = if len == 8 { u64::MAX } else { (1 << (len * 8)) - 1 };
        Self { text, first: u64::from_le_bytes(first), mask }
    }

    /// Asks all rows of a block, without a branch for most; texts longer than `most` do not count.
    fn scan(&self, texts: &VarLen, place: Place, most: usize, yes: &mut Block) {
        let offsets = texts.offsets().get(place.start..=place.start + place.rows).unwrap_or_default();
        let bytes: &[u8] = texts.buffer();
        let lengths = self.text.len()..=most;
        for (w, word) in yes.iter_mut().enumerate() {
            let offsets = offsets.get(w * 64..).unwrap_or_default();
            let mut bits = 0;
            for (i, pair) in offsets.array_windows::<2>().take(64).enumerate() {
                let (from, to) = (pair[0] as usize, pair[1] as usize);
                let begins = match bytes.get(from..).and_then(<[u8]>::first_chunk::<8>) {
                    // The eight bytes may be another text's; the length tells.
                    Some(eight) => (u64::from_le_bytes(*eight) ^ self.first) & self.mask == 0,
                    None => bytes.get(from..to).is_some_and(|value| value.starts_with(self.text)),
                };
                bits |= u64::from(begins & lengths.contains(&(to - from))) << i;
            }
            if self.text.len() > 8 {
                let mut rest = bits;
                while rest != 0 {
                    let i = rest.trailing_zeros() as usize;
                    rest &= rest - 1;
                    let holds = texts.get(place.start + w * 64 + i).starts_with(self.text);
                    bits &= !(u64::from(!holds) << i);
                }
            }
            *word = bits;
        }
    }

    #[inline]
    fn of(&self, value: &[u8]) -> bool {
        match value.first_chunk::<8>() {
            Some(eight) => {
                (u64::from_le_bytes(*eight) ^ self.first) & self.mask == 0
                    && (self.text.len() <= 8 || value.starts_with(self.text))
            }
            None => value.starts_with(self.text),
        }
    }
}

/// Whether so many rows of the block are wanted that a look at all in one go costs less than one at each.
fn is_dense(want: &Block, place: Place) -> bool {
    want.iter().map(|word| word.count_ones() as usize).sum::<usize>() * ALONE_SHARE > place.rows
}

/// Searches the bytes of the whole block in one go and asks of each find which row it lies in.
fn infix(finder: &Finder<'_>, texts: &VarLen, place: Place, yes: &mut Block) {
    let offsets = &texts.offsets()[place.start..=place.start + place.rows];
    let (first, last) = (offsets[0] as usize, offsets[place.rows] as usize);
    let bytes = &texts.buffer()[first..last];
    let (mut at, mut row) = (0, 0);
    while let Some(found) = bytes.get(at..).and_then(|rest| finder.find(rest)) {
        let start = at + found;
        while row + 1 < place.rows && (offsets[row + 1] as usize - first) <= start {
            row += 1;
        }
        let end = offsets[row + 1] as usize - first;
        if start + finder.needle().len() <= end {
            yes[row / 64 % BLOCK_WORDS] |= 1 << (row % 64);
            // One find a row is enough. At least one byte on: the row may be empty.
            at = end.max(start + 1);
        } else {
            at = start + 1;
        }
    }
}
