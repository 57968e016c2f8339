//! Shapes as text. Keywords in capitals or not; coordinates are written with as many digits as it takes to read them
//! back.

use super::{DEPTH_MAX, Position, Shape, ShapeError, sound_coordinate, sound_line, sound_rings};
use std::fmt::Write;

/// The seven types, as an error names them.
const KINDS: &str =
    "POINT, LINESTRING, POLYGON, MULTIPOINT, MULTILINESTRING, MULTIPOLYGON or GEOMETRYCOLLECTION";

impl Shape {
    /// The shape as WKT: `POINT (1 2)`.
    pub fn to_wkt(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        match self {
            Self::Point(point) => {
                text.push_str("POINT ");
                write_point(text, point.as_ref());
            }
            Self::LineString(line) => {
                text.push_str("LINESTRING ");
                write_line(text, line);
            }
            Self::Polygon(rings) => {
                text.push_str("POLYGON ");
                write_list(text, rings, |text, ring| write_line(text, ring));
            }
            Self::MultiPoint(points) => {
                text.push_str("MULTIPOINT ");
                write_list(text, points, |text, point| write_point(text, point.as_ref()));
            }
            Self::MultiLineString(lines) => {
                text.push_str("MULTILINESTRING ");
                write_list(text, lines, |text, line| write_line(text, line));
            }
            Self::MultiPolygon(polygons) => {
                text.push_str("MULTIPOLYGON ");
                let polygon = |text: &mut String, rings: &Vec<Vec<Position>>| {
                    write_list(text, rings, |text, ring| write_line(text, ring));
                };
                write_list(text, polygons, polygon);
            }
            Self::Collection(shapes) => {
                text.push_str("GEOMETRYCOLLECTION ");
                write_list(text, shapes, |text, shape| shape.write(text));
            }
        }
    }

    /// Reads WKT of two coordinates a point.
    ///
    /// # Errors
    /// [`ShapeError::Text`], [`ShapeError::Unsound`].
    pub fn from_wkt(text: &str) -> Result<Self, ShapeError> {
        let mut parser = Parser { text: text.as_bytes(), at: 0 };
        let shape = parser.shape(0)?;
        parser.space();
        if parser.at == text.len() { Ok(shape) } else { Err(parser.expected("the end")) }
    }
}

fn write_list<T>(text: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    if items.is_empty() {
        return text.push_str("EMPTY");
    }
    text.push('(');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            text.push_str(", ");
        }
        write(text, item);
    }
    text.push(')');
}

fn write_position(text: &mut String, [x, y]: &Position) {
    let _ = write!(text, "{x} {y}");
}

fn write_point(text: &mut String, point: Option<&Position>) {
    write_list(text, point.map(std::slice::from_ref).unwrap_or_default(), write_position);
}

fn write_line(text: &mut String, line: &[Position]) {
    write_list(text, line, write_position);
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn expected(&self, expected: &'static str) -> ShapeError {
        ShapeError::Text { at: self.at, expected }
    }

    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// The letters that come next, without taking them.
    fn word(&mut self) -> &[u8] {
        self.space();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(rest.len());
        &rest[..end]
    }

    fn take(&mut self, sign: u8) -> bool {
        self.space();
        let found = self.text.get(self.at) == Some(&sign);
        self.at += usize::from(found);
        found
    }

    fn take_empty(&mut self) -> bool {
        let found = self.word().eq_ignore_ascii_case(b"EMPTY");
        self.at += if found { 5 } else { 0 };
        found
    }

    fn open(&mut self) -> Result<(), ShapeError> {
        if self.take(b'(') { Ok(()) } else { Err(self.expected("( or EMPTY")) }
    }

    fn close(&mut self) -> Result<(), ShapeError> {
        if self.take(b')') { Ok(()) } else { Err(self.expected(") or a comma")) }
    }

    /// `EMPTY`, or items in parentheses with commas between them.
    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, ShapeError>,
    ) -> Result<Vec<T>, ShapeError> {
        if self.take_empty() {
            return Ok(Vec::new());
        }
        self.open()?;
        let mut items = vec![item(self)?];
        while self.take(b',') {
            items.push(item(self)?);
        }
        self.close()?;
        Ok(items)
    }

    fn number(&mut self) -> Result<f64, ShapeError> {
        self.space();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let number = std::str::from_utf8(&rest[..end]).ok().and_then(|text| text.parse::<f64>().ok());
        let number = number.ok_or_else(|| self.expected("a number"))?;
        self.at += end;
        sound_coordinate(number)
    }

    fn position(&mut self) -> Result<Position, ShapeError> {
        Ok([self.number()?, self.number()?])
    }

    fn point(&mut self) -> Result<Option<Position>, ShapeError> {
        if self.take_empty() {
            return Ok(None);
        }
        self.open()?;
        let position = self.position()?;
        if self.take(b')') { Ok(Some(position)) } else { Err(self.expected(")")) }
    }

    /// A point of several, whose parentheses may be left out.
    fn bare_point(&mut self) -> Result<Option<Position>, ShapeError> {
        self.space();
        let is_bare = self.text.get(self.at).is_some_and(|byte| *byte != b'(')
            && !self.word().eq_ignore_ascii_case(b"EMPTY");
        if is_bare { self.position().map(Some) } else { self.point() }
    }

    fn line(&mut self) -> Result<Vec<Position>, ShapeError> {
        let line = self.list(Self::position)?;
        sound_line(&line).map(|()| line)
    }

    fn rings(&mut self) -> Result<Vec<Vec<Position>>, ShapeError> {
        let rings = self.list(|parser| parser.list(Self::position))?;
        sound_rings(&rings).map(|()| rings)
    }

    fn shape(&mut self, depth: usize) -> Result<Shape, ShapeError> {
        if depth > DEPTH_MAX {
            return Err(ShapeError::Unsound("collections are nested too deep"));
        }
        let word = self.word().to_ascii_uppercase();
        let start = self.at;
        self.at += word.len();
        Ok(match word.as_slice() {
            b"POINT" => Shape::Point(self.point()?),
            b"LINESTRING" => Shape::LineString(self.line()?),
            b"POLYGON" => Shape::Polygon(self.rings()?),
            b"MULTIPOINT" => Shape::MultiPoint(self.list(Self::bare_point)?),
            b"MULTILINESTRING" => Shape::MultiLineString(self.list(Self::line)?),
            b"MULTIPOLYGON" => Shape::MultiPolygon(self.list(Self::rings)?),
            b"GEOMETRYCOLLECTION" => Shape::Collection(self.list(|parser| parser.shape(depth + 1))?),
            _ => {
                self.at = start;
                return Err(self.expected(KINDS));
            }
        })
    }
}
