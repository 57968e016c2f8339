//! What a search asks for, checked. Invariant: `k >= 1`, and a range encloses something.

use super::known::ELEMENT_BITS;
use super::param::{Default, Phase, Value};
use super::params;
use super::table::Row;
use crate::score::Bm25;
use crate::{Error, Metric};

/// A valid search request: how many rows, in which range of scores, with how much effort.
#[derive(Debug, Clone)]
pub struct Query {
    k: usize,
    metric: Metric,
    radius: Option<f32>,
    range_filter: Option<f32>,
    values: Vec<(&'static str, Value)>,
    bm25: Bm25,
    /// Bytes of an element of a MinHash signature.
    element_bytes: usize,
}

/// What `mh_element_bit_width` says.
fn element_bytes(params: &[(String, String)]) -> Result<usize, Error> {
    Ok(match params::value(params, &ELEMENT_BITS)? {
        Some(Value::Whole(bits)) => usize::try_from(bits / 8).unwrap_or(1),
        _ => 1,
    })
}

/// The constants of BM25 that nobody changed.
const BM25: Bm25 = Bm25 { k1: 1.2, b: 0.75, average: 100.0 };

impl Query {
    /// The best `k` rows by exact scan, for data that has no index.
    pub fn exact(metric: Metric, k: usize) -> Self {
        Self {
            k: k.max(1),
            metric,
            radius: None,
            range_filter: None,
            values: Vec::new(),
            bm25: BM25,
            element_bytes: 1,
        }
    }

    /// The same for rows strictly worse than `score`: what comes after them.
    pub fn after(mut self, score: f32) -> Self {
        let next = if self.metric.smaller_is_better() { score.next_up() } else { score.next_down() };
        let is_inside = |bound: &f32| !self.metric.better(*bound, next);
        self.range_filter = Some(self.range_filter.filter(is_inside).unwrap_or(next));
        self
    }

    /// The same for `k` rows, if that is more, with no less effort than they take.
    pub fn widened(mut self, k: usize) -> Self {
        self.k = self.k.max(k);
        let least = i64::try_from(self.k).unwrap_or(i64::MAX);
        for (name, value) in &mut self.values {
            if let ("ef" | "search_list" | "reorder_k", Value::Whole(effort)) = (*name, value) {
                *effort = (*effort).max(least);
            }
        }
        self
    }

    /// How many rows at most.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The outer bound of the scores, which lies outside of the range itself.
    pub fn radius(&self) -> Option<f32> {
        self.radius
    }

    /// The inner bound of the scores, which lies inside.
    pub fn range_filter(&self) -> Option<f32> {
        self.range_filter
    }

    pub(super) fn parse(
        row: &'static Row,
        metric: Metric,
        k: usize,
        params: &[(String, String)],
    ) -> Result<Self, Error> {
        if k == 0 || u32::try_from(k).is_err() {
            let (low, high) = (1, i64::from(u32::MAX));
            return Err(Error::OutOfRange { name: "k", value: k.to_string(), low, high });
        }
        if let Some(given) = params::text(params, "metric_type")
            && Metric::named(given) != Some(metric)
        {
            return Err(Error::MetricMismatch { expected: metric, actual: given.into() });
        }
        let mut values = Vec::new();
        for param in row.params.iter().filter(|param| param.phase == Phase::Search) {
            let value = match (params::value(params, param)?, param.default) {
                (Some(Value::Whole(effort)), Default::AtLeastK(_)) if effort < k as i64 => {
                    return Err(Error::EffortBelowK { name: param.name, effort, k });
                }
                (Some(value), _) | (None, Default::Value(value)) => value,
                (None, Default::AtLeastK(least)) => Value::Whole(least.max(k as i64)),
                (None, Default::Required) => return Err(Error::Missing { name: param.name }),
                (None, Default::Absent) => continue,
            };
            values.push((param.name, value));
        }
        let radius = params::float(params, "radius")?;
        let range_filter = params::float(params, "range_filter")?;
        match (radius, range_filter) {
            (None, Some(_)) => return Err(Error::Missing { name: "radius" }),
            (Some(radius), Some(range_filter)) if !metric.better(range_filter, radius) => {
                return Err(Error::EmptyRange { metric, radius, range_filter });
            }
            _ => {}
        }
        let bm25 = Bm25 {
            k1: params::float(params, "bm25_k1")?.unwrap_or(BM25.k1),
            b: params::float(params, "bm25_b")?.unwrap_or(BM25.b),
            average: params::float(params, "bm25_avgdl")?.unwrap_or(BM25.average),
        };
        Ok(Self { k, metric, radius, range_filter, values, bm25, element_bytes: element_bytes(params)? })
    }

    /// Whether a score lies in the range asked for.
    #[inline]
    pub(crate) fn admits(&self, score: f32) -> bool {
        self.radius.is_none_or(|radius| self.metric.better(score, radius)) && self.reaches(score)
    }

    /// Whether a score is not too good for the range.
    #[inline]
    pub(crate) fn reaches(&self, score: f32) -> bool {
        self.range_filter.is_none_or(|filter| !self.metric.better(score, filter))
    }

    /// How many candidates are measured on the rows themselves to find the best `k`. At least as many as make up for
    /// codes of a byte an element, which swap only rows that are nearly equally near.
    pub(crate) fn depth(&self) -> usize {
        let enough = self.judged();
        // Inside a range the last rows count as much as the first.
        let enough = if self.radius.is_some() { enough.saturating_mul(4) } else { enough };
        let refined = self.k as f64 * f64::from(self.real("refine_k"));
        enough.max(refined.ceil() as usize).max(self.value("reorder_k"))
    }

    /// Of how many of the nearest it is asked whether they are still changing.
    pub(crate) fn judged(&self) -> usize {
        self.k.saturating_add((self.k / 2).max(8))
    }

    /// How many candidates a search of a graph keeps; 0 where it is no graph.
    pub fn effort(&self) -> usize {
        self.value("ef").max(self.value("search_list"))
    }

    /// The search parameter `name` of the kind, or 0.
    pub(crate) fn value(&self, name: &str) -> usize {
        match self.values.iter().find(|(key, _)| *key == name) {
            Some((_, Value::Whole(value))) => usize::try_from(*value).unwrap_or(0),
            _ => 0,
        }
    }

    /// Gives the name `value` to the parameter `name` unless the search itself says something.
    pub(super) fn inherit(&mut self, name: &str, value: &'static str) {
        for (_, held) in self.values.iter_mut().filter(|(key, _)| *key == name) {
            if *held == Value::Name("INHERIT") {
                *held = Value::Name(value);
            }
        }
    }

    /// Bytes of an element of a MinHash signature.
    pub(crate) fn element_bytes(&self) -> usize {
        self.element_bytes
    }

    /// The constants of BM25.
    pub(crate) fn bm25(&self) -> Bm25 {
        self.bm25
    }

    /// The search parameter `name` of the kind, or nothing.
    pub(crate) fn name(&self, name: &str) -> &'static str {
        match self.values.iter().find(|(key, _)| *key == name) {
            Some((_, Value::Name(value))) => value,
            _ => "",
        }
    }

    /// The search parameter `name` of the kind, or 0.
    pub(crate) fn real(&self, name: &str) -> f32 {
        match self.values.iter().find(|(key, _)| *key == name) {
            Some((_, Value::Real(value))) => *value,
            _ => 0.0,
        }
    }
}
