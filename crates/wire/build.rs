//! Compiles `contract.fds` into Rust. Invariant: the contract is read from that file alone; nothing is fetched, and
//! no protobuf compiler is needed.

use prost::Message;
use prost_types::FileDescriptorSet;

/// Types written by hand in `src/flat.rs`, which decode without a value-by-value copy.
const FLAT: [(&str, &str); 4] = [
    (".milvus.proto.schema.FloatArray", "crate::FloatArray"),
    (".milvus.proto.schema.StringArray", "crate::TextArray"),
    (".milvus.proto.schema.JSONArray", "crate::TextArray"),
    (".milvus.proto.schema.BytesArray", "crate::TextArray"),
];

fn main() {
    println!("cargo:rerun-if-changed=contract.fds");
    println!("cargo:rerun-if-changed=build.rs");
    let bytes = std::fs::read("contract.fds").expect("contract.fds lies beside build.rs");
    let mut contract = FileDescriptorSet::decode(&bytes[..]).expect("contract.fds is a descriptor set");
    contract.file.retain(|file| !file.name().starts_with("google/"));
    let client = std::env::var_os("CARGO_FEATURE_CLIENT").is_some();
    let mut builder = tonic_prost_build::configure()
        .build_client(client)
        .build_transport(false)
        .generate_default_stubs(true)
        .bytes(".milvus.proto.schema")
        .bytes(".milvus.proto.common.PlaceholderValue.values")
        .bytes(".milvus.proto.milvus.SearchRequest.placeholder_group")
        .bytes(".milvus.proto.milvus.SubSearchRequest.placeholder_group")
        .bytes(".milvus.proto.milvus.CreateCollectionRequest.schema");
    for (name, rust) in FLAT {
        builder = builder.extern_path(name, rust);
    }
    builder.compile_fds(contract).expect("the contract compiles");
}
