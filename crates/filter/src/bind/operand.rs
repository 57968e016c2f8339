//! The sides of a comparison: a constant, or a field with a path into it and arithmetic on it.

use super::{Binder, moment};
use crate::ast::{Binary, Expr, ExprKind, Part, Unary};
use crate::error::{Error, Problem, Span};
use crate::moment::Length;
use crate::number::{Num, Step, is_integral};
use crate::predicate::{Access, FieldRef};
use data::{Type, Value};
use std::fmt;

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Bool(bool),
    Num(Num),
    Text(String),
    /// Microseconds since 1970.
    Moment(i64),
    Length(Length),
    Ints(Vec<i64>),
    List(Vec<Scalar>),
}

/// A value that depends on the row.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) field: FieldRef,
    pub(super) path: Vec<String>,
    pub(super) access: Access,
    pub(super) steps: Vec<Step>,
    /// Of moments: how much later.
    pub(super) later: Option<Length>,
}

#[derive(Debug)]
pub(super) enum Operand<'a> {
    /// The flag: from a template.
    Const(Scalar, bool),
    Source(Source),
    /// True or false of a row; to be bound as predicate.
    Truth(&'a Expr),
}

impl Scalar {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "Bool",
            Self::Num(Num::Int(_)) => "Int64",
            Self::Num(Num::Float(_)) => "Double",
            Self::Text(_) => "VarChar",
            Self::Moment(_) => "Timestamptz",
            Self::Length(_) => "Interval",
            Self::Ints(_) | Self::List(_) => "Array",
        }
    }

    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Num(Num::Int(*value)),
            Value::Double(value) => Self::Num(Num::Float(*value)),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Json(text) => Self::of_json(&serde_json::from_str(text).ok()?)?,
            Value::List(values) => Self::List(values.iter().map(Self::of).collect::<Option<_>>()?),
        })
    }

    fn of_json(value: &serde_json::Value) -> Option<Self> {
        Some(match value {
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(value) => match value.as_i64() {
                Some(int) => Self::Num(Num::Int(int)),
                None => Self::Num(Num::Float(value.as_f64()?)),
            },
            serde_json::Value::String(text) => Self::Text(text.clone()),
            serde_json::Value::Array(values) => {
                Self::List(values.iter().map(Self::of_json).collect::<Option<_>>()?)
            }
            serde_json::Value::Null | serde_json::Value::Object(_) => return None,
        })
    }

    /// The constant as a JSON document, which cannot hold infinity or NaN.
    pub(super) fn to_json(&self) -> Option<serde_json::Value> {
        Some(match self {
            Self::Bool(value) => (*value).into(),
            Self::Num(Num::Int(value)) => (*value).into(),
            Self::Num(Num::Float(value)) => serde_json::Number::from_f64(*value)?.into(),
            Self::Text(text) => text.as_str().into(),
            Self::Moment(_) | Self::Length(_) => return None,
            Self::Ints(values) => values.as_slice().into(),
            Self::List(values) => values.iter().map(Self::to_json).collect::<Option<_>>()?,
        })
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&crate::literal::quote(text)),
            Self::Num(number) => number.fmt(f),
            Self::Moment(moment) => crate::render::moment(f, *moment),
            Self::Length(length) => write!(f, "INTERVAL of {} months, {} us", length.months, length.micros),
            other => other.to_json().unwrap_or_default().fmt(f),
        }
    }
}

impl Source {
    /// The type of what is looked at, before arithmetic.
    pub(super) fn data_type(&self) -> Type {
        match self.access {
            Access::Whole => self.field.data_type,
            Access::Length => Type::Int64,
            Access::Later(_) => Type::Timestamptz,
            Access::Element(_) | Access::Some => self.field.element.unwrap_or(Type::Array),
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.data_type() == Type::Json
    }

    pub(super) fn is_text(&self) -> bool {
        self.data_type().is_text()
    }

    /// Whether it is a field as such.
    pub(super) fn is_plain(&self) -> bool {
        self.access == Access::Whole && self.steps.is_empty() && self.later.is_none()
    }

    /// Whether the value, arithmetic done, is a whole number of the field's own.
    pub(super) fn is_integer(&self) -> bool {
        self.data_type().is_integer() && self.steps.iter().all(|s| matches!(s.constant, Num::Int(_)))
    }

    fn is_number(&self) -> bool {
        self.is_json() || self.data_type().is_number()
    }
}

impl Operand<'_> {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Const(scalar, _) => scalar.type_name(),
            Self::Source(source) => type_name(source.data_type()),
            Self::Truth(_) => "Bool",
        }
    }
}

