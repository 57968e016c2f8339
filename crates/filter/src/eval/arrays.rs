//! Arrays: how long they are, one element of each, and tests of all elements, whose results are counted by row.
//! Invariant: an element is tested exactly as a column of its type is.

use super::kernel::each;
use super::{BLOCK_ROWS, BLOCK_WORDS, Block, Context, Place, Source, and_words};
use crate::json;
use crate::predicate::{Elements, Leaf};
use crate::probe::Answers;
use data::{Column, Lists, Values};
use simd::Bits;

/// The lists of array columns, by slot, each beginning with its first item: so that the elements of the sub-fields of a
/// struct have the same places.
pub(super) fn lists(columns: &[Option<&Column>]) -> Vec<Option<Lists>> {
    let lists = columns.iter().map(|column| match column.map(Column::values) {
        Some(Values::Array(lists)) => Some(lists.compact()),
        _ => None,
    });
    lists.collect()
}

/// Their items.
pub(super) fn items(lists: &[Option<Lists>]) -> Vec<Option<Source<'_>>> {
    lists.iter().map(|lists| lists.as_ref().map(|lists| Source::new(lists.items()))).collect()
}

/// The lengths of the rows of a block, as a column of their own. Clears the bits of rows whose value has no length.
pub(super) fn lengths(values: &Values, leaf: &Leaf, place: Place, known: &mut Block) -> Values {
    let mut lengths = vec![0_i64; place.rows.min(BLOCK_ROWS)];
    let mut has = [0; BLOCK_WORDS];
    match values {
        Values::Json(documents) => each(known, &mut has, |i| {
            let document = documents.get(place.start + i);
            let array = json::find(document, &leaf.path).filter(|raw| raw.first() == Some(&b'['));
            if let (Some(array), Some(length)) = (array, lengths.get_mut(i)) {
                *length = json::elements(array).count() as i64;
            }
            array.is_some()
        }),
        Values::Array(lists) => {
            has = *known;
            let offsets = lists.offsets().get(place.start..).unwrap_or_default();
            for (length, pair) in lengths.iter_mut().zip(offsets.windows(2)) {
                *length = pair[1] - pair[0];
            }
        }
        _ => {}
    }
    *known = has;
    Values::Int64(lengths.into())
}

/// Element `index` of the rows of a block, as a column of its own. Clears the bits of rows that have no such element;
/// `None`: none has.
pub(super) fn elements(values: &Values, index: u64, place: Place, known: &mut Block) -> Option<Column> {
    let (Values::Array(lists), Ok(index)) = (values, u32::try_from(index)) else {
        *known = [0; BLOCK_WORDS];
        return None;
    };
    let (mut has, mut picks) = ([0; BLOCK_WORDS], vec![0_u32; place.rows]);
    each(known, &mut has, |i| {
        let range = lists.range(place.start + i);
        let item = range.start + index as usize;
        // Picks have 32 bits; no column has as many items as that would need.
        let pick = u32::try_from(item).ok().filter(|_| item < range.end);
        if let (Some(item), Some(pick)) = (pick, picks.get_mut(i)) {
            *pick = item;
        }
        pick.is_some()
    });
    *known = has;
    (!super::is_zero(known)).then(|| lists.items().take(&picks))
}

/// Bits of consecutive items.
struct ItemBits {
    /// The item of the first bit, a multiple of 64.
    first: usize,
    words: Vec<u64>,
}

impl ItemBits {
    /// Asks `test` about `items`, a block at a time: it gets a place among all items and the bits that are wanted.
    fn new(
        items: std::ops::Range<usize>,
        all: usize,
        mut test: impl FnMut(Place, &Block, &mut Block),
    ) -> Self {
        let first = items.start / 64 * 64;
        let mut words = Vec::with_capacity((items.end - first).div_ceil(64) + BLOCK_WORDS);
        let mut start = first;
        while start < items.end {
            let place = Place { start, rows: BLOCK_ROWS.min(all - start) };
            let mut want = place.all();
            keep(&mut want, items.start.saturating_sub(start), items.end - start);
            let mut yes = [0; BLOCK_WORDS];
            test(place, &want, &mut yes);
            words.extend(yes.iter().zip(want).map(|(yes, want)| yes & want));
            start += BLOCK_ROWS;
        }
        Self { first, words }
    }

