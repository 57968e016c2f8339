//! The second port: health for load balancers and orchestrators.

use crate::lower::{Node, system};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::sync::Arc;

/// The routes of the second port.
pub(crate) fn routes(node: Arc<Node>) -> Router {
    Router::new().route("/healthz", get(health)).fallback(crate::rest::nothing_here).with_state(node)
}

/// `OK`, or 500 and what is wrong.
async fn health(State(node): State<Arc<Node>>) -> (StatusCode, String) {
    let troubles = system::troubles(&node);
    if troubles.is_empty() {
        (StatusCode::OK, "OK".to_owned())
    } else {
        (StatusCode::INTERNAL_SERVER_ERROR, troubles.join("\n"))
    }
}
