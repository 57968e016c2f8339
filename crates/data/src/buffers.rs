//! A column as plain buffers and back: the form in which columns go into files and logs. Nothing is copied when the
//! column's buffers are whole.
//!
//! The buffers of a column, in this order: validity bits (only when some value is absent), then for texts, JSON, shapes
//! and sparse vectors `rows + 1` offsets (i64) starting at zero and the bytes they point into, for arrays `rows + 1`
//! offsets (i64) starting at zero and the buffers of the elements, which have no validity bits, for all other types the
//! values. Bits are packed least significant first, numbers are little-endian.

use crate::{Column, Kind, Lists, Type, Values, VarLen};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use bytes::Bytes;

/// A column's buffers and what is needed to read them.
#[derive(Debug, Clone)]
pub struct Buffers {
    /// What its values are.
    pub kind: Kind,
    /// How many rows.
    pub rows: usize,
    /// Whether the first buffer holds validity bits.
    pub has_nulls: bool,
    /// The buffers.
    pub parts: Vec<Bytes>,
}

/// Buffers that are no column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a column of {rows} values of {data_type:?} cannot be read: {reason}")]
pub struct BuffersError {
    /// The type it should have.
    pub data_type: Type,
    /// The rows it should have.
    pub rows: usize,
    /// What does not fit.
    pub reason: &'static str,
}

struct Owner(Buffer);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn shared(buffer: Buffer) -> Bytes {
    Bytes::from_owner(Owner(buffer))
}

fn scalars<T: ArrowNativeType>(values: &ScalarBuffer<T>) -> Bytes {
    shared(values.inner().clone())
}

fn var_len(texts: &VarLen) -> [Bytes; 2] {
    let (first, last) = (texts.offsets()[0], texts.offsets()[texts.len()]);
    let bytes = texts.buffer().slice_with_length(first as usize, (last - first) as usize);
    if first == 0 {
        return [shared(texts.offsets_buffer().inner().clone()), shared(bytes)];
    }
    let offsets: Vec<i64> = texts.offsets().iter().map(|offset| offset - first).collect();
    [shared(Buffer::from(offsets)), shared(bytes)]
}

impl Buffers {
    /// The buffers of `column`.
    pub fn of(column: &Column) -> Self {
        let mut parts = Vec::with_capacity(3);
        if let Some(bits) = column.validity() {
            parts.push(shared(bits.inner().sliced()));
        }
        push_values(&mut parts, column.values());
        let (kind, rows, has_nulls) = (column.kind(), column.len(), column.validity().is_some());
        Self { kind, rows, has_nulls, parts }
    }

    /// The column of these buffers. They are used in place when they are aligned for their type, else copied. Text is
    /// not looked at: what was written as a column is one.
    ///
    /// # Errors
    /// When a buffer is missing or has another length than the rows ask for.
    pub fn into_column(self) -> Result<Column, BuffersError> {
        let rows = self.rows;
        let fail = |reason| BuffersError { data_type: self.kind.data_type, rows, reason };
        let mut parts = self.parts.into_iter();
        let validity = if self.has_nulls {
            let bits = parts.next().ok_or_else(|| fail(MISSING))?;
            let bits = boolean(bits, rows).ok_or_else(|| fail("its validity bits have another length"))?;
            Some(NullBuffer::new(bits))
        } else {
            None
        };
        let values = read_values(self.kind, rows, &mut parts).map_err(fail)?;
        Column::trusted(values, validity).map_err(|_| fail(LENGTH))
    }
}

const MISSING: &str = "a buffer is missing";
const LENGTH: &str = "its values have another length";

