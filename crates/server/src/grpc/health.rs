//! The gRPC health protocol, which load balancers and orchestrators speak.

use tonic::codegen::BoxStream;
use tonic::codegen::tokio_stream::{self, StreamExt};
use tonic::{Request, Response, Status};
use wire::proto::health::health_check_response::ServingStatus;
use wire::proto::health::health_server::Health as Service;
use wire::proto::health::{HealthCheckRequest, HealthCheckResponse};

/// What can be asked for by name; the empty name is the server as a whole.
const SERVICES: [&str; 3] = ["", "milvus.proto.milvus.MilvusService", "grpc.health.v1.Health"];

/// Says that the server serves. That it answers at all is the news; how the engine is, CheckHealth tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Health;

#[tonic::async_trait]
impl Service for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if !SERVICES.contains(&service.as_str()) {
            return Err(Status::not_found(format!("unknown service {service}")));
        }
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<BoxStream<HealthCheckResponse>>, Status> {
        let known = SERVICES.contains(&request.get_ref().service.as_str());
        let status = if known { ServingStatus::Serving } else { ServingStatus::ServiceUnknown };
        let first = tokio_stream::once(Ok(HealthCheckResponse { status: status.into() }));
        Ok(Response::new(Box::pin(first.chain(tokio_stream::pending()))))
    }
}
