//! A bound expression. Invariant: `not` has been pushed down to the tests (de Morgan), so that a test answers "true" or
//! not, and unknown never has to be carried upwards: in three-valued logic a row is true of `a and b` when it is true of
//! both, of `a or b` when of either, and of `not (a and b)` when of `(not a) or (not b)`.

use crate::ast::Binary;
use crate::like::{Form, Pattern};
use crate::number::{Interval, Num, Step};
use crate::regex::Regex;
use crate::set::{FloatSet, IntSet, MixedSet, TextSet};
use crate::shape::ShapeTest;
use crate::words::{Phrase, Words};
use data::{FieldId, Key, Type};

/// Says of rows whether they match.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicate {
    pub(crate) root: Node,
    /// The fields by slot.
    pub(crate) fields: Vec<FieldId>,
    /// Of the rows that match, which part is to be kept, each row by its own draw.
    pub(crate) sample: Option<f64>,
    /// What the draws of a sample begin with.
    pub(crate) seed: u64,
}

impl Predicate {
    /// The fields it reads.
    pub fn fields(&self) -> &[FieldId] {
        &self.fields
    }

    /// Whether every row matches, whatever it holds.
    pub fn is_always_true(&self) -> bool {
        self.root == Node::Const(true) && self.sample.is_none()
    }

    /// Whether it keeps a random part of the rows, so that a seed matters.
    pub fn is_sampled(&self) -> bool {
        self.sample.is_some()
    }

    /// The same with another seed (zero at first): the same seed keeps the same rows, another one others.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Whether no row can match.
    pub fn is_always_false(&self) -> bool {
        self.root == Node::Const(false)
    }

    /// The primary keys of the rows that match, rising and distinct, when the predicate names them and asks nothing
    /// else: `pk == x`, `pk in [..]`.
    pub fn keys(&self) -> Option<Vec<Key>> {
        let leaf = match &self.root {
            Node::Const(false) => return Some(Vec::new()),
            _ if self.sample.is_some() => return None,
            Node::Leaf(leaf) if leaf.field.is_primary && !leaf.negated && leaf.steps.is_empty() => leaf,
            _ => return None,
        };
        leaf.test.listed()
    }

    /// Values of `field` of which every row that matches has one, when the predicate lists such: `field == x`,
    /// `field in [..]`, alone or besides other conditions.
    pub fn values_of(&self, field: FieldId) -> Option<Vec<Key>> {
        let listed = |node: &Node| match node {
            Node::Leaf(leaf)
                if self.fields.get(leaf.field.slot) == Some(&field)
                    && !leaf.negated
                    && leaf.steps.is_empty()
                    && leaf.path.is_empty() =>
            {
                leaf.test.listed()
            }
            _ => None,
        };
        match &self.root {
            Node::All(nodes) => nodes.iter().find_map(listed),
            node => listed(node),
        }
    }
}

impl Test {
    /// The values that pass, when they are listed; rising and distinct.
    fn listed(&self) -> Option<Vec<Key>> {
        match self {
            Self::Ints(low, high) if low == high => Some(vec![Key::Int(*low)]),
            Self::InInts(set) => Some(set.values().iter().copied().map(Key::Int).collect()),
            Self::Texts(interval) => interval.single().map(|text| vec![Key::Text(text.clone())]),
            Self::InTexts(set) => Some(set.values().iter().cloned().map(Key::Text).collect()),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Const(bool),
    /// Two or more, cheap ones first.
    All(Vec<Node>),
    /// Two or more, cheap ones first.
    Any(Vec<Node>),
    Leaf(Leaf),
    /// Of an array of structs.
    Elements(Box<Elements>),
}

/// So many structs of a row pass a test of their own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Elements {
    /// The name of the array of structs.
    pub(crate) name: String,
    /// Some sub-field: how many structs a row has, and whether it has the array at all.
    pub(crate) anchor: FieldRef,
    pub(crate) quantifier: Quantifier,
    /// The test; its fields are the sub-fields, and their values single elements.
    pub(crate) inner: Node,
    /// True when the count does not suit. Rows without the array match neither way.
    pub(crate) negated: bool,
}

/// How many structs have to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    Any,
    All,
    /// At least so many.
    Least(usize),
    /// At most so many.
    Most(usize),
    /// Exactly so many.
    Exact(usize),
    /// As [`Quantifier::Any`]; a search by structs looks at those that pass only.
    Filter,
}

impl Quantifier {
    /// Whether `passed` of `all` suit.
    pub(crate) fn suits(self, passed: usize, all: usize) -> bool {
        match self {
            Self::Any | Self::Filter => passed > 0,
            Self::All => passed == all,
            Self::Least(least) => passed >= least,
            Self::Most(most) => passed <= most,
            Self::Exact(count) => passed == count,
        }
    }
}

