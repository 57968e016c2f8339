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

#[tokio::test]
async fn what_is_not_there_says_so_in_json() {
    let world = World::new().await;
    let (status, body) = get(world.address, "/v2/vectordb/nothing").await;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    assert_eq!(body, r#"{"code":404,"message":"there is nothing at GET /v2/vectordb/nothing"}"#);
}
