//! Nearest neighbours.

use super::{Bucket, Buckets, Properties, Target};
use crate::{Engine, Error, find};
use data::{Column, Field, Keys, SegmentId, Timestamp, Value, Zone};
pub use index::{Costs, Reads};
use std::collections::BTreeMap;

/// At which moment to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadTime {
    /// The read must see every write up to here; it waits if it has to. Zero: every acknowledged write. (All levels
    /// of consistency read the same on one node, where every acknowledged write is visible.)
    pub guarantee: Timestamp,
    /// Time travel: read as of this earlier moment, which must lie within the retention; zero = now.
    pub travel: Timestamp,
    /// Whether later reads will come back to this moment: merges keep it readable for a while.
    pub hold: bool,
}

/// What to look for.
#[derive(Debug, Clone)]
pub enum Queries {
    /// Vectors to be near to: one column of the searched field's type.
    Vectors(Column),
    /// Lists of vectors to be near to: one column of arrays of the searched field's kind. A list whose vectors have one
    /// component (bits: eight) is a list of the components of vectors of the field's dimension.
    Lists(Column),
    /// Rows, by their keys, to be near to.
    Keys(Keys),
}

/// By what to sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The name of a field, or of an aggregate that was asked for.
    pub field: String,
    /// Largest first. Absent values stand last when rising and first when falling.
    pub is_falling: bool,
}

/// Hits shared out to groups by the values of fields; the limit of a search then counts groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The fields, one or more: of whole numbers, truth values, moments or texts; or a place in a JSON field, `field["a"]["b"]`, or a
    /// key of the dynamic field.
    pub fields: Vec<String>,
    /// The most hits a group.
    pub size: usize,
    /// Whether to go on until each group has `size` hits, or has no more.
    pub is_strict: bool,
}

/// The next batch of an iteration over all rows by nearness. Rows of equal score are never split over two batches, so a
/// batch may be shorter than the limit while there are more, or longer when that many are equally near.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration {
    /// The score of the last row given out ([`Found::bound`]); `None` = from the start.
    pub after: Option<f32>,
}

/// A search.
#[derive(Debug, Clone)]
pub struct Search {
    /// In which collection.
    pub target: Target,
    /// In which partitions; empty = in all.
    pub partitions: Vec<String>,
    /// Near to what.
    pub queries: Queries,
    /// In which vector field; empty = in the only one.
    pub field: String,
    /// How many rows a query.
    pub limit: usize,
    /// How many of the nearest to leave out.
    pub offset: usize,
    /// The metric the client believes in; empty = the index's. Must equal the index's.
    pub metric: String,
    /// `nprobe`, `ef`, `radius`, `range_filter` and the like, flat.
    pub params: Properties,
    /// Which rows; empty = all.
    pub filter: String,
    /// Values for `{names}` in the filter.
    pub templates: BTreeMap<String, Value>,
    /// Fields to give back: names, keys of the dynamic field, `*`.
    pub output: Vec<String>,
    /// Digits after the point of scores; -1 = all.
    pub round_decimal: i32,
    /// Leave out rows that are still in memory.
    pub ignore_growing: bool,
    /// Hits in groups.
    pub group: Option<Group>,
    /// Hits in buckets in place of a list; `limit` does not count then.
    pub buckets: Option<Buckets>,
    /// Sorts the hits of each query by fields in place of nearness.
    pub order: Vec<Order>,
    /// One batch of an iteration.
    pub iteration: Option<Iteration>,
    /// In a hybrid search of rows: what score a row gets whose structs this search finds; `None`: that of the best.
    pub collapse: Option<Collapse>,
    /// Whether to tell what the planner did ([`Found::explained`]).
    pub explain: bool,
    /// The time zone of moments that the filter names without an offset; `None` = the collection's.
    pub zone: Option<Zone>,
    /// At which moment.
    pub time: ReadTime,
}

impl Search {
    /// The `limit` rows nearest to each query, of all rows, by the only vector field and its index.
    pub fn new(target: Target, queries: Queries, limit: usize) -> Self {
        Self {
            target,
            partitions: Vec::new(),
            queries,
            field: String::new(),
            limit,
            offset: 0,
            metric: String::new(),
            params: Properties::new(),
            filter: String::new(),
            templates: BTreeMap::new(),
            output: Vec::new(),
            round_decimal: -1,
            ignore_growing: false,
            group: None,
            buckets: None,
            order: Vec::new(),
            iteration: None,
            collapse: None,
            explain: false,
            zone: None,
            time: ReadTime::default(),
        }
    }
}

/// What the scores of structs that were found make of their row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collapse {
    /// The best of them.
    Best,
    /// The sum of the best so many, or of all. For metrics by which larger is nearer.
    Sum(Option<usize>),
    /// The mean of the best so many, or of all.
    Mean(Option<usize>),
}

