//! What can be set about the doors, with defaults.

use std::net::{Ipv4Addr, SocketAddr};

/// The line of Milvus whose calls are served; clients and tools decide by it what they may call.
pub const MILVUS_VERSION: &str = "v2.6.9";

/// Settings of the doors.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where gRPC and REST listen.
    pub address: SocketAddr,
    /// Where health listens; `None` = nowhere.
    pub admin_address: Option<SocketAddr>,
    /// Threads that read requests, answer quick ones and write replies.
    pub worker_threads: usize,
    /// The most threads that wait for disks and long work on behalf of requests. Writes that wait together are
    /// committed together, so this is also the largest group.
    pub blocking_threads_max: usize,
    /// The largest request, in bytes (`proxy.grpc.serverMaxRecvSize`).
    pub receive_bytes_max: usize,
    /// The largest reply, in bytes (`proxy.grpc.serverMaxSendSize`).
    pub send_bytes_max: usize,
    /// How long requests that are running may still take when the server is told to stop.
    pub drain_ms: u64,
    /// Told to clients that ask: which commit this was built from.
    pub commit: String,
    /// Told to clients that ask: when this was built.
    pub built: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::UNSPECIFIED, 19_530).into(),
            admin_address: Some((Ipv4Addr::UNSPECIFIED, 9_091).into()),
            worker_threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            blocking_threads_max: 256,
            receive_bytes_max: 64 << 20,
            send_bytes_max: 256 << 20,
            drain_ms: 5_000,
            commit: String::new(),
            built: String::new(),
        }
    }
}

/// A runtime as these settings ask for it.
///
/// # Errors
/// When the operating system refuses a thread.
pub fn runtime(settings: &Settings) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(settings.worker_threads.max(1))
        .max_blocking_threads(settings.blocking_threads_max.max(1))
        .thread_name("elanus-door")
        .enable_io()
        .enable_time()
        .build()
}
