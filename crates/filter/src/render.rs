//! From predicate back to text. Invariant: parsing and binding the text gives the same predicate.

use crate::literal::{quote, write_float};
use crate::number::Interval;
use crate::predicate::{Access, Elements, Leaf, Node, Predicate, Quantifier, Test};
use data::{Type, Zone};
use std::fmt::{Display, Formatter, Result};
use std::ops::Bound;

impl Display for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Some(part) = self.sample else {
            return self.root.fmt(f);
        };
        match &self.root {
            Node::Const(true) => {}
            root @ (Node::All(_) | Node::Leaf(_) | Node::Elements(_)) => write!(f, "{root} and ")?,
            root => write!(f, "({root}) and ")?,
        }
        write!(f, "random_sample({})", write_float(part))
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (nodes, between) = match self {
            Self::Const(value) => return value.fmt(f),
            Self::Leaf(leaf) => return leaf.fmt(f),
            Self::Elements(elements) => return elements.fmt(f),
            Self::All(nodes) => (nodes, " and "),
            Self::Any(nodes) => (nodes, " or "),
        };
        for (i, node) in nodes.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { between })?;
            match node {
                Self::Leaf(leaf) => leaf.fmt(f)?,
                Self::Elements(elements) => elements.fmt(f)?,
                node => write!(f, "({node})")?,
            }
        }
        Ok(())
    }
}

impl Display for Elements {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (name, threshold) = match self.quantifier {
            Quantifier::Any => ("match_any", None),
            Quantifier::All => ("match_all", None),
            Quantifier::Least(least) => ("match_least", Some(least)),
            Quantifier::Most(most) => ("match_most", Some(most)),
            Quantifier::Exact(count) => ("match_exact", Some(count)),
            Quantifier::Filter => ("element_filter", None),
        };
        f.write_str(if self.negated { "not (" } else { "" })?;
        write!(f, "{name}({}, {}", self.name, self.inner)?;
        if let Some(threshold) = threshold {
            write!(f, ", threshold={threshold}")?;
        }
        f.write_str(if self.negated { "))" } else { ")" })
    }
}

impl Display for Leaf {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.negated { "not (" } else { "" })?;
        if self.access == Access::Some {
            self.contains(f)?
        } else {
            self.test(f, &self.value())?
        }
        f.write_str(if self.negated { ")" } else { "" })
    }
}

impl Leaf {
    /// The left side.
    fn value(&self) -> String {
        let mut value = self.field.name.clone();
        for step in &self.path {
            value = format!("{value}[{}]", quote(step));
        }
        match self.access {
            Access::Whole | Access::Some => {}
            Access::Length => value = format!("array_length({value})"),
            Access::Later(months) => {
                value =
                    format!("{value} + INTERVAL '{}P{}M'", if months < 0 { "-" } else { "" }, months.abs())
            }
            Access::Element(place) => value = format!("{value}[{place}]"),
        }
        for step in &self.steps {
            let (op, constant) = (step.op.symbol(), step.constant);
            value = if step.reversed {
                format!("({constant} {op} {value})")
            } else {
                format!("({value} {op} {constant})")
            };
        }
        value
    }

    /// The test of some element: that of being one of these.
    fn contains(&self, f: &mut Formatter<'_>) -> Result {
        let name = &self.field.name;
        match &self.test {
            Test::Ints(only, _) => write!(f, "array_contains({name}, {only})"),
            Test::Floats(only, ..) => write!(f, "array_contains({name}, {})", write_float(*only)),
            Test::Bool(only) => write!(f, "array_contains({name}, {only})"),
            Test::Texts(only) => {
                write!(f, "array_contains({name}, {})", quote(only.single().map_or("", String::as_str)))
            }
            test => {
                write!(f, "array_contains_any({name}, ")?;
                match test {
                    Test::InInts(set) => items(f, set.values().iter().map(ToString::to_string))?,
                    Test::InFloats(set, _) => items(f, set.values().iter().map(|v| write_float(*v)))?,
                    Test::InTexts(set) => items(f, set.values().iter().map(|text| quote(text)))?,
                    _ => f.write_str("[]")?,
                }
                f.write_str(")")
            }
        }
    }

    /// A whole number as the field has it.
    fn whole(&self, value: i64) -> String {
        match self.field.data_type {
            Type::Timestamptz => format!("ISO '{}'", Zone::default().format(value)),
            _ => value.to_string(),
        }
    }

