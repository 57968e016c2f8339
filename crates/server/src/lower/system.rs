//! The node itself: who it is, how it is, what time it is. And calls that Milvus itself only refuses.

use super::{Call, NODE_ID, Node, RESOURCE_GROUP, ok};
use crate::MILVUS_VERSION;
use crate::status::Fault;
use engine::api::{Databases, NodeInfo, System};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use wire::Code;
use wire::proto::common::{self, Status};
use wire::proto::milvus as pb;

const DEPLOY_MODE: &str = "STANDALONE";
const OWN_NAME: &str = "elanus";
const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn connect(call: &Call, _: pb::ConnectRequest) -> Result<pb::ConnectResponse, Fault> {
    // A connection to a database that is not there is refused at once, not at its first use.
    let database = call.database(String::new());
    if !database.is_empty() && call.engine().describe(Databases)?.iter().all(|info| info.name != database) {
        let reason = format!("database not found[database={database}]");
        return Err(Fault::new(Code::DatabaseNotFound, reason));
    }
    let settings = &call.node.settings;
    let server_info = common::ServerInfo {
        build_tags: MILVUS_VERSION.to_owned(),
        build_time: settings.built.clone(),
        git_commit: settings.commit.clone(),
        go_version: format!("{OWN_NAME} {OWN_VERSION}"),
        deploy_mode: DEPLOY_MODE.to_owned(),
        reserved: [(OWN_NAME.to_owned(), OWN_VERSION.to_owned())].into(),
    };
    let identifier = call.node.clients.fetch_add(1, Ordering::Relaxed);
    Ok(pb::ConnectResponse { status: ok(), server_info: Some(server_info), identifier })
}

pub(crate) fn version(_: &Call, _: pb::GetVersionRequest) -> Result<pb::GetVersionResponse, Fault> {
    Ok(pb::GetVersionResponse { status: ok(), version: MILVUS_VERSION.to_owned() })
}

/// What is wrong with the node; nothing = healthy.
pub(crate) fn troubles(node: &Node) -> Vec<String> {
    match node.engine.describe(System) {
        Ok(info) => info.troubles,
        Err(error) => vec![error.to_string()],
    }
}

pub(crate) fn health(call: &Call, _: pb::CheckHealthRequest) -> Result<pb::CheckHealthResponse, Fault> {
    let reasons = troubles(&call.node);
    let is_healthy = reasons.is_empty();
    Ok(pb::CheckHealthResponse { status: ok(), is_healthy, reasons, quota_states: Vec::new() })
}

pub(crate) fn timestamp(
    call: &Call,
    _: pb::AllocTimestampRequest,
) -> Result<pb::AllocTimestampResponse, Fault> {
    Ok(pb::AllocTimestampResponse { status: ok(), timestamp: call.engine().timestamp().0 })
}

pub(crate) fn components(
    call: &Call,
    _: pb::GetComponentStatesRequest,
) -> Result<pb::ComponentStates, Fault> {
    let healthy = troubles(&call.node).is_empty();
    let code = if healthy { common::StateCode::Healthy } else { common::StateCode::Abnormal };
    let state = pb::ComponentInfo {
        node_id: NODE_ID,
        role: "standalone".to_owned(),
        state_code: code.into(),
        extra_info: Vec::new(),
    };
    Ok(pb::ComponentStates { state: Some(state), subcomponent_states: Vec::new(), status: ok() })
}

pub(crate) fn metrics(call: &Call, request: pb::GetMetricsRequest) -> Result<pb::GetMetricsResponse, Fault> {
    let asked: Value = serde_json::from_str(&request.request)
        .map_err(|error| Fault::invalid(format_args!("the metrics request is no JSON: {error}")))?;
    let kind = asked.get("metric_type").and_then(Value::as_str).unwrap_or_default();
    if kind != "system_info" {
        let reason = format!("sorry, but this metric type is not implemented: {kind}: metric not found");
        return Err(Fault::new(Code::MetricNotFound, reason));
    }
    let info = call.engine().describe(System)?;
    Ok(pb::GetMetricsResponse {
        status: ok(),
        response: topology(call, &info).to_string(),
        component_name: "standalone".to_owned(),
    })
}

