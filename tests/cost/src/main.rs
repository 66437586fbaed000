//! What the functions take to start and to carry, measured on this machine, and what that costs on AWS.

mod bill;
mod cloud;
mod function;
mod machine;
mod outside;
mod prices;
mod show;

use bill::Measured;
use clap::{Parser, Subcommand};
use cloud::{Cloud, TABLE};
use function::{Function, Ledger};
use machine::Machine;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What may go wrong: the measurement only says it.
type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Measures the functions and prints Markdown tables.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
    /// The folder of the functions, each with its `bootstrap` and `bootstrap.zip`.
    #[arg(long, global = true, default_value = "target/cost")]
    built: PathBuf,
}

#[derive(Subcommand)]
enum What {
    /// Measures starts, first invocations and zips; fails when a limit is exceeded.
    Start {
        /// How often each function is started.
        #[arg(long, env = "STARTS", default_value_t = 9)]
        starts: usize,
    },
    /// Carries sessions for some minutes and works out what a month costs.
    Month {
        /// Numbers of sessions.
        #[arg(long, env = "SESSIONS", default_value = "1 5 20", value_delimiter = ' ')]
        sessions: Vec<u64>,
        /// How many minutes each is measured, after one that is not.
        #[arg(long, env = "MINUTES", default_value_t = 2)]
        minutes: u64,
    },
}

/// The functions, by name, with their memory in MB and their time-out in seconds, as `infra/` has them.
const FUNCTIONS: [(&str, (u64, u64)); 5] = [
    ("advance", (512, 40)),
    ("dispatch", (256, 30)),
    ("sessions", (256, 28)),
    ("channels", (512, 130)),
    ("credentials", (128, 60)),
];

#[tokio::main]
async fn main() -> Result<()> {
    let Options { what, built } = Options::parse();
    println!("{}\n", show::machine());
    match what {
        What::Start { starts } => {
            let stage = Stage::set(built, starts as u64, 100).await?;
            let rows = stage.starts(starts).await?;
            println!("{}", show::starts(&rows));
            if rows.iter().any(show::Row::is_too_much) {
                Err("a limit is exceeded".into())
            } else {
                Ok(())
            }
        }
        What::Month { sessions, minutes } => {
            let mut all = Vec::new();
            for sessions in sessions {
                eprintln!("cost: {sessions} sessions, {} minutes", minutes + 1);
                let stage = Stage::set(built.clone(), sessions, 1).await?;
                all.push(stage.month(sessions, minutes).await?);
            }
            println!("{}", show::months(&all));
            Ok(())
        }
    }
}

/// An AWS, sources and endpoints.
struct Stage {
    cloud: Cloud,
    starts: mpsc::UnboundedReceiver<Value>,
    outside: String,
    built: PathBuf,
}

impl Stage {
    async fn set(built: PathBuf, sessions: u64, thinned: u64) -> Result<Self> {
        let (send, starts) = mpsc::unbounded_channel();
        let cloud = Cloud::new(send).await?;
        Ok(Self { cloud, starts, outside: outside::serve(sessions, thinned).await?, built })
    }

