//! Functions. A name counts in two spellings, all lower and all upper; every other call reads well and is refused here.

use super::Binder;
use super::operand::{Operand, Scalar};
use crate::ast::Argument;
use crate::error::{Error, Problem, Span};
use crate::predicate::{Node, Test};

/// Whether a call of `name` is true or false of a row.
pub(super) fn is_predicate(name: &str) -> bool {
    !matches!(name, "array_length" | "ARRAY_LENGTH" | "iso" | "ISO" | "interval" | "INTERVAL")
}

impl<'a> Binder<'a> {
    #[inline(never)]
    pub(super) fn call(
        &mut self,
        name: &str,
        arguments: &'a [Argument],
        span: Span,
        negated: bool,
    ) -> Result<Node, Error> {
        let lower = name.to_ascii_lowercase();
        let spelled = name == lower || name == name.to_ascii_uppercase();
        match lower.as_str() {
            "json_contains" | "array_contains" if spelled => {
                self.contains(&lower, arguments, span, None, negated)
            }
            "json_contains_all" | "array_contains_all" if spelled => {
                self.contains(&lower, arguments, span, Some(true), negated)
            }
            "json_contains_any" | "array_contains_any" if spelled => {
                self.contains(&lower, arguments, span, Some(false), negated)
            }
            _ => Err(Error::new(span, Problem::UnknownFunction { name: name.to_owned() })),
        }
    }

    /// `all`: of a list of values all or any; `None`: of one value.
    fn contains(
        &mut self,
        name: &str,
        arguments: &'a [Argument],
        span: Span,
        all: Option<bool>,
        negated: bool,
    ) -> Result<Node, Error> {
        let expected = if all.is_some() {
            "a JSON field or path and a list"
        } else {
            "a JSON field or path and a value"
        };
        let refused = Error::new(span, Problem::Arguments { name: name.to_owned(), expected });
        let [Argument { name: None, value: source }, Argument { name: None, value }] = arguments else {
            return Err(refused);
        };
        let (source, value) = match (self.operand(source)?, self.operand(value)?) {
            (Operand::Source(source), Operand::Const(value, _))
                if source.is_json() && source.steps.is_empty() =>
            {
                (source, value)
            }
            _ => return Err(refused),
        };
        let values = match (all, value) {
            (None, value) => value.to_json().map(|value| vec![value]),
            (Some(_), Scalar::List(values)) => values.iter().map(Scalar::to_json).collect(),
            (Some(_), Scalar::Ints(values)) => Some(values.into_iter().map(Into::into).collect()),
            (Some(_), _) => None,
        };
        let Some(values) = values else {
            return Err(refused);
        };
        Ok(source.leaf(Test::JsonContains(all.unwrap_or(true), values), negated))
    }
}
