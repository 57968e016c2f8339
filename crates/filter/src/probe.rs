//! A leaf of a predicate as a question that an index may answer instead of the column. Invariant: an answer is about the
//! test alone; absent values and negation stay with the evaluation, so that an index cannot get them wrong.

use crate::bind;
use crate::eval::{BLOCK_ROWS, Rows, test_column};
use crate::json::{Item, elements, find, read};
use crate::like::{Atom, Form, Pattern};
use crate::number::{Interval, Num};
use crate::predicate::{Access, Elements, Leaf, Node, Predicate, Quantifier, Test};
use crate::shape::Relation;
use crate::{Error, limits};
use data::{Column, FieldId, Schema, Type};
use simd::Bits;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Bound;

/// What the elements of a row cost beyond a single value.
const ELEMENTS_COST: u32 = 100;

/// What a row costs beyond its test, in eighths of a nanosecond, when few are asked: it lies in no cache.
const APART_COST: u32 = 400;

/// One leaf, for an index to look at.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    leaf: &'a Leaf,
    field: FieldId,
    of_elements: bool,
    open: Open,
}

/// How many rows a leaf is asked about.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Rows of the zones that are looked at.
    zoned: usize,
    /// Those of them that what was asked before leaves open; at most so many.
    rows: usize,
}

/// The rows that pass the test of a leaf.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Rows that pass. Rows without a value may come out either way.
    pub yes: Bits,
    /// Further rows that may pass: they are asked of the column. `None`: there are none.
    pub maybe: Option<Bits>,
    /// Rows that have a value; `None`: all have.
    pub known: Option<Bits>,
}

