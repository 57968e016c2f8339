//! Columns that grow value by value.
//! Invariant: every buffer of the values grows by one row whenever the validity bits do.

use crate::values::Lists;
use crate::{Column, Kind, Shape, Type, Value, Values, VarLen};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};

/// Grows a column value by value.
#[derive(Debug)]
pub struct ColumnBuilder {
    values: Growing,
    validity: BooleanBufferBuilder,
    has_nulls: bool,
}

#[derive(Debug)]
enum Growing {
    Bool(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    /// Also of moments.
    Int64(Type, Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    VarLen {
        data_type: Type,
        offsets: Vec<i64>,
        bytes: Vec<u8>,
    },
    FloatVector {
        dim: usize,
        values: Vec<f32>,
    },
    Int8Vector {
        dim: usize,
        values: Vec<i8>,
    },
    /// Vectors of bits and of half floats, `width` bytes each.
    ByteVector {
        kind: Kind,
        width: usize,
        bytes: Vec<u8>,
    },
    Array {
        offsets: Vec<i64>,
        items: Box<ColumnBuilder>,
    },
}

impl ColumnBuilder {
    /// An empty column of `data_type`, which is no array; `dim` matters for dense vectors only.
    pub fn new(data_type: Type, dim: usize) -> Self {
        Self::of(Kind::new(data_type, dim))
    }

    /// An empty column of `kind`. An array that does not say of what holds 64-bit integers.
    pub fn of(kind: Kind) -> Self {
        let dim = kind.dim;
        let values = match kind.data_type {
            Type::Bool => Growing::Bool(BooleanBufferBuilder::new(0)),
            Type::Int8 => Growing::Int8(Vec::new()),
            Type::Int16 => Growing::Int16(Vec::new()),
            Type::Int32 => Growing::Int32(Vec::new()),
            Type::Int64 | Type::Timestamptz => Growing::Int64(kind.data_type, Vec::new()),
            Type::Float => Growing::Float(Vec::new()),
            Type::Double => Growing::Double(Vec::new()),
            Type::VarChar | Type::Text | Type::Json | Type::Geometry | Type::SparseVector => {
                Growing::VarLen { data_type: kind.data_type, offsets: vec![0], bytes: Vec::new() }
            }
            Type::FloatVector => Growing::FloatVector { dim, values: Vec::new() },
            Type::Int8Vector => Growing::Int8Vector { dim, values: Vec::new() },
            Type::BinaryVector | Type::Float16Vector | Type::BFloat16Vector => {
                Growing::ByteVector { kind, width: kind.vector_bytes(), bytes: Vec::new() }
            }
            Type::Array => {
                let item = kind.item().unwrap_or(Kind::new(Type::Int64, 0));
                Growing::Array { offsets: vec![0], items: Box::new(Self::of(item)) }
            }
        };
        Self { values, validity: BooleanBufferBuilder::new(0), has_nulls: false }
    }

    /// An empty column of the same kind as `column`.
    pub fn like(column: &Column) -> Self {
        Self::of(column.kind())
    }

    /// Makes room for `rows` more rows.
    pub fn reserve(&mut self, rows: usize) {
        match &mut self.values {
            Growing::Bool(_) => {}
            Growing::Int8(v) => v.reserve(rows),
            Growing::Int16(v) => v.reserve(rows),
            Growing::Int32(v) => v.reserve(rows),
            Growing::Int64(_, v) => v.reserve(rows),
            Growing::Float(v) => v.reserve(rows),
            Growing::Double(v) => v.reserve(rows),
            Growing::VarLen { offsets, .. } | Growing::Array { offsets, .. } => offsets.reserve(rows),
            Growing::FloatVector { dim, values } => values.reserve(rows * *dim),
            Growing::Int8Vector { dim, values } => values.reserve(rows * *dim),
            Growing::ByteVector { width, bytes, .. } => bytes.reserve(rows * *width),
        }
    }

    /// How many rows so far.
    pub fn len(&self) -> usize {
        self.validity.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an absent value.
    pub fn push_null(&mut self) {
        self.push_nulls(1);
    }

    /// Adds `rows` absent values.
    pub fn push_nulls(&mut self, rows: usize) {
        self.has_nulls |= rows > 0;
        self.validity.append_n(rows, false);
        match &mut self.values {
            Growing::Bool(v) => v.append_n(rows, false),
            Growing::Int8(v) => v.resize(v.len() + rows, 0),
            Growing::Int16(v) => v.resize(v.len() + rows, 0),
            Growing::Int32(v) => v.resize(v.len() + rows, 0),
            Growing::Int64(_, v) => v.resize(v.len() + rows, 0),
            Growing::Float(v) => v.resize(v.len() + rows, 0.0),
            Growing::Double(v) => v.resize(v.len() + rows, 0.0),
            Growing::VarLen { offsets, bytes, .. } => {
                offsets.resize(offsets.len() + rows, bytes.len() as i64);
            }
            Growing::Array { offsets, items } => offsets.resize(offsets.len() + rows, items.len() as i64),
            // Zeros of a fresh buffer cost no memory until they are looked at.
            Growing::FloatVector { dim, values } if values.is_empty() => *values = vec![0.0; rows * *dim],
            Growing::FloatVector { dim, values } => values.resize(values.len() + rows * *dim, 0.0),
            Growing::Int8Vector { dim, values } if values.is_empty() => *values = vec![0; rows * *dim],
            Growing::Int8Vector { dim, values } => values.resize(values.len() + rows * *dim, 0),
            Growing::ByteVector { width, bytes, .. } if bytes.is_empty() => *bytes = vec![0; rows * *width],
            Growing::ByteVector { width, bytes, .. } => bytes.resize(bytes.len() + rows * *width, 0),
        }
    }

    /// Adds `value`; into a column of shapes WKT, of moments microseconds. A value of another kind of type becomes absent;
    /// numbers are cut to the column's width.
    pub fn push(&mut self, value: &Value) {
        let fits = match (&mut self.values, value) {
            (Growing::Bool(v), Value::Bool(x)) => {
                v.append(*x);
                true
            }
            (Growing::Int8(v), Value::Int(x)) => push_to(v, *x as i8),
            (Growing::Int16(v), Value::Int(x)) => push_to(v, *x as i16),
            (Growing::Int32(v), Value::Int(x)) => push_to(v, *x as i32),
            (Growing::Int64(_, v), Value::Int(x)) => push_to(v, *x),
            (Growing::Float(v), Value::Double(x)) => push_to(v, *x as f32),
            (Growing::Float(v), Value::Int(x)) => push_to(v, *x as f32),
            (Growing::Double(v), Value::Double(x)) => push_to(v, *x),
            (Growing::Double(v), Value::Int(x)) => push_to(v, *x as f64),
            (
                Growing::VarLen { data_type: Type::VarChar | Type::Json, offsets, bytes },
                Value::Text(text) | Value::Json(text),
            ) => {
                bytes.extend_from_slice(text.as_bytes());
                push_to(offsets, bytes.len() as i64)
            }
            (Growing::VarLen { data_type: Type::Geometry, offsets, bytes }, Value::Text(text)) => {
                Shape::from_wkt(text).is_ok_and(|shape| {
                    bytes.extend(shape.to_wkb());
                    push_to(offsets, bytes.len() as i64)
                })
            }
            (Growing::Array { offsets, items }, Value::List(list)) => {
                list.iter().for_each(|item| items.push_item(item));
                push_to(offsets, items.len() as i64)
            }
            _ => false,
        };
        if fits {
            self.validity.append(true);
        } else {
            self.push_null();
        }
    }

    /// Adds an item of a list: what does not fit becomes zero, not absent.
    fn push_item(&mut self, item: &Value) {
        let (rows, had_nulls) = (self.len(), self.has_nulls);
        self.push(item);
        self.has_nulls = had_nulls;
        self.validity.set_bit(rows, true);
    }

    /// Adds the bytes of a text, of a JSON document, of a shape (WKB) or of a sparse vector.
    ///
    /// # Panics
    /// In debug builds, when the column is of another type.
    pub fn push_bytes(&mut self, value: &[u8]) {
        let Growing::VarLen { offsets, bytes, .. } = &mut self.values else {
            debug_assert!(false, "bytes go into columns of variable length only");
            return self.push_null();
        };
        bytes.extend_from_slice(value);
        offsets.push(bytes.len() as i64);
        self.validity.append(true);
    }

    /// Adds the array whose items are the rows of `items`, which must be of the element's kind and without nulls.
    ///
    /// # Panics
    /// In debug builds, when this is no column of such arrays.
    pub fn push_items(&mut self, items: &Column) {
        let Growing::Array { offsets, items: all } = &mut self.values else {
            debug_assert!(false, "items go into arrays only");
            return self.push_null();
        };
        debug_assert!(items.null_count() == 0, "items are never absent");
        all.extend_from(items);
        offsets.push(all.len() as i64);
        self.validity.append(true);
    }

    /// Adds row `row` of `column`, which must have this builder's kind.
    ///
    /// # Panics
    /// When `row` is out of bounds; in debug builds, when the kinds differ.
    pub fn push_from(&mut self, column: &Column, row: usize) {
        if !column.is_valid(row) {
            return self.push_null();
        }
        match (&mut self.values, column.values()) {
            (Growing::Bool(v), Values::Bool(from)) => v.append(from.value(row)),
            (Growing::Int8(v), Values::Int8(from)) => v.push(from[row]),
            (Growing::Int16(v), Values::Int16(from)) => v.push(from[row]),
            (Growing::Int32(v), Values::Int32(from)) => v.push(from[row]),
            (Growing::Int64(_, v), Values::Int64(from) | Values::Timestamptz(from)) => v.push(from[row]),
            (Growing::Float(v), Values::Float(from)) => v.push(from[row]),
            (Growing::Double(v), Values::Double(from)) => v.push(from[row]),
            (Growing::FloatVector { dim, values }, Values::FloatVector { values: from, .. }) => {
                values.extend_from_slice(&from[row * *dim..(row + 1) * *dim]);
            }
            (Growing::Int8Vector { dim, values }, Values::Int8Vector { values: from, .. }) => {
                values.extend_from_slice(&from[row * *dim..(row + 1) * *dim]);
            }
            (
                Growing::ByteVector { width, bytes, .. },
                Values::BinaryVector { bytes: from, .. }
                | Values::Float16Vector { bytes: from, .. }
                | Values::BFloat16Vector { bytes: from, .. },
            ) => bytes.extend_from_slice(&from[row * *width..(row + 1) * *width]),
            (Growing::Array { offsets, items }, Values::Array(from)) => {
                items.extend_from(&from.get(row));
                offsets.push(items.len() as i64);
            }
            (Growing::VarLen { offsets, bytes, .. }, from) if from.var_len().is_some() => {
                bytes.extend_from_slice(from.var_len().map_or(&[], |from| from.get(row)));
                offsets.push(bytes.len() as i64);
            }
            _ => {
                debug_assert!(false, "a column of another type");
                return self.push_null();
            }
        }
        self.validity.append(true);
    }

    /// Adds all rows of `column`, which must have this builder's kind. Vectors and numbers are copied in one piece.
    pub fn extend_from(&mut self, column: &Column) {
        if column.null_count() == 0 && self.extend_whole(column) {
            return self.validity.append_n(column.len(), true);
        }
        for row in 0..column.len() {
            self.push_from(column, row);
        }
    }

    /// Adds the values of a column without nulls in one piece; `false` when they have to be added one by one.
    fn extend_whole(&mut self, column: &Column) -> bool {
        match (&mut self.values, column.values()) {
            (Growing::Int8(v), Values::Int8(from)) => extend(v, from),
            (Growing::Int16(v), Values::Int16(from)) => extend(v, from),
            (Growing::Int32(v), Values::Int32(from)) => extend(v, from),
            (Growing::Int64(_, v), Values::Int64(from) | Values::Timestamptz(from)) => extend(v, from),
            (Growing::Float(v), Values::Float(from)) => extend(v, from),
            (Growing::Double(v), Values::Double(from)) => extend(v, from),
            (Growing::FloatVector { values: v, .. }, Values::FloatVector { values: from, .. }) => {
                extend(v, from)
            }
            (Growing::Int8Vector { values: v, .. }, Values::Int8Vector { values: from, .. }) => {
                extend(v, from)
            }
            (
                Growing::ByteVector { bytes: v, .. },
                Values::BinaryVector { bytes: from, .. }
                | Values::Float16Vector { bytes: from, .. }
                | Values::BFloat16Vector { bytes: from, .. },
            ) => extend(v, from),
            _ => false,
        }
    }

    /// The column.
    pub fn finish(mut self) -> Column {
        let validity = self.has_nulls.then(|| NullBuffer::new(self.validity.finish()));
        let values = match self.values {
            Growing::Bool(mut v) => Values::Bool(v.finish()),
            Growing::Int8(v) => Values::Int8(v.into()),
            Growing::Int16(v) => Values::Int16(v.into()),
            Growing::Int32(v) => Values::Int32(v.into()),
            Growing::Int64(Type::Timestamptz, v) => Values::Timestamptz(v.into()),
            Growing::Int64(_, v) => Values::Int64(v.into()),
            Growing::Float(v) => Values::Float(v.into()),
            Growing::Double(v) => Values::Double(v.into()),
            Growing::VarLen { data_type, offsets, bytes } => {
                let values = VarLen::built(offsets, bytes);
                match data_type {
                    Type::Json => Values::Json(values),
                    Type::Geometry => Values::Geometry(values),
                    Type::SparseVector => Values::SparseVector(values),
                    _ => Values::Text(values),
                }
            }
            Growing::FloatVector { dim, values } => Values::FloatVector { dim, values: values.into() },
            Growing::Int8Vector { dim, values } => Values::Int8Vector { dim, values: values.into() },
            Growing::ByteVector { kind: Kind { data_type, dim, .. }, bytes, .. } => {
                let bytes = bytes.into();
                match data_type {
                    Type::Float16Vector => Values::Float16Vector { dim, bytes },
                    Type::BFloat16Vector => Values::BFloat16Vector { dim, bytes },
                    _ => Values::BinaryVector { dim, bytes },
                }
            }
            Growing::Array { offsets, items } => Values::Array(Lists::built(offsets, items.finish())),
        };
        Column::built(values, validity)
    }
}

fn push_to<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    true
}

fn extend<T: Copy>(values: &mut Vec<T>, from: &[T]) -> bool {
    values.extend_from_slice(from);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extend_equals_push() {
        let column = Column::from_texts(["x", "y"]);
        let mut builder = ColumnBuilder::like(&column);
        builder.extend_from(&column);
        builder.extend_from(&column.slice(1, 1));
        let all = builder.finish();
        assert_eq!((all.len(), all.value(2)), (3, Value::Text("y".into())));
    }

    #[test]
    fn arrays_grow_by_lists_items_and_rows() {
        let list = |values: &[i64]| Value::List(values.iter().copied().map(Value::Int).collect());
        let mut builder = ColumnBuilder::of(Kind::array(Type::Int16, 0));
        builder.push(&list(&[1, 2]));
        builder.push_null();
        builder.push(&list(&[]));
        builder.push(&Value::Int(7));
        let column = builder.finish();
        assert_eq!((column.len(), column.null_count(), column.value(0)), (4, 2, list(&[1, 2])));
        let mut builder = ColumnBuilder::like(&column);
        builder.extend_from(&column.slice(2, 2));
        builder.push_from(&column, 0);
        let Values::Array(lists) = column.values() else { panic!("arrays") };
        builder.push_items(&lists.get(0));
        let grown = builder.finish();
        assert_eq!((grown.len(), grown.value(0), grown.value(1)), (4, list(&[]), Value::Null));
        assert_eq!(grown.slice(2, 1), column.slice(0, 1));
        assert_eq!(grown.slice(3, 1), column.slice(0, 1));
        let Values::Array(after) = grown.values() else { panic!("arrays") };
        assert!(after.items().null_count() == 0 && after.slice(2, 1).same_lengths(&lists.slice(0, 1)));
        assert!(!after.slice(0, 1).same_lengths(&lists.slice(0, 1)));
    }

    #[test]
    fn items_of_another_type_are_zero() {
        let mut builder = ColumnBuilder::of(Kind::array(Type::VarChar, 0));
        builder.push(&Value::List(vec![Value::Text("a".into()), Value::Null, Value::Int(1)]));
        let column = builder.finish();
        let text = |text: &str| Value::Text(text.into());
        assert_eq!(column.value(0), Value::List(vec![text("a"), text(""), text("")]));
    }

    #[test]
    fn absent_values_hold_zeros() {
        for data_type in Type::ALL {
            let kind =
                if data_type == Type::Array { Kind::array(Type::Int8, 0) } else { Kind::new(data_type, 16) };
            let column = Column::nothing(kind, 3);
            assert_eq!((column.len(), column.null_count(), column.kind()), (3, 3, kind), "{data_type:?}");
            assert_eq!(column.take(&[2, 0]), Column::nothing(kind, 2));
        }
    }
}
