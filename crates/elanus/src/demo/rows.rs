//! Where the demo's rows come from: the slice of paper titles in `demo/`, or a file of the user's.

use crate::vectors::{read, read_vectors};
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
        let (dim, vectors) = read_vectors(&folder.join("rows.f16.npy"))?;
        let (_, queries) = read_vectors(&folder.join("queries.f16.npy"))?;
        let papers = read_papers(&folder.join("rows.jsonl"))?;
        let questions = read_papers(&folder.join("queries.jsonl"))?;
        let what = "titles of scientific papers (arXiv, all-MiniLM-L6-v2)".to_owned();
        Ok(Self { what, dim, vectors, queries, papers, questions })
    }

    /// A user's file; evenly spread rows are held out as queries.
    pub(super) fn from_file(path: &Path, held_out: usize) -> Result<Self, String> {
        let (dim, all) = read_vectors(path)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
