//! What is wrong with an expression: where, what, and which of the contract's two kinds it is.

use std::fmt;

/// Where in the text: bytes `start .. end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    pub(crate) fn to(self, end: Self) -> Self {
        Self { start: self.start, end: end.end }
    }

    pub(crate) fn covers(self, inner: Self) -> bool {
        self.start <= inner.start && inner.end <= self.end
    }
}

/// Which of the contract's codes an error is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The parameter is invalid (1100): syntax, unknown names, types, templates.
    Parameter,
    /// The query has no plan (2201): it reads well but cannot be meant.
    Plan,
}

/// Why an expression was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Where.
    pub span: Span,
    /// What.
    pub problem: Problem,
}

impl Error {
    pub(crate) fn new(span: Span, problem: Problem) -> Self {
        Self { span, problem }
    }

    /// Which code it is answered with.
    pub fn kind(&self) -> ErrorKind {
        match self.problem {
            Problem::Leftover { .. }
            | Problem::ReversedRange
            | Problem::LikeOperand { .. }
            | Problem::Regex { .. }
            | Problem::ZeroDivisor { .. }
            | Problem::Overflow { .. } => ErrorKind::Plan,
            _ => ErrorKind::Parameter,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl std::error::Error for Error {}

/// What can be wrong with an expression. Texts are those clients of the contract look for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Another word was due. Lines count from 1, columns (characters) from 0.
    #[error("line {line}:{column} expected {expected}, found {found}")]
    Syntax {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What would have been right.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The expression is complete and the text goes on.
    #[error(
        "invalid expression: {text}: line {line}:{column} expected an operator or the end, found {found}"
    )]
    Leftover {
        /// The expression, cut to a readable length.
        text: String,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What stands there.
        found: String,
    },
    /// The text is too long.
    #[error("the expression has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// Its bytes.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// It nests too deep.
    #[error("the expression nests deeper than {max} levels")]
    TooDeep {
        /// The bound.
        max: u16,
    },
    /// No such field, and no dynamic field that could hold it.
    #[error("field {name} not exist")]
    UnknownField {
        /// Its name.
        name: String,
    },
    /// The two sides cannot be compared.
    #[error("comparisons between {left} and {right} are not supported")]
    Incomparable {
        /// Type of the left side.
        left: &'static str,
        /// Type of the right side.
        right: &'static str,
    },
    /// Two columns, one of them JSON.
    #[error("two column comparison with JSON type is not supported")]
    JsonColumns,
    /// `not` before something that is neither true nor false.
    #[error("not op can only be applied on boolean expression")]
    NotOperand,
    /// The whole, or a side of `and` and `or`, is neither true nor false.
    #[error("predicate is not a boolean expression: {text}, data type: {found}")]
    NotPredicate {
        /// The part in question.
        text: String,
        /// Its type.
        found: &'static str,
    },
    /// The bounds of a chained range are in the wrong order.
    #[error("invalid range: lowerbound is greater than upperbound")]
    ReversedRange,
    /// A chained range around something else than a field, or with bounds that are no constants.
    #[error("a chained range takes a field between two constants")]
    RangeShape,
    /// `in` without a list.
    #[error("the right-hand side of 'in' must be a list, got {found}")]
    NotList {
        /// What it is.
        found: &'static str,
    },
    /// A template for `in` holds no list.
    #[error("the value of term expression template variable {{{name}}} is not array")]
    TemplateNotList {
        /// The template's name.
        name: String,
    },
    /// A template was given no value.
    #[error("the value of expression template variable name {{{name}}} is not found")]
    TemplateMissing {
        /// The template's name.
        name: String,
    },
    /// A template's value is of no use in an expression.
    #[error("the value of expression template variable {{{name}}} cannot be null or a JSON document")]
    TemplateValue {
        /// The template's name.
        name: String,
    },
    /// A template between two constants.
    #[error("placeholder was not supported between two constants with operator: {op}")]
    TemplateConstants {
        /// The operator.
        op: &'static str,
    },
    /// A value of a list does not fit the field.
    #[error("value '{value}' in list cannot be casted to {target}: cannot cast value to {target}")]
    Cast {
        /// The value.
        value: String,
        /// The field's type.
        target: &'static str,
    },
    /// An operator on a type that has no such operation.
    #[error("'{op}' can only be used between integer or floating or json field expressions, got {found}")]
    Arithmetic {
        /// The operator.
        op: &'static str,
        /// The operand's type.
        found: &'static str,
    },
    /// `%` and bit operators on floating numbers.
    #[error("'{op}' can only apply on integer types")]
    IntegersOnly {
        /// The operator.
        op: &'static str,
    },
    /// An operator between two fields.
    #[error("'{op}' between two fields is not supported: one side must be a constant")]
    ArithmeticFields {
        /// The operator.
        op: &'static str,
    },
    /// `/` or `%` with the field on the right.
    #[error("'{op}' with a constant on the left is not supported: write the field first")]
    FieldDivisor {
        /// The operator.
        op: &'static str,
    },
    /// `/ 0` or `% 0`.
    #[error("'{op}' by zero")]
    ZeroDivisor {
        /// The operator.
        op: &'static str,
    },
    /// Whole numbers that leave 64 bits.
    #[error("'{op}' overflows int64")]
    Overflow {
        /// The operator.
        op: &'static str,
    },
    /// An operator that the language names and does not have.
    #[error("{what} is not supported")]
    Unsupported {
        /// The operator or form.
        what: &'static str,
    },
    /// `like` on something else than text.
    #[error("like operation on non-string or no-json field is unsupported: {found}")]
    LikeOperand {
        /// Its type.
        found: &'static str,
    },
    /// `like` with something else than a text on the right.
    #[error("like pattern must be a string, got {found}")]
    LikePattern {
        /// Its type.
        found: &'static str,
    },
    /// `=~` and `!~` on something else than text.
    #[error("regex match on non-string or no-json field is unsupported: {found}")]
    RegexOperand {
        /// Its type.
        found: &'static str,
    },
    /// `=~` and `!~` with something else than a text on the right.
    #[error("regex pattern must be a string, got {found}")]
    RegexPattern {
        /// Its type.
        found: &'static str,
    },
    /// `$[..]` outside of a condition on structs.
    #[error(
        "$[..] is an element of an array of structs: it stands in match_any(..), element_filter(..) and their kin only"
    )]
    ElementPlace,
    /// A field beside `$[..]` in a condition on structs.
    #[error("a condition on struct elements can only use $[..], got {name}")]
    ElementOuter {
        /// The field.
        name: String,
    },
    /// `$` without the name of a sub-field.
    #[error("expected the name of a sub-field, as in $[name]")]
    ElementShape,
    /// A condition on structs within another.
    #[error("conditions on the elements of struct arrays cannot be nested")]
    ElementNested,
    /// `element_filter` within the expression, or twice.
    #[error("element_filter can only be used once, as the last expression in the logical and expression")]
    ElementFilterPlace,
    /// A value that an array cannot contain.
    #[error("element type {element} of the array: value '{value}' can not be cast to it")]
    ElementCast {
        /// The value.
        value: String,
        /// The type of the elements.
        element: &'static str,
    },
    /// A moment that does not read.
    #[error("{reason}")]
    Moment {
        /// What is wrong with it.
        reason: String,
    },
    /// An interval that does not read.
    #[error("invalid interval '{text}': expected an ISO 8601 duration such as P1Y2M3DT4H5M6S")]
    Length {
        /// The text.
        text: String,
    },
    /// A shape that does not read.
    #[error("failed to parse geometry: {reason}")]
    Shape {
        /// What is wrong with it.
        reason: String,
    },
    /// A regular expression that does not read, or grows too large.
    #[error("invalid regex pattern: {text}: {reason}")]
    Regex {
        /// The expression, cut to a readable length.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `text_match` and `phrase_match` on a field without words.
    #[error("field \"{name}\" does not enable match")]
    MatchDisabled {
        /// The field.
        name: String,
    },
    /// A number given to a function is out of its range.
    #[error("{name} must be in range [{least}, {most}], got {found}")]
    Range {
        /// What the number is called.
        name: &'static str,
        /// The smallest allowed.
        least: i64,
        /// The largest allowed.
        most: i64,
        /// What was given.
        found: String,
    },
    /// `random_sample` of nothing, of all, or of something that is no number.
    #[error("the sample factor should be between 0 and 1 and not too close to 0 or 1, got {found}")]
    SampleFactor {
        /// What was given.
        found: String,
    },
    /// `random_sample` within the expression.
    #[error("random sample expression can only be the last expression in the logical and expression")]
    SamplePlace,
    /// `exists` on something else than a JSON path.
    #[error("exists operation is only for json field with a path")]
    ExistsOperand,
    /// `is null` on something that has no such state.
    #[error("IsNull/IsNotNull operations are not supported on {found}")]
    NullOperand {
        /// Its type.
        found: &'static str,
    },
    /// `[..]` behind a field that has no parts.
    #[error("{found} data type not supported accessed with []")]
    Subscript {
        /// Its type.
        found: &'static str,
    },
    /// A call of a function that this version does not have.
    #[error("function {name} is not supported")]
    UnknownFunction {
        /// Its name.
        name: String,
    },
    /// A known function with other arguments than it takes.
    #[error("{name} takes {expected}")]
    Arguments {
        /// The function.
        name: String,
        /// What it takes.
        expected: &'static str,
    },
}