/// What the contract calls a type.
pub(super) fn type_name(data_type: Type) -> &'static str {
    match data_type {
        Type::Bool => "Bool",
        Type::Int8 => "Int8",
        Type::Int16 => "Int16",
        Type::Int32 => "Int32",
        Type::Int64 => "Int64",
        Type::Float => "Float",
        Type::Double => "Double",
        Type::VarChar => "VarChar",
        Type::Text => "Text",
        Type::Json => "JSON",
        Type::Timestamptz => "Timestamptz",
        Type::Geometry => "Geometry",
        Type::Array => "Array",
        Type::FloatVector => "FloatVector",
        Type::BinaryVector => "BinaryVector",
        Type::Float16Vector => "Float16Vector",
        Type::BFloat16Vector => "BFloat16Vector",
        Type::Int8Vector => "Int8Vector",
        Type::SparseVector => "SparseFloatVector",
    }
}

impl<'a> Binder<'a> {
    pub(super) fn operand(&mut self, expr: &'a Expr) -> Result<Operand<'a>, Error> {
        let scalar = match &expr.kind {
            ExprKind::Bool(value) => Scalar::Bool(*value),
            ExprKind::Int(value) => Scalar::Num(Num::Int(*value)),
            ExprKind::Float(value) => Scalar::Num(Num::Float(*value)),
            ExprKind::Text(text) => Scalar::Text(text.clone()),
            ExprKind::Ints(values) => Scalar::Ints(values.clone()),
            ExprKind::List(items) => {
                let mut scalars = Vec::with_capacity(items.len());
                for item in items {
                    match self.operand(item)? {
                        Operand::Const(scalar, _) => scalars.push(scalar),
                        _ => {
                            return Err(Error::new(
                                item.span,
                                Problem::Unsupported { what: "a field in a list" },
                            ));
                        }
                    }
                }
                Scalar::List(scalars)
            }
            ExprKind::Template(name) => return self.template(name, expr.span),
            ExprKind::Path(name, parts) => return self.source(name, parts, expr.span).map(Operand::Source),
            ExprKind::Unary(Unary::Not, inner) if !self.is_boolean(inner) => {
                if self.stripped.is_some_and(|stripped| stripped.covers(expr.span)) {
                    return self.operand(inner);
                }
                return Err(Error::new(expr.span, Problem::NotOperand));
            }
            ExprKind::Unary(Unary::Complement, _) => {
                return Err(Error::new(expr.span, Problem::Unsupported { what: "unary op '~'" }));
            }
            ExprKind::Unary(op @ (Unary::Minus | Unary::Plus), inner) => {
                let operand = self.operand(inner)?;
                return if *op == Unary::Plus { Ok(operand) } else { negate(operand, inner.span) };
            }
            ExprKind::Binary(op, left, right) if !op.is_comparison() && !self.is_boolean(expr) => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                return arithmetic(*op, left, right, expr.span);
            }
            ExprKind::Call(name, arguments) if !super::call::is_predicate(name) => {
                return self.value(name, arguments, expr.span);
            }
            _ => return Ok(Operand::Truth(expr)),
        };
        Ok(Operand::Const(scalar, false))
    }

    #[inline(never)]
    fn template(&self, name: &str, span: Span) -> Result<Operand<'a>, Error> {
        let Some(value) = self.templates.get(name) else {
            return Err(Error::new(span, Problem::TemplateMissing { name: name.to_owned() }));
        };
        let ints = match value {
            Value::List(values) => {
                values.iter().map(|v| if let Value::Int(i) = v { Some(*i) } else { None }).collect()
            }
            _ => None,
        };
        let scalar = ints.map(Scalar::Ints).or_else(|| Scalar::of(value));
        scalar
            .map(|scalar| Operand::Const(scalar, true))
            .ok_or_else(|| Error::new(span, Problem::TemplateValue { name: name.to_owned() }))
    }

    #[inline(never)]
    fn source(&mut self, name: &str, parts: &[Part], span: Span) -> Result<Source, Error> {
        let schema = self.schema;
        if name == "$" {
            return self.element(parts, span);
        }
        if self.within.is_some() {
            return Err(Error::new(span, Problem::ElementOuter { name: name.to_owned() }));
        }
        if let Some(one) = schema.structure(name).filter(|_| schema.field(name).is_none()) {
            return self.sub_field(one, parts, span);
        }
        let mut path = Vec::with_capacity(parts.len() + 1);
        let field = match (schema.field(name), schema.dynamic()) {
            (Some(field), _) => field,
            (None, Some(dynamic)) if name == "$meta" => dynamic,
            (None, Some(dynamic)) => {
                path.push(name.to_owned());
                dynamic
            }
            _ => return Err(Error::new(span, Problem::UnknownField { name: name.to_owned() })),
        };
        let found = type_name(field.data_type);
        let refused = || Error::new(span, Problem::Subscript { found });
        let mut access = Access::Whole;
        if field.data_type == Type::Array {
            access = match parts {
                [] => Access::Whole,
                [Part::Index(index)] => Access::Element(*index),
                _ => return Err(refused()),
            };
        } else if !parts.is_empty() && field.data_type != Type::Json {
            return Err(refused());
        } else {
            for part in parts {
                path.push(match part {
                    Part::Key(key) => key.clone(),
                    Part::Index(index) => index.to_string(),
                    Part::Field(_) => return Err(refused()),
                });
            }
        }
        Ok(Source { field: self.field(field), path, access, steps: Vec::new(), later: None })
    }
}

