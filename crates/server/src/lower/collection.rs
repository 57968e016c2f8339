//! Collections: make, drop, rename, alter, describe, list, count.

use super::{Call, consistency, consistency_level, done, ok, pairs, properties, signed};
use crate::status::Fault;
use data::{CollectionId, Zone};
use engine::api::{self, Change, CollectionInfo, CreateCollection, LoadState, RowCount};
use wire::Code;
use wire::proto::common::{ErrorCode, Status};
use wire::proto::milvus as pb;
use wire::proto::milvus::alter_collection_schema_request::action::Op;
use wire::proto::milvus::alter_collection_schema_request::drop_request::Identifier;

/// The key of a count in statistics.
pub(super) const ROW_COUNT: &str = "row_count";

pub(crate) fn create(call: &Call, request: pb::CreateCollectionRequest) -> Result<Status, Fault> {
    let decoded = wire::schema::decode(request.schema)?;
    let name = if request.collection_name.is_empty() { decoded.name } else { request.collection_name };
    let number = |what: &str, number: i64| {
        u32::try_from(number)
            .map_err(|_| Fault::invalid(format!("{what} should not be negative, got {number}")))
    };
    let mut all = properties(request.properties);
    for (key, value) in decoded.properties {
        if wire::params::find(&all, &key).is_none() {
            all.push((key, value));
        }
    }
    done(call.engine().change(Change::CreateCollection(CreateCollection {
        target: call.target(request.db_name, name),
        schema: decoded.schema,
        shards: number("shards_num", request.shards_num.into())?,
        consistency: consistency(request.consistency_level),
        properties: all,
        partitions: number("num_partitions", request.num_partitions)?,
    })))
}

pub(crate) fn drop(call: &Call, request: pb::DropCollectionRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    done(call.engine().change(Change::DropCollection(target)))
}

pub(crate) fn rename(call: &Call, request: pb::RenameCollectionRequest) -> Result<Status, Fault> {
    let from = call.target(request.db_name, request.old_name);
    let database = if request.new_db_name.is_empty() { from.database.clone() } else { request.new_db_name };
    let to = api::Target { database, collection: request.new_name };
    done(call.engine().change(Change::RenameCollection { from, to }))
}

pub(crate) fn alter(call: &Call, request: pb::AlterCollectionRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let (set, delete) = (properties(request.properties), request.delete_keys);
    done(call.engine().change(Change::AlterCollection { target, set, delete }))
}

pub(crate) fn alter_field(call: &Call, request: pb::AlterCollectionFieldRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let (set, delete) = (properties(request.properties), request.delete_keys);
    done(call.engine().change(Change::AlterField { target, field: request.field_name, set, delete }))
}

pub(crate) fn add_field(call: &Call, request: pb::AddCollectionFieldRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let field = Box::new(wire::schema::decode_field_bytes(request.schema.as_slice())?);
    done(call.engine().change(Change::AddField { target, field }))
}

pub(crate) fn add_struct(call: &Call, request: pb::AddCollectionStructFieldRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let message =
        request.struct_array_field_schema.ok_or_else(|| Fault::invalid("the struct field is missing"))?;
    let (structure, fields) = wire::schema::decode_struct(message)?;
    done(call.engine().change(Change::AddStruct { target, structure, fields }))
}

pub(crate) fn alter_schema(
    call: &Call,
    request: pb::AlterCollectionSchemaRequest,
) -> Result<pb::AlterCollectionSchemaResponse, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let nothing = || Fault::invalid("the request neither adds nor drops anything");
    let change = match request.action.and_then(|action| action.op).ok_or_else(nothing)? {
        Op::AddRequest(add) => {
            if !add.func_schema.is_empty() {
                return Err(Fault::unsupported("AlterCollectionSchema with functions"));
            }
            let mut infos = add.field_infos.into_iter();
            let (Some(info), None) = (infos.next(), infos.next()) else {
                return Err(Fault::invalid("exactly one field should be added at a time"));
            };
            if !info.index_name.is_empty() || !info.extra_params.is_empty() {
                return Err(Fault::unsupported("AlterCollectionSchema with an index, create it afterwards;"));
            }
            let message = info.field_schema.ok_or_else(|| Fault::invalid("the field to add is missing"))?;
            Change::AddField { target, field: Box::new(wire::schema::decode_field(message)?) }
        }
        Op::DropRequest(drop) => {
            let field = match drop.identifier.ok_or_else(nothing)? {
                Identifier::FieldName(name) => api::FieldName::Name(name),
                Identifier::FieldId(id) => api::FieldName::Id(data::FieldId(id)),
                Identifier::FunctionName(_) => {
                    return Err(Fault::unsupported("AlterCollectionSchema with functions"));
                }
            };
            Change::DropField { target, field }
        }
    };
    Ok(pb::AlterCollectionSchemaResponse { alter_status: Some(done(call.engine().change(change))?) })
}

/// Looks a collection up by name, or by number when there is no name.
fn look(call: &Call, database: String, name: String, id: i64) -> Result<CollectionInfo, Fault> {
    let by_id = name.is_empty() && id != 0;
    let question =
        api::Collection { target: call.target(database, name), id: by_id.then_some(CollectionId(id)) };
    Ok(call.engine().describe(question)?)
}

