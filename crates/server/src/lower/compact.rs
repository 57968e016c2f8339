//! Compaction: small segments into larger ones.

use super::{Call, ok};
use crate::status::Fault;
use data::CollectionId;
use engine::api::{Compact, Compacted, CompactionState};
use wire::proto::common;
use wire::proto::milvus as pb;

pub(crate) fn start(
    call: &Call,
    request: pb::ManualCompactionRequest,
) -> Result<pb::ManualCompactionResponse, Fault> {
    let by_id = request.collection_name.is_empty();
    let compaction_id = call.engine().run(Compact {
        id: by_id.then_some(CollectionId(request.collection_id)),
        target: call.target(request.db_name, request.collection_name),
    })?;
    Ok(pb::ManualCompactionResponse { status: ok(), compaction_id, compaction_plan_count: 1 })
}

fn state_of(state: CompactionState) -> i32 {
    match state {
        CompactionState::Executing => common::CompactionState::Executing,
        CompactionState::Completed => common::CompactionState::Completed,
    }
    .into()
}

pub(crate) fn state(
    call: &Call,
    request: pb::GetCompactionStateRequest,
) -> Result<pb::GetCompactionStateResponse, Fault> {
    let info = call.engine().run(Compacted(request.compaction_id))?;
    Ok(pb::GetCompactionStateResponse {
        status: ok(),
        state: state_of(info.state),
        executing_plan_no: info.executing,
        timeout_plan_no: 0,
        completed_plan_no: info.completed,
        failed_plan_no: info.failed,
    })
}

pub(crate) fn plans(
    call: &Call,
    request: pb::GetCompactionPlansRequest,
) -> Result<pb::GetCompactionPlansResponse, Fault> {
    let info = call.engine().run(Compacted(request.compaction_id))?;
    let merge = |(sources, target): (Vec<data::SegmentId>, data::SegmentId)| pb::CompactionMergeInfo {
        sources: sources.into_iter().map(|segment| segment.0).collect(),
        target: target.0,
        ..pb::CompactionMergeInfo::default()
    };
    let merge_infos = info.plans.into_iter().map(merge).collect();
    Ok(pb::GetCompactionPlansResponse { status: ok(), state: state_of(info.state), merge_infos })
}
