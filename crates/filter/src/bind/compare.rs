//! Comparisons, chained ranges and lists.

use super::operand::{Operand, Scalar, Source, type_name};
use super::{Binder, array, fold, moment};
use crate::ast::{Binary, Expr};
use crate::error::{Error, Problem, Span};
use crate::number::{Interval, Num};
use crate::predicate::{Access, Node, Test};
use crate::set::{FloatSet, MixedSet};
use data::Type;
use std::cmp::Ordering;
use std::ops::Bound;

/// What a comparison is.
enum Compared<'a> {
    Node(Box<Node>),
    /// The expression, or (the flag) its negation.
    Truth(&'a Expr, bool),
}

impl<'a> Binder<'a> {
    #[inline(never)]
    pub(super) fn comparison(
        &mut self,
        op: Binary,
        left: &'a Expr,
        right: &'a Expr,
        span: Span,
        negated: bool,
    ) -> Result<Node, Error> {
        match self.compared(op, left, right, span, negated)? {
            Compared::Node(node) => Ok(*node),
            Compared::Truth(expr, negated) => self.predicate(expr, negated),
        }
    }

    /// All of a comparison but the recursion, which is to need little stack.
    #[inline(never)]
    fn compared(
        &mut self,
        op: Binary,
        left: &'a Expr,
        right: &'a Expr,
        span: Span,
        negated: bool,
    ) -> Result<Compared<'a>, Error> {
        let (left, right) = (self.operand(left)?, self.operand(right)?);
        let refused =
            Error::new(span, Problem::Incomparable { left: left.type_name(), right: right.type_name() });
        let (left, right) = match (left, right) {
            (Operand::Source(source), Operand::Const(constant, template)) => {
                let constant = self.meant(&source, constant, span)?;
                (Operand::Source(source), Operand::Const(constant, template))
            }
            (Operand::Const(constant, template), Operand::Source(source)) => {
                let constant = self.meant(&source, constant, span)?;
                (Operand::Const(constant, template), Operand::Source(source))
            }
            both => both,
        };
        let node = match (left, right) {
            (Operand::Const(a, x), Operand::Const(b, y)) => {
                if x || y {
                    return Err(Error::new(span, Problem::TemplateConstants { op: op.symbol() }));
                }
                constants(op, &a, &b).map(|holds| Node::Const(holds ^ negated))
            }
            (Operand::Source(source), Operand::Const(constant, _)) => against(source, op, constant, negated),
            (Operand::Const(constant, _), Operand::Source(source)) => {
                against(source, op.mirrored(), constant, negated)
            }
            (Operand::Source(a), Operand::Source(b)) => {
                Some(columns(a, op, b, negated).map_err(|p| Error::new(span, p))?)
            }
            (Operand::Truth(expr), Operand::Const(Scalar::Bool(value), _))
            | (Operand::Const(Scalar::Bool(value), _), Operand::Truth(expr))
                if !op.is_order() =>
            {
                return Ok(Compared::Truth(expr, negated ^ !value ^ (op == Binary::Unequal)));
            }
            _ => None,
        };
        node.map(|node| Compared::Node(Box::new(node))).ok_or(refused)
    }

    #[inline(never)]
    pub(super) fn range(
        &mut self,
        parts: &'a [Expr; 3],
        [first, second]: [Binary; 2],
        span: Span,
        negated: bool,
    ) -> Result<Node, Error> {
        let [left, middle, right] = parts;
        let (left, middle, right) = (self.operand(left)?, self.operand(middle)?, self.operand(right)?);
        let (Operand::Const(left, _), Operand::Source(source), Operand::Const(right, _)) =
            (left, middle, right)
        else {
            return Err(Error::new(span, Problem::RangeShape));
        };
        let (left, right) = (self.meant(&source, left, span)?, self.meant(&source, right, span)?);
        let (low, low_op, high, high_op) = if first.is_rising() {
            (left, first.mirrored(), right, second)
        } else {
            (right, second, left, first.mirrored())
        };
        let refused = |scalar: &Scalar| {
            let (left, right) = (type_name(source.data_type()), scalar.type_name());
            Error::new(span, Problem::Incomparable { left, right })
        };
        let reversed = Error::new(span, Problem::ReversedRange);
        match (low, high) {
            (Scalar::Num(low), Scalar::Num(high)) if source.is_json() || source.data_type().is_number() => {
                if low.order(high) == Some(Ordering::Greater) {
                    return Err(reversed);
                }
                let low = Interval::of(low_op, low).low;
                Ok(number(source, Interval { low, high: Interval::of(high_op, high).high }, negated))
            }
            (Scalar::Text(low), Scalar::Text(high))
                if (source.is_json() || source.is_text()) && source.steps.is_empty() =>
            {
                if low > high {
                    return Err(reversed);
                }
                let low = Interval::of(low_op, low).low;
                Ok(text(source, Interval { low, high: Interval::of(high_op, high).high }, negated))
            }
            (Scalar::Moment(low), Scalar::Moment(high)) if source.data_type() == Type::Timestamptz => {
                if low > high {
                    return Err(reversed);
                }
                let low = Interval::of(low_op, low).low;
                Ok(moment::between(source, Interval { low, high: Interval::of(high_op, high).high }, negated))
            }
            (Scalar::Num(_) | Scalar::Moment(_), other) | (other, _) => Err(refused(&other)),
        }
    }

    #[inline(never)]
    pub(super) fn membership(
        &mut self,
        value: &'a Expr,
        list: &'a Expr,
        negated: bool,
    ) -> Result<Node, Error> {
        let not_list = |found: &Operand<'_>, from_template: bool| match &list.kind {
            crate::ast::ExprKind::Template(name) if from_template => {
                Error::new(list.span, Problem::TemplateNotList { name: name.clone() })
            }
            _ => Error::new(list.span, Problem::NotList { found: found.type_name() }),
        };
        let scalars = match self.operand(list)? {
            Operand::Const(scalars @ (Scalar::Ints(_) | Scalar::List(_)), _) => scalars,
            other => {
                let from_template = matches!(other, Operand::Const(_, true));
                return Err(not_list(&other, from_template));
            }
        };
        match self.operand(value)? {
            Operand::Source(source) => {
                let scalars = self.meant(&source, scalars, list.span)?;
                among(source, scalars, negated).map_err(|problem| Error::new(list.span, problem))
            }
            Operand::Const(constant, _) => {
                let found = match scalars {
                    Scalar::Ints(values) => {
                        values.iter().any(|v| same(&constant, &Scalar::Num(Num::Int(*v))))
                    }
                    Scalar::List(values) => values.iter().any(|v| same(&constant, v)),
                    _ => false,
                };
                Ok(Node::Const(found ^ negated))
            }
            Operand::Truth(_) => {
                let (left, right) = ("Bool", "Array");
                Err(Error::new(value.span, Problem::Incomparable { left, right }))
            }
        }
    }
}

