//! Requests to engine payloads, engine answers to replies: one function a call, no state. Shared by all doors.
//!
//! Invariant: nothing here decides what is in the database; the most that is decided is how Milvus would word it.

pub(crate) mod alias;
mod buckets;
pub(crate) mod collection;
pub(crate) mod compact;
pub(crate) mod database;
pub(crate) mod flush;
pub(crate) mod hybrid;
pub(crate) mod index;
pub(crate) mod load;
mod moments;
pub(crate) mod partition;
pub(crate) mod query;
pub(crate) mod rows;
mod scope;
pub(crate) mod search;
pub(crate) mod segment;
pub(crate) mod system;

use crate::Settings;
use crate::status::Fault;
use data::Struct;
use engine::Engine;
use engine::api::{Order, OutputField, Properties, ReadTime, Target};
use moments::Moments;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use wire::proto::common::{self, KeyValuePair, Status};
use wire::proto::schema::FieldData;

/// The number of this node; there is one.
const NODE_ID: i64 = 1;
/// The one resource group there always is.
const RESOURCE_GROUP: &str = "__default_resource_group";

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Node {
    /// The database.
    pub(crate) engine: Arc<Engine>,
    /// Settings of the doors.
    pub(crate) settings: Settings,
    /// Where clients reach this node.
    address: SocketAddr,
    /// Counts clients that connected.
    clients: AtomicI64,
}

impl Node {
    pub(crate) fn new(engine: Arc<Engine>, settings: Settings, address: SocketAddr) -> Self {
        Self { engine, settings, address, clients: AtomicI64::new(1) }
    }
}

/// One request's surroundings.
#[derive(Debug)]
pub(crate) struct Call {
    node: Arc<Node>,
    /// The database the connection is on; empty = `default`.
    database: String,
}

impl Call {
    pub(crate) fn new(node: Arc<Node>, database: String) -> Self {
        Self { node, database }
    }

    fn engine(&self) -> &Engine {
        &self.node.engine
    }

    /// The database a request names, else the connection's.
    fn database(&self, named: String) -> String {
        if named.is_empty() { self.database.clone() } else { named }
    }

    /// The collection a request names.
    fn target(&self, database: String, collection: String) -> Target {
        Target { database: self.database(database), collection }
    }
}

/// Keys and values of a request.
fn properties(pairs: Vec<KeyValuePair>) -> Properties {
    wire::params::decode(pairs)
}

/// Keys and values of a reply.
fn pairs(properties: &Properties) -> Vec<KeyValuePair> {
    wire::params::encode(properties.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// A number of rows or the like, which the contract has as a signed one.
fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The reply of calls that only succeed.
fn done<T>(result: Result<T, engine::Error>) -> Result<Status, Fault> {
    result?;
    Ok(wire::success())
}

/// Status of a reply that has more to say.
fn ok() -> Option<Status> {
    Some(wire::success())
}

/// Strong, eventually and bounded as clients of 2.1 and later write them into a timestamp.
const GUARANTEE_WORDS: u64 = 2;

/// At which moment to read. All levels of consistency read the same on one node; what is left is a moment the client
/// itself names.
fn read_time(guarantee: u64, travel: u64) -> ReadTime {
    let guarantee = if guarantee <= GUARANTEE_WORDS { 0 } else { guarantee };
    ReadTime { guarantee: data::Timestamp(guarantee), travel: data::Timestamp(travel), hold: false }
}

/// At which moment an iteration reads: the one at which it began, which its client sends back as guarantee.
fn iteration_time(guarantee: u64) -> ReadTime {
    let began = if guarantee <= GUARANTEE_WORDS { 0 } else { guarantee };
    ReadTime { guarantee: data::Timestamp(began), travel: data::Timestamp(began), hold: true }
}

/// `price:desc,name` as what to sort by.
fn orders(text: &str) -> Result<Vec<Order>, Fault> {
    let each = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    each.map(|part| {
        let (field, direction) = part.rsplit_once(':').unwrap_or((part, "asc"));
        let is_falling = match direction.trim().to_ascii_lowercase().as_str() {
            "asc" => false,
            "desc" => true,
            other => {
                return Err(Fault::invalid(format_args!(
                    "order_by_fields: {part} sorts {other}, the direction is asc or desc"
                )));
            }
        };
        Ok(Order { field: field.trim().to_owned(), is_falling })
    })
    .collect()
}

fn consistency(number: i32) -> data::Consistency {
    match common::ConsistencyLevel::try_from(number) {
        Ok(common::ConsistencyLevel::Strong) => data::Consistency::Strong,
        Ok(common::ConsistencyLevel::Session) => data::Consistency::Session,
        Ok(common::ConsistencyLevel::Bounded) | Err(_) => data::Consistency::Bounded,
        Ok(common::ConsistencyLevel::Eventually) => data::Consistency::Eventually,
        Ok(common::ConsistencyLevel::Customized) => data::Consistency::Customized,
    }
}

fn consistency_level(level: data::Consistency) -> common::ConsistencyLevel {
    match level {
        data::Consistency::Strong => common::ConsistencyLevel::Strong,
        data::Consistency::Session => common::ConsistencyLevel::Session,
        data::Consistency::Bounded => common::ConsistencyLevel::Bounded,
        data::Consistency::Eventually => common::ConsistencyLevel::Eventually,
        data::Consistency::Customized => common::ConsistencyLevel::Customized,
    }
}

/// The fields of rows as messages, and the names that stand for them: a field of the schema for itself, the dynamic field
/// for the keys that were asked for, an array of structs for its sub-fields.
fn output(fields: &[OutputField], moments: &Moments) -> (Vec<FieldData>, Vec<String>) {
    let (mut messages, mut names) = (Vec::with_capacity(fields.len()), Vec::with_capacity(fields.len()));
    let mut structs: Vec<(&str, Vec<FieldData>)> = Vec::new();
    for field in fields {
        let zone = &moments.zone;
        let message = match moments.parts(&field.field, &field.column) {
            Some((parts, column)) => wire::columns::encode(&parts, &column, zone),
            None => wire::columns::encode(&field.field, &field.column, zone),
        };
        // No other field has a bracket in its name.
        if let Some((parent, _)) = field.field.name.split_once('[') {
            match structs.iter_mut().find(|(name, _)| *name == parent) {
                Some((_, parts)) => parts.push(message),
                None => structs.push((parent, vec![message])),
            }
            continue;
        }
        messages.push(message);
        match &field.dynamic_keys[..] {
            [] => names.push(field.field.name.clone()),
            keys => names.extend_from_slice(keys),
        }
    }
    for (name, parts) in structs {
        names.push(name.to_owned());
        let of = Struct { name: name.to_owned(), ..Struct::default() };
        messages.push(wire::columns::encode_struct(&of, parts));
    }
    (messages, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read() {
        let order = |field: &str, is_falling| Order { field: field.into(), is_falling };
        let read = orders(" a:desc, b ,sum(c):ASC,").map_err(|fault| fault.into_status().reason);
        assert_eq!(read, Ok(vec![order("a", true), order("b", false), order("sum(c)", false)]));
        assert!(orders("a:up").is_err());
    }

    #[test]
    fn words_in_timestamps() {
        for (sent, read) in [(0, 0), (1, 0), (2, 0), (3, 3), (u64::MAX, u64::MAX)] {
            assert_eq!(read_time(sent, 0).guarantee.0, read);
        }
    }
}
