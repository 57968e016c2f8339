//! The steps of the demo, one function each.

use super::rows::{Dataset, Paper};
use crate::show;
use data::{Column, Consistency, Field, Schema, Type, Value};
use engine::api::{
    Change, CreateCollection, CreateIndex, Flush, Found, IndexInfo, IndexState, Indexes, Load, NamedColumn,
    Queries, Release, Rows, Search, System, Target, Write,
};
use engine::{Engine, Error};
use std::thread::sleep;
use std::time::{Duration, Instant};

const BATCH: usize = 1_000;
const K: usize = 10;
/// How often the progress of a build is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A way through the main job.
pub(super) struct Tour<'a> {
    pub(super) engine: &'a Engine,
    pub(super) dataset: &'a Dataset,
    pub(super) index: String,
    pub(super) metric: String,
}

impl Tour<'_> {
    pub(super) fn run(&self) -> Result<(), Error> {
        self.create()?;
        self.insert()?;
        self.build()?;
        self.load()?;
        self.show_search(0, "")?;
        if !self.dataset.papers.is_empty() {
            self.show_search(1, "year >= 2015 and archive == \"cs\"")?;
        }
        self.measure()?;
        self.drop_index()
    }

    fn target(&self) -> Target {
        Target::new("default", if self.dataset.papers.is_empty() { "vectors" } else { "papers" })
    }

    fn create(&self) -> Result<(), Error> {
        let start = Instant::now();
        let target = self.target();
        self.engine.change(Change::DropCollection(target.clone()))?;
        let mut fields = vec![
            Field::new("id", Type::Int64).primary(),
            Field::new("vector", Type::FloatVector).with_dim(self.dataset.dim),
        ];
        if !self.dataset.papers.is_empty() {
            fields.push(Field::new("title", Type::VarChar).with_max_length(512));
            fields.push(Field::new("archive", Type::VarChar).with_max_length(32));
            fields.push(Field::new("year", Type::Int64));
        }
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let named = names.join(", ");
        let create = CreateCollection {
            target: target.clone(),
            schema: Schema { fields, ..Schema::default() },
            shards: 1,
            consistency: Consistency::Strong,
            properties: Vec::new(),
            partitions: 0,
        };
        self.engine.change(Change::CreateCollection(create))?;
        let took = show::time(start.elapsed());
        show::step("create", format!("collection {} ({named}) in {took}", target.collection));
        Ok(())
    }

    fn insert(&self) -> Result<(), Error> {
        let (start, rows, dim) = (Instant::now(), self.dataset.rows(), self.dataset.dim);
        for first in (0..rows).step_by(BATCH) {
            let range = first..(first + BATCH).min(rows);
            let vectors = self.dataset.vectors[range.start * dim..range.end * dim].to_vec();
            let ids = range.clone().map(|row| row as i64).collect();
            let column =
                |name: &str, column| NamedColumn { name: name.to_owned(), is_dynamic: false, column };
            let mut columns =
                vec![column("id", Column::from_ints(ids)), column("vector", self.vectors(vectors)?)];
            if let Some(papers) = self.dataset.papers.get(range.clone()) {
                columns.push(column("title", Column::from_texts(papers.iter().map(|paper| &paper.title))));
                columns
                    .push(column("archive", Column::from_texts(papers.iter().map(|paper| &paper.archive))));
                columns
                    .push(column("year", Column::from_ints(papers.iter().map(|paper| paper.year).collect())));
            }
            let rows = Rows { target: self.target(), partition: String::new(), rows: range.len(), columns };
            self.engine.write(Write::Insert(rows))?;
            show::bar("insert", range.end as u64, rows_total(self.dataset));
        }
        show::clear_bar();
        let (took, batches) = (start.elapsed(), rows.div_ceil(BATCH));
        let rate = show::number((rows as f64 / took.as_secs_f64()) as u64);
        let (rows, took) = (show::number(rows as u64), show::time(took));
        show::step(
            "insert",
            format!(
                "{rows} rows in {batches} batches, each on disk before its answer: {took}, {rate} rows/s"
            ),
        );
        Ok(())
    }

    fn vectors(&self, values: Vec<f32>) -> Result<Column, Error> {
        Column::from_vectors(self.dataset.dim, values)
            .map_err(|error| Error::new(engine::ErrorKind::Invalid, error.to_string()))
    }

    fn build(&self) -> Result<(), Error> {
        let mut params = vec![("index_type", self.index.as_str()), ("metric_type", self.metric.as_str())];
        match self.index.as_str() {
            "HNSW" => params.extend([("M", "16"), ("efConstruction", "200")]),
            "IVF_FLAT" => params.push(("nlist", "128")),
            _ => {}
        }
        let params: Vec<_> =
            params.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let start = Instant::now();
        let (target, field, name, echo) =
            (self.target(), "vector".to_owned(), "vector_idx".to_owned(), Vec::new());
        self.engine.change(Change::CreateIndex(CreateIndex { target, field, name, params, echo }))?;
        let returned = start.elapsed();
        let info = loop {
            let info = self.describe()?;
            let done = info.indexed_rows + info.build.running.map_or(0, |(rows, _)| rows);
            show::bar("index", done.min(info.total_rows), info.total_rows);
            if info.state != IndexState::InProgress {
                break info;
            }
            sleep(LOOK);
        };
        show::clear_bar();
        if info.state == IndexState::Failed {
            return Err(Error::new(
                engine::ErrorKind::Internal,
                format!("the build failed: {}", info.reason),
            ));
        }
        let (returned, took) = (show::time(returned), show::time(start.elapsed()));
        show::step(
            "index",
            format!("create_index came back after {returned}, built in the background: {took}"),
        );
        self.show_details(&info);
        Ok(())
    }

    fn describe(&self) -> Result<IndexInfo, Error> {
        let (target, field, index) = (self.target(), String::new(), "vector_idx".to_owned());
        let found = self.engine.describe(Indexes { target, field, index })?;
        found
            .into_iter()
            .next()
            .ok_or_else(|| Error::new(engine::ErrorKind::IndexNotFound, "index not found"))
    }

    fn show_details(&self, info: &IndexInfo) {
        let effective: Vec<String> =
            info.build.effective.iter().map(|(key, value)| format!("{key}={value}")).collect();
        show::step("details", format!("{} on field {}: {}", info.name, info.field, effective.join(" ")));
        let [total, indexed, pending] =
            [info.total_rows, info.indexed_rows, info.pending_rows].map(show::number);
        show::below(format!("total {total} = indexed {indexed} + pending {pending}, state {:?}", info.state));
        let bytes = show::bytes(info.build.file_bytes);
        show::below(format!("{bytes} on disk, {:.2} s of building", info.build.build_seconds));
        if !info.reason.is_empty() {
            show::below(&info.reason);
        }
    }

    fn load(&self) -> Result<(), Error> {
        let start = Instant::now();
        self.engine.run(Load { target: self.target(), partitions: Vec::new() })?;
        show::step("load", show::time(start.elapsed()));
        Ok(())
    }

    fn search(&self, query: usize, filter: &str, exact: bool) -> Result<(Found, Duration), Error> {
        let dim = self.dataset.dim;
        let vector = self.dataset.queries[query * dim..(query + 1) * dim].to_vec();
        let output = if self.dataset.papers.is_empty() {
            Vec::new()
        } else {
            vec!["title".into(), "archive".into(), "year".into()]
        };
        let effort = if exact {
            Vec::new()
        } else {
            vec![("ef".to_owned(), "64".to_owned()), ("nprobe".to_owned(), "16".to_owned())]
        };
        let search = Search {
            field: "vector".to_owned(),
            metric: self.metric.clone(),
            params: effort,
            filter: filter.to_owned(),
            output,
            ..Search::new(self.target(), Queries::Vectors(self.vectors(vector)?), K)
        };
        let start = Instant::now();
        let found = self.engine.search(search)?;
        Ok((found, start.elapsed()))
    }

    fn show_search(&self, query: usize, filter: &str) -> Result<(), Error> {
        const SHOWN: usize = 5;
        let (found, took) = self.search(query, filter, false)?;
        let like = match self.dataset.questions.get(query) {
            Some(Paper { title, .. }) => format!("“{title}”"),
            None => format!("held-out vector {query}"),
        };
        let name = if filter.is_empty() { "search" } else { "filter" };
        show::line("");
        show::step(name, format!("like {like}  {}", show::dim(&show::time(took))));
        if !filter.is_empty() {
            show::below(format!("where {filter}"));
        }
        for hit in 0..found.scores.len().min(SHOWN) {
            let text = |name: &str| {
                let field = found.fields.iter().find(|output| output.field.name == name);
                match field.map(|output| output.column.value(hit)) {
                    Some(Value::Text(text)) => text,
                    Some(Value::Int(number)) => number.to_string(),
                    _ => String::new(),
                }
            };
            let score = format!("{:>9.4}", found.scores[hit]);
            if self.dataset.papers.is_empty() {
                show::below(format!("{score}  id {}", found.keys.get(hit).to_key()));
            } else {
                let detail = show::dim(&format!("({}, {})", text("archive"), text("year")));
                show::below(format!("{score}  {} {detail}", text("title")));
            }
        }
        Ok(())
    }

    /// Holds the index against brute force over the same vectors, computed here.
    fn measure(&self) -> Result<(), Error> {
        let queries = self.dataset.queries.len() / self.dataset.dim;
        let (mut hits, mut times) = (0, Vec::with_capacity(queries));
        for query in 0..queries {
            let (found, took) = self.search(query, "", false)?;
            let truth = self.nearest(query);
            hits += (0..found.scores.len())
                .filter(|hit| matches!(found.keys.get(*hit), data::KeyRef::Int(id) if truth.contains(&(id as usize))))
                .count();
            times.push(took);
            show::bar("recall", query as u64 + 1, queries as u64);
        }
        show::clear_bar();
        times.sort_unstable();
        let recall = hits as f64 / (queries * K) as f64;
        let [p50, p99] = [queries / 2, queries * 99 / 100].map(|place| show::time(times[place]));
        show::line("");
        show::step(
            "recall",
            format!("recall@{K} {recall:.4} over {queries} held-out queries, against brute force"),
        );
        show::below(format!("latency p50 {p50}, p99 {p99}, one query a call, one thread"));
        Ok(())
    }

    fn nearest(&self, query: usize) -> Vec<usize> {
        let dim = self.dataset.dim;
        let query = &self.dataset.queries[query * dim..(query + 1) * dim];
        let score = |vector: &[f32]| -> f64 {
            let pairs = || vector.iter().zip(query).map(|(a, b)| (f64::from(*a), f64::from(*b)));
            let dot: f64 = pairs().map(|(a, b)| a * b).sum();
            match self.metric.as_str() {
                "L2" => pairs().map(|(a, b)| (a - b) * (a - b)).sum(),
                "IP" => -dot,
                _ => -dot / vector.iter().map(|a| f64::from(*a) * f64::from(*a)).sum::<f64>().sqrt(),
            }
        };
        let mut all: Vec<(f64, usize)> = self
            .dataset
            .vectors
            .chunks_exact(dim)
            .enumerate()
            .map(|(row, vector)| (score(vector), row))
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.into_iter().take(K).map(|(_, row)| row).collect()
    }

    fn drop_index(&self) -> Result<(), Error> {
        let target = self.target();
        self.engine.run(Release { target: target.clone(), partitions: Vec::new() })?;
        let before = self.engine.describe(System)?.disk_used_bytes;
        let (index, field) = ("vector_idx".to_owned(), "vector".to_owned());
        self.engine.change(Change::DropIndex { target: target.clone(), index, field })?;
        let after = self.engine.describe(System)?.disk_used_bytes;
        let freed = show::bytes(before.saturating_sub(after));
        let answer = match self.describe() {
            Err(error) => error.to_string(),
            Ok(info) => format!("still there: {:?}", info.state),
        };
        show::line("");
        show::step("drop", format!("{freed} given back; describe_index now says: {answer}"));
        self.engine.run(Flush { targets: vec![target.clone()] })?;
        self.engine.run(Load { target, partitions: Vec::new() })?;
        let (found, took) = self.search(0, "", true)?;
        let truth = self.nearest(0);
        let same = (0..K).all(
            |hit| matches!(found.keys.get(hit), data::KeyRef::Int(id) if truth.contains(&(id as usize))),
        );
        let verdict = if same { "the true ten" } else { "not the true ten" };
        show::below(format!("a search by scan finds {verdict} in {}", show::time(took)));
        show::line(show::dim(&format!(
            "\n  `elanus serve --data {}` serves this collection.\n",
            self.engine.settings().folder.display()
        )));
        Ok(())
    }
}

fn rows_total(dataset: &Dataset) -> u64 {
    dataset.rows() as u64
}
