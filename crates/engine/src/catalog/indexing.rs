//! Indexes as the catalogue knows them: on vectors and on scalar fields, under one set of rules.

use super::{Catalog, Index, apply, check};
use crate::api::CreateIndex;
use crate::{Error, ErrorKind};
use data::{Field, IndexId, NameKind, Schema, Timestamp};
use segment::{ScalarError, ScalarSpec};
use std::collections::BTreeMap;

/// The most bytes of index parameters.
const INDEX_PARAMS_BYTES_MAX: usize = 100 << 10;

/// What an index's parameters mean.
#[derive(Debug, Clone)]
pub(crate) enum IndexSpec {
    /// On vectors.
    Vector(index::Spec),
    /// On the vectors of lists, which are sub-fields of structs.
    Items(ItemSpec),
    /// On anything else.
    Scalar(ScalarSpec),
}

impl IndexSpec {
    /// Reads the parameters of an index on `field` of `schema`; every mistake in them is found here.
    pub(crate) fn parse(field: &Field, schema: &Schema, params: &[(String, String)]) -> Result<Self, Error> {
        if field.data_type.is_vector() {
            return apply::index_spec(field, params).map(Self::Vector);
        }
        if field.element.is_some_and(data::Type::is_vector) {
            return ItemSpec::parse(field, params).map(Self::Items);
        }
        ScalarSpec::parse(field, schema, params).map(Self::Scalar).map_err(Error::from)
    }

    /// What is to be built, as far as it is known before the rows are.
    pub(crate) fn effective(&self) -> Vec<(String, String)> {
        match self {
            Self::Vector(spec) => spec.effective(),
            Self::Items(items) => items.effective(items.spec.effective()),
            Self::Scalar(spec) => spec.effective(None),
        }
    }

    /// Where in JSON documents an index looks; empty for others.
    fn path(&self) -> &[String] {
        match self {
            Self::Vector(_) | Self::Items(_) => &[],
            Self::Scalar(spec) => spec.path(),
        }
    }

    /// What an index is called that was given no name. Several on one JSON field differ by their paths.
    fn default_name(&self, field: &Field) -> String {
        self.path().iter().fold(field.name.clone(), |name, step| name + "/" + step)
    }
}

/// What metrics of whole lists begin with.
const LISTS: &str = "MAX_SIM";

/// How near lists of vectors are, or their vectors one by one.
#[derive(Debug, Clone)]
pub(crate) struct ItemSpec {
    /// Of all vectors of all lists.
    pub(crate) spec: index::Spec,
    /// Whether whole lists are held against each other: the metric is one of `MAX_SIM`'s.
    pub(crate) by_list: bool,
    /// Whether another way to find candidates was asked for than by their vectors.
    is_otherwise: bool,
}

/// How candidates of a search for lists are found.
const STRATEGY: &str = "emb_list_strategy";
/// The one that is built: all vectors of all lists are indexed. Whatever finds them, lists are scored as a whole.
const BY_VECTORS: &str = "tokenann";
/// A parameter that is a whole number, the least and the greatest.
type Takes = (&'static str, i64, i64);
/// The others, and what they take.
const STRATEGIES: [(&str, &[Takes]); 2] = [
    ("muvera", &[("muvera_num_projections", 1, 7), ("muvera_num_repeats", 1, 32)]),
    (
        "lemur",
        &[
            ("lemur_hidden_dim", 8, 8_192),
            ("lemur_num_train_samples", 1_000, 100_000),
            ("lemur_num_layers", 1, 8),
        ],
    ),
];

/// Whether `params` ask for another strategy than the one that is built; they must be right all the same.
fn asks_otherwise(params: &[(String, String)]) -> Result<bool, Error> {
    let value = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
    let Some(name) = value(STRATEGY).filter(|name| !name.eq_ignore_ascii_case(BY_VECTORS)) else {
        return Ok(false);
    };
    let Some((_, takes)) = STRATEGIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
        return Err(Error::invalid(format!(
            "{STRATEGY} {name} is not supported, use {BY_VECTORS}, muvera or lemur"
        )));
    };
    for (key, low, high) in *takes {
        if let Some(given) = value(key)
            && !given.parse::<i64>().is_ok_and(|number| (*low..=*high).contains(&number))
        {
            return Err(Error::invalid(format!("{given} out of range {low} <= {key} <= {high}")));
        }
    }
    Ok(true)
}

impl ItemSpec {
    /// Reads the parameters of an index on `field`, whose values are lists of vectors.
    pub(crate) fn parse(field: &Field, params: &[(String, String)]) -> Result<Self, Error> {
        let mut params = params.to_vec();
        let is_otherwise = asks_otherwise(&params)?;
        let metric = params.iter_mut().find(|(key, _)| key == "metric_type");
        let Some((_, name)) = metric else {
            return Ok(Self { spec: apply::index_spec(field, &params)?, by_list: true, is_otherwise });
        };
        let (by_list, plain) = Self::metric(field, name);
        *name = plain;
        let spec = apply::index_spec(field, &params)?;
        Ok(Self { spec, by_list, is_otherwise })
    }

