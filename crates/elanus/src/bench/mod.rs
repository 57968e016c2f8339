//! `elanus bench`: what a kind of index finds and what it costs, on the user's own vectors: recall against speed, one
//! query a call on one thread, and what building takes.

mod cache;
mod data;
mod json;
mod measure;
mod plan;
mod plot;
mod table;
mod truth;

use crate::show;
use cache::Cache;
use data::Dataset;
use host::{Pool, Rng};
use index::Metric;
use measure::{Built, Run};
use plan::Plan;
use simd::Bits;
use std::path::PathBuf;
use std::str::FromStr;

/// What `bench` can be told.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Your own vectors: an .npy (float32, float16, float64 or uint8 matrix), .fvecs or .parquet file. Without it, vectors
    /// around random centres are made.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// How many vectors are made of how many numbers, when no file is given.
    #[arg(long, value_name = "ROWSxDIM", default_value = "100000x128")]
    generate: Shape,
    /// How many of the vectors are held out as queries, or a file of queries.
    #[arg(long, value_name = "N|FILE", default_value = "1000")]
    queries: String,
    /// Only so many of the vectors.
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// What vectors are stored as: f32, f16, bf16, i8, or bits (the file holds bytes of eight bits).
    #[arg(long, default_value = "f32")]
    element: String,
    /// L2, IP, COSINE; HAMMING, JACCARD for bits. [default: L2, for bits HAMMING]
    #[arg(long)]
    metric: Option<String>,
    /// A kind of index and its parameters, as "HNSW M=16 efConstruction=200 ef=16,32,64". A search parameter with several
    /// values is tried with each. Can be given several times.
    #[arg(long, value_name = "KIND..", default_value = "HNSW M=16 efConstruction=200")]
    index: Vec<String>,
    /// How many results are asked for.
    #[arg(long, value_name = "K,..", value_delimiter = ',', default_value = "10")]
    k: Vec<usize>,
    /// Searches among a random share of the rows, as 0.1,0.01; each beside searches among all.
    #[arg(long, value_name = "SHARE,..", value_delimiter = ',')]
    filter_fraction: Vec<f64>,
    /// Searches among the rows that a file marks: an .npy of one byte or truth value a row. Can be given several times.
    #[arg(long, value_name = "FILE")]
    mask: Vec<PathBuf>,
    /// Leaves out searches among all rows, where a share or a mask is given.
    #[arg(long)]
    only_filtered: bool,
    /// How often every search is measured; the medians count.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads of a build; searches have one. [default: as many as there are cores]
    #[arg(long)]
    threads: Option<usize>,
    /// The seed of builds, of vectors that are made and of random shares.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where true neighbours are kept for the next time. [default: FILE.bench beside the vectors]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Keeps indexes there, too, and takes them from there.
    #[arg(long)]
    keep: bool,
    /// Searches kept indexes in their mapped files, as a server does, not in memory.
    #[arg(long, requires = "keep")]
    mapped: bool,
    /// Writes everything measured into a file, or with - instead of the table.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes a picture of recall against speed.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

const HELP: &str = "\
Recall is the share of the true nearest rows, found by looking at all, that a search returns; a row as near as the k-th \
counts. Figures are of the library: rows and index in memory, no request to read, no answer to write. A server adds \
to each query what its protocol and client cost, and shares its cores among clients.";

/// Rows and dimension.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    dim: usize,
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('x').and_then(|(rows, dim)| Some((rows.parse().ok()?, dim.parse().ok()?)));
        match numbers {
            Some((rows, dim)) if rows >= 10 && (1..=32_768).contains(&dim) => Ok(Self { rows, dim }),
            _ => {
                Err("give rows and dimension as 100000x128: at least 10 rows, 1 to 32768 numbers".to_owned())
            }
        }
    }
}

