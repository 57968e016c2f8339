//! Flush: rows in memory into files, and whether they are there.

use super::{Call, ok, signed};
use crate::status::Fault;
use data::{SegmentId, Timestamp};
use engine::api::{Flush, FlushAll, FlushState};
use wire::proto::milvus as pb;
use wire::proto::milvus::flush_response::{CollSegIDsEntry, FlushCollSegIDsEntry};
use wire::proto::schema::LongArray;

fn numbers(segments: &[SegmentId]) -> LongArray {
    LongArray { data: segments.iter().map(|segment| segment.0).collect() }
}

pub(crate) fn collections(call: &Call, request: pb::FlushRequest) -> Result<pb::FlushResponse, Fault> {
    let database = call.database(request.db_name);
    let target = |name: String| call.target(database.clone(), name);
    let targets = request.collection_names.into_iter().map(target).collect();
    let mut reply =
        pb::FlushResponse { status: ok(), db_name: database.clone(), ..pb::FlushResponse::default() };
    for flushed in call.engine().run(Flush { targets })? {
        let name = flushed.target.collection;
        let (new, earlier) = (numbers(&flushed.segments), numbers(&flushed.earlier));
        reply.coll_seg_i_ds.push(CollSegIDsEntry { key: name.clone(), value: Some(new) });
        reply.flush_coll_seg_i_ds.push(FlushCollSegIDsEntry { key: name.clone(), value: Some(earlier) });
        reply.coll_seal_times.insert(name.clone(), signed(flushed.timestamp.ms() / 1_000));
        reply.coll_flush_ts.insert(name, flushed.timestamp.0);
    }
    Ok(reply)
}

#[expect(deprecated, reason = "the stamp that clients wait for")]
pub(crate) fn all(call: &Call, _: pb::FlushAllRequest) -> Result<pb::FlushAllResponse, Fault> {
    let timestamp = call.engine().run(FlushAll)?;
    Ok(pb::FlushAllResponse { status: ok(), flush_all_ts: timestamp.0, ..pb::FlushAllResponse::default() })
}

pub(crate) fn state(
    call: &Call,
    request: pb::GetFlushStateRequest,
) -> Result<pb::GetFlushStateResponse, Fault> {
    let named = !request.collection_name.is_empty();
    let flushed = call.engine().run(FlushState {
        target: named.then(|| call.target(request.db_name, request.collection_name)),
        segments: request.segment_i_ds.into_iter().map(SegmentId).collect(),
        timestamp: Timestamp(request.flush_ts),
    })?;
    Ok(pb::GetFlushStateResponse { status: ok(), flushed })
}

#[expect(deprecated, reason = "the stamp that clients wait for")]
pub(crate) fn all_state(
    call: &Call,
    request: pb::GetFlushAllStateRequest,
) -> Result<pb::GetFlushAllStateResponse, Fault> {
    let timestamp = Timestamp(request.flush_all_ts);
    let flushed = call.engine().run(FlushState { target: None, segments: Vec::new(), timestamp })?;
    Ok(pb::GetFlushAllStateResponse { status: ok(), flushed, ..pb::GetFlushAllStateResponse::default() })
}
