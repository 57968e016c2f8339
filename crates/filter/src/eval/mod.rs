//! Answers a predicate for many rows, a block at a time. Invariant: a node is asked about wanted rows only and says yes
//! to wanted rows only, so `and` stops at a block that is all false, `or` at one that is all true, and what reads text
//! or JSON never looks at a row that is decided.

mod arrays;
mod json;
mod kernel;
mod numbers;
mod paths;
mod shapes;
mod texts;

use crate::predicate::{Access, Elements, Leaf, Node, Predicate, Quantifier, Test};
use crate::probe::{Answer, Answers, Probe};
use crate::sample::Sample;
use crate::zones::{self, Verdict, ZONE_ROWS, Zones};
use data::{Column, FieldId, Lists, Values};
use paths::Paths;
use simd::Bits;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a block: few enough for its numbers to stay in the nearest cache.
pub const BLOCK_ROWS: usize = 2048;
pub(crate) const BLOCK_WORDS: usize = BLOCK_ROWS / 64;

/// One bit for every row of a block.
pub(crate) type Block = [u64; BLOCK_WORDS];

/// Rows to be judged.
pub trait Rows {
    /// How many.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of `field`, one for every row. `None`: the rows are older than the field, and every value is null; a
    /// default, where the field has one, is the caller's to supply.
    fn column(&self, field: FieldId) -> Option<&Column>;

    /// Whether the values of `field` are to be asked for block by block ([`Rows::block`]) in place of all at once
    /// ([`Rows::column`]).
    fn is_packed(&self, _field: FieldId) -> bool {
        false
    }

    /// The values of `field` in `rows` alone: [`BLOCK_ROWS`] neighbours, the first of which is a multiple of that; fewer at
    /// the end.
    fn block(&self, _field: FieldId, _rows: Range<usize>) -> Option<Arc<Column>> {
        None
    }

    /// The rows that pass a leaf, by an index that knows them; `None`: the column is to be asked.
    fn answer(&self, _probe: &Probe<'_>) -> Option<Answer> {
        None
    }

    /// What is known of the values of `field`, zone by zone; `None`: nothing.
    fn zones(&self, _field: FieldId) -> Option<&Zones> {
        None
    }

    /// A number that tells these rows from others of the same request, for `random_sample`.
    fn salt(&self) -> u64 {
        0
    }
}

impl Predicate {
    /// The rows that match: of which the expression is true, not merely unknown.
    pub fn eval(&self, rows: &dyn Rows) -> Bits {
        let len = rows.len();
        match &self.root {
            Node::Const(false) => return Bits::zeros(len),
            Node::Const(true) if self.sample.is_none() => return Bits::ones(len),
            _ => {}
        }
        let verdicts = zones::judge(self, rows);
        let verdict = |start: usize| {
            let zone = |verdicts: &Vec<Verdict>| verdicts.get(start / ZONE_ROWS).copied();
            verdicts.as_ref().and_then(zone).unwrap_or(Verdict::Some)
        };
        let zones = || (0..len).step_by(ZONE_ROWS);
        if zones().all(|start| verdict(start) == Verdict::None) {
            return Bits::zeros(len);
        }
        let open_zones = zones().filter(|start| verdict(*start) == Verdict::Some);
        let zoned = open_zones.map(|start| ZONE_ROWS.min(len - start)).sum();
        let is_open = zoned > 0;
        let sample = self.sample.map(|part| Sample::new(part, self.seed, rows.salt()));
        let answers = if is_open { Answers::ask(self, rows, zoned) } else { Answers::default() };
        let packed = self.fields.iter().map(|field| Unpacked::new(rows, *field)).collect::<Vec<_>>();
        let fields = self.fields.iter().enumerate().map(|(slot, id)| {
            let is_wanted = is_open && answers.needs(slot) && packed[slot].is_none();
            let column = if is_wanted { rows.column(*id) } else { None };
            debug_assert!(column.is_none_or(|column| column.len() == len), "a value for every row");
            column.filter(|column| column.len() == len)
        });
        let columns: Vec<Option<&Column>> = fields.collect();
        let paths = Paths::of(&self.root);
        let lists = arrays::lists(&columns);
        let items = arrays::items(&lists);
        let fields: Vec<_> = columns.iter().map(|column| column.map(Source::new)).collect();
        let (fields, lists, items, packed) = (&fields, &lists, &items, &packed);
        let context = Context { fields, packed, lists, items, paths: &paths, answers: &answers };
        let mut words = vec![0; len.div_ceil(64)];
        for (i, chunk) in words.chunks_mut(BLOCK_WORDS).enumerate() {
            let start = i * BLOCK_ROWS;
            let rows = BLOCK_ROWS.min(len - start);
            let place = Place { start, rows };
            let (want, mut yes) = (place.all(), [0; BLOCK_WORDS]);
            match verdict(start) {
                Verdict::None => continue,
                Verdict::All => yes = want,
                Verdict::Some => context.node(&self.root, place, &want, &mut yes),
            }
            if let Some(sample) = &sample {
                yes.iter_mut().enumerate().for_each(|(w, word)| *word = sample.thin(*word, start + w * 64));
            }
            chunk.copy_from_slice(&yes[..chunk.len()]);
        }
        Bits::from_words(len, words)
    }
}

