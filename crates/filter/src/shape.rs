//! Relations of shapes, for `st_intersects` and its kin: the shapes of rows against one that is given. Invariant: shapes
//! whose rectangles do not meet are never looked at closer.

use data::Shape;
use geo::{BoundingRect, Geometry, Intersects, PreparedGeometry, Relate, Validation};
use std::fmt;

/// How the shape of a row is to lie to the given one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Relation {
    Equals,
    Touches,
    Overlaps,
    Crosses,
    Contains,
    Intersects,
    Within,
    /// No farther than so many metres, as the crow flies over the globe (x and y are degrees of longitude and latitude).
    Near(f64),
}

/// A shape and what is asked of others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ShapeTest {
    pub(crate) relation: Relation,
    shape: Shape,
    geometry: Geometry,
}

impl Relation {
    /// The relation of a call, metres apart.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "st_equals" => Self::Equals,
            "st_touches" => Self::Touches,
            "st_overlaps" => Self::Overlaps,
            "st_crosses" => Self::Crosses,
            "st_contains" => Self::Contains,
            "st_intersects" => Self::Intersects,
            "st_within" => Self::Within,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Equals => "st_equals",
            Self::Touches => "st_touches",
            Self::Overlaps => "st_overlaps",
            Self::Crosses => "st_crosses",
            Self::Contains => "st_contains",
            Self::Intersects => "st_intersects",
            Self::Within => "st_within",
            Self::Near(_) => "st_dwithin",
        }
    }
}

impl ShapeTest {
    pub(crate) fn new(relation: Relation, shape: Shape) -> Self {
        let geometry = geometry(&shape);
        Self { relation, shape, geometry }
    }

    /// The same, made ready for many shapes.
    pub(crate) fn prepared(&self) -> Prepared<'_> {
        Prepared { test: self, rectangle: self.geometry.bounding_rect(), graph: None }
    }

    /// The rectangle that every match meets (least x, least y, most x, most y); `None`: there is none.
    pub(crate) fn rectangle(&self) -> Option<[f64; 4]> {
        let Relation::Near(metres) = self.relation else {
            let rectangle = self.geometry.bounding_rect()?;
            return Some([rectangle.min().x, rectangle.min().y, rectangle.max().x, rectangle.max().y]);
        };
        let Shape::Point(Some([x, y])) = self.shape else {
            return None;
        };
        let up = metres / METRES_A_DEGREE;
        let steepest = (y.abs() + up).min(90.0).to_radians().cos();
        let right = if steepest > 1e-9 { up / steepest } else { 360.0 };
        // A little more than needed: the arithmetic rounds. Around the date line there is no rectangle.
        let (up, right) = (up * 1.01 + 1e-9, right * 1.01 + 1e-9);
        (x - right >= -180.0 && x + right <= 180.0).then_some([x - right, y - up, x + right, y + up])
    }

    /// The call that this is, of a field written `value`.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
        write!(f, "{}({value}, {}", self.relation.name(), crate::literal::quote(&self.shape.to_wkt()))?;
        match self.relation {
            Relation::Near(metres) => write!(f, ", {})", crate::literal::write_float(metres)),
            _ => f.write_str(")"),
        }
    }
}

/// A test and what it makes of its shape once for many rows.
pub(crate) struct Prepared<'t> {
    test: &'t ShapeTest,
    rectangle: Option<geo::Rect>,
    graph: Option<PreparedGeometry<'t, &'t Geometry, f64>>,
}

impl Prepared<'_> {
    /// Whether the shape in `wkb` lies as asked; what is no shape does not.
    pub(crate) fn holds(&mut self, wkb: &[u8]) -> bool {
        let Ok(shape) = Shape::from_wkb(wkb) else {
            return false;
        };
        let other = geometry(&shape);
        if let Relation::Near(metres) = self.test.relation {
            return match self.test.shape {
                Shape::Point(Some(point)) => distance(&other, point) <= metres,
                _ => false,
            };
        }
        let (Some(ours), Some(theirs)) = (self.rectangle, other.bounding_rect()) else {
            let both_empty = self.rectangle.is_none() && other.bounding_rect().is_none();
            return both_empty && self.test.relation == Relation::Equals;
        };
        if !ours.intersects(&theirs) {
            return false;
        }
        let graph = self.graph.get_or_insert_with(|| PreparedGeometry::from(&self.test.geometry));
        let matrix = other.relate(graph);
        match self.test.relation {
            Relation::Equals => matrix.is_equal_topo(),
            Relation::Touches => matrix.is_touches(),
            Relation::Overlaps => matrix.is_overlaps(),
            Relation::Crosses => matrix.is_crosses(),
            Relation::Contains => matrix.is_contains(),
            Relation::Intersects => matrix.is_intersects(),
            Relation::Within => matrix.is_within(),
            Relation::Near(_) => false,
        }
    }
}

