//! What may stand at the end of the outermost `and` only, or alone: `element_filter(..)`, and behind it
//! `random_sample(part)`.

use super::operand::{Operand, Scalar};
use super::{Binder, array, call, fold};
use crate::ast::{Argument, Expr, ExprKind};
use crate::error::{Error, Problem};
use crate::limits::SAMPLE_MARGIN;
use crate::predicate::Node;

impl<'a> Binder<'a> {
    /// The whole expression, and the part of its rows that is kept.
    pub(super) fn root(&mut self, root: &'a Expr) -> Result<(Node, Option<f64>), Error> {
        let mut members = match &root.kind {
            ExprKind::All(members) => members.as_slice(),
            _ => std::slice::from_ref(root),
        };
        let mut part = None;
        if let Some((last, rest)) = members.split_last()
            && let Some(arguments) = sample(last)
        {
            part = Some(self.part(last, arguments)?);
            members = rest;
        }
        let mut filter = None;
        if let Some((last, rest)) = members.split_last()
            && let ExprKind::Call(_, arguments) = &last.kind
            && array::is_element_filter(last)
        {
            let name = "element_filter".to_owned();
            filter = Some(self.elements(&call::Call { name, arguments, span: last.span, negated: false })?);
            members = rest;
        }
        if let (Some(root), None, None) = (members.first().filter(|_| members.len() == 1), part, &filter) {
            return Ok((self.predicate(root, false)?, None));
        }
        let nodes = members.iter().map(|member| self.predicate(member, false));
        let mut nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        nodes.extend(filter);
        Ok((fold::gather(nodes, true), part))
    }

    fn part(&mut self, expr: &'a Expr, arguments: &'a [Argument]) -> Result<f64, Error> {
        let refused = |found: String| Error::new(expr.span, Problem::SampleFactor { found });
        let [Argument { name: None, value }] = arguments else {
            return Err(refused(format!("{} arguments", arguments.len())));
        };
        match self.operand(value)? {
            Operand::Const(Scalar::Num(part), _) => {
                let inside = (SAMPLE_MARGIN..=1.0 - SAMPLE_MARGIN).contains(&part.to_f64());
                if inside { Ok(part.to_f64()) } else { Err(refused(part.to_string())) }
            }
            other => Err(refused(other.type_name().to_owned())),
        }
    }
}

/// The arguments, if `expr` is a call of `random_sample`.
fn sample(expr: &Expr) -> Option<&[Argument]> {
    match &expr.kind {
        ExprKind::Call(name, arguments) if call::canonical(name).as_deref() == Some("random_sample") => {
            Some(arguments)
        }
        _ => None,
    }
}
