//! The binary from outside: what it says and does when the world is not as it should be.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

fn elanus(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_elanus")).args(arguments).output().unwrap()
}

fn refusal(output: &Output) -> String {
    assert!(!output.status.success(), "it should have refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("elanus-binary-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn text(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Server {
    child: Child,
    line: String,
}

impl Server {
    fn start(folder: &Folder, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_elanus"))
            .args(["serve", "--port", "0", "--data", folder.text()])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, line }
    }

    fn port(&self) -> u16 {
        let address = self.line.split("http://").nth(1).unwrap();
        address.trim().split(',').next().unwrap().rsplit(':').next().unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn one_line_says_where_and_the_folder_can_be_checked_and_inspected() {
    let folder = Folder::new("serve");
    let server = Server::start(&folder, &["--metrics-port", "0"]);
    assert!(server.line.starts_with("Elanus serves "), "{}", server.line);
    assert!(server.line.contains("/healthz"), "{}", server.line);
    TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let second = refusal(&elanus(&["serve", "--port", "0", "--data", folder.text()]));
    assert!(
        second.contains("is in use by process") && second.contains("stop that process first"),
        "{second}"
    );
    drop(server);
    let check = elanus(&["check", folder.text()]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    assert!(String::from_utf8_lossy(&check.stdout).contains("every checksum fits"));
    let inspect = elanus(&["inspect", folder.text()]);
    assert!(String::from_utf8_lossy(&inspect.stdout).contains("registers/root"));
    let register = folder.0.join("registers/root");
    let shown = elanus(&["inspect", register.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("\"databases\""));
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = Folder::new("port");
    let said = refusal(&elanus(&["serve", "--port", &port, "--data", folder.text()]));
    assert!(said.contains("a port is taken") && said.contains("--port"), "{said}");
    assert!(!folder.0.join("FORMAT").exists(), "the folder was not touched");
}

#[test]
fn a_folder_of_other_things_is_refused_and_left_alone() {
    let folder = Folder::new("foreign");
    fs::write(folder.0.join("holiday.jpg"), b"not ours").unwrap();
    let said = refusal(&elanus(&["serve", "--port", "0", "--data", folder.text()]));
    assert!(said.contains("not a data folder of ours, left untouched"), "{said}");
    let names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["holiday.jpg"]);
    assert!(refusal(&elanus(&["check", folder.text()])).contains("is no data folder"));
    assert!(
        refusal(&elanus(&["inspect", folder.0.join("holiday.jpg").to_str().unwrap()]))
            .contains("none of our files")
    );
}

#[test]
fn garbage_in_a_data_folder_is_told_not_fatal_to_the_program() {
    for damaged in ["registers/root", "FORMAT"] {
        let folder = Folder::new("garbage");
        drop(Server::start(&folder, &[]));
        let path = folder.0.join(damaged);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let said = refusal(&elanus(&["serve", "--port", "0", "--data", folder.text()]));
        let name = Path::new(damaged).file_name().unwrap().to_str().unwrap();
        assert!(said.contains(name), "{damaged}: {said}");
        assert!(!said.contains("panicked"), "{damaged}: {said}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{damaged} was left as it was");
    }
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let folder = Folder::new("config");
    let path = folder.0.join("milvus.yaml");
    fs::write(&path, "rootCoord:\n  minSegmentSizeToEnableIndex: few\n").unwrap();
    let said = refusal(&elanus(&["serve", "--config", path.to_str().unwrap()]));
    assert!(
        said.contains("rootCoord.minSegmentSizeToEnableIndex must be a whole number, got \"few\""),
        "{said}"
    );
    let said = refusal(&elanus(&["serve", "--config", "nowhere.yaml"]));
    assert!(said.contains("cannot read nowhere.yaml"), "{said}");
    let help = elanus(&["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("serve"));
    let keys = elanus(&["config"]);
    assert!(String::from_utf8_lossy(&keys.stdout).contains("rootCoord.minSegmentSizeToEnableIndex"));
}
