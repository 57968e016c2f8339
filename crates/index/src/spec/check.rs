//! What is to be built, checked. Invariant: element, metric and every number fit the kind's row of the table.

use simd::Half;

use super::former::{self, Instead};
use super::level::{self, LEVEL};
use super::param::{Default, Phase, Value};
use super::table::{AUTOINDEX, Codec, Kind, Row, Shape, TABLE, UNINDEXED, auto};
use super::{Query, params};
use crate::codec::Recipe;
use crate::outline::Outline;
use crate::{BuildBytes, Element, Error, Metric, Vectors};

/// Links of a node of which there are blocks at most.
const BLOCK_LINKS_MAX: usize = 32;
/// Elements of a row of which there are blocks at least.
const BLOCK_DIM_MIN: usize = 64;
/// Elements of a row of which FLAT keeps the outline at least.
const OUTLINE_DIM_MIN: usize = 64;
/// Elements of a row of which lists have the signs at least; of which some images have them; and elements of a part that is too long for these.
const SIGNS_DIM_MIN: usize = 128;
const SIGNS_DIM_FORMER: usize = 64;
const PARTS_LONG: usize = 4;

/// A valid specification of an index.
#[derive(Debug, Clone)]
pub struct Spec {
    asked: Kind,
    row: &'static Row,
    codec: Codec,
    element: Element,
    dim: usize,
    metric: Metric,
    values: Vec<(&'static str, Value)>,
    /// The name that was asked for, where another kind stands for it.
    instead: Option<Instead>,
}

impl Spec {
    /// Reads `index_type`, `metric_type` and the kind's own build parameters; other names are ignored. Without a
    /// type it is AUTOINDEX, which alone has a default metric.
    ///
    /// # Errors
    /// Everything that is wrong with the parameters: see [`Error`].
    pub fn parse(element: Element, dim: usize, params: &[(String, String)]) -> Result<Self, Error> {
        if dim == 0 && element != Element::Sparse || (element == Element::Bits && !dim.is_multiple_of(8)) {
            return Err(Error::Dimension { dim, element });
        }
        let name = params::text(params, "index_type").unwrap_or(AUTOINDEX);
        if name == AUTOINDEX {
            return Self::automatic(element, dim, params);
        }
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            let (instead, params) = former::instead(name, params)?;
            let spec = Self::parse(element, dim, &params)?;
            return Ok(Self { instead: Some(instead), ..spec });
        };
        let metric = metric(row, element, params::text(params, "metric_type"))?.ok_or(Error::MetricNotSet)?;
        let mut values = Vec::new();
        for param in row.params.iter().filter(|param| param.phase == Phase::Build) {
            match (params::value(params, param)?, param.default) {
                (Some(value), _) | (None, Default::Value(value)) => values.push((param.name, value)),
                (None, Default::AtLeastK(least)) => values.push((param.name, Value::Whole(least))),
                (None, Default::Required) => return Err(Error::Missing { name: param.name }),
                (None, Default::Absent) => {}
            }
        }
        let spec = Self {
            asked: row.kind,
            row,
            codec: fit(row, element)?.0,
            element,
            dim,
            metric,
            values,
            instead: None,
        };
        if spec.row.shape == Shape::Hash {
            let (elements, bands) = (dim / spec.value("mh_element_bit_width"), spec.value("mh_lsh_band"));
            if elements == 0 || !elements.is_multiple_of(bands) {
                return Err(Error::NotDivisible { dim: elements, name: "mh_lsh_band", value: bands });
            }
        }
        for name in ["m", "sub_dim"] {
            let parts = spec.value(name);
            if parts > 0 && !dim.is_multiple_of(parts) {
                return Err(Error::NotDivisible { dim, name, value: parts });
            }
        }
        Ok(spec)
    }