impl Predicate {
    /// The name of the array of structs, when the predicate has an `element_filter` of one.
    pub fn filtered_struct(&self) -> Option<&str> {
        self.element_filter().map(|elements| elements.name.as_str())
    }

    /// A sub-field of that array: its values have an element for each struct.
    pub fn filtered_field(&self) -> Option<FieldId> {
        self.element_filter().and_then(|elements| self.fields.get(elements.anchor.slot)).copied()
    }

    fn element_filter(&self) -> Option<&Elements> {
        let of = |node: &Node| matches!(node, Node::Elements(elements) if elements.quantifier == Quantifier::Filter);
        let node = match &self.root {
            Node::All(nodes) => nodes.iter().find(|node| of(node)),
            node => Some(node).filter(|node| of(node)),
        };
        node.and_then(|node| match node {
            Node::Elements(elements) => Some(&**elements),
            _ => None,
        })
    }

    /// The structs that pass the predicate's `element_filter`, whatever else is asked of their rows: one bit for each
    /// struct of each row, row after row. `None`: there is no such filter.
    pub fn eval_elements(&self, rows: &dyn Rows) -> Option<Bits> {
        let elements = self.element_filter()?;
        let columns: Vec<Option<&Column>> = self.fields.iter().map(|id| rows.column(*id)).collect();
        Some(arrays::passing(elements, &columns))
    }
}

/// Which rows a block is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) rows: usize,
}

impl Place {
    /// Its part of the values of a column.
    pub(crate) fn of<T>(self, values: &[T]) -> &[T] {
        values.get(self.start..self.start + self.rows).unwrap_or_default()
    }

    /// All its rows.
    fn all(self) -> Block {
        let mut want = [0; BLOCK_WORDS];
        for (w, word) in want.iter_mut().enumerate().take(self.rows.div_ceil(64)) {
            let used = self.rows - w * 64;
            *word = if used < 64 { (1 << used) - 1 } else { u64::MAX };
        }
        want
    }

    fn words(self, words: &[u64]) -> &[u64] {
        words.get(self.start / 64..).unwrap_or_default()
    }
}

/// A column and its bits as words, which need not start at a word in the column.
#[derive(Clone)]
pub(crate) struct Source<'a> {
    pub(crate) values: &'a Values,
    validity: Option<Vec<u64>>,
    bools: Vec<u64>,
}

impl<'a> Source<'a> {
    fn new(column: &'a Column) -> Self {
        let validity = column.validity().map(|bits| bits.inner().bit_chunks().iter_padded().collect());
        let bools = match column.values() {
            Values::Bool(bits) => bits.bit_chunks().iter_padded().collect(),
            _ => Vec::new(),
        };
        Self { values: column.values(), validity, bools }
    }
}

/// A column that is unpacked block by block; the block that was looked at last is kept.
struct Unpacked<'a> {
    rows: &'a dyn Rows,
    field: FieldId,
    last: RefCell<Option<(usize, Arc<Column>)>>,
}

impl<'a> Unpacked<'a> {
    fn new(rows: &'a dyn Rows, field: FieldId) -> Option<Self> {
        rows.is_packed(field).then(|| Self { rows, field, last: RefCell::default() })
    }

    /// The values of a block, and whether they were not at hand.
    fn block(&self, place: Place) -> Option<(Arc<Column>, bool)> {
        let mut last = self.last.borrow_mut();
        if let Some((start, column)) = &*last
            && *start == place.start
        {
            return Some((Arc::clone(column), false));
        }
        let column = self.rows.block(self.field, place.start..place.start + place.rows)?;
        debug_assert_eq!(column.len(), place.rows, "a value for every row");
        *last = (column.len() == place.rows).then(|| (place.start, Arc::clone(&column)));
        last.as_ref().map(|_| (column, true))
    }
}

struct Context<'a> {
    /// By slot; `None`: every value is null, or nobody needs them.
    fields: &'a [Option<Source<'a>>],
    /// By slot; these are not among `fields`.
    packed: &'a [Option<Unpacked<'a>>],
    /// By slot: of arrays, their lists and their items.
    lists: &'a [Option<Lists>],
    items: &'a [Option<Source<'a>>],
    /// Of the JSON fields that are asked more than once.
    paths: &'a [Paths<'a>],
    answers: &'a Answers,
}

