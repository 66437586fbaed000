//! The WebDAV ingest client.

use crate::challenge::Signed;
use crate::connector::Shared;
use crate::http::Expected;
use crate::pace::Pace;
use crate::sign_in::{Ahead, Next, Own, SignIn, Ticket};
use crate::wire::{self, Tries};
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH,
};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use relay::ports::{ContentType, Ingest, IngestError};
use relay::session::{Credentials, Endpoint, OutputKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};
use url::{Position, Url};

/// From so many bytes on, a body is not sent where it is likely to be refused: a request without a
/// body is sent before it.
const LARGE: usize = 16 << 10;
/// How often one request is signed anew: for a nonce that went stale, and for one that others used
/// up.
const ROUNDS: usize = 3;
/// How many requests without a body go before one with a large body.
const AHEAD: usize = 3;
/// How deep below an existing collection the endpoint may lie.
const COLLECTIONS: usize = 16;
/// An entity tag that nothing has. `If-Match` with it makes a request that would change something
/// fail (RFC 9110 section 13.1.1) where it is not refused for want of credentials.
const NO_SUCH_VERSION: HeaderValue = HeaderValue::from_static("\"hls-ferry-asks-for-a-challenge\"");

/// One endpoint of one session.
#[derive(Debug)]
pub struct WebDavIngest {
    shared: Arc<Shared>,
    /// Without user info. Objects lie beside it, under its query string: a token there is for all
    /// of the place.
    url: Url,
    sign_in: Option<SignIn>,
    pace: Option<Pace>,
    /// Counts how often missing collections were made.
    collections: tokio::sync::Mutex<u64>,
}

/// One request.
struct Request<'a> {
    method: Method,
    url: &'a Url,
    /// What messages call it.
    shown: &'a str,
    content_type: Option<ContentType>,
    body: Bytes,
}

impl Request<'_> {
    /// The same without a body, and without a meaning.
    fn empty(&self) -> Self {
        let (method, body) = (self.method.clone(), Bytes::new());
        Self { method, url: self.url, shown: self.shown, content_type: None, body }
    }

    /// What is signed of it.
    fn signed(&self) -> Signed<'_> {
        let uri = &self.url[Position::BeforePath..Position::AfterQuery];
        Signed { method: &self.method, uri }
    }
}

/// The right to be the only one who learns how to sign in.
type Turn<'a> = Option<tokio::sync::MutexGuard<'a, ()>>;

/// Why one try came to nothing.
enum Failure {
    /// Trying again would not help.
    Final(IngestError),
    /// It may pass.
    Passing { reason: String, asked: Option<Duration> },
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        Self::Final(error)
    }
}

fn unavailable(reason: String) -> IngestError {
    IngestError::Unavailable { reason }
}

impl WebDavIngest {
    pub(crate) fn new(shared: Arc<Shared>, endpoint: &Endpoint, kind: OutputKind) -> Self {
        let (url, in_url) = without_credentials(&endpoint.url);
        let a_second = shared.settings.limits.requests_a_second;
        let pace = a_second.or(kind.abilities().requests_a_second).map(Pace::new);
        let sign_in = endpoint.credentials.clone().or(in_url).map(SignIn::new);
        Self { shared, url, sign_in, pace, collections: tokio::sync::Mutex::default() }
    }

    /// The address of `name`, beside the endpoint's: that which a player asks for that reads it in a playlist there.
    fn beside(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        url.set_path(&format!("{folder}/{name}"));
        url
    }

