//! Nearest neighbours.

use super::moments::{Moments, Wish};
use super::{Call, buckets, iteration_time, orders, output, read_time, scope};
use crate::status::Fault;
use data::Type;
use engine::api::{Explained, Found, Group, Iteration, Queries, Search};
use wire::params::{Params, Twice, find, flatten, take, take_bool, take_number};
use wire::proto::common::Status;
use wire::proto::milvus as pb;
use wire::proto::milvus::search_request::SearchInput;

/// The most rows of one batch of an iteration.
const BATCH_MAX: usize = 16_384;
/// Requests with more bytes of vectors than this are decoded where waiting is allowed.
const QUICK_BYTES_MAX: usize = 256 << 10;

/// Parameters that say how to search but not to the index; Milvus ignores those that do not apply.
const IGNORED: [&str; 9] = [
    "iterator",
    "collection_id",
    "guarantee_timestamp",
    "reduce_stop_for_best",
    "hints",
    "json_path",
    "json_type",
    "strict_cast",
    "rank_group_scorer",
];

/// Parameters that change the answer and that this server does not do yet.
const UNSUPPORTED: [&str; 1] = ["analyzer_name"];

/// A search that is understood.
#[derive(Debug)]
pub(crate) struct Plan {
    search: Search,
    collection: String,
    moments: Wish,
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
    let collection = request.collection_name.clone();
    let (guarantee, travel) = (request.guarantee_timestamp, request.travel_timestamp);
    let Lowered { search, is_iteration, moments } = lower(call, request)?;
    let time = if is_iteration { iteration_time(guarantee) } else { read_time(guarantee, travel) };
    Ok(Plan { search: Search { time, ..search }, collection, moments })
}

/// A request but for its time.
pub(super) struct Lowered {
    pub(super) search: Search,
    /// Whether it is part of an iteration.
    is_iteration: bool,
    moments: Wish,
}

/// Understands all of a request but its time.
pub(super) fn lower(call: &Call, request: pb::SearchRequest) -> Result<Lowered, Fault> {
    refuse_extras(&request)?;
    let queries = match request.search_input {
        Some(SearchInput::PlaceholderGroup(group)) => match wire::vectors::decode(group)? {
            lists if lists.data_type() == Type::Array => Queries::Lists(lists),
            vectors => Queries::Vectors(vectors),
        },
        Some(SearchInput::Ids(ids)) => {
            let keys =
                wire::hits::keys(ids).ok_or_else(|| Fault::invalid("the ids to search by cannot be read"))?;
            Queries::Keys(keys)
        }
        None => return Err(Fault::invalid("the search has no vectors")),
    };
    let mut params = flatten(request.search_params, Twice::OuterWins)?;
    let moments = Wish::take(&mut params)?;
    refuse_unsupported(&params)?;
    let is_iteration = find(&params, "iterator").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let iteration = iteration(&mut params)?;
    let buckets = request.search_aggregation.map(buckets::wanted).transpose()?;
    let limit = match (iteration, &buckets) {
        (Some((_, batch)), _) => batch,
        // The buckets say how many they are.
        (None, Some(_)) => limit(&mut params).map_or(1, |limit| limit.clamp(1, BATCH_MAX)),
        (None, None) => limit(&mut params)?,
    };
    let search = Search {
        partitions: request.partition_names,
        field: take(&mut params, "anns_field").unwrap_or_default(),
        offset: take_number(&mut params, "offset")?.unwrap_or(0),
        metric: take(&mut params, "metric_type").unwrap_or_default(),
        filter: request.dsl,
        templates: wire::templates::decode(request.expr_template_values),
        output: request.output_fields,
        round_decimal: take_number(&mut params, "round_decimal")?.unwrap_or(-1),
        ignore_growing: take_bool(&mut params, "ignore_growing")?.unwrap_or(false),
        group: group(&mut params)?,
        buckets,
        order: orders(&take(&mut params, "order_by_fields").unwrap_or_default())?,
        iteration: iteration.map(|(iteration, _)| iteration),
        collapse: scope::take_collapse(&mut params)?,
        explain: take_bool(&mut params, "explain")?.unwrap_or(false),
        params: rest(params),
        zone: moments.zone.clone(),
        ..Search::new(call.target(request.db_name, request.collection_name), queries, limit)
    };
    Ok(Lowered { search, is_iteration, moments })
}

