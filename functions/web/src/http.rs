//! The HTTP clients of all sessions: connections that are kept, and what each may hold.

use crate::names::Names;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::redirect::Policy;
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// What a connection sets aside to read a segment into, at most, and keeps while it is idle: hyper's own
/// limit, which its buffer grows up to when bytes come fast.
pub(crate) const READ: usize = 408 << 10;
/// Idle connections that are kept to one host for what is small, playlists and answers to uploads: about as
/// many as requests run at once when 200 sessions poll it.
const IDLE_A_HOST: usize = 256;
/// Idle connections that are kept to one host for segments: fewer, for each keeps [`READ`] bytes, and one that is
/// used again within a moment is enough for several sessions.
const IDLE_SEGMENTS_A_HOST: usize = 32;
/// How long a connection is kept idle: longer than the usual segment, shorter than the usual
/// server's patience.
const IDLE: Duration = Duration::from_secs(30);
/// How long what was sent may stay without the other side's acknowledgement. A peer that went
/// away silently is noticed so, before the deadline of an upload.
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);
/// What sources and endpoints see in their logs.
const AGENT: &str = concat!("hls-ferry/", env!("CARGO_PKG_VERSION"));

/// Sends requests. Clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    small: reqwest::Client,
    segments: reqwest::Client,
}

/// What an answer is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A playlist, or the answer to an upload.
    Small,
    /// A segment.
    Segment,
}

/// Why there is no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error(transparent)]
    Request(#[from] reqwest::Error),
    /// The body is not what its encoding says.
    #[error("the body cannot be decompressed")]
    Encoding,
}

impl Http {
    pub(crate) fn new(
        tls: ClientConfig,
        names: Names,
        patience: Duration,
    ) -> Result<Self, reqwest::Error> {
        let names = Arc::new(names);
        let client = |idle| {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Arc::clone(&names))
                .no_proxy()
                .no_gzip()
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .user_agent(AGENT)
                .connect_timeout(patience)
                .tcp_user_timeout(UNACKNOWLEDGED)
                // A server that defers accepting (Apache does) has a connection that was never used half
                // open; after a probe on it, Linux 6.15 and later drop its first request for seconds.
                .tcp_keepalive(None)
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(idle)
                .build()
        };
        Ok(Self { small: client(IDLE_A_HOST)?, segments: client(IDLE_SEGMENTS_A_HOST)? })
    }

    /// Sends one request; the answer's body is still to be read.
    pub(crate) async fn send(
        &self,
        (method, url): (Method, &Url),
        headers: HeaderMap,
        body: Bytes,
        expected: Expected,
    ) -> Result<Answer, HttpError> {
        let mut url = url.clone();
        // Whoever asks says what signs in, where anything does. An address without a host has none.
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        let client = match expected {
            Expected::Small => &self.small,
            Expected::Segment => &self.segments,
        };
        let mut response = client.request(method, url).headers(headers).body(body).send().await?;
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status: response.status(), headers, response })
    }
}

/// An answer whose body is being read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    response: reqwest::Response,
}

impl Answer {
    /// Whether the body is compressed.
    pub(crate) fn is_gzip(&self) -> bool {
        let named = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"gzip");
        self.headers.get(header::CONTENT_ENCODING).is_some_and(named)
    }

    /// How many bytes the body has, as far as that is said.
    pub(crate) fn content_length(&self) -> Option<usize> {
        self.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The next piece of the body as it is transferred; absent at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        Ok(self.response.chunk().await?)
    }
}
