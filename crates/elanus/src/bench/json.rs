//! Everything that was measured, as JSON. Invariant: what the table shows is in it, and each round by itself.

use super::data::Dataset;
use super::measure::{Built, Run};
use serde_json::{Value, json};

pub(super) fn text(dataset: &Dataset, built: &[Built<'_>], runs: &[Run<'_>]) -> String {
    let rows = dataset.rows();
    let indexes: Vec<Value> = built.iter().map(|one| index(one, runs)).collect();
    let all = json!({
        "elanus": env!("CARGO_PKG_VERSION"),
        "instructions": simd::Level::current().name(),
        "data": {
            "what": dataset.what,
            "rows": rows.len(),
            "dim": rows.dim(),
            "element": rows.element().to_string(),
            "queries": dataset.queries().len(),
        },
        "indexes": indexes,
    });
    format!("{all:#}")
}

fn index(built: &Built<'_>, runs: &[Run<'_>]) -> Value {
    let Built { plan, index, cost, row_bytes } = built;
    let effective: serde_json::Map<String, Value> =
        index.effective().into_iter().map(|(key, value)| (key, value.into())).collect();
    let own = runs.iter().filter(|run| std::ptr::eq(run.built, built));
    json!({
        "index": plan.name,
        "effective": effective,
        "build_cpu_s": cost.cpu_s,
        "build_s": cost.wall_s,
        "threads": cost.threads,
        "memory_bytes": index.memory_bytes(),
        "row_bytes": row_bytes,
        "disk_bytes": cost.disk_bytes,
        "runs": own.map(run).collect::<Vec<_>>(),
    })
}

fn run(run: &Run<'_>) -> Value {
    let points = run.points.iter().map(|measured| {
        json!({
            "search": measured.point.label,
            "recall": measured.recall,
            "queries_s": measured.rate(),
            "rounds": measured.rounds(),
        })
    });
    json!({
        "k": run.k,
        "mask": run.mask.map(|mask| json!({"name": mask.name, "matching": mask.bits.count()})),
        "points": points.collect::<Vec<_>>(),
    })
}
