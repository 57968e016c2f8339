//! Vectors and masks out of files: .npy, .fvecs and .parquet. Invariant: what is read is a whole matrix, or a text that
//! says what is wrong with the file.

use half::f16;
use parquet::basic::Type as Physical;
use parquet::column::reader::ColumnReader;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs;
use std::path::Path;

/// The dimension and all numbers of a file of vectors, row after row.
pub(crate) fn read_vectors(path: &Path) -> Result<(usize, Vec<f32>), String> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "npy" => read_npy(path),
        "fvecs" => read_fvecs(path),
        "parquet" => read_parquet(path),
        other => Err(format!("cannot read a file of kind {other:?}: give an .npy, .fvecs or .parquet file")),
    }
}

/// The shape and the bytes of an .npy file of bytes or truth values.
pub(crate) fn read_bytes(path: &Path) -> Result<(Vec<usize>, Vec<u8>), String> {
    let array = Array::read(path)?;
    let count = array.shape.iter().try_fold(1_usize, |count, side| count.checked_mul(*side));
    match array.kind.as_str() {
        "|u1" | "|i1" | "|b1" if count == Some(array.data().len()) => {
            Ok((array.shape.clone(), array.data().to_vec()))
        }
        "|u1" | "|i1" | "|b1" => Err(format!("{}: its length does not fit its shape", path.display())),
        other => Err(format!("{}: numbers of kind {other}: bytes are wanted here", path.display())),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// An array in NumPy's format 1.0 to 3.0, C order.
struct Array {
    bytes: Vec<u8>,
    /// Where the numbers begin.
    start: usize,
    /// As NumPy names it: `<f4`.
    kind: String,
    shape: Vec<usize>,
}

impl Array {
    fn read(path: &Path) -> Result<Self, String> {
        let bytes = read(path)?;
        let wrong = |why: &str| format!("{}: {why}", path.display());
        if !bytes.starts_with(b"\x93NUMPY") {
            return Err(wrong("not a .npy file"));
        }
        let (start, length) = match bytes.get(6) {
            Some(1) => (10, bytes.get(8..10).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])))),
            _ => (12, bytes.get(8..12).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)),
        };
        let header = bytes.get(start..start + length).ok_or_else(|| wrong("cut short"))?;
        let header = String::from_utf8_lossy(header).into_owned();
        let value = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start_matches([':', ' ']));
        if value("'fortran_order'").is_some_and(|value| value.starts_with("True")) {
            return Err(wrong("its rows lie across (Fortran order): save np.ascontiguousarray(x)"));
        }
        let shape = value("'shape'")
            .and_then(|value| value.strip_prefix('('))
            .and_then(|value| value.split_once(')'));
        let shape: Vec<usize> = shape
            .map(|(shape, _)| shape.split(',').filter_map(|n| n.trim().parse().ok()).collect())
            .unwrap_or_default();
        let kind = value("'descr'").and_then(|value| value.get(1..4)).unwrap_or_default().to_owned();
        Ok(Self { start: start + length, bytes, kind, shape })
    }

    fn data(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

/// A matrix of float32, float16, float64 or uint8.
fn read_npy(path: &Path) -> Result<(usize, Vec<f32>), String> {
    let array = Array::read(path)?;
    let wrong = |why: &str| format!("{}: {why}", path.display());
    let [rows, dim] = array.shape[..] else { return Err(wrong("not a matrix of two dimensions")) };
    let data = array.data();
    let numbers: Vec<f32> = match array.kind.as_str() {
        "<f4" => data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        "<f2" => data.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
        "<f8" => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
        "|u1" => data.iter().map(|b| f32::from(*b)).collect(),
        other => {
            return Err(wrong(&format!(
                "numbers of kind {other}: float32, float16, float64 and uint8 can be read"
            )));
        }
    };
    if rows.checked_mul(dim) != Some(numbers.len()) || dim == 0 {
        return Err(wrong("its length does not fit its shape"));
    }
    Ok((dim, numbers))
}

/// Vectors each with its dimension (i32) before it.
fn read_fvecs(path: &Path) -> Result<(usize, Vec<f32>), String> {
    let bytes = read(path)?;
    let (words, _) = bytes.as_chunks::<4>();
    let dim = words.first().map_or(0, |word| i32::from_le_bytes(*word)).max(0) as usize;
    if dim == 0 || words.len() % (dim + 1) != 0 {
        return Err(format!(
            "{} is no .fvecs file: its length does not fit its dimension {dim}",
            path.display()
        ));
    }
    let numbers =
        words.chunks_exact(dim + 1).flat_map(|row| row[1..].iter().map(|word| f32::from_le_bytes(*word)));
    Ok((dim, numbers.collect()))
}

/// The first column of float lists; every list has the same length.
fn read_parquet(path: &Path) -> Result<(usize, Vec<f32>), String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let file = fs::File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let reader = SerializedFileReader::new(file).map_err(|error| wrong(error.to_string()))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let is_vector = |place: &usize| {
        let column = schema.column(*place);
        column.max_rep_level() == 1 && matches!(column.physical_type(), Physical::FLOAT | Physical::DOUBLE)
    };
    let place = (0..schema.num_columns()).find(is_vector);
    let place = place.ok_or_else(|| wrong("there is no column of lists of floats".to_owned()))?;
    let rows = reader.metadata().file_metadata().num_rows() as usize;
    let mut numbers: Vec<f32> = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(|error| wrong(error.to_string()))?;
        let records = group.metadata().num_rows() as usize;
        let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
        let column = group.get_column_reader(place).map_err(|error| wrong(error.to_string()))?;
        match column {
            ColumnReader::FloatColumnReader(mut column) => column
                .read_records(records, Some(&mut definitions), Some(&mut repetitions), &mut numbers)
                .map(drop),
            ColumnReader::DoubleColumnReader(mut column) => {
                let mut doubles: Vec<f64> = Vec::new();
                let read = column.read_records(
                    records,
                    Some(&mut definitions),
                    Some(&mut repetitions),
                    &mut doubles,
                );
                numbers.extend(doubles.into_iter().map(|number| number as f32));
                read.map(drop)
            }
            _ => return Err(wrong("its column of floats cannot be read".to_owned())),
        }
        .map_err(|error| wrong(error.to_string()))?;
    }
    let dim = numbers.len().checked_div(rows).unwrap_or(0);
    if dim == 0 || dim * rows != numbers.len() {
        return Err(wrong(format!("{} numbers in {rows} rows: its lists differ in length", numbers.len())));
    }
    Ok((dim, numbers))
}
