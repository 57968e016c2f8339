//! The figures as a table. Invariant: one line a way to search, columns that line up, also when piped.

use super::measure::{Built, Run};
use crate::show;
use std::fmt;
use std::time::Duration;

/// What an index is and what it cost, in a line.
pub(super) struct Heading<'a>(pub(super) &'a Built<'a>);

impl fmt::Display for Heading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Built { plan, index, cost, row_bytes } = self.0;
        let cpu = cost.cpu_s.map_or(String::new(), |cpu_s| format!("{cpu_s:.2} CPU-s, "));
        let threads =
            if cost.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", cost.threads) };
        let [memory, rows, disk] = [index.memory_bytes(), *row_bytes, cost.disk_bytes].map(show::bytes);
        write!(
            f,
            "{}  built in {cpu}{:.2} s with {threads}; {memory} of memory beside {rows} of rows, {disk} on disk",
            plan.name, cost.wall_s
        )
    }
}

/// Prints all runs.
pub(super) fn print(runs: &[Run<'_>]) {
    for run in runs {
        let among = run.mask.map_or(String::new(), |mask| {
            format!(", among {} ({} rows)", mask.name, show::number(mask.bits.count() as u64))
        });
        show::line(format!("\n  {}{}", show::bold(&run.built.plan.name), show::dim(&among)));
        let width = run.points.iter().map(|measured| measured.point.label.len()).max().unwrap_or(0).max(6);
        let recall = format!("recall@{}", run.k);
        show::line(show::dim(&format!(
            "  {:width$}  {recall:>10}  {:>11}  {:>10}",
            "search", "queries/s", "a query"
        )));
        for measured in &run.points {
            let rate = measured.rate();
            let time = show::time(Duration::from_secs_f64(1.0 / rate.max(1e-9)));
            let (label, recall) = (&measured.point.label, measured.recall);
            let rate = show::number(rate.round() as u64);
            show::line(format!("  {label:width$}  {recall:>10.4}  {rate:>11}  {time:>10}"));
        }
    }
}
