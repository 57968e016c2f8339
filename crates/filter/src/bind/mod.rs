//! From an expression as written to a predicate over a schema: names become fields, templates values, constants are
//! folded. Invariant: nothing ill-typed leaves.

mod array;
mod call;
mod compare;
mod fold;
mod moment;
mod operand;
mod sample;
mod shape;
mod text;

use crate::ast::{Ast, Binary, Expr, ExprKind, Unary};
use crate::error::{Error, Problem, Span};
use crate::predicate::{Access, FieldRef, Leaf, Node, Predicate, Test};
use data::{FieldId, Schema, Value, Zone};
use operand::{Operand, Scalar, Source};
use std::collections::BTreeMap;

/// Ties `ast` to `schema`, `{name}` to the value of `name` in `templates`. Moments without an offset are in UTC.
///
/// # Errors
/// [`Error`] for unknown names, types that do not fit, missing templates; see [`Problem`].
pub fn bind(ast: &Ast, schema: &Schema, templates: &BTreeMap<String, Value>) -> Result<Predicate, Error> {
    bind_in(ast, schema, templates, &Zone::default())
}

/// [`bind`], with moments without an offset in `zone`.
///
/// # Errors
/// As [`bind`].
pub fn bind_in(
    ast: &Ast,
    schema: &Schema,
    templates: &BTreeMap<String, Value>,
    zone: &Zone,
) -> Result<Predicate, Error> {
    let mut binder = Binder::new(schema, templates, zone);
    let (root, sample) = binder.root(&ast.root)?;
    let mut predicate = Predicate { root, fields: binder.fields, sample, seed: 0 };
    if matches!(predicate.root, Node::Const(_)) {
        predicate.fields.clear();
    }
    Ok(predicate)
}

/// The field and path that `ast`, a name or a path, stands for in `schema`.
pub(crate) fn locate(ast: &Ast, schema: &Schema) -> Result<(FieldId, Vec<String>), Error> {
    let (templates, zone) = (BTreeMap::new(), Zone::default());
    let mut binder = Binder::new(schema, &templates, &zone);
    match binder.operand(&ast.root)? {
        Operand::Source(source) if source.is_plain() => Ok((binder.fields[source.field.slot], source.path)),
        other => {
            let found = other.type_name();
            Err(Error::new(ast.root.span, Problem::Subscript { found }))
        }
    }
}

struct Binder<'a> {
    schema: &'a Schema,
    templates: &'a BTreeMap<String, Value>,
    /// Of moments without an offset.
    zone: &'a Zone,
    fields: Vec<FieldId>,
    /// A leading `not` that was taken off a comparison and is to be read over.
    stripped: Option<Span>,
    /// The array of structs whose elements are being tested.
    within: Option<&'a data::Struct>,
}

impl<'a> Binder<'a> {
    fn new(schema: &'a Schema, templates: &'a BTreeMap<String, Value>, zone: &'a Zone) -> Self {
        Self { schema, templates, zone, fields: Vec::new(), stripped: None, within: None }
    }

    /// The predicate that `expr` is, or its negation.
    fn predicate(&mut self, expr: &'a Expr, negated: bool) -> Result<Node, Error> {
        let (mut expr, mut negated) = (expr, negated);
        while let ExprKind::Unary(Unary::Not, inner) = &expr.kind
            && self.is_boolean(inner)
        {
            (expr, negated) = (inner, !negated);
        }
        if let Some((span, flips)) = self.leading_not(expr) {
            let outer = self.stripped.replace(span);
            let node = self.test(expr, negated ^ flips);
            self.stripped = outer;
            return node;
        }
        self.test(expr, negated)
    }

    fn test(&mut self, expr: &'a Expr, negated: bool) -> Result<Node, Error> {
        match &expr.kind {
            ExprKind::Bool(value) => Ok(Node::Const(value ^ negated)),
            ExprKind::All(members) => self.chain(members, true, negated),
            ExprKind::Any(members) => self.chain(members, false, negated),
            ExprKind::Unary(Unary::Not, _) => Err(Error::new(expr.span, Problem::NotOperand)),
            ExprKind::Unary(Unary::Exists, inner) => self.exists(inner, negated),
            ExprKind::Binary(op, left, right) if op.is_comparison() => {
                self.comparison(*op, left, right, expr.span, negated)
            }
            ExprKind::Binary(op @ (Binary::Matches | Binary::MatchesNot), value, pattern) => {
                self.regex(value, pattern, negated ^ (*op == Binary::MatchesNot))
            }
            ExprKind::Range(parts, ops) => self.range(parts, *ops, expr.span, negated),
            ExprKind::In(value, list, not) => self.membership(value, list, negated ^ not),
            ExprKind::Like(value, pattern) => self.like(value, pattern, negated),
            ExprKind::IsNull(value, not) => self.is_null(value, negated ^ not),
            ExprKind::Call(name, arguments) if call::is_predicate(name) => {
                self.call(name, arguments, expr.span, negated)
            }
            _ => self.constant(expr, negated),
        }
    }

    // Each form has a function of its own that is not inlined: what recurses shall need little stack.
    #[inline(never)]
    fn chain(&mut self, members: &'a [Expr], all: bool, negated: bool) -> Result<Node, Error> {
        let mut nodes = Vec::with_capacity(members.len());
        for member in members {
            nodes.push(self.predicate(member, negated)?);
        }
        Ok(fold::gather(nodes, all ^ negated))
    }

