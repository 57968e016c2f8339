//! Holds the engine against the [`truth`](crate::truth). Invariant: looking changes nothing.

use crate::client::{self, Ask, Window};
use crate::draw;
use crate::op;
use crate::parts;
use crate::truth::{Collection, Filter, Kind, Metric, Row, Truth};
use data::Timestamp;
use engine::api::{self, IndexInfo, IndexState, SegmentState};
use engine::{Engine, Error, ErrorKind};
use host::Rng;
use std::collections::{BTreeMap, BTreeSet};
use store::Disk;

/// What differs, in words.
pub(crate) type Wrong = String;

fn unexpected(what: &str, name: &str) -> impl FnOnce(Error) -> Wrong {
    let text = format!("{what} of {name}");
    move |error| format!("{text} failed: {:?}: {error}", error.kind())
}

macro_rules! same {
    ($what:expr, $got:expr, $want:expr) => {
        let (got, want) = ($got, $want);
        if got != want {
            return Err(format!("{}: the engine says {got:?}, the truth is {want:?}", $what));
        }
    };
}

/// Everything there is, without loading anything.
pub(crate) fn everything(engine: &Engine, truth: &Truth) -> Result<(), Wrong> {
    names(engine, truth)?;
    for (name, collection) in &truth.collections {
        shape(engine, name, collection)?;
        if collection.is_loaded() {
            rows(engine, name, collection)?;
        }
    }
    Ok(())
}

fn names(engine: &Engine, truth: &Truth) -> Result<(), Wrong> {
    let all = engine.describe(api::Collections { database: String::new() });
    let all = all.map_err(unexpected("a list", "collections"))?;
    let got: Vec<String> = all.iter().map(|info| info.name.clone()).collect();
    same!("collections", got, truth.collections.keys().cloned().collect::<Vec<_>>());
    Ok(())
}

/// Partitions, counts, the index.
fn shape(engine: &Engine, name: &str, truth: &Collection) -> Result<(), Wrong> {
    let partitions = client::partitions(engine, name).map_err(unexpected("describe", name))?;
    same!(format!("partitions of {name}"), &partitions, &truth.partitions);
    let fields = client::added(engine, name).map_err(unexpected("describe", name))?;
    same!(format!("added fields of {name}"), &fields, &truth.fields);
    let whole = [None].into_iter();
    for partition in whole.chain(truth.partitions.keys().map(Some)) {
        let question = api::RowCount { target: client::target(name), partition: partition.cloned() };
        let got = engine.describe(question).map_err(unexpected("count", name))?;
        same!(format!("rows of {name} {partition:?}"), got, truth.count(partition.map(String::as_str)));
    }
    let all = client::indexes(engine, name).map_err(unexpected("describe indexes", name))?;
    all.iter().try_for_each(adds_up)?;
    let kind_of = |info: &IndexInfo| {
        let kind = info.params.iter().find(|(key, _)| key == "index_type").map(|(_, value)| value.clone());
        (info.field.clone(), kind.unwrap_or_default())
    };
    let got: BTreeMap<String, String> = all.iter().filter(|info| info.field != "v").map(kind_of).collect();
    let want = truth.scalars.iter().map(|(field, kind)| ((*field).to_owned(), (*kind).to_owned()));
    same!(format!("indexes on scalar fields of {name}"), got, want.collect::<BTreeMap<_, _>>());
    let index = all.into_iter().find(|info| info.field == "v");
    same!(format!("index of {name}"), index.is_some(), truth.index.is_some());
    if let Some(info) = &index {
        let kind = match truth.index {
            Some((Kind::Flat, _)) => "FLAT",
            Some((Kind::Ivf, _)) => "IVF_FLAT",
            Some((Kind::Hnsw, _)) | None => "HNSW",
        };
        let param = |key: &str| info.params.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str());
        same!(format!("index type of {name}"), param("index_type"), Some(kind));
        let metric = truth.index.map(|(_, metric)| metric.name());
        same!(format!("metric of {name}"), param("metric_type"), metric);
    }
    Ok(())
}