    /// What a search may ask of rows that have no index: a scan, exact, with the metric `metric_type` or the one that
    /// suits the element.
    ///
    /// # Errors
    /// [`Error::MetricNotSupported`].
    pub fn unindexed(element: Element, dim: usize, metric_type: Option<&str>) -> Result<Self, Error> {
        let row = &UNINDEXED;
        let (codec, metrics) = fit(row, element)?;
        let default = match element {
            Element::F32 | Element::F16 | Element::Bf16 | Element::I8 => Metric::Cosine,
            Element::Bits => Metric::Hamming,
            Element::Sparse => Metric::Ip,
        };
        debug_assert!(metrics.contains(&default));
        let metric = metric(row, element, metric_type)?.unwrap_or(default);
        Ok(Self { asked: Kind::Flat, row, codec, element, dim, metric, values: Vec::new(), instead: None })
    }

    fn automatic(element: Element, dim: usize, params: &[(String, String)]) -> Result<Self, Error> {
        let mut build = TABLE.iter().flat_map(|row| row.params).filter(|param| param.phase == Phase::Build);
        if let Some(param) = build.find(|param| params::text(params, param.name).is_some()) {
            return Err(Error::AutoIndexParameter { name: param.name });
        }
        let is_signature =
            params::text(params, "metric_type").and_then(Metric::named) == Some(Metric::MinHashJaccard);
        let (row, values, default) = auto(element, is_signature);
        let metric = metric(row, element, params::text(params, "metric_type"))?.unwrap_or(default);
        let codec = fit(row, element)?.0;
        let mut values: Vec<_> = values.iter().map(|(name, value)| (*name, Value::Whole(*value))).collect();
        for param in row.params.iter().filter(|param| param.phase == Phase::Build) {
            match param.default {
                Default::Value(value) if values.iter().all(|(name, _)| *name != param.name) => {
                    values.push((param.name, value));
                }
                _ => {}
            }
        }
        Ok(Self { asked: Kind::AutoIndex, row, codec, element, dim, metric, values, instead: None })
    }

    /// The kind that was asked for.
    pub fn kind(&self) -> Kind {
        self.asked
    }

