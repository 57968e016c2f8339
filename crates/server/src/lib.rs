//! The doors: gRPC and REST on one port, health on another.
//!
//! A door takes a request apart, hands it to the engine and puts the reply together; there is no database logic here.
//! `lower` is that work, one function a call, shared by all doors; `grpc` and `rest` are the doors themselves; `status`
//! turns every error into its number on the wire, in one place; `guard` keeps a defect in one request from hurting
//! another. A request costs no log line, no timer and no thread of its own unless it waits for a disk.

mod admin;
mod grpc;
mod guard;
mod lower;
mod rest;
mod serve;
mod settings;
mod status;

pub use serve::Server;
pub use settings::{MILVUS_VERSION, Settings, runtime};
