//! From text to tree by operator precedence (Pratt, "Top Down Operator Precedence", 1973). Invariant: recursion is
//! bounded by `limits::DEPTH_MAX`, chains are loops, and every byte of the text is read once.

mod primary;

use crate::ast::{Ast, Binary, Expr, ExprKind, Unary};
use crate::error::{Error, Problem, Span};
use crate::lex::Token;
use crate::limits::{DEPTH_MAX, EXCERPT_CHARS_MAX, TEXT_BYTES_MAX};
use logos::{Lexer, Logos};

/// Reads an expression. A blank text is the expression that is always true: no filter.
///
/// # Errors
/// [`Error`] with what was expected and where: [`Problem::Syntax`], [`Problem::Leftover`], [`Problem::TooLong`],
/// [`Problem::TooDeep`].
pub fn parse(text: &str) -> Result<Ast, Error> {
    if text.len() > TEXT_BYTES_MAX {
        let problem = Problem::TooLong { bytes: text.len(), max: TEXT_BYTES_MAX };
        return Err(Error::new(Span::default(), problem));
    }
    let mut parser = Parser::new(text);
    if parser.next == Next::End {
        let root = parser.node(ExprKind::Bool(true), Span::default())?;
        return Ok(Ast { root, text: String::new() });
    }
    let root = parser.expression(Level::Any)?;
    if parser.next != Next::End {
        return Err(parser.leftover());
    }
    Ok(Ast { root, text: text.chars().take(EXCERPT_CHARS_MAX).collect() })
}

/// How tightly an operator holds, loosest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Any,
    All,
    BitOr,
    BitXor,
    BitAnd,
    Equality,
    Order,
    /// A bound of a chained range and the right side of an ordering.
    Range,
    In,
    Shift,
    Sum,
    Product,
    Sign,
    Power,
    Like,
    Exists,
}

impl Level {
    /// The next tighter one: what the right side of a left-associative operator may hold.
    fn tighter(self) -> Self {
        match self {
            Self::Any => Self::All,
            Self::All => Self::BitOr,
            Self::BitOr => Self::BitXor,
            Self::BitXor => Self::BitAnd,
            Self::BitAnd => Self::Equality,
            Self::Equality => Self::Order,
            Self::Order => Self::Range,
            Self::Range => Self::In,
            Self::In => Self::Shift,
            Self::Shift => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product => Self::Sign,
            Self::Sign => Self::Power,
            Self::Power => Self::Like,
            Self::Like | Self::Exists => Self::Exists,
        }
    }
}

/// What the lexer stands before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Token(Token),
    /// No word begins here.
    Unknown,
    End,
}

