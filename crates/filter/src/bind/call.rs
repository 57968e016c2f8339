//! Functions. A name counts in two spellings, all lower and all upper; every other call reads well and is refused here.

use super::Binder;
use super::operand::{Operand, Scalar};
use crate::ast::Argument;
use crate::error::{Error, Problem, Span};
use crate::predicate::{Node, Test};
use crate::shape::Relation;
use data::Type;

/// Whether a call of `name` is true or false of a row.
pub(super) fn is_predicate(name: &str) -> bool {
    !matches!(name, "array_length" | "ARRAY_LENGTH" | "iso" | "ISO" | "interval" | "INTERVAL")
}

/// The name in lower case, if it is written in one of the two spellings.
pub(super) fn canonical(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    (name == lower || name == name.to_ascii_uppercase()).then_some(lower)
}

/// A call under a known name.
pub(super) struct Call<'a> {
    pub(super) name: String,
    pub(super) arguments: &'a [Argument],
    pub(super) span: Span,
    pub(super) negated: bool,
}

impl Call<'_> {
    /// The error that says what the function takes.
    pub(super) fn refused(&self, expected: &'static str) -> Error {
        Error::new(self.span, Problem::Arguments { name: self.name.clone(), expected })
    }
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
        let call = Call { name: canonical(name).unwrap_or_default(), arguments, span, negated };
        match call.name.as_str() {
            "json_contains" | "array_contains" => self.contains(&call, None),
            "json_contains_all" | "array_contains_all" => self.contains(&call, Some(true)),
            "json_contains_any" | "array_contains_any" => self.contains(&call, Some(false)),
            "text_match" => self.text_match(&call),
            "text_match_fuzzy" => self.text_match_fuzzy(&call),
            "phrase_match" => self.phrase_match(&call),
            "starts_with" => self.starts_with(&call),
            "empty" => self.is_empty(&call),
            "match_any" | "match_all" | "match_least" | "match_most" | "match_exact" => self.elements(&call),
            "element_filter" => Err(Error::new(span, Problem::ElementFilterPlace)),
            "st_dwithin" => self.near(&call),
            "st_isvalid" => self.is_valid(&call),
            "random_sample" => Err(Error::new(span, Problem::SamplePlace)),
            other => match Relation::named(other) {
                Some(relation) => self.relation(&call, relation),
                None => Err(Error::new(span, Problem::UnknownFunction { name: name.to_owned() })),
            },
        }
    }

    /// A call that gives a value.
    #[inline(never)]
    pub(super) fn value(
        &mut self,
        name: &str,
        arguments: &'a [Argument],
        span: Span,
    ) -> Result<Operand<'a>, Error> {
        match canonical(name).as_deref() {
            Some(literal @ ("iso" | "interval")) => {
                let call = Call { name: literal.to_owned(), arguments, span, negated: false };
                self.literal(&call).map(|scalar| Operand::Const(scalar, false))
            }
            Some("array_length") => {
                let call = Call { name: "array_length".to_owned(), arguments, span, negated: false };
                self.length(&call).map(Operand::Source)
            }
            _ => Err(Error::new(span, Problem::UnknownFunction { name: name.to_owned() })),
        }
    }

    /// `all`: of a list of values all or any; `None`: of one value.
    fn contains(&mut self, call: &Call<'a>, all: Option<bool>) -> Result<Node, Error> {
        let refused = call.refused(if all.is_some() {
            "an array, a JSON field or a path, and a list"
        } else {
            "an array, a JSON field or a path, and a value"
        });
        let [Argument { name: None, value: source }, Argument { name: None, value }] = call.arguments else {
            return Err(refused);
        };
        let (source, value) = match (self.operand(source)?, self.operand(value)?) {
            (Operand::Source(source), Operand::Const(value, _)) if source.is_plain() => (source, value),
            _ => return Err(refused),
        };
        match source.data_type() {
            Type::Json => {}
            Type::Array => return self.array_contains(source, value, all, call),
            _ => return Err(refused),
        }
        let values = match (all, value) {
            (None, value) => value.to_json().map(|value| vec![value]),
            (Some(_), Scalar::List(values)) => values.iter().map(Scalar::to_json).collect(),
            (Some(_), Scalar::Ints(values)) => Some(values.into_iter().map(Into::into).collect()),
            (Some(_), _) => None,
        };
        let Some(values) = values else {
            return Err(refused);
        };
        Ok(source.leaf(Test::JsonContains(all.unwrap_or(true), values), call.negated))
    }
}