/// Every row that can be read, with all that is in it.
pub(crate) fn rows(engine: &Engine, name: &str, truth: &Collection) -> Result<(), Wrong> {
    let at = Timestamp(u64::MAX - 1);
    let got = client::query(engine, name, truth.text_keys, &[], &Filter::All, Window::ALL, Timestamp::ZERO);
    let got = got.map_err(unexpected("query", name))?;
    same_rows(&format!("rows of {name}"), &got, &truth.query(&truth.loaded(), &Filter::All, at))?;
    let count = client::count(engine, name, truth.text_keys, &Filter::All, Timestamp::ZERO);
    let want = truth.matching(&truth.loaded(), &Filter::All, at).count() as u64;
    same!(format!("count(*) of {name}"), count.map_err(unexpected("count", name))?, want);
    Ok(())
}

fn same_rows(what: &str, got: &[Row], want: &[Row]) -> Result<(), Wrong> {
    if got == want {
        return Ok(());
    }
    let keys = |rows: &[Row]| rows.iter().map(|row| row.key).collect::<BTreeSet<i64>>();
    let (got_keys, want_keys) = (keys(got), keys(want));
    let missing: Vec<&i64> = want_keys.difference(&got_keys).take(20).collect();
    let extra: Vec<&i64> = got_keys.difference(&want_keys).take(20).collect();
    let other = got.iter().zip(want).find(|(got, want)| got != want);
    Err(format!(
        "{what}: the engine gives {} rows, the truth has {}; missing {missing:?}, not there in truth {extra:?}, \
         first difference {other:?}",
        got.len(),
        want.len()
    ))
}

/// What must hold in every look at an index.
pub(crate) fn adds_up(info: &IndexInfo) -> Result<(), Wrong> {
    let (total, indexed, pending) = (info.total_rows, info.indexed_rows, info.pending_rows);
    if total != indexed + pending {
        return Err(format!(
            "index {}: total {total} is not indexed {indexed} + pending {pending}",
            info.name
        ));
    }
    if indexed != info.build.built_rows + info.build.scanned_rows {
        return Err(format!("index {}: indexed {indexed} is not {:?}", info.name, info.build));
    }
    let finished = info.state == IndexState::Finished;
    if finished != (pending == 0) {
        return Err(format!("index {}: {:?} with {pending} rows pending", info.name, info.state));
    }
    Ok(())
}

/// Watches indexes over time: for a fixed set of rows, what is indexed stays indexed.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: BTreeMap<String, (IndexInfo, u64)>,
}

impl Watch {
    /// Looks at the index of `name`. `epoch` changes with every change of rows. Rows that merges have dropped may be
    /// missing, but from the total, too.
    pub(crate) fn look(&mut self, engine: &Engine, name: &str, epoch: u64) -> Result<(), Wrong> {
        let found = client::index(engine, name);
        let Some(info) = found.map_err(unexpected("describe index", name))? else {
            self.seen.remove(name);
            return Ok(());
        };
        adds_up(&info)?;
        if info.state == IndexState::Failed {
            return Err(format!("index of {name} failed: {}", info.reason));
        }
        if let Some((before, then)) = self.seen.get(name)
            && before.id == info.id
            && *then == epoch
        {
            let dropped = before.total_rows.saturating_sub(info.total_rows);
            if info.indexed_rows + dropped < before.indexed_rows {
                return Err(format!(
                    "index of {name} fell from {} of {} rows to {} of {}, no row was written",
                    before.indexed_rows, before.total_rows, info.indexed_rows, info.total_rows
                ));
            }
        }
        self.seen.insert(name.to_owned(), (info, epoch));
        Ok(())
    }
}

