//! A search held against the collection: field, metric, parameters, filter and query vectors.
//! Invariant: a [`Plan`] that exists can be asked of every segment of its scope.

use super::fetch;
use super::{Place, Scope, check_window, predicate, queries};
use crate::api::{Queries, Search};
use crate::catalog::{Collection, ItemSpec, element_of, index_spec};
use crate::node::Node;
use crate::{Error, ErrorKind};
use data::{Column, Field, Keys, Schema};
use filter::Predicate;
use index::Metric;

/// What the hits of a search are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// Rows with a near vector.
    Rows,
    /// Structs of rows with a near vector.
    Elements,
    /// Rows with a near list of vectors.
    Lists,
}

/// A search, checked against the collection.
pub(super) struct Plan<'a> {
    pub(super) field: &'a Field,
    /// Whether the field has an index, though perhaps not yet on every segment.
    pub(super) awaits_index: bool,
    pub(super) metric: Metric,
    pub(super) query: index::Query,
    pub(super) predicate: Option<Predicate>,
    pub(super) queries: Column,
    pub(super) aim: Aim,
    /// Of a search for lists: near vectors to look for, at least, for each vector of a query and each row wanted.
    pub(super) list_ratio: f32,
}

impl Plan<'_> {
    /// Whether the filter says which structs are searched.
    pub(super) fn filters_elements(&self) -> bool {
        let parent = self.field.name.split_once('[').map(|(parent, _)| parent);
        let filtered = self.predicate.as_ref().and_then(Predicate::filtered_struct);
        self.aim == Aim::Elements && parent.is_some() && parent == filtered
    }

    /// What of a search goes beyond the nearest rows: these cannot be had together, and not of whole lists at all.
    pub(super) fn refuse_controls(&self, search: &Search) -> Result<(), Error> {
        let is_range = self.query.radius().is_some();
        let is_grouped = search.group.is_some() || search.buckets.is_some();
        if search.iteration.is_some() && search.group.is_some() {
            return Err(Error::invalid("Not allowed to do groupBy when doing iteration"));
        }
        if is_range && is_grouped {
            return Err(Error::invalid("Not allowed to do range-search when doing search-group-by"));
        }
        let what = if is_range {
            "range search"
        } else if search.iteration.is_some() {
            "search iterator"
        } else if is_grouped {
            "group by"
        } else {
            return Ok(());
        };
        if self.aim != Aim::Lists {
            return Ok(());
        }
        let text = format!("{what} is not supported for multi-search-multi on embedding list fields");
        Err(Error::expected(text, "", ""))
    }

    /// The same for one of the searches of a hybrid one.
    pub(super) fn refuse_controls_in_hybrid(&self, search: &Search) -> Result<(), Error> {
        let what = match (self.query.radius(), &search.group) {
            (Some(_), Some(_)) => return self.refuse_controls(search),
            (Some(_), None) => "range search",
            (None, Some(_)) => "group by search",
            (None, None) => return Ok(()),
        };
        if self.aim != Aim::Lists {
            return Ok(());
        }
        let text = format!(
            "{what} is not supported for vector array (embedding-list) fields in hybrid search, fieldName:{}",
            self.field.name
        );
        Err(Error::expected(text, "", ""))
    }
}

pub(super) fn check(node: &Node, search: &Search) -> Result<(), Error> {
    let limits = &node.settings;
    check_window(search.limit, search.offset, limits.limit_max, "topk")?;
    let count = match &search.queries {
        Queries::Vectors(column) | Queries::Lists(column) => column.len(),
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
    if field.element.unwrap_or(field.data_type).is_vector() {
        return Ok(field);
    }
    Err(Error::invalid(format!("anns_field {name} is not a vector field")))
}

pub(super) fn plan<'a>(scope: &'a Scope, search: &Search) -> Result<Plan<'a>, Error> {
    let field = vector_field(scope.schema(), &search.field)?;
    let (metric, aim, query) = index_query(&scope.collection, field, search, search.limit + search.offset)?;
    let predicate = predicate(scope.schema(), &scope.zone, &search.filter, &search.templates, "query")?;
    let predicate = predicate.map(|predicate| predicate.with_seed(scope.at.0));
    let mut list_ratio = 0.0;
    if aim == Aim::Lists {
        list_ratio = self::list_ratio(search)?;
    }
    let queries = match (&search.queries, aim) {
        (Queries::Keys(_), Aim::Elements) => {
            return Err(Error::invalid(format!(
                "{} has many vectors a row, and a search of structs by primary key does not say which: field is not a vector field",
                field.name
            )));
        }
        (Queries::Keys(keys), _) => vectors_of_keys(scope, field, keys)?,
        (Queries::Lists(lists), Aim::Lists) => queries::fit_lists(field, lists)?,
        (Queries::Vectors(vectors), Aim::Rows) => queries::fit(field, vectors.clone())?,
        (Queries::Vectors(vectors), Aim::Elements) => queries::fit_items(field, vectors.clone())?,
        (Queries::Lists(_), Aim::Rows | Aim::Elements) => {
            return Err(Error::invalid(format!(
                "embedding lists search fields that are indexed by a MAX_SIM metric, but that of {} is {metric}: vector type must be the same",
                field.name
            )));
        }
        (Queries::Vectors(_), Aim::Lists) => {
            return Err(Error::invalid(format!(
                "field {} is indexed by MAX_SIM_{metric} and searched by embedding lists, not by single vectors: vector type must be the same",
                field.name
            )));
        }
    };
    let awaits_index = scope.collection.index_on(field.id).is_some();
    Ok(Plan { field, awaits_index, metric, query, predicate, queries, aim, list_ratio })
}

