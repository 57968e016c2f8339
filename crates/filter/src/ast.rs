//! An expression as written: names are not looked up, types not known. Invariant: no tree is deeper than
//! `limits::DEPTH_MAX`, so that every walk over one may recurse.

use crate::error::Span;
use crate::literal;
use std::fmt;

/// A parsed expression. Its `Display` puts every operation in parentheses.
#[derive(Debug, Clone, PartialEq)]
pub struct Ast {
    pub(crate) root: Expr,
    /// The text, for messages.
    pub(crate) text: String,
}

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
    /// Levels below and including this one.
    pub(crate) depth: u16,
    /// Whether it stands in parentheses of its own.
    pub(crate) grouped: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExprKind {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// `{name}`
    Template(String),
    /// `[1, 2, 3]`: whole numbers only, which lists of many thousand values are.
    Ints(Vec<i64>),
    /// `[..]` of anything.
    List(Vec<Expr>),
    /// A name and what follows it in brackets.
    Path(String, Vec<Part>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    /// `low < value <= high`, and `>` likewise: both operators go the same way.
    Range(Box<[Expr; 3]>, [Binary; 2]),
    /// Two or more of them.
    All(Vec<Expr>),
    /// Two or more of them.
    Any(Vec<Expr>),
    /// The flag: `not in`.
    In(Box<Expr>, Box<Expr>, bool),
    /// `like` and its pattern.
    Like(Box<Expr>, Box<Expr>),
    /// The flag: `is not null`.
    IsNull(Box<Expr>, bool),
    /// Every form that reads `name(..)`, and `iso '..'`, `interval '..'`.
    Call(String, Vec<Argument>),
}

/// What stands in brackets behind a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// `["key"]`
    Key(String),
    /// `[0]`
    Index(u64),
    /// `[name]`: a field of a struct.
    Field(String),
}

/// An argument of a call; the name is that of `name=value`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    pub(crate) name: Option<String>,
    pub(crate) value: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Not,
    Exists,
    Minus,
    Plus,
    Complement,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    ShiftLeft,
    ShiftRight,
    BitAnd,
    BitXor,
    BitOr,
    Matches,
    MatchesNot,
}

impl Binary {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Power => "**",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::BitAnd => "&",
            Self::BitXor => "^",
            Self::BitOr => "|",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }

    /// Whether it compares two values.
    pub(crate) fn is_comparison(self) -> bool {
        self.is_order() || matches!(self, Self::Equal | Self::Unequal)
    }

    /// Whether it is one of `<`, `<=`, `>`, `>=`.
    pub(crate) fn is_order(self) -> bool {
        self.is_rising() || matches!(self, Self::Greater | Self::GreaterEqual)
    }

    /// Whether it is `<` or `<=`.
    pub(crate) fn is_rising(self) -> bool {
        matches!(self, Self::Less | Self::LessEqual)
    }

    /// The comparison that holds when the sides change places.
    pub(crate) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            other => other,
        }
    }
}

impl Unary {
    fn symbol(self) -> &'static str {
        match self {
            Self::Not => "not ",
            Self::Exists => "exists ",
            Self::Minus => "-",
            Self::Plus => "+",
            Self::Complement => "~",
        }
    }
}

impl ExprKind {
    /// Levels below this node.
    pub(crate) fn depth(&self) -> u16 {
        let deepest = |exprs: &[Expr]| exprs.iter().map(|expr| expr.depth).max().unwrap_or(0);
        match self {
            Self::Unary(_, a) | Self::IsNull(a, _) => a.depth,
            Self::Binary(_, a, b) | Self::In(a, b, _) | Self::Like(a, b) => a.depth.max(b.depth),
            Self::Range(exprs, _) => deepest(exprs.as_slice()),
            Self::All(exprs) | Self::Any(exprs) | Self::List(exprs) => deepest(exprs),
            Self::Call(_, arguments) => arguments.iter().map(|a| a.value.depth).max().unwrap_or(0),
            _ => 0,
        }
    }
}

impl fmt::Display for Ast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Bool(value) => value.fmt(f),
            ExprKind::Int(value) => value.fmt(f),
            ExprKind::Float(value) => f.write_str(&literal::write_float(*value)),
            ExprKind::Text(text) => f.write_str(&literal::quote(text)),
            ExprKind::Template(name) => write!(f, "{{{name}}}"),
            ExprKind::Ints(values) => list(f, values, ", ", ("[", "]")),
            ExprKind::List(values) => list(f, values, ", ", ("[", "]")),
            ExprKind::Path(name, parts) => {
                f.write_str(name)?;
                parts.iter().try_for_each(|part| part.fmt(f))
            }
            ExprKind::Unary(op, a) => write!(f, "({}{a})", op.symbol()),
            ExprKind::Binary(op, a, b) => write!(f, "({a} {} {b})", op.symbol()),
            ExprKind::Range(exprs, [first, second]) => {
                let [a, b, c] = exprs.as_ref();
                write!(f, "({a} {} {b} {} {c})", first.symbol(), second.symbol())
            }
            ExprKind::All(exprs) => list(f, exprs, " and ", ("(", ")")),
            ExprKind::Any(exprs) => list(f, exprs, " or ", ("(", ")")),
            ExprKind::In(a, b, negated) => write!(f, "({a} {} {b})", if *negated { "not in" } else { "in" }),
            ExprKind::Like(a, b) => write!(f, "({a} like {b})"),
            ExprKind::IsNull(a, negated) => {
                write!(f, "({a} {})", if *negated { "is not null" } else { "is null" })
            }
            ExprKind::Call(name, arguments) => {
                f.write_str(name)?;
                list(f, arguments, ", ", ("(", ")"))
            }
        }
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        self.value.fmt(f)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "[{}]", literal::quote(key)),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Field(name) => write!(f, "[{name}]"),
        }
    }
}

fn list<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    between: &str,
    (open, close): (&str, &str),
) -> fmt::Result {
    f.write_str(open)?;
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { between })?;
    }
    f.write_str(close)
}