/// A field as a predicate knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldRef {
    /// Its place in [`Predicate::fields`].
    pub(crate) slot: usize,
    pub(crate) name: String,
    pub(crate) data_type: Type,
    /// Of arrays.
    pub(crate) element: Option<Type>,
    pub(crate) is_primary: bool,
    /// Whether some row may have no value.
    pub(crate) nullable: bool,
}

/// One question about one value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    pub(crate) field: FieldRef,
    /// Of JSON fields: where in the document, empty for all of it.
    pub(crate) path: Vec<String>,
    /// What is looked at.
    pub(crate) access: Access,
    /// What is done to the number first.
    pub(crate) steps: Vec<Step>,
    pub(crate) test: Test,
    /// True when the test is false. Rows without value match neither way, but for [`Test::Null`].
    pub(crate) negated: bool,
}

/// What of a field's value, or of what a JSON document holds at a path, a leaf looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// All of it.
    Whole,
    /// How many elements it has, a whole number. What is no list has no length: unknown.
    Length,
    /// The moment so many months later.
    Later(i64),
    /// The element at a place of an array; where there is none: unknown.
    Element(u64),
    /// The elements of an array one by one: the leaf is true when the test is true of some.
    Some,
}

/// The question. Those called Json ask the value at the leaf's path: what is missing there is an answer, `false`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// Nothing passes.
    Never,
    /// There is no value.
    Null,
    JsonNull,
    /// Integer fields: between the two, both included.
    Ints(i64, i64),
    /// Any number as a float: between the two, both included. The flag: rounded to 32 bits after every step.
    Floats(f64, f64, bool),
    Bool(bool),
    Texts(Interval<String>),
    InInts(Box<IntSet>),
    /// The flag as in [`Test::Floats`].
    InFloats(FloatSet, bool),
    InTexts(TextSet),
    Like(Pattern),
    Regex(Regex),
    /// Begins with the text of another field.
    StartsWith(FieldRef),
    /// A shape that lies so to another.
    Shape(Box<ShapeTest>),
    ShapeValid,
    Words(Words),
    Phrase(Phrase),
    /// Against another field.
    Field(Binary, FieldRef),
    JsonNumber(Interval<Num>),
    JsonText(Interval<String>),
    JsonBool(bool),
    JsonIn(Box<MixedSet>),
    JsonLike(Pattern),
    JsonRegex(Regex),
    /// The value is this list.
    JsonEquals(serde_json::Value),
    /// A list that holds all (the flag) or any of these.
    JsonContains(bool, Vec<serde_json::Value>),
    JsonExists,
}

impl<T: PartialEq> Interval<T> {
    /// The one value inside, when the interval is written as one.
    pub(crate) fn single(&self) -> Option<&T> {
        use std::ops::Bound::Included;
        match (&self.low, &self.high) {
            (Included(low), Included(high)) if low == high => Some(low),
            _ => None,
        }
    }
}

impl Node {
    /// What a row costs, in rough nanoseconds over eight.
    pub(crate) fn cost(&self) -> u32 {
        match self {
            Self::Const(_) => 0,
            Self::All(nodes) | Self::Any(nodes) => {
                nodes.iter().fold(0, |sum, n| n.cost().saturating_add(sum))
            }
            Self::Leaf(leaf) => leaf.cost(),
            Self::Elements(elements) => elements.inner.cost().saturating_mul(8),
        }
    }
}

impl Leaf {
    /// Whether both look at the same value of a row, arithmetic apart.
    pub(crate) fn asks_the_same_value(&self, other: &Self) -> bool {
        self.field.slot == other.field.slot && self.access == other.access && self.path == other.path
    }

    pub(crate) fn cost(&self) -> u32 {
        let access = match (self.access, self.field.data_type) {
            (Access::Whole, _) => 0,
            (_, Type::Json) => 1000,
            (Access::Some, _) => 100,
            _ => 20,
        };
        self.test.cost() + self.steps.len() as u32 + access
    }
}

impl Test {
    fn cost(&self) -> u32 {
        match self {
            Self::Never | Self::Null | Self::Bool(_) => 1,
            Self::Ints(..) | Self::Floats(..) | Self::Field(..) => 4,
            Self::InInts(_) => 6,
            Self::InFloats(..) => 40,
            Self::Texts(_) | Self::StartsWith(_) => 60,
            Self::InTexts(_) => 200,
            Self::Like(pattern) => match pattern.form() {
                Form::Pieces(_) => 300,
                _ => 30,
            },
            Self::Regex(_) => 400,
            Self::Words(_) | Self::Phrase(_) => 2000,
            Self::Shape(_) | Self::ShapeValid => 5000,
            Self::JsonContains(..) | Self::JsonEquals(_) => 2000,
            Self::JsonNull | Self::JsonNumber(_) | Self::JsonText(_) | Self::JsonBool(_) => 400,
            Self::JsonIn(_) | Self::JsonLike(_) | Self::JsonExists => 400,
            Self::JsonRegex(_) => 800,
        }
    }
}
