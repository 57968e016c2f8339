//! `elanus demo`: the main job from end to end on the embedded engine, on real data, with figures that are measured
//! as they are printed.

mod rows;
mod tour;

use crate::show;
use engine::{Engine, Settings};
use rows::Dataset;
use std::path::PathBuf;

/// What `demo` can be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Your own vectors instead of the paper titles: an .npy (float32, float16 or uint8 matrix), .fvecs or .parquet file.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Where the demo keeps its data. [default: elanus-demo in the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The index to build: HNSW, IVF_FLAT or FLAT.
    #[arg(long, default_value = "HNSW")]
    index: String,
    /// The metric: COSINE, L2 or IP. [default: COSINE for the paper titles, L2 for your own vectors]
    #[arg(long)]
    metric: Option<String>,
    /// How many of your own vectors are held out as queries.
    #[arg(long, default_value_t = 200)]
    queries: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let dataset = match &arguments.data {
        Some(path) => Dataset::from_file(path, arguments.queries)?,
        None => Dataset::shipped()?,
    };
    let metric = match (&arguments.metric, &arguments.data) {
        (Some(metric), _) => metric.to_uppercase(),
        (None, Some(_)) => "L2".to_owned(),
        (None, None) => "COSINE".to_owned(),
    };
    let folder = arguments.folder.clone().unwrap_or_else(|| std::env::temp_dir().join("elanus-demo"));
    let (rows, dim) = (show::number(dataset.rows() as u64), dataset.dim);
    show::line(format!(
        "\n{}  {rows} {}, {dim} dimensions, {metric}",
        show::bold("Elanus demo"),
        dataset.what
    ));
    show::line(show::dim(&format!("embedded engine, folder {}\n", folder.display())));
    let engine =
        Engine::open(Settings { folder, ..Settings::default() }).map_err(|error| error.to_string())?;
    let tour =
        tour::Tour { engine: &engine, dataset: &dataset, index: arguments.index.to_uppercase(), metric };
    let outcome = tour.run().map_err(|error| error.to_string());
    engine.close();
    outcome
}