    /// Does a request within a time, and says what status came of it.
    async fn exchange<'s>(
        &'s self,
        request: &Request<'_>,
        turn: &mut Turn<'s>,
        deadline: Instant,
    ) -> Result<StatusCode, IngestError> {
        let mut tries = Tries::new(&self.shared.settings.patience, deadline);
        loop {
            let (reason, asked) = match self.signed(request, turn).await {
                Ok(status) => return Ok(status),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { reason, asked }) => (reason, asked),
            };
            match tries.next(Instant::now(), asked, wire::jitter()) {
                Some(pause) => sleep(pause).await,
                None => return Err(unavailable(reason)),
            }
        }
    }

    /// Sends a request, signed in as the server wants it.
    ///
    /// As long as the server has not accepted the credentials, the turn is taken, and the caller
    /// keeps it: others shall not run into what this request runs into. A server that takes one
    /// request at a time gets one at a time.
    async fn signed<'s>(
        &'s self,
        request: &Request<'_>,
        turn: &mut Turn<'s>,
    ) -> Result<StatusCode, Failure> {
        let Some(sign_in) = &self.sign_in else {
            let (status, _) = self.send(request, &Ticket::default()).await?;
            if status == StatusCode::UNAUTHORIZED {
                let reason = "endpoint answered 401, and there are no credentials for it";
                return Err(IngestError::Denied { reason: reason.to_owned() }.into());
            }
            return Ok(status);
        };
        if turn.is_none() {
            *turn = sign_in.queue().await;
        }
        let mut own = None;
        for round in 1..=ROUNDS {
            let mut learning = None;
            if request.body.len() >= LARGE {
                if turn.is_none() && sign_in.ahead(own.as_ref(), Instant::now()).is_some() {
                    learning = Some(sign_in.turn().await);
                }
                self.look_ahead(sign_in, request, &mut own).await?;
            }
            let ticket = sign_in.sign(&mut own, request.signed(), Instant::now())?;
            drop(learning);
            let (status, headers) = self.send(request, &ticket).await?;
            if status != StatusCode::UNAUTHORIZED {
                sign_in.accepted(&ticket, &headers, Instant::now());
                sign_in.release(own);
                return Ok(status);
            }
            let is_last = round + 1 >= ROUNDS;
            if sign_in.challenged(&ticket, &headers, is_last, Instant::now())? == Next::Own {
                if turn.is_none() {
                    *turn = Some(sign_in.turn().await);
                }
                let (_, headers) = self.send(&request.empty(), &Ticket::default()).await?;
                own = Own::read(&headers, Instant::now());
            }
        }
        let shown = request.shown;
        Err(unavailable(format!("endpoint refuses one nonce after the other for {shown}")).into())
    }

    /// Sends what should be sent before a large body, which is the same request without it.
    async fn look_ahead(
        &self,
        sign_in: &SignIn,
        request: &Request<'_>,
        own: &mut Option<Own>,
    ) -> Result<(), Failure> {
        let empty = request.empty();
        for _ in 0..AHEAD {
            let ticket = match sign_in.ahead(own.as_ref(), Instant::now()) {
                None => return Ok(()),
                Some(Ahead::Ask) => Ticket::default(),
                Some(Ahead::Check) => sign_in.sign(own, empty.signed(), Instant::now())?,
            };
            let (status, headers) = self.send(&empty, &ticket).await?;
            if status == StatusCode::UNAUTHORIZED {
                sign_in.challenged(&ticket, &headers, false, Instant::now())?;
            } else {
                sign_in.accepted(&ticket, &headers, Instant::now());
            }
        }
        Ok(())
    }

    /// Sends one request once.
    async fn send(
        &self,
        request: &Request<'_>,
        ticket: &Ticket,
    ) -> Result<(StatusCode, HeaderMap), Failure> {
        let refused = |reason: String| Failure::Final(unavailable(reason));
        self.shared.guard.check(request.url).map_err(|it| refused(it.to_string()))?;
        if let Some(pace) = &self.pace {
            pace.pass().await;
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        match request.content_type {
            Some(kind) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind.0));
            }
            None if request.method == Method::PUT => {
                headers.insert(IF_MATCH, NO_SUCH_VERSION);
            }
            None => {}
        }
        if let Some(header) = &ticket.header {
            headers.insert(AUTHORIZATION, header.clone());
        }
        if request.method == Method::PUT {
            // Said for an empty body as well, which is what it would else be left out for.
            headers.insert(CONTENT_LENGTH, request.body.len().into());
        }
        let (method, body) = (request.method.clone(), request.body.clone());
        let sent =
            self.shared.http.send((method, request.url), headers, body, Expected::Small).await;
        let answer = sent.map_err(|error| match wire::refusal(&error) {
            Some(refusal) => refused(refusal.to_string()),
            None => Failure::Passing {
                reason: format!(
                    "no answer from the endpoint for {}: {}",
                    request.shown,
                    wire::cause(&error, &self.shared.settings.patience)
                ),
                asked: None,
            },
        })?;
        let (status, headers) = (answer.status, answer.headers.clone());
        wire::drain(answer).await;
        if wire::is_passing(status) {
            let reason = format!("endpoint answered {} for {}", status.as_u16(), request.shown);
            return Err(Failure::Passing { reason, asked: wire::retry_after(&headers) });
        }
        Ok((status, headers))
    }

    /// Makes the collections that the endpoint lies in, as far as they are missing.
    async fn make_collections<'s>(
        &'s self,
        turn: &mut Turn<'s>,
        deadline: Instant,
    ) -> Result<(), IngestError> {
        let mut missing = Vec::new();
        let mut collection = self.url.clone();
        loop {
            // The path ends in a slash from here on: the last component but one is the next parent.
            let is_root = match collection.path_segments_mut() {
                Ok(mut path) => {
                    path.pop_if_empty().pop().push("");
                    false
                }
                Err(()) => true,
            };
            if is_root || collection.path() == "/" || missing.len() == COLLECTIONS {
                break;
            }
            let status = self.make_collection(&collection, turn, deadline).await?;
            if status != StatusCode::CONFLICT {
                break;
            }
            missing.push(collection.clone());
        }
        for collection in missing.iter().rev() {
            self.make_collection(collection, turn, deadline).await?;
        }
        Ok(())
    }

    async fn make_collection<'s>(
        &'s self,
        url: &Url,
        turn: &mut Turn<'s>,
        deadline: Instant,
    ) -> Result<StatusCode, IngestError> {
        let shown = wire::tail(url);
        let method = Method::from_bytes(b"MKCOL").expect("it is a token");
        let request = Request { method, url, shown, content_type: None, body: Bytes::new() };
        let status = self.exchange(&request, turn, deadline).await?;
        // 405: it is there already (RFC 4918 section 9.3.1).
        if status.is_success() || matches!(status.as_u16(), 405 | 409) {
            return Ok(status);
        }
        Err(outcome(status, &format!("making the collection {shown}")))
    }

    async fn store(&self, request: &Request<'_>, deadline: Instant) -> Result<(), IngestError> {
        let made = *self.collections.lock().await;
        let mut turn = None;
        let mut status = self.exchange(request, &mut turn, deadline).await?;
        if status == StatusCode::CONFLICT {
            if self.collections.try_lock().is_err() {
                // Who makes them may wait for the turn.
                turn = None;
            }
            let mut collections = self.collections.lock().await;
            if *collections == made {
                self.make_collections(&mut turn, deadline).await?;
                *collections += 1;
            }
            drop(collections);
            status = self.exchange(request, &mut turn, deadline).await?;
        }
        if status.is_success() { Ok(()) } else { Err(outcome(status, request.shown)) }
    }
}

