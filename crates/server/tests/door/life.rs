//! The life of a collection, as clients live it.

use crate::world::{Client, World};
use bytes::Bytes;
use data::{Column, Field, Schema, Type};
use prost::Message;
use wire::proto::common::Status;
use wire::proto::milvus as pb;
use wire::proto::milvus::search_request::SearchInput;
use wire::proto::schema::i_ds::IdField;

const DIM: usize = 4;

fn schema() -> Schema {
    let fields = vec![
        Field::new("id", Type::Int64).primary(),
        Field::new("year", Type::Int16),
        Field::new("vec", Type::FloatVector).with_dim(DIM),
        Field::dynamic(),
    ];
    Schema { fields, ..Schema::default() }
}

fn named(name: &str) -> pb::DescribeCollectionRequest {
    pb::DescribeCollectionRequest { collection_name: name.into(), ..Default::default() }
}

#[expect(deprecated, reason = "clients before 2.3 read only error_code")]
fn codes(status: &Status) -> (i32, i32) {
    (status.code, status.error_code)
}

fn check(status: Option<Status>) {
    let status = status.unwrap();
    assert_eq!(codes(&status), (0, 0), "{}", status.reason);
}

async fn create(client: &mut Client, name: &str) -> Status {
    let request = pb::CreateCollectionRequest {
        collection_name: name.into(),
        schema: wire::schema::encode(name, &schema(), 0, &data::Zone::default()).encode_to_vec().into(),
        consistency_level: 2,
        ..Default::default()
    };
    client.create_collection(request).await.unwrap().into_inner()
}

async fn insert(client: &mut Client, name: &str, count: i64) -> pb::MutationResult {
    let ids: Vec<i64> = (0..count).collect();
    let years =
        Column::new(data::Values::Int16(ids.iter().map(|id| 1990 + (id % 30) as i16).collect()), None)
            .unwrap();
    let vectors = ids.iter().flat_map(|id| [*id as f32, 1.0, 0.0, 0.0]).collect();
    let extra: data::VarLen =
        data::VarLen::from_values(ids.iter().map(|id| format!("{{\"color\": \"c{id}\"}}")));
    let columns = [
        ("id", Column::from_ints(ids.clone())),
        ("year", years),
        ("vec", Column::from_vectors(DIM, vectors).unwrap()),
        ("$meta", Column::new(data::Values::Json(extra), None).unwrap()),
    ];
    let fields_data = columns
        .iter()
        .map(|(name, column)| {
            wire::columns::encode(schema().field(name).unwrap(), column, &data::Zone::default())
        })
        .collect();
    let num_rows = u32::try_from(count).unwrap();
    let request =
        pb::InsertRequest { collection_name: name.into(), fields_data, num_rows, ..Default::default() };
    client.insert(request).await.unwrap().into_inner()
}

