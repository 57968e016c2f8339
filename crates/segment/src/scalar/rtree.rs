//! Rectangles around shapes, in a tree. Invariant: a shape that has a rectangle is in the tree, and one that has none
//! (nothing but empty parts, or bytes that are no shape) is among the unknown, which are always candidates.
//!
//! The tree is packed: shapes are ordered by slices of x and then by y (STR; Leutenegger, Lopez, Edgington 1997), each
//! sixteen neighbours get a rectangle around them, and so on up to one.

use super::postings::write_numbers;
use crate::Error;
use crate::files::{Opened, SectionWriter};
use data::{ScalarBuffer, VarLen};
use serde::{Deserialize, Serialize};
use simd::Bits;

/// Rectangles that share one above them.
const FANOUT: usize = 16;
/// How deep collections of shapes nest that are looked into.
const DEPTH_MAX: usize = 16;

/// Least x, least y, most x, most y.
pub(super) type Rectangle = [f64; 4];

/// What a file says of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TreeHead {
    /// Shapes in the tree.
    pub(super) known: usize,
    /// Shapes without a rectangle.
    pub(super) unknown: usize,
}

/// Gathers the rectangles of `shapes` and writes the tree as `part`.
pub(super) fn write_tree(
    shapes: &VarLen,
    is_valid: &dyn Fn(usize) -> bool,
    part: &str,
    file: &mut SectionWriter,
) -> Result<TreeHead, Error> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for row in (0..shapes.len()).filter(|row| is_valid(*row)) {
        match rectangle_of(shapes.get(row)) {
            Some(rectangle) => known.push((rectangle, row as u32)),
            None => unknown.push(row as u32),
        }
    }
    pack(&mut known);
    let mut boxes: Vec<Rectangle> = known.iter().map(|entry| entry.0).collect();
    let mut start = 0;
    while boxes.len() - start > 1 {
        let end = boxes.len();
        for first in (start..end).step_by(FANOUT) {
            let around = boxes[first..end.min(first + FANOUT)].iter().fold(NOTHING, join);
            boxes.push(around);
        }
        start = end;
    }
    let head = TreeHead { known: known.len(), unknown: unknown.len() };
    write_numbers(file, part, "boxes", boxes.as_flattened())?;
    write_numbers(file, part, "rows", &known.into_iter().map(|entry| entry.1).collect::<Vec<u32>>())?;
    write_numbers(file, part, "unknown", &unknown)?;
    Ok(head)
}

const NOTHING: Rectangle = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];

fn join(a: Rectangle, b: &Rectangle) -> Rectangle {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

fn meet(a: &Rectangle, b: &Rectangle) -> bool {
    a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
}

/// Orders shapes so that neighbours lie near each other.
fn pack(shapes: &mut [(Rectangle, u32)]) {
    let middle = |rectangle: &Rectangle, axis: usize| rectangle[axis] / 2.0 + rectangle[axis + 2] / 2.0;
    let leaves = shapes.len().div_ceil(FANOUT);
    let slice = (leaves as f64).sqrt().ceil() as usize * FANOUT;
    shapes.sort_unstable_by(|a, b| middle(&a.0, 0).total_cmp(&middle(&b.0, 0)).then(a.1.cmp(&b.1)));
    for part in shapes.chunks_mut(slice.max(1)) {
        part.sort_unstable_by(|a, b| middle(&a.0, 1).total_cmp(&middle(&b.0, 1)).then(a.1.cmp(&b.1)));
    }
}

/// A tree in a file.
#[derive(Debug)]
pub(super) struct Rtree {
    row_count: usize,
    boxes: ScalarBuffer<f64>,
    rows: ScalarBuffer<u32>,
    unknown: ScalarBuffer<u32>,
    /// Where each level begins, the shapes first.
    levels: Vec<usize>,
}

impl Rtree {
    pub(super) fn open(file: &Opened, part: &str, head: TreeHead, row_count: usize) -> Result<Self, Error> {
        let section = |name: &str| format!("{part}/{name}");
        let (mut levels, mut start, mut len) = (vec![0], 0_usize, head.known);
        while len > 1 {
            start += len;
            levels.push(start);
            len = len.div_ceil(FANOUT);
        }
        let all = start.saturating_add(len);
        let boxes = file.numbers(&section("boxes"), all.saturating_mul(4))?;
        let rows: ScalarBuffer<u32> = file.numbers(&section("rows"), head.known)?;
        let unknown: ScalarBuffer<u32> = file.numbers(&section("unknown"), head.unknown)?;
        if rows.iter().chain(unknown.iter()).any(|row| *row as usize >= row_count) {
            return Err(file.damaged(&section("rows"), "there are no such rows"));
        }
        Ok(Self { row_count, boxes, rows, unknown, levels })
    }

    /// How many shapes.
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.unknown.len()
    }

    fn at(&self, place: usize) -> Option<&Rectangle> {
        self.boxes.get(place * 4..place * 4 + 4)?.try_into().ok()
    }

    /// Whether all shapes lie within the degrees that the globe has.
    pub(super) fn is_on_globe(&self) -> bool {
        let all = self.levels.last().and_then(|top| self.at(*top));
        all.is_none_or(|all| all[0] >= -180.0 && all[1] >= -90.0 && all[2] <= 180.0 && all[3] <= 90.0)
    }

    /// The rows whose rectangles meet `wanted`, and those without.
    pub(super) fn candidates(&self, wanted: &Rectangle) -> Bits {
        let mut bits = Bits::zeros(self.row_count);
        self.unknown.iter().for_each(|row| bits.set(*row as usize, true));
        let top = self.levels.len() - 1;
        let mut open = vec![(top, self.levels[top])];
        while let Some((level, place)) = open.pop() {
            if !self.at(place).is_some_and(|rectangle| meet(rectangle, wanted)) {
                continue;
            }
            if level == 0 {
                if let Some(row) = self.rows.get(place) {
                    bits.set(*row as usize, true);
                }
                continue;
            }
            let first = self.levels[level - 1] + (place - self.levels[level]) * FANOUT;
            let end = self.levels[level].min(first + FANOUT);
            open.extend((first..end).map(|place| (level - 1, place)));
        }
        bits
    }
}

