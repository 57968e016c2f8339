//! Arrays: their elements, what they contain, how long they are, and arrays of structs.

use super::call::{self, Call};
use super::compare;
use super::operand::{Operand, Scalar, Source, type_name};
use super::text::is_named;
use super::{Binder, fold};
use crate::ast::{Argument, Binary, Expr, ExprKind, Part};
use crate::error::{Error, Problem, Span};
use crate::number::Num;
use crate::predicate::{Access, Elements, FieldRef, Node, Quantifier};
use data::{Field, Struct, Type};

impl<'a> Binder<'a> {
    /// `$[sub]`: the element of a sub-field that is being tested.
    pub(super) fn element(&mut self, parts: &[Part], span: Span) -> Result<Source, Error> {
        let Some(one) = self.within else {
            return Err(Error::new(span, Problem::ElementPlace));
        };
        let [Part::Field(sub)] = parts else {
            return Err(Error::new(span, Problem::ElementShape));
        };
        let field = self.sub(one, sub, span)?;
        let data_type = field.element.unwrap_or(Type::Array);
        let whole = self.field(field);
        let field =
            FieldRef { name: format!("$[{sub}]"), data_type, element: None, nullable: false, ..whole };
        Ok(Source { field, path: Vec::new(), access: Access::Whole, steps: Vec::new(), later: None })
    }

    /// `one[sub]`, all elements of a sub-field, or `one[0][sub]`, one of them.
    pub(super) fn sub_field(&mut self, one: &Struct, parts: &[Part], span: Span) -> Result<Source, Error> {
        let (sub, access) = match parts {
            [] => return self.anchor(one, span).map(|field| of_field(field, Access::Whole)),
            [Part::Field(sub)] => (sub, Access::Whole),
            [Part::Index(index), Part::Field(sub)] | [Part::Field(sub), Part::Index(index)] => {
                (sub, Access::Element(*index))
            }
            _ => return Err(Error::new(span, Problem::Subscript { found: "Struct array" })),
        };
        let field = self.sub(one, sub, span)?;
        Ok(of_field(self.field(field), access))
    }