/// What a leaf asks of the value at its path (of the whole value, where there is no path). Bounds are as in
/// [`std::ops::RangeBounds`]; texts compare by bytes.
#[derive(Debug, Clone)]
pub enum Question<'a> {
    /// An integer column: between the two, both included.
    Ints(i64, i64),
    /// An integer column: one of these, which rise.
    AmongInts(&'a [i64]),
    /// A float column, or a number in JSON: between the two, both included. Of JSON numbers this is exact for those
    /// that a double can hold.
    Floats(f64, f64),
    /// A float column: one of these, which rise.
    AmongFloats(&'a [f64]),
    /// Exactly this.
    Bool(bool),
    /// A text between the two.
    Texts(Bound<&'a [u8]>, Bound<&'a [u8]>),
    /// One of these texts, which rise.
    AmongTexts(&'a [String]),
    /// A text that matches a pattern or a regular expression: what it begins with, further runs of bytes it contains, and whether the beginning
    /// alone decides.
    Like {
        /// What every match begins with.
        prefix: &'a [u8],
        /// What every match contains.
        parts: Vec<&'a [u8]>,
        /// Whether a value that begins so matches.
        is_prefix: bool,
    },
    /// JSON: one of these numbers (rising, whole and floating), texts (rising) or bools (`false`, `true`).
    Mixed {
        /// Whole numbers.
        ints: &'a [i64],
        /// Floating numbers that are no whole ones.
        floats: &'a [f64],
        /// Texts.
        texts: &'a [String],
        /// Whether `false`, and whether `true` is among them.
        bools: [bool; 2],
    },
    /// JSON: a list that holds all (the flag) or any of these.
    Contains(bool, &'a [serde_json::Value]),
    /// A shape; every match meets this rectangle (least x, least y, most x, most y).
    Near([f64; 4]),
    /// The same on the globe, in degrees: it says nothing of shapes beyond 180 degrees of longitude or 90 of latitude.
    Around([f64; 4]),
    /// JSON: there is a value, and it is not null.
    Exists,
    /// JSON: there is none, or it is null.
    Missing,
    /// Something else: [`Probe::test`] can answer it of single values.
    Other,
}

impl<'a> Probe<'a> {
    /// The field.
    pub fn field(&self) -> FieldId {
        self.field
    }

    /// Whether it is asked of the elements of an array one by one, and passed when some element passes.
    pub fn is_of_elements(&self) -> bool {
        self.of_elements
    }

    /// Where in a JSON document the value is; empty: the whole value.
    pub fn path(&self) -> &'a [String] {
        &self.leaf.path
    }

    /// What the evaluation by the column costs, in eighths of a nanosecond, about: of the rows that are still open.
    pub fn column_cost(&self) -> usize {
        let Open { zoned, rows: open } = self.open;
        let is_plain = self.leaf.steps.is_empty() && self.leaf.access == Access::Whole && !self.of_elements;
        // Plain numbers are looked at in whole blocks.
        let rows = open.saturating_mul(BLOCK_ROWS).min(zoned);
        match (&self.leaf.test, self.leaf.field.data_type) {
            // At the speed of memory: eight bytes take an eighth of a nanosecond.
            (Test::Ints(..) | Test::Floats(..) | Test::Bool(_), data_type) if is_plain => match data_type {
                Type::Bool | Type::Int8 => rows / 8,
                Type::Int16 => rows / 4,
                Type::Int32 | Type::Float => rows / 2,
                _ => rows,
            },
            _ => zoned.saturating_mul(self.row_cost()).min(open.saturating_mul(self.apart_cost())),
        }
    }

    /// What a row costs the evaluation by column when it is one of many, in eighths of a nanosecond, about.
    pub fn row_cost(&self) -> usize {
        let elements = if self.of_elements { ELEMENTS_COST } else { 0 };
        (self.leaf.cost() + elements) as usize
    }

    /// The same of one of few rows.
    pub fn apart_cost(&self) -> usize {
        self.row_cost() + APART_COST as usize
    }

    /// The question. With arithmetic before the test it is [`Question::Other`].
    pub fn question(&self) -> Question<'a> {
        question(self.leaf)
    }

    /// Which values of `column`, which is of the field's type or (numbers) a wider one of the same kind, pass the test.
    /// For an index that holds each distinct value once. Of JSON this is for patterns and texts alone.
    pub fn test(&self, column: &Column) -> Bits {
        test_column(self.leaf, column)
    }
}

/// What `leaf` asks. With arithmetic before the test it is [`Question::Other`].
pub(crate) fn question(leaf: &Leaf) -> Question<'_> {
    if !leaf.steps.is_empty() {
        return Question::Other;
    }
    match &leaf.test {
        Test::Ints(low, high) => Question::Ints(*low, *high),
        Test::Floats(low, high, _) => Question::Floats(*low, *high),
        Test::Bool(constant) | Test::JsonBool(constant) => Question::Bool(*constant),
        Test::Texts(interval) | Test::JsonText(interval) => {
            Question::Texts(bytes(&interval.low), bytes(&interval.high))
        }
        Test::InInts(set) => Question::AmongInts(set.values()),
        Test::InFloats(set, _) => Question::AmongFloats(set.values()),
        Test::InTexts(set) => Question::AmongTexts(set.values()),
        Test::Like(pattern) | Test::JsonLike(pattern) => like(pattern),
        Test::Regex(regex) | Test::JsonRegex(regex) => {
            let parts = regex.parts().iter().map(Vec::as_slice).collect();
            Question::Like { prefix: &[], parts, is_prefix: false }
        }
        Test::JsonNumber(interval) => match floats_of(interval) {
            Some((low, high)) => Question::Floats(low, high),
            None => Question::Other,
        },
        Test::JsonIn(set) => Question::Mixed {
            ints: set.ints.values(),
            floats: set.floats.values(),
            texts: set.texts.values(),
            bools: set.bools,
        },
        Test::JsonContains(all, values) => Question::Contains(*all, values),
        Test::Shape(shape) => match (shape.rectangle(), shape.relation) {
            (None, _) => Question::Other,
            (Some(rectangle), Relation::Near(_)) => Question::Around(rectangle),
            (Some(rectangle), _) => Question::Near(rectangle),
        },
        Test::JsonExists => Question::Exists,
        Test::JsonNull => Question::Missing,
        _ => Question::Other,
    }
}

fn bytes(bound: &Bound<String>) -> Bound<&[u8]> {
    bound.as_ref().map(String::as_bytes)
}

fn like(pattern: &Pattern) -> Question<'_> {
    match pattern.form() {
        Form::Exact(text) => Question::Texts(Bound::Included(text), Bound::Included(text)),
        Form::Prefix(prefix) => Question::Like { prefix, parts: Vec::new(), is_prefix: true },
        Form::Suffix(suffix) => Question::Like { prefix: &[], parts: vec![suffix], is_prefix: false },
        Form::Infix(finder) => Question::Like { prefix: &[], parts: vec![finder.needle()], is_prefix: false },
        Form::Pieces(pieces) => {
            let prefix = match pieces.first().and_then(|piece| piece.first()) {
                Some(Atom::Literal(prefix)) => prefix.as_slice(),
                _ => &[],
            };
            let parts = pieces.iter().flatten().filter_map(Atom::literal).collect();
            Question::Like { prefix, parts, is_prefix: false }
        }
    }
}