/// Several searches of one collection whose hits are ranked together.
#[derive(Debug, Clone)]
pub struct Hybrid {
    /// In which collection.
    pub target: Target,
    /// In which partitions; empty = in all.
    pub partitions: Vec<String>,
    /// The searches: queries, field, limit, params and filter of each count; there must be as many queries in each.
    pub searches: Vec<Search>,
    /// How to rank.
    pub rank: Rank,
    /// How many rows a query.
    pub limit: usize,
    /// How many of the best to leave out.
    pub offset: usize,
    /// Fields to give back.
    pub output: Vec<String>,
    /// Digits after the point of scores; -1 = all.
    pub round_decimal: i32,
    /// Leave out rows that are still in memory.
    pub ignore_growing: bool,
    /// Hits in groups.
    pub group: Option<Group>,
    /// By what groups are ordered.
    pub group_score: GroupScore,
    /// The time zone of moments that the filter names without an offset; `None` = the collection's.
    pub zone: Option<Zone>,
    /// At which moment.
    pub time: ReadTime,
}

/// What the scores of a group's hits make, by which groups are ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GroupScore {
    /// The best of them.
    #[default]
    Max,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
}

/// How hits of several searches become one list.
#[derive(Debug, Clone, PartialEq)]
pub enum Rank {
    /// Reciprocal rank fusion (Cormack et al., SIGIR 2009): the sum of `1 / (k + rank)`, ranks counted from 1.
    Rrf {
        /// How much the first ranks stand out less.
        k: f64,
    },
    /// The weighted sum of scores.
    Weighted {
        /// One weight a search, 0 to 1.
        weights: Vec<f64>,
        /// Whether scores are first brought to 0 to 1, larger being nearer.
        is_normalised: bool,
    },
}

impl Default for Rank {
    fn default() -> Self {
        Self::Rrf { k: 60.0 }
    }
}

/// One field of the rows given back.
#[derive(Debug, Clone)]
pub struct OutputField {
    /// The field. For keys of the dynamic field it is `$meta` with the whole JSON object of a row.
    pub field: Field,
    /// The values, row after row.
    pub column: Column,
    /// For the dynamic field: the keys the user asked for; empty = the whole object.
    pub dynamic_keys: Vec<String>,
}

/// A way to look for nearest neighbours.
pub trait Seek {
    /// Does it. Call [`Engine::search`].
    ///
    /// # Errors
    /// As [`Engine::search`].
    fn seek(self, engine: &Engine) -> Result<Found, Error>;
}

impl Seek for Search {
    fn seek(self, engine: &Engine) -> Result<Found, Error> {
        find::search(engine.node(), self)
    }
}

impl Seek for Hybrid {
    fn seek(self, engine: &Engine) -> Result<Found, Error> {
        find::hybrid(engine.node(), self)
    }
}

/// What the planner did in one segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Which segment.
    pub segment: SegmentId,
    /// Rows it has.
    pub rows: usize,
    /// Rows that are visible and pass the filter: the exact count, which the choice rests on.
    pub matching: usize,
    /// How the rows are searched.
    pub way: &'static str,
    /// With a filter, and where there is a choice between walking along a graph and scanning codes: by which costs it was made.
    pub costs: Option<Costs>,
    /// What searches of an index on disk have read since it was opened.
    pub reads: Option<Reads>,
}

/// What a search found: the hits of all queries, one after the other, best first.
#[derive(Debug, Clone)]
pub struct Found {
    /// How many queries.
    pub queries: usize,
    /// The limit that was asked for.
    pub limit: usize,
    /// Hits of each query.
    pub counts: Vec<usize>,
    /// Keys of all hits.
    pub keys: Keys,
    /// Scores of all hits: the metric's own value (squared distance for L2).
    pub scores: Vec<f32>,
    /// The name of the primary key.
    pub primary: String,
    /// The fields asked for, each with a value a hit.
    pub fields: Vec<OutputField>,
    /// The values each hit's group has in common, field by field, when groups were asked for.
    pub groups: Vec<OutputField>,
    /// Buckets of each query, when buckets were asked for. Keys, scores and fields are then those of the hits that
    /// buckets name, and `counts` are zero.
    pub buckets: Option<Vec<Vec<Bucket>>>,
    /// The struct that each hit is, by its place in the row's array, when single vectors of structs were searched.
    pub elements: Option<Vec<u32>>,
    /// The score after which the next batch of an iteration goes on; `None`: there were no hits.
    pub bound: Option<f32>,
    /// What the planner did, a line a segment, when that was asked for.
    pub explained: Vec<Explained>,
    /// The moment that was read.
    pub timestamp: Timestamp,
}
