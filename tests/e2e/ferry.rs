//! The program under test: the real binary, told what to do over HTTP and by signals.

use crate::http;
use crate::process::{Process, free_port};
use crate::program::Program;
use crate::secrets;
use reqwest::{Client, Method};
use rustix::process::Signal;
use serde_json::Value;
use std::ffi::OsString;
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
    under: Vec<String>,
    port: u16,
    process: Process,
    client: Client,
    answers: Mutex<String>,
}

impl Ferry {
    pub async fn serve() -> Self {
        Self::serve_under(&[]).await
    }

    /// The same, started by the command `under`.
    pub async fn serve_under(under: &[&str]) -> Self {
        let (data, port) = (tempfile::tempdir().unwrap(), free_port());
        let under: Vec<String> = under.iter().map(|&word| word.to_owned()).collect();
        let process = Self::process(&under, &data, port);
        let (client, answers) = (http::client(), Mutex::default());
        let mut ferry = Self { data, under, port, process, client, answers };
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
        self.process = Self::process(&self.under, &self.data, self.port);
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

    /// Lets none of its files be longer than this from now on, or any length.
    pub fn limit_files(&self, bytes: Option<u64>) {
        self.process.limit_files(bytes);
    }

    fn process(under: &[String], data: &TempDir, port: u16) -> Process {
        let (listen, store) = (format!("127.0.0.1:{port}"), data.path().join("store"));
        let store = store.to_str().unwrap();
        let args = ["serve", "--listen", &listen, "--data", store, "--allow-private-addresses"];
        let args = [&args[..], &["--log-format", "json"]].concat();
        let mut words: Vec<OsString> = under.iter().map(OsString::from).collect();
        words.push(binary().into());
        words.extend(args.iter().map(OsString::from));
        Process::start(Path::new(&words[0]), &words[1..], &data.path().join("ferry"))
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

/// A wall clock that is set while a program runs under it; time itself passes as it does.
pub struct Clock(TempDir, String);

impl Clock {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("FAKETIME_TIMESTAMP_FILE={}", folder.path().join("clock").display());
        let clock = Self(folder, file);
        clock.set(0);
        clock
    }

    /// Sets it to so many seconds after what is right.
    pub fn set(&self, seconds: i32) {
        std::fs::write(self.0.path().join("clock"), format!("{seconds:+}")).unwrap();
    }

    /// What a program is started by.
    pub fn under(&self) -> [&str; 5] {
        let library = "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1";
        ["env", library, &self.1, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
    }
}

impl Program for Ferry {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.address()));
        if let Some(body) = body {
            secrets::of_request(&body);
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

    fn keeps(&self) {
        secrets::keep_out_of("log", self.log().as_bytes());
        secrets::keep_out_of("standard output", self.process.stdout().as_bytes());
        secrets::keep_out_of("answers", self.answers.lock().unwrap().as_bytes());
        // What is in the folder `access` beside it is secret.
        let stored = std::fs::read(self.data.path().join("store/sessions.redb")).unwrap();
        secrets::keep_out_of("store", &stored);
    }

    async fn end(&mut self) {
        self.stop().await;
    }
}

impl Drop for Ferry {
    /// However a case ends, unless it has failed already.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.keeps();
        }
    }
}