    fn sub(&self, one: &Struct, sub: &str, span: Span) -> Result<&'a Field, Error> {
        let name = Struct::field_name(&one.name, sub);
        self.schema.field(&name).ok_or(Error::new(span, Problem::UnknownField { name }))
    }

    /// Some sub-field, for what all of them have in common.
    fn anchor(&mut self, one: &Struct, span: Span) -> Result<FieldRef, Error> {
        let schema = self.schema;
        let fields = one.fields.iter().filter_map(|id| schema.field_by_id(*id));
        // Scalars are read faster than vectors.
        let field = fields.min_by_key(|field| field.element.is_some_and(Type::is_vector));
        match field {
            Some(field) => Ok(self.field(field)),
            None => Err(Error::new(span, Problem::UnknownField { name: one.name.clone() })),
        }
    }

    /// `array_length(..)`
    pub(super) fn length(&mut self, call: &Call<'a>) -> Result<Source, Error> {
        let refused = call.refused("an array, a JSON field or a JSON path");
        let [Argument { name: None, value }] = call.arguments else {
            return Err(refused);
        };
        match self.operand(value)? {
            Operand::Source(source)
                if source.is_plain() && (source.is_json() || source.data_type() == Type::Array) =>
            {
                Ok(Source { access: Access::Length, ..source })
            }
            _ => Err(refused),
        }
    }

    /// Whether an array contains one of `values`, or all of them.
    pub(super) fn array_contains(
        &mut self,
        source: Source,
        value: Scalar,
        all: Option<bool>,
        call: &Call<'a>,
    ) -> Result<Node, Error> {
        let values = match (all, value) {
            (None, value) => vec![value],
            (Some(_), Scalar::List(values)) => values,
            (Some(_), Scalar::Ints(values)) => values.into_iter().map(|v| Scalar::Num(Num::Int(v))).collect(),
            (Some(_), _) => return Err(call.refused("an array or a JSON path, and a list")),
        };
        let elements = Source { access: Access::Some, ..source };
        let element = type_name(elements.data_type());
        let refused = |problem| match problem {
            Problem::Cast { value, .. } => Error::new(call.span, Problem::ElementCast { value, element }),
            other => Error::new(call.span, other),
        };
        if all == Some(false) || values.len() == 1 {
            return compare::among(elements, Scalar::List(values), call.negated).map_err(refused);
        }
        let nodes = values.into_iter().map(|value| {
            compare::among(elements.clone(), Scalar::List(vec![value]), call.negated).map_err(refused)
        });
        let mut nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        if nodes.is_empty() {
            // Every array has all of nothing.
            nodes.push(elements.never(!call.negated));
        }
        Ok(fold::gather(nodes, !call.negated))
    }

    /// `match_any(s, ..)` and its kin.
    pub(super) fn elements(&mut self, call: &Call<'a>) -> Result<Node, Error> {
        let refused =
            call.refused("an array of structs, a condition on $[..], and a threshold where it counts");
        if self.within.is_some() {
            return Err(Error::new(call.span, Problem::ElementNested));
        }
        let (threshold, arguments) = match call.arguments {
            // Named as the grammar has it, or third as the documentation has it.
            [rest @ .., Argument { name, value }]
                if name.as_ref().map_or(rest.len() == 2, |name| is_named(name, "threshold")) =>
            {
                let least = i64::from(call.name == "match_least");
                (Some(self.number(value, "threshold", least, u32::MAX.into())?), rest)
            }
            arguments => (None, arguments),
        };
        let [Argument { name: None, value: array }, Argument { name: None, value: inner }] = arguments else {
            return Err(refused);
        };
        let schema = self.schema;
        let one = match &array.kind {
            ExprKind::Path(name, parts) if parts.is_empty() => schema.structure(name),
            _ => None,
        };
        let quantifier = match (call.name.as_str(), threshold) {
            ("match_any", None) => Quantifier::Any,
            ("match_all", None) => Quantifier::All,
            ("match_least", Some(least)) => Quantifier::Least(least),
            ("match_most", Some(most)) => Quantifier::Most(most),
            ("match_exact", Some(count)) => Quantifier::Exact(count),
            ("element_filter", None) => Quantifier::Filter,
            _ => return Err(refused),
        };
        let Some(one) = one else {
            return Err(refused);
        };
        let anchor = self.anchor(one, array.span)?;
        self.within = Some(one);
        let outer = self.stripped.take();
        let inner = self.predicate(inner, false);
        (self.within, self.stripped) = (None, outer);
        Ok(Node::Elements(Box::new(Elements {
            name: one.name.clone(),
            anchor,
            quantifier,
            inner: inner?,
            negated: call.negated,
        })))
    }
}

fn of_field(field: FieldRef, access: Access) -> Source {
    Source { field, path: Vec::new(), access, steps: Vec::new(), later: None }
}

/// Whether `expr` is a call of `element_filter`.
pub(super) fn is_element_filter(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call(name, _) if call::canonical(name).as_deref() == Some("element_filter"))
}

/// An array that is equal to a list: as long, and each element equal.
pub(super) fn equals(source: &Source, list: &Scalar, negated: bool) -> Option<Node> {
    let values = match list {
        Scalar::List(values) => values.clone(),
        Scalar::Ints(values) => values.iter().map(|v| Scalar::Num(Num::Int(*v))).collect(),
        _ => return None,
    };
    let length = Source { access: Access::Length, ..source.clone() };
    let count = Scalar::Num(Num::Int(i64::try_from(values.len()).ok()?));
    let mut nodes = vec![compare::against(length, Binary::Equal, count, negated)?];
    for (place, value) in (0..).zip(values) {
        let element = Source { access: Access::Element(place), ..source.clone() };
        nodes.push(compare::against(element, Binary::Equal, value, negated)?);
    }
    Some(fold::gather(nodes, !negated))
}
