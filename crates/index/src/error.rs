//! What can be wrong with a specification, a query or an image. Invariant: every fact a caller needs for a message
//! of its own is a field, never only text.

use crate::{Element, Metric};

/// Why a specification, a query, a build or an open was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// No row of the table has this name.
    #[error("invalid index type: {name}")]
    UnknownIndexType {
        /// The name as given.
        name: String,
    },
    /// No kind is what this recipe of another library says.
    #[error(
        "invalid faiss_index_name: {name}, should be Flat, IVFn or HNSWn with Flat, SQ4, SQ6, SQ8, PQm or PQmxb, IVFn with RaBitQ \
         or RaBitQfs, BFlat, BIVFn or BHNSWn"
    )]
    UnknownRecipe {
        /// The recipe as given.
        name: String,
    },
    /// The index type exists, but not for this kind of vector.
    #[error("index {index_type} does not support {element} vectors")]
    ElementNotSupported {
        /// The index type.
        index_type: &'static str,
        /// What the field holds.
        element: Element,
    },
    /// A type was named without a metric.
    #[error("metric type not set for vector index")]
    MetricNotSet,
    /// The metric is unknown, or does not fit the type or the element.
    #[error("metric type {name} not found or not supported, supported: [{}]", names(supported))]
    MetricNotSupported {
        /// The metric as given.
        name: String,
        /// What would fit.
        supported: &'static [Metric],
    },
    /// A search names another metric than the index has.
    #[error("metric type not match: invalid parameter[expected={expected}][actual={actual}]")]
    MetricMismatch {
        /// The index's metric.
        expected: Metric,
        /// The metric as given.
        actual: String,
    },
    /// A parameter beside the metric was given to AUTOINDEX.
    #[error("only metric type can be passed when use AutoIndex, not {name}")]
    AutoIndexParameter {
        /// The parameter.
        name: &'static str,
    },
    /// A number lies outside its range.
    #[error("{value} out of range {low} <= {name} <= {high}")]
    OutOfRange {
        /// The parameter.
        name: &'static str,
        /// The value as given.
        value: String,
        /// The smallest allowed value.
        low: i64,
        /// The largest allowed value.
        high: i64,
    },
    /// A value cannot be read as what it should be.
    #[error("invalid {what} value, key: '{name}', value: '{value}'")]
    NotA {
        /// `integer`, `float` or `bool`.
        what: &'static str,
        /// The parameter.
        name: &'static str,
        /// The value as given.
        value: String,
    },
    /// A parameter without a default was not given.
    #[error("missing parameter[missing_param={name}]")]
    Missing {
        /// The parameter.
        name: &'static str,
    },
    /// A name that is none of those it may be.
    #[error("invalid {name} value: '{value}', should be one of [{}]", allowed.join(", "))]
    NotOneOf {
        /// The parameter.
        name: &'static str,
        /// The value as given.
        value: String,
        /// What it may be.
        allowed: &'static [&'static str],
    },
    /// The dimension is no multiple of the parts a row is cut into.
    #[error("dimension must be able to be divided by `{name}`, dimension: {dim}, {name}: {value}")]
    NotDivisible {
        /// The dimension.
        dim: usize,
        /// The parameter.
        name: &'static str,
        /// The value as given.
        value: usize,
    },
    /// `ef` and its like must reach at least as far as the number of results.
    #[error("{name}({effort}) should be larger than k({k})")]
    EffortBelowK {
        /// The parameter.
        name: &'static str,
        /// The value given.
        effort: i64,
        /// The results asked for.
        k: usize,
    },
    /// `range_filter` and `radius` enclose nothing.
    #[error("range_filter({range_filter}) must be {} than radius({radius}) for metric type {metric}",
        if metric.smaller_is_better() { "less" } else { "more" })]
    EmptyRange {
        /// The metric, which decides the direction.
        metric: Metric,
        /// The outer bound.
        radius: f32,
        /// The inner bound.
        range_filter: f32,
    },
    /// Dimension zero, or bits that do not fill bytes.
    #[error("invalid dimension: {dim} for {element} vectors")]
    Dimension {
        /// The dimension.
        dim: usize,
        /// What the field holds.
        element: Element,
    },
    /// The vectors handed in are not those of the specification.
    #[error("vectors of {actual_element} x {actual_dim} where {element} x {dim} belong")]
    OtherVectors {
        /// What was specified.
        element: Element,
        /// What was specified.
        dim: usize,
        /// What came.
        actual_element: Element,
        /// What came.
        actual_dim: usize,
    },
    /// More rows than a row number can count.
    #[error("{rows} rows are more than one index can hold")]
    TooManyRows {
        /// The rows.
        rows: usize,
    },
    /// An image that this build cannot have written, or of another specification.
    #[error("corrupt index: {what}")]
    Corrupt {
        /// What does not fit.
        what: &'static str,
    },
    /// The pages of an index on disk could not be read.
    #[error("cannot read the nodes of an index: {reason}")]
    Unreadable {
        /// What the system said.
        reason: String,
    },
    /// The pages of an index on disk could not be put where they belong.
    #[error("cannot write the nodes of an index: {reason}")]
    Unwritable {
        /// What the system said.
        reason: String,
    },
    /// The work was told to stop.
    #[error("cancelled")]
    Cancelled,
}

impl From<host::Cancelled> for Error {
    fn from(_: host::Cancelled) -> Self {
        Self::Cancelled
    }
}

fn names(metrics: &[Metric]) -> String {
    metrics.iter().map(|metric| metric.name()).collect::<Vec<_>>().join(" ")
}