/// Whether the shape in `wkb` is well made: rings do not cross, holes lie inside.
pub(crate) fn is_valid(wkb: &[u8]) -> bool {
    Shape::from_wkb(wkb).is_ok_and(|shape| geometry(&shape).is_valid())
}

fn geometry(shape: &Shape) -> Geometry {
    let coordinate = |[x, y]: &[f64; 2]| geo::Coord { x: *x, y: *y };
    let line = |line: &Vec<[f64; 2]>| geo::LineString::new(line.iter().map(coordinate).collect());
    let point = |point: &[f64; 2]| geo::Point::from(coordinate(point));
    let polygon = |rings: &Vec<Vec<[f64; 2]>>| {
        let mut rings = rings.iter().map(line);
        let outer = rings.next().unwrap_or_else(|| geo::LineString::new(Vec::new()));
        geo::Polygon::new(outer, rings.collect())
    };
    match shape {
        Shape::Point(Some(one)) => point(one).into(),
        Shape::Point(None) => geo::MultiPoint::new(Vec::new()).into(),
        Shape::LineString(points) => line(points).into(),
        Shape::Polygon(rings) => polygon(rings).into(),
        Shape::MultiPoint(points) => {
            geo::MultiPoint::new(points.iter().flatten().map(point).collect()).into()
        }
        Shape::MultiLineString(lines) => geo::MultiLineString::new(lines.iter().map(line).collect()).into(),
        Shape::MultiPolygon(polygons) => {
            geo::MultiPolygon::new(polygons.iter().map(polygon).collect()).into()
        }
        Shape::Collection(shapes) => Geometry::GeometryCollection(geo::GeometryCollection::new_from(
            shapes.iter().map(geometry).collect(),
        )),
    }
}

/// The earth as a ball: its mean radius in metres (IUGG 1980), and a degree of latitude on it.
const RADIUS: f64 = 6_371_008.8;
const METRES_A_DEGREE: f64 = RADIUS * std::f64::consts::PI / 180.0;