pub(crate) fn has(call: &Call, request: pb::HasCollectionRequest) -> Result<pb::BoolResponse, Fault> {
    match look(call, request.db_name, request.collection_name, 0) {
        Ok(_) => Ok(pb::BoolResponse { status: ok(), value: true }),
        Err(fault) if fault.code() == Code::CollectionNotFound => {
            Ok(pb::BoolResponse { status: ok(), value: false })
        }
        Err(fault) => Err(fault),
    }
}

pub(crate) fn describe(
    call: &Call,
    request: pb::DescribeCollectionRequest,
) -> Result<pb::DescribeCollectionResponse, Fault> {
    describe_one(call, request.db_name, request.collection_name, request.collection_id)
}

fn describe_one(
    call: &Call,
    database: String,
    name: String,
    id: i64,
) -> Result<pb::DescribeCollectionResponse, Fault> {
    let named = call.database(database.clone());
    match look(call, database, name.clone(), id) {
        Ok(info) => {
            let target = api::Target::new(&info.database, &info.name);
            let zone = call.engine().describe(api::TimeZone { target })?;
            Ok(description(info, &zone))
        }
        Err(fault) if fault.code() == Code::CollectionNotFound => {
            // Clients since 2.1 tell a missing collection by this text and this legacy code, of this call alone.
            let database = if named.is_empty() { "default" } else { &named };
            let what = if name.is_empty() { id.to_string() } else { name };
            let reason = format!("can't find collection[database={database}][collection={what}]");
            Err(fault.retold(ErrorCode::UnexpectedError, reason))
        }
        Err(fault) => Err(fault),
    }
}

pub(crate) fn describe_many(
    call: &Call,
    request: pb::BatchDescribeCollectionRequest,
) -> Result<pb::BatchDescribeCollectionResponse, Fault> {
    let named = request.collection_name.into_iter().map(|name| (name, 0));
    let numbered = request.collection_id.into_iter().map(|id| (String::new(), id));
    let describe = |(name, id)| {
        describe_one(call, request.db_name.clone(), name, id).unwrap_or_else(|fault| {
            let status = Some(fault.into_status());
            pb::DescribeCollectionResponse { status, ..pb::DescribeCollectionResponse::default() }
        })
    };
    let responses = named.chain(numbered).map(describe).collect();
    Ok(pb::BatchDescribeCollectionResponse { status: ok(), responses })
}

/// The write channel of a collection, as tools expect it to be called.
pub(super) fn channel(id: CollectionId) -> String {
    format!("by-dev-rootcoord-dml_0_{id}v0")
}

fn description(info: CollectionInfo, zone: &Zone) -> pb::DescribeCollectionResponse {
    pb::DescribeCollectionResponse {
        status: ok(),
        schema: Some(wire::schema::encode(&info.name, &info.schema, info.schema_version, zone)),
        collection_id: info.id.0,
        virtual_channel_names: vec![channel(info.id)],
        physical_channel_names: vec!["by-dev-rootcoord-dml_0".to_owned()],
        created_timestamp: info.created_at.0,
        created_utc_timestamp: info.created_at.ms(),
        shards_num: i32::try_from(info.shards).unwrap_or(i32::MAX),
        aliases: info.aliases,
        consistency_level: consistency_level(info.consistency).into(),
        collection_name: info.name,
        properties: pairs(&info.properties),
        db_name: info.database,
        num_partitions: signed(info.partitions.len()),
        update_timestamp: info.updated_at.0,
        update_timestamp_str: info.updated_at.0.to_string(),
        ..pb::DescribeCollectionResponse::default()
    }
}

pub(crate) fn statistics(
    call: &Call,
    request: pb::GetCollectionStatisticsRequest,
) -> Result<pb::GetCollectionStatisticsResponse, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let rows = call.engine().describe(RowCount { target, partition: None })?;
    let stats = vec![wire::params::pair(ROW_COUNT, rows.to_string())];
    Ok(pb::GetCollectionStatisticsResponse { status: ok(), stats })
}

#[expect(deprecated, reason = "pymilvus 2.0 and 2.1 wait for a load by these")]
pub(crate) fn show(
    call: &Call,
    request: pb::ShowCollectionsRequest,
) -> Result<pb::ShowCollectionsResponse, Fault> {
    let only_loaded = request.r#type == i32::from(pb::ShowType::InMemory);
    let wanted = &request.collection_names;
    let database = call.database(request.db_name.clone());
    let mut reply = pb::ShowCollectionsResponse { status: ok(), ..pb::ShowCollectionsResponse::default() };
    let all = call.engine().describe(api::Collections { database })?;
    for name in wanted.iter().filter(|_| only_loaded) {
        let loaded = |info: &CollectionInfo| info.name == **name && info.load.state != LoadState::NotLoaded;
        if !all.iter().any(loaded) {
            let text = format!("collection not loaded[collection={name}]");
            return Err(Fault::new(Code::CollectionNotLoaded, text));
        }
    }
    for info in all {
        let is_loaded = matches!(info.load.state, LoadState::Loaded | LoadState::Loading);
        if (only_loaded && !is_loaded) || !(wanted.is_empty() || wanted.contains(&info.name)) {
            continue;
        }
        reply.collection_ids.push(info.id.0);
        reply.created_timestamps.push(info.created_at.0);
        reply.created_utc_timestamps.push(info.created_at.ms());
        reply.shards_num.push(i32::try_from(info.shards).unwrap_or(i32::MAX));
        if only_loaded {
            reply.in_memory_percentages.push(info.load.percent.into());
            reply.query_service_available.push(info.load.state == LoadState::Loaded);
        }
        reply.collection_names.push(info.name);
    }
    Ok(reply)
}