/// A search, a query and a count of one collection, drawn by `rng`, now or at an earlier moment of `history`.
pub(crate) fn sample(
    engine: &Engine,
    name: &str,
    truth: &Collection,
    history: &[Timestamp],
    may_refuse: bool,
    rng: &mut Rng,
) -> Result<(), Wrong> {
    if !truth.is_loaded() {
        let refused = client::count(engine, name, truth.text_keys, &Filter::All, Timestamp::ZERO);
        let kind = refused.err().map(|error| error.kind());
        same!(format!("reading {name}"), kind, Some(ErrorKind::CollectionNotLoaded));
        return Ok(());
    }
    let travel = match history.len() as u64 {
        len if len > 0 && rng.chance(0.3) => history[rng.below(len) as usize],
        _ => Timestamp::ZERO,
    };
    let at = if travel == Timestamp::ZERO { Timestamp(u64::MAX - 1) } else { travel };
    let filter = match rng.below(4) {
        0 => Filter::All,
        1 => Filter::Keys(draw::some_keys(truth, rng, 10, true)),
        _ => draw::filter(truth, rng),
    };
    let partitions = match rng.below(4) {
        0 => truth.loaded().into_iter().filter(|_| rng.chance(0.6)).collect(),
        _ => Vec::new(),
    };
    let among = if partitions.is_empty() { truth.loaded() } else { partitions.clone() };
    let what = format!("{name} in {partitions:?} at {travel:?} where {filter:?}");
    let window = match rng.below(3) {
        0 => Window { offset: rng.below(10) as usize, limit: 1 + rng.below(30) as usize },
        _ => Window::ALL,
    };
    let got = client::query(engine, name, truth.text_keys, &partitions, &filter, window, travel);
    let got = match got {
        // With no retention, a merge may have forgotten that moment; then it must say so.
        Err(error) if may_refuse && at == travel && error.to_string().contains("travel back") => {
            return Ok(());
        }
        other => other.map_err(unexpected("query", &what))?,
    };
    let all = truth.query(&among, &filter, at);
    let want: Vec<Row> = all.into_iter().skip(window.offset).take(window.limit).collect();
    same_rows(&format!("query of {what}, {window:?}"), &got, &want)?;
    let metric = match truth.index {
        Some((_, metric)) => metric,
        None => [Metric::L2, Metric::Ip, Metric::Cosine][rng.below(3) as usize],
    };
    let offset = if rng.chance(0.3) { rng.below(8) as usize } else { 0 };
    let window = Window { offset, limit: 1 + rng.below(20) as usize };
    let vector = op::vector(rng, truth.dim);
    let ask = Ask { name: name.to_owned(), partitions, vector, metric, window, filter, travel };
    search(engine, truth, &ask, &among, at)?;
    if truth.fields.contains_key(parts::PARTS) && rng.chance(0.5) {
        let inner = parts::Ask::draw(truth.scalars.get(parts::PLACE).copied(), rng);
        return among_parts(engine, truth, &ask, &inner, &among, at);
    }
    Ok(())
}

/// One search among structs: exact where nothing or FLAT answers; else sound, and as many hits as there can be.
fn among_parts(
    engine: &Engine,
    truth: &Collection,
    ask: &Ask,
    inner: &parts::Ask,
    among: &[String],
    at: Timestamp,
) -> Result<(), Wrong> {
    let what = format!("search {inner:?} of {ask:?}");
    let filter = client::expression(&ask.filter, truth.text_keys);
    let limit = ask.window.limit;
    let got = inner.search(engine, &ask.name, &ask.partitions, filter, limit, ask.travel);
    let got = got.map_err(unexpected("search of structs", &what))?;
    let mut sound: BTreeSet<(i64, u32, u32)> = BTreeSet::new();
    let mut best: BTreeMap<(i64, u32), f32> = BTreeMap::new();
    for row in truth.matching(among, &ask.filter, at) {
        for (score, place) in inner.scores(row.added.get(parts::PARTS)) {
            // Without the sign of a zero.
            sound.insert((row.key, place, (score + 0.0).to_bits()));
            let known = best.entry((row.key, place)).or_insert(score);
            if inner.order(score, *known).is_lt() {
                *known = score;
            }
        }
    }
    let mut want: Vec<f32> = best.into_values().collect();
    want.sort_by(|a, b| inner.order(*a, *b));
    want.truncate(limit);
    same!(format!("{what}: hits"), got.len(), want.len());
    let exact = matches!(truth.scalars.get(parts::PLACE), None | Some(&"FLAT"));
    let mut seen = BTreeSet::new();
    for (place, ((score, key, element), best)) in got.iter().zip(&want).enumerate() {
        if !sound.contains(&(*key, *element, (score + 0.0).to_bits())) {
            return Err(format!("{what}: hit {place} is {score} of {key}[{element}], which is not there"));
        }
        if !seen.insert((*key, *element)) {
            return Err(format!("{what}: {key}[{element}] came twice"));
        }
        if place > 0 && inner.order(got[place - 1].0, *score).is_gt() {
            return Err(format!("{what}: hit {place} is better than the one before"));
        }
        if exact && score != best {
            return Err(format!("{what}: hit {place} has score {score}, the truth is {best}"));
        }
    }
    Ok(())
}

