//! Columns out of messages.

use super::{Decoded, scalar_name, vector_name};
use crate::proto::schema::field_data::Field as Payload;
use crate::proto::schema::scalar_field::Data as Scalar;
use crate::proto::schema::vector_field::Data as Vector;
use crate::proto::schema::{
    ArrayArray, BoolArray, DataType, DoubleArray, FieldData, IntArray, LongArray, ScalarField,
    SparseFloatArray, VectorArray, VectorField,
};
use crate::{Error, FloatArray, TextArray, schema};
use bytes::Bytes;
use data::{
    BooleanBuffer, Buffer, Column, ColumnBuilder, Kind, Lists, NullBuffer, ScalarBuffer, Struct, Type,
    Values, VarLen,
};

/// The most bytes that vectors may take once absent ones are filled up: a byte on the wire can stand for a whole vector.
const SPREAD_BYTES_MAX: usize = 512 << 20;

/// Reads the columns of one field of `rows` rows: one, or of an array of structs one a sub-field, called `struct[sub]`.
///
/// # Errors
/// As [`decode`].
pub fn decode_all(mut message: FieldData, rows: usize) -> Result<Vec<Decoded>, Error> {
    let Some(Payload::StructArrays(structs)) =
        message.field.take_if(|field| matches!(field, Payload::StructArrays(_)))
    else {
        return decode(message, rows).map(|one| vec![one]);
    };
    let name = message.field_name;
    let sub_field = |mut field: FieldData| {
        if !(field.field_name.starts_with(&format!("{name}[")) && field.field_name.ends_with(']')) {
            field.field_name = Struct::field_name(&name, &field.field_name);
        }
        decode(field, rows)
    };
    structs.fields.into_iter().map(sub_field).collect()
}

/// Reads one column of `rows` rows. Values of nullable fields may come for present rows only, or for all. Moments and
/// shapes that come as text stay text, arrays of small integers are arrays of 32-bit integers, and arrays that are all
/// empty are of any kind: only the schema knows better.
///
/// # Errors
/// When the values are not of the type the message claims, or not as many as there are rows.
pub fn decode(message: FieldData, rows: usize) -> Result<Decoded, Error> {
    let name = message.field_name;
    let data_type = schema::decode_type(&name, message.r#type)?;
    let mut valid = message.valid_data;
    let values = match message.field {
        Some(Payload::Scalars(scalars)) => {
            if valid.is_empty() {
                valid = scalars.valid_data;
            }
            let reader = Reader { field: &name, data_type, rows, valid: &valid };
            reader.check_valid()?;
            reader.scalars(scalars.data)?
        }
        Some(Payload::Vectors(vectors)) => {
            if valid.is_empty() {
                valid = vectors.valid_data;
            }
            let reader = Reader { field: &name, data_type, rows, valid: &valid };
            reader.check_valid()?;
            reader.vectors(vectors.dim, vectors.data)?
        }
        Some(Payload::StructArrays(_)) => return Err(Error::Unsupported { what: "struct array fields" }),
        None => {
            let reader = Reader { field: &name, data_type, rows, valid: &valid };
            reader.check_valid()?;
            reader.absent()?
        }
    };
    let validity = (!valid.is_empty()).then(|| NullBuffer::new(BooleanBuffer::from(valid)));
    match Column::new(values, validity) {
        Ok(column) => Ok(Decoded { name, is_dynamic: message.is_dynamic, column }),
        Err(why) => Err(Error::Column { field: name, why }),
    }
}

/// What is known of a column while its values are read.
struct Reader<'a> {
    field: &'a str,
    data_type: Type,
    rows: usize,
    /// Which rows have values; empty = all.
    valid: &'a [bool],
}

