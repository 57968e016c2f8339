//! Partitions: make, drop, list, count.

use super::{Call, collection, done, ok};
use crate::status::Fault;
use data::CollectionId;
use engine::api::{self, Change, CollectionInfo, LoadState, RowCount, Target};
use wire::Code;
use wire::proto::common::Status;
use wire::proto::milvus as pb;

pub(crate) fn create(call: &Call, request: pb::CreatePartitionRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    done(call.engine().change(Change::CreatePartition { target, partition: request.partition_name }))
}

pub(crate) fn drop(call: &Call, request: pb::DropPartitionRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    done(call.engine().change(Change::DropPartition { target, partition: request.partition_name }))
}

fn look(call: &Call, target: Target, id: Option<CollectionId>) -> Result<CollectionInfo, Fault> {
    Ok(call.engine().describe(api::Collection { target, id })?)
}

pub(crate) fn has(call: &Call, request: pb::HasPartitionRequest) -> Result<pb::BoolResponse, Fault> {
    let info = look(call, call.target(request.db_name, request.collection_name), None)?;
    let value = info.partitions.iter().any(|partition| partition.name == request.partition_name);
    Ok(pb::BoolResponse { status: ok(), value })
}

#[expect(deprecated, reason = "pymilvus 2.0 and 2.1 wait for a load by these")]
pub(crate) fn show(
    call: &Call,
    request: pb::ShowPartitionsRequest,
) -> Result<pb::ShowPartitionsResponse, Fault> {
    let only_loaded = request.r#type == i32::from(pb::ShowType::InMemory);
    let by_id = request.collection_name.is_empty() && request.collection_id != 0;
    let id = by_id.then_some(CollectionId(request.collection_id));
    let info = look(call, call.target(request.db_name, request.collection_name), id)?;
    let wanted = &request.partition_names;
    for name in wanted {
        let found = info.partitions.iter().find(|partition| partition.name == *name);
        let (code, text) = match found {
            None => (Code::PartitionNotFound, "partition not found"),
            Some(partition) if only_loaded && partition.load.state == LoadState::NotLoaded => {
                (Code::PartitionNotLoaded, "partition not loaded")
            }
            Some(_) => continue,
        };
        return Err(Fault::new(code, format!("{text}[partition={name}]")));
    }
    let mut reply = pb::ShowPartitionsResponse { status: ok(), ..pb::ShowPartitionsResponse::default() };
    for partition in info.partitions {
        let is_loaded = matches!(partition.load.state, LoadState::Loaded | LoadState::Loading);
        if (only_loaded && !is_loaded) || !(wanted.is_empty() || wanted.contains(&partition.name)) {
            continue;
        }
        reply.partition_i_ds.push(partition.id.0);
        reply.created_timestamps.push(partition.created_at.0);
        reply.created_utc_timestamps.push(partition.created_at.ms());
        if only_loaded {
            reply.in_memory_percentages.push(partition.load.percent.into());
        }
        reply.partition_names.push(partition.name);
    }
    Ok(reply)
}

pub(crate) fn statistics(
    call: &Call,
    request: pb::GetPartitionStatisticsRequest,
) -> Result<pb::GetPartitionStatisticsResponse, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let rows = call.engine().describe(RowCount { target, partition: Some(request.partition_name) })?;
    let stats = vec![wire::params::pair(collection::ROW_COUNT, rows.to_string())];
    Ok(pb::GetPartitionStatisticsResponse { status: ok(), stats })
}
