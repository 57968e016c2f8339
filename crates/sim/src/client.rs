//! Speaks to the engine in the words of the [`truth`](crate::truth): rows in, rows out.

use crate::field::{self, Added};
use crate::parts::{self, PARTS};
use crate::truth::{Collection, Filter, Kind, Metric, Row};
use data::{Column, Consistency, Field, Keys, Schema, Timestamp, Type, Value, Values};
use engine::api::{self, Change, NamedColumn, OutputField, Queries, ReadTime, Target, Write};
use engine::{Engine, Error};
use std::collections::BTreeMap;

/// The most rows a query may give.
const LIMIT_MAX: usize = 16_384;

/// Which of the rows found are wanted: so many, after so many others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

impl Window {
    /// As many as can be had.
    pub(crate) const ALL: Self = Self { offset: 0, limit: LIMIT_MAX };
}

/// The collection called `name`.
pub(crate) fn target(name: &str) -> Target {
    Target::new("", name)
}

/// A key as text, in the order of numbers.
fn text_of(key: i64) -> String {
    format!("k{key:06}")
}

/// Makes a collection; `parts`: with an array of structs.
///
/// # Errors
/// The engine's.
pub(crate) fn create(
    engine: &Engine,
    name: &str,
    dim: usize,
    text_keys: bool,
    parts: bool,
) -> Result<Timestamp, Error> {
    let key = if text_keys {
        Field::new("id", Type::VarChar).with_max_length(16)
    } else {
        Field::new("id", Type::Int64)
    };
    let mut schema = Schema {
        fields: vec![
            key.primary(),
            Field::new("v", Type::FloatVector).with_dim(dim),
            Field::new("number", Type::Int64),
            Field::new("tag", Type::VarChar).with_max_length(8),
        ],
        ..Schema::default()
    };
    if parts {
        schema.fields.extend(parts::fields());
        schema.structs.push(parts::structure());
    }
    let create = api::CreateCollection {
        target: target(name),
        schema,
        shards: 0,
        consistency: Consistency::Strong,
        properties: vec![],
        partitions: 0,
    };
    engine.change(Change::CreateCollection(create)).map(|changed| changed.timestamp)
}

fn key_column(keys: &[i64], text_keys: bool) -> Column {
    if text_keys {
        Column::from_texts(keys.iter().map(|key| text_of(*key)))
    } else {
        Column::from_ints(keys.to_vec())
    }
}

/// Rows as a request carries them.
pub(crate) fn rows(name: &str, partition: &str, text_keys: bool, dim: usize, rows: &[Row]) -> api::Rows {
    let named = |name: &str, column| NamedColumn { name: name.to_owned(), is_dynamic: false, column };
    let keys: Vec<i64> = rows.iter().map(|row| row.key).collect();
    let vectors = rows.iter().flat_map(|row| row.vector.iter().copied()).collect();
    let mut columns = vec![
        named("id", key_column(&keys, text_keys)),
        named("v", Column::from_vectors(dim, vectors).expect("every row has dim components")),
        named("number", Column::from_ints(rows.iter().map(|row| row.number).collect())),
        named("tag", Column::from_texts(rows.iter().map(|row| row.tag.as_str()))),
    ];
    let added = rows.first().into_iter().flat_map(|row| row.added.keys());
    for name in added {
        let added = rows.iter().map(|row| &row.added);
        match *name {
            PARTS => columns.extend(parts::columns(added).map(|(name, column)| named(name, column))),
            field::NOTE => {
                let column = field::notes(added);
                columns.push(NamedColumn { name: "$meta".to_owned(), is_dynamic: true, column });
            }
            name => columns.push(named(name, field::column(name, added))),
        }
    }
    api::Rows { target: target(name), partition: partition.to_owned(), rows: rows.len(), columns }
}

