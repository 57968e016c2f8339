//! What is asked of texts: patterns, regular expressions, words, beginnings.

use super::Binder;
use super::call::Call;
use super::operand::{Operand, Scalar, Source};
use crate::ast::{Argument, Binary, Expr};
use crate::error::{Error, Problem};
use crate::like::Pattern;
use crate::limits::{EDITS_MAX, EXCERPT_CHARS_MAX, SHOULD_MATCH_MAX};
use crate::number::{Interval, Num};
use crate::predicate::{Node, Test};
use crate::regex::Regex;
use crate::words::{Phrase, Words};

/// What makes a field one whose words can be asked for.
const ENABLE_MATCH: &str = "enable_match";

impl<'a> Binder<'a> {
    #[inline(never)]
    pub(super) fn like(&mut self, value: &'a Expr, pattern: &'a Expr, negated: bool) -> Result<Node, Error> {
        let pattern = match self.operand(pattern)? {
            Operand::Const(Scalar::Text(text), _) => Pattern::new(&text),
            other => {
                let found = other.type_name();
                return Err(Error::new(pattern.span, Problem::LikePattern { found }));
            }
        };
        match self.operand(value)? {
            Operand::Source(source) if source.is_json() && source.steps.is_empty() => {
                Ok(source.leaf(Test::JsonLike(pattern), negated))
            }
            Operand::Source(source) if source.is_text() => Ok(source.leaf(Test::Like(pattern), negated)),
            other => Err(Error::new(value.span, Problem::LikeOperand { found: other.type_name() })),
        }
    }

    #[inline(never)]
    pub(super) fn regex(&mut self, value: &'a Expr, pattern: &'a Expr, negated: bool) -> Result<Node, Error> {
        let regex = match self.operand(pattern)? {
            Operand::Const(Scalar::Text(text), _) => Regex::new(&text).map_err(|reason| {
                let text = text.chars().take(EXCERPT_CHARS_MAX).collect();
                Error::new(pattern.span, Problem::Regex { text, reason })
            })?,
            other => {
                let found = other.type_name();
                return Err(Error::new(pattern.span, Problem::RegexPattern { found }));
            }
        };
        match self.operand(value)? {
            Operand::Source(source) if source.is_json() && source.steps.is_empty() => {
                Ok(source.leaf(Test::JsonRegex(regex), negated))
            }
            Operand::Source(source) if source.is_text() => Ok(source.leaf(Test::Regex(regex), negated)),
            other => Err(Error::new(value.span, Problem::RegexOperand { found: other.type_name() })),
        }
    }

    pub(super) fn text_match(&mut self, call: &Call<'a>) -> Result<Node, Error> {
        let expected = "a VARCHAR or TEXT field, a string and perhaps minimum_should_match=N";
        let (least, arguments) = match call.arguments {
            [rest @ .., Argument { name: Some(name), value }] if is_named(name, "minimum_should_match") => {
                (self.number(value, "minimum_should_match", 1, SHOULD_MATCH_MAX)?, rest)
            }
            arguments => (1, arguments),
        };
        let (source, text) = self.worded(call, arguments, expected)?;
        Ok(source.leaf(Test::Words(Words::new(&text, least, 0)), call.negated))
    }

    pub(super) fn text_match_fuzzy(&mut self, call: &Call<'a>) -> Result<Node, Error> {
        let expected = "a VARCHAR or TEXT field, a string and max_edit_distance=N";
        let [rest @ .., Argument { name: Some(name), value }] = call.arguments else {
            return Err(call.refused(expected));
        };
        if !is_named(name, "max_edit_distance") {
            return Err(call.refused(expected));
        }
        let edits = self.number(value, "max_edit_distance", 0, EDITS_MAX)?;
        let (source, text) = self.worded(call, rest, expected)?;
        Ok(source.leaf(Test::Words(Words::new(&text, 1, edits)), call.negated))
    }

