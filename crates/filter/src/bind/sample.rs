//! `random_sample(part)`: alone, or the last member of the outermost `and`.

use super::operand::{Operand, Scalar};
use super::{Binder, call, fold};
use crate::ast::{Argument, Expr, ExprKind};
use crate::error::{Error, Problem};
use crate::limits::SAMPLE_MARGIN;
use crate::predicate::Node;

impl<'a> Binder<'a> {
    /// The whole expression, and the part of its rows that is kept.
    pub(super) fn root(&mut self, root: &'a Expr) -> Result<(Node, Option<f64>), Error> {
        if let Some(arguments) = sample(root) {
            return Ok((Node::Const(true), Some(self.part(root, arguments)?)));
        }
        if let ExprKind::All(members) = &root.kind
            && let Some((last, members)) = members.split_last()
            && let Some(arguments) = sample(last)
        {
            let part = self.part(last, arguments)?;
            let nodes = members.iter().map(|member| self.predicate(member, false));
            let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
            return Ok((fold::gather(nodes, true), Some(part)));
        }
        Ok((self.predicate(root, false)?, None))
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