impl Ingest for WebDavIngest {
    async fn put(
        &self,
        name: &str,
        content_type: ContentType,
        body: Bytes,
    ) -> Result<(), IngestError> {
        let patience = &self.shared.settings.patience;
        let within = if body.len() < LARGE { patience.small_put } else { patience.large_put };
        let url = self.beside(name);
        let request = Request {
            method: Method::PUT,
            url: &url,
            shown: name,
            content_type: Some(content_type),
            body,
        };
        let deadline = Instant::now() + within;
        timeout_at(deadline, self.store(&request, deadline))
            .await
            .unwrap_or_else(|_| Err(late(name, within)))
    }

    async fn delete(&self, name: &str) -> Result<(), IngestError> {
        let within = self.shared.settings.patience.small_put;
        let url = self.beside(name);
        let request = Request {
            method: Method::DELETE,
            url: &url,
            shown: name,
            content_type: None,
            body: Bytes::new(),
        };
        let deadline = Instant::now() + within;
        let status = timeout_at(deadline, self.exchange(&request, &mut None, deadline))
            .await
            .unwrap_or_else(|_| Err(late(name, within)))?;
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
            status if status.is_success() => Ok(()),
            status => Err(outcome(status, name)),
        }
    }
}

/// The error that a status means.
fn outcome(status: StatusCode, shown: &str) -> IngestError {
    let code = status.as_u16();
    match code {
        403 => IngestError::Denied { reason: format!("endpoint answered 403 for {shown}") },
        300..400 => unavailable(format!(
            "endpoint answered {code} for {shown}, and uploads are not redirected"
        )),
        _ => unavailable(format!("endpoint answered {code} for {shown}")),
    }
}

fn late(shown: &str, within: Duration) -> IngestError {
    let seconds = within.as_secs();
    unavailable(format!("endpoint took longer than the limit of {seconds} s for {shown}"))
}

/// Takes the user info out of a URL; absent when there is none.
fn without_credentials(url: &Url) -> (Url, Option<Credentials>) {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let credentials = (!url.username().is_empty()).then(|| Credentials {
        username: decode(url.username()),
        password: decode(url.password().unwrap_or_default()),
    });
    let mut url = url.clone();
    // A URL that cannot have them has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    (url, credentials)
}
