//! Moments: `iso '..'`, `interval '..'`, and TIMESTAMPTZ fields with an interval added.

use super::Binder;
use super::call::Call;
use super::operand::{Operand, Scalar, Source};
use crate::ast::{Argument, Binary};
use crate::error::{Error, Problem, Span};
use crate::moment::Length;
use crate::number::{Interval, Num};
use crate::predicate::{Access, Node, Test};
use data::Type;
use std::ops::Bound;

impl<'a> Binder<'a> {
    /// The text of `iso '..'` or `interval '..'`.
    pub(super) fn literal(&mut self, call: &Call<'a>) -> Result<Scalar, Error> {
        let refused = call.refused("a string");
        let [Argument { name: None, value }] = call.arguments else {
            return Err(refused);
        };
        let Operand::Const(Scalar::Text(text), _) = self.operand(value)? else {
            return Err(refused);
        };
        if call.name == "iso" {
            return self.moment(&text, value.span);
        }
        let length = Length::parse(&text);
        length.map(Scalar::Length).ok_or(Error::new(value.span, Problem::Length { text }))
    }

    fn moment(&self, text: &str, span: Span) -> Result<Scalar, Error> {
        let moment = self.zone.parse(text);
        moment
            .map(Scalar::Moment)
            .map_err(|error| Error::new(span, Problem::Moment { reason: error.to_string() }))
    }

    /// A text that is compared with a moment is one.
    pub(super) fn meant(&self, source: &Source, constant: Scalar, span: Span) -> Result<Scalar, Error> {
        if source.data_type() != Type::Timestamptz {
            return Ok(constant);
        }
        match constant {
            Scalar::Text(text) => self.moment(&text, span),
            Scalar::List(values) => {
                let values = values.into_iter().map(|value| self.meant(source, value, span));
                Ok(Scalar::List(values.collect::<Result<_, _>>()?))
            }
            other => Ok(other),
        }
    }
}

/// `a op b`, one of them an interval; `None`: neither is.
pub(super) fn arithmetic<'a>(
    op: Binary,
    left: &Operand<'a>,
    right: &Operand<'a>,
) -> Option<Result<Operand<'a>, Problem>> {
    let (other, length) = match (left, right) {
        (other, Operand::Const(Scalar::Length(length), _)) => (other, *length),
        (Operand::Const(Scalar::Length(length), _), other) if op == Binary::Add => (other, *length),
        _ => return None,
    };
    let length = match op {
        Binary::Add => length,
        Binary::Subtract => length.negated(),
        _ => return Some(Err(Problem::Arithmetic { op: op.symbol(), found: "Interval" })),
    };
    Some(match other {
        Operand::Source(source)
            if source.data_type() == Type::Timestamptz && source.later.is_none() && source.is_plain() =>
        {
            Ok(Operand::Source(Source { later: Some(length), ..source.clone() }))
        }
        Operand::Const(Scalar::Moment(moment), template) => {
            let moment = crate::moment::add_months(*moment, length.months).saturating_add(length.micros);
            Ok(Operand::Const(Scalar::Moment(moment), *template))
        }
        Operand::Source(source) if source.later.is_some() => {
            Err(Problem::Unsupported { what: "more than one INTERVAL" })
        }
        other => Err(Problem::Arithmetic { op: op.symbol(), found: other.type_name() }),
    })
}

/// The moments of `source` that lie in `interval`. Days and shorter times move the bounds; months depend on the row.
pub(super) fn between(source: Source, interval: Interval<i64>, negated: bool) -> Node {
    let length = source.later.unwrap_or(Length { months: 0, micros: 0 });
    let bound = |bound: Bound<i64>| bound.map(|moment| Num::Int(moment.saturating_sub(length.micros)));
    let interval = Interval { low: bound(interval.low), high: bound(interval.high) };
    let access = if length.months == 0 { Access::Whole } else { Access::Later(length.months) };
    let source = Source { access, later: None, ..source };
    match interval.ints((i64::MIN, i64::MAX)) {
        None => source.never(negated),
        Some((i64::MIN, i64::MAX)) => source.never(!negated),
        Some((low, high)) => source.leaf(Test::Ints(low, high), negated),
    }
}
