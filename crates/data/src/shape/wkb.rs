//! Shapes as bytes. Invariant: nothing is reserved for more parts than the bytes left could hold.

use super::{DEPTH_MAX, Position, Shape, ShapeError, sound_coordinate, sound_line, sound_rings};

const LITTLE: u8 = 1;
/// A flag, a type and at least a count.
const SHAPE_BYTES_MIN: usize = 9;
const POSITION_BYTES: usize = 16;

impl Shape {
    /// The shape as little-endian WKB. An empty point has coordinates that are no numbers, as is the custom.
    pub fn to_wkb(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        bytes
    }

    fn code(&self) -> u32 {
        match self {
            Self::Point(_) => 1,
            Self::LineString(_) => 2,
            Self::Polygon(_) => 3,
            Self::MultiPoint(_) => 4,
            Self::MultiLineString(_) => 5,
            Self::MultiPolygon(_) => 6,
            Self::Collection(_) => 7,
        }
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        head(bytes, self.code());
        match self {
            Self::Point(point) => put_positions(bytes, &[point.unwrap_or([f64::NAN; 2])]),
            Self::LineString(line) => put_line(bytes, line),
            Self::Polygon(rings) => put_rings(bytes, rings),
            Self::MultiPoint(points) => {
                count(bytes, points.len());
                for point in points {
                    head(bytes, 1);
                    put_positions(bytes, &[point.unwrap_or([f64::NAN; 2])]);
                }
            }
            Self::MultiLineString(lines) => {
                count(bytes, lines.len());
                for line in lines {
                    head(bytes, 2);
                    put_line(bytes, line);
                }
            }
            Self::MultiPolygon(polygons) => {
                count(bytes, polygons.len());
                for rings in polygons {
                    head(bytes, 3);
                    put_rings(bytes, rings);
                }
            }
            Self::Collection(shapes) => {
                count(bytes, shapes.len());
                shapes.iter().for_each(|shape| shape.put(bytes));
            }
        }
    }

    /// Reads WKB of either byte order.
    ///
    /// # Errors
    /// [`ShapeError::Bytes`], [`ShapeError::Unsound`].
    pub fn from_wkb(bytes: &[u8]) -> Result<Self, ShapeError> {
        let mut reader = Reader { bytes, is_little: true };
        let shape = reader.shape(0)?;
        if reader.bytes.is_empty() {
            Ok(shape)
        } else {
            Err(ShapeError::Bytes("there are bytes after its end"))
        }
    }
}

fn head(bytes: &mut Vec<u8>, code: u32) {
    bytes.push(LITTLE);
    bytes.extend(code.to_le_bytes());
}

fn count(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend((count as u32).to_le_bytes());
}

fn put_positions(bytes: &mut Vec<u8>, positions: &[Position]) {
    positions.iter().flatten().for_each(|value| bytes.extend(value.to_le_bytes()));
}

fn put_line(bytes: &mut Vec<u8>, line: &[Position]) {
    count(bytes, line.len());
    put_positions(bytes, line);
}

fn put_rings(bytes: &mut Vec<u8>, rings: &[Vec<Position>]) {
    count(bytes, rings.len());
    rings.iter().for_each(|ring| put_line(bytes, ring));
}

struct Reader<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ShapeError> {
        let (taken, rest) =
            self.bytes.split_first_chunk::<N>().ok_or(ShapeError::Bytes("it is cut short"))?;
        self.bytes = rest;
        let mut taken = *taken;
        if !self.is_little {
            taken.reverse();
        }
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, ShapeError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    /// A count of parts of at least `size` bytes each.
    fn count(&mut self, size: usize) -> Result<usize, ShapeError> {
        let count = self.number()? as usize;
        let fits = count.checked_mul(size).is_some_and(|bytes| bytes <= self.bytes.len());
        if fits { Ok(count) } else { Err(ShapeError::Bytes("it has fewer parts than it says")) }
    }

    /// Reads byte order and type.
    fn head(&mut self) -> Result<u32, ShapeError> {
        let [order] = self.take::<1>()?;
        self.is_little = match order {
            0 => false,
            1 => true,
            _ => return Err(ShapeError::Bytes("its byte order is neither 0 nor 1")),
        };
        self.number()
    }

    /// Reads byte order and type of a part, which must be `code`.
    fn part(&mut self, code: u32) -> Result<(), ShapeError> {
        if self.head()? == code { Ok(()) } else { Err(ShapeError::Bytes("a part of it is of another type")) }
    }

    fn position(&mut self) -> Result<Position, ShapeError> {
        let mut coordinate = || sound_coordinate(f64::from_le_bytes(self.take()?));
        Ok([coordinate()?, coordinate()?])
    }

    fn point(&mut self) -> Result<Option<Position>, ShapeError> {
        let values = [f64::from_le_bytes(self.take()?), f64::from_le_bytes(self.take()?)];
        if values.iter().all(|value| value.is_nan()) {
            return Ok(None);
        }
        Ok(Some([sound_coordinate(values[0])?, sound_coordinate(values[1])?]))
    }

    fn positions(&mut self) -> Result<Vec<Position>, ShapeError> {
        (0..self.count(POSITION_BYTES)?).map(|_| self.position()).collect()
    }

    fn line(&mut self) -> Result<Vec<Position>, ShapeError> {
        let line = self.positions()?;
        sound_line(&line).map(|()| line)
    }

    fn rings(&mut self) -> Result<Vec<Vec<Position>>, ShapeError> {
        let rings: Vec<_> = (0..self.count(4)?).map(|_| self.positions()).collect::<Result<_, _>>()?;
        sound_rings(&rings).map(|()| rings)
    }

    fn parts<T>(
        &mut self,
        code: u32,
        read: impl Fn(&mut Self) -> Result<T, ShapeError>,
    ) -> Result<Vec<T>, ShapeError> {
        (0..self.count(SHAPE_BYTES_MIN)?).map(|_| self.part(code).and_then(|()| read(self))).collect()
    }

    fn shape(&mut self, depth: usize) -> Result<Shape, ShapeError> {
        if depth > DEPTH_MAX {
            return Err(ShapeError::Unsound("collections are nested too deep"));
        }
        Ok(match self.head()? {
            1 => Shape::Point(self.point()?),
            2 => Shape::LineString(self.line()?),
            3 => Shape::Polygon(self.rings()?),
            4 => Shape::MultiPoint(self.parts(1, Self::point)?),
            5 => Shape::MultiLineString(self.parts(2, Self::line)?),
            6 => Shape::MultiPolygon(self.parts(3, Self::rings)?),
            7 => {
                let count = self.count(SHAPE_BYTES_MIN)?;
                Shape::Collection((0..count).map(|_| self.shape(depth + 1)).collect::<Result<_, _>>()?)
            }
            _ => return Err(ShapeError::Bytes("its type is none of the seven two-dimensional ones")),
        })
    }
}
