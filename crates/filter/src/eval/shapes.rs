//! Tests of shapes.

use super::kernel::each;
use super::{Block, Place};
use crate::predicate::Test;
use crate::shape::is_valid;
use data::VarLen;

pub(super) fn test(test: &Test, shapes: &VarLen, place: Place, want: &Block, yes: &mut Block) {
    match test {
        Test::Shape(shape) => {
            let mut shape = shape.prepared();
            each(want, yes, |i| shape.holds(shapes.get(place.start + i)));
        }
        Test::ShapeValid => each(want, yes, |i| is_valid(shapes.get(place.start + i))),
        _ => {}
    }
}