/// One search: exact where nothing or FLAT answers; else sound, and as many rows as match.
fn search(
    engine: &Engine,
    truth: &Collection,
    ask: &Ask,
    among: &[String],
    at: Timestamp,
) -> Result<(), Wrong> {
    let what = format!("search {ask:?}");
    let got = client::search(engine, ask, truth.text_keys).map_err(unexpected("search", &what))?;
    let k = ask.window.offset + ask.window.limit;
    let want = truth.nearest(among, &ask.filter, at, &ask.vector, ask.metric, k);
    let want: Vec<(f32, i64)> = want.into_iter().skip(ask.window.offset).collect();
    same!(format!("{what}: hits"), got.len(), want.len());
    let mut keys = BTreeSet::new();
    let exact = !matches!(truth.index, Some((Kind::Hnsw | Kind::Ivf, _)));
    let alive: Vec<&Row> = truth.matching(among, &ask.filter, at).collect();
    for (place, ((score, row), (best, _))) in got.iter().zip(&want).enumerate() {
        if !alive.contains(&row) {
            return Err(format!("{what}: hit {place} is {row:?}, which does not match"));
        }
        if !keys.insert(row.key) {
            return Err(format!("{what}: key {} came twice", row.key));
        }
        let own = ask.metric.score(&row.vector, &ask.vector);
        if !ask.metric.same(own, *score) {
            return Err(format!("{what}: hit {place} has score {score}, its vector says {own}"));
        }
        if place > 0 && ask.metric.order(got[place - 1].0, *score).is_gt() {
            return Err(format!("{what}: hit {place} is better than the one before"));
        }
        if exact && !ask.metric.same(*score, *best) {
            return Err(format!("{what}: hit {place} has score {score}, the truth is {best}"));
        }
    }
    Ok(())
}

/// Nothing is wrong in the engine's own view, after an open that had no reason for trouble.
pub(crate) fn healthy(engine: &Engine) -> Result<(), Wrong> {
    let info = engine.describe(api::System).map_err(unexpected("a look", "the node"))?;
    same!("troubles", info.troubles, Vec::<String>::new());
    Ok(())
}

/// The files on the disk are those the engine knows, no more and no less.
pub(crate) fn files(engine: &Engine, disk: &dyn Disk) -> Result<(), Wrong> {
    let list = |folder| disk.list(folder).map_err(|error| format!("cannot list {folder}: {error}"));
    let mut found: BTreeSet<String> = list("blobs")?.into_iter().collect();
    let collections = engine.describe(api::Collections { database: String::new() });
    let collections = collections.map_err(unexpected("a list", "collections"))?;
    let mut registers: BTreeSet<String> = list("registers")?.into_iter().collect();
    registers.remove("root");
    let want = collections.iter().map(|info| format!("collection-{}", info.id)).collect();
    same!("registers", registers, want);
    for info in &collections {
        let segments = engine.describe(api::Segments { target: client::target(&info.name) });
        for segment in segments.map_err(unexpected("segments", &info.name))? {
            if segment.state != SegmentState::Sealed {
                continue;
            }
            let stem = format!("{}+{}", info.id, segment.id);
            let indexes = segment.indexes.iter().map(|(index, _)| format!("{stem}-{index}.idx"));
            for file in indexes.chain([format!("{stem}.rows")]) {
                if !found.remove(&file) {
                    return Err(format!("the file {file} is named, but not there"));
                }
            }
            let prefix = format!("{stem}-");
            let is_deletes = |file: &&String| file.starts_with(&prefix) && file.ends_with(".deletes");
            if let Some(file) = found.iter().find(is_deletes).cloned() {
                found.remove(&file);
            }
        }
    }
    same!("files that nothing names", found, BTreeSet::new());
    Ok(())
}
