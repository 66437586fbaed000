//! The HTTP client of all sessions: connections that are kept, and what each may hold.
//!
//! It is put together here because of one number that ready-made clients do not let go of: how much is read
//! from a connection at once. What was read stays in a buffer of the connection, idle or not, and with
//! several connections a session that would be more memory than all segments under way.

use crate::names::Names;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;
use url::{Position, Url};

/// What one connection reads at once at most, and so the most that it keeps in memory: enough for a
/// segment in a few reads. A header may not be longer.
const READ: usize = 64 << 10;
/// Idle connections that are kept to one host: about as many as requests run at once when 200
/// sessions poll it.
const IDLE_A_HOST: usize = 256;
/// How long a connection is kept idle: longer than the usual segment, shorter than the usual
/// server's patience.
const IDLE: Duration = Duration::from_secs(30);
/// How long what was sent may stay without the other side's acknowledgement. A peer that went
/// away silently is noticed so, before the deadline of an upload.
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);
/// What sources and endpoints see in their logs.
const AGENT: &str = concat!("hls-ferry/", env!("CARGO_PKG_VERSION"));

type BoxError = Box<dyn Error + Send + Sync>;

/// Sends requests. Clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Http(Client<Within, Full<Bytes>>);

/// Why there is no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// The address is none that can be asked for.
    #[error("the address cannot be asked for")]
    Address(#[from] http::uri::InvalidUri),
    #[error(transparent)]
    Request(#[from] legacy::Error),
    #[error(transparent)]
    Body(#[from] hyper::Error),
    /// The body is not what its encoding says.
    #[error("the body cannot be decompressed")]
    Encoding,
}

/// No connection was made in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection in time")]
pub(crate) struct Unconnected;

impl Http {
    pub(crate) fn new(tls: ClientConfig, names: Names, patience: Duration) -> Self {
        let mut plain = HttpConnector::new_with_resolver(names);
        plain.enforce_http(false);
        plain.set_nodelay(true);
        // A server that defers accepting (Apache does) has a connection that was never used half
        // open; after a keepalive probe on it, Linux 6.15 and later drop its first request for
        // seconds. So there are none.
        plain.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let secure = HttpsConnectorBuilder::new().with_tls_config(tls);
        let connector = secure.https_or_http().enable_http1().wrap_connector(plain);
        let mut client = Client::builder(TokioExecutor::new());
        client
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_A_HOST)
            .http1_max_buf_size(READ);
        Self(client.build(Within { connector, patience }))
    }

    /// Sends one request; the answer's body is still to be read.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, HttpError> {
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let uri: Uri = format!("{}://{authority}{path}", url.scheme()).parse()?;
        headers.entry(USER_AGENT).or_insert(const { HeaderValue::from_static(AGENT) });
        let mut request = Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) =
            (method, uri, headers);
        let (head, body) = self.0.request(request).await?.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// An answer whose body is being read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
}

impl Answer {
    /// Whether the body is compressed.
    pub(crate) fn is_gzip(&self) -> bool {
        let named = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"gzip");
        self.headers.get(CONTENT_ENCODING).is_some_and(named)
    }

    /// How many bytes the body has, as far as that is said.
    pub(crate) fn content_length(&self) -> Option<usize> {
        self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The next piece of the body as it is transferred; absent at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        while let Some(frame) = self.body.frame().await {
            // Else it is a trailer, which nobody wants.
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

/// Connects within a time: names, connections and keys together.
#[derive(Clone, Debug)]
struct Within {
    connector: HttpsConnector<HttpConnector<Names>>,
    patience: Duration,
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl Service<Uri> for Within {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = tokio::time::timeout(self.patience, self.connector.call(uri));
        Box::pin(async { connected.await.unwrap_or_else(|_| Err(Unconnected.into())) })
    }
}
