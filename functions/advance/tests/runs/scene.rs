//! A live source, an endpoint with a judge, and a stand-in for AWS whose calls are counted.

use advance::{Answer, Failure, Settings, World};
use aws::{DynamoSessions, Environment, Input, Run, SdkConfig, Secrets, Table};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, put};
use hls::Micros;
use relay::Timestamp;
use relay::ports::{Clock, Sessions};
use relay::session::{OutputKind, SessionId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tests::conformance;
use tests::ministack::MiniStack;
use url::Url;
use web::clock::TokioClock;

/// How long a segment is, in milliseconds.
const SEGMENT: u128 = 1_000;
/// When the source that ends does.
const END: u128 = 4_000;

pub struct Scene {
    _stack: MiniStack,
    /// By way of what counts.
    config: SdkConfig,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
    pub sessions: DynamoSessions<TokioClock>,
    clock: Arc<TokioClock>,
    address: String,
    pub endpoint: Endpoint,
    lines: Mutex<Vec<String>>,
}

pub fn id(id: &str) -> SessionId {
    SessionId(id.to_owned())
}

async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

impl Scene {
    pub async fn new() -> Self {
        let stack = MiniStack::start();
        let direct = aws::sdk_at(&stack.url).await;
        stack.table("table");
        let calls = Arc::new(Mutex::default());
        let counting = listen(counting(stack.url.clone(), Arc::clone(&calls))).await;
        let clock = Arc::new(TokioClock::new());
        let secrets = Arc::new(Secrets::new(&direct, "ferry/".to_owned()));
        let table = Table::new(&direct, "table".to_owned());
        let endpoint = Endpoint::default();
        let router = Router::new()
            .route("/live/{name}/main.m3u8", get(playlist))
            .route("/live/{name}/{segment}", get(segment))
            .with_state(Instant::now())
            .merge(
                Router::new().route("/in/{name}/{object}", put(store)).with_state(endpoint.clone()),
            );
        Self {
            _stack: stack,
            config: aws::sdk_at(&counting).await,
            calls,
            sessions: DynamoSessions::new(table, secrets, Arc::clone(&clock)),
            clock,
            address: listen(router).await,
            endpoint,
            lines: Mutex::default(),
        }
    }

    /// Makes the session of this name.
    pub async fn make(&self, name: &str) {
        let place = format!("{}/in/{name}/channel", self.address);
        let (mut session, mut access) = conformance::session(name, 1, &[&place]);
        let source = format!("{}/live/{name}/main.m3u8?token=t", self.address);
        access.source = Url::parse(&source).unwrap();
        session.output = OutputKind::MediaPackage;
        session.created = self.now();
        session.window_seconds = None;
        self.sessions.create(&session, &access).await.unwrap();
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn run(&self, names: &[&str]) -> Run {
        Input::new(self.now(), 240, names.iter().map(|name| id(name)).collect()).run
    }

    pub fn function(&self) -> World {
        self.function_over("table")
    }

    /// An environment of the function, with a table of this name.
    pub fn function_over(&self, table: &str) -> World {
        let look_up = |name: &str| match name {
            "FERRY_TABLE" => Some(table.to_owned()),
            "FERRY_SECRETS" => Some("ferry/".to_owned()),
            "FERRY_ALSO_REACH" => Some("127.0.0.1".to_owned()),
            _ => None,
        };
        let settings = Settings::read(&Environment(&look_up)).unwrap();
        World::new(settings, &self.config, || 7).unwrap()
    }

    pub async fn invoke(&self, function: &World, run: Run) -> Result<Answer, Failure> {
        let deadline = self.now() + Micros::from_secs(40);
        let print = |line: &str| self.lines.lock().unwrap().push(line.to_owned());
        function.invoke(run, deadline, &print).await
    }

    /// The calls of the function, by action.
    pub fn calls(&self) -> BTreeMap<String, usize> {
        self.calls.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub async fn revision(&self, name: &str) -> u64 {
        self.sessions.table().mark(&id(name)).await.unwrap().unwrap().revision
    }
}

/// Hands on what it is asked, and counts it.
fn counting(to: String, calls: Arc<Mutex<BTreeMap<String, usize>>>) -> Router {
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(
            rustls::ClientConfig::builder_with_provider(Arc::new(
                rustls::crypto::ring::default_provider(),
            ))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
        )
        .build()
        .unwrap();
    let hand_on = async move |request: Request| -> Response {
        let (parts, body) = request.into_parts();
        let target = parts.headers.get("x-amz-target").map(|it| it.to_str().unwrap().to_owned());
        let action = target.as_deref().and_then(|it| it.rsplit('.').next()).unwrap_or_default();
        *calls.lock().unwrap().entry(action.to_owned()).or_default() += 1;
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let request = http.request(parts.method, format!("{to}{}", parts.uri));
        let answer = request.headers(parts.headers).body(body).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.bytes().await.unwrap()).into_response()
    };
    Router::new().fallback(any(hand_on))
}

async fn playlist(State(began): State<Instant>, Path(name): Path<String>) -> Response {
    use std::fmt::Write;
    if name == "broken" {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let elapsed = began.elapsed().as_millis();
    let ends = name == "ends" && elapsed >= END;
    let newest = 100 + if ends { END } else { elapsed } / SEGMENT;
    let first = newest - 5;
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
    );
    for number in first..=newest {
        write!(text, "#EXTINF:1.0,\n{number}.ts\n").unwrap();
    }
    if ends {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text.into_response()
}

async fn segment(Path((name, segment)): Path<(String, String)>) -> String {
    format!("{name} {segment}")
}

/// What an endpoint was given, and what was wrong about it.
#[derive(Clone, Default)]
pub struct Endpoint(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    objects: BTreeMap<String, Bytes>,
    /// The numbers that were listed, by session, and the last body of each.
    listed: BTreeMap<String, BTreeMap<u64, Bytes>>,
    first: BTreeMap<String, u64>,
    last_write: BTreeMap<String, Instant>,
    violations: Vec<String>,
}

async fn store(
    State(endpoint): State<Endpoint>,
    Path((name, object)): Path<(String, String)>,
    body: Bytes,
) -> StatusCode {
    let mut stored = endpoint.0.lock().unwrap();
    stored.last_write.insert(name.clone(), Instant::now());
    if object.ends_with(".m3u8") && object != "channel.m3u8" {
        stored.judge(&name, std::str::from_utf8(&body).unwrap());
    }
    stored.objects.insert(format!("{name}/{object}"), body);
    StatusCode::CREATED
}

impl Stored {
    /// Promises 1 to 3, as far as one playlist tells.
    fn judge(&mut self, name: &str, text: &str) {
        let first = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        let first: u64 = first.map_or(0, |first| first.parse().unwrap());
        let before = self.first.insert(name.to_owned(), first).unwrap_or_default();
        let mut wrong = Vec::new();
        if first < before {
            wrong.push(format!("{name} went back from {before} to {first}"));
        }
        let listed = self.listed.entry(name.to_owned()).or_default();
        let uris = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let mut last = 0;
        for (number, uri) in (first..).zip(uris) {
            last = number;
            match self.objects.get(&format!("{name}/{uri}")) {
                None => wrong.push(format!("{name} lists {uri}, which is not there")),
                Some(body) => {
                    let same = listed.entry(number).or_insert_with(|| body.clone());
                    if same != body {
                        wrong.push(format!("{name}: {number} means something else now"));
                    }
                }
            }
        }
        if listed.last_key_value().is_some_and(|(newest, _)| *newest > last) {
            wrong.push(format!("{name} lists up to {last} after more"));
        }
        if text.contains("#EXT-X-DISCONTINUITY\n") {
            wrong.push(format!("{name} jumped"));
        }
        self.violations.extend(wrong);
    }
}

impl Endpoint {
    /// How many segments of a session were listed, one after the other; nothing may have been wrong.
    pub fn judge(&self, name: &str) -> usize {
        let stored = self.0.lock().unwrap();
        assert!(stored.violations.is_empty(), "{:?}", stored.violations);
        let listed = &stored.listed[name];
        let bodies: Vec<u64> = listed
            .values()
            .map(|body| {
                let text = String::from_utf8(body.to_vec()).unwrap();
                let number = text.trim_start_matches(name).trim().trim_end_matches(".ts");
                number.parse().unwrap()
            })
            .collect();
        assert!(bodies.windows(2).all(|two| two[1] == two[0] + 1), "{name}: {bodies:?}");
        listed.len()
    }

    pub fn ended(&self, name: &str) -> bool {
        let stored = self.0.lock().unwrap();
        let mut of = stored.objects.iter().filter(|(object, _)| {
            object.starts_with(&format!("{name}/")) && !object.ends_with("/channel.m3u8")
        });
        of.any(|(object, body)| {
            object.ends_with(".m3u8") && String::from_utf8_lossy(body).contains("#EXT-X-ENDLIST")
        })
    }

    pub fn last_write(&self, name: &str) -> Instant {
        self.0.lock().unwrap().last_write[name]
    }
}
