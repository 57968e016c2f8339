//! Requests as real clients serialised them decode to what they meant.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests say what they expect")]

use bytes::Bytes;
use data::{Type, Value, Values};
use prost::Message;
use wire::params::{self, Twice};
use wire::proto::milvus as pb;
use wire::{columns, schema, vectors};

const CLIENTS: [&str; 3] = ["pymilvus-3.0.2", "pymilvus-2.0.2", "node-2.2.1"];

fn request<M: Message + Default>(client: &str, name: &str) -> M {
    let path = format!("{}/../../fixtures/wire/{client}/{name}.bin", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    M::decode(Bytes::from(bytes)).unwrap()
}

#[test]
fn create_collection() {
    for client in CLIENTS {
        let request: pb::CreateCollectionRequest = request(client, "create_collection");
        let decoded = schema::decode(request.schema).unwrap();
        assert_eq!(decoded.name, "films");
        let schema = decoded.schema;
        let id = schema.primary().unwrap();
        assert_eq!((id.name.as_str(), id.data_type, id.auto_id), ("id", Type::Int64, false), "{client}");
        assert_eq!(schema.field("year").unwrap().data_type, Type::Int16);
        let vec = schema.field("vec").unwrap();
        assert_eq!((vec.data_type, vec.dim), (Type::FloatVector, 4));
        if client == "pymilvus-3.0.2" {
            let title = schema.field("title").unwrap();
            assert_eq!((title.data_type, title.max_length, title.nullable), (Type::VarChar, 64, true));
            assert_eq!(title.default, Some(Value::Text("x".into())));
            assert_eq!(schema.field("bits").unwrap().dim, 16);
            assert!(schema.dynamic().is_some());
            assert_eq!(params::decode(request.properties), [("collection.ttl.seconds".into(), "60".into())]);
        } else {
            assert_eq!(schema.fields.len(), 3);
        }
    }
}

fn check_rows(client: &str, fields: Vec<wire::proto::schema::FieldData>, rows: u32) {
    assert_eq!(rows, 2, "{client}");
    let columns: Vec<_> = fields.into_iter().map(|field| columns::decode(field, 2).unwrap()).collect();
    let column = |name: &str| &columns.iter().find(|column| column.name == name).unwrap().column;
    assert_eq!((column("id").value(0), column("id").value(1)), (Value::Int(1), Value::Int(2)));
    assert_eq!(column("year").data_type(), Type::Int16);
    assert_eq!(column("year").value(1), Value::Int(2001));
    let Values::FloatVector { dim: 4, values } = column("vec").values() else { panic!("four floats") };
    assert_eq!(values[..], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    if client == "pymilvus-3.0.2" {
        assert_eq!(
            (column("title").value(0), column("title").value(1)),
            (Value::Text("a".into()), Value::Null)
        );
        let note = Value::Json("{\"k\":1}".into());
        assert_eq!((column("note").value(0), column("note").value(1)), (note, Value::Null));
        let Values::BinaryVector { dim: 16, bytes } = column("bits").values() else { panic!("16 bits") };
        assert_eq!(bytes.as_slice(), [1, 2, 3, 4]);
        let dynamic = columns.iter().find(|column| column.is_dynamic).unwrap();
        assert_eq!(dynamic.column.value(1), Value::Json("{\"other\":\"z\"}".into()));
    }
}

#[test]
fn insert_and_upsert() {
    for client in CLIENTS {
        let request: pb::InsertRequest = request(client, "insert");
        check_rows(client, request.fields_data, request.num_rows);
    }
    let request: pb::UpsertRequest = request("pymilvus-3.0.2", "upsert");
    check_rows("pymilvus-3.0.2", request.fields_data, request.num_rows);
}

#[test]
fn search() {
    for client in CLIENTS {
        let request: pb::SearchRequest = request(client, "search");
        // pymilvus 2.0 leaves nq to the server.
        let nq = if client == "pymilvus-2.0.2" { 0 } else { 2 };
        assert_eq!((request.dsl.as_str(), request.nq), ("year > 2000", nq), "{client}");
        let Some(pb::search_request::SearchInput::PlaceholderGroup(group)) = request.search_input else {
            panic!("{client} sends vectors")
        };
        let queries = vectors::decode(group).unwrap();
        let Values::FloatVector { dim: 4, values } = queries.values() else { panic!("four floats") };
        assert_eq!(values[4..], [5.0, 6.0, 7.0, 8.0]);
        let mut flat = params::flatten(request.search_params, Twice::OuterWins).unwrap();
        assert_eq!(params::find(&flat, "anns_field"), Some("vec"), "{client}");
        assert_eq!(params::find(&flat, "metric_type"), Some("L2"), "{client}");
        assert_eq!(params::take_number(&mut flat, "topk").unwrap(), Some(10));
        let effort = if client == "pymilvus-3.0.2" { ("ef", "64") } else { ("nprobe", "8") };
        assert_eq!(params::find(&flat, effort.0), Some(effort.1), "{client}");
    }
}

#[test]
fn create_index() {
    for client in CLIENTS {
        let request: pb::CreateIndexRequest = request(client, "create_index");
        let flat = params::flatten(request.extra_params, Twice::Refuse).unwrap();
        let (key, value) = match client {
            "pymilvus-3.0.2" => ("efConstruction", "100"),
            "pymilvus-2.0.2" => ("nlist", "128"),
            _ => ("nlist", "1024"),
        };
        assert_eq!((request.field_name.as_str(), params::find(&flat, key)), ("vec", Some(value)), "{client}");
    }
}
