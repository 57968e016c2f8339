//! Every call of the contract is answered, and what is not supported says so in a `Status`.

use crate::world::World;
use axum::http::uri::PathAndQuery;
use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Request, Status};

/// Sends and takes whatever bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;
    fn encoder(&mut self) -> Raw {
        Raw
    }
    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

async fn ask(world: &World, path: &str, request: Bytes) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(world.channel().await);
    client.ready().await.unwrap();
    let path = PathAndQuery::try_from(path).unwrap();
    client.unary(Request::new(request), path, Raw).await.map(tonic::Response::into_inner)
}

/// The calls of replication whose replies have no room for a `Status`.
const WITHOUT_STATUS: [&str; 2] = ["CreateReplicateStream", "GetReplicateInfo"];

#[tokio::test]
async fn every_call_is_answered() {
    let world = World::new().await;
    let listing = include_str!("../../../wire/contract.txt");
    let calls = listing.lines().filter_map(|line| line.split_once(" (")).map(|(call, _)| call);
    let mut asked = 0;
    for call in calls.filter(|call| !call.contains("ProxyService")) {
        if call.ends_with("/Watch") {
            continue;
        }
        let answer = ask(&world, &format!("/{call}"), Bytes::new()).await;
        let name = call.split('/').nth(1).unwrap();
        match answer {
            Ok(_) => {}
            Err(status) if WITHOUT_STATUS.contains(&name) => assert_eq!(status.code(), Code::Unimplemented),
            Err(status) => panic!("{call}: {status}"),
        }
        asked += 1;
    }
    assert_eq!(asked, 149 + 4 + 1);
}

#[tokio::test]
async fn what_nobody_knows_is_unimplemented() {
    let world = World::new().await;
    let path = "/milvus.proto.milvus.MilvusService/Nope";
    let status = ask(&world, path, Bytes::new()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(status.message(), "unknown method Nope for service milvus.proto.milvus.MilvusService");
    let status = ask(&world, "/a.b.C/D", Bytes::new()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, "unknown service a.b.C"));
}

#[tokio::test]
async fn a_request_that_is_too_large_or_garbage() {
    let world = World::new().await;
    let path = "/milvus.proto.milvus.MilvusService/Insert";
    let size = (64 << 20) + 1;
    let status = ask(&world, path, Bytes::from(vec![0; size])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), format!("grpc: received message larger than max ({size} vs. 67108864)"));
    let status = ask(&world, path, Bytes::from_static(b"\xff\xff\xff")).await.unwrap_err();
    assert_ne!(status.code(), Code::Ok);
    assert!(ask(&world, path, Bytes::new()).await.is_ok(), "the server lives on");
}
