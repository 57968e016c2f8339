//! The REST door. Only its frame so far: what is not there says so in JSON.

use axum::Json;
use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

/// The routes of the REST door.
pub(crate) fn routes() -> Router {
    Router::new().route("/healthz", get(|| async { "OK" }))
}

/// The answer to a path that leads nowhere: a gRPC status to a gRPC client, JSON to everybody else.
pub(crate) async fn nothing_here(request: Request) -> Response {
    let grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    if request.headers().get(CONTENT_TYPE).is_some_and(grpc) {
        let service = request.uri().path().split('/').nth(1).unwrap_or_default();
        return tonic::Status::unimplemented(format!("unknown service {service}")).into_http();
    }
    let message = format!("there is nothing at {} {}", request.method(), request.uri().path());
    (StatusCode::NOT_FOUND, Json(json!({ "code": 404, "message": message }))).into_response()
}
