//! Columns of values as messages and as the database's own.
//!
//! Invariant: a decoded column has exactly as many rows as the request says. Structure is judged here; limits (length,
//! dimension against the schema, finite numbers) are the engine's.

use crate::proto::schema::field_data::Field as Payload;
use crate::proto::schema::scalar_field::Data as Scalar;
use crate::proto::schema::vector_field::Data as Vector;
use crate::proto::schema::{
    BoolArray, DoubleArray, FieldData, IntArray, LongArray, ScalarField, VectorField,
};
use crate::{Error, FloatArray, TextArray, schema};
use data::{BooleanBuffer, Buffer, Column, Field, NullBuffer, Type, Values, VarLen};

/// The most bytes that vectors may take once absent ones are filled up: a byte on the wire can stand for a whole vector.
const SPREAD_BYTES_MAX: usize = 512 << 20;

/// A column as a client sent it.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The field's name; for the dynamic column `$meta` or empty.
    pub name: String,
    /// Whether it holds what the schema does not name.
    pub is_dynamic: bool,
    /// The values.
    pub column: Column,
}

/// Reads one column of `rows` rows. Values of nullable fields may come for present rows only, or for all.
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
        if self.data_type.is_vector() {
            return Err(self.wrong_payload("no vectors"));
        }
        self.scalars(Some(match self.data_type {
            Type::Bool => Scalar::BoolData(BoolArray::default()),
            Type::Int64 => Scalar::LongData(LongArray::default()),
            Type::Float => Scalar::FloatData(FloatArray::default()),
            Type::Double => Scalar::DoubleData(DoubleArray::default()),
            Type::VarChar => Scalar::StringData(TextArray::default()),
            Type::Json => Scalar::JsonData(TextArray::default()),
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
            (Type::VarChar, Scalar::StringData(array)) => Values::Text(self.texts(array)?),
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
        let refuse = |why| Error::Dim { field: self.field.to_owned(), dim: dim.to_string(), why };
        let dim =
            usize::try_from(dim).ok().filter(|dim| *dim > 0).ok_or_else(|| refuse("should be positive"))?;
        match (self.data_type, data) {
            (Type::FloatVector, Some(Vector::FloatVector(array))) => {
                let values = self.spread_vectors(array.to_floats(), dim)?.into();
                Ok(Values::FloatVector { dim, values })
            }
            (Type::BinaryVector, Some(Vector::BinaryVector(bytes))) => {
                if dim % 8 != 0 {
                    return Err(refuse("should be a multiple of 8"));
                }
                let bytes = self.spread_vectors(Vec::from(bytes), dim / 8)?;
                Ok(Values::BinaryVector { dim, bytes: Buffer::from(bytes) })
            }
            (_, other) => Err(self.wrong_payload(other.as_ref().map_or("no vectors", vector_name))),
        }
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

fn scalar_name(data: &Scalar) -> &'static str {
    match data {
        Scalar::BoolData(_) => "Bool",
        Scalar::IntData(_) => "Int32",
        Scalar::LongData(_) => "Int64",
        Scalar::FloatData(_) => "Float",
        Scalar::DoubleData(_) => "Double",
        Scalar::StringData(_) => "VarChar",
        Scalar::BytesData(_) => "Bytes",
        Scalar::ArrayData(_) => "Array",
        Scalar::JsonData(_) => "JSON",
        Scalar::GeometryData(_) | Scalar::GeometryWktData(_) => "Geometry",
        Scalar::TimestamptzData(_) => "Timestamptz",
        Scalar::MolData(_) | Scalar::MolSmilesData(_) => "Mol",
        Scalar::DateData(_) => "Date",
        Scalar::TimeData(_) => "Time",
    }
}

fn vector_name(data: &Vector) -> &'static str {
    match data {
        Vector::FloatVector(_) => "FloatVector",
        Vector::BinaryVector(_) => "BinaryVector",
        Vector::Float16Vector(_) => "Float16Vector",
        Vector::Bfloat16Vector(_) => "BFloat16Vector",
        Vector::SparseFloatVector(_) => "SparseFloatVector",
        Vector::Int8Vector(_) => "Int8Vector",
        Vector::VectorArray(_) => "ArrayOfVector",
    }
}

/// A column of `field` as a message. Absent scalars are padded with zeros, absent vectors are left out, as clients
/// expect of results.
pub fn encode(field: &Field, column: &Column) -> FieldData {
    let valid_data = match column.validity() {
        Some(bits) => bits.iter().collect(),
        None if field.nullable => vec![true; column.len()],
        None => Vec::new(),
    };
    let payload = match column.values() {
        Values::FloatVector { dim, values } => Payload::Vectors(VectorField {
            dim: *dim as i64,
            data: Some(Vector::FloatVector(FloatArray::from_floats(&present(values, *dim, column)))),
            ..VectorField::default()
        }),
        Values::BinaryVector { dim, bytes } => Payload::Vectors(VectorField {
            dim: *dim as i64,
            data: Some(Vector::BinaryVector(present(bytes, dim / 8, column).into_owned().into())),
            ..VectorField::default()
        }),
        scalars => {
            Payload::Scalars(ScalarField { data: Some(encode_scalars(scalars)), ..ScalarField::default() })
        }
    };
    FieldData {
        r#type: schema::encode_type(column.data_type()).into(),
        field_name: field.name.clone(),
        field_id: field.id.0,
        is_dynamic: field.is_dynamic,
        valid_data,
        field: Some(payload),
    }
}

/// The components of the vectors that are there.
fn present<'a, T: Copy>(data: &'a [T], width: usize, column: &Column) -> std::borrow::Cow<'a, [T]> {
    if column.null_count() == 0 {
        return data.into();
    }
    let rows = data.chunks_exact(width.max(1)).enumerate();
    rows.filter(|(row, _)| column.is_valid(*row)).flat_map(|(_, vector)| vector.iter().copied()).collect()
}

fn encode_scalars(values: &Values) -> Scalar {
    match values {
        Values::Bool(v) => Scalar::BoolData(BoolArray { data: v.iter().collect() }),
        Values::Int8(v) => Scalar::IntData(IntArray { data: v.iter().map(|x| i32::from(*x)).collect() }),
        Values::Int16(v) => Scalar::IntData(IntArray { data: v.iter().map(|x| i32::from(*x)).collect() }),
        Values::Int32(v) => Scalar::IntData(IntArray { data: v.to_vec() }),
        Values::Int64(v) => Scalar::LongData(LongArray { data: v.to_vec() }),
        Values::Float(v) => Scalar::FloatData(FloatArray::from_floats(v)),
        Values::Double(v) => Scalar::DoubleData(DoubleArray { data: v.to_vec() }),
        Values::Json(v) => Scalar::JsonData(v.iter().collect()),
        Values::Text(v) => Scalar::StringData(v.iter().collect()),
        // Vectors are no scalars, and fields of the other types cannot be made yet.
        _ => Scalar::BytesData(TextArray::default()),
    }
}