fn same(a: &Scalar, b: &Scalar) -> bool {
    constants(Binary::Equal, a, b).unwrap_or(false)
}

/// Whether `a op b` holds; `None` when they do not compare.
fn constants(op: Binary, a: &Scalar, b: &Scalar) -> Option<bool> {
    let order = match (a, b) {
        (Scalar::Bool(a), Scalar::Bool(b)) if !op.is_order() => Some(a.cmp(b)),
        (Scalar::Num(a), Scalar::Num(b)) => a.order(*b),
        (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
        (Scalar::Moment(a), Scalar::Moment(b)) => Some(a.cmp(b)),
        _ => return None,
    };
    Some(holds(op, order))
}

/// Whether `op` holds of two values in this order.
fn holds(op: Binary, order: Option<Ordering>) -> bool {
    match op {
        Binary::Less => order.is_some_and(Ordering::is_lt),
        Binary::LessEqual => order.is_some_and(Ordering::is_le),
        Binary::Greater => order.is_some_and(Ordering::is_gt),
        Binary::GreaterEqual => order.is_some_and(Ordering::is_ge),
        Binary::Unequal => order != Some(Ordering::Equal),
        _ => order == Some(Ordering::Equal),
    }
}

/// The test `source op constant`; `None` when the types do not compare.
pub(super) fn against(source: Source, op: Binary, constant: Scalar, negated: bool) -> Option<Node> {
    let turned = negated ^ (op == Binary::Unequal);
    let (json, plain) = (source.is_json(), source.steps.is_empty());
    match constant {
        Scalar::Num(value) if json || source.data_type().is_number() => {
            Some(number(source, Interval::of(op, value), turned))
        }
        Scalar::Moment(value) if source.data_type() == Type::Timestamptz => {
            Some(moment::between(source, Interval::of(op, value), turned))
        }
        Scalar::Text(value) if plain && (json || source.is_text()) => {
            Some(text(source, Interval::of(op, value), turned))
        }
        Scalar::Bool(value) if plain && json && !op.is_order() => {
            Some(source.leaf(Test::JsonBool(value), turned))
        }
        Scalar::Bool(value) if source.data_type() == Type::Bool && !op.is_order() => {
            Some(source.leaf(Test::Bool(value ^ turned), false))
        }
        Scalar::Ints(_) | Scalar::List(_) if source.data_type() == Type::Array && !op.is_order() => {
            array::equals(&source, &constant, turned)
        }
        Scalar::Ints(_) | Scalar::List(_) if plain && json && !op.is_order() => {
            Some(source.leaf(Test::JsonEquals(constant.to_json()?), turned))
        }
        _ => None,
    }
}

fn is_nan(bound: &Bound<Num>) -> bool {
    matches!(bound, Bound::Included(Num::Float(v)) | Bound::Excluded(Num::Float(v)) if v.is_nan())
}

fn number(source: Source, interval: Interval<Num>, negated: bool) -> Node {
    if is_nan(&interval.low) || is_nan(&interval.high) {
        return source.never(negated);
    }
    if source.is_json() {
        return source.leaf(Test::JsonNumber(interval), negated);
    }
    if source.is_integer() {
        let own = source.data_type().integer_range().filter(|_| source.steps.is_empty());
        let range = own.unwrap_or((i64::MIN, i64::MAX));
        return match interval.ints(range) {
            None => source.never(negated),
            Some(all) if all == range => source.never(!negated),
            Some((low, high)) => source.leaf(Test::Ints(low, high), negated),
        };
    }
    let single = source.data_type() == Type::Float;
    match interval.floats(single) {
        None => source.never(negated),
        Some((low, high)) => source.leaf(Test::Floats(low, high, single), negated),
    }
}

fn text(source: Source, interval: Interval<String>, negated: bool) -> Node {
    let json = source.is_json();
    source.leaf(if json { Test::JsonText(interval) } else { Test::Texts(interval) }, negated)
}

fn columns(a: Source, op: Binary, b: Source, negated: bool) -> Result<Node, Problem> {
    if a.is_json() || b.is_json() {
        return Err(Problem::JsonColumns);
    }
    if !a.is_plain() || !b.is_plain() {
        return Err(Problem::ArithmeticFields { op: op.symbol() });
    }
    let (left, right) = (a.data_type(), b.data_type());
    let comparable = match (left, right) {
        _ if left.is_text() && right.is_text() => true,
        (Type::Bool, Type::Bool) => !op.is_order(),
        (Type::Timestamptz, Type::Timestamptz) => true,
        _ => left.is_number() && right.is_number(),
    };
    if !comparable {
        return Err(Problem::Incomparable { left: type_name(left), right: type_name(right) });
    }
    Ok(a.leaf(Test::Field(op, b.field), negated))
}

/// The test `source in list`.
pub(super) fn among(source: Source, list: Scalar, negated: bool) -> Result<Node, Problem> {
    let scalars = match list {
        Scalar::Ints(values) if source.is_integer() => {
            let (least, most) = source.data_type().integer_range().unwrap_or((i64::MIN, i64::MAX));
            let plain = source.steps.is_empty();
            let values = values.into_iter().filter(|v| !plain || (least..=most).contains(v)).collect();
            return Ok(listed(source, values, fold::ints, negated));
        }
        Scalar::Ints(values) => values.into_iter().map(|value| Scalar::Num(Num::Int(value))).collect(),
        Scalar::List(scalars) => scalars,
        other => vec![other],
    };
    let target = type_name(source.data_type());
    let cast = |value: &Scalar| Problem::Cast { value: value.to_string(), target };
    let data_type = source.data_type();
    if scalars.is_empty() && !data_type.is_vector() {
        return Ok(source.never(negated));
    }
    if source.is_json() {
        return mixed(source, scalars, negated);
    }
    if source.is_integer() {
        let ints = scalars.iter().map(|value| match value {
            Scalar::Num(Num::Int(int)) => Ok(*int),
            other => Err(cast(other)),
        });
        let ints = ints.collect::<Result<_, _>>()?;
        return among(source, Scalar::Ints(ints), negated);
    }
    match data_type {
        Type::Timestamptz if source.is_plain() => {
            let moments = scalars.iter().map(|value| match value {
                Scalar::Moment(moment) => Ok(*moment),
                other => Err(cast(other)),
            });
            let moments = moments.collect::<Result<_, _>>()?;
            Ok(listed(source, moments, fold::ints, negated))
        }
        _ if data_type.is_text() => {
            let texts = scalars.into_iter().map(|value| match value {
                Scalar::Text(text) => Ok(text),
                other => Err(cast(&other)),
            });
            let texts = texts.collect::<Result<_, _>>()?;
            Ok(listed(source, texts, fold::texts, negated))
        }
        Type::Bool => {
            let bools = scalars.iter().map(|value| match value {
                Scalar::Bool(value) => Ok(*value),
                other => Err(cast(other)),
            });
            Ok(bool_among(source, &bools.collect::<Result<Vec<_>, _>>()?, negated))
        }
        _ if data_type.is_number() => {
            let single = data_type == Type::Float;
            let floats = scalars.iter().map(|value| match value {
                Scalar::Num(number) if single => Ok(f64::from(number.to_f64() as f32)),
                Scalar::Num(number) => Ok(number.to_f64()),
                other => Err(cast(other)),
            });
            let set = FloatSet::new(floats.collect::<Result<Vec<_>, _>>()?);
            if set.values().is_empty() {
                return Ok(source.never(negated));
            }
            Ok(source.leaf(Test::InFloats(set, single), negated))
        }
        _ => Err(Problem::Incomparable { left: target, right: "Array" }),
    }
}

/// One of `bools`, of which there is at least one.
fn bool_among(source: Source, bools: &[bool], negated: bool) -> Node {
    match (bools.contains(&false), bools.contains(&true)) {
        (true, true) if source.access == Access::Some => {
            let length = Source { access: Access::Length, ..source };
            number(length, Interval::of(Binary::Greater, Num::Int(0)), negated)
        }
        (false, value) | (value, false) if source.access == Access::Some => {
            source.leaf(Test::Bool(bools.contains(&true) && value), negated)
        }
        (false, false) => source.never(negated),
        (true, true) => source.never(!negated),
        (_, value) => source.leaf(Test::Bool(value ^ negated), false),
    }
}

fn listed<T>(source: Source, values: Vec<T>, test: fn(Vec<T>) -> Test, negated: bool) -> Node {
    if values.is_empty() { source.never(negated) } else { source.leaf(test(values), negated) }
}

fn mixed(source: Source, scalars: Vec<Scalar>, negated: bool) -> Result<Node, Problem> {
    let (mut numbers, mut texts, mut bools) = (Vec::new(), Vec::new(), [false; 2]);
    for scalar in scalars {
        match scalar {
            Scalar::Num(number) => numbers.push(number),
            Scalar::Text(text) => texts.push(text),
            Scalar::Bool(value) => bools[usize::from(value)] = true,
            list => return Err(Problem::Cast { value: list.to_string(), target: "JSON" }),
        }
    }
    if numbers.is_empty() && texts.is_empty() && bools == [false; 2] {
        return Ok(source.never(negated));
    }
    Ok(source.leaf(Test::JsonIn(Box::new(MixedSet::new(numbers, texts, bools))), negated))
}
