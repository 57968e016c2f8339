//! Reading fields of the rows that were found, and only of them.

use super::{Place, Scope};
use crate::Error;
use crate::api::OutputField;
use data::{Column, ColumnBuilder, Field, Keys, Schema, Type};

/// The fields to give back.
#[derive(Debug)]
pub(crate) struct Output {
    fields: Vec<(Field, Vec<String>)>,
}

impl Output {
    /// Resolves the names a client asked for: fields, `*`, keys of the dynamic field.
    pub(crate) fn new(schema: &Schema, names: &[String], with_key: bool) -> Result<Self, Error> {
        let mut output = Self { fields: Vec::new() };
        if with_key && let Some(key) = schema.primary() {
            output.add(key);
        }
        for name in names {
            if name == "*" {
                schema.fields.iter().for_each(|field| output.add(field));
                continue;
            }
            if let Some(field) = schema.field(name) {
                output.add(field);
                continue;
            }
            if let Some(one) = schema.structure(name) {
                let parts = one.fields.iter().filter_map(|id| schema.field_by_id(*id));
                parts.for_each(|field| output.add(field));
                continue;
            }
            let key = name.strip_prefix("$meta[").and_then(|rest| rest.strip_suffix(']'));
            let base = name.split_once('[').map_or("", |(base, _)| base.trim());
            let is_json = schema.field(base).is_some_and(|field| field.data_type == Type::Json);
            if key
                .map_or(!base.is_empty() && (is_json || schema.dynamic().is_some()), |key| key.contains('['))
            {
                return Err(Error::invalid(format!(
                    "not support getting subkeys of json field yet: {name}, name the whole field"
                )));
            }
            let Some(dynamic) = schema.dynamic() else {
                return Err(Error::invalid(format!("field {name} not exist")));
            };
            let key = key.map_or(name.as_str(), |key| key.trim_matches(['"', '\'']));
            output.add_key(dynamic, key);
        }
        Ok(output)
    }

    fn add(&mut self, field: &Field) {
        match self.fields.iter_mut().find(|(known, _)| known.id == field.id) {
            // The whole object was asked for, too.
            Some((_, keys)) => keys.clear(),
            None => self.fields.push((field.clone(), Vec::new())),
        }
    }

    fn add_key(&mut self, dynamic: &Field, key: &str) {
        match self.fields.iter_mut().find(|(known, _)| known.id == dynamic.id) {
            Some((_, keys)) if keys.is_empty() => {}
            Some((_, keys)) => keys.push(key.to_owned()),
            None => self.fields.push((dynamic.clone(), vec![key.to_owned()])),
        }
    }

    /// Refuses an answer of `rows` rows that would be too large, before it is put together.
    pub(crate) fn check_size(&self, rows: usize, bytes_max: u64) -> Result<(), Error> {
        /// A key and a score, or a value that is no vector, about.
        const VALUE_BYTES: usize = 16;
        let fields = self.fields.iter().map(|(field, _)| field.vector_bytes().max(VALUE_BYTES));
        let bytes = rows as u64 * (VALUE_BYTES + fields.sum::<usize>()) as u64;
        if bytes <= bytes_max {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "query results exceed the maxOutputSize Limit: {rows} rows would take about {bytes} bytes, {bytes_max} are allowed; ask for fewer rows or fields"
        )))
    }

    /// The values of all fields at `places`.
    pub(crate) fn fetch(&self, scope: &Scope, places: &[Place]) -> Result<Vec<OutputField>, Error> {
        let fetched = self.fields.iter().map(|(field, keys)| {
            let column = read(scope, field, places)?;
            Ok(OutputField { field: field.clone(), column, dynamic_keys: keys.clone() })
        });
        fetched.collect()
    }
}

/// The values of `field` at `places`, in that order.
pub(crate) fn read(scope: &Scope, field: &Field, places: &[Place]) -> Result<Column, Error> {
    let first = places.first().map_or(0, |place| place.0);
    if let Some(segment) = scope.segments.get(first as usize)
        && places.iter().all(|place| place.0 == first)
    {
        let rows: Vec<u32> = places.iter().map(|place| place.1).collect();
        return Ok(segment.read(field.id, &rows)?);
    }
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); scope.segments.len()];
    for (segment, row) in places {
        rows[*segment as usize].push(*row);
    }
    let mut parts: Vec<(Option<Column>, usize)> = Vec::with_capacity(rows.len());
    for (segment, rows) in scope.segments.iter().zip(&rows) {
        let column = if rows.is_empty() { None } else { Some(segment.read(field.id, rows)?) };
        parts.push((column, 0));
    }
    let mut builder = ColumnBuilder::of(field.kind());
    builder.reserve(places.len());
    for (segment, _) in places {
        let (column, next) = &mut parts[*segment as usize];
        if let Some(column) = column {
            builder.push_from(column, *next);
            *next += 1;
        }
    }
    Ok(builder.finish())
}

/// The keys of the rows at `places`, in that order.
pub(crate) fn keys(scope: &Scope, places: &[Place]) -> Result<Keys, Error> {
    let primary =
        scope.schema().primary().ok_or_else(|| Error::internal("a collection without primary key"))?;
    Keys::new(read(scope, primary, places)?).ok_or_else(|| Error::internal("a key column with nulls"))
}