/// The smallest and the largest double inside; `None` when there is none.
fn floats_of(interval: &Interval<Num>) -> Option<(f64, f64)> {
    let order = |float: f64, bound: Num| Num::Float(float).order(bound);
    let low = match interval.low {
        Bound::Unbounded => f64::NEG_INFINITY,
        Bound::Included(bound) => {
            let near = bound.to_f64();
            if order(near, bound)?.is_lt() { near.next_up() } else { near }
        }
        Bound::Excluded(bound) => {
            let near = bound.to_f64();
            if order(near, bound)?.is_le() { near.next_up() } else { near }
        }
    };
    let high = match interval.high {
        Bound::Unbounded => f64::INFINITY,
        Bound::Included(bound) => {
            let near = bound.to_f64();
            if order(near, bound)?.is_gt() { near.next_down() } else { near }
        }
        Bound::Excluded(bound) => {
            let near = bound.to_f64();
            if order(near, bound)?.is_ge() { near.next_down() } else { near }
        }
    };
    Some((low, high))
}

/// What `rows` know of one leaf without its column.
fn ask(predicate: &Predicate, leaf: &Leaf, of_elements: bool, rows: &dyn Rows, open: Open) -> Option<Answer> {
    if matches!(leaf.test, Test::Never | Test::Null | Test::Field(..) | Test::StartsWith(_)) {
        return None;
    }
    let field = *predicate.fields.get(leaf.field.slot)?;
    let answer = rows.answer(&Probe { leaf, field, of_elements, open })?;
    let fits = |bits: &Bits| bits.len() == rows.len();
    let all_fit = answer.maybe.iter().chain(&answer.known).chain([&answer.yes]).all(fits);
    all_fit.then_some(answer)
}

/// Rows of which some struct passes a test that every struct asked for has to pass; `None`: no index knows.
fn candidates(predicate: &Predicate, elements: &Elements, rows: &dyn Rows, open: Open) -> Option<Bits> {
    let needs_one = match elements.quantifier {
        Quantifier::Any | Quantifier::Filter => true,
        Quantifier::Least(count) | Quantifier::Exact(count) => count > 0,
        Quantifier::All | Quantifier::Most(_) => false,
    };
    if !needs_one || elements.negated {
        return None;
    }
    let members = match &elements.inner {
        Node::All(nodes) => nodes.as_slice(),
        node => std::slice::from_ref(node),
    };
    members.iter().find_map(|node| match node {
        Node::Leaf(leaf) if !leaf.negated && leaf.access == Access::Whole => {
            ask(predicate, leaf, true, rows, open)
                .filter(|answer| answer.maybe.is_none())
                .map(|answer| answer.yes)
        }
        _ => None,
    })
}

impl Answer {
    /// How many rows `leaf` is true of at most.
    fn most(&self, leaf: &Leaf) -> usize {
        match (&leaf.test, leaf.negated) {
            // Rows without a value, too.
            (Test::JsonNull, _) => self.yes.len(),
            (_, true) => self.yes.len() - self.yes.count(),
            (_, false) => self.yes.count() + self.maybe.as_ref().map_or(0, Bits::count),
        }
    }
}

/// The asking of the leaves of a predicate.
struct Asking<'a> {
    predicate: &'a Predicate,
    rows: &'a dyn Rows,
    /// Leaves so far.
    asked: usize,
}

impl Asking<'_> {
    /// For one leaf more, unless there were too many.
    fn next(&mut self) -> Option<&mut Self> {
        self.asked += 1;
        (self.asked <= limits::PROBES_A_PREDICATE_MAX).then_some(self)
    }
}

/// What indexes have said, by leaf.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_leaf: HashMap<*const Leaf, Answer>,
    /// Rows outside of which a test of structs cannot be true.
    candidates: HashMap<*const Elements, Bits>,
    /// By slot: whether a column is still needed.
    needed: Vec<bool>,
}

impl Answers {
    /// Asks `rows` about the leaves of `predicate`, up to a number of them; `zoned` rows are looked at.
    pub(crate) fn ask(predicate: &Predicate, rows: &dyn Rows, zoned: usize) -> Self {
        let mut answers = Self { needed: vec![false; predicate.fields.len()], ..Self::default() };
        let mut asking = Asking { predicate, rows, asked: 0 };
        answers.ask_node(&mut asking, &predicate.root, Open { zoned, rows: zoned });
        answers
    }

