//! Results as messages: keys, scores and fields of rows.

use crate::proto::schema::i_ds::IdField;
use crate::proto::schema::{AggBucket, FieldData, IDs, LongArray, SearchIteratorV2Results, SearchResultData};
use data::{Keys, Values};

/// Keys as a message.
pub fn ids(keys: &Keys) -> IDs {
    let id_field = match (keys.ints(), keys.column().values()) {
        (Some(ints), _) => IdField::IntId(LongArray { data: ints.to_vec() }),
        (None, Values::Text(texts)) => IdField::StrId(texts.iter().collect()),
        (None, _) => return IDs::default(),
    };
    IDs { id_field: Some(id_field) }
}

/// Keys out of a message; `None` when it holds none, or a kind that is no primary key here.
pub fn keys(ids: IDs) -> Option<Keys> {
    let column = match ids.id_field? {
        IdField::IntId(ints) => data::Column::from_ints(ints.data),
        IdField::StrId(texts) => {
            let (offsets, bytes) = texts.into_parts();
            let texts = data::VarLen::new(offsets.into(), bytes.into()).ok()?;
            data::Column::new(Values::Text(texts), None).ok()?
        }
        IdField::UuidId(_) => return None,
    };
    Keys::new(column)
}

/// The hits of a search, all queries one after the other.
#[derive(Debug)]
pub struct Hits<'a> {
    /// How many queries.
    pub queries: usize,
    /// The limit that was asked for.
    pub limit: usize,
    /// Hits of each query.
    pub counts: &'a [usize],
    /// Keys of all hits.
    pub keys: &'a Keys,
    /// Scores of all hits.
    pub scores: Vec<f32>,
    /// The name of the primary key.
    pub primary: String,
    /// The fields that were asked for.
    pub fields: Vec<FieldData>,
    /// The names that were asked for, keys of the dynamic field among them.
    pub output: Vec<String>,
    /// What the hits were grouped by, field by field, a value a hit.
    pub groups: Vec<FieldData>,
    /// Buckets in place of hits, and how many each query has.
    pub buckets: Option<(Vec<AggBucket>, Vec<i64>)>,
    /// Which struct of its row's array each hit is.
    pub elements: Option<Vec<u32>>,
    /// The batch of an iteration that they are.
    pub iteration: Option<Batch>,
}

/// How an iteration goes on.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What the client sends back with the next request; not empty.
    pub token: String,
    /// The score after which it goes on.
    pub bound: Option<f32>,
}

impl Hits<'_> {
    /// The message.
    pub fn encode(self) -> SearchResultData {
        // The hits of buckets stand in the buckets only.
        let has_hits = self.buckets.is_none();
        let (agg_buckets, agg_topks) = self.buckets.unwrap_or_default();
        // Old clients know of one field only.
        let group = match &self.groups[..] {
            [one] => Some(one.clone()),
            _ => None,
        };
        SearchResultData {
            num_queries: self.queries as i64,
            top_k: self.limit as i64,
            topks: self.counts.iter().map(|count| *count as i64).collect(),
            ids: has_hits.then(|| ids(self.keys)),
            scores: if has_hits { self.scores } else { Vec::new() },
            fields_data: if has_hits { self.fields } else { Vec::new() },
            output_fields: self.output,
            primary_field_name: self.primary,
            group_by_field_values: self.groups,
            group_by_field_value: group,
            agg_buckets,
            agg_topks,
            element_indices: self
                .elements
                .map(|elements| LongArray { data: elements.into_iter().map(i64::from).collect() }),
            search_iterator_v2_results: self.iteration.map(|batch| SearchIteratorV2Results {
                token: batch.token,
                last_bound: batch.bound.unwrap_or_default(),
            }),
            ..SearchResultData::default()
        }
    }
}
