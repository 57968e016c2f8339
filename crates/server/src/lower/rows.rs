//! Rows in and rows out.

use super::{Call, ok, signed};
use crate::status::Fault;
use engine::api::{FieldOp, NamedColumn, Rows, Target, Update, Write, Written};
use wire::proto::milvus as pb;
use wire::proto::schema::field_partial_update_op::OpType;
use wire::proto::schema::{FieldData, FieldPartialUpdateOp};

fn rows(target: Target, partition: String, fields: Vec<FieldData>, rows: u32) -> Result<Rows, Fault> {
    let rows = rows as usize;
    let mut columns = Vec::with_capacity(fields.len());
    for field in fields {
        let decoded = wire::columns::decode_all(field, rows)?.into_iter();
        columns.extend(decoded.map(|one| NamedColumn {
            name: one.name,
            is_dynamic: one.is_dynamic,
            column: one.column,
        }));
    }
    Ok(Rows { target, partition, rows, columns })
}

fn ops(messages: Vec<FieldPartialUpdateOp>) -> Result<Vec<(String, FieldOp)>, Fault> {
    let mut ops = Vec::with_capacity(messages.len());
    for message in messages {
        let op = match message.op() {
            OpType::Replace => continue,
            OpType::ArrayAppend => FieldOp::Append,
            OpType::ArrayRemove => FieldOp::Remove,
            OpType::PathReplace => return Err(Fault::unsupported("field op PATH_REPLACE")),
        };
        ops.push((message.field_name, op));
    }
    Ok(ops)
}

/// The reply to a write of `rows` rows: they all went in, or none did.
fn reply(written: Result<Written, Fault>, rows: u32) -> pb::MutationResult {
    match written {
        Ok(written) => pb::MutationResult {
            status: ok(),
            i_ds: Some(wire::hits::ids(&written.keys)),
            succ_index: (0..rows).collect(),
            insert_cnt: signed(written.inserted),
            delete_cnt: signed(written.deleted),
            timestamp: written.timestamp.0,
            ..pb::MutationResult::default()
        },
        Err(fault) => pb::MutationResult {
            status: Some(fault.into_status()),
            err_index: (0..rows.min(ERR_INDEX_MAX)).collect(),
            ..pb::MutationResult::default()
        },
    }
}

/// The most row numbers listed in a refusal: the count of rows is the client's claim and may be any number.
const ERR_INDEX_MAX: u32 = 1 << 20;

pub(crate) fn insert(call: &Call, request: pb::InsertRequest) -> Result<pb::MutationResult, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let rows = rows(target, request.partition_name, request.fields_data, request.num_rows);
    let written = rows.and_then(|rows| Ok(call.engine().write(Write::Insert(rows))?));
    Ok(reply(written, request.num_rows))
}

pub(crate) fn upsert(call: &Call, request: pb::UpsertRequest) -> Result<pb::MutationResult, Fault> {
    let target = call.target(request.db_name, request.collection_name);
    let ops = ops(request.field_ops)?;
    let rows = rows(target, request.partition_name, request.fields_data, request.num_rows);
    let written = rows.and_then(|rows| {
        // An operation on what is there says as much as the flag.
        let is_partial = request.partial_update || !ops.is_empty();
        let write = if is_partial { Write::Update(Update { rows, ops }) } else { Write::Upsert(rows) };
        Ok(call.engine().write(write)?)
    });
    let upsert_cnt = written.as_ref().map_or(0, |written| signed(written.inserted));
    Ok(pb::MutationResult { upsert_cnt, ..reply(written, request.num_rows) })
}

pub(crate) fn delete(call: &Call, request: pb::DeleteRequest) -> Result<pb::MutationResult, Fault> {
    let written = call.engine().write(Write::Delete {
        target: call.target(request.db_name, request.collection_name),
        partition: request.partition_name,
        filter: request.expr,
        templates: wire::templates::decode(request.expr_template_values),
    })?;
    // No keys: newer clients take them for the answer of a server before 2.3.2 and hide the count.
    Ok(pb::MutationResult { i_ds: None, ..reply(Ok(written), 0) })
}