/// The same with the columns of `fields` alone, and the keys. `append`: adds to arrays.
pub(crate) fn partial(mut rows: api::Rows, fields: &[&str], append: bool) -> api::Update {
    let is_meant = |column: &NamedColumn| {
        let name = if column.is_dynamic { field::NOTE } else { column.name.as_str() };
        name == "id" || name.split('[').next().is_some_and(|name| fields.contains(&name))
    };
    rows.columns.retain(is_meant);
    let ops = if append { vec![(field::LIST.to_owned(), api::FieldOp::Append)] } else { vec![] };
    api::Update { rows, ops }
}

/// Takes rows out; an empty partition = of all.
///
/// # Errors
/// The engine's.
pub(crate) fn delete(
    engine: &Engine,
    name: &str,
    partition: &str,
    filter: &Filter,
    text_keys: bool,
) -> Result<Timestamp, Error> {
    let write = Write::Delete {
        target: target(name),
        partition: partition.to_owned(),
        filter: expression(filter, text_keys),
        templates: BTreeMap::new(),
    };
    engine.write(write).map(|written| written.timestamp)
}

/// A filter in the engine's language.
pub(crate) fn expression(filter: &Filter, text_keys: bool) -> String {
    let key = |key: &i64| if text_keys { format!("'{}'", text_of(*key)) } else { key.to_string() };
    match filter {
        Filter::All => String::new(),
        Filter::Below(number) => format!("number < {number}"),
        Filter::Tag(tag) => format!("tag == '{tag}'"),
        Filter::Both(number, tag) => format!("number < {number} and tag == '{tag}'"),
        Filter::Extra(number) => format!("extra < {number}"),
        Filter::Note(number) => format!("note < {number}"),
        Filter::SomePart(age) => format!("match_any(parts, $[age] < {age})"),
        Filter::EachPart(age) => format!("match_all(parts, $[age] < {age})"),
        Filter::Parts(count) => format!("array_length(parts) == {count}"),
        Filter::Keys(keys) => format!("id in [{}]", keys.iter().map(key).collect::<Vec<_>>().join(", ")),
    }
}

/// Asks for an index on the vectors.
///
/// # Errors
/// The engine's.
pub(crate) fn create_index(
    engine: &Engine,
    name: &str,
    kind: Kind,
    metric: Metric,
) -> Result<Timestamp, Error> {
    let (kind, own): (_, &[(&str, &str)]) = match kind {
        Kind::Flat => ("FLAT", &[]),
        Kind::Ivf => ("IVF_FLAT", &[("nlist", "4")]),
        Kind::Hnsw => ("HNSW", &[("M", "6"), ("efConstruction", "16")]),
    };
    let named = [("index_type", kind), ("metric_type", metric.name())];
    let params = named.iter().chain(own).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let create = api::CreateIndex {
        target: target(name),
        field: "v".to_owned(),
        name: String::new(),
        params: params.collect(),
        echo: vec![],
    };
    engine.change(Change::CreateIndex(create)).map(|changed| changed.timestamp)
}

/// Drops the index on the vectors.
///
/// # Errors
/// The engine's.
pub(crate) fn drop_index(engine: &Engine, name: &str) -> Result<Timestamp, Error> {
    let drop = Change::DropIndex { target: target(name), index: String::new(), field: "v".to_owned() };
    engine.change(drop).map(|changed| changed.timestamp)
}

/// Asks for an index on another field.
///
/// # Errors
/// The engine's.
pub(crate) fn create_scalar(
    engine: &Engine,
    name: &str,
    field: &str,
    kind: &str,
) -> Result<Timestamp, Error> {
    let own: &[(&str, &str)] = match kind {
        _ if field == parts::PLACE => parts::index_params(kind),
        "NGRAM" => &[("min_gram", "1"), ("max_gram", "2")],
        _ => &[],
    };
    let params = [("index_type", kind)];
    let params = params.iter().chain(own).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let create = api::CreateIndex {
        target: target(name),
        field: field.to_owned(),
        name: String::new(),
        params: params.collect(),
        echo: vec![],
    };
    engine.change(Change::CreateIndex(create)).map(|changed| changed.timestamp)
}

