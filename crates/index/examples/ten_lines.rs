//! The crate alone: build, save, open, search. `cargo run --release -p index --example ten_lines`

use host::{Cancel, Pool, Progress, Rng};
use index::{Element, Image, Index, Spec, Vectors, build};
use std::{error::Error, fs, io::Write};

fn main() -> Result<(), Box<dyn Error>> {
    const DIM: usize = 64;
    let (mut rng, folder) = (Rng::new(7), std::env::temp_dir().join("elanus-ten-lines"));
    let values: Vec<f32> = (0..10_000 * DIM).map(|_| rng.normal() as f32).collect();

    let rows = Vectors::F32 { dim: DIM, values: &values };
    let params = [("index_type", "HNSW"), ("metric_type", "COSINE"), ("M", "16"), ("ef", "64")];
    let params = params.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let spec = Spec::parse(Element::F32, DIM, &params)?;
    let image = build(&spec, rows, 1, &Pool::new("build", 4)?, &Cancel::new(), &Progress::new())?;
    save(&image, &folder)?;
    let index = Index::open(&spec, load(&folder)?, rows.len())?;
    let hits = index.search(rows, rows.slice(42..43), &spec.query(10, &params)?, None, &Cancel::new())?;
    for (row, score) in hits[0].rows.iter().zip(&hits[0].scores) {
        writeln!(std::io::stdout(), "row {row}, cosine {score:.3}")?;
    }
    Ok(fs::remove_dir_all(&folder)?)
}

/// An image is named sections; here each is a file. (Mapped files serve as well: sections are read in place.)
fn save(image: &Image, folder: &std::path::Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    image.sections.iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
}

fn load(folder: &std::path::Path) -> Result<Image, Box<dyn Error>> {
    let mut sections = Vec::new();
    for file in fs::read_dir(folder)? {
        let file = file?;
        sections.push((file.file_name().to_string_lossy().into_owned(), fs::read(file.path())?.into()));
    }
    Ok(Image { sections })
}
