//! Several searches ranked together.

use super::moments::Wish;
use super::{Call, read_time, search};
use crate::status::Fault;
use engine::api::{GroupScore, Hybrid, Rank, Search};
use wire::params::{Params, Twice, flatten, take, take_bool, take_number};
use wire::proto::milvus as pb;
use wire::proto::schema::{FunctionSchema, FunctionType};

/// Does it.
pub(crate) fn hybrid(call: &Call, request: pb::HybridSearchRequest) -> Result<pb::SearchResults, Fault> {
    let mut params = flatten(request.rank_params, Twice::OuterWins)?;
    if !request.function_chains.is_empty() {
        return Err(Fault::invalid("function_chains is not supported for hybrid search yet"));
    }
    let rank = match request.function_score {
        Some(score) => of_functions(score.functions)?,
        None => rank(take(&mut params, "strategy").as_deref(), &mut params)?,
    };
    let searches = request.requests.into_iter().map(|one| search::lower(call, one).map(|one| one.search));
    let limit: Option<usize> = take_number(&mut params, "limit")?;
    let moments = Wish::take(&mut params)?;
    let hybrid = Hybrid {
        target: call.target(request.db_name, request.collection_name.clone()),
        partitions: request.partition_names,
        searches: searches.collect::<Result<Vec<Search>, Fault>>()?,
        rank,
        limit: limit.ok_or_else(|| Fault::invalid("limit not found in rank_params: invalid parameter"))?,
        offset: take_number(&mut params, "offset")?.unwrap_or(0),
        output: request.output_fields,
        round_decimal: take_number(&mut params, "round_decimal")?.unwrap_or(-1),
        ignore_growing: take_bool(&mut params, "ignore_growing")?.unwrap_or(false),
        group: search::group(&mut params)?,
        group_score: group_score(take(&mut params, "rank_group_scorer").as_deref())?,
        zone: moments.zone.clone(),
        time: read_time(request.guarantee_timestamp, request.travel_timestamp),
    };
    let moments = moments.resolve(call, hybrid.target.clone())?;
    let found = call.engine().search(hybrid)?;
    Ok(search::reply(found, request.collection_name, &moments, false))
}

/// How groups are scored.
fn group_score(name: Option<&str>) -> Result<GroupScore, Fault> {
    match name.unwrap_or("max").to_ascii_lowercase().as_str() {
        "max" => Ok(GroupScore::Max),
        "sum" => Ok(GroupScore::Sum),
        "avg" => Ok(GroupScore::Avg),
        other => Err(Fault::invalid(format_args!(
            "input group scorer type: {other} is not supported, use max, sum or avg"
        ))),
    }
}

/// The ranker called `name`; reciprocal rank fusion when there is no name.
fn rank(name: Option<&str>, params: &mut Params) -> Result<Rank, Fault> {
    match name.unwrap_or("rrf").to_ascii_lowercase().as_str() {
        "rrf" => Ok(Rank::Rrf { k: take_number(params, "k")?.unwrap_or(60.0) }),
        "weighted" => {
            let text = take(params, "weights").unwrap_or_default();
            let weights = serde_json::from_str(&text).map_err(|_| {
                Fault::invalid(format_args!("weights should be a list of numbers in JSON, but got {text:?}"))
            })?;
            let is_normalised = take_bool(params, "norm_score")?.unwrap_or(false);
            Ok(Rank::Weighted { weights, is_normalised })
        }
        other => Err(Fault::invalid(format_args!("unsupported rank type {other}, use rrf or weighted"))),
    }
}

/// The ranker among the functions of a function score.
fn of_functions(functions: Vec<FunctionSchema>) -> Result<Rank, Fault> {
    let [function] = <[FunctionSchema; 1]>::try_from(functions).map_err(|all| {
        Fault::invalid(format_args!("one rerank function is supported, but got {}", all.len()))
    })?;
    if function.r#type() != FunctionType::Rerank {
        return Err(Fault::invalid(format_args!("function {} is no rerank function", function.name)));
    }
    let mut params = flatten(function.params, Twice::OuterWins)?;
    match take(&mut params, "reranker") {
        Some(name) if ["rrf", "weighted"].contains(&name.to_ascii_lowercase().as_str()) => {
            rank(Some(&name), &mut params)
        }
        Some(name) => Err(Fault::unsupported(format_args!("reranker {name} in a hybrid search"))),
        None => Err(Fault::invalid("reranker name not specified")),
    }
}
