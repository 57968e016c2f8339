//! Indexes: make, alter, drop, and how far they are built.

use super::{Call, done, ok, pairs, properties, signed};
use crate::status::Fault;
use engine::api::{Change, CreateIndex, IndexInfo, IndexState, Indexes};
use wire::params::{Twice, flatten};
use wire::proto::common::{self, Status};
use wire::proto::milvus as pb;

/// What clients before 2.2 call an index they gave no name.
const NAMELESS: &str = "_default_idx";

pub(crate) fn create(call: &Call, request: pb::CreateIndexRequest) -> Result<Status, Fault> {
    let echo = properties(request.extra_params.clone());
    done(call.engine().change(Change::CreateIndex(CreateIndex {
        target: call.target(request.db_name, request.collection_name),
        field: request.field_name,
        name: request.index_name,
        params: flatten(request.extra_params, Twice::Refuse)?,
        echo,
    })))
}

pub(crate) fn alter(call: &Call, request: pb::AlterIndexRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let (set, delete) = (properties(request.extra_params), request.delete_keys);
    done(call.engine().change(Change::AlterIndex { target, index: request.index_name, set, delete }))
}

/// The name a client really means: none, when it says what old clients say for none.
fn meant(name: String) -> String {
    if name == NAMELESS { String::new() } else { name }
}

pub(crate) fn drop(call: &Call, request: pb::DropIndexRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let index = if request.field_name.is_empty() { request.index_name } else { meant(request.index_name) };
    done(call.engine().change(Change::DropIndex { target, index, field: request.field_name }))
}

fn look(
    call: &Call,
    database: String,
    collection: String,
    field: String,
    index: String,
) -> Result<Vec<IndexInfo>, Fault> {
    let target = call.target(database, collection);
    Ok(call.engine().describe(Indexes { target, field, index: meant(index) })?)
}

fn descriptions(indexes: &[IndexInfo]) -> Vec<pb::IndexDescription> {
    let describe = |info: &IndexInfo| pb::IndexDescription {
        index_name: info.name.clone(),
        index_id: info.id.0,
        params: pairs(if info.echo.is_empty() { &info.params } else { &info.echo }),
        field_name: info.field.clone(),
        indexed_rows: signed(info.indexed_rows),
        total_rows: signed(info.total_rows),
        pending_index_rows: signed(info.pending_rows),
        state: state_of(info).into(),
        index_state_fail_reason: failure(info),
        ..pb::IndexDescription::default()
    };
    indexes.iter().map(describe).collect()
}

fn state_of(info: &IndexInfo) -> common::IndexState {
    match info.state {
        IndexState::InProgress => common::IndexState::InProgress,
        IndexState::Finished => common::IndexState::Finished,
        IndexState::Failed => common::IndexState::Failed,
    }
}

/// Why it failed; empty when it did not.
fn failure(info: &IndexInfo) -> String {
    if info.state == IndexState::Failed { info.reason.clone() } else { String::new() }
}

pub(crate) fn describe(
    call: &Call,
    request: pb::DescribeIndexRequest,
) -> Result<pb::DescribeIndexResponse, Fault> {
    let indexes =
        look(call, request.db_name, request.collection_name, request.field_name, request.index_name)?;
    Ok(pb::DescribeIndexResponse { status: ok(), index_descriptions: descriptions(&indexes) })
}

pub(crate) fn statistics(
    call: &Call,
    request: pb::GetIndexStatisticsRequest,
) -> Result<pb::GetIndexStatisticsResponse, Fault> {
    let indexes = look(call, request.db_name, request.collection_name, String::new(), request.index_name)?;
    Ok(pb::GetIndexStatisticsResponse { status: ok(), index_descriptions: descriptions(&indexes) })
}

pub(crate) fn state(
    call: &Call,
    request: pb::GetIndexStateRequest,
) -> Result<pb::GetIndexStateResponse, Fault> {
    let indexes =
        look(call, request.db_name, request.collection_name, request.field_name, request.index_name)?;
    let with = |state| indexes.iter().find(|info| info.state == state);
    // One failed index decides; else one that is not done.
    let decisive = with(IndexState::Failed).or(with(IndexState::InProgress)).or(indexes.first());
    Ok(pb::GetIndexStateResponse {
        status: ok(),
        state: decisive.map_or(common::IndexState::None, state_of).into(),
        fail_reason: decisive.map(failure).unwrap_or_default(),
    })
}

pub(crate) fn progress(
    call: &Call,
    request: pb::GetIndexBuildProgressRequest,
) -> Result<pb::GetIndexBuildProgressResponse, Fault> {
    let indexes =
        look(call, request.db_name, request.collection_name, request.field_name, request.index_name)?;
    Ok(pb::GetIndexBuildProgressResponse {
        status: ok(),
        indexed_rows: signed(indexes.iter().map(|info| info.indexed_rows).sum::<u64>()),
        total_rows: signed(indexes.iter().map(|info| info.total_rows).sum::<u64>()),
    })
}
