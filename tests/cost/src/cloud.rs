//! AWS as the functions see it: MiniStack behind a counter, and the two services that are played here.

use crate::Result;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tests::ministack::MiniStack;
use tokio::sync::mpsc;

/// What DynamoDB takes to answer, beside what MiniStack does.
const FAR: Duration = Duration::from_millis(3);

/// The table's name.
pub const TABLE: &str = "table";

/// AWS, until it is dropped.
pub struct Cloud {
    stack: MiniStack,
    http: reqwest::Client,
    /// Where it answers.
    pub url: String,
    calls: Arc<Mutex<Calls>>,
}

/// Calls, by what they are for.
pub type Calls = BTreeMap<&'static str, u64>;

struct Counter {
    to: String,
    http: reqwest::Client,
    calls: Arc<Mutex<Calls>>,
    starts: mpsc::UnboundedSender<Value>,
}

impl Cloud {
    /// An AWS with an empty table. What is started of the state machine goes to `starts`.
    ///
    /// # Errors
    /// When MiniStack does not do what it is asked.
    pub async fn new(starts: mpsc::UnboundedSender<Value>) -> Result<Self> {
        let stack = MiniStack::start();
        let http = client()?;
        let calls = Arc::new(Mutex::default());
        let counter = Counter {
            to: stack.url.clone(),
            http: http.clone(),
            calls: Arc::clone(&calls),
            starts,
        };
        let url =
            crate::listen(Router::new().fallback(any(answer)).with_state(counter.into())).await?;
        let cloud = Self { stack, http, url, calls };
        cloud.ask("DynamoDB_20120810.CreateTable", table()).await?;
        Ok(cloud)
    }

    /// The calls up to now.
    pub fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sizes of all items of the table, by the beginning of their keys, as DynamoDB counts them.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn sizes(&self) -> Result<BTreeMap<String, Vec<u64>>> {
        let found = self.ask("DynamoDB_20120810.Scan", json!({ "TableName": TABLE })).await?;
        let mut sizes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for item in found["Items"].as_array().into_iter().flatten() {
            let kind = item["PK"]["S"].as_str().and_then(|key| key.split('#').next());
            let size = item
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| name.len() as u64 + bytes(value));
            sizes.entry(kind.unwrap_or_default().to_owned()).or_default().push(size.sum());
        }
        Ok(sizes)
    }

    /// Asks MiniStack itself, uncounted.
    ///
    /// # Errors
    /// When it refuses.
    pub async fn ask(&self, action: &str, body: Value) -> Result<Value> {
        let service = if action.starts_with("Dynamo") { "dynamodb" } else { "secretsmanager" };
        let request = self
            .http
            .post(&self.stack.url)
            .header("x-amz-target", action)
            .header("content-type", "application/x-amz-json-1.1")
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
                ),
            );
        let answer = request.body(body.to_string()).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            return Err(format!("{action} was answered with {status}: {text}").into());
        }
        Ok(serde_json::from_str(&text)?)
    }
}

async fn answer(State(counter): State<Arc<Counter>>, request: Request) -> Response {
    hand_on(&counter, request).await.unwrap_or_else(|error| {
        eprintln!("cost: the stand-in for AWS failed: {error}");
        StatusCode::BAD_GATEWAY.into_response()
    })
}

async fn hand_on(counter: &Counter, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await?;
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let action = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    for (purpose, count) in purposes(action, &told) {
        let mut calls = counter.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(purpose).or_default() += count;
    }
    if action == "StartExecution" {
        let input = told["input"].as_str().unwrap_or_default();
        counter.starts.send(serde_json::from_str(input)?)?;
        let started =
            json!({ "executionArn": "arn:aws:states:us-east-1:0:express:m:r", "startDate": 1 });
        return Ok(started.to_string().into_response());
    }
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, path) if path.starts_with("/channels/") => {
            let input = |n: u8| json!({ "id": format!("i{n}"), "url": format!("https://in{n}.example/c"), "username": "u", "password": "p" });
            let channel =
                json!({ "id": "main", "hlsIngest": { "ingestEndpoints": [input(1), input(2)] } });
            return Ok(channel.to_string().into_response());
        }
        (&Method::PUT, "/stack") => return Ok(StatusCode::OK.into_response()),
        _ => {}
    }
    tokio::time::sleep(FAR).await;
    let request = counter.http.request(parts.method, format!("{}{}", counter.to, parts.uri));
    let answer = request.headers(parts.headers).body(body).send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    Ok((status, headers, answer.bytes().await?).into_response())
}

/// What a call is for, and how many items it is about.
fn purposes(action: &str, told: &Value) -> Vec<(&'static str, u64)> {
    let keys = |value: &Value| value["Keys"].as_array().map_or(0, |keys| keys.len() as u64);
    match action {
        "BatchGetItem" => {
            let asked = told["RequestItems"].as_object().into_iter().flatten();
            vec![("read cursor", asked.map(|(_, table)| keys(table)).sum())]
        }
        "GetItem" if told["Key"]["SK"]["S"] == "cursor" => vec![("read cursor", 1)],
        "GetItem" => vec![("read session", 1)],
        "Query" => vec![("query", 1)],
        "UpdateItem" => {
            let does = told["UpdateExpression"].as_str().unwrap_or_default();
            let purpose = match does.split_whitespace().nth(1).unwrap_or_default() {
                "#cursor" => "commit",
                "holder" => "take over",
                "#until" => "renew",
                "#end" => "release",
                "progress" => "report",
                _ => "other write",
            };
            vec![(purpose, 1)]
        }
        "TransactWriteItems" => vec![("transaction", 1)],
        "GetSecretValue" => vec![("read secret", 1)],
        "StartExecution" => vec![("start", 1)],
        _ => Vec::new(),
    }
}

/// The bytes of a value as DynamoDB counts them: text and numbers about as long as they are written.
fn bytes(value: &Value) -> u64 {
    let [(kind, value)] = value.as_object().into_iter().flatten().collect::<Vec<_>>()[..] else {
        return 0;
    };
    let length = value.as_str().map_or(0, str::len) as u64;
    match kind.as_str() {
        "S" => length,
        "N" => length.div_ceil(2) + 1,
        // Base64.
        "B" => length / 4 * 3,
        _ => 1,
    }
}

fn table() -> Value {
    let key = |hash: &str| json!([{ "AttributeName": hash, "KeyType": "HASH" }, { "AttributeName": "SK", "KeyType": "RANGE" }]);
    let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
    json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [text("PK"), text("SK"), text("active")],
        "KeySchema": key("PK"),
        "GlobalSecondaryIndexes": [{
            "IndexName": "active",
            "KeySchema": key("active"),
            "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["status", "bits_per_second", "tick_ms"] },
        }],
    })
}

/// A client for what listens on this machine, without encryption.
fn client() -> Result<reqwest::Client> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).build()?)
}
