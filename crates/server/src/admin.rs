//! The second port: health for load balancers and orchestrators, and metrics in the text format of Prometheus.

use crate::lower::{Node, system};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::api::{NodeInfo, System};
use std::sync::Arc;

/// The routes of the second port.
pub(crate) fn routes(node: Arc<Node>) -> Router {
    let routes = Router::new().route("/healthz", get(health)).route("/metrics", get(metrics));
    routes.fallback(crate::rest::nothing_here).with_state(node)
}

/// A measure's name, whether it only rises, and what it says.
type Measure = (&'static str, bool, &'static str, fn(&NodeInfo) -> u64);

/// Everything that is measured. Names end in their unit, those that only rise in `_total`.
const MEASURES: &[Measure] = &[
    ("elanus_healthy", false, "1 if nothing is wrong with the data, else 0.", |node| {
        u64::from(node.troubles.is_empty())
    }),
    ("elanus_start_time_seconds", false, "When the server started, since the epoch.", |node| {
        node.started_ms / 1000
    }),
    ("elanus_memory_limit_bytes", false, "Memory it may use.", |node| node.memory_limit_bytes),
    ("elanus_memory_used_bytes", false, "Memory that is charged to the limit.", |node| {
        node.memory_used_bytes
    }),
    ("elanus_disk_used_bytes", false, "Bytes of its files.", |node| node.disk_used_bytes),
    ("elanus_subgraphs", false, "Graphs for filters that are asked for often, now.", |node| {
        node.subgraphs.count
    }),
    ("elanus_subgraph_bytes", false, "Memory of these graphs.", |node| node.subgraphs.bytes),
    ("elanus_subgraphs_built_total", true, "Such graphs that were built since the start.", |node| {
        node.subgraphs.built
    }),
    (
        "elanus_subgraphs_dropped_total",
        true,
        "Those of them that went: for others, for memory, or with their segment.",
        |node| node.subgraphs.dropped,
    ),
];

/// What is measured, in the text format of Prometheus, version 0.0.4.
async fn metrics(State(node): State<Arc<Node>>) -> Response {
    let info = match node.engine.describe(System) {
        Ok(info) => info,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let line = |(name, rises, help, measure): &Measure| {
        let kind = if *rises { "counter" } else { "gauge" };
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {}\n", measure(&info))
    };
    let text: String = MEASURES.iter().map(line).collect();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
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