fn negate(operand: Operand<'_>, span: Span) -> Result<Operand<'_>, Error> {
    match operand {
        Operand::Const(Scalar::Num(Num::Int(value)), template) => {
            let value = value.checked_neg().ok_or(Error::new(span, Problem::Overflow { op: "-" }))?;
            Ok(Operand::Const(Scalar::Num(Num::Int(value)), template))
        }
        Operand::Const(Scalar::Num(Num::Float(value)), template) => {
            Ok(Operand::Const(Scalar::Num(Num::Float(-value)), template))
        }
        Operand::Source(source) if source.is_number() => {
            let minus = Operand::Const(Scalar::Num(Num::Int(-1)), false);
            arithmetic(Binary::Multiply, Operand::Source(source), minus, span)
        }
        other => Err(Error::new(span, Problem::Arithmetic { op: "-", found: other.type_name() })),
    }
}

#[inline(never)]
fn arithmetic<'a>(
    op: Binary,
    left: Operand<'a>,
    right: Operand<'a>,
    span: Span,
) -> Result<Operand<'a>, Error> {
    let fail = |problem| Err(Error::new(span, problem));
    let name = op.symbol();
    if matches!(op, Binary::ShiftLeft | Binary::ShiftRight) {
        return fail(Problem::Unsupported { what: "shift" });
    }
    if let Some(moved) = moment::arithmetic(op, &left, &right) {
        return moved.map_err(|problem| Error::new(span, problem));
    }
    for side in [&left, &right] {
        let fits = match side {
            Operand::Const(scalar, _) => matches!(scalar, Scalar::Num(_)),
            Operand::Source(source) => source.is_number(),
            Operand::Truth(_) => false,
        };
        if !fits {
            return fail(Problem::Arithmetic { op: name, found: side.type_name() });
        }
    }
    let (mut source, constant, reversed) = match (left, right) {
        (Operand::Const(Scalar::Num(a), x), Operand::Const(Scalar::Num(b), y)) => {
            let value = constants(op, a, b).map_err(|problem| Error::new(span, problem))?;
            return Ok(Operand::Const(Scalar::Num(value), x || y));
        }
        (Operand::Source(source), Operand::Const(Scalar::Num(constant), _)) => (source, constant, false),
        (Operand::Const(Scalar::Num(constant), _), Operand::Source(source)) => (source, constant, true),
        _ => return fail(Problem::ArithmeticFields { op: name }),
    };
    if op == Binary::Power {
        return fail(Problem::Unsupported { what: "'**' on a field" });
    }
    if reversed && matches!(op, Binary::Divide | Binary::Modulo) {
        return fail(Problem::FieldDivisor { op: name });
    }
    if matches!(op, Binary::Divide | Binary::Modulo) && constant.to_f64() == 0.0 {
        return fail(Problem::ZeroDivisor { op: name });
    }
    let whole = matches!(constant, Num::Int(_)) && (source.is_json() || source.is_integer());
    if is_integral(op) && !whole {
        return fail(Problem::IntegersOnly { op: name });
    }
    source.steps.push(Step { op, constant, reversed });
    Ok(Operand::Source(source))
}

/// Two constants make one. Whole numbers stay whole, and must fit 64 bits.
fn constants(op: Binary, a: Num, b: Num) -> Result<Num, Problem> {
    let name = op.symbol();
    if matches!(op, Binary::Divide | Binary::Modulo) && b.to_f64() == 0.0 {
        return Err(Problem::ZeroDivisor { op: name });
    }
    let (Num::Int(a), Num::Int(b)) = (a, b) else {
        if is_integral(op) {
            return Err(Problem::IntegersOnly { op: name });
        }
        let (x, y) = (a.to_f64(), b.to_f64());
        let step = Step { op, constant: b, reversed: false };
        return Ok(Num::Float(if op == Binary::Power { x.powf(y) } else { step.on_float(x, y) }));
    };
    let value = match op {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::Divide => a.checked_div(b),
        Binary::Modulo => a.checked_rem(b),
        Binary::Power => match u32::try_from(b) {
            Ok(exponent) => a.checked_pow(exponent),
            Err(_) => return Ok(Num::Float((a as f64).powf(b as f64))),
        },
        Binary::BitAnd => Some(a & b),
        Binary::BitXor => Some(a ^ b),
        Binary::BitOr => Some(a | b),
        _ => None,
    };
    value.map(Num::Int).ok_or(Problem::Overflow { op: name })
}
