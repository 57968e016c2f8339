//! Shapes in the plane: points, lines, polygons and collections of them, as text (WKT) and as bytes (WKB).
//!
//! Both forms are those of OGC Simple Features (06-103r4, sections 7 and 8), two coordinates a point. Invariant: what is
//! read is sound: coordinates are finite, lines have two points or none, rings have four or more and are closed,
//! collections are not nested deeper than 32 levels.

mod wkb;
mod wkt;

/// How deep collections may be nested.
const DEPTH_MAX: usize = 32;

/// X and y.
pub type Position = [f64; 2];

/// A shape in the plane.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A point, or none.
    Point(Option<Position>),
    /// A line through points.
    LineString(Vec<Position>),
    /// An outer ring and holes in it.
    Polygon(Vec<Vec<Position>>),
    /// Points, each of which may be empty.
    MultiPoint(Vec<Option<Position>>),
    /// Lines.
    MultiLineString(Vec<Vec<Position>>),
    /// Polygons.
    MultiPolygon(Vec<Vec<Vec<Position>>>),
    /// Shapes of any kind.
    Collection(Vec<Shape>),
}

/// Why something is no shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The text is no WKT.
    #[error("invalid WKT at byte {at}: expected {expected}")]
    Text {
        /// Where, counted from 0.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// The bytes are no WKB.
    #[error("invalid WKB: {0}")]
    Bytes(&'static str),
    /// A shape that does not hold together.
    #[error("invalid geometry: {0}")]
    Unsound(&'static str),
}

fn sound_line(line: &[Position]) -> Result<(), ShapeError> {
    if line.len() == 1 {
        return Err(ShapeError::Unsound("a line should have two points at least"));
    }
    Ok(())
}

fn sound_rings(rings: &[Vec<Position>]) -> Result<(), ShapeError> {
    for ring in rings {
        if ring.first() != ring.last() {
            return Err(ShapeError::Unsound("a ring should end where it begins"));
        }
        if (1..4).contains(&ring.len()) {
            return Err(ShapeError::Unsound("a ring should have four points at least"));
        }
    }
    Ok(())
}

fn sound_coordinate(value: f64) -> Result<f64, ShapeError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(ShapeError::Unsound("a coordinate should be a finite number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position() -> impl Strategy<Value = Position> {
        prop::array::uniform2(prop_oneof![
            -180.0..180.0_f64,
            any::<i16>().prop_map(f64::from),
            any::<f64>().prop_filter("finite", |x| x.is_finite())
        ])
    }

    fn line() -> impl Strategy<Value = Vec<Position>> {
        prop::collection::vec(position(), 2..6)
    }

    fn rings() -> impl Strategy<Value = Vec<Vec<Position>>> {
        let closed = prop::collection::vec(position(), 3..6).prop_map(|mut ring| {
            ring.push(ring[0]);
            ring
        });
        prop::collection::vec(closed, 0..3)
    }

    fn shape() -> impl Strategy<Value = Shape> {
        let leaf = prop_oneof![
            prop::option::of(position()).prop_map(Shape::Point),
            prop_oneof![line(), Just(Vec::new())].prop_map(Shape::LineString),
            rings().prop_map(Shape::Polygon),
            prop::collection::vec(prop::option::of(position()), 0..4).prop_map(Shape::MultiPoint),
            prop::collection::vec(line(), 0..3).prop_map(Shape::MultiLineString),
            prop::collection::vec(rings(), 0..3).prop_map(Shape::MultiPolygon),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Shape::Collection))
    }

    #[test]
    fn texts_are_read_and_written() {
        let cases = [
            ("POINT(1 2)", "POINT (1 2)"),
            ("  point ( -1.50   2e3 ) ", "POINT (-1.5 2000)"),
            ("POINT EMPTY", "POINT EMPTY"),
            ("LINESTRING (30 10, 10 30, 40 40)", "LINESTRING (30 10, 10 30, 40 40)"),
            (
                "POLYGON ((0 0, 4 0, 4 4, 0 0),(1 1,2 1,2 2,1 1))",
                "POLYGON ((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
            ),
            ("MULTIPOINT ((1 2), (3 4))", "MULTIPOINT ((1 2), (3 4))"),
            ("MULTIPOINT (1 2, 3 4, EMPTY)", "MULTIPOINT ((1 2), (3 4), EMPTY)"),
            ("MULTILINESTRING ((1 1, 2 2), EMPTY)", "MULTILINESTRING ((1 1, 2 2), EMPTY)"),
            ("MULTIPOLYGON (((0 0,1 0,1 1,0 0)),EMPTY)", "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), EMPTY)"),
            (
                "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(1 2,3 4))",
                "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (1 2, 3 4))",
            ),
            ("GEOMETRYCOLLECTION EMPTY", "GEOMETRYCOLLECTION EMPTY"),
        ];
        for (text, want) in cases {
            assert_eq!(Shape::from_wkt(text).map(|shape| shape.to_wkt()), Ok(want.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_shape_is_refused() {
        let cases = [
            ("", "at byte 0: expected POINT"),
            ("CIRCLE (1 2)", "at byte 0: expected POINT"),
            ("POINT", "at byte 5: expected ("),
            ("POINT (1)", "at byte 8: expected a number"),
            ("POINT (1 2", "at byte 10: expected )"),
            ("POINT (1 2) x", "at byte 12: expected the end"),
            ("POINT (1 2 3)", "at byte 11: expected )"),
            ("POINT (1 nan)", "at byte 9: expected a number"),
            ("POINT (1 1e999)", "finite"),
            ("LINESTRING (1 2)", "two points"),
            ("POLYGON ((0 0, 1 0, 1 1))", "end where it begins"),
            ("POLYGON ((0 0, 1 0, 0 0))", "four points"),
        ];
        for (text, want) in cases {
            let error = Shape::from_wkt(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error:?} should contain {want:?}");
        }
        let nested = |depth: usize| "GEOMETRYCOLLECTION (".repeat(depth) + "POINT (1 2)" + &")".repeat(depth);
        assert!(Shape::from_wkt(&nested(DEPTH_MAX)).is_ok());
        assert!(Shape::from_wkt(&nested(DEPTH_MAX + 1)).is_err());
        assert!(Shape::from_wkt(&nested(100_000)).is_err());
    }

    #[test]
    fn bytes_of_either_order_are_read() {
        let mut big = vec![0, 0, 0, 0, 1];
        big.extend(1.0_f64.to_be_bytes());
        big.extend(2.0_f64.to_be_bytes());
        assert_eq!(Shape::from_wkb(&big), Ok(Shape::Point(Some([1.0, 2.0]))));
        assert!(Shape::from_wkb(&[1, 7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).is_err());
        let mut deep = [1, 7, 0, 0, 0, 1, 0, 0, 0].repeat(100_000);
        deep.extend(Shape::Point(None).to_wkb());
        assert!(Shape::from_wkb(&deep).is_err());
    }

    proptest! {
        #[test]
        fn there_and_back(shape in shape()) {
            prop_assert_eq!(Shape::from_wkt(&shape.to_wkt()), Ok(shape.clone()), "{}", shape.to_wkt());
            prop_assert_eq!(Shape::from_wkb(&shape.to_wkb()), Ok(shape));
        }

        #[test]
        fn cut_and_changed_bytes_never_panic(shape in shape(), at in any::<prop::sample::Index>(), to: u8) {
            let mut bytes = shape.to_wkb();
            let at = at.index(bytes.len());
            prop_assert!(Shape::from_wkb(&bytes[..at]).is_err());
            bytes[at] = to;
            let _ = Shape::from_wkb(&bytes);
        }

        #[test]
        fn arbitrary_texts_never_panic(text in "[A-Z(), 0-9.e-]{0,60}") {
            let _ = Shape::from_wkt(&text);
        }
    }
}