impl Context<'_> {
    /// Sets in `yes`, which is all zero, the bits of the wanted rows that match.
    fn node(&self, node: &Node, place: Place, want: &Block, yes: &mut Block) {
        match node {
            Node::Const(true) => *yes = *want,
            Node::Const(false) => {}
            Node::Leaf(leaf) => self.leaf(leaf, place, want, yes),
            Node::Elements(elements) => self.elements(elements, place, want, yes),
            Node::All(nodes) => {
                *yes = *want;
                for node in self.in_order(nodes) {
                    let want = std::mem::replace(yes, [0; BLOCK_WORDS]);
                    self.node(node, place, &want, yes);
                    if is_zero(yes) {
                        break;
                    }
                }
            }
            Node::Any(nodes) => {
                let mut open = *want;
                for node in self.in_order(nodes) {
                    let mut more = [0; BLOCK_WORDS];
                    self.node(node, place, &open, &mut more);
                    for w in 0..BLOCK_WORDS {
                        yes[w] |= more[w];
                        open[w] &= !more[w];
                    }
                    if is_zero(&open) {
                        break;
                    }
                }
            }
        }
    }

    /// What indexes have settled comes first.
    fn in_order<'n>(&self, nodes: &'n [Node]) -> impl Iterator<Item = &'n Node> {
        let is_first = |node: &&Node| self.answers.is_settled(node);
        let settled = if self.answers.is_empty() { &[] } else { nodes };
        settled.iter().filter(is_first).chain(nodes.iter().filter(move |node| !is_first(node)))
    }

    #[inline(never)]
    fn leaf(&self, leaf: &Leaf, place: Place, want: &Block, yes: &mut Block) {
        if let Some(answer) = self.answers.get(leaf) {
            return self.answered(leaf, answer, place, want, yes);
        }
        let is_null = matches!(leaf.test, Test::Null | Test::JsonNull);
        let block = self.block(leaf.field.slot, place);
        let Some((source, at)) = self.source(leaf.field.slot, place, &block) else {
            if is_null && !leaf.negated {
                *yes = *want;
            }
            return;
        };
        let mut known = *want;
        and_words(&mut known, source.validity.as_deref(), at);
        if let Test::Field(_, other) | Test::StartsWith(other) = &leaf.test {
            let block = self.block(other.slot, place);
            let Some((other, there)) = self.source(other.slot, place, &block) else {
                return;
            };
            and_words(&mut known, other.validity.as_deref(), there);
            columns(&leaf.test, (&source, at), (&other, there), &known, yes);
        } else if !is_zero(&known) {
            match leaf.access {
                Access::Whole => source.test(leaf, self.paths, at, &known, yes),
                Access::Length => {
                    let lengths = arrays::lengths(source.values, leaf, at, &mut known);
                    numbers::test(leaf, &lengths, Place { start: 0, ..place }, &known, yes);
                }
                Access::Element(index) => {
                    if let Some(elements) = arrays::elements(source.values, index, place, &mut known) {
                        Source::new(&elements).test(leaf, &[], Place { start: 0, ..place }, &known, yes);
                    }
                }
                Access::Some => self.some(leaf, place, &known, yes),
                Access::Later(months) => {
                    let moments = numbers::later(source.values, months, place);
                    numbers::test(leaf, &moments, Place { start: 0, ..place }, &known, yes);
                }
            }
        }
        conclude(leaf, want, &known, yes);
    }

    /// The block at `place` of a packed column.
    fn block(&self, slot: usize, place: Place) -> Option<Arc<Column>> {
        let (column, is_new) = self.packed.get(slot)?.as_ref()?.block(place)?;
        if is_new {
            self.paths.iter().for_each(|paths| paths.forget(slot));
        }
        Some(column)
    }

    /// The values of a field and where in them the rows at `place` are: in `block`, or in the whole column.
    fn source<'c>(
        &'c self,
        slot: usize,
        place: Place,
        block: &'c Option<Arc<Column>>,
    ) -> Option<(Cow<'c, Source<'c>>, Place)> {
        match block {
            Some(column) => Some((Cow::Owned(Source::new(column)), Place { start: 0, ..place })),
            None => Some((Cow::Borrowed(self.fields.get(slot)?.as_ref()?), place)),
        }
    }

    fn answered(&self, leaf: &Leaf, answer: &Answer, place: Place, want: &Block, yes: &mut Block) {
        let mut known = *want;
        and_words(&mut known, answer.known.as_ref().map(Bits::words), place);
        *yes = known;
        and_words(yes, Some(answer.yes.words()), place);
        if let Some(maybe) = &answer.maybe {
            let mut open = known;
            and_words(&mut open, Some(maybe.words()), place);
            if !is_zero(&open) {
                let mut more = [0; BLOCK_WORDS];
                let block = self.block(leaf.field.slot, place);
                match (leaf.access, self.source(leaf.field.slot, place, &block)) {
                    (Access::Some, _) => self.some(leaf, place, &open, &mut more),
                    (_, Some((source, at))) => source.test(leaf, self.paths, at, &open, &mut more),
                    (_, None) => {}
                }
                for w in 0..BLOCK_WORDS {
                    yes[w] |= more[w] & open[w];
                }
            }
        }
        conclude(leaf, want, &known, yes);
    }
}

