//! Where the demo's rows come from: the slice of paper titles in `demo/`, or a file of the user's.

use half::f16;
use parquet::basic::Type as Physical;
use parquet::column::reader::ColumnReader;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs;
use std::path::{Path, PathBuf};

/// Titles and attributes of the rows shipped with the source.
#[derive(Debug)]
pub(super) struct Paper {
    pub(super) title: String,
    pub(super) archive: String,
    pub(super) year: i64,
}

/// Rows to load and queries that are not among them.
#[derive(Debug)]
pub(super) struct Dataset {
    /// What the rows are, for people.
    pub(super) what: String,
    pub(super) dim: usize,
    /// `rows * dim` numbers.
    pub(super) vectors: Vec<f32>,
    /// `queries * dim` numbers.
    pub(super) queries: Vec<f32>,
    /// One a row, when the rows have texts.
    pub(super) papers: Vec<Paper>,
    /// One a query, when the queries have texts.
    pub(super) questions: Vec<Paper>,
}

impl Dataset {
    pub(super) fn rows(&self) -> usize {
        self.vectors.len() / self.dim
    }

    /// The paper titles.
    pub(super) fn shipped() -> Result<Self, String> {
        let beside_source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo");
        let folder = [PathBuf::from("demo"), beside_source]
            .into_iter()
            .find(|folder| folder.join("rows.jsonl").exists());
        let folder = folder.ok_or(
            "the demo's data are not here: run it in the folder of the source, or give your own vectors with --data FILE",
        )?;
        let (dim, vectors) = read_npy(&folder.join("rows.f16.npy"))?;
        let (_, queries) = read_npy(&folder.join("queries.f16.npy"))?;
        let papers = read_papers(&folder.join("rows.jsonl"))?;
        let questions = read_papers(&folder.join("queries.jsonl"))?;
        let what = "titles of scientific papers (arXiv, all-MiniLM-L6-v2)".to_owned();
        Ok(Self { what, dim, vectors, queries, papers, questions })
    }

    /// A user's file; evenly spread rows are held out as queries.
    pub(super) fn from_file(path: &Path, held_out: usize) -> Result<Self, String> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let (dim, all) = match extension {
            "npy" => read_npy(path)?,
            "fvecs" => read_fvecs(path)?,
            "parquet" => read_parquet(path)?,
            other => {
                return Err(format!(
                    "cannot read a file of kind {other:?}: give an .npy, .fvecs or .parquet file"
                ));
            }
        };
        let rows = all.len() / dim.max(1);
        if rows < 10 || dim < 2 {
            return Err(format!(
                "{} holds {rows} vectors of {dim} numbers: too few to show anything",
                path.display()
            ));
        }
        let every = (rows / held_out.clamp(1, rows / 2)).max(2);
        let (mut vectors, mut queries) = (Vec::with_capacity(all.len()), Vec::new());
        for (row, vector) in all.chunks_exact(dim).enumerate() {
            if row % every == every - 1 {
                queries.extend_from_slice(vector)
            } else {
                vectors.extend_from_slice(vector)
            }
        }
        let what = format!("vectors of {}", path.display());
        Ok(Self { what, dim, vectors, queries, papers: Vec::new(), questions: Vec::new() })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn read_papers(path: &Path) -> Result<Vec<Paper>, String> {
    let text = String::from_utf8(read(path)?).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    let paper = |line: &str| -> Option<Paper> {
        let row: serde_json::Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| row.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        Some(Paper { title: text("title")?, archive: text("archive")?, year: row.get("year")?.as_i64()? })
    };
    text.lines()
        .map(|line| paper(line).ok_or_else(|| format!("{}: not a row: {line}", path.display())))
        .collect()
}

/// A matrix of float32, float16, float64 or uint8 in NumPy's format 1.0 to 3.0, C order.
fn read_npy(path: &Path) -> Result<(usize, Vec<f32>), String> {
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
    let header = String::from_utf8_lossy(header);
    let value = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start_matches([':', ' ']));
    if value("'fortran_order'").is_some_and(|value| value.starts_with("True")) {
        return Err(wrong("its rows lie across (Fortran order): save np.ascontiguousarray(x)"));
    }
    let shape =
        value("'shape'").and_then(|value| value.strip_prefix('(')).and_then(|value| value.split_once(')'));
    let shape: Vec<usize> = shape
        .map(|(shape, _)| shape.split(',').filter_map(|n| n.trim().parse().ok()).collect())
        .unwrap_or_default();
    let [rows, dim] = shape[..] else { return Err(wrong("not a matrix of two dimensions")) };
    let data = &bytes[start + length..];
    let kind = value("'descr'").and_then(|value| value.get(1..4)).unwrap_or_default();
    let numbers: Vec<f32> = match kind {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rows_can_be_read() {
        let dataset = Dataset::shipped().unwrap();
        assert_eq!((dataset.rows(), dataset.dim), (5_000, 384));
        assert_eq!((dataset.papers.len(), dataset.questions.len()), (5_000, 200));
    }

    #[test]
    fn what_is_no_matrix_is_refused() {
        let folder = std::env::temp_dir().join(format!("elanus-rows-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in [
            ("a.npy", b"nonsense".as_slice()),
            ("b.npy", b"\x93NUMPY\x01\x00\xff\xff"),
            ("c.fvecs", b"\x03\x00\x00\x00abcd"),
            ("d.parquet", b"PAR1"),
            ("e.txt", b""),
        ] {
            let path = folder.join(name);
            fs::write(&path, bytes).unwrap();
            assert!(Dataset::from_file(&path, 10).is_err(), "{name}");
        }
        let path = folder.join("f.fvecs");
        let row = |x: f32| [2_i32.to_le_bytes(), x.to_le_bytes(), 1_f32.to_le_bytes()].concat();
        fs::write(&path, (0..20).flat_map(|x| row(x as f32)).collect::<Vec<u8>>()).unwrap();
        let dataset = Dataset::from_file(&path, 5).unwrap();
        assert_eq!((dataset.dim, dataset.rows(), dataset.queries.len() / 2), (2, 15, 5));
        fs::remove_dir_all(&folder).unwrap();
    }
}
