//! A search held against the collection: field, metric, parameters, filter and query vectors.
//! Invariant: a [`Plan`] that exists can be asked of every segment of its scope.

use super::fetch;
use super::{Place, Scope, check_window, predicate, queries};
use crate::api::{Queries, Search};
use crate::catalog::{Collection, element_of, index_spec};
use crate::node::Node;
use crate::{Error, ErrorKind};
use data::{Column, Field, Keys, Schema};
use filter::Predicate;
use index::Metric;

/// A search, checked against the collection.
pub(super) struct Plan<'a> {
    pub(super) field: &'a Field,
    pub(super) metric: Metric,
    pub(super) query: index::Query,
    pub(super) predicate: Option<Predicate>,
    pub(super) queries: Column,
}

pub(super) fn check(node: &Node, search: &Search) -> Result<(), Error> {
    let limits = &node.settings;
    check_window(search.limit, search.offset, limits.limit_max, "topk")?;
    let count = match &search.queries {
        Queries::Vectors(column) => column.len(),
        Queries::Keys(keys) => keys.len(),
    };
    if !(1..=limits.queries_max).contains(&count) {
        let max = limits.queries_max;
        return Err(Error::invalid(format!(
            "nq (number of search vector per search request) should be in range [1, {max}], but got {count}"
        )));
    }
    if !(-1..=6).contains(&search.round_decimal) {
        let got = search.round_decimal;
        return Err(Error::invalid(format!(
            "round_decimal [{got}] is invalid, it should be -1 or an integer in range [0, 6]"
        )));
    }
    Ok(())
}

pub(super) fn vector_field<'a>(schema: &'a Schema, name: &str) -> Result<&'a Field, Error> {
    if name.is_empty() {
        let mut fields = schema.vectors();
        return match (fields.next(), fields.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(Error::invalid(
                "multiple anns_fields exist, please specify a anns_field in search_params",
            )),
        };
    }
    let field = schema.field(name).ok_or_else(|| {
        Error::new(ErrorKind::FieldNotFound, format!("failed to get field schema by name: fieldName({name}) not found: field not found[field={name}]"))
    })?;
    if field.data_type.is_vector() {
        return Ok(field);
    }
    Err(Error::invalid(format!("anns_field {name} is not a vector field")))
}

pub(super) fn plan<'a>(scope: &'a Scope, search: &Search) -> Result<Plan<'a>, Error> {
    let field = vector_field(scope.schema(), &search.field)?;
    let (metric, query) = index_query(&scope.collection, field, search, search.limit + search.offset)?;
    let predicate = predicate(scope.schema(), &scope.zone, &search.filter, &search.templates, "query")?;
    let predicate = predicate.map(|predicate| predicate.with_seed(scope.at.0));
    let queries = match &search.queries {
        Queries::Vectors(column) => queries::fit(field, column.clone())?,
        Queries::Keys(keys) => vectors_of_keys(scope, field, keys)?,
    };
    Ok(Plan { field, metric, query, predicate, queries })
}

/// What to ask an index, or a scan when there is none: then any metric of the field's type will do.
fn index_query(
    collection: &Collection,
    field: &Field,
    search: &Search,
    k: usize,
) -> Result<(Metric, index::Query), Error> {
    let spec = match collection.index_on(field.id) {
        Some(index) => index_spec(field, &index.params)?,
        None => {
            let named = (!search.metric.is_empty()).then_some(search.metric.as_str());
            index::Spec::unindexed(element_of(field)?, field.dim, named)?
        }
    };
    let metric = spec.metric();
    if !search.metric.is_empty() && !search.metric.eq_ignore_ascii_case(metric.name()) {
        return Err(Error::expected("metric type not match", metric.name(), &search.metric));
    }
    Ok((metric, spec.query(k, &search.params)?))
}

/// The same question for `k` rows, with no less effort than that takes.
pub(super) fn wider_query(
    collection: &Collection,
    field: &Field,
    search: &Search,
    k: usize,
) -> Result<index::Query, Error> {
    let mut wider = search.clone();
    let is_enough = |text: &str| text.trim().parse::<usize>().is_ok_and(|ef| ef >= k);
    wider.params.retain(|(key, value)| key != "ef" || is_enough(value));
    index_query(collection, field, &wider, k).map(|(_, query)| query)
}

fn vectors_of_keys(scope: &Scope, field: &Field, keys: &Keys) -> Result<Column, Error> {
    let mut places: Vec<Place> = Vec::with_capacity(keys.len());
    for key in keys.iter() {
        let found = (0_u32..).zip(&scope.segments).find_map(|(place, segment)| {
            match segment.find(&[key], scope.at) {
                Ok(rows) => rows.last().map(|row| Ok((place, *row))),
                Err(error) => Some(Err(Error::from(error))),
            }
        });
        let missing = || Error::invalid(format!("primary key {} to search by does not exist", key.to_key()));
        places.push(found.ok_or_else(missing)??);
    }
    fetch::read(scope, field, &places)
}
