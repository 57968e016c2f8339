//! What browsers, load balancers and curl see.

use crate::world::World;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::proto::health;
use wire::proto::health::health_client::HealthClient;

/// One HTTP/1.1 request; status line and body of the answer.
async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn health_on_both_ports() {
    let world = World::new().await;
    for address in [world.address, world.admin] {
        assert_eq!(get(address, "/healthz").await, ("HTTP/1.1 200 OK".into(), "OK".into()));
    }
    let mut client = HealthClient::new(world.channel().await);
    let request = health::HealthCheckRequest { service: String::new() };
    assert_eq!(client.check(request).await.unwrap().into_inner().status, 1);
    let request = health::HealthCheckRequest { service: "nobody".into() };
    assert_eq!(client.check(request).await.unwrap_err().code(), tonic::Code::NotFound);
}

/// Every line of `/metrics` is a comment or a name and a number, and every name is said to be something first.
#[tokio::test]
async fn metrics_are_what_prometheus_reads() {
    let world = World::new().await;
    let (status, body) = get(world.admin, "/metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let mut kinds = std::collections::BTreeMap::new();
    let mut values = std::collections::BTreeMap::new();
    for line in body.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(["gauge", "counter"].contains(&kind) && (kind == "counter") == name.ends_with("_total"));
            assert!(
                body.contains(&format!("# HELP {name} ")) && kinds.insert(name, kind).is_none(),
                "{line}"
            );
        } else if !line.starts_with("# HELP ") {
            let (name, value) = line.split_once(' ').unwrap();
            assert!(kinds.contains_key(name), "{line}");
            values.insert(name, value.parse::<u64>().unwrap());
        }
    }
    assert!(kinds.len() == values.len() && values["elanus_memory_limit_bytes"] > 0);
    assert_eq!((values["elanus_healthy"], values["elanus_subgraphs"]), (1, 0));
    assert_eq!((values["elanus_subgraphs_built_total"], values["elanus_subgraphs_dropped_total"]), (0, 0));
    assert!(values.contains_key("elanus_subgraph_bytes"));
}

#[tokio::test]
async fn what_is_not_there_says_so_in_json() {
    let world = World::new().await;
    let (status, body) = get(world.address, "/v2/vectordb/nothing").await;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    assert_eq!(body, r#"{"code":404,"message":"there is nothing at GET /v2/vectordb/nothing"}"#);
}

/// Half a request, bytes that are no request, and messages that are no messages: the connection ends, the server lives.
#[tokio::test]
async fn half_requests_hurt_nobody() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let world = World::new().await;
    let broken: [Vec<u8>; 5] = [
        b"POST /milvus.proto.milvus.MilvusService/Insert HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\nhalf".to_vec(),
        PREFACE[..10].to_vec(),
        [PREFACE, &[0, 0, 18, 4, 0, 0]].concat(),
        [PREFACE, &[0xff; 64]].concat(),
        vec![0; 512],
    ];
    for bytes in broken {
        let mut stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        drop(stream);
    }
    let mut client = world.client().await;
    let mut grpc = tonic::client::Grpc::new(world.channel().await);
    grpc.ready().await.unwrap();
    let path =
        tonic::codegen::http::uri::PathAndQuery::from_static("/milvus.proto.milvus.MilvusService/Insert");
    let garbage =
        wire::proto::milvus::StringResponse { value: "no insert request".into(), ..Default::default() };
    let codec: tonic_prost::ProstCodec<_, wire::proto::milvus::MutationResult> =
        tonic_prost::ProstCodec::default();
    let answer = grpc.unary(tonic::Request::new(garbage), path, codec).await;
    assert!(
        answer.is_err() || answer.is_ok_and(|reply| reply.into_inner().status.is_some_and(|s| s.code != 0))
    );
    let version = client.get_version(wire::proto::milvus::GetVersionRequest::default()).await.unwrap();
    assert_eq!(version.into_inner().status.unwrap().code, 0);
}