/// What `retrieval_ann_ratio` says. `emb_list_rerank` may say what it likes: lists are always scored as a whole.
fn list_ratio(search: &Search) -> Result<f32, Error> {
    let value = |name: &str| search.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
    if let Some(given) = value("emb_list_rerank")
        && !["true", "false"].contains(&given.to_ascii_lowercase().as_str())
    {
        return Err(Error::invalid(format!("emb_list_rerank should be true or false, but got {given}")));
    }
    let Some(given) = value("retrieval_ann_ratio") else { return Ok(0.0) };
    match given.parse::<f32>() {
        Ok(ratio) if ratio > 0.0 && ratio.is_finite() => Ok(ratio),
        _ => Err(Error::invalid(format!(
            "retrieval_ann_ratio could not be less than or equal to 0, and should be a number, but got {given}"
        ))),
    }
}

/// What to ask an index, or a scan when there is none: then any metric of the field's type will do.
fn index_query(
    collection: &Collection,
    field: &Field,
    search: &Search,
    k: usize,
) -> Result<(Metric, Aim, index::Query), Error> {
    let mut search_params = search.params.clone();
    if field.element.is_none() {
        let spec = match collection.index_on(field.id) {
            Some(index) => index_spec(field, &index.params)?,
            None => {
                let named = (!search.metric.is_empty()).then_some(search.metric.as_str());
                index::Spec::unindexed(element_of(field)?, field.dim, named)?
            }
        };
        check_metric(&search.metric, spec.metric().name())?;
        return Ok((spec.metric(), Aim::Rows, spec.query(k, &search_params)?));
    }
    let ItemSpec { spec, by_list, .. } = match collection.index_on(field.id) {
        Some(index) => ItemSpec::parse(field, &index.params)?,
        None => {
            let (by_list, plain) = match search.metric.as_str() {
                // By a key a list is found, not one of its vectors.
                "" => (matches!(search.queries, Queries::Lists(_) | Queries::Keys(_)), None),
                name => {
                    let (by_list, plain) = ItemSpec::metric(field, name);
                    (by_list, Some(plain))
                }
            };
            let spec = index::Spec::unindexed(element_of(field)?, field.dim, plain.as_deref())?;
            ItemSpec::unindexed(spec, by_list)
        }
    };
    let name = ItemSpec::metric_name(by_list, spec.metric());
    let full = |given: &str| {
        let (by_list, plain) = ItemSpec::metric(field, given);
        if by_list { format!("MAX_SIM_{plain}") } else { plain }
    };
    check_metric(&full(&search.metric), &name)?;
    // The index compares single vectors, and would not know the metric of lists.
    search_params.retain(|(key, _)| key != "metric_type");
    let aim = if by_list { Aim::Lists } else { Aim::Elements };
    Ok((spec.metric(), aim, spec.query(k, &search_params)?))
}

/// The metric that a search names, if any, must be the index's.
fn check_metric(given: &str, metric: &str) -> Result<(), Error> {
    if given.is_empty() || given.eq_ignore_ascii_case(metric) {
        return Ok(());
    }
    Err(Error::expected("metric type not match", metric, given))
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
    index_query(collection, field, &wider, k).map(|(_, _, query)| query)
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
        let missing =
            || Error::invalid(format!("some of the provided primary key IDs do not exist: {}", key.to_key()));
        places.push(found.ok_or_else(missing)??);
    }
    fetch::read(scope, field, &places)
}