    fn test(&self, f: &mut Formatter<'_>, value: &str) -> Result {
        match &self.test {
            Test::Never => write!(f, "{value} in []"),
            Test::Null | Test::JsonNull => write!(f, "{value} is null"),
            Test::JsonExists => write!(f, "exists {value}"),
            Test::Ints(low, high) => {
                let own = self.field.data_type.integer_range();
                let own = own.filter(|_| self.steps.is_empty() && self.access == Access::Whole);
                let (least, most) = own.unwrap_or((i64::MIN, i64::MAX));
                let low = if *low == least && low != high { Bound::Unbounded } else { Bound::Included(*low) };
                let high = if *high == most && low != Bound::Included(*high) {
                    Bound::Unbounded
                } else {
                    Bound::Included(*high)
                };
                interval(f, value, &Interval { low, high }, |bound| self.whole(*bound))
            }
            Test::Floats(low, high, _) => {
                let open_low = low.is_infinite() && low.is_sign_negative() && low != high;
                let low = if open_low { Bound::Unbounded } else { Bound::Included(*low) };
                let open_high = *high == f64::INFINITY && low != Bound::Included(*high) && !open_low;
                let high = if open_high { Bound::Unbounded } else { Bound::Included(*high) };
                interval(f, value, &Interval { low, high }, |value| write_float(*value))
            }
            Test::Bool(constant) | Test::JsonBool(constant) => write!(f, "{value} == {constant}"),
            Test::Texts(texts) | Test::JsonText(texts) => interval(f, value, texts, |text| quote(text)),
            Test::JsonNumber(numbers) => interval(f, value, numbers, ToString::to_string),
            Test::InInts(set) => list(f, value, set.values().iter().map(|whole| self.whole(*whole))),
            Test::InFloats(set, _) => list(f, value, set.values().iter().map(|v| write_float(*v))),
            Test::InTexts(set) => list(f, value, set.values().iter().map(|text| quote(text))),
            Test::JsonIn(set) => {
                let ints = set.ints.values().iter().map(ToString::to_string);
                let floats = set.floats.values().iter().map(|value| write_float(*value));
                let texts = set.texts.values().iter().map(|text| quote(text));
                let bools = [false, true].into_iter().filter(|b| set.bools[usize::from(*b)]);
                list(f, value, ints.chain(floats).chain(texts).chain(bools.map(|b| b.to_string())))
            }
            Test::Like(pattern) | Test::JsonLike(pattern) => write!(f, "{value} like {pattern}"),
            Test::Regex(regex) | Test::JsonRegex(regex) => write!(f, "{value} =~ {regex}"),
            Test::Words(words) => words.write(f, value),
            Test::Phrase(phrase) => phrase.write(f, value),
            Test::Shape(shape) => shape.write(f, value),
            Test::ShapeValid => write!(f, "st_isvalid({value})"),
            Test::StartsWith(start) => write!(f, "starts_with({value}, {})", start.name),
            Test::Field(op, other) => write!(f, "{value} {} {}", op.symbol(), other.name),
            Test::JsonEquals(constant) => write!(f, "{value} == {constant}"),
            Test::JsonContains(all, values) => {
                let name = if *all { "json_contains_all" } else { "json_contains_any" };
                write!(f, "{name}({value}, {})", serde_json::Value::from(values.as_slice()))
            }
        }
    }
}

/// A moment as a literal, in UTC.
pub(crate) fn moment(f: &mut Formatter<'_>, micros: i64) -> Result {
    write!(f, "ISO '{}'", Zone::default().format(micros))
}

fn interval<T: PartialEq>(
    f: &mut Formatter<'_>,
    value: &str,
    interval: &Interval<T>,
    write: impl Fn(&T) -> String,
) -> Result {
    if let Some(only) = interval.single() {
        return write!(f, "{value} == {}", write(only));
    }
    let low = match &interval.low {
        Bound::Unbounded => None,
        Bound::Included(low) => Some(("<=", ">=", write(low))),
        Bound::Excluded(low) => Some(("<", ">", write(low))),
    };
    let high = match &interval.high {
        Bound::Unbounded => None,
        Bound::Included(high) => Some(("<=", write(high))),
        Bound::Excluded(high) => Some(("<", write(high))),
    };
    match (low, high) {
        (Some((op, _, low)), Some((high_op, high))) => write!(f, "{low} {op} {value} {high_op} {high}"),
        (Some((_, op, low)), None) => write!(f, "{value} {op} {low}"),
        (None, Some((op, high))) => write!(f, "{value} {op} {high}"),
        (None, None) => write!(f, "{value} in []"),
    }
}

fn list(f: &mut Formatter<'_>, value: &str, items_of: impl Iterator<Item = String>) -> Result {
    write!(f, "{value} in ")?;
    items(f, items_of)
}

fn items(f: &mut Formatter<'_>, items: impl Iterator<Item = String>) -> Result {
    f.write_str("[")?;
    for (i, item) in items.enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    f.write_str("]")
}
