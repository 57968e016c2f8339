//! The telemetry calls of newer clients: heartbeats are accepted, commands are never sent.

use super::refuse::Reply;
use super::service::Door;
use crate::status::Fault;
use tonic::{Request, Response, Status};
use wire::proto::milvus as pb;
use wire::proto::milvus::client_telemetry_service_server::ClientTelemetryService;

#[tonic::async_trait]
impl ClientTelemetryService for Door {
    async fn client_heartbeat(
        &self,
        _request: Request<pb::ClientHeartbeatRequest>,
    ) -> Result<Response<pb::ClientHeartbeatResponse>, Status> {
        let now_ms = self.node().engine.timestamp().ms();
        Ok(Response::new(pb::ClientHeartbeatResponse {
            status: Some(wire::success()),
            server_timestamp: i64::try_from(now_ms).unwrap_or(i64::MAX),
            ..pb::ClientHeartbeatResponse::default()
        }))
    }

    async fn get_client_telemetry(
        &self,
        _request: Request<pb::GetClientTelemetryRequest>,
    ) -> Result<Response<pb::GetClientTelemetryResponse>, Status> {
        let status = Some(wire::success());
        Ok(Response::new(pb::GetClientTelemetryResponse {
            status,
            ..pb::GetClientTelemetryResponse::default()
        }))
    }

    async fn push_client_command(
        &self,
        _request: Request<pb::PushClientCommandRequest>,
    ) -> Result<Response<pb::PushClientCommandResponse>, Status> {
        Ok(Response::new(Reply::refuse(Fault::unsupported("PushClientCommand").into_status())))
    }

    async fn delete_client_command(
        &self,
        _request: Request<pb::DeleteClientCommandRequest>,
    ) -> Result<Response<pb::DeleteClientCommandResponse>, Status> {
        Ok(Response::new(Reply::refuse(Fault::unsupported("DeleteClientCommand").into_status())))
    }
}
