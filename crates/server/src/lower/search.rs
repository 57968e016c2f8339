//! Nearest neighbours.

use super::{Call, ok, output, read_time, zone};
use crate::status::Fault;
use engine::api::{Found, Queries, Search};
use wire::params::{Params, Twice, find, flatten, take, take_bool, take_number};
use wire::proto::milvus as pb;
use wire::proto::milvus::search_request::SearchInput;

/// Requests with more bytes of vectors than this are decoded where waiting is allowed.
const QUICK_BYTES_MAX: usize = 256 << 10;

/// Parameters that say how to search but not to the index; Milvus ignores those that do not apply.
const IGNORED: [&str; 16] = [
    "iterator",
    "search_iter_v2",
    "search_iter_batch_size",
    "search_iter_last_bound",
    "search_iter_id",
    "collection_id",
    "guarantee_timestamp",
    "reduce_stop_for_best",
    "hints",
    "json_path",
    "json_type",
    "strict_cast",
    "time_fields",
    "group_size",
    "strict_group_size",
    "rank_group_scorer",
];

/// Parameters that change the answer and that this server does not do yet.
const UNSUPPORTED: [&str; 3] = ["group_by_field", "order_by_fields", "analyzer_name"];

/// A search that is understood.
#[derive(Debug)]
pub(crate) struct Plan {
    search: Search,
    collection: String,
    /// In which moments are to be written; empty = the collection's own.
    timezone: Option<String>,
}

/// Whether only decoding it may take long.
pub(crate) fn is_large(request: &pb::SearchRequest) -> bool {
    match &request.search_input {
        Some(SearchInput::PlaceholderGroup(group)) => group.len() > QUICK_BYTES_MAX,
        Some(SearchInput::Ids(_)) | None => false,
    }
}

/// Whether to search on the thread that read the request.
pub(crate) fn is_quick(call: &Call, plan: &Plan) -> bool {
    call.engine().is_quick(&plan.search)
}

/// Understands a request.
pub(crate) fn plan(call: &Call, request: pb::SearchRequest) -> Result<Plan, Fault> {
    refuse_extras(&request)?;
    let queries = match request.search_input {
        Some(SearchInput::PlaceholderGroup(group)) => Queries::Vectors(wire::vectors::decode(group)?),
        Some(SearchInput::Ids(ids)) => {
            let keys =
                wire::hits::keys(ids).ok_or_else(|| Fault::invalid("the ids to search by cannot be read"))?;
            Queries::Keys(keys)
        }
        None => return Err(Fault::invalid("the search has no vectors")),
    };
    let mut params = flatten(request.search_params, Twice::OuterWins)?;
    let timezone = take(&mut params, "timezone");
    let limit = limit(&mut params)?;
    refuse_unsupported(&params)?;
    let search = Search {
        target: call.target(request.db_name, request.collection_name.clone()),
        partitions: request.partition_names,
        queries,
        field: take(&mut params, "anns_field").unwrap_or_default(),
        limit,
        offset: take_number(&mut params, "offset")?.unwrap_or(0),
        metric: take(&mut params, "metric_type").unwrap_or_default(),
        filter: request.dsl,
        templates: wire::templates::decode(request.expr_template_values),
        output: request.output_fields,
        round_decimal: take_number(&mut params, "round_decimal")?.unwrap_or(-1),
        ignore_growing: take_bool(&mut params, "ignore_growing")?.unwrap_or(false),
        time: read_time(request.guarantee_timestamp, request.travel_timestamp),
        params: rest(params),
    };
    Ok(Plan { search, collection: request.collection_name, timezone })
}

fn limit(params: &mut Params) -> Result<usize, Fault> {
    let limit = take_number(params, "limit")?;
    match take_number(params, "topk")?.or(limit) {
        Some(limit) => Ok(limit),
        None => Err(Fault::new(
            wire::Code::ParameterMissing,
            "topk not found in search_params: missing parameter[missing_param=topk]",
        )),
    }
}

/// What the index is to see.
fn rest(mut params: Params) -> Params {
    params.retain(|(key, _)| !IGNORED.contains(&key.as_str()));
    params
}

fn refuse_unsupported(params: &Params) -> Result<(), Fault> {
    match UNSUPPORTED.iter().find(|key| find(params, key).is_some_and(|value| !value.is_empty())) {
        Some(key) => Err(Fault::unsupported(format_args!("search parameter {key}"))),
        None => Ok(()),
    }
}

fn refuse_extras(request: &pb::SearchRequest) -> Result<(), Fault> {
    let extra = if !request.sub_reqs.is_empty() {
        "a search of several vectors"
    } else if request.function_score.is_some() || !request.function_chains.is_empty() {
        "reranking"
    } else if request.search_aggregation.is_some() {
        "search aggregation"
    } else if request.highlighter.is_some() {
        "highlighting"
    } else {
        return Ok(());
    };
    Err(Fault::unsupported(extra))
}

/// Does it.
pub(crate) fn run(call: &Call, plan: Plan) -> Result<pb::SearchResults, Fault> {
    let zone = zone(call, plan.search.target.clone(), plan.timezone)?;
    let found = call.engine().search(plan.search)?;
    Ok(reply(found, plan.collection, &zone))
}

fn reply(found: Found, collection_name: String, zone: &data::Zone) -> pb::SearchResults {
    let (fields, output) = output(&found.fields, zone);
    let hits = wire::hits::Hits {
        queries: found.queries,
        limit: found.limit,
        counts: &found.counts,
        keys: &found.keys,
        scores: found.scores,
        primary: found.primary,
        fields,
        output,
    };
    pb::SearchResults {
        status: ok(),
        results: Some(hits.encode()),
        collection_name,
        session_ts: found.timestamp.0,
    }
}