/// The haversine distance of two points, in metres.
fn haversine([x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) -> f64 {
    let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
    let h = half(y1, y2) + y1.to_radians().cos() * y2.to_radians().cos() * half(x1, x2);
    2.0 * RADIUS * h.sqrt().min(1.0).asin()
}

/// The shortest distance from `point` to any point of `shape`, in metres. On a segment it is the nearest one on a plane that is
/// as narrow as the globe is at `point`.
fn distance(shape: &Geometry, point: [f64; 2]) -> f64 {
    let narrow = point[1].to_radians().cos();
    let segment = |line: geo::Line| {
        let (dx, dy) = ((line.end.x - line.start.x) * narrow, line.end.y - line.start.y);
        let (px, py) = ((point[0] - line.start.x) * narrow, point[1] - line.start.y);
        let length = dx * dx + dy * dy;
        let part = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
        let near = [line.start.x + (line.end.x - line.start.x) * part, line.start.y + dy * part];
        haversine(point, near)
    };
    let lines = |line: &geo::LineString| line.lines().map(segment).fold(f64::INFINITY, f64::min);
    let polygon = |polygon: &geo::Polygon| {
        let at = geo::Point::new(point[0], point[1]);
        if polygon.intersects(&at) {
            return 0.0;
        }
        // From within a hole its edge is nearest, from outside the outer ring.
        if geo::Polygon::new(polygon.exterior().clone(), Vec::new()).intersects(&at) {
            return polygon.interiors().iter().map(lines).fold(f64::INFINITY, f64::min);
        }
        lines(polygon.exterior())
    };
    match shape {
        Geometry::Point(one) => haversine(point, [one.x(), one.y()]),
        Geometry::LineString(line) => lines(line),
        Geometry::Polygon(one) => polygon(one),
        Geometry::MultiPoint(points) => {
            points.iter().map(|one| haversine(point, [one.x(), one.y()])).fold(f64::INFINITY, f64::min)
        }
        Geometry::MultiLineString(all) => all.iter().map(lines).fold(f64::INFINITY, f64::min),
        Geometry::MultiPolygon(all) => all.iter().map(polygon).fold(f64::INFINITY, f64::min),
        Geometry::GeometryCollection(all) => {
            all.iter().map(|one| distance(one, point)).fold(f64::INFINITY, f64::min)
        }
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(relation: Relation, row: &str, given: &str) -> bool {
        let row = Shape::from_wkt(row).unwrap().to_wkb();
        ShapeTest::new(relation, Shape::from_wkt(given).unwrap()).prepared().holds(&row)
    }

    #[test]
    fn relations() {
        let square = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))";
        for (relation, row, given, expected) in [
            (Relation::Within, "POINT (1 1)", square, true),
            (Relation::Within, "POINT (0 1)", square, false),
            (Relation::Intersects, "POINT (0 1)", square, true),
            (Relation::Touches, "POINT (0 1)", square, true),
            (Relation::Contains, square, "POINT (1 1)", true),
            (Relation::Contains, square, "POINT (9 9)", false),
            (Relation::Contains, square, "LINESTRING (1 1, 2 2)", true),
            (Relation::Crosses, "LINESTRING (-1 1, 5 1)", square, true),
            (Relation::Crosses, "LINESTRING (1 1, 2 1)", square, false),
            (Relation::Overlaps, "POLYGON ((2 2, 6 2, 6 6, 2 6, 2 2))", square, true),
            (Relation::Touches, "POLYGON ((4 0, 8 0, 8 4, 4 4, 4 0))", square, true),
            (Relation::Equals, "POLYGON ((4 4, 0 4, 0 0, 2 0, 4 0, 4 4))", square, true),
            (Relation::Equals, "POINT EMPTY", "LINESTRING EMPTY", true),
            (Relation::Intersects, "POINT EMPTY", square, false),
            (Relation::Intersects, "GEOMETRYCOLLECTION (POINT (9 9), POINT (1 1))", square, true),
            (Relation::Near(111_200.0), "POINT (1 0)", "POINT (0 0)", true),
            (Relation::Near(111_190.0), "POINT (1 0)", "POINT (0 0)", false),
            (Relation::Near(0.0), square, "POINT (1 1)", true),
            (Relation::Near(112_000.0), "LINESTRING (-10 1, 10 1)", "POINT (0 0)", true),
            (
                Relation::Near(1.0),
                "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (4 4, 5 4, 5 5, 4 5, 4 4))",
                "POINT (4.5 4.5)",
                false,
            ),
            (
                Relation::Near(56_000.0),
                "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (4 4, 5 4, 5 5, 4 5, 4 4))",
                "POINT (4.5 4.5)",
                true,
            ),
            (Relation::Near(50.0), "MULTIPOINT (50 50, 0 0.0004)", "POINT (0 0)", true),
        ] {
            assert_eq!(holds(relation, row, given), expected, "{relation:?}: {row}, {given}");
        }
        let valid = |text: &str| is_valid(&Shape::from_wkt(text).unwrap().to_wkb());
        assert!(valid(square) && valid("POINT (1 1)") && !valid("POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))"));
        assert!(!is_valid(b"nothing"));
    }

    /// Shapes on a small grid, so that they meet in every way; many of them cross themselves or have no area.
    fn any_shape() -> impl Strategy<Value = Shape> {
        let number = || {
            let far = prop::sample::select(vec![1e308, -1e308, f64::MAX, 1e-300, 0.1, 1e15]);
            prop_oneof![40 => (0..5_i8).prop_map(f64::from), 1 => far]
        };
        let position = move || (number(), number()).prop_map(|(x, y)| [x, y]);
        let line = move || prop::collection::vec(position(), 2..6);
        let ring = move || {
            prop::collection::vec(position(), 3..6).prop_map(|mut ring| {
                ring.push(ring[0]);
                ring
            })
        };
        let polygon = move || prop::collection::vec(ring(), 1..3);
        let leaf = prop_oneof![
            position().prop_map(|at| Shape::Point(Some(at))),
            Just(Shape::Point(None)),
            line().prop_map(Shape::LineString),
            polygon().prop_map(Shape::Polygon),
            prop::collection::vec(position().prop_map(Some), 0..4).prop_map(Shape::MultiPoint),
            prop::collection::vec(line(), 0..3).prop_map(Shape::MultiLineString),
            prop::collection::vec(polygon(), 0..3).prop_map(Shape::MultiPolygon),
        ];
        prop_oneof![4 => leaf.clone(), 1 => prop::collection::vec(leaf, 0..3).prop_map(Shape::Collection)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..Default::default() })]
        #[test]
        fn any_two_shapes_have_an_answer_and_a_rectangle(a in any_shape(), b in any_shape(), metres in 0.0..600_000.0_f64) {
            let wkb = a.to_wkb();
            for relation in ["st_equals", "st_touches", "st_overlaps", "st_crosses", "st_contains", "st_intersects", "st_within"] {
                let test = ShapeTest::new(Relation::named(relation).unwrap(), b.clone());
                let _ = test.prepared().holds(&wkb);
            }
            let _ = is_valid(&wkb);
            let at = Shape::Point(Some([2.0, 2.0]));
            let test = ShapeTest::new(Relation::Near(metres), at);
            if test.prepared().holds(&wkb) {
                let ours = test.rectangle().unwrap();
                let theirs = geometry(&a).bounding_rect().unwrap();
                prop_assert!(theirs.min().x <= ours[2] && theirs.max().x >= ours[0]);
                prop_assert!(theirs.min().y <= ours[3] && theirs.max().y >= ours[1]);
            }
        }
    }
}
