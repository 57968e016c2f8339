//! Databases.

use super::{Call, done, ok, pairs, properties};
use crate::status::Fault;
use engine::api::{Change, Databases};
use wire::Code;
use wire::proto::common::Status;
use wire::proto::milvus as pb;

pub(crate) fn create(call: &Call, request: pb::CreateDatabaseRequest) -> Result<Status, Fault> {
    let properties = properties(request.properties);
    done(call.engine().change(Change::CreateDatabase { name: request.db_name, properties }))
}

pub(crate) fn drop(call: &Call, request: pb::DropDatabaseRequest) -> Result<Status, Fault> {
    done(call.engine().change(Change::DropDatabase { name: request.db_name }))
}

pub(crate) fn alter(call: &Call, request: pb::AlterDatabaseRequest) -> Result<Status, Fault> {
    let (set, delete) = (properties(request.properties), request.delete_keys);
    done(call.engine().change(Change::AlterDatabase { name: request.db_name, set, delete }))
}

pub(crate) fn list(call: &Call, _: pb::ListDatabasesRequest) -> Result<pb::ListDatabasesResponse, Fault> {
    let mut reply = pb::ListDatabasesResponse { status: ok(), ..pb::ListDatabasesResponse::default() };
    for info in call.engine().describe(Databases)? {
        reply.db_names.push(info.name);
        reply.created_timestamp.push(info.created_at.0);
        reply.db_ids.push(info.id);
    }
    Ok(reply)
}

pub(crate) fn describe(
    call: &Call,
    request: pb::DescribeDatabaseRequest,
) -> Result<pb::DescribeDatabaseResponse, Fault> {
    let named = call.database(request.db_name);
    let name = if named.is_empty() { "default" } else { &named };
    let info =
        call.engine().describe(Databases)?.into_iter().find(|info| info.name == name).ok_or_else(|| {
            Fault::new(Code::DatabaseNotFound, format!("database not found[database={name}]"))
        })?;
    Ok(pb::DescribeDatabaseResponse {
        status: ok(),
        db_id: info.id,
        created_timestamp: info.created_at.0,
        properties: pairs(&info.properties),
        db_name: info.name,
    })
}