    /// Asks about the leaves below `node`; how many rows it can be true of at most.
    fn ask_node(&mut self, asking: &mut Asking<'_>, node: &Node, open: Open) -> usize {
        match node {
            Node::Const(_) => open.rows,
            // Of the rows that one part rules out no further part is asked.
            Node::All(nodes) => nodes
                .iter()
                .fold(open.rows, |rows, node| self.ask_node(asking, node, Open { rows, ..open }).min(rows)),
            Node::Any(nodes) => {
                let each = nodes.iter().map(|node| self.ask_node(asking, node, open));
                each.fold(0_usize, usize::saturating_add).min(open.rows)
            }
            Node::Elements(elements) => {
                self.need_elements(elements);
                let candidates = asking
                    .next()
                    .and_then(|Asking { predicate, rows, .. }| candidates(predicate, elements, *rows, open));
                let Some(candidates) = candidates else { return open.rows };
                let most = candidates.count();
                self.candidates.insert(std::ptr::from_ref(&**elements), candidates);
                most
            }
            Node::Leaf(leaf) => {
                let of_elements = match leaf.access {
                    Access::Whole => Some(false),
                    Access::Some => Some(true),
                    Access::Length | Access::Element(_) | Access::Later(_) => None,
                };
                let answer = asking.next().zip(of_elements).and_then(|(asking, of_elements)| {
                    ask(asking.predicate, leaf, of_elements, asking.rows, open)
                });
                if answer.as_ref().is_none_or(|answer| answer.maybe.is_some()) {
                    self.need(leaf);
                }
                let Some(answer) = answer else { return open.rows };
                let most = answer.most(leaf);
                self.by_leaf.insert(std::ptr::from_ref(leaf), answer);
                most
            }
        }
    }

    fn need(&mut self, leaf: &Leaf) {
        let other = match &leaf.test {
            Test::Field(_, other) | Test::StartsWith(other) => Some(other.slot),
            _ => None,
        };
        for slot in other.into_iter().chain([leaf.field.slot]) {
            if let Some(needed) = self.needed.get_mut(slot) {
                *needed = true;
            }
        }
    }

    fn need_elements(&mut self, elements: &Elements) {
        let mut open = vec![&elements.inner];
        while let Some(node) = open.pop() {
            match node {
                Node::Const(_) | Node::Elements(_) => {}
                Node::All(nodes) | Node::Any(nodes) => open.extend(nodes),
                Node::Leaf(leaf) => self.need(leaf),
            }
        }
        if let Some(needed) = self.needed.get_mut(elements.anchor.slot) {
            *needed = true;
        }
    }

    /// Whether the column of `slot` has to be looked at.
    pub(crate) fn needs(&self, slot: usize) -> bool {
        self.needed.get(slot).copied().unwrap_or(true)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_leaf.is_empty()
    }

    pub(crate) fn get(&self, leaf: &Leaf) -> Option<&Answer> {
        if self.by_leaf.is_empty() { None } else { self.by_leaf.get(&std::ptr::from_ref(leaf)) }
    }

    /// The rows outside of which a test of structs cannot be true.
    pub(crate) fn candidates(&self, elements: &Elements) -> Option<&Bits> {
        if self.candidates.is_empty() { None } else { self.candidates.get(&std::ptr::from_ref(elements)) }
    }

    /// Whether `node` is a leaf that was answered in full.
    pub(crate) fn is_settled(&self, node: &Node) -> bool {
        matches!(node, Node::Leaf(leaf) if self.get(leaf).is_some_and(|answer| answer.maybe.is_none()))
    }
}

/// A value of a JSON document, read in place: the same reading that the evaluation does.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(&'a [u8]);

/// What a JSON value is.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonKind<'a> {
    /// `null`.
    Null,
    /// A truth.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text, without its escapes.
    Text(Cow<'a, [u8]>),
    /// A list.
    Array,
    /// An object.
    Object,
}

impl<'a> Json<'a> {
    /// A whole document.
    pub fn new(document: &'a [u8]) -> Self {
        Self(document)
    }

    /// The value at `path`.
    pub fn at(self, path: &[String]) -> Option<Self> {
        find(self.0, path).map(Self)
    }

    /// Its text.
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// What it is; `None` when it is no JSON.
    pub fn kind(self) -> Option<JsonKind<'a>> {
        Some(match read(self.0)? {
            Item::Null => JsonKind::Null,
            Item::Bool(value) => JsonKind::Bool(value),
            Item::Number(Num::Int(value)) => JsonKind::Int(value),
            Item::Number(Num::Float(value)) => JsonKind::Float(value),
            Item::Text(text) => JsonKind::Text(text),
            Item::Array => JsonKind::Array,
            Item::Object => JsonKind::Object,
        })
    }

    /// The elements, when it is a list.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let array = if self.0.first() == Some(&b'[') { self.0 } else { b"[]" };
        elements(array).map(Self)
    }
}

/// The field and the path in it that `text` (`doc["a"][0]`, or a key of the dynamic field) names in `schema`.
///
/// # Errors
/// [`Error`] when it names neither, or is something else than a field or a path.
pub fn locate(text: &str, schema: &Schema) -> Result<(FieldId, Vec<String>), Error> {
    bind::locate(&crate::parse(text)?, schema)
}
