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

/// Maps whose values are messages that may be empty. As a map, an empty value would be left out of its entry, which is
/// legal but more than old protobuf.js clients can read; as a list of entries it is written, like other servers do.
const ENTRIES: [(&str, &str); 2] =
    [("FlushResponse", "CollSegIDsEntry"), ("FlushResponse", "FlushCollSegIDsEntry")];

fn main() {
    println!("cargo:rerun-if-changed=contract.fds");
    println!("cargo:rerun-if-changed=build.rs");
    let bytes = std::fs::read("contract.fds").expect("contract.fds lies beside build.rs");
    let mut contract = FileDescriptorSet::decode(&bytes[..]).expect("contract.fds is a descriptor set");
    contract.file.retain(|file| !file.name().starts_with("google/"));
    let mut unmapped = 0;
    for message in contract.file.iter_mut().flat_map(|file| &mut file.message_type) {
        let name = message.name().to_owned();
        for entry in &mut message.nested_type {
            if ENTRIES.contains(&(name.as_str(), entry.name())) {
                entry.options = None;
                unmapped += 1;
            }
        }
    }
    assert_eq!(unmapped, ENTRIES.len(), "every message of ENTRIES is in the contract");
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