    fn function(&self, name: &str) -> Result<Function> {
        let found = FUNCTIONS.into_iter().find(|(known, _)| *known == name);
        let (name, size) = found.ok_or("no such function")?;
        let environment = [
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_SESSION_TOKEN", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", self.cloud.url.as_str()),
            ("RUST_LOG", "info"),
            ("FERRY_TABLE", TABLE),
            ("FERRY_SHELF", TABLE),
            ("FERRY_SECRETS", "ferry/"),
            ("FERRY_METRICS", "hls-ferry"),
            ("FERRY_HTTP_SECONDS", "10"),
            ("FERRY_TICK_SECONDS", "30"),
            ("FERRY_RUN_SECONDS", "240"),
            ("FERRY_STATE_MACHINE", "arn:aws:states:us-east-1:000000000000:stateMachine:advance"),
            ("FERRY_ALSO_REACH", "127.0.0.1"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let program = self.built.join(name).join("bootstrap");
        Ok(Function::new(name, program, size, environment.to_vec()))
    }

    /// Makes a session of each source, by the API.
    async fn make(&self, sessions: u64) -> Result<Vec<String>> {
        let api = self.function("sessions")?;
        let mut ids = Vec::new();
        for number in 0..sessions {
            let endpoint = |side: &str| {
                let url = format!("{}/in/{number}-{side}/channel", self.outside);
                json!({ "url": url, "username": "user", "password": "word" })
            };
            let asked = json!({
                "name": format!("channel {number}"),
                "source": { "url": format!("{}/live/{number}/main.m3u8", self.outside) },
                "output": { "type": "mediapackage", "endpoints": [endpoint("a"), endpoint("b")] },
            });
            let made = api.invoke(&request("POST", "/sessions", &asked)).await?;
            let body: Value = serde_json::from_str(made["body"].as_str().unwrap_or_default())?;
            let id = body["id"].as_str().ok_or_else(|| format!("no session was made: {made}"))?;
            ids.push(id.to_owned());
        }
        Ok(ids)
    }

    /// Makes a channel of a film of two hours in five variants, and gives a viewer's request for one of its playlists.
    async fn play(&self) -> Result<Value> {
        let channels = self.function("channels")?;
        let url = format!("{}/vod/main.m3u8", self.outside);
        for (method, path, body) in [
            ("POST", "/assets", json!({ "id": "film", "url": url })),
            ("PUT", "/channels/one", json!({ "fill": { "assets": ["film"] } })),
        ] {
            let mut event = request(method, path, &body);
            event["routeKey"] = Value::from(format!("ANY {path}"));
            let made = channels.invoke(&event).await?;
            if made["statusCode"] != 201 {
                return Err(format!("{path}: {made}").into());
            }
        }
        let path = "/channels/one/video_1080p.m3u8";
        let event = request("GET", path, &Value::Null);
        let answer = channels.invoke(&event).await?;
        if answer["statusCode"] == 200 {
            Ok(event)
        } else {
            Err(format!("{path}: {answer}").into())
        }
    }

    /// Starts each function again and again, and takes the middle of what it needs.
    async fn starts(&self, times: usize) -> Result<Vec<show::Row>> {
        let ids = self.make(times as u64).await?;
        let secret = json!({ "Name": "ferry/channels/main", "SecretString": "{}", "ClientRequestToken": "0".repeat(32) });
        self.cloud.ask("secretsmanager.CreateSecret", secret).await?;
        let credentials = json!({
            "RequestType": "Create", "ResponseURL": format!("{}/stack", self.cloud.url), "StackId": "stack",
            "RequestId": "request", "LogicalResourceId": "Credentials",
            "ResourceProperties": { "ChannelId": "main", "SecretId": "ferry/channels/main" },
        });
        let playlist = self.play().await?;
        let mut rows = Vec::new();
        for (name, (memory, _)) in FUNCTIONS {
            let mut seen = Vec::new();
            for id in &ids {
                let event = match name {
                    "advance" => run(std::slice::from_ref(id)),
                    "sessions" => request("GET", "/sessions", &Value::Null),
                    "channels" => playlist.clone(),
                    "credentials" => credentials.clone(),
                    _ => json!({}),
                };
                let function = self.function(name)?;
                function.invoke(&event).await?;
                let first = function.ledger();
                // What follows is what it takes when it is warm.
                function.invoke(&event).await?;
                seen.push((first, function.ledger().since(first)));
            }
            let zip = self.built.join(name).join("bootstrap.zip");
            rows.push(show::Row::of(name, memory, std::fs::metadata(zip)?.len(), &seen));
        }
        Ok(rows)
    }

    /// Carries sessions as the deployed stack does, and says what was used in `minutes`.
    async fn month(mut self, sessions: u64, minutes: u64) -> Result<Measured> {
        self.make(sessions).await?;
        let advance = Arc::new(self.function("advance")?);
        let dispatch = self.function("dispatch")?;
        let machine = Arc::new(Machine::new(Arc::clone(&advance)));
        let mut starts = std::mem::replace(&mut self.starts, mpsc::unbounded_channel().1);
        let begun = Arc::clone(&machine);
        // What is dropped with this is stopped.
        let mut starter = JoinSet::new();
        starter.spawn(async move {
            let mut runs = JoinSet::new();
            while let Some(input) = starts.recv().await {
                runs.spawn(Arc::clone(&begun).run(input));
            }
        });
        let began = tokio::time::Instant::now();
        let mut before = None;
        for minute in 0..=minutes {
            tokio::time::sleep_until(began + Duration::from_secs(60 * minute)).await;
            if minute == 1 {
                before =
                    Some((advance.ledger(), dispatch.ledger(), self.cloud.calls(), machine.used()));
            }
            dispatch.invoke(&json!({})).await?;
        }
        tokio::time::sleep_until(began + Duration::from_secs(60 * (minutes + 1))).await;
        let (advance_before, dispatch_before, calls_before, machine_before) =
            before.ok_or("MINUTES must be at least 1")?;
        let mut calls = self.cloud.calls();
        for (purpose, count) in &mut calls {
            *count -= calls_before.get(purpose).copied().unwrap_or_default();
        }
        let measured = Measured {
            sessions,
            minutes,
            advance: advance.ledger().since(advance_before),
            dispatch: dispatch.ledger().since(dispatch_before),
            machine: machine.used().since(machine_before),
            calls,
            sizes: self.cloud.sizes().await?,
        };
        Ok(measured)
    }
}

/// What `dispatch` starts a run with.
fn run(ids: &[String]) -> Value {
    let sessions: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    json!({ "run": { "until": now().as_millis() as u64 + 240_000, "sessions": sessions } })
}

/// The time since 1970.
#[expect(clippy::disallowed_methods, reason = "the functions are told when they have to be done")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A request as an HTTP API hands it on.
fn request(method: &str, path: &str, body: &Value) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": { "content-type": "application/json" },
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": "api.example", "domainPrefix": "api",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "curl" },
            "requestId": "r", "routeKey": "$default", "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64,
        },
        "body": if body.is_null() { Value::Null } else { Value::from(body.to_string()) },
        "isBase64Encoded": false,
    })
}

/// Serves on a free port of this machine; says where.
///
/// # Errors
/// When it cannot listen.
async fn listen(router: axum::Router) -> Result<String> {
    let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("http://{address}"))
}