/// The one node, once for each part that tools look for.
fn topology(call: &Call, info: &NodeInfo) -> Value {
    let address = call.node.address.to_string();
    let settings = &call.node.settings;
    let hardware = json!({
        "ip": address,
        "cpu_core_count": info.cpus,
        "cpu_core_usage": 0,
        "memory": info.memory_limit_bytes,
        "memory_usage": info.memory_used_bytes,
        "disk": 0,
        "disk_usage": info.disk_used_bytes,
    });
    let system = json!({
        "system_version": settings.commit,
        "deploy_mode": DEPLOY_MODE,
        "build_version": MILVUS_VERSION,
        "build_time": settings.built,
        "used_go_version": format!("{OWN_NAME} {OWN_VERSION}"),
    });
    let node = |part: &str, identifier: i64| {
        json!({
            "identifier": identifier,
            "connected": [],
            "infos": {
                "name": format!("{part}{NODE_ID}"),
                "has_error": !info.troubles.is_empty(),
                "error_reason": info.troubles.join("; "),
                "type": part,
                "hardware_infos": hardware,
                "system_info": system,
                "system_configurations": {},
                "created_time": info.started_ms.to_string(),
                "updated_time": info.started_ms.to_string(),
                "id": NODE_ID,
            },
        })
    };
    let parts =
        ["proxy", "rootcoord", "datacoord", "querycoord", "indexcoord", "datanode", "querynode", "indexnode"];
    let nodes: Vec<Value> = parts.iter().zip(1..).map(|(part, number)| node(part, number)).collect();
    json!({ "nodes_info": nodes })
}

pub(crate) fn dummy(_: &Call, request: pb::DummyRequest) -> Result<pb::DummyResponse, Fault> {
    let known = request.request_type.contains("query");
    let response = if known { r#"{"status":"success"}"# } else { r#"{"status":"fail"}"# };
    Ok(pb::DummyResponse { response: response.to_owned() })
}

pub(crate) fn register_link(
    call: &Call,
    _: pb::RegisterLinkRequest,
) -> Result<pb::RegisterLinkResponse, Fault> {
    let (ip, port) = (call.node.address.ip().to_string(), call.node.address.port().into());
    let status = Status { reason: DEPLOY_MODE.to_owned(), ..wire::success() };
    Ok(pb::RegisterLinkResponse { status: Some(status), address: Some(common::Address { ip, port }) })
}

/// There is one node, so the load is balanced.
pub(crate) fn balance(_: &Call, _: pb::LoadBalanceRequest) -> Result<Status, Fault> {
    Ok(wire::success())
}

pub(crate) fn resource_groups(
    _: &Call,
    _: pb::ListResourceGroupsRequest,
) -> Result<pb::ListResourceGroupsResponse, Fault> {
    Ok(pb::ListResourceGroupsResponse { status: ok(), resource_groups: vec![RESOURCE_GROUP.to_owned()] })
}

pub(crate) fn resource_group(
    call: &Call,
    request: pb::DescribeResourceGroupRequest,
) -> Result<pb::DescribeResourceGroupResponse, Fault> {
    let name = request.resource_group;
    if name != RESOURCE_GROUP {
        let reason = format!("resource group not found[rg={name}]");
        return Err(Fault::new(Code::ResourceGroupNotFound, reason));
    }
    let address = call.node.address.to_string();
    let group = pb::ResourceGroup {
        name,
        capacity: 1,
        num_available_node: 1,
        nodes: vec![common::NodeInfo { node_id: NODE_ID, address, ..common::NodeInfo::default() }],
        ..pb::ResourceGroup::default()
    };
    Ok(pb::DescribeResourceGroupResponse { status: ok(), resource_group: Some(group) })
}

pub(crate) fn replication(
    _: &Call,
    _: pb::GetReplicateConfigurationRequest,
) -> Result<pb::GetReplicateConfigurationResponse, Fault> {
    Ok(pb::GetReplicateConfigurationResponse { status: ok(), configuration: Some(Default::default()) })
}

pub(crate) fn calc_distance(_: &Call, _: pb::CalcDistanceRequest) -> Result<pb::CalcDistanceResults, Fault> {
    Err(Fault::new(Code::ServiceUnavailable, "CalcDistance deprecated: service unavailable"))
}

pub(crate) fn replicate_message(
    _: &Call,
    _: pb::ReplicateMessageRequest,
) -> Result<pb::ReplicateMessageResponse, Fault> {
    let reason = "ReplicateMessage is not supported in streaming mode: service unavailable";
    Err(Fault::new(Code::ServiceUnavailable, reason))
}