fn push_values(parts: &mut Vec<Bytes>, values: &Values) {
    match values {
        Values::Bool(v) => parts.push(shared(v.sliced())),
        Values::Int8(v) => parts.push(scalars(v)),
        Values::Int16(v) => parts.push(scalars(v)),
        Values::Int32(v) => parts.push(scalars(v)),
        Values::Int64(v) | Values::Timestamptz(v) => parts.push(scalars(v)),
        Values::Float(v) => parts.push(scalars(v)),
        Values::Double(v) => parts.push(scalars(v)),
        Values::Text(v) | Values::Json(v) | Values::Geometry(v) | Values::SparseVector(v) => {
            parts.extend(var_len(v));
        }
        Values::FloatVector { values, .. } => parts.push(scalars(values)),
        Values::Int8Vector { values, .. } => parts.push(scalars(values)),
        Values::BinaryVector { bytes, .. }
        | Values::Float16Vector { bytes, .. }
        | Values::BFloat16Vector { bytes, .. } => parts.push(shared(bytes.clone())),
        Values::Array(lists) => {
            let lists = lists.compact();
            parts.push(scalars(lists.offsets_buffer()));
            push_values(parts, lists.items().values());
        }
    }
}

fn read_values(
    kind: Kind,
    rows: usize,
    parts: &mut impl Iterator<Item = Bytes>,
) -> Result<Values, &'static str> {
    let dim = kind.dim;
    let mut next = || parts.next().ok_or(MISSING);
    Ok(match kind.data_type {
        Type::Bool => Values::Bool(boolean(next()?, rows).ok_or(LENGTH)?),
        Type::Int8 => Values::Int8(typed(next()?, rows)?),
        Type::Int16 => Values::Int16(typed(next()?, rows)?),
        Type::Int32 => Values::Int32(typed(next()?, rows)?),
        Type::Int64 => Values::Int64(typed(next()?, rows)?),
        Type::Timestamptz => Values::Timestamptz(typed(next()?, rows)?),
        Type::Float => Values::Float(typed(next()?, rows)?),
        Type::Double => Values::Double(typed(next()?, rows)?),
        Type::VarChar | Type::Text | Type::Json | Type::Geometry | Type::SparseVector => {
            let offsets = offsets(next()?, rows)?;
            let values = VarLen::new(offsets, Buffer::from(next()?)).map_err(|_| OFFSETS)?;
            Values::from_var_len(kind.data_type, values).ok_or(LENGTH)?
        }
        Type::FloatVector => Values::FloatVector { dim, values: typed(next()?, components(rows, dim)?)? },
        Type::Int8Vector => Values::Int8Vector { dim, values: typed(next()?, components(rows, dim)?)? },
        Type::BinaryVector => Values::BinaryVector { dim, bytes: byte_vectors(kind, rows, next()?)? },
        Type::Float16Vector => Values::Float16Vector { dim, bytes: byte_vectors(kind, rows, next()?)? },
        Type::BFloat16Vector => Values::BFloat16Vector { dim, bytes: byte_vectors(kind, rows, next()?)? },
        Type::Array => {
            let item = kind.item().ok_or("its elements have no type")?;
            let offsets = offsets(next()?, rows)?;
            let count = offsets.last().and_then(|last| usize::try_from(*last).ok()).ok_or(OFFSETS)?;
            let items = read_values(item, count, parts)?;
            let items = Column::trusted(items, None).map_err(|_| LENGTH)?;
            Values::Array(Lists::new(offsets, items).map_err(|_| OFFSETS)?)
        }
    })
}

const OFFSETS: &str = "its offsets are out of order or out of range";

fn offsets(part: Bytes, rows: usize) -> Result<ScalarBuffer<i64>, &'static str> {
    const WRONG: &str = "its offsets have another length";
    typed(part, rows.checked_add(1).ok_or(WRONG)?).map_err(|_| WRONG)
}

fn components(rows: usize, dim: usize) -> Result<usize, &'static str> {
    rows.checked_mul(dim).filter(|_| dim > 0).ok_or(LENGTH)
}

fn byte_vectors(kind: Kind, rows: usize, part: Bytes) -> Result<Buffer, &'static str> {
    let fits = kind.vector_bytes() > 0 && rows.checked_mul(kind.vector_bytes()) == Some(part.len());
    if fits { Ok(Buffer::from(part)) } else { Err(LENGTH) }
}

