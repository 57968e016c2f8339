//! Aliases: second names of collections.

use super::{Call, done, ok};
use crate::status::Fault;
use engine::api::{Aliases, Change};
use wire::proto::common::Status;
use wire::proto::milvus as pb;

pub(crate) fn create(call: &Call, request: pb::CreateAliasRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    done(call.engine().change(Change::CreateAlias { target, alias: request.alias }))
}

pub(crate) fn alter(call: &Call, request: pb::AlterAliasRequest) -> Result<Status, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    done(call.engine().change(Change::AlterAlias { target, alias: request.alias }))
}

pub(crate) fn drop(call: &Call, request: pb::DropAliasRequest) -> Result<Status, Fault> {
    let database = call.database(request.db_name);
    done(call.engine().change(Change::DropAlias { database, alias: request.alias }))
}

pub(crate) fn describe(
    call: &Call,
    request: pb::DescribeAliasRequest,
) -> Result<pb::DescribeAliasResponse, Fault> {
    let database = call.database(request.db_name);
    let question = Aliases { database, collection: String::new(), alias: request.alias.clone() };
    let found = call.engine().describe(question)?.into_iter().find(|info| info.alias == request.alias);
    let found = found.ok_or_else(|| {
        Fault::new(wire::Code::AliasNotFound, format!("alias not found[alias={}]", request.alias))
    })?;
    let (db_name, alias, collection) = (found.database, found.alias, found.collection);
    Ok(pb::DescribeAliasResponse { status: ok(), db_name, alias, collection })
}

pub(crate) fn list(call: &Call, request: pb::ListAliasesRequest) -> Result<pb::ListAliasesResponse, Fault> {
    let database = call.database(request.db_name);
    let collection = request.collection_name;
    let question =
        Aliases { database: database.clone(), collection: collection.clone(), alias: String::new() };
    let aliases = call.engine().describe(question)?.into_iter().map(|info| info.alias).collect();
    Ok(pb::ListAliasesResponse { status: ok(), db_name: database, collection_name: collection, aliases })
}
