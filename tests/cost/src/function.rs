//! A function as Lambda runs it: processes that ask a runtime API of their own for events.

use crate::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// Longer than any function may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// A deployed function.
pub struct Function {
    /// Its name in `functions/`.
    pub name: &'static str,
    /// What it is given, in MB.
    pub memory: u64,
    /// How long an invocation may take, in seconds.
    pub timeout: u64,
    /// The program.
    pub program: PathBuf,
    /// Its environment beside what Lambda sets.
    pub environment: Vec<(String, String)>,
    idle: Mutex<Vec<Instance>>,
    ledger: Arc<Mutex<Ledger>>,
}

/// What the invocations of a function used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger {
    /// How many there were.
    pub invocations: u64,
    /// How many began with a start.
    pub starts: u64,
    /// How long the starts took.
    pub start_wall: Duration,
    /// How much processor time they took.
    pub start_cpu: Duration,
    /// How long the invocations took.
    pub wall: Duration,
    /// How much processor time they took.
    pub cpu: Duration,
    /// Bytes that were logged.
    pub logged: u64,
    /// Polls of sessions, as the metrics tell.
    pub polls: u64,
    /// The most memory that a process ever had, in KiB.
    pub peak_kib: u64,
}

impl Ledger {
    /// What was added since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            invocations: self.invocations - before.invocations,
            starts: self.starts - before.starts,
            start_wall: self.start_wall - before.start_wall,
            start_cpu: self.start_cpu - before.start_cpu,
            wall: self.wall - before.wall,
            cpu: self.cpu - before.cpu,
            logged: self.logged - before.logged,
            polls: self.polls - before.polls,
            peak_kib: self.peak_kib,
        }
    }
}

/// One process, and what it says to its runtime API.
struct Instance {
    child: Child,
    events: mpsc::Sender<Value>,
    asked: mpsc::Receiver<Duration>,
    answers: mpsc::Receiver<Answer>,
    /// The processor time that it had used when it last asked for an event.
    cpu: Duration,
}

struct Answer {
    at: Instant,
    body: Bytes,
    failed: bool,
}

/// The runtime API of one process.
struct Api {
    process: Mutex<Option<u32>>,
    events: tokio::sync::Mutex<mpsc::Receiver<Value>>,
    asked: mpsc::Sender<Duration>,
    answers: mpsc::Sender<Answer>,
    timeout: u64,
}

impl Function {
    /// A function of `program` that was never invoked.
    #[must_use]
    pub fn new(
        name: &'static str,
        program: PathBuf,
        (memory, timeout): (u64, u64),
        environment: Vec<(String, String)>,
    ) -> Self {
        let (idle, ledger) = (Mutex::default(), Arc::default());
        Self { name, memory, timeout, program, environment, idle, ledger }
    }

    /// What was used up to now.
    pub fn ledger(&self) -> Ledger {
        *lock(&self.ledger)
    }

    /// Hands it an event, in a process that has nothing to do or in a new one.
    ///
    /// # Errors
    /// When it fails or does not answer.
    pub async fn invoke(&self, event: &Value) -> Result<Value> {
        let idle = lock(&self.idle).pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.start().await?,
        };
        let began = Instant::now();
        instance.events.send(event.clone()).await?;
        let answer = self.patiently(instance.answers.recv()).await?;
        let asked = self.patiently(instance.asked.recv()).await?;
        {
            let mut ledger = lock(&self.ledger);
            ledger.invocations += 1;
            ledger.wall += answer.at.duration_since(began);
            ledger.cpu += asked.saturating_sub(instance.cpu);
            ledger.peak_kib = ledger.peak_kib.max(peak_kib(instance.child.id()));
        }
        instance.cpu = asked;
        lock(&self.idle).push(instance);
        let text = String::from_utf8_lossy(&answer.body);
        if answer.failed {
            return Err(format!("{} failed: {text}", self.name).into());
        }
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// Starts a process and waits until it asks for its first event.
    async fn start(&self) -> Result<Instance> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (events, receiver) = mpsc::channel(1);
        let (asks, asked) = mpsc::channel(1);
        let (says, answers) = mpsc::channel(1);
        let api = Arc::new(Api {
            process: Mutex::default(),
            events: tokio::sync::Mutex::new(receiver),
            asked: asks,
            answers: says,
            timeout: self.timeout,
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{what}", post(answered))
            .route("/2018-06-01/runtime/init/error", post(failed))
            .with_state(Arc::clone(&api));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let began = Instant::now();
        let mut child = Command::new(&self.program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", self.name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory.to_string())
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "log")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "log")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        *lock(&api.process) = child.id();
        let output = child.stdout.take().ok_or("the standard output is not piped")?;
        tokio::spawn(read_log(output, Arc::clone(&self.ledger)));
        let mut instance = Instance { child, events, asked, answers, cpu: Duration::ZERO };
        instance.cpu = self.patiently(instance.asked.recv()).await?;
        let mut ledger = lock(&self.ledger);
        ledger.starts += 1;
        ledger.start_wall += began.elapsed();
        ledger.start_cpu += instance.cpu;
        drop(ledger);
        Ok(instance)
    }

    async fn patiently<T>(&self, comes: impl Future<Output = Option<T>>) -> Result<T> {
        let came = tokio::time::timeout(PATIENCE, comes).await;
        let silent = || format!("{} says nothing for {PATIENCE:?}", self.name);
        came.map_err(|_| silent())?.ok_or_else(|| silent().into())
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let process = *lock(&api.process);
    // It waits for the answer now: what it has used is what it used for all before.
    let _ = api.asked.send(process.map(cpu).unwrap_or_default()).await;
    let Some(event) = api.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = crate::now() + Duration::from_secs(api.timeout);
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:0:function:f".to_owned()),
    ];
    (headers, event.to_string()).into_response()
}

async fn answered(
    State(api): State<Arc<Api>>,
    UrlPath((_, what)): UrlPath<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let answer = Answer { at: Instant::now(), body, failed: what == "error" };
    let _ = api.answers.send(answer).await;
    StatusCode::ACCEPTED
}

async fn failed(State(_): State<Arc<Api>>, _: HeaderMap, body: Bytes) -> StatusCode {
    eprintln!("cost: a function does not start: {}", String::from_utf8_lossy(&body));
    StatusCode::ACCEPTED
}

/// Counts what a function logs, and the polls that its metrics tell of.
async fn read_log(output: tokio::process::ChildStdout, ledger: Arc<Mutex<Ledger>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        if told["level"] == "ERROR" || told["level"] == "WARN" {
            eprintln!("cost: {line}");
        }
        let polls = match &told["PollDuration"] {
            Value::Array(all) => all.len() as u64,
            Value::Number(_) => 1,
            _ => 0,
        };
        let mut ledger = lock(&ledger);
        ledger.logged += line.len() as u64 + LINE;
        ledger.polls += polls;
    }
}

/// What CloudWatch adds to the bytes of a line.
const LINE: u64 = 26;

/// The processor time that a process has used, by all threads that are still there.
fn cpu(process: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn peak_kib(process: Option<u32>) -> u64 {
    let read = || {
        let status = fs::read_to_string(format!("/proc/{}/status", process?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    read().unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