fn boolean(bytes: Bytes, rows: usize) -> Option<BooleanBuffer> {
    (bytes.len() >= rows.div_ceil(8)).then(|| BooleanBuffer::new(Buffer::from(bytes), 0, rows))
}

fn typed<T: ArrowNativeType>(bytes: Bytes, count: usize) -> Result<ScalarBuffer<T>, &'static str> {
    let size = size_of::<T>();
    if count.checked_mul(size) != Some(bytes.len()) {
        return Err(LENGTH);
    }
    let in_place = (bytes.as_ptr() as usize).is_multiple_of(align_of::<T>());
    // A buffer made from a slice is a copy, and aligned.
    let buffer = if in_place { Buffer::from(bytes) } else { Buffer::from(bytes.as_ref()) };
    Ok(ScalarBuffer::new(buffer, 0, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ColumnBuilder, Value};

    fn arrays() -> Column {
        let mut arrays = ColumnBuilder::of(Kind::array(Type::VarChar, 0));
        for row in 0..7 {
            let texts = (0..row % 4).map(|i| Value::Text("x".repeat(i)));
            if row == 3 { arrays.push_null() } else { arrays.push(&Value::List(texts.collect())) }
        }
        arrays.finish()
    }

    fn vectors_of(data_type: Type) -> Column {
        let mut vectors = ColumnBuilder::new(data_type, 16);
        let bytes = Buffer::from((0..32_u8).collect::<Vec<_>>());
        let one = match data_type {
            Type::Float16Vector => Values::Float16Vector { dim: 16, bytes },
            Type::BFloat16Vector => Values::BFloat16Vector { dim: 16, bytes },
            Type::Int8Vector => Values::Int8Vector { dim: 16, values: ScalarBuffer::new(bytes, 0, 16) },
            Type::SparseVector => Values::SparseVector(VarLen::from_values([bytes])),
            _ => Values::BinaryVector { dim: 16, bytes },
        };
        let one = Column::new(one, None).unwrap();
        vectors.push_from(&one, 0);
        vectors.push_null();
        vectors.push_from(&one, 0);
        vectors.finish()
    }

    fn columns() -> Vec<Column> {
        let mut nullable = ColumnBuilder::new(Type::Int16, 0);
        nullable.push(&Value::Int(5));
        nullable.push_null();
        let mut flags = ColumnBuilder::new(Type::Bool, 0);
        for i in 0..70 {
            flags.push(&Value::Bool(i % 3 == 0));
        }
        vec![
            Column::from_ints(vec![1, 2, 3]),
            Column::from_texts(["a", "", "ccc"]).slice(1, 2),
            Column::from_vectors(2, vec![1.0, 2.0, 3.0, 4.0]).unwrap(),
            nullable.finish(),
            flags.finish().slice(3, 60),
            Column::from_texts(Vec::<String>::new()),
            arrays(),
            arrays().slice(2, 4),
            vectors_of(Type::Float16Vector),
            vectors_of(Type::BFloat16Vector).slice(1, 2),
            vectors_of(Type::Int8Vector),
            vectors_of(Type::BinaryVector),
            vectors_of(Type::SparseVector).slice(1, 2),
        ]
    }

    #[test]
    fn there_and_back_also_when_unaligned() {
        for column in columns() {
            let mut buffers = Buffers::of(&column);
            for part in &mut buffers.parts {
                let mut moved = vec![0_u8];
                moved.extend_from_slice(part);
                *part = Bytes::from(moved).slice(1..);
            }
            let back = buffers.into_column().unwrap();
            assert_eq!(back, column);
        }
    }

    #[test]
    fn cut_buffers_are_refused() {
        for column in columns().into_iter().filter(|column| !column.is_empty()) {
            let whole = Buffers::of(&column);
            for place in 0..whole.parts.len() {
                let mut cut = whole.clone();
                cut.parts[place] = Bytes::new();
                assert!(cut.into_column().is_err(), "{column:?} without part {place}");
                let mut missing = whole.clone();
                missing.parts.truncate(place);
                assert!(missing.into_column().is_err());
            }
        }
    }
}
