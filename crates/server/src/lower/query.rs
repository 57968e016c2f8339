//! Rows by what they say.

use super::moments::{Moments, Wish};
use super::{Call, iteration_time, ok, orders, output, read_time, signed};
use crate::status::Fault;
use data::{Column, Field, Key, Type};
use engine::api::{OutputField, Queried, Query};
use wire::params::{Params, decode, find, take, take_bool, take_number};
use wire::proto::milvus as pb;
use wire::proto::schema::LongArray;

/// What a count is called, in requests and in replies.
const COUNT: &str = "count(*)";

/// A query that is understood.
#[derive(Debug)]
pub(crate) struct Plan {
    query: Query,
    collection: String,
    moments: Wish,
}

/// Understands a request.
pub(crate) fn plan(call: &Call, request: pb::QueryRequest) -> Result<Plan, Fault> {
    let mut params = decode(request.query_params);
    let moments = Wish::take(&mut params)?;
    let group_by = find(&params, "group_by_fields").unwrap_or_default();
    let group_by = group_by.split(',').map(str::trim).filter(|name| !name.is_empty());
    let group_by = group_by.map(str::to_owned).collect();
    let order = orders(find(&params, "order_by_fields").unwrap_or_default())?;
    let is_iteration = take_bool(&mut params, "iterator")?.unwrap_or(false);
    let limit: Option<i64> = take_number(&mut params, "limit")?;
    let query = Query {
        target: call.target(request.db_name, request.collection_name.clone()),
        partitions: request.partition_names,
        keys: None,
        filter: request.expr,
        templates: wire::templates::decode(request.expr_template_values),
        output: request.output_fields,
        // Clients write -1 for no limit.
        limit: limit.filter(|limit| *limit != -1).map(non_negative).transpose()?,
        offset: take_number(&mut params, "offset")?.unwrap_or(0),
        ignore_growing: take_bool(&mut params, "ignore_growing")?.unwrap_or(false),
        group_by,
        order,
        zone: moments.zone.clone(),
        after: last_struct(&mut params)?,
        time: if is_iteration {
            iteration_time(request.guarantee_timestamp)
        } else {
            read_time(request.guarantee_timestamp, request.travel_timestamp)
        },
    };
    Ok(Plan { query, collection: request.collection_name, moments })
}

/// The struct with which the last batch of an iteration ended.
fn last_struct(params: &mut Params) -> Result<Option<(Key, u32)>, Fault> {
    let element: Option<u32> = take_number(params, "query_iter_last_element_offset")?;
    let key = take(params, "query_iter_last_pk");
    let (Some(element), Some(key)) = (element, key) else { return Ok(None) };
    Ok(Some((key.parse().map_or(Key::Text(key), Key::Int), element)))
}

fn non_negative(limit: i64) -> Result<usize, Fault> {
    usize::try_from(limit)
        .map_err(|_| Fault::invalid(format_args!("limit [{limit}] is invalid, it should be positive")))
}

/// Whether to query on the thread that read the request.
pub(crate) fn is_quick(call: &Call, plan: &Plan) -> bool {
    call.engine().is_quick_query(&plan.query)
}

/// Does it.
pub(crate) fn run(call: &Call, plan: Plan) -> Result<pb::QueryResults, Fault> {
    let moments = plan.moments.resolve(call, plan.query.target.clone())?;
    let queried = call.engine().query(plan.query)?;
    Ok(reply(queried, plan.collection, &moments))
}

fn structs(elements: Vec<u32>) -> pb::ElementIndices {
    let data = elements.into_iter().map(i64::from).collect();
    pb::ElementIndices { indices: Some(LongArray { data }) }
}

fn reply(queried: Queried, collection_name: String, moments: &Moments) -> pb::QueryResults {
    let count = queried.count.map(|count| OutputField {
        field: Field::new(COUNT, Type::Int64),
        column: Column::from_ints(vec![signed(count)]),
        dynamic_keys: Vec::new(),
    });
    let (fields_data, output_fields) = match count {
        Some(count) => output(&[count], moments),
        None => output(&queried.fields, moments),
    };
    pb::QueryResults {
        status: ok(),
        fields_data,
        collection_name,
        output_fields,
        session_ts: queried.timestamp.0,
        primary_field_name: queried.primary,
        element_indices: queried.elements.unwrap_or_default().into_iter().map(structs).collect(),
    }
}
