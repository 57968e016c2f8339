//! Load and release, and how far they are.

use super::{Call, NODE_ID, RESOURCE_GROUP, collection, done, ok};
use crate::status::Fault;
use data::CollectionId;
use engine::api::{self, Load, LoadInfo, LoadState, Loaded, Release, Target};
use wire::Code;
use wire::proto::common::{self, Status};
use wire::proto::milvus as pb;

fn load(call: &Call, target: Target, partitions: Vec<String>, replicas: i32) -> Result<Status, Fault> {
    if replicas > 1 {
        let reason = format!(
            "{replicas} replicas need as many nodes and there is one: {}",
            Code::ResourceGroupNodeNotEnough.text()
        );
        return Err(Fault::new(Code::ResourceGroupNodeNotEnough, reason));
    }
    done(call.engine().run(Load { target, partitions }))
}

pub(crate) fn collection(call: &Call, request: pb::LoadCollectionRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    load(call, target, Vec::new(), request.replica_number)
}

pub(crate) fn partitions(call: &Call, request: pb::LoadPartitionsRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let partitions = named(request.partition_names)?;
    load(call, target, partitions, request.replica_number)
}

/// For the engine no partition means all of them; for these calls it is a mistake.
fn named(partitions: Vec<String>) -> Result<Vec<String>, Fault> {
    if partitions.is_empty() {
        return Err(Fault::invalid("due to no partition specified"));
    }
    Ok(partitions)
}

pub(crate) fn release_collection(
    call: &Call,
    request: pb::ReleaseCollectionRequest,
) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    done(call.engine().run(Release { target, partitions: Vec::new() }))
}

pub(crate) fn release_partitions(
    call: &Call,
    request: pb::ReleasePartitionsRequest,
) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    done(call.engine().run(Release { target, partitions: named(request.partition_names)? }))
}

fn look(call: &Call, target: &Target, partitions: &[String]) -> Result<LoadInfo, Fault> {
    let question = Loaded { target: target.clone(), partitions: partitions.to_vec() };
    Ok(call.engine().describe(question)?)
}

pub(crate) fn progress(
    call: &Call,
    request: pb::GetLoadingProgressRequest,
) -> Result<pb::GetLoadingProgressResponse, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let name = target.collection.clone();
    let info = look(call, &target, &request.partition_names)?;
    match info.state {
        LoadState::NotExist if request.partition_names.is_empty() => {
            // The engine words what is missing.
            call.engine().describe(api::Collection { target, id: None })?;
            Err(Fault::new(Code::CollectionNotFound, format!("collection not found[collection={name}]")))
        }
        LoadState::NotExist => {
            let names = request.partition_names.join(",");
            Err(Fault::new(Code::PartitionNotFound, format!("partition not found[partition={names}]")))
        }
        LoadState::NotLoaded if request.partition_names.is_empty() => {
            Err(Fault::new(Code::CollectionNotLoaded, format!("collection not loaded[collection={name}]")))
        }
        LoadState::NotLoaded => {
            let names = request.partition_names.join(",");
            Err(Fault::new(Code::PartitionNotLoaded, format!("partition not loaded[partition={names}]")))
        }
        LoadState::Loading | LoadState::Loaded => {
            let progress = info.percent.into();
            Ok(pb::GetLoadingProgressResponse { status: ok(), progress, refresh_progress: progress })
        }
    }
}

pub(crate) fn state(
    call: &Call,
    request: pb::GetLoadStateRequest,
) -> Result<pb::GetLoadStateResponse, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let state = match look(call, &target, &request.partition_names)?.state {
        LoadState::NotExist => common::LoadState::NotExist,
        LoadState::NotLoaded => common::LoadState::NotLoad,
        LoadState::Loading => common::LoadState::Loading,
        LoadState::Loaded => common::LoadState::Loaded,
    };
    Ok(pb::GetLoadStateResponse { status: ok(), state: state.into() })
}

pub(crate) fn replicas(
    call: &Call,
    request: pb::GetReplicasRequest,
) -> Result<pb::GetReplicasResponse, Fault> {
    let id = (request.collection_name.is_empty()).then_some(CollectionId(request.collection_id));
    let target = call.target(request.db_name, request.collection_name);
    let info = call.engine().describe(api::Collection { target, id })?;
    let mut reply = pb::GetReplicasResponse { status: ok(), replicas: Vec::new() };
    if info.load.state == LoadState::NotLoaded {
        return Ok(reply);
    }
    reply.replicas.push(pb::ReplicaInfo {
        replica_id: info.id.0,
        collection_id: info.id.0,
        partition_ids: info.partitions.iter().map(|partition| partition.id.0).collect(),
        shard_replicas: vec![pb::ShardReplica {
            leader_id: NODE_ID,
            leader_addr: call.node.address.to_string(),
            dm_channel_name: collection::channel(info.id),
            node_ids: vec![NODE_ID],
        }],
        node_ids: vec![NODE_ID],
        resource_group_name: RESOURCE_GROUP.to_owned(),
        ..pb::ReplicaInfo::default()
    });
    Ok(reply)
}