/// Drops the index on another field.
///
/// # Errors
/// The engine's.
pub(crate) fn drop_scalar(engine: &Engine, name: &str, field: &str) -> Result<Timestamp, Error> {
    let drop = Change::DropIndex { target: target(name), index: field.to_owned(), field: String::new() };
    engine.change(drop).map(|changed| changed.timestamp)
}

/// All indexes.
///
/// # Errors
/// The engine's.
pub(crate) fn indexes(engine: &Engine, name: &str) -> Result<Vec<api::IndexInfo>, Error> {
    let all = api::Indexes { target: target(name), field: String::new(), index: String::new() };
    match engine.describe(all) {
        Err(error) if error.kind() == engine::ErrorKind::IndexNotFound => Ok(Vec::new()),
        indexes => indexes,
    }
}

/// The index on the vectors, if there is one.
///
/// # Errors
/// The engine's.
pub(crate) fn index(engine: &Engine, name: &str) -> Result<Option<api::IndexInfo>, Error> {
    Ok(indexes(engine, name)?.into_iter().find(|info| info.field == "v"))
}

/// Rows by what they say.
///
/// # Errors
/// The engine's.
pub(crate) fn query(
    engine: &Engine,
    name: &str,
    text_keys: bool,
    partitions: &[String],
    filter: &Filter,
    window: Window,
    travel: Timestamp,
) -> Result<Vec<Row>, Error> {
    let keys = match filter {
        // Some by a list of keys, some by an expression that is one.
        Filter::Keys(keys) if window.offset % 2 == 1 => Keys::new(key_column(keys, text_keys)),
        _ => None,
    };
    let request = api::Query {
        target: target(name),
        partitions: partitions.to_vec(),
        filter: if keys.is_some() { String::new() } else { expression(filter, text_keys) },
        keys,
        output: vec!["*".to_owned()],
        limit: Some(window.limit),
        offset: window.offset,
        time: ReadTime { travel, ..ReadTime::default() },
        ..api::Query::default()
    };
    let found = engine.query(request)?;
    let keys = found.keys.as_ref().map(ints).unwrap_or_default();
    Ok(assemble(&keys, &found.fields))
}

/// How many rows.
///
/// # Errors
/// The engine's.
pub(crate) fn count(
    engine: &Engine,
    name: &str,
    text_keys: bool,
    filter: &Filter,
    travel: Timestamp,
) -> Result<u64, Error> {
    let request = api::Query {
        target: target(name),
        filter: expression(filter, text_keys),
        output: vec!["count(*)".to_owned()],
        time: ReadTime { travel, ..ReadTime::default() },
        ..api::Query::default()
    };
    Ok(engine.query(request)?.count.unwrap_or_default())
}

/// A search for the `limit` nearest rows, by one vector.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// In which collection.
    pub(crate) name: String,
    /// In which partitions; empty = in all that are loaded.
    pub(crate) partitions: Vec<String>,
    /// Near to what.
    pub(crate) vector: Vec<f32>,
    /// How near is measured.
    pub(crate) metric: Metric,
    /// How many, after how many others.
    pub(crate) window: Window,
    /// Among which.
    pub(crate) filter: Filter,
    /// When; zero = now.
    pub(crate) travel: Timestamp,
}

/// The rows found and their scores, best first.
///
/// # Errors
/// The engine's.
pub(crate) fn search(engine: &Engine, ask: &Ask, text_keys: bool) -> Result<Vec<(f32, Row)>, Error> {
    let vector = Column::from_vectors(ask.vector.len(), ask.vector.clone()).expect("one vector");
    let request = api::Search {
        partitions: ask.partitions.clone(),
        offset: ask.window.offset,
        metric: ask.metric.name().to_owned(),
        filter: expression(&ask.filter, text_keys),
        output: vec!["*".to_owned()],
        time: ReadTime { travel: ask.travel, ..ReadTime::default() },
        ..api::Search::new(target(&ask.name), Queries::Vectors(vector), ask.window.limit)
    };
    let found = engine.search(request)?;
    let rows = assemble(&ints(&found.keys), &found.fields);
    Ok(found.scores.into_iter().zip(rows).collect())
}