    /// How many of `items` passed.
    fn count(&self, items: std::ops::Range<usize>) -> usize {
        let (start, end) = (items.start - self.first, items.end - self.first);
        if start >= end {
            return 0;
        }
        let (a, b) = (start / 64, (end - 1) / 64);
        let mut count = 0;
        for w in a..=b {
            let mut word = self.words.get(w).copied().unwrap_or_default();
            if w == a {
                word &= u64::MAX << (start % 64);
            }
            if w == b {
                word &= u64::MAX >> (63 - (end - 1) % 64);
            }
            count += word.count_ones() as usize;
        }
        count
    }
}

/// Clears the bits outside of `from .. to`.
fn keep(block: &mut Block, from: usize, to: usize) {
    for (w, word) in block.iter_mut().enumerate() {
        let (start, end) = (w * 64, w * 64 + 64);
        if end <= from || start >= to {
            *word = 0;
            continue;
        }
        if start < from {
            *word &= u64::MAX << (from - start);
        }
        if to < end {
            *word &= (1 << (to - start)) - 1;
        }
    }
}

/// The items of all rows of a block.
fn span(lists: &Lists, place: Place) -> std::ops::Range<usize> {
    lists.offsets()[place.start] as usize..lists.offsets()[place.start + place.rows] as usize
}

/// The elements of all rows that pass the inner test, a bit each.
pub(super) fn passing(elements: &Elements, columns: &[Option<&Column>]) -> Bits {
    let lists = lists(columns);
    let items = items(&lists);
    let count =
        lists.get(elements.anchor.slot).and_then(Option::as_ref).map_or(0, |lists| lists.items().len());
    let answers = Answers::default();
    let inner =
        Context { fields: &items, packed: &[], lists: &[], items: &[], paths: &[], answers: &answers };
    let mut bits = ItemBits::new(0..count, count, |place, want, yes| {
        inner.node(&elements.inner, place, want, yes);
    });
    bits.words.resize(count.div_ceil(64), 0);
    Bits::from_words(count, bits.words)
}

impl Context<'_> {
    /// Sets the bits of rows some element of which passes the test.
    pub(super) fn some(&self, leaf: &Leaf, place: Place, want: &Block, yes: &mut Block) {
        let slot = leaf.field.slot;
        let (Some(Some(lists)), Some(Some(source))) = (self.lists.get(slot), self.items.get(slot)) else {
            return;
        };
        let bits = ItemBits::new(span(lists, place), lists.items().len(), |place, want, yes| {
            source.test(leaf, &[], place, want, yes);
        });
        each(want, yes, |i| bits.count(lists.range(place.start + i)) > 0);
    }

    /// Sets the bits of wanted rows whose elements pass in the number that is asked for.
    #[inline(never)]
    pub(super) fn elements(&self, elements: &Elements, place: Place, want: &Block, yes: &mut Block) {
        let slot = elements.anchor.slot;
        let (Some(Some(whole)), Some(Some(lists))) = (self.fields.get(slot), self.lists.get(slot)) else {
            return;
        };
        let mut known = *want;
        and_words(&mut known, whole.validity.as_deref(), place);
        and_words(&mut known, self.answers.candidates(elements).map(simd::Bits::words), place);
        if super::is_zero(&known) {
            return;
        }
        let answers = Answers::default();
        let inner = Context {
            fields: self.items,
            packed: &[],
            lists: &[],
            items: &[],
            paths: &[],
            answers: &answers,
        };
        let bits = ItemBits::new(span(lists, place), lists.items().len(), |place, want, yes| {
            inner.node(&elements.inner, place, want, yes);
        });
        each(&known, yes, |i| {
            let range = lists.range(place.start + i);
            elements.quantifier.suits(bits.count(range.clone()), range.len()) != elements.negated
        });
    }
}
