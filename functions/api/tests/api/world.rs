//! A service to ask.

use crate::vods::MadeUp;
use api::Api;
use api::channels::Channels;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use relay::Timestamp;
use relay::ports::{Clock, Record, Runs, Sessions, StoreError};
use relay::progress::{Progress, Status};
use relay::session::{Access, Session, SessionId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tests::memory::Memory;
use tests::shelf::MemoryShelf;
use tower::ServiceExt;
use url::Url;

/// A process that carries what it is told to, and says what it was told to say.
pub struct Process {
    sessions: Arc<Memory>,
    pub carried: Mutex<BTreeMap<SessionId, Record>>,
}

/// A source that no output takes.
pub const REFUSED: &str = "https://refused.example/main.m3u8";

impl Runs for Process {
    async fn objection(&self, _: &Session, access: &Access) -> Option<String> {
        let is_refused = access.source.path() == "/channels/none/master.m3u8";
        (is_refused || access.source.as_str() == REFUSED)
            .then(|| "webdav does not take this source: no".to_owned())
    }

    async fn start(&self, session: &Session) {
        let record = Record { session: session.clone(), progress: Progress::default() };
        self.carried.lock().unwrap().insert(session.id.clone(), record);
    }

    async fn stop(&self, id: &SessionId) -> Result<(), StoreError> {
        let carried = self.carried.lock().unwrap().remove(id);
        let progress = carried.map(|record| record.progress).unwrap_or_default();
        let reason = Some("stopped on request".to_owned());
        self.sessions.report(id, &Progress { status: Status::Stopped, reason, ..progress }).await
    }

    fn progress(&self, id: &SessionId) -> Option<Progress> {
        self.carried.lock().unwrap().get(id).map(|record| record.progress.clone())
    }

    fn carried(&self) -> Vec<Record> {
        self.carried.lock().unwrap().values().cloned().collect()
    }
}

/// A second passes each time somebody looks.
#[derive(Default)]
pub struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000_000 + 1_000_000 * self.0.fetch_add(1, Ordering::Relaxed))
    }

    async fn sleep_until(&self, _: Timestamp) {
        // Others have several turns until then.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

pub struct World {
    pub sessions: Arc<Memory>,
    pub process: Arc<Process>,
    pub channels: Channels<MemoryShelf, MadeUp, Ticking>,
    pub router: Router,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The fields of a problem, with what is wrong with each.
    pub fn errors(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| (text(&error["field"]), text(&error["detail"]))).collect()
    }
}

impl World {
    pub fn new() -> Self {
        let sessions = Arc::new(Memory::default());
        let process =
            Arc::new(Process { sessions: Arc::clone(&sessions), carried: Mutex::default() });
        let number = AtomicU8::new(0);
        let api = Api {
            sessions: Arc::clone(&sessions),
            runs: Arc::clone(&process),
            clock: Arc::new(Ticking::default()),
            new_id: Arc::new(move || {
                let number = number.fetch_add(1, Ordering::Relaxed);
                api::session_id([0, 0, 0, 0, 0, 0, 0, 0, 0, number])
            }),
            refuses: Arc::new(refuses),
            here: Some(Url::parse("http://127.0.0.1:8080/").unwrap()),
        };
        let channels = Channels::new(
            Arc::new(MemoryShelf::default()),
            Arc::new(MadeUp::default()),
            Arc::new(Ticking::default()),
            Arc::new(refuses),
            None,
        );
        let router = api::router(api).merge(api::channels::router(channels.clone()));
        Self { sessions, process, channels, router }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 4 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    /// The time of the channels.
    pub fn now(&self) -> Timestamp {
        self.channels.clock.now()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, "application/json", body.to_string()).await
    }

    pub async fn post_text(&self, path: &str, kind: &str, body: String) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, kind);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Makes a session that writes to `place`, and returns its id.
    pub async fn make(&self, place: &str) -> String {
        let answer = self.post("/sessions", &request(place)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    }
}

fn refuses(url: &Url) -> Option<String> {
    let private = url.host_str() == Some("127.0.0.1");
    private.then(|| "127.0.0.1 is not a public address".to_owned())
}

/// What makes a session that writes to `place`.
pub fn request(place: &str) -> Value {
    json!({
        "name": "news",
        "source": { "url": "https://origin.example/live/main.m3u8" },
        "output": {
            "type": "mediapackage",
            "endpoints": [{ "url": format!("https://in.example/{place}/channel") }],
        },
    })
}