/// What the engine's partitions of a collection are, and whether they are loaded.
///
/// # Errors
/// The engine's.
pub(crate) fn partitions(engine: &Engine, name: &str) -> Result<BTreeMap<String, bool>, Error> {
    let info = engine.describe(api::Collection { target: target(name), id: None })?;
    let loaded = |one: &api::PartitionInfo| one.load.state == api::LoadState::Loaded;
    Ok(info.partitions.iter().map(|one| (one.name.clone(), loaded(one))).collect())
}

/// The fields that were added to a collection, and their defaults.
///
/// # Errors
/// The engine's.
pub(crate) fn added(engine: &Engine, name: &str) -> Result<Added, Error> {
    let info = engine.describe(api::Collection { target: target(name), id: None })?;
    let default = |name: &'static str| {
        let field = info.schema.field(name)?;
        Some((name, field.default.clone().unwrap_or(Value::Null)))
    };
    let note = info.schema.dynamic().map(|_| (field::NOTE, Value::Null));
    let parts = info.schema.structure(PARTS).map(|_| (PARTS, Value::Null));
    Ok(field::NAMES.into_iter().filter_map(default).chain(parts).chain(note).collect())
}

/// Loads the whole collection, or some partitions.
///
/// # Errors
/// The engine's.
pub(crate) fn load(engine: &Engine, name: &str, partitions: &[String]) -> Result<(), Error> {
    engine.run(api::Load { target: target(name), partitions: partitions.to_vec() })
}

/// Writes the rows of a model collection to the engine, for a start.
///
/// # Errors
/// The engine's.
pub(crate) fn insert(
    engine: &Engine,
    name: &str,
    partition: &str,
    like: &Collection,
    new: &[Row],
) -> Result<Timestamp, Error> {
    let rows = rows(name, partition, like.text_keys, like.dim, new);
    engine.write(Write::Insert(rows)).map(|written| written.timestamp)
}

/// Keys as numbers.
pub(crate) fn ints(keys: &Keys) -> Vec<i64> {
    let number = |key: data::KeyRef<'_>| match key.to_key() {
        data::Key::Int(value) => value,
        data::Key::Text(text) => text.trim_start_matches('k').parse().unwrap_or(i64::MIN),
    };
    keys.iter().map(number).collect()
}

/// Rows from columns; a column of another type leaves its part of the rows empty, which no model row is.
fn assemble(keys: &[i64], fields: &[OutputField]) -> Vec<Row> {
    let row = |key: &i64| {
        let (vector, number, tag, added) = (Vec::new(), i64::MIN, String::new(), Added::new());
        Row { key: *key, vector, number, tag, added }
    };
    let mut rows: Vec<Row> = keys.iter().map(row).collect();
    for field in fields {
        for (place, row) in rows.iter_mut().enumerate().take(field.column.len()) {
            match (field.field.name.as_str(), field.column.values()) {
                ("v", Values::FloatVector { dim, values }) => {
                    row.vector = values[place * dim..(place + 1) * dim].to_vec();
                }
                ("number", Values::Int64(values)) => row.number = values[place],
                ("tag", Values::Text(texts)) => row.tag = texts.text(place).to_owned(),
                (_, _) if field.field.is_dynamic => {
                    row.added.insert(field::NOTE, field::note_of(&field.column.value(place)));
                }
                (parts::AGE, _) => {
                    let places = fields.iter().find(|other| other.field.name == parts::PLACE);
                    let value = |places: &OutputField| parts::value_of(&field.column, &places.column, place);
                    row.added.extend(places.map(|places| (PARTS, value(places))));
                }
                (name, _) => {
                    let name = field::NAMES.into_iter().find(|known| *known == name);
                    row.added.extend(name.map(|name| (name, field.column.value(place))));
                }
            }
        }
    }
    rows
}
