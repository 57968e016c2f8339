//! Serves a folder on a port: `serve FOLDER PORT`.

use engine::Engine;
use std::net::Ipv4Addr;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().unwrap_or_else(|| "elanus-data".to_owned()).into();
    let port: u16 = args.next().unwrap_or_else(|| "19530".to_owned()).parse()?;
    let engine = Engine::open(engine::Settings { folder, ..engine::Settings::default() })?;
    let settings = server::Settings {
        address: (Ipv4Addr::LOCALHOST, port).into(),
        admin_address: None,
        ..server::Settings::default()
    };
    server::runtime(&settings)?.block_on(async {
        let server = server::Server::bind(settings, std::sync::Arc::clone(&engine))?;
        server.run(async { drop(tokio::signal::ctrl_c().await) }).await
    })?;
    engine.close();
    Ok(())
}