    pub(super) fn phrase_match(&mut self, call: &Call<'a>) -> Result<Node, Error> {
        let expected = "a VARCHAR or TEXT field, a string and perhaps how far words may stray";
        let (slop, arguments) = match call.arguments {
            [rest @ .., Argument { name, value }]
                if rest.len() == 2 && name.as_deref().is_none_or(|name| is_named(name, "slop")) =>
            {
                (self.number(value, "slop", 0, u32::MAX.into())?, rest)
            }
            arguments => (0, arguments),
        };
        let (source, text) = self.worded(call, arguments, expected)?;
        let slop = u32::try_from(slop).unwrap_or(u32::MAX);
        Ok(source.leaf(Test::Phrase(Phrase::new(&text, slop)), call.negated))
    }

    /// The two arguments of a search for words: a field that is cut into words, and a text.
    fn worded(
        &mut self,
        call: &Call<'a>,
        arguments: &'a [Argument],
        expected: &'static str,
    ) -> Result<(Source, String), Error> {
        let [Argument { name: None, value }, Argument { name: None, value: text }] = arguments else {
            return Err(call.refused(expected));
        };
        match (self.operand(value)?, self.operand(text)?) {
            (Operand::Source(source), Operand::Const(Scalar::Text(text), _))
                if source.is_text() && source.is_plain() =>
            {
                let field = self.schema.field(&source.field.name);
                let enabled = field.and_then(|field| field.params.get(ENABLE_MATCH));
                if enabled.is_none_or(|value| !value.eq_ignore_ascii_case("true")) {
                    return Err(Error::new(
                        value.span,
                        Problem::MatchDisabled { name: source.field.name.clone() },
                    ));
                }
                Ok((source, text))
            }
            _ => Err(call.refused(expected)),
        }
    }

    /// A whole number given to a function.
    pub(super) fn number(
        &mut self,
        expr: &'a Expr,
        name: &'static str,
        least: i64,
        most: i64,
    ) -> Result<usize, Error> {
        let found = match self.operand(expr)? {
            Operand::Const(Scalar::Num(Num::Int(number)), _) if (least..=most).contains(&number) => {
                return Ok(usize::try_from(number).unwrap_or(usize::MAX));
            }
            Operand::Const(scalar, _) => scalar.to_string(),
            other => other.type_name().to_owned(),
        };
        Err(Error::new(expr.span, Problem::Range { name, least, most, found }))
    }

    pub(super) fn starts_with(&mut self, call: &Call<'a>) -> Result<Node, Error> {
        let refused = call.refused("a VARCHAR field and a string or a VARCHAR field");
        let [Argument { name: None, value }, Argument { name: None, value: start }] = call.arguments else {
            return Err(refused);
        };
        match (self.operand(value)?, self.operand(start)?) {
            (Operand::Source(source), Operand::Const(Scalar::Text(start), _)) if source.is_text() => {
                Ok(source.leaf(Test::Like(Pattern::prefix(&start)), call.negated))
            }
            (Operand::Source(source), Operand::Source(start))
                if source.is_text() && source.is_plain() && start.is_text() && start.is_plain() =>
            {
                Ok(source.leaf(Test::StartsWith(start.field), call.negated))
            }
            _ => Err(refused),
        }
    }

    pub(super) fn is_empty(&mut self, call: &Call<'a>) -> Result<Node, Error> {
        let refused = call.refused("a VARCHAR field");
        let [Argument { name: None, value }] = call.arguments else {
            return Err(refused);
        };
        match self.operand(value)? {
            Operand::Source(source) if source.is_text() => {
                let nothing = Interval::of(Binary::Equal, String::new());
                Ok(source.leaf(Test::Texts(nothing), call.negated))
            }
            _ => Err(refused),
        }
    }
}

/// Whether an option is called `name`, in one of the two spellings.
pub(super) fn is_named(option: &str, name: &str) -> bool {
    super::call::canonical(option).as_deref() == Some(name)
}