pub(crate) struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a, Token>,
    next: Next,
    span: Span,
    nesting: u16,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut parser =
            Self { text, lexer: Token::lexer(text), next: Next::End, span: Span::default(), nesting: 0 };
        parser.advance();
        parser
    }

    /// Steps over the next word; gives its place.
    fn advance(&mut self) -> Span {
        let passed = self.span;
        self.next = match self.lexer.next() {
            Some(Ok(token)) => Next::Token(token),
            Some(Err(())) => Next::Unknown,
            None => Next::End,
        };
        // `parse` refuses texts that 32 bits cannot index.
        let range = self.lexer.span();
        self.span = Span { start: range.start as u32, end: range.end as u32 };
        passed
    }

    fn at(&self, token: Token) -> bool {
        self.next == Next::Token(token)
    }

    /// Steps over `token` if it comes next.
    fn take(&mut self, token: Token) -> Option<Span> {
        self.at(token).then(|| self.advance())
    }

    fn expect(&mut self, token: Token, expected: &'static str) -> Result<Span, Error> {
        self.take(token).ok_or_else(|| self.unexpected(expected))
    }

    fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn unexpected(&self, expected: &'static str) -> Error {
        let (line, column) = self.place();
        Error::new(self.span, Problem::Syntax { line, column, expected, found: self.found() })
    }

    fn leftover(&self) -> Error {
        let (line, column) = self.place();
        let text = self.text.chars().take(EXCERPT_CHARS_MAX).collect();
        Error::new(self.span, Problem::Leftover { text, line, column, found: self.found() })
    }

    fn found(&self) -> String {
        if self.next == Next::End {
            return "the end".to_owned();
        }
        // A quote is no word by itself: the lexer has looked for the other one.
        if self.next == Next::Unknown && self.slice(self.span).ends_with(['"', '\'']) {
            return "a string that is not closed".to_owned();
        }
        format!("'{}'", self.slice(self.span).chars().take(40).collect::<String>())
    }

    fn place(&self) -> (usize, usize) {
        let before = self.text.get(..self.span.start as usize).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        (1 + before.matches('\n').count(), line.chars().count())
    }

    fn node(&self, kind: ExprKind, span: Span) -> Result<Expr, Error> {
        let depth = kind.depth() + 1;
        self.node_of(kind, span, depth)
    }

    fn node_of(&self, kind: ExprKind, span: Span, depth: u16) -> Result<Expr, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::new(span, Problem::TooDeep { max: DEPTH_MAX }));
        }
        Ok(Expr { kind, span, depth, grouped: false })
    }

    /// Reads as much as operators of at least `level` hold together.
    fn expression(&mut self, level: Level) -> Result<Expr, Error> {
        if self.nesting == DEPTH_MAX {
            return Err(Error::new(self.span, Problem::TooDeep { max: DEPTH_MAX }));
        }
        self.nesting += 1;
        let mut left = self.prefix()?;
        while let Next::Token(token) = self.next {
            let Some(operator) = Operator::of(token).filter(|operator| operator.level() >= level) else {
                break;
            };
            left = self.infix(left, operator)?;
        }
        self.nesting -= 1;
        Ok(left)
    }

    fn prefix(&mut self) -> Result<Expr, Error> {
        let (op, level) = match self.next {
            Next::Token(Token::Not) => (Unary::Not, Level::Sign),
            Next::Token(Token::Minus) => (Unary::Minus, Level::Sign),
            Next::Token(Token::Plus) => (Unary::Plus, Level::Sign),
            Next::Token(Token::Tilde) => (Unary::Complement, Level::Sign),
            Next::Token(Token::Exists) => (Unary::Exists, Level::Exists),
            _ => return self.primary(),
        };
        let start = self.advance();
        if op == Unary::Minus && self.at(Token::Integer) && self.slice(self.span) == "9223372036854775808" {
            let span = start.to(self.advance());
            return self.node(ExprKind::Int(i64::MIN), span);
        }
        let operand = self.expression(level)?;
        let span = start.to(operand.span);
        self.node(ExprKind::Unary(op, Box::new(operand)), span)
    }

    fn infix(&mut self, left: Expr, operator: Operator) -> Result<Expr, Error> {
        self.advance();
        let level = operator.level();
        match operator {
            Operator::Any | Operator::All => {
                let right = self.expression(level.tighter())?;
                self.chain(left, right, operator == Operator::All)
            }
            Operator::Binary(first, _) if first.is_order() => self.ordering(left, first),
            Operator::Binary(op, _) => {
                let right = self.expression(level.tighter())?;
                let span = left.span.to(right.span);
                self.node(ExprKind::Binary(op, Box::new(left), Box::new(right)), span)
            }
            Operator::In | Operator::NotIn => {
                if operator == Operator::NotIn {
                    self.expect(Token::In, "'in' after 'not'")?;
                }
                let right = self.expression(level.tighter())?;
                let span = left.span.to(right.span);
                self.node(ExprKind::In(Box::new(left), Box::new(right), operator == Operator::NotIn), span)
            }
            Operator::Like => {
                if !self.at(Token::Text) && !self.at(Token::OpenBrace) {
                    return Err(self.unexpected("a string or {template} after 'like'"));
                }
                let right = self.primary()?;
                let span = left.span.to(right.span);
                self.node(ExprKind::Like(Box::new(left), Box::new(right)), span)
            }
        }
    }

    /// The rest of a comparison by order, which may turn out to be a chained range.
    fn ordering(&mut self, left: Expr, first: Binary) -> Result<Expr, Error> {
        let middle = self.expression(Level::In)?;
        if let Next::Token(token) = self.next
            && let Some(Operator::Binary(second, _)) = Operator::of(token)
            && second.is_order()
            && second.is_rising() == first.is_rising()
        {
            self.advance();
            let right = self.expression(Level::In)?;
            let span = left.span.to(right.span);
            return self.node(ExprKind::Range(Box::new([left, middle, right]), [first, second]), span);
        }
        let span = left.span.to(middle.span);
        self.node(ExprKind::Binary(first, Box::new(left), Box::new(middle)), span)
    }

    /// Joins two sides of `and` or `or` into one flat chain. Costs as much as its right side has members.
    fn chain(&self, left: Expr, right: Expr, all: bool) -> Result<Expr, Error> {
        let span = left.span.to(right.span);
        let mut members = Vec::new();
        let mut depth = 0;
        for side in [left, right] {
            match side.kind {
                ExprKind::All(more) if all => append(&mut members, more),
                ExprKind::Any(more) if !all => append(&mut members, more),
                kind => {
                    depth = depth.max(side.depth + 1);
                    members.push(Expr { kind, ..side });
                    continue;
                }
            }
            depth = depth.max(side.depth);
        }
        self.node_of(if all { ExprKind::All(members) } else { ExprKind::Any(members) }, span, depth)
    }
}

