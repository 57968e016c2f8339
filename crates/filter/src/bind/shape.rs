//! `st_intersects(field, 'WKT')` and its kin.

use super::Binder;
use super::call::Call;
use super::operand::{Operand, Scalar, Source};
use crate::ast::{Argument, Expr};
use crate::error::{Error, Problem};
use crate::predicate::{Node, Test};
use crate::shape::{Relation, ShapeTest};
use data::{Shape, Type};

impl<'a> Binder<'a> {
    /// A relation with a shape.
    pub(super) fn relation(&mut self, call: &Call<'a>, relation: Relation) -> Result<Node, Error> {
        let refused = call.refused("a GEOMETRY field and a string of WKT");
        let [Argument { name: None, value }, Argument { name: None, value: shape }] = call.arguments else {
            return Err(refused);
        };
        let (Some(source), Some(shape)) = (self.geometry(value)?, self.shape(shape)?) else {
            return Err(refused);
        };
        Ok(source.leaf(Test::Shape(Box::new(ShapeTest::new(relation, shape))), call.negated))
    }

    /// `st_dwithin(field, 'POINT (..)', metres)`
    pub(super) fn near(&mut self, call: &Call<'a>) -> Result<Node, Error> {
        let refused =
            call.refused("a GEOMETRY field, the WKT of a point and a distance in metres, zero or more");
        let [
            Argument { name: None, value },
            Argument { name: None, value: shape },
            Argument { name: None, value: metres },
        ] = call.arguments
        else {
            return Err(refused);
        };
        let (Some(source), Some(shape)) = (self.geometry(value)?, self.shape(shape)?) else {
            return Err(refused);
        };
        let metres = match self.operand(metres)? {
            Operand::Const(Scalar::Num(metres), _) if metres.to_f64() >= 0.0 => metres.to_f64(),
            _ => return Err(refused),
        };
        if !matches!(shape, Shape::Point(Some(_))) {
            return Err(refused);
        }
        Ok(source.leaf(Test::Shape(Box::new(ShapeTest::new(Relation::Near(metres), shape))), call.negated))
    }

    pub(super) fn is_valid(&mut self, call: &Call<'a>) -> Result<Node, Error> {
        let refused = call.refused("a GEOMETRY field");
        let [Argument { name: None, value }] = call.arguments else {
            return Err(refused);
        };
        let source = self.geometry(value)?.ok_or(refused)?;
        Ok(source.leaf(Test::ShapeValid, call.negated))
    }

    fn geometry(&mut self, expr: &'a Expr) -> Result<Option<Source>, Error> {
        Ok(match self.operand(expr)? {
            Operand::Source(source) if source.data_type() == Type::Geometry && source.is_plain() => {
                Some(source)
            }
            _ => None,
        })
    }

    fn shape(&mut self, expr: &'a Expr) -> Result<Option<Shape>, Error> {
        let Operand::Const(Scalar::Text(text), _) = self.operand(expr)? else {
            return Ok(None);
        };
        let shape = Shape::from_wkt(&text);
        shape.map(Some).map_err(|error| Error::new(expr.span, Problem::Shape { reason: error.to_string() }))
    }
}
