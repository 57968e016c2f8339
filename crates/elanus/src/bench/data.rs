//! The rows and queries of a bench, each at the width it is stored in. Invariant: rows and queries are of one element
//! and dimension, there is at least one of each, and no number is infinite or NaN.

use super::{Arguments, Mask, Shape};
use crate::vectors::{read_bytes, read_vectors};
use half::{bf16, f16};
use host::Rng;
use index::{Element, Vectors};
use simd::Bits;
use std::path::Path;

/// Numbers of one width, row after row.
#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    I8(Vec<i8>),
    /// Floats of two bytes, or bits.
    Bytes(Vec<u8>),
}

/// What is searched, and what for.
#[derive(Debug)]
pub(super) struct Dataset {
    /// What the rows are, for people.
    pub(super) what: String,
    element: Element,
    dim: usize,
    rows: Values,
    queries: Values,
}

impl Dataset {
    pub(super) fn of(arguments: &Arguments) -> Result<Self, String> {
        let element = element(&arguments.element)?;
        if element == Element::Bits {
            return Self::bits(arguments);
        }
        let what = arguments.data.as_ref().map_or("generated vectors".to_owned(), |path| {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            format!("vectors of {name}")
        });
        let held_out: Option<usize> = arguments.queries.parse().ok();
        let (dim, mut rows) = match &arguments.data {
            Some(path) => read_vectors(path)?,
            None => generate(arguments.generate, held_out.unwrap_or(0), arguments.seed),
        };
        let queries = match held_out {
            Some(count) => hold_out(&mut rows, dim, count),
            None => same_dim(read_vectors(Path::new(&arguments.queries))?, dim)?,
        };
        rows.truncate(arguments.rows.unwrap_or(usize::MAX).saturating_mul(dim));
        if rows.is_empty() || queries.is_empty() {
            return Err("there are no rows or no queries".to_owned());
        }
        if !simd::all_finite(&rows) || !simd::all_finite(&queries) {
            return Err(format!("{what}: a number is infinite or NaN"));
        }
        Ok(Self { what, element, dim, rows: store(element, rows)?, queries: store(element, queries)? })
    }

    fn bits(arguments: &Arguments) -> Result<Self, String> {
        let path = arguments.data.as_ref().ok_or("--element bits wants --data FILE.npy of bytes")?;
        let (dim, mut rows) = matrix(read_bytes(path)?)?;
        let queries = match arguments.queries.parse() {
            Ok(count) => hold_out(&mut rows, dim, count),
            Err(_) => same_dim(matrix(read_bytes(Path::new(&arguments.queries))?)?, dim)?,
        };
        rows.truncate(arguments.rows.unwrap_or(usize::MAX).saturating_mul(dim));
        if rows.is_empty() || queries.is_empty() {
            return Err("there are no rows or no queries".to_owned());
        }
        let what = format!("rows of {}", path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
        let (rows, queries) = (Values::Bytes(rows), Values::Bytes(queries));
        Ok(Self { what, element: Element::Bits, dim: 8 * dim, rows, queries })
    }

    pub(super) fn rows(&self) -> Vectors<'_> {
        self.view(&self.rows)
    }

    pub(super) fn queries(&self) -> Vectors<'_> {
        self.view(&self.queries)
    }

    fn view<'a>(&self, values: &'a Values) -> Vectors<'a> {
        let dim = self.dim;
        match values {
            Values::F32(values) => Vectors::F32 { dim, values },
            Values::I8(values) => Vectors::I8 { dim, values },
            Values::Bytes(bytes) => match self.element {
                Element::F16 => Vectors::F16 { dim, bytes },
                Element::Bf16 => Vectors::Bf16 { dim, bytes },
                _ => Vectors::Bits { dim, bytes },
            },
        }
    }

    /// Bytes of all rows.
    pub(super) fn row_bytes(&self) -> u64 {
        bytes_of(&self.rows).len() as u64
    }

    /// A number that is another for other rows or queries.
    pub(super) fn fingerprint(&self) -> u64 {
        let start = mix(self.dim as u64, self.element as u64);
        fingerprint(bytes_of(&self.queries), fingerprint(bytes_of(&self.rows), start))
    }
}

fn bytes_of(values: &Values) -> &[u8] {
    match values {
        Values::F32(values) => bytemuck::cast_slice(values),
        Values::I8(values) => bytemuck::cast_slice(values),
        Values::Bytes(bytes) => bytes,
    }
}