impl Reader<'_> {
    fn check_valid(&self) -> Result<(), Error> {
        if !self.valid.is_empty() && self.valid.len() != self.rows {
            return Err(self.wrong_rows(self.valid.len()));
        }
        Ok(())
    }

    fn wrong_rows(&self, actual: usize) -> Error {
        Error::Rows { field: self.field.to_owned(), expected: self.rows, actual }
    }

    fn wrong_payload(&self, actual: &'static str) -> Error {
        let kind = schema::encode_type(self.data_type).as_str_name();
        Error::Payload { field: self.field.to_owned(), kind, actual }
    }

    /// No values at all: right for no rows, and for rows that are all absent.
    fn absent(&self) -> Result<Values, Error> {
        let all_absent = self.valid.iter().all(|valid| !valid) && self.valid.len() == self.rows;
        if !all_absent {
            return Err(self.wrong_rows(0));
        }
        if self.data_type == Type::SparseVector {
            return self.sparse(SparseFloatArray::default());
        }
        if self.data_type.is_dense() {
            // Of which dimension nobody can tell; there is no vector to have it.
            return Ok(Column::nothing(Kind::new(self.data_type, 8), self.rows).values().clone());
        }
        self.scalars(Some(match self.data_type {
            Type::Bool => Scalar::BoolData(BoolArray::default()),
            Type::Int64 => Scalar::LongData(LongArray::default()),
            Type::Float => Scalar::FloatData(FloatArray::default()),
            Type::Double => Scalar::DoubleData(DoubleArray::default()),
            Type::VarChar | Type::Text => Scalar::StringData(TextArray::default()),
            Type::Timestamptz | Type::Geometry => Scalar::StringData(TextArray::default()),
            Type::Json => Scalar::JsonData(TextArray::default()),
            Type::Array => Scalar::ArrayData(ArrayArray::default()),
            _ => Scalar::IntData(IntArray::default()),
        }))
    }

    fn scalars(&self, data: Option<Scalar>) -> Result<Values, Error> {
        let Some(data) = data else { return self.absent() };
        Ok(match (self.data_type, data) {
            (Type::Bool, Scalar::BoolData(array)) => Values::Bool(self.spread(array.data)?.into()),
            (Type::Int8, Scalar::IntData(array)) => Values::Int8(self.narrow(array.data)?.into()),
            (Type::Int16, Scalar::IntData(array)) => Values::Int16(self.narrow(array.data)?.into()),
            (Type::Int32, Scalar::IntData(array)) => Values::Int32(self.spread(array.data)?.into()),
            (Type::Int64, Scalar::LongData(array)) => Values::Int64(self.spread(array.data)?.into()),
            (Type::Float, Scalar::FloatData(array)) => Values::Float(self.spread(array.to_floats())?.into()),
            (Type::Double, Scalar::DoubleData(array)) => Values::Double(self.spread(array.data)?.into()),
            (Type::VarChar | Type::Text | Type::Timestamptz | Type::Geometry, Scalar::StringData(array)) => {
                Values::Text(self.texts(array)?)
            }
            (Type::Timestamptz, Scalar::TimestamptzData(array)) => {
                Values::Timestamptz(self.spread(array.data)?.into())
            }
            (Type::Geometry, Scalar::GeometryWktData(array)) => {
                Values::Text(self.texts(array.data.iter().collect())?)
            }
            (Type::Geometry, Scalar::GeometryData(array)) => {
                Values::Geometry(self.texts(array.data.iter().collect())?)
            }
            (Type::Array, Scalar::ArrayData(array)) => Values::Array(self.arrays(array)?),
            (Type::Json, Scalar::JsonData(array) | Scalar::BytesData(array) | Scalar::StringData(array)) => {
                Values::Json(self.texts(array)?)
            }
            (_, other) => return Err(self.wrong_payload(scalar_name(&other))),
        })
    }

    /// One value a row: values for present rows only are spread over all rows.
    fn spread<T: Copy + Default>(&self, data: Vec<T>) -> Result<Vec<T>, Error> {
        if data.len() == self.rows {
            return Ok(data);
        }
        if self.valid.iter().filter(|valid| **valid).count() != data.len() || self.valid.is_empty() {
            return Err(self.wrong_rows(data.len()));
        }
        let mut next = data.into_iter();
        Ok(self
            .valid
            .iter()
            .map(|valid| if *valid { next.next() } else { None }.unwrap_or_default())
            .collect())
    }

    fn narrow<T: TryFrom<i32> + Copy + Default>(&self, data: Vec<i32>) -> Result<Vec<T>, Error> {
        let (low, high) = self.data_type.integer_range().unwrap_or((i64::MIN, i64::MAX));
        let kind = schema::encode_type(self.data_type).as_str_name();
        let data: Result<Vec<T>, Error> = data
            .into_iter()
            .map(|value| {
                let refuse =
                    |_| Error::Range { field: self.field.to_owned(), kind, value: value.into(), low, high };
                T::try_from(value).map_err(refuse)
            })
            .collect();
        self.spread(data?)
    }

    fn texts(&self, array: TextArray) -> Result<VarLen, Error> {
        let (mut offsets, bytes) = array.into_parts();
        let len = offsets.len() - 1;
        if len != self.rows {
            if self.valid.iter().filter(|valid| **valid).count() != len || self.valid.is_empty() {
                return Err(self.wrong_rows(len));
            }
            let mut ends = offsets[1..].iter();
            let mut last = 0;
            let spread = self.valid.iter().map(|valid| {
                if *valid {
                    last = ends.next().copied().unwrap_or(last);
                }
                last
            });
            offsets = std::iter::once(0).chain(spread).collect();
        }
        VarLen::new(offsets.into(), bytes.into())
            .map_err(|why| Error::Column { field: self.field.to_owned(), why })
    }

    fn vectors(&self, dim: i64, data: Option<Vector>) -> Result<Values, Error> {
        let data = match data {
            Some(Vector::SparseFloatVector(array)) if self.data_type == Type::SparseVector => {
                return self.sparse(array);
            }
            Some(Vector::VectorArray(array)) if self.data_type == Type::Array => {
                return self.vector_arrays(array).map(Values::Array);
            }
            None => return self.absent(),
            Some(_) if !self.valid.is_empty() && !self.valid.contains(&true) => return self.absent(),
            Some(data) => data,
        };
        let refuse = |why| Error::Dim { field: self.field.to_owned(), dim: dim.to_string(), why };
        let dim =
            usize::try_from(dim).ok().filter(|dim| *dim > 0).ok_or_else(|| refuse("should be positive"))?;
        match (self.data_type, data) {
            (Type::FloatVector, Vector::FloatVector(array)) => {
                let values = self.spread_vectors(array.to_floats(), dim)?.into();
                Ok(Values::FloatVector { dim, values })
            }
            (Type::BinaryVector, Vector::BinaryVector(bytes)) => {
                if dim % 8 != 0 {
                    return Err(refuse("should be a multiple of 8"));
                }
                Ok(Values::BinaryVector { dim, bytes: self.spread_bytes(bytes, dim / 8)? })
            }
            (Type::Float16Vector, Vector::Float16Vector(bytes)) => {
                Ok(Values::Float16Vector { dim, bytes: self.spread_bytes(bytes, dim.saturating_mul(2))? })
            }
            (Type::BFloat16Vector, Vector::Bfloat16Vector(bytes)) => {
                Ok(Values::BFloat16Vector { dim, bytes: self.spread_bytes(bytes, dim.saturating_mul(2))? })
            }
            (Type::Int8Vector, Vector::Int8Vector(bytes)) => {
                Ok(Values::Int8Vector { dim, values: ScalarBuffer::from(self.spread_bytes(bytes, dim)?) })
            }
            (_, other) => Err(self.wrong_payload(vector_name(&other))),
        }
    }

    /// `width` bytes a row, without a copy when every row has a vector.
    fn spread_bytes(&self, bytes: Bytes, width: usize) -> Result<Buffer, Error> {
        if width.checked_mul(self.rows) == Some(bytes.len()) {
            return Ok(Buffer::from(bytes));
        }
        self.spread_vectors(Vec::from(bytes), width).map(Buffer::from)
    }

    fn sparse(&self, array: SparseFloatArray) -> Result<Values, Error> {
        Ok(Values::SparseVector(self.texts(array.contents.iter().collect())?))
    }

    /// For each row which of `count` values is its; `None` where it has none.
    fn places(&self, count: usize) -> Result<Vec<Option<usize>>, Error> {
        if count == self.rows {
            return Ok((0..count)
                .map(|row| self.valid.get(row).is_none_or(|valid| *valid).then_some(row))
                .collect());
        }
        if self.valid.iter().filter(|valid| **valid).count() != count || self.valid.is_empty() {
            return Err(self.wrong_rows(count));
        }
        let mut next = 0..count;
        Ok(self.valid.iter().map(|valid| if *valid { next.next() } else { None }).collect())
    }

    fn arrays(&self, array: ArrayArray) -> Result<Lists, Error> {
        let kinds = array.data.iter().filter_map(|row| row.data.as_ref().filter(|data| scalar_len(data) > 0));
        let kind = match DataType::try_from(array.element_type).unwrap_or(DataType::None) {
            DataType::None => kinds.map(item_type).next().unwrap_or(Some(Type::Int64)),
            _ => Some(schema::decode_type(self.field, array.element_type)?),
        };
        let kind = kind
            .filter(|kind| kind.is_element())
            .ok_or_else(|| self.wrong_payload("an array of no scalars"))?;
        let mut items = ColumnBuilder::new(kind, 0);
        let mut offsets = vec![0_i64];
        let mut rows: Vec<Option<ScalarField>> = array.data.into_iter().map(Some).collect();
        for place in self.places(rows.len())? {
            let row = place.and_then(|place| rows[place].take()).and_then(|row| row.data);
            if let Some(data) = row.filter(|data| scalar_len(data) > 0) {
                let rows = scalar_len(&data);
                let reader = Reader { field: self.field, data_type: kind, rows, valid: &[] };
                let values = reader.scalars(Some(data))?;
                items.extend_from(&Column::new(values, None).map_err(|why| self.no_column(why))?);
            }
            offsets.push(items.len() as i64);
        }
        Lists::new(offsets.into(), items.finish()).map_err(|why| self.no_column(why))
    }

    fn vector_arrays(&self, array: VectorArray) -> Result<Lists, Error> {
        let dim = usize::try_from(array.dim).unwrap_or(0);
        let kinds = array.data.iter().filter_map(|row| row.data.as_ref());
        let kind = match DataType::try_from(array.element_type).unwrap_or(DataType::None) {
            DataType::None => kinds.map(vector_type).next().unwrap_or(Some(Type::FloatVector)),
            _ => Some(schema::decode_type(self.field, array.element_type)?),
        };
        let kind = kind
            .filter(|kind| kind.is_dense())
            .ok_or_else(|| self.wrong_payload("an array of no vectors"))?;
        let width = kind.vector_bytes(dim);
        let mut items: Option<ColumnBuilder> = None;
        let mut offsets = vec![0_i64];
        let mut rows: Vec<Option<VectorField>> = array.data.into_iter().map(Some).collect();
        for place in self.places(rows.len())? {
            let data = place.and_then(|place| rows[place].take()).and_then(|row| row.data);
            let bytes = data.as_ref().map_or(0, |data| vector_payload_bytes(data).unwrap_or(0));
            if bytes > 0 {
                let rows = bytes.checked_div(width).unwrap_or(0);
                let reader = Reader { field: self.field, data_type: kind, rows, valid: &[] };
                let values = reader.vectors(array.dim, data)?;
                let vectors = Column::new(values, None).map_err(|why| self.no_column(why))?;
                items.get_or_insert_with(|| ColumnBuilder::like(&vectors)).extend_from(&vectors);
            }
            offsets.push(items.as_ref().map_or(0, ColumnBuilder::len) as i64);
        }
        let items = items.unwrap_or_else(|| ColumnBuilder::of(Kind::new(Type::Int64, 0)));
        Lists::new(offsets.into(), items.finish()).map_err(|why| self.no_column(why))
    }

    fn no_column(&self, why: data::ColumnError) -> Error {
        Error::Column { field: self.field.to_owned(), why }
    }

    /// `width` components a row: vectors for present rows only are spread over all rows.
    fn spread_vectors<T: Copy + Default>(&self, data: Vec<T>, width: usize) -> Result<Vec<T>, Error> {
        if !data.len().is_multiple_of(width) {
            let why = data::ColumnError::Ragged { len: data.len(), dim: width };
            return Err(Error::Column { field: self.field.to_owned(), why });
        }
        let vectors = data.len() / width;
        if vectors == self.rows {
            return Ok(data);
        }
        if self.valid.iter().filter(|valid| **valid).count() != vectors || self.valid.is_empty() {
            return Err(self.wrong_rows(vectors));
        }
        let bytes = self.rows.saturating_mul(width).saturating_mul(size_of::<T>());
        if bytes > SPREAD_BYTES_MAX {
            let why = "too many absent vectors of this dimension in one request, send fewer rows";
            return Err(Error::Dim { field: self.field.to_owned(), dim: width.to_string(), why });
        }
        let mut all = Vec::with_capacity(self.rows * width);
        let mut next = data.chunks_exact(width);
        for valid in self.valid {
            match next.next_if(*valid) {
                Some(vector) => all.extend_from_slice(vector),
                None => all.extend(std::iter::repeat_n(T::default(), width)),
            }
        }
        Ok(all)
    }
}

