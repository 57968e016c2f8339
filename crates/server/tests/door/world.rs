//! A server in a folder of its own, and a client.

use engine::Engine;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::transport::Channel;
use wire::proto::milvus::milvus_service_client::MilvusServiceClient;

pub(crate) type Client = MilvusServiceClient<Channel>;

/// Stops when dropped.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    engine: Arc<Engine>,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = engine::Settings {
            folder: folder.path().join("data"),
            sync_writes: false,
            ..engine::Settings::default()
        };
        let engine = Engine::open(settings).unwrap();
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let settings =
            server::Settings { address: any, admin_address: Some(any), ..server::Settings::default() };
        let server = server::Server::bind(settings).unwrap();
        let (address, admin) = (server.address().unwrap(), server.admin_address().unwrap().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(server.run(Arc::clone(&engine), async { drop(stopped.await) }));
        Self { address, admin, stop: Some(stop), engine, _folder: folder }
    }

    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        MilvusServiceClient::new(self.channel().await)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.engine.close();
    }
}
