//! Segments as tools list them: what is in files, and what answers reads.

use super::{Call, NODE_ID, collection, ok, signed};
use crate::status::Fault;
use engine::api::{SegmentInfo, SegmentState, Segments};
use wire::proto::common::{self, SegmentLevel};
use wire::proto::milvus as pb;

pub(crate) fn persistent(
    call: &Call,
    request: pb::GetPersistentSegmentInfoRequest,
) -> Result<pb::GetPersistentSegmentInfoResponse, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let segments = call.engine().describe(Segments { target })?;
    let wanted = &request.states;
    let state = i32::from(common::SegmentState::Flushed);
    let describe = |info: SegmentInfo| pb::PersistentSegmentInfo {
        segment_id: info.id.0,
        collection_id: info.collection.0,
        partition_id: info.partition.0,
        num_rows: signed(info.rows),
        state,
        level: SegmentLevel::L1.into(),
        // Rows of a file are in order; benchmark tools wait for this.
        is_sorted: true,
        insert_channel: collection::channel(info.collection),
        ..pb::PersistentSegmentInfo::default()
    };
    let sealed = segments.into_iter().filter(|info| info.state == SegmentState::Sealed);
    let infos = if wanted.is_empty() || wanted.contains(&state) {
        sealed.map(describe).collect()
    } else {
        Vec::new()
    };
    Ok(pb::GetPersistentSegmentInfoResponse { status: ok(), infos })
}

#[expect(deprecated, reason = "older clients read the one node from its own field")]
pub(crate) fn serving(
    call: &Call,
    request: pb::GetQuerySegmentInfoRequest,
) -> Result<pb::GetQuerySegmentInfoResponse, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let segments = call.engine().describe(Segments { target })?;
    let describe = |info: SegmentInfo| {
        let (index_id, index_name) =
            info.indexes.into_iter().next().map(|(id, name)| (id.0, name)).unwrap_or_default();
        pb::QuerySegmentInfo {
            segment_id: info.id.0,
            collection_id: info.collection.0,
            partition_id: info.partition.0,
            mem_size: signed(info.bytes),
            num_rows: signed(info.rows),
            index_name,
            index_id,
            node_id: NODE_ID,
            state: match info.state {
                SegmentState::Growing => common::SegmentState::Growing,
                SegmentState::Sealed => common::SegmentState::Sealed,
            }
            .into(),
            node_ids: vec![NODE_ID],
            level: SegmentLevel::L1.into(),
            is_sorted: info.state == SegmentState::Sealed,
            ..pb::QuerySegmentInfo::default()
        }
    };
    let infos = segments.into_iter().filter(|info| info.is_loaded).map(describe).collect();
    Ok(pb::GetQuerySegmentInfoResponse { status: ok(), infos })
}
