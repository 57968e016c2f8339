//! The generated messages and services, one module a package of the contract.

#![expect(missing_docs, reason = "generated; the contract is documented by those who wrote it")]
#![expect(clippy::allow_attributes, clippy::allow_attributes_without_reason, reason = "generated")]

macro_rules! packages {
    ($($name:ident = $package:literal),* $(,)?) => {$(
        pub mod $name {
            tonic::include_proto!($package);
        }
    )*};
}

packages!(
    common = "milvus.proto.common",
    feder = "milvus.proto.feder",
    health = "grpc.health.v1",
    milvus = "milvus.proto.milvus",
    msg = "milvus.proto.msg",
    rg = "milvus.proto.rg",
    schema = "milvus.proto.schema",
);
