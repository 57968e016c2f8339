//! What needs no operator: literals, names and what hangs on them, lists, calls, parentheses.

use super::{Level, Next, Parser};
use crate::ast::{Argument, Expr, ExprKind, Part, Unary};
use crate::error::{Error, Span};
use crate::lex::Token;
use crate::literal;

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<Expr, Error> {
        let Next::Token(token) = self.next else {
            return Err(self.unexpected("a field, a value or '('"));
        };
        match token {
            Token::OpenParen => {
                self.advance();
                let inner = self.expression(Level::Any)?;
                self.expect(Token::CloseParen, "an operator or ')'")?;
                Ok(Expr { grouped: true, ..inner })
            }
            Token::Name | Token::Element => self.name(),
            Token::OpenBracket => self.list(),
            Token::OpenBrace => self.template(),
            Token::True | Token::False => {
                let span = self.advance();
                self.node(ExprKind::Bool(token == Token::True), span)
            }
            Token::Integer | Token::Float | Token::Text => {
                let kind = self.literal(token)?;
                let span = self.advance();
                self.node(kind, span)
            }
            _ => Err(self.unexpected("a field, a value or '('")),
        }
    }

    /// The value of the literal that comes next; does not step over it.
    fn literal(&self, token: Token) -> Result<ExprKind, Error> {
        let text = self.slice(self.span);
        match token {
            Token::Integer => literal::unsigned(text)
                .and_then(|value| i64::try_from(value).ok())
                .map(ExprKind::Int)
                .ok_or_else(|| self.unexpected("an integer of 64 bits")),
            Token::Float => literal::float(text)
                .filter(|value| value.is_finite())
                .map(ExprKind::Float)
                .ok_or_else(|| self.unexpected("a floating number of 64 bits")),
            _ => literal::unquote(text)
                .map(ExprKind::Text)
                .ok_or_else(|| self.unexpected("a string whose escapes make UTF-8")),
        }
    }

    fn template(&mut self) -> Result<Expr, Error> {
        let start = self.advance();
        let name = self.expect(Token::Name, "the name of a template variable")?;
        let end = self.expect(Token::CloseBrace, "'}'")?;
        self.node(ExprKind::Template(self.slice(name).to_owned()), start.to(end))
    }

    fn list(&mut self) -> Result<Expr, Error> {
        let start = self.advance();
        let (mut ints, mut items) = (Vec::new(), Vec::new());
        loop {
            if let Some(end) = self.take(Token::CloseBracket) {
                return self.list_of(ints, items, start.to(end));
            }
            let item = self.expression(Level::Any)?;
            match plain_int(&item) {
                Some(value) if items.is_empty() => ints.push(value),
                _ => {
                    for value in ints.drain(..) {
                        items.push(self.node(ExprKind::Int(value), start)?);
                    }
                    items.push(item);
                }
            }
            if self.take(Token::Comma).is_none() {
                let end = self.expect(Token::CloseBracket, "',' or ']'")?;
                return self.list_of(ints, items, start.to(end));
            }
        }
    }

    fn list_of(&self, ints: Vec<i64>, items: Vec<Expr>, span: Span) -> Result<Expr, Error> {
        self.node(if items.is_empty() { ExprKind::Ints(ints) } else { ExprKind::List(items) }, span)
    }

    /// A name: a field with its path, or the start of a call, perhaps with `is null` behind it.
    fn name(&mut self) -> Result<Expr, Error> {
        let span = self.advance();
        let name = self.slice(span).to_owned();
        if self.at(Token::OpenParen) {
            return self.call(name, span);
        }
        if matches!(name.as_str(), "iso" | "ISO" | "interval" | "INTERVAL") && self.at(Token::Text) {
            let value = self.primary()?;
            let span = span.to(value.span);
            return self.node(ExprKind::Call(name, vec![Argument { name: None, value }]), span);
        }
        let (parts, end) = self.parts(span)?;
        let path = self.node(ExprKind::Path(name, parts), span.to(end))?;
        if self.at(Token::IsNull) || self.at(Token::IsNotNull) {
            let negated = self.at(Token::IsNotNull);
            let span = span.to(self.advance());
            return self.node(ExprKind::IsNull(Box::new(path), negated), span);
        }
        Ok(path)
    }

    fn parts(&mut self, name: Span) -> Result<(Vec<Part>, Span), Error> {
        let (mut parts, mut end) = (Vec::new(), name);
        while self.take(Token::OpenBracket).is_some() {
            let part = match self.next {
                Next::Token(Token::Name) => Part::Field(self.slice(self.span).to_owned()),
                Next::Token(token @ (Token::Text | Token::Integer)) => match self.literal(token)? {
                    ExprKind::Int(index) => Part::Index(index.unsigned_abs()),
                    ExprKind::Text(key) => Part::Key(key),
                    _ => return Err(self.unexpected("a key or an index")),
                },
                _ => return Err(self.unexpected("a key in quotes, an index or the name of a sub-field")),
            };
            self.advance();
            end = self.expect(Token::CloseBracket, "']'")?;
            parts.push(part);
        }
        Ok((parts, end))
    }

    fn call(&mut self, name: String, start: Span) -> Result<Expr, Error> {
        self.advance();
        let mut arguments = Vec::new();
        loop {
            if let Some(end) = self.take(Token::CloseParen) {
                return self.node(ExprKind::Call(name, arguments), start.to(end));
            }
            arguments.push(self.argument()?);
            if self.take(Token::Comma).is_none() {
                let end = self.expect(Token::CloseParen, "',' or ')'")?;
                return self.node(ExprKind::Call(name, arguments), start.to(end));
            }
        }
    }

    fn argument(&mut self) -> Result<Argument, Error> {
        let value = self.expression(Level::Any)?;
        if !self.at(Token::Assign) {
            return Ok(Argument { name: None, value });
        }
        let ExprKind::Path(name, parts) = value.kind else {
            return Err(self.unexpected("',' or ')'"));
        };
        if !parts.is_empty() {
            return Err(self.unexpected("',' or ')'"));
        }
        self.advance();
        let value = self.expression(Level::Any)?;
        Ok(Argument { name: Some(name), value })
    }
}

/// The number, when `expr` is one with or without a minus.
fn plain_int(expr: &Expr) -> Option<i64> {
    match &expr.kind {
        ExprKind::Int(value) => Some(*value),
        ExprKind::Unary(Unary::Minus, inner) => match inner.kind {
            ExprKind::Int(value) => value.checked_neg(),
            _ => None,
        },
        _ => None,
    }
}