/// A number that is another for other bytes; no defence against people.
pub(super) fn fingerprint(bytes: &[u8], start: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words.iter().fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(mix(hash, bytes.len() as u64), |hash, byte| mix(hash, u64::from(*byte)))
}

fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

fn element(name: &str) -> Result<Element, String> {
    Ok(match name {
        "f32" => Element::F32,
        "f16" => Element::F16,
        "bf16" => Element::Bf16,
        "i8" => Element::I8,
        "bits" => Element::Bits,
        other => return Err(format!("--element {other}: one of f32, f16, bf16, i8, bits")),
    })
}

/// The numbers at the width of `element`.
fn store(element: Element, numbers: Vec<f32>) -> Result<Values, String> {
    Ok(match element {
        Element::F16 => {
            Values::Bytes(numbers.iter().flat_map(|number| f16::from_f32(*number).to_le_bytes()).collect())
        }
        Element::Bf16 => {
            Values::Bytes(numbers.iter().flat_map(|number| bf16::from_f32(*number).to_le_bytes()).collect())
        }
        Element::I8 => {
            let fits = |number: &f32| number.fract() == 0.0 && (-128.0..=127.0).contains(number);
            if !numbers.iter().all(fits) {
                return Err("--element i8 wants whole numbers from -128 to 127".to_owned());
            }
            Values::I8(numbers.into_iter().map(|number| number as i8).collect())
        }
        _ => Values::F32(numbers),
    })
}

/// Takes `count` evenly spread rows away, as queries.
fn hold_out<T: Copy>(rows: &mut Vec<T>, dim: usize, count: usize) -> Vec<T> {
    let total = rows.len() / dim;
    let every = (total / count.clamp(1, (total / 2).max(1))).max(2);
    let (mut kept, mut queries) = (Vec::with_capacity(rows.len()), Vec::new());
    for (row, vector) in rows.chunks_exact(dim).enumerate() {
        let is_query = row % every == every - 1 && queries.len() < count * dim;
        if is_query { queries.extend_from_slice(vector) } else { kept.extend_from_slice(vector) }
    }
    *rows = kept;
    queries
}

fn same_dim<T>((actual, queries): (usize, Vec<T>), dim: usize) -> Result<Vec<T>, String> {
    if actual == dim {
        return Ok(queries);
    }
    Err(format!("queries of {actual} numbers where the rows have {dim}"))
}

fn matrix((shape, bytes): (Vec<usize>, Vec<u8>)) -> Result<(usize, Vec<u8>), String> {
    match shape[..] {
        [_, dim] if dim > 0 => Ok((dim, bytes)),
        _ => Err("a matrix of bytes is wanted: one row a vector".to_owned()),
    }
}

/// Vectors around random centres, as many rows and as many queries more.
fn generate(Shape { rows, dim }: Shape, queries: usize, seed: u64) -> (usize, Vec<f32>) {
    let mut rng = Rng::new(seed).child("vectors");
    let centres_most = rows.div_ceil(500).max(2);
    let centres: Vec<f32> = (0..centres_most * dim).map(|_| rng.normal() as f32).collect();
    let mut values = Vec::with_capacity((rows + queries) * dim);
    for _ in 0..rows + queries {
        let centre = rng.below(centres_most as u64) as usize * dim;
        values.extend(centres[centre..centre + dim].iter().map(|value| value + 0.5 * rng.normal() as f32));
    }
    (dim, values)
}

/// The rows that a file marks.
pub(super) fn read_mask(path: &Path, rows: usize) -> Result<Mask, String> {
    let (_, bytes) = read_bytes(path)?;
    if bytes.len() != rows {
        return Err(format!("{} has {} marks where there are {rows} rows", path.display(), bytes.len()));
    }
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(Mask { name, bits: Bits::from_fn(rows, |row| bytes[row] != 0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_rows_are_as_many_as_asked_for_and_no_longer_there() {
        let mut rows: Vec<u8> = (0..20).collect();
        assert_eq!(hold_out(&mut rows, 2, 3), [4, 5, 10, 11, 16, 17]);
        assert_eq!(rows.len(), 14);
        let mut two: Vec<u8> = vec![1, 2];
        assert_eq!(hold_out(&mut two, 1, 100), [2]);
    }

    #[test]
    fn other_bytes_have_another_fingerprint() {
        let bytes: Vec<u8> = (0..100).collect();
        let whole = fingerprint(&bytes, 1);
        assert_ne!(whole, fingerprint(&bytes[..99], 1));
        assert_ne!(whole, fingerprint(&bytes, 2));
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(whole, fingerprint(&other, 1), "{at}");
        }
    }
}
