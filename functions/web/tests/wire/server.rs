//! A server that answers as it is told, and remembers what it was asked.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use relay::session::{Access, Credentials, Endpoint, OutputKind};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use url::Url;
use web::{Connector, HttpOrigin, Patience, Reach, Settings, WebDavIngest};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub peer: SocketAddr,
    pub at: Instant,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// A server that answers each request by itself; the number counts them from 0.
    pub async fn start<R: IntoResponse>(
        answer: impl Fn(usize, &Seen) -> R + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let handler = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| {
            let (log, answer) = (Arc::clone(&log), answer.clone());
            async move {
                let at = Instant::now();
                let (head, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
                let (method, headers, uri) = (head.method, head.headers, head.uri.to_string());
                let seen = Seen { method, uri, headers, body, peer, at };
                let count = {
                    let mut log = log.lock().unwrap();
                    log.push(seen.clone());
                    log.len() - 1
                };
                answer(count, &seen).into_response()
            }
        };
        let app = Router::new().fallback(handler);
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen }
    }

    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}/{path}", self.address)).unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.seen().iter().map(|it| it.peer).collect::<BTreeSet<_>>().len()
    }
}

/// A port at which nobody listens, held so that no server of another test gets it.
pub fn dead() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A server that writes these bytes to each connection when a request has come: the first to the
/// first, the last to all others. It keeps the connection open when the last byte is none.
pub async fn raw(answers: Vec<Vec<u8>>, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for count in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = answers[count.min(answers.len() - 1)].clone();
            tokio::spawn(answer_raw(stream, answer, then));
        }
    });
    address
}

/// What a raw server does when it has written.
#[derive(Clone, Copy)]
pub enum Then {
    Close,
    Hang,
    /// Writes the last so many bytes again and again.
    Repeat(usize),
}

async fn answer_raw(mut stream: TcpStream, answer: Vec<u8>, then: Then) {
    let mut head = vec![0; 64 << 10];
    let _ = stream.read(&mut head).await;
    let _ = stream.write_all(&answer).await;
    match then {
        Then::Close => {}
        Then::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
        Then::Repeat(tail) => {
            while stream.write_all(&answer[answer.len() - tail..]).await.is_ok() {}
        }
    }
}

/// Settings for this machine, with little patience.
pub fn settings() -> Settings {
    let patience = Patience {
        connect: Duration::from_secs(1),
        stall: Duration::from_millis(400),
        playlist: Duration::from_secs(3),
        segment: Duration::from_secs(3),
        small_put: Duration::from_secs(3),
        large_put: Duration::from_secs(3),
        tries: 3,
    };
    Settings { reach: Reach::Anywhere, patience, ..Settings::default() }
}

pub fn origin(settings: Settings, source: &Url, headers: &[(&str, &str)]) -> HttpOrigin {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let access =
        Access { source: source.clone(), fallbacks: Vec::new(), headers, endpoints: Vec::new() };
    Connector::new(settings).unwrap().origin(&access)
}

pub fn ingest(settings: Settings, url: &Url, credentials: Option<(&str, &str)>) -> WebDavIngest {
    let credentials = credentials.map(|(username, password)| Credentials {
        username: username.into(),
        password: password.into(),
    });
    let endpoint = Endpoint { url: url.clone(), credentials };
    Connector::new(settings).unwrap().ingest(&endpoint, OutputKind::WebDav)
}

/// An answer of these parts.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body.into()).unwrap()
}
