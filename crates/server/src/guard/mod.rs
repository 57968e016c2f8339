//! What stands between a request and the rest of the server.

mod unwind;

pub(crate) use unwind::contain;
