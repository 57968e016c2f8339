//! `elanus serve`: opens the folder, takes the ports, says where, and serves until told to stop.

use crate::config::Config;
use crate::show;
use engine::Engine;
use server::Server;
use std::net::IpAddr;
use std::path::PathBuf;

/// What `serve` can be told; everything else is in the configuration (`elanus config` lists it).
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The data folder; made when it is not there. [default: elanus-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The port of gRPC; 0 takes a free one. [default: 19530]
    #[arg(long)]
    port: Option<u16>,
    /// The address to listen on. There is no authentication yet: think before leaving 127.0.0.1. [default: 127.0.0.1]
    #[arg(long)]
    host: Option<IpAddr>,
    /// The port of health and metrics; 0 takes a free one. [default: none with --port, else 9091]
    #[arg(long)]
    metrics_port: Option<u16>,
    /// A milvus.yaml, or a file of the same shape.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), String> {
    let config = configure(arguments)?;
    let address = config.server.address;
    let server = Server::bind(config.server.clone()).map_err(|error| taken(address.port(), &error))?;
    let engine = Engine::open(config.engine.clone()).map_err(|error| error.to_string())?;
    for trouble in engine.describe(engine::api::System).map(|info| info.troubles).unwrap_or_default() {
        show::error(trouble);
    }
    let runtime =
        server::runtime(&config.server).map_err(|error| format!("cannot start threads: {error}"))?;
    let at = server.address().map_err(|error| error.to_string())?;
    let admin =
        server.admin_address().ok().flatten().map(|admin| format!(", health on http://{admin}/healthz"));
    let folder = config.engine.folder.display();
    show::line(format!("Elanus serves {folder} on http://{at}{}", admin.unwrap_or_default()));
    let served = runtime.block_on(async {
        let served = server.run(engine.clone(), told_to_stop()).await;
        served.map_err(|error| error.to_string())
    });
    engine.close();
    served
}

fn configure(arguments: Arguments) -> Result<Config, String> {
    let environment: Vec<(String, String)> = std::env::vars().collect();
    let mut config = Config::read(arguments.config.as_deref(), &environment)?;
    if let Some(data) = arguments.data {
        config.engine.folder = data;
    }
    if let Some(host) = arguments.host {
        config.server.address.set_ip(host);
        if let Some(admin) = &mut config.server.admin_address {
            admin.set_ip(host);
        }
    }
    if let Some(port) = arguments.port {
        config.server.address.set_port(port);
        // Whoever moves the port runs several servers, which cannot all have the one port of health.
        config.server.admin_address = None;
    }
    if let Some(port) = arguments.metrics_port {
        config.server.admin_address = Some((config.server.address.ip(), port).into());
    }
    Ok(config)
}

fn taken(port: u16, error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::AddrInUse {
        return format!(
            "a port is taken ({error}): is another server running? Choose one with --port (now {port}) and --metrics-port"
        );
    }
    format!("cannot listen on port {port}: {error}")
}

/// Ready when the process is asked to end.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
