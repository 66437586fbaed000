//! A stand-in for AWS on this machine.

use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to be ready: far more than it does.
const READY: Duration = Duration::from_secs(60);

/// MiniStack on a free port of 127.0.0.1, until it is dropped or the thread that started it ends.
#[derive(Debug)]
pub struct MiniStack {
    child: Child,
    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub url: String,
}

impl MiniStack {
    /// Starts one; it is installed where it is missing.
    ///
    /// # Panics
    /// When it cannot be installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more in its environment, which every function inherits.
    ///
    /// # Panics
    /// When it cannot be installed or does not start.
    #[must_use]
    pub fn start_with(environment: &[(&str, &str)]) -> Self {
        let program = pypi("ministack", &["ministack==1.5.33"]).join("ministack");
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            // It hands its environment on to what it runs.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", std::env::temp_dir())
            .env("TMPDIR", std::env::temp_dir())
            .env("BIND_HOST", "127.0.0.1")
            // The API is beneath this name; an address there is no host.
            .env("MINISTACK_HOST", "localhost")
            .env("GATEWAY_PORT", port.to_string())
            .env("AWS_ENDPOINT_URL", &url)
            .env("IOT_MTLS_ENABLED", "0")
            .env("LOG_LEVEL", "ERROR")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was installed");
        let stack = Self { child, url };
        let started = Instant::now();
        while !is_ready(port) {
            assert!(started.elapsed() < READY, "MiniStack is not ready after {READY:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        stack
    }

    /// Makes an empty table, as the stack has it.
    ///
    /// # Panics
    /// When it is not made.
    pub fn table(&self, name: &str) {
        let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
        let table = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [text("PK"), text("SK"), text("active")],
            "KeySchema": [key("PK", "HASH"), key("SK", "RANGE")],
            "GlobalSecondaryIndexes": [{
                "IndexName": "active",
                "KeySchema": [key("active", "HASH"), key("SK", "RANGE")],
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": ["status", "bits_per_second", "tick_ms"],
                },
            }],
        });
        let call = "X-Amz-Target: DynamoDB_20120810.CreateTable\r\n";
        let address = self.url.trim_start_matches("http://");
        let answer = ask(address, "POST /", call, &table.to_string());
        assert!(answer.as_ref().is_ok_and(|it| it.contains(" 200 ")), "{name}: {answer:?}");
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for MiniStack {
    fn drop(&mut self) {
        // It may have gone by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Installs packages from PyPI where they are missing, and gives the folder of their programs.
///
/// # Panics
/// When they cannot be installed.
#[must_use]
pub fn pypi(environment: &str, packages: &[&str]) -> PathBuf {
    let installed = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("pypi.sh"))
        .arg(environment)
        .args(packages)
        .stderr(Stdio::inherit())
        .output()
        .expect("bash is there");
    assert!(installed.status.success(), "tests/pypi.sh failed");
    String::from_utf8(installed.stdout).expect("a path").trim().into()
}

/// A port of 127.0.0.1 that nobody listens on.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

fn is_ready(port: u16) -> bool {
    let answer = ask(&format!("127.0.0.1:{port}"), "GET /_ministack/health", "", "");
    answer.is_ok_and(|answer| answer.contains(" 200"))
}

/// The first line of an answer.
fn ask(address: &str, what: &str, headers: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(READY))?;
    let length = body.len();
    write!(
        stream,
        "{what} HTTP/1.0\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}
