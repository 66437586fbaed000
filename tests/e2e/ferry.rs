//! The program under test: the real binary, told what to do over HTTP and by signals.

use crate::http;
use crate::process::{Process, free_port};
use crate::program::Program;
use reqwest::{Client, Method};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long `ferry` may take to answer after its start, and to stop after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// The binary, built from what is in the tree now with the profile of the tests; or the one that
/// the variable FERRY names.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("FERRY") {
        Some(other) => other.into(),
        None => built(&["ferry"]).join("ferry"),
    })
}

/// The folder of these packages' binaries, built from what is in the tree now with the profile of the tests.
pub fn built(packages: &[&str]) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let folder = tests.ancestors().nth(2).expect("it lies in <target>/<profile>/deps");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let status = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["build", "--quiet", "--bins", "--profile", profile, "--target-dir"])
        .arg(folder.parent().expect("as above"))
        .args(packages.iter().map(|package| format!("--package={package}")))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{packages:?} were not built");
    folder.to_owned()
}

/// `ferry serve` with its data in a folder of its own.
pub struct Ferry {
    data: TempDir,
    port: u16,
    process: Process,
    client: Client,
    answers: Mutex<String>,
}

impl Ferry {
    pub async fn serve() -> Self {
        let (data, port) = (tempfile::tempdir().unwrap(), free_port());
        let process = Self::process(&data, port);
        let mut ferry =
            Self { data, port, process, client: http::client(), answers: Mutex::default() };
        ferry.answers().await;
        ferry
    }

    /// Ends it at once, whatever it is doing, as `kill -9` does.
    pub async fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.end(PATIENCE).await;
    }

    /// Tells it to stop, and waits until it has; the exit code is a success.
    pub async fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        let status = self.process.end(PATIENCE).await;
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// Starts it again with the same data.
    pub async fn up(&mut self) {
        self.process = Self::process(&self.data, self.port);
        self.answers().await;
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The memory that it has now, in bytes, without what is the program itself.
    pub fn memory(&self) -> u64 {
        self.process.status("RssAnon")
    }

    /// The most that it ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.process.status("VmHWM")
    }

    fn process(data: &TempDir, port: u16) -> Process {
        let (listen, store) = (format!("127.0.0.1:{port}"), data.path().join("store"));
        let store = store.to_str().unwrap();
        let args = ["serve", "--listen", &listen, "--data", store, "--allow-private-addresses"];
        let args = [&args[..], &["--log-format", "json"]].concat();
        Process::start(binary(), &args, &data.path().join("ferry"))
    }

    async fn answers(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.client.get(format!("{}/health", self.address())).send().await.is_err() {
            let ended = self.process.ended();
            assert!(ended.is_none(), "ferry ended: {ended:?}\n{}", self.log());
            assert!(Instant::now() < deadline, "ferry does not answer\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Program for Ferry {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.address()));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        self.answers.lock().unwrap().push_str(&text);
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn log(&self) -> String {
        self.process.stderr()
    }

    fn keeps(&self, secrets: &[&str]) {
        let told = [self.log(), self.process.stdout(), self.answers.lock().unwrap().clone()];
        for (place, text) in ["log", "standard output", "answers"].iter().zip(told) {
            for secret in secrets {
                assert!(!text.contains(secret), "a secret is in the {place}:\n{text}");
            }
        }
    }

    async fn end(&mut self) {
        self.stop().await;
    }
}