/// From what passes the test to what the leaf is true of.
fn conclude(leaf: &Leaf, want: &Block, known: &Block, yes: &mut Block) {
    let is_null = matches!(leaf.test, Test::Null | Test::JsonNull);
    for w in 0..BLOCK_WORDS {
        // Of a row without value, `is null` is true and everything else unknown.
        let turned = if leaf.negated { !yes[w] } else { yes[w] } & known[w];
        let absent = if is_null && !leaf.negated { want[w] & !known[w] } else { 0 };
        yes[w] = turned | absent;
    }
}

/// Which values of `column` pass the test of `leaf`.
pub(crate) fn test_column(leaf: &Leaf, column: &Column) -> Bits {
    let (len, source) = (column.len(), Source::new(column));
    let mut words = vec![0; len.div_ceil(64)];
    for (i, chunk) in words.chunks_mut(BLOCK_WORDS).enumerate() {
        let place = Place { start: i * BLOCK_ROWS, rows: BLOCK_ROWS.min(len - i * BLOCK_ROWS) };
        let (want, mut yes) = (place.all(), [0; BLOCK_WORDS]);
        source.test(leaf, &[], place, &want, &mut yes);
        for ((word, yes), want) in chunk.iter_mut().zip(yes).zip(want) {
            *word = yes & want;
        }
    }
    Bits::from_words(len, words)
}

impl Source<'_> {
    /// Sets the bits of rows that pass; bits of rows not wanted may come out either way.
    fn test(&self, leaf: &Leaf, paths: &[Paths<'_>], place: Place, want: &Block, yes: &mut Block) {
        match (&leaf.test, self.values) {
            (Test::Never | Test::Null, _) => {}
            (Test::Bool(constant), Values::Bool(_)) => {
                for (word, bits) in yes.iter_mut().zip(place.words(&self.bools)) {
                    *word = if *constant { *bits } else { !*bits };
                }
            }
            (Test::Ints(..) | Test::Floats(..) | Test::InInts(_) | Test::InFloats(..), values) => {
                numbers::test(leaf, values, place, want, yes);
            }
            (Test::Shape(_) | Test::ShapeValid, Values::Geometry(shapes)) => {
                shapes::test(&leaf.test, shapes, place, want, yes);
            }
            (test, Values::Text(values)) => texts::test(test, values, place, want, yes),
            (_, Values::Json(documents)) => json::test(leaf, documents, paths, place, want, yes),
            // Binding has seen the field's type; a column of another one matches nothing.
            _ => {}
        }
    }
}

/// Compares two columns, each with the place of the rows in it.
fn columns(
    test: &Test,
    (a, place): (&Source<'_>, Place),
    (b, other): (&Source<'_>, Place),
    want: &Block,
    yes: &mut Block,
) {
    let op = match (test, a.values, b.values) {
        (Test::Field(op, _), ..) => *op,
        (_, Values::Text(a), Values::Text(b)) => {
            return kernel::each(want, yes, |i| a.get(place.start + i).starts_with(b.get(other.start + i)));
        }
        _ => return,
    };
    match (a.values, b.values) {
        (Values::Text(a), Values::Text(b)) => {
            kernel::each(want, yes, |i| {
                numbers::holds(op, a.get(place.start + i).cmp(b.get(other.start + i)))
            });
        }
        (Values::Bool(_), Values::Bool(_)) => {
            let pairs = place.words(&a.bools).iter().zip(other.words(&b.bools));
            for (word, (a, b)) in yes.iter_mut().zip(pairs) {
                *word = if op == crate::ast::Binary::Equal { !(a ^ b) } else { a ^ b };
            }
        }
        // Numbers are never packed: both have the same place.
        (a, b) => numbers::columns(op, a, b, place, yes),
    }
}

fn and_words(block: &mut Block, words: Option<&[u64]>, place: Place) {
    for (word, valid) in block.iter_mut().zip(words.map(|words| place.words(words)).into_iter().flatten()) {
        *word &= valid;
    }
}

pub(crate) fn is_zero(block: &Block) -> bool {
    block.iter().all(|word| *word == 0)
}