/// Takes the next item only when `wanted`.
trait NextIf: Iterator {
    fn next_if(&mut self, wanted: bool) -> Option<Self::Item> {
        if wanted { self.next() } else { None }
    }
}

impl<I: Iterator> NextIf for I {}

/// The type of the values in an array that does not say.
fn item_type(data: &Scalar) -> Option<Type> {
    Some(match data {
        Scalar::BoolData(_) => Type::Bool,
        Scalar::IntData(_) => Type::Int32,
        Scalar::LongData(_) => Type::Int64,
        Scalar::FloatData(_) => Type::Float,
        Scalar::DoubleData(_) => Type::Double,
        Scalar::StringData(_) => Type::VarChar,
        _ => return None,
    })
}

fn scalar_len(data: &Scalar) -> usize {
    match data {
        Scalar::BoolData(array) => array.data.len(),
        Scalar::IntData(array) => array.data.len(),
        Scalar::LongData(array) => array.data.len(),
        Scalar::FloatData(array) => array.len(),
        Scalar::DoubleData(array) => array.data.len(),
        Scalar::StringData(array) | Scalar::BytesData(array) | Scalar::JsonData(array) => array.len(),
        Scalar::ArrayData(array) => array.data.len(),
        Scalar::GeometryData(array) => array.data.len(),
        Scalar::GeometryWktData(array) => array.data.len(),
        Scalar::TimestamptzData(array) => array.data.len(),
        Scalar::MolData(array) => array.data.len(),
        Scalar::MolSmilesData(array) => array.data.len(),
        Scalar::DateData(array) => array.data.len(),
        Scalar::TimeData(array) => array.data.len(),
    }
}

fn vector_type(data: &Vector) -> Option<Type> {
    Some(match data {
        Vector::FloatVector(_) => Type::FloatVector,
        Vector::BinaryVector(_) => Type::BinaryVector,
        Vector::Float16Vector(_) => Type::Float16Vector,
        Vector::Bfloat16Vector(_) => Type::BFloat16Vector,
        Vector::Int8Vector(_) => Type::Int8Vector,
        Vector::SparseFloatVector(_) | Vector::VectorArray(_) => return None,
    })
}

fn vector_payload_bytes(data: &Vector) -> Option<usize> {
    Some(match data {
        Vector::FloatVector(array) => array.data.len(),
        Vector::BinaryVector(bytes)
        | Vector::Float16Vector(bytes)
        | Vector::Bfloat16Vector(bytes)
        | Vector::Int8Vector(bytes) => bytes.len(),
        Vector::SparseFloatVector(_) | Vector::VectorArray(_) => return None,
    })
}