fn search(name: &str, queries: &[f32], params: &[(&str, &str)]) -> pb::SearchRequest {
    let group = wire::vectors::encode(DIM, queries).encode_to_vec();
    pb::SearchRequest {
        collection_name: name.into(),
        dsl_type: 1,
        search_input: Some(SearchInput::PlaceholderGroup(Bytes::from(group))),
        search_params: wire::params::encode(params.iter().copied()),
        output_fields: vec!["year".into(), "color".into()],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_whole_life() {
    let world = World::new().await;
    let client = &mut world.client().await;
    check(Some(create(client, "films").await));
    check(Some(create(client, "films").await));

    let inserted = insert(client, "films", 2_000).await;
    check(inserted.status);
    assert_eq!((inserted.insert_cnt, inserted.succ_index.len(), inserted.err_index.len()), (2_000, 2_000, 0));

    let request = pb::CreateIndexRequest {
        collection_name: "films".into(),
        field_name: "vec".into(),
        extra_params: wire::params::encode([("index_type", "FLAT"), ("metric_type", "L2"), ("params", "{}")]),
        ..Default::default()
    };
    check(Some(client.create_index(request).await.unwrap().into_inner()));
    let request = pb::DescribeIndexRequest { collection_name: "films".into(), ..Default::default() };
    let described = client.describe_index(request).await.unwrap().into_inner();
    check(described.status);
    let index = &described.index_descriptions[0];
    assert_eq!((index.field_name.as_str(), index.total_rows), ("vec", 2_000));
    let params = wire::params::decode(index.params.clone());
    assert_eq!(wire::params::find(&params, "params"), Some("{}"), "echoed as it was sent");

    let load = pb::LoadCollectionRequest { collection_name: "films".into(), ..Default::default() };
    check(Some(client.load_collection(load).await.unwrap().into_inner()));
    let progress = pb::GetLoadingProgressRequest { collection_name: "films".into(), ..Default::default() };
    check(client.get_loading_progress(progress).await.unwrap().into_inner().status);

    let params =
        [("anns_field", "vec"), ("topk", "3"), ("metric_type", "L2"), ("params", "{\"metric_type\":\"L2\"}")];
    let request = search("films", &[7.0, 1.0, 0.0, 0.0, 100.2, 1.0, 0.0, 0.0], &params);
    let found = client.search(request).await.unwrap().into_inner();
    check(found.status);
    let results = found.results.unwrap();
    assert_eq!((results.num_queries, &results.topks[..]), (2, &[3, 3][..]));
    let Some(IdField::IntId(ids)) = results.ids.unwrap().id_field else { panic!("numbers") };
    assert_eq!((ids.data[0], ids.data[3], results.scores[0]), (7, 100, 0.0));
    assert_eq!(results.output_fields, ["year", "color"]);
    assert!(results.fields_data.iter().any(|field| field.is_dynamic));

    let query = |expr: &str, output: &str| pb::QueryRequest {
        collection_name: "films".into(),
        expr: expr.into(),
        output_fields: vec![output.into()],
        ..Default::default()
    };
    let counted = client.query(query("", "count(*)")).await.unwrap().into_inner();
    check(counted.status);
    let count = wire::columns::decode(counted.fields_data[0].clone(), 1).unwrap();
    assert_eq!((count.name.as_str(), count.column.value(0)), ("count(*)", data::Value::Int(2_000)));

    let delete = pb::DeleteRequest {
        collection_name: "films".into(),
        expr: "id in [1, 2]".into(),
        ..Default::default()
    };
    let deleted = client.delete(delete).await.unwrap().into_inner();
    check(deleted.status);
    assert_eq!(deleted.delete_cnt, 2);
    let queried = client.query(query("id in [1, 2, 3]", "year")).await.unwrap().into_inner();
    check(queried.status);
    assert_eq!(queried.primary_field_name, "id");

    let flush = pb::FlushRequest { collection_names: vec!["films".into()], ..Default::default() };
    let flushed = client.flush(flush).await.unwrap().into_inner();
    check(flushed.status);
    assert!(flushed.coll_flush_ts["films"] > 0);

    let drop = pb::DropCollectionRequest { collection_name: "films".into(), ..Default::default() };
    check(Some(client.drop_collection(drop.clone()).await.unwrap().into_inner()));
    check(Some(client.drop_collection(drop).await.unwrap().into_inner()));
}

#[tokio::test]
async fn a_missing_collection_as_each_call_says_it() {
    let world = World::new().await;
    let client = &mut world.client().await;
    let status = client.describe_collection(named("nope")).await.unwrap().into_inner().status.unwrap();
    assert_eq!(codes(&status), (100, 1));
    assert_eq!(status.reason, "can't find collection[database=default][collection=nope]");
    let request = pb::GetCollectionStatisticsRequest { collection_name: "nope".into(), ..Default::default() };
    let status = client.get_collection_statistics(request).await.unwrap().into_inner().status.unwrap();
    assert_eq!(codes(&status), (100, 4));
    let request = pb::HasCollectionRequest { collection_name: "nope".into(), ..Default::default() };
    let reply = client.has_collection(request).await.unwrap().into_inner();
    assert!(!reply.value);
    check(reply.status);
}

#[tokio::test]
async fn an_index_that_is_not_there() {
    let world = World::new().await;
    let client = &mut world.client().await;
    check(Some(create(client, "c").await));
    let request = pb::DescribeIndexRequest { collection_name: "c".into(), ..Default::default() };
    let status = client.describe_index(request).await.unwrap().into_inner().status.unwrap();
    assert_eq!(codes(&status), (700, 25));
    let request = pb::DropIndexRequest {
        collection_name: "c".into(),
        field_name: "vec".into(),
        index_name: "_default_idx".into(),
        ..Default::default()
    };
    check(Some(client.drop_index(request).await.unwrap().into_inner()));
}

#[tokio::test]
async fn rows_that_do_not_fit_are_all_refused() {
    let world = World::new().await;
    let client = &mut world.client().await;
    check(Some(create(client, "c").await));
    let column = wire::columns::encode(
        &Field::new("id", Type::Int64),
        &Column::from_ints(vec![1, 2]),
        &data::Zone::default(),
    );
    let request = pb::InsertRequest {
        collection_name: "c".into(),
        fields_data: vec![column],
        num_rows: 3,
        ..Default::default()
    };
    let reply = client.insert(request).await.unwrap().into_inner();
    assert_eq!(codes(&reply.status.unwrap()).0, 1100);
    assert_eq!(reply.err_index, [0, 1, 2]);
}

#[tokio::test]
async fn the_database_of_a_connection() {
    let world = World::new().await;
    let client = &mut world.client().await;
    let reply = client.connect(pb::ConnectRequest::default()).await.unwrap().into_inner();
    check(reply.status);
    assert_eq!(reply.server_info.unwrap().build_tags, server::MILVUS_VERSION);
    assert!(reply.identifier > 0);

    let on = |database: &'static str| {
        let mut request = tonic::Request::new(pb::ConnectRequest::default());
        request.metadata_mut().insert("dbname", database.parse().unwrap());
        request
    };
    let status = client.connect(on("other")).await.unwrap().into_inner().status.unwrap();
    assert_eq!((status.code, status.reason.as_str()), (800, "database not found[database=other]"));
    let make = pb::CreateDatabaseRequest { db_name: "other".into(), ..Default::default() };
    check(Some(client.create_database(make).await.unwrap().into_inner()));
    check(client.connect(on("other")).await.unwrap().into_inner().status);

    // A database named in the message wins over the connection's.
    check(Some(create(client, "films").await));
    let ask = |named: &str| {
        let mut request = tonic::Request::new(pb::HasCollectionRequest {
            db_name: named.into(),
            collection_name: "films".into(),
            ..Default::default()
        });
        request.metadata_mut().insert("dbname", "other".parse().unwrap());
        request
    };
    assert!(!client.has_collection(ask("")).await.unwrap().into_inner().value);
    assert!(client.has_collection(ask("default")).await.unwrap().into_inner().value);
}

#[tokio::test]
async fn many_requests_at_once_on_one_connection() {
    let world = World::new().await;
    let mut client = world.client().await;
    check(Some(create(&mut client, "c").await));
    check(insert(&mut client, "c", 50).await.status);
    let index = pb::CreateIndexRequest {
        collection_name: "c".into(),
        field_name: "vec".into(),
        extra_params: wire::params::encode([("index_type", "FLAT"), ("metric_type", "L2")]),
        ..Default::default()
    };
    check(Some(client.create_index(index).await.unwrap().into_inner()));
    let load = pb::LoadCollectionRequest { collection_name: "c".into(), ..Default::default() };
    check(Some(client.load_collection(load).await.unwrap().into_inner()));
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let near = (n % 50) as f32;
                let request = search("c", &[near, 1.0, 0.0, 0.0], &[("topk", "1")]);
                let results = client.search(request).await.unwrap().into_inner().results.unwrap();
                let Some(IdField::IntId(ids)) = results.ids.unwrap().id_field else { panic!("numbers") };
                assert_eq!(ids.data, [n % 50]);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