    #[inline(never)]
    fn constant(&mut self, expr: &'a Expr, negated: bool) -> Result<Node, Error> {
        match self.operand(expr)? {
            Operand::Const(Scalar::Bool(value), true) => Ok(Node::Const(value ^ negated)),
            other => Err(self.not_a_predicate(expr, &other)),
        }
    }

    fn not_a_predicate(&self, expr: &Expr, operand: &Operand<'_>) -> Error {
        let text = expr.to_string().chars().take(crate::limits::EXCERPT_CHARS_MAX).collect();
        Error::new(expr.span, Problem::NotPredicate { text, found: operand.type_name() })
    }

    /// Whether `expr` is true or false of a row, by its form alone.
    fn is_boolean(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Bool(_) | ExprKind::All(_) | ExprKind::Any(_) | ExprKind::In(..) => true,
            ExprKind::Like(..) | ExprKind::IsNull(..) | ExprKind::Range(..) => true,
            ExprKind::Call(name, _) => call::is_predicate(name),
            ExprKind::Unary(Unary::Not, inner) => self.is_boolean(inner),
            ExprKind::Unary(op, _) => *op == Unary::Exists,
            ExprKind::Binary(op, ..) => {
                op.is_comparison() || matches!(op, Binary::Matches | Binary::MatchesNot)
            }
            ExprKind::Template(name) => matches!(self.templates.get(name), Some(Value::Bool(_))),
            _ => false,
        }
    }

    /// The grammar reads `not a == 1` as `(not a) == 1`, which means nothing; people mean `not (a == 1)`. Of a
    /// comparison that begins so: the place of that `not`, and whether the number of them is odd.
    fn leading_not(&self, expr: &Expr) -> Option<(Span, bool)> {
        let mut at = match &expr.kind {
            ExprKind::Binary(op, left, _) if op.is_comparison() => left.as_ref(),
            ExprKind::In(left, ..) => left.as_ref(),
            ExprKind::Range(parts, _) => &parts[0],
            _ => return None,
        };
        loop {
            if at.grouped {
                return None;
            }
            match &at.kind {
                ExprKind::Binary(op, left, _) if !op.is_comparison() => at = left,
                ExprKind::Unary(Unary::Not, _) if !self.is_boolean(at) => break,
                _ => return None,
            }
        }
        let span = at.span;
        let mut flips = false;
        while let ExprKind::Unary(Unary::Not, inner) = &at.kind
            && !at.grouped
        {
            flips = !flips;
            at = inner;
        }
        Some((span, flips))
    }

    fn field(&mut self, field: &data::Field) -> FieldRef {
        let slot = self.fields.iter().position(|id| *id == field.id).unwrap_or_else(|| {
            self.fields.push(field.id);
            self.fields.len() - 1
        });
        FieldRef {
            slot,
            name: field.name.clone(),
            data_type: field.data_type,
            element: field.element.filter(|_| field.data_type == data::Type::Array),
            is_primary: field.is_primary,
            nullable: field.nullable || field.is_dynamic,
        }
    }

    #[inline(never)]
    fn exists(&mut self, inner: &'a Expr, negated: bool) -> Result<Node, Error> {
        match self.operand(inner)? {
            Operand::Source(source)
                if source.is_json() && !source.path.is_empty() && source.steps.is_empty() =>
            {
                Ok(source.leaf(Test::JsonExists, negated))
            }
            _ => Err(Error::new(inner.span, Problem::ExistsOperand)),
        }
    }

    #[inline(never)]
    fn is_null(&mut self, value: &'a Expr, negated: bool) -> Result<Node, Error> {
        let Operand::Source(source) = self.operand(value)? else {
            return Err(Error::new(value.span, Problem::NullOperand { found: "constants" }));
        };
        if source.data_type().is_vector() {
            return Err(Error::new(value.span, Problem::NullOperand { found: "vector fields" }));
        }
        if source.access != Access::Whole {
            let found =
                if matches!(source.access, Access::Later(_)) { "arithmetic" } else { "array elements" };
            return Err(Error::new(value.span, Problem::NullOperand { found }));
        }
        if source.is_json() {
            return Ok(source.leaf(Test::JsonNull, negated));
        }
        if !source.field.nullable {
            return Ok(Node::Const(negated));
        }
        Ok(source.leaf(Test::Null, negated))
    }
}

impl Source {
    fn leaf(self, test: Test, negated: bool) -> Node {
        Node::Leaf(Leaf {
            field: self.field,
            path: self.path,
            access: self.access,
            steps: self.steps,
            test,
            negated,
        })
    }

    /// The test that nothing passes; its negation is passed by every row with a value.
    fn never(self, negated: bool) -> Node {
        if !negated {
            return Node::Const(false);
        }
        match self.access {
            Access::Whole if !self.field.nullable => Node::Const(true),
            Access::Whole => Self { steps: Vec::new(), path: Vec::new(), ..self }.leaf(Test::Never, true),
            // Some element passes nothing: the negation holds of every array.
            Access::Some => Self { access: Access::Whole, ..self }.never(true),
            Access::Later(_) => Self { access: Access::Whole, ..self }.never(true),
            Access::Length | Access::Element(_) => Self { steps: Vec::new(), ..self }.leaf(Test::Never, true),
        }
    }
}