/// Rows that searches are restricted to.
struct Mask {
    name: String,
    bits: Bits,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let is_quiet = arguments.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let say = |line: String| {
        if !is_quiet {
            show::line(line)
        }
    };
    let (rounds, seed) = (arguments.rounds.max(1), arguments.seed);
    let dataset = Dataset::of(arguments)?;
    let plans = plans(arguments, &dataset)?;
    let metric = plans.first().map_or(Metric::L2, |plan| plan.spec.metric());
    let (rows, queries) = (show::number(dataset.rows().len() as u64), dataset.queries().len());
    say(format!(
        "\n{}  {rows} {}, {} of {} numbers, {metric}, {queries} queries",
        show::bold("Elanus bench"),
        dataset.what,
        dataset.rows().element(),
        dataset.rows().dim()
    ));
    let pool = Pool::new("bench", arguments.threads.unwrap_or_else(cores))?;
    let folder = arguments.cache.clone().or_else(|| {
        let beside = arguments.data.as_ref()?.clone().into_os_string();
        Some(PathBuf::from([beside, ".bench".into()].join("".as_ref())))
    });
    let cache = Cache::open(folder);
    let masks = masks(arguments, dataset.rows().len(), seed)?;
    let k_most = arguments.k.iter().copied().max().unwrap_or(10);
    let scopes = masks.iter().map(Some);
    let scopes: Vec<Option<&Mask>> = if arguments.only_filtered {
        scopes.collect()
    } else {
        std::iter::once(None).chain(scopes).collect()
    };
    let mut truths = Vec::with_capacity(scopes.len());
    for scope in &scopes {
        truths.push(truth::find(&dataset, metric, k_most, scope.map(|mask| &mask.bits), &pool, &cache)?);
    }
    let mut built = Vec::with_capacity(plans.len());
    for plan in &plans {
        let keep = arguments.keep.then_some((&cache, arguments.mapped));
        let one = measure::build(plan, &dataset, seed, &pool, keep)?;
        say(format!("{}", table::Heading(&one)));
        built.push(one);
    }
    let mut runs: Vec<Run<'_>> = Vec::new();
    for one in &built {
        for (scope, truth) in scopes.iter().zip(&truths) {
            runs.extend(arguments.k.iter().map(|k| Run::new(one, *scope, truth, *k)));
        }
    }
    measure::rounds(&mut runs, &dataset, rounds)?;
    if !is_quiet {
        table::print(&runs);
        plot::print(&runs);
    }
    write(arguments, &dataset, &built, &runs)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn plans(arguments: &Arguments, dataset: &Dataset) -> Result<Vec<Plan>, String> {
    let bits = matches!(dataset.rows().element(), index::Element::Bits);
    let metric = arguments.metric.clone().unwrap_or_else(|| if bits { "HAMMING" } else { "L2" }.to_owned());
    let rows = dataset.rows();
    arguments
        .index
        .iter()
        .map(|text| Plan::parse(text, &metric.to_uppercase(), rows.element(), rows.dim()))
        .collect()
}

fn masks(arguments: &Arguments, rows: usize, seed: u64) -> Result<Vec<Mask>, String> {
    let mut masks = Vec::new();
    for share in &arguments.filter_fraction {
        if !(0.0..=1.0).contains(share) {
            return Err(format!("--filter-fraction {share}: a share lies between 0 and 1"));
        }
        let mut rng = Rng::new(seed).child(&share.to_string());
        let name = format!("{} % at random", 100.0 * share);
        masks.push(Mask { name, bits: Bits::from_fn(rows, |_| rng.chance(*share)) });
    }
    for path in &arguments.mask {
        masks.push(data::read_mask(path, rows)?);
    }
    if arguments.only_filtered && masks.is_empty() {
        return Err("--only-filtered wants --filter-fraction or --mask".to_owned());
    }
    Ok(masks)
}

fn write(
    arguments: &Arguments,
    dataset: &Dataset,
    built: &[Built<'_>],
    runs: &[Run<'_>],
) -> Result<(), String> {
    let save = |path: &PathBuf, text: String| {
        std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    };
    if let Some(path) = &arguments.json {
        let text = json::text(dataset, built, runs);
        if path.as_os_str() == "-" {
            show::line(text);
        } else {
            save(path, text)?;
        }
    }
    arguments.svg.as_ref().map_or(Ok(()), |path| save(path, plot::svg(&dataset.what, runs)))
}
