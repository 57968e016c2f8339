//! The gRPC door.

mod dress;
mod health;
mod refuse;
mod service;
mod telemetry;

pub(crate) use dress::dress;

use crate::lower::Node;
use service::Door;
use std::sync::Arc;
use wire::proto::health::health_server::HealthServer;
use wire::proto::milvus::client_telemetry_service_server::ClientTelemetryServiceServer;
use wire::proto::milvus::milvus_service_server::MilvusServiceServer;

/// The services, as routes that others can join.
pub(crate) fn routes(node: &Arc<Node>) -> axum::Router {
    let door = Door::new(Arc::clone(node));
    let milvus = MilvusServiceServer::new(door.clone())
        .max_decoding_message_size(node.settings.receive_bytes_max)
        .max_encoding_message_size(node.settings.send_bytes_max);
    tonic::service::Routes::new(milvus)
        .add_service(ClientTelemetryServiceServer::new(door))
        .add_service(HealthServer::new(health::Health))
        .prepare()
        .into_axum_router()
        .reset_fallback()
}