/// Moves `more` behind `members`; the first, long chain is taken over as it is, which keeps a chain linear.
fn append(members: &mut Vec<Expr>, more: Vec<Expr>) {
    if members.is_empty() {
        *members = more;
    } else {
        members.extend(more);
    }
}

/// What may stand behind an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Any,
    All,
    In,
    NotIn,
    Like,
    Binary(Binary, Level),
}

impl Operator {
    fn of(token: Token) -> Option<Self> {
        Some(match token {
            Token::Or => Self::Any,
            Token::And => Self::All,
            Token::In => Self::In,
            Token::Not => Self::NotIn,
            Token::Like => Self::Like,
            Token::Bar => Self::Binary(Binary::BitOr, Level::BitOr),
            Token::Caret => Self::Binary(Binary::BitXor, Level::BitXor),
            Token::Ampersand => Self::Binary(Binary::BitAnd, Level::BitAnd),
            Token::Equal => Self::Binary(Binary::Equal, Level::Equality),
            Token::Unequal => Self::Binary(Binary::Unequal, Level::Equality),
            Token::Less => Self::Binary(Binary::Less, Level::Order),
            Token::LessEqual => Self::Binary(Binary::LessEqual, Level::Order),
            Token::Greater => Self::Binary(Binary::Greater, Level::Order),
            Token::GreaterEqual => Self::Binary(Binary::GreaterEqual, Level::Order),
            Token::ShiftLeft => Self::Binary(Binary::ShiftLeft, Level::Shift),
            Token::ShiftRight => Self::Binary(Binary::ShiftRight, Level::Shift),
            Token::Plus => Self::Binary(Binary::Add, Level::Sum),
            Token::Minus => Self::Binary(Binary::Subtract, Level::Sum),
            Token::Star => Self::Binary(Binary::Multiply, Level::Product),
            Token::Slash => Self::Binary(Binary::Divide, Level::Product),
            Token::Percent => Self::Binary(Binary::Modulo, Level::Product),
            Token::Power => Self::Binary(Binary::Power, Level::Power),
            Token::Matches => Self::Binary(Binary::Matches, Level::Like),
            Token::MatchesNot => Self::Binary(Binary::MatchesNot, Level::Like),
            _ => return None,
        })
    }

    fn level(self) -> Level {
        match self {
            Self::Any => Level::Any,
            Self::All => Level::All,
            Self::In | Self::NotIn => Level::In,
            Self::Like => Level::Like,
            Self::Binary(_, level) => level,
        }
    }
}
