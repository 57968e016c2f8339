//! Listening: one port for gRPC and REST, one for health. Invariant: a connection that misbehaves ends alone, and an
//! idle server has nothing to do.

use crate::{Settings, admin, grpc, lower, rest};
use axum::Router;
use axum::body::Body;
use engine::Engine;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tower::ServiceExt;

/// How much of a stream, and of all streams of a connection, may be on its way unread.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Larger frames than HTTP/2's 16 KiB make large inserts cheaper to read.
const FRAME_BYTES_MAX: u32 = 1 << 20;
/// Requests a connection may have in flight.
const STREAMS_MAX: u32 = 4_096;
/// The pause after the operating system refused a connection (no file handles left), so as not to spin.
const REFUSED_PAUSE_MS: u64 = 50;

/// Doors that are bound but do not serve yet.
#[derive(Debug)]
pub struct Server {
    settings: Settings,
    listener: TcpListener,
    admin: Option<TcpListener>,
}

impl Server {
    /// Takes the ports. Clients can connect from now on; they are served once [`Server::run`] runs. So it pays to bind
    /// before the engine is opened: who connects early waits for milliseconds instead of being refused.
    ///
    /// # Errors
    /// When an address is taken or not ours.
    pub fn bind(settings: Settings) -> io::Result<Self> {
        let listener = listen(settings.address)?;
        let admin = settings.admin_address.map(listen).transpose()?;
        Ok(Self { settings, listener, admin })
    }

    /// Where gRPC and REST really listen (of interest when port 0 was asked for).
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where health really listens.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Serves `engine` until `shutdown` is ready, then lets running requests finish for a while. The engine stays open.
    ///
    /// # Errors
    /// When the ports cannot be handed to the runtime.
    pub async fn run(self, engine: Arc<Engine>, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let drain = Duration::from_millis(self.settings.drain_ms);
        let address = self.listener.local_addr()?;
        let node = Arc::new(lower::Node::new(engine, self.settings, address));
        let doors = grpc::routes(&node).merge(rest::routes());
        let doors = doors.fallback(rest::nothing_here);
        let (stop, stopped) = tokio::sync::watch::channel(());
        let main = tokio::spawn(accept(
            tokio::net::TcpListener::from_std(self.listener)?,
            doors,
            stopped.clone(),
            drain,
        ));
        let admin = match self.admin {
            Some(listener) => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                Some(tokio::spawn(accept(listener, admin::routes(node), stopped, drain)))
            }
            None => None,
        };
        shutdown.await;
        drop(stop);
        let _ = main.await;
        if let Some(admin) = admin {
            let _ = admin.await;
        }
        Ok(())
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Takes connections until `stop` is dropped, then waits up to `drain` for those that are open.
async fn accept(
    listener: tokio::net::TcpListener,
    doors: Router,
    mut stop: tokio::sync::watch::Receiver<()>,
    drain: Duration,
) {
    let builder = builder();
    let open = GracefulShutdown::new();
    loop {
        let mut stopping = pin!(stop.changed());
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopping => break,
        };
        match accepted {
            Ok((stream, _)) => serve(stream, &builder, doors.clone(), &open),
            Err(_) => tokio::time::sleep(Duration::from_millis(REFUSED_PAUSE_MS)).await,
        }
    }
    let _ = tokio::time::timeout(drain, open.shutdown()).await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http2()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_concurrent_streams(STREAMS_MAX);
    builder
}

fn serve(stream: TcpStream, builder: &Builder<TokioExecutor>, doors: Router, open: &GracefulShutdown) {
    // Without this, a small reply waits for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let doors = doors.clone();
        async move {
            let path = request.uri().clone();
            let reply = doors.oneshot(request.map(Body::new)).await;
            reply.map(|reply| grpc::dress(reply, &path))
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    tokio::spawn(open.watch(connection));
}