    /// What a search may ask of lists without an index.
    pub(crate) fn unindexed(spec: index::Spec, by_list: bool) -> Self {
        Self { spec, by_list, is_otherwise: false }
    }

    /// A metric's name as whether it is one of whole lists, and how two vectors are compared.
    pub(crate) fn metric(field: &Field, name: &str) -> (bool, String) {
        let upper = name.trim().to_ascii_uppercase();
        let Some(rest) = upper.strip_prefix(LISTS) else { return (false, name.to_owned()) };
        match rest.strip_prefix('_') {
            Some(plain) => (true, plain.to_owned()),
            None if rest.is_empty() && field.element == Some(data::Type::BinaryVector) => {
                (true, index::Metric::Hamming.name().to_owned())
            }
            None if rest.is_empty() => (true, index::Metric::Cosine.name().to_owned()),
            None => (false, name.to_owned()),
        }
    }

    /// The metric's name in full.
    pub(crate) fn metric_name(by_list: bool, metric: index::Metric) -> String {
        if by_list { format!("{LISTS}_{metric}") } else { metric.name().to_owned() }
    }

    /// What is built, with the metric's name in full.
    pub(crate) fn effective(&self, mut effective: Vec<(String, String)>) -> Vec<(String, String)> {
        for (key, value) in &mut effective {
            if key == "metric_type" {
                *value = Self::metric_name(self.by_list, self.spec.metric());
            }
        }
        if self.is_otherwise {
            effective.push((STRATEGY.to_owned(), BY_VECTORS.to_owned()));
        }
        effective
    }
}

impl From<ScalarError> for Error {
    fn from(error: ScalarError) -> Self {
        match error {
            ScalarError::Wrong(text) => Self::invalid(text),
            missing @ ScalarError::Missing { .. } => Self::new(ErrorKind::Missing, missing.to_string()),
        }
    }
}

impl Catalog {
    pub(super) fn create_index(&mut self, mut create: CreateIndex, now: Timestamp) -> Result<(), Error> {
        let collection = self.target_mut(&create.target)?;
        let schema = &collection.schema;
        let bytes: usize = create.params.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > INDEX_PARAMS_BYTES_MAX {
            return Err(Error::invalid("index params size exceeds limit"));
        }
        let field = indexed_field(schema, &mut create)?;
        let spec = IndexSpec::parse(field, schema, &create.params)?;
        let name = match create.name.as_str() {
            "" => spec.default_name(field),
            name => check::name(NameKind::Index, name)?,
        };
        for index in &collection.indexes {
            let is_same_wish = index.field == field.id && same_params(&index.params, &create.params);
            if index.name == name {
                if is_same_wish {
                    return Ok(());
                }
                return Err(Error::invalid("at most one distinct index is allowed per field"));
            }
            // Old clients name no index: the same wish under a derived name is the same wish.
            if is_same_wish && create.name.is_empty() {
                return Ok(());
            }
            let is_same_place = index.field == field.id
                && IndexSpec::parse(field, schema, &index.params).is_ok_and(|old| old.path() == spec.path());
            if is_same_place {
                let text = "CreateIndex failed: creating multiple indexes on same field is not supported";
                return Err(Error::invalid(text));
            }
        }
        let (field, params, echo) = (field.id, create.params, create.echo);
        collection.indexes.push(Index {
            id: IndexId(now.0 as i64),
            name,
            field,
            params,
            echo,
            created_at: now,
        });
        Ok(())
    }
}

/// The field an index is to be on. A name that is none is a key of the dynamic field, when the index says what its values
/// are to be taken as.
fn indexed_field<'a>(schema: &'a Schema, create: &mut CreateIndex) -> Result<&'a Field, Error> {
    if let Some(field) = schema.field(&create.field) {
        return Ok(field);
    }
    let has = |key: &str| create.params.iter().any(|(name, _)| name == key);
    let (is_key, has_path) = (has("json_cast_type"), has("json_path"));
    match schema.dynamic() {
        Some(dynamic) if is_key => {
            if !has_path {
                create.params.push(("json_path".to_owned(), create.field.clone()));
            }
            Ok(dynamic)
        }
        _ => Err(Error::invalid(format!("cannot create index on non-exist field: {}", create.field))),
    }
}

fn same_params(a: &[(String, String)], b: &[(String, String)]) -> bool {
    let sorted = |params: &[(String, String)]| params.iter().cloned().collect::<BTreeMap<_, _>>();
    sorted(a) == sorted(b)
}