    /// The name of the kind that was asked for.
    pub fn index_type(&self) -> &'static str {
        match &self.instead {
            Some(instead) => instead.name,
            None if self.asked == Kind::AutoIndex => AUTOINDEX,
            None => self.row.name,
        }
    }

    /// How near two vectors are.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// What the vectors are made of.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Elements in a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// What is really built: type, metric and every build parameter, with AUTOINDEX resolved.
    pub fn effective(&self) -> Vec<(String, String)> {
        let mut effective = vec![
            ("index_type".to_owned(), self.row.name.to_owned()),
            ("metric_type".to_owned(), self.metric.name().to_owned()),
        ];
        for (name, value) in &self.values {
            let value = match (*name, *value) {
                (name, _) if name.starts_with("bm25") && self.metric != Metric::Bm25 => continue,
                (name, _) if name.starts_with("mh_") && self.metric != Metric::MinHashJaccard => continue,
                ("inverted_index_algo", Value::Name(algorithm)) if algorithm != "TAAT_NAIVE" => {
                    // Sums in windows for products; see docs/decisions/0202.
                    if self.metric == Metric::Ip { "SINDI" } else { "BLOCK_MAX_MAXSCORE" }.to_owned()
                }
                (_, value) => value.to_string(),
            };
            effective.push(((*name).to_owned(), value));
        }
        if let Some(instead) = &self.instead {
            effective.push(("instead_of".to_owned(), instead.name.to_owned()));
        }
        effective
    }

    /// Checks the parameters of a search for `k` rows: those of the kind, `radius`, `range_filter`, and
    /// `metric_type` if it is given. Other names are ignored.
    ///
    /// # Errors
    /// Everything that is wrong with the parameters: see [`Error`].
    pub fn query(&self, k: usize, params: &[(String, String)]) -> Result<Query, Error> {
        let renamed = self.instead.as_ref().map(|instead| instead.search(k, params));
        let params = renamed.as_deref().unwrap_or(params);
        // What was said of BM25 and of signatures when the index was made holds for searches that do not say otherwise.
        let own = ["bm25_k1", "bm25_b", "bm25_avgdl", "mh_element_bit_width"];
        let own = own.iter().filter_map(|name| Some(((*name).to_owned(), self.find(name)?.to_string())));
        let mut all: Vec<(String, String)> = own.chain(params.iter().cloned()).collect();
        all.extend(self.level_effort(k, params)?);
        let mut query = Query::parse(self.row, self.metric, k, &all)?;
        if self.name("inverted_index_algo") == "TAAT_NAIVE" {
            query.inherit("search_algo", "TAAT_NAIVE");
        }
        Ok(query)
    }

    /// What the level of a search comes to where AUTOINDEX was asked for, unless the search itself says what its level stands for.
    fn level_effort(&self, k: usize, params: &[(String, String)]) -> Result<Option<(String, String)>, Error> {
        if self.asked != Kind::AutoIndex {
            return Ok(None);
        }
        let Some(Value::Whole(level)) = params::value(params, &LEVEL)? else { return Ok(None) };
        let effort = level::effort(self.row.kind, usize::try_from(level).unwrap_or(1), k);
        let unsaid = effort.filter(|(name, _)| params::text(params, name).is_none());
        Ok(unsaid.map(|(name, effort)| (name.to_owned(), effort.to_string())))
    }

    pub(crate) fn shape(&self) -> Shape {
        self.row.shape
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    pub(crate) fn built_name(&self) -> &'static str {
        self.row.name
    }

    /// Whether every row is in two lists.
    pub(crate) fn is_spilled(&self) -> bool {
        self.codec == Codec::Parts
    }

    /// Whether rows have a coarse code in lists and a finer one beside them. Longer parts are asked for to save memory, and
    /// of short rows a bit an element says little.
    pub(crate) fn is_coded_twice(&self) -> bool {
        self.may_be_coded_twice() && self.dim >= SIGNS_DIM_MIN
    }

    /// Whether an image may have two codes of each row: of shorter rows, too, there were two once.
    pub(crate) fn may_be_coded_twice(&self) -> bool {
        self.is_spilled() && self.value("sub_dim") < PARTS_LONG && self.dim >= SIGNS_DIM_FORMER
    }

    /// Whether rows have one code where images may have two: more of them are measured instead.
    pub(crate) fn is_measured_deeply(&self) -> bool {
        self.may_be_coded_twice() && !self.is_coded_twice()
    }

    /// Codes of parts of a row, for products.
    fn parts(&self) -> Recipe {
        let parts = self.dim / self.value("sub_dim");
        Recipe::Product { parts, bits: 4, rounds: 1, shaped: true }
    }

    /// How rows are coded, where it is neither as they are nor a byte an element.
    pub(crate) fn recipe(&self) -> Option<Recipe> {
        self.recipe_of(self.is_coded_twice())
    }

    /// The same in an image that has two codes of each row, or one.
    pub(crate) fn recipe_of(&self, is_coded_twice: bool) -> Option<Recipe> {
        let turned = |bits| Recipe::Scalar { bits, turned: true };
        Some(match self.codec {
            Codec::Raw | Codec::Byte => return None,
            Codec::Scalar => match self.name("sq_type") {
                "FP16" => Recipe::Half(Half::F16),
                "BF16" => Recipe::Half(Half::Bf16),
                "SQ4" | "SQ4U" => Recipe::Scalar { bits: 4, turned: false },
                "SQ6" => Recipe::Scalar { bits: 6, turned: false },
                _ => Recipe::Scalar { bits: 8, turned: false },
            },
            Codec::Rabitq => turned(self.value("rbq_bits").max(1)),
            Codec::Product => {
                let rounds = self.value("nrq").max(1);
                Recipe::Product { parts: self.value("m"), bits: self.value("nbits"), rounds, shaped: false }
            }
            Codec::Parts if is_coded_twice => turned(1),
            Codec::Parts => self.parts(),
            Codec::Budget => turned(self.code_bits()),
        })
    }

    /// For a graph: links that a node chooses, of which it may come to have twice as many, and among how many.
    pub(crate) fn degree(&self) -> (usize, usize) {
        match self.codec {
            Codec::Budget => ((self.value("max_degree") / 2).max(1), self.value("search_list_size")),
            _ => (self.value("M"), self.value("efConstruction")),
        }
    }

    /// For a graph on disk: whether codes lie beside the numbers of neighbours, not in memory.
    pub(crate) fn has_inline_codes(&self) -> bool {
        self.row.kind == Kind::Aisaq
    }

    /// For a graph on disk: of how many neighbours a node has the codes, if that is said.
    pub(crate) fn inline_codes(&self) -> Option<usize> {
        Some(self.value("inline_pq")).filter(|count| *count > 0)
    }

    /// For a graph on disk: bits of a code, an element, that are budgeted for.
    pub(crate) fn code_bits(&self) -> usize {
        match self.find("pq_code_budget_gb_ratio") {
            Some(Value::Real(ratio)) => (32.0 * ratio).clamp(1.0, 8.0) as usize,
            _ => 1,
        }
    }

    /// For a graph on disk: whether nodes that are near each other share blocks.
    pub(crate) fn is_rearranged(&self) -> bool {
        self.find("rearrange") != Some(Value::Flag(false))
    }

    /// For a graph on disk: memory for links, as a share of that of the rows.
    pub(crate) fn cache_share(&self) -> f64 {
        match self.find("search_cache_budget_gb_ratio") {
            Some(Value::Real(share)) => share.into(),
            _ => 0.0,
        }
    }

    /// Bytes that building an index of `vectors` takes by so many threads. For sparse rows it looks at all of them.
    pub fn build_bytes(&self, vectors: Vectors<'_>, threads: usize) -> BuildBytes {
        BuildBytes::of(self, vectors, threads)
    }

    /// The section of an image that may stay on a disk, to be read in pages while searching: see [`crate::Index::open_paged`].
    pub fn paged_section(&self) -> Option<&'static str> {
        (self.row.shape == Shape::Disk).then_some(crate::disk::NODES)
    }

    /// For a graph: how many neighbours a node keeps a bit an element of, beside their numbers; 0 for none. A graph of
    /// more links than a block of moderate size has room for, or of rows too short for such bits to say much, has none.
    pub(crate) fn block_width(&self) -> usize {
        let (m, _) = self.degree();
        let suits = self.row.shape == Shape::Graph && self.codec == Codec::Byte && self.dim >= BLOCK_DIM_MIN;
        if suits && 2 * m <= BLOCK_LINKS_MAX { (2 * m).next_multiple_of(simd::FAN) } else { 0 }
    }

    /// Whether lists hold bytes in two planes.
    pub(crate) fn is_planed(&self) -> bool {
        let bytes = Recipe::Scalar { bits: 8, turned: false };
        self.row.shape == Shape::Ivf && (self.codec == Codec::Byte || self.recipe() == Some(bytes))
    }

    /// Whether a scan of all rows goes by their outline. Of short rows it would be as large as the rows are.
    pub(crate) fn is_outlined(&self) -> bool {
        self.row.shape == Shape::Flat && Outline::fits(self.element) && self.dim >= OUTLINE_DIM_MIN
    }

    /// Whether a scan of all rows goes by their folds, if they are thin.
    pub(crate) fn is_folded(&self) -> bool {
        self.row.shape == Shape::Flat && matches!(self.metric, Metric::Hamming | Metric::Jaccard)
    }

    fn find(&self, name: &str) -> Option<Value> {
        self.values.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The build parameter `name` of the kind, or 0.
    pub(crate) fn value(&self, name: &str) -> usize {
        match self.find(name) {
            Some(Value::Whole(value)) => usize::try_from(value).unwrap_or(0),
            _ => 0,
        }
    }

    fn name(&self, name: &str) -> &'static str {
        match self.find(name) {
            Some(Value::Name(value)) => value,
            _ => "",
        }
    }
}

fn fit(row: &'static Row, element: Element) -> Result<(Codec, &'static [Metric]), Error> {
    let fit = row.fits.iter().find(|(fits, ..)| *fits == element);
    fit.map(|(_, codec, metrics)| (*codec, *metrics))
        .ok_or(Error::ElementNotSupported { index_type: row.name, element })
}

fn metric(row: &'static Row, element: Element, name: Option<&str>) -> Result<Option<Metric>, Error> {
    let (_, supported) = fit(row, element)?;
    let Some(name) = name else { return Ok(None) };
    match Metric::named(name).filter(|metric| supported.contains(metric)) {
        Some(metric) => Ok(Some(metric)),
        None => Err(Error::MetricNotSupported { name: name.into(), supported }),
    }
}