/// The batch of an iteration (version 2) and its size, when the request is for one.
fn iteration(params: &mut Params) -> Result<Option<(Iteration, usize)>, Fault> {
    let is_wanted = take_bool(params, "search_iter_v2")?.unwrap_or(false);
    let after = take_number(params, "search_iter_last_bound")?;
    let batch: Option<i64> = take_number(params, "search_iter_batch_size")?;
    take(params, "search_iter_id");
    if !is_wanted {
        return Ok(None);
    }
    take(params, "topk");
    take(params, "limit");
    let batch = batch.unwrap_or(0);
    match usize::try_from(batch) {
        Ok(size @ 1..=BATCH_MAX) => Ok(Some((Iteration { after }, size))),
        _ => Err(Fault::invalid(format_args!(
            "batch size is invalid, it should be in range [1, {BATCH_MAX}], but got {batch}"
        ))),
    }
}

pub(super) fn group(params: &mut Params) -> Result<Option<Group>, Fault> {
    let field = take(params, "group_by_field").unwrap_or_default();
    let several = take(params, "group_by_fields").unwrap_or_default();
    let fields = std::iter::once(field.as_str()).chain(several.split(','));
    let fields: Vec<String> =
        fields.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let size: Option<i64> = take_number(params, "group_size")?;
    let is_strict = take_bool(params, "strict_group_size")?.unwrap_or(false);
    if fields.is_empty() {
        return Ok(None);
    }
    let size = size.unwrap_or(1);
    let size = usize::try_from(size).map_err(|_| {
        Fault::invalid(format_args!("input group size:{size} is negative, failed to do search_groupby"))
    })?;
    Ok(Some(Group { fields, size, is_strict }))
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
    } else if request.highlighter.is_some() {
        "highlighting"
    } else {
        return Ok(());
    };
    Err(Fault::unsupported(extra))
}

/// Does it.
pub(crate) fn run(call: &Call, plan: Plan) -> Result<pb::SearchResults, Fault> {
    let moments = plan.moments.resolve(call, plan.search.target.clone())?;
    let after = plan.search.iteration.map(|iteration| iteration.after);
    let mut found = call.engine().search(plan.search)?;
    if let Some(after) = after {
        // A batch without rows leaves the bound where it was.
        found.bound = found.bound.or(after);
    }
    Ok(reply(found, plan.collection, &moments, after.is_some()))
}

/// Says in a reply what the planner did: JSON, a list of segments, under `trace`.
fn with_trace(mut status: Status, explained: &[Explained]) -> Status {
    if !explained.is_empty() {
        let segments = explained.iter().map(|one| {
            let mut told = serde_json::json!({
                "segment": one.segment.0, "rows": one.rows, "matching": one.matching, "way": one.way,
            });
            if let Some(costs) = one.costs {
                told["costs"] = serde_json::json!({
                    "row_ns": costs.row_ns, "node_ns": costs.node_ns, "list_ns": costs.list_ns, "begin_ns": costs.begin_ns, "block_ns": costs.block_ns, "few_ns": costs.few_ns,
                    "measured": costs.is_measured,
                });
            }
            if let Some(reads) = one.reads {
                told["reads"] = serde_json::json!({
                    "queries": reads.queries, "reads": reads.reads, "pages": reads.pages, "rounds": reads.rounds,
                    "failures": reads.failures,
                });
            }
            told
        });
        let trace = serde_json::Value::Array(segments.collect());
        status.extra_info.insert("trace".to_owned(), trace.to_string());
    }
    status
}

/// The reply to a search, or to several ranked together.
pub(super) fn reply(
    found: Found,
    collection_name: String,
    moments: &Moments,
    is_iteration: bool,
) -> pb::SearchResults {
    let zone = &moments.zone;
    let (fields, output) = output(&found.fields, moments);
    // The server keeps nothing of an iteration: the client brings the bound back, and the moment.
    let iteration = is_iteration
        .then(|| wire::hits::Batch { token: format!("{:032x}", found.timestamp.0), bound: found.bound });
    let groups =
        found.groups.iter().map(|group| wire::columns::encode(&group.field, &group.column, zone)).collect();
    let buckets = buckets::told(&found, zone);
    let hits = wire::hits::Hits {
        queries: found.queries,
        limit: found.limit,
        counts: &found.counts,
        keys: &found.keys,
        scores: found.scores,
        primary: found.primary,
        fields,
        output,
        groups,
        buckets,
        elements: found.elements,
        iteration,
    };
    pb::SearchResults {
        status: Some(with_trace(wire::success(), &found.explained)),
        results: Some(hits.encode()),
        collection_name,
        session_ts: found.timestamp.0,
    }
}