/// The rectangle around a shape in WKB (OGC 06-103r4, section 8.2); `None` for one without points, and for other bytes.
fn rectangle_of(shape: &[u8]) -> Option<Rectangle> {
    let mut reader = Wkb { bytes: shape, around: NOTHING };
    reader.shape(0)?;
    let around = reader.around;
    (around[0] <= around[2] && around[1] <= around[3]).then_some(around)
}

struct Wkb<'a> {
    bytes: &'a [u8],
    around: Rectangle,
}

impl Wkb<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn shape(&mut self, depth: usize) -> Option<()> {
        const LITTLE_ENDIAN: [u8; 1] = [1];
        if depth > DEPTH_MAX || self.take()? != LITTLE_ENDIAN {
            return None;
        }
        match self.u32()? {
            1 => self.point(),
            2 => self.points(),
            3 => {
                for _ in 0..self.u32()? {
                    self.points()?;
                }
                Some(())
            }
            4..=7 => {
                for _ in 0..self.u32()? {
                    self.shape(depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn points(&mut self) -> Option<()> {
        (0..self.u32()?).try_for_each(|_| self.point())
    }

    /// NaN stands for an empty point; `min` and `max` pass it over.
    fn point(&mut self) -> Option<()> {
        let (x, y) = (f64::from_le_bytes(self.take()?), f64::from_le_bytes(self.take()?));
        self.around = join(self.around, &[x, y, x, y]);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::Rng;
    use std::sync::Arc;
    use store::{MemoryDisk, Store};

    fn line(points: &[(f64, f64)]) -> Vec<u8> {
        let mut bytes = vec![1, 2, 0, 0, 0];
        bytes.extend_from_slice(&(points.len() as u32).to_le_bytes());
        for (x, y) in points {
            bytes.extend_from_slice(&x.to_le_bytes());
            bytes.extend_from_slice(&y.to_le_bytes());
        }
        bytes
    }

    fn collection(shapes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![1, 7, 0, 0, 0];
        bytes.extend_from_slice(&(shapes.len() as u32).to_le_bytes());
        shapes.iter().for_each(|shape| bytes.extend_from_slice(shape));
        bytes
    }

    #[test]
    fn rectangles() {
        let two = [line(&[(1.0, 5.0), (-2.0, 3.0)]), line(&[(9.0, 4.0)])];
        assert_eq!(rectangle_of(&two[0]), Some([-2.0, 3.0, 1.0, 5.0]));
        assert_eq!(rectangle_of(&collection(&two)), Some([-2.0, 3.0, 9.0, 5.0]));
        assert_eq!(rectangle_of(&line(&[])), None);
        let deep = (0..100).fold(line(&[(0.0, 0.0)]), |inner, _| collection(&[inner]));
        assert_eq!(rectangle_of(&deep), None);
        for len in 0..two[0].len() {
            assert_eq!(rectangle_of(&two[0][..len]), None);
        }
    }

    #[test]
    fn a_tree_finds_what_a_scan_finds() {
        let store = Store::open(Arc::new(MemoryDisk::new())).unwrap();
        let blobs = store.blobs();
        for rows in [0, 1, 15, 16, 17, 300, 5000] {
            let mut rng = Rng::new(rows as u64);
            let mut at = |scale: f64| (rng.unit() * scale, rng.unit() * scale);
            let shapes: Vec<Vec<u8>> = (0..rows)
                .map(|row| {
                    let (from, by) = (at(100.0), at(4.0));
                    if row % 50 == 7 { line(&[]) } else { line(&[from, (from.0 + by.0, from.1 + by.1)]) }
                })
                .collect();
            let name = format!("tree-{rows}");
            let mut file = SectionWriter::create_kind(blobs, &name, *b"tree\0\0\0\0", 1).unwrap();
            let shapes = VarLen::from_values(&shapes);
            let head = write_tree(&shapes, &|row| row % 9 != 4, "t", &mut file).unwrap();
            file.finish().unwrap();
            let file = Opened::open(blobs, &name, *b"tree\0\0\0\0").unwrap();
            let tree = Rtree::open(&file, "t", head, rows).unwrap();
            for _ in 0..50 {
                let (from, by) = (at(100.0), at(20.0));
                let wanted = [from.0, from.1, from.0 + by.0, from.1 + by.1];
                let want = Bits::from_fn(rows, |row| {
                    let rectangle = rectangle_of(shapes.get(row));
                    row % 9 != 4 && rectangle.is_none_or(|rectangle| meet(&rectangle, &wanted))
                });
                assert_eq!(tree.candidates(&wanted), want, "{rows} rows");
            }
        }
    }
}
