//! The server under test: started on a free port with an empty folder, and stopped as a service manager would.
//!
//! Invariant: no server outlives its `Server`.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::step::Failure;

const START_SECONDS: u64 = 30;
const STOP_SECONDS: u64 = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// A running server.
pub(super) struct Server {
    child: Child,
    port: u16,
    data: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Starts `elanus serve --data FOLDER/data --port N` and waits until it listens.
    pub(super) fn start(binary: &Path, folder: &Path) -> Result<Self, Failure> {
        let (data, log) = (folder.join("data"), folder.join("server.log"));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let output = File::create(&log)?;
        let child = Command::new(binary)
            .arg("serve")
            .arg("--data")
            .arg(&data)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .map_err(|error| Failure::new(format!("cannot start {}: {error}", binary.display())))?;
        let mut server = Self { child, port, data, log };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    fn wait_until_it_listens(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("the server ended at once ({status})")));
            }
            if Instant::now() > deadline {
                return Err(self.failure(&format!("the server does not listen after {START_SECONDS} s")));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Ends the server by SIGTERM. It must still be alive, and must end by itself with status 0.
    pub(super) fn stop(mut self) -> Result<(), Failure> {
        if let Some(status) = self.child.try_wait()? {
            return Err(self.failure(&format!("the server died during the run ({status})")));
        }
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        match self.wait(Duration::from_secs(STOP_SECONDS))? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.failure(&format!("the server ended with {status} after SIGTERM"))),
            None => Err(self.failure(&format!("the server still runs {STOP_SECONDS} s after SIGTERM"))),
        }
    }

    fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>, Failure> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(None)
    }

    fn failure(&self, what: &str) -> Failure {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join(" | ");
        Failure::new(format!("{what}; its log ends: {tail}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
