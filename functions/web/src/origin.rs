//! The origin client.

use crate::body::{Body, Buffer, Flaw};
use crate::budget::Room;
use crate::connector::Shared;
use crate::cookies::Cookies;
use crate::guard::{OwnChannel, Refusal};
use crate::headers::RequestHeaders;
use crate::http::{Answer, Expected, HttpError, READ};
use crate::part::Wanted;
use crate::settings::Patience;
use crate::versions::tells_apart;
use crate::wire::{self, Tries, tail};
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, COOKIE, DATE, ETAG, HeaderMap,
    HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RANGE,
};
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use relay::Micros;
use relay::crypt::Opener;
use relay::ports::{Fetched, Origin, OriginError, Slice, Validators};
use relay::session::Access;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

/// Redirects that are followed for one call; browsers stop at about twice as many.
const REDIRECTS: usize = 10;
/// How large a segment is thought to be before one has been read, and by how much room grows for
/// one of unknown length.
const STEP: usize = 1 << 20;
/// What is set aside for a playlist at first.
const PLAYLIST_STEP: usize = 16 << 10;
/// The longest validator that is kept; they come back to the server with every poll.
const VALIDATOR_BYTES: usize = 1 << 10;

/// The origin of one session: its cookies and request headers, over connections that all share.
#[derive(Debug)]
pub struct HttpOrigin {
    shared: Arc<Shared>,
    /// The source, where this process itself plays it.
    channel: Option<OwnChannel>,
    headers: Result<RequestHeaders, String>,
    cookies: Cookies,
    /// How large its segments are, roughly.
    segment_bytes: AtomicUsize,
}

/// Why one try came to nothing.
enum Failure {
    /// Trying again would not help.
    Final(OriginError),
    /// It may pass.
    Passing { reason: String, asked: Option<Duration> },
}

impl From<OriginError> for Failure {
    fn from(error: OriginError) -> Self {
        Self::Final(error)
    }
}

fn unavailable(reason: String) -> OriginError {
    OriginError::Unavailable { reason }
}

impl HttpOrigin {
    pub(crate) fn new(shared: Arc<Shared>, access: &Access) -> Self {
        Self {
            channel: OwnChannel::of(&access.source, shared.settings.own),
            shared,
            headers: RequestHeaders::new(&access.source, &access.headers),
            cookies: Cookies::default(),
            segment_bytes: AtomicUsize::new(STEP),
        }
    }

    /// Tries until it succeeds, fails for good, or the time is up.
    async fn persist<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        url: &Url,
        within: Duration,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, OriginError> {
        let deadline = Instant::now() + within;
        let mut tries = Tries::new(&self.shared.settings.patience, deadline);
        loop {
            let (reason, asked) = match timeout_at(deadline, attempt()).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(Failure::Final(error))) => return Err(error),
                Ok(Err(Failure::Passing { reason, asked })) => (reason, asked),
                Err(_) => {
                    let (seconds, shown) = (within.as_secs(), tail(url));
                    return Err(unavailable(format!(
                        "origin took longer than the limit of {seconds} s for {shown}"
                    )));
                }
            };
            match tries.next(Instant::now(), asked, wire::jitter()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(unavailable(reason)),
            }
        }
    }

    /// Asks for `url`, and for where it redirects to, as `extra` says.
    async fn get(
        &self,
        url: &Url,
        extra: &HeaderMap,
        expected: Expected,
        silence: Duration,
    ) -> Result<(Answer, Url), Failure> {
        let headers = self.headers.as_ref().map_err(|reason| unavailable(reason.clone()))?;
        let mut at = url.clone();
        for redirects in 0..=REDIRECTS {
            // No redirect leads to what this process serves.
            let own = redirects == 0 && self.channel.as_ref().is_some_and(|own| own.has(&at));
            if !own {
                let refused = |it: Refusal| OriginError::Refused { reason: it.to_string() };
                self.shared.guard.check(&at).map_err(refused)?;
            }
            let mut all = headers.for_url(&at);
            if let Some(cookies) = self.cookies.to(&at) {
                all.append(COOKIE, cookies);
            }
            if let Some(basic) = basic(&at) {
                all.entry(AUTHORIZATION).or_insert(basic);
            }
            all.extend(extra.clone());
            all.entry(ACCEPT).or_insert(const { HeaderValue::from_static("*/*") });
            all.entry(ACCEPT_ENCODING).or_insert(const { HeaderValue::from_static("gzip") });
            let sent = self.shared.http.send((Method::GET, &at), all, Bytes::new(), expected);
            let answer = timeout(silence, sent)
                .await
                .map_err(|_| self.stalled(url))?
                .map_err(|error| self.failed(&error, url))?;
            self.cookies.keep(&answer.headers, &at);
            let Some(target) = redirect(&answer) else { return Ok((answer, at)) };
            at = at.join(&target).map_err(|_| {
                unavailable(format!("origin redirects {} to an address that is none", tail(url)))
            })?;
            wire::drain(answer).await;
        }
        Err(unavailable(format!(
            "origin redirects {} more often than the limit of {REDIRECTS}",
            tail(url)
        ))
        .into())
    }

    /// Reads a body to its end, or the part of it that is wanted, and says `what` was too long when
    /// that is longer than `limit`.
    async fn read(
        &self,
        mut answer: Answer,
        url: &Url,
        (what, limit): (&str, usize),
        mut wanted: Option<Wanted>,
        mut room: Option<&mut Room>,
    ) -> Result<Buffer, Failure> {
        let too_long = || {
            unavailable(format!("{} is over the limit of {limit} bytes for a {what}", tail(url)))
        };
        let length = wanted.map_or_else(|| plain_length(&answer), |wanted| Some(wanted.take));
        if length.is_some_and(|length| length > limit) {
            return Err(too_long().into());
        }
        let buffer = match room {
            Some(_) => Buffer::pages(length.unwrap_or(STEP)),
            None => Buffer::small(length.unwrap_or(PLAYLIST_STEP)),
        };
        let flawed = |flaw| match flaw {
            Flaw::TooLong => too_long().into(),
            Flaw::Encoding => self.failed(&HttpError::Encoding, url),
        };
        let mut body = Body::new(buffer, limit, answer.is_gzip());
        while wanted.is_none_or(|wanted| wanted.take > 0) {
            let chunk = timeout(self.shared.settings.patience.stall, answer.chunk())
                .await
                .map_err(|_| self.stalled(url))?
                .map_err(|error| self.failed(&error, url))?;
            let Some(chunk) = chunk else { break };
            let chunk = wanted.as_mut().map_or(&chunk[..], |wanted| wanted.cut(&chunk));
            for chunk in chunk.chunks(body.step()) {
                if let Some(room) = &mut room {
                    room.grow(body.len_with(chunk) + READ).await;
                }
                body.take(chunk).map_err(flawed)?;
            }
        }
        if wanted.is_some_and(|wanted| wanted.take > 0) {
            let reason = format!("{} ends before the byte range that is wanted of it", tail(url));
            return Err(OriginError::Gone { reason, for_good: false }.into());
        }
        body.end().map_err(flawed)
    }

    async fn try_playlist(
        &self,
        url: &Url,
        extra: &HeaderMap,
        silence: Duration,
    ) -> Result<Fetched, Failure> {
        let (answer, at) = self.get(url, extra, Expected::Small, silence).await?;
        if answer.status == StatusCode::NOT_MODIFIED && !extra.is_empty() {
            return Ok(Fetched::Unchanged);
        }
        let answer = expect_ok(answer, url).await?;
        let header = |name| {
            let value = answer.headers.get(name)?.to_str().ok()?;
            (value.len() <= VALIDATOR_BYTES).then(|| value.to_owned())
        };
        let validators = Validators { etag: header(ETAG), last_modified: header(LAST_MODIFIED) };
        let validators =
            if tells_apart(&validators, header(DATE)) { validators } else { Validators::default() };
        let limit = self.shared.settings.limits.playlist_bytes;
        let text = self.read(answer, url, ("playlist", limit), None, None).await?;
        Ok(Fetched::Changed { text: text.into(), url: at, validators })
    }

    async fn try_segment(
        &self,
        url: &Url,
        slice: Option<Slice>,
        extra: &HeaderMap,
        opener: Option<&Opener>,
    ) -> Result<Bytes, Failure> {
        let silence = self.shared.settings.patience.stall;
        let (mut answer, _) = self.get(url, extra, Expected::Segment, silence).await?;
        let wanted = slice.and_then(|slice| Wanted::of(slice, &answer));
        if wanted.is_none() {
            answer = expect_segment(answer, url).await?;
            if slice.is_some() {
                let reason = format!("origin compresses {}, of which a part is wanted", tail(url));
                return Err(unavailable(reason).into());
            }
        }
        let kind = answer.headers.get(CONTENT_TYPE).cloned();
        let limit = self.shared.settings.limits.segment_bytes;
        let length = wanted.map_or_else(|| plain_length(&answer), |wanted| Some(wanted.take));
        // What the connection reads into counts too, until all is read.
        let mut room = self.shared.budget.take(length.unwrap_or(STEP).min(limit) + READ).await;
        let mut body = self.read(answer, url, ("segment", limit), wanted, Some(&mut room)).await?;
        if !is_media(url, kind.as_ref(), body.as_ref()) {
            let what = if body.as_ref().is_empty() { "nothing" } else { "a web page" };
            let shown = tail(url);
            return Err(unavailable(format!("origin answered {what} for {shown}")).into());
        }
        let before = self.segment_bytes.load(Ordering::Relaxed);
        self.segment_bytes.store(body.as_ref().len().max(before / 8 * 7), Ordering::Relaxed);
        if let Some(opener) = opener {
            let length = opener.open(body.as_mut()).map_err(OriginError::from)?;
            body.truncate(length);
        }
        Ok(room.hold(body))
    }

    async fn read_segment(
        &self,
        url: &Url,
        slice: Option<Slice>,
        opener: Option<Opener>,
    ) -> Result<Bytes, OriginError> {
        let within = self.shared.settings.patience.segment;
        let limits = &self.shared.settings.limits;
        if timeout(within, self.shared.budget.wait(self.expected_room())).await.is_err() {
            return Err(unavailable(format!(
                "no room for {} within {} s: {} bytes of segments may be in memory at once",
                tail(url),
                within.as_secs(),
                limits.bytes_in_flight
            )));
        }
        let mut extra = HeaderMap::new();
        // Media does not get smaller, and a plain body says how long it is.
        extra.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(Slice { offset, length }) = slice {
            let last = offset.saturating_add(length).saturating_sub(1);
            let range = HeaderValue::try_from(format!("bytes={offset}-{last}"));
            extra.insert(RANGE, range.expect("digits can be in a header"));
        }
        self.persist(url, within, || self.try_segment(url, slice, &extra, opener.as_ref())).await
    }

    /// The bytes that the next segment will take, roughly.
    fn expected_room(&self) -> usize {
        let most = self.shared.settings.limits.segment_bytes;
        self.segment_bytes.load(Ordering::Relaxed).min(most) + READ
    }

    fn stalled(&self, url: &Url) -> Failure {
        let seconds = self.shared.settings.patience.stall.as_secs();
        let reason = format!("origin sent nothing for {seconds} s for {}", tail(url));
        Failure::Passing { reason, asked: None }
    }

    fn failed(&self, error: &HttpError, url: &Url) -> Failure {
        match wire::refusal(error) {
            Some(refusal) => OriginError::Refused { reason: refusal.to_string() }.into(),
            None => Failure::Passing {
                reason: format!(
                    "no answer from the origin for {}: {}",
                    tail(url),
                    wire::cause(error, &self.shared.settings.patience)
                ),
                asked: None,
            },
        }
    }
}

impl Origin for HttpOrigin {
    async fn playlist(
        &self,
        url: &Url,
        known: Option<&Validators>,
    ) -> Result<Fetched, OriginError> {
        let mut extra = HeaderMap::new();
        if let Some(known) = known {
            for (name, value) in
                [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)]
            {
                if let Some(value) = value.as_deref().and_then(|it| HeaderValue::try_from(it).ok())
                {
                    extra.insert(name, value);
                }
            }
        }
        let Patience { playlist: within, stall, .. } = self.shared.settings.patience;
        self.persist(url, within, || self.try_playlist(url, &extra, stall)).await
    }

    async fn held(&self, url: &Url, within: Micros) -> Result<Fetched, OriginError> {
        let within = Duration::from_micros(within.0);
        match timeout(within, self.try_playlist(url, &HeaderMap::new(), within)).await {
            Ok(Ok(fetched)) => Ok(fetched),
            Ok(Err(Failure::Final(error))) => Err(error),
            Ok(Err(Failure::Passing { reason, .. })) => Err(unavailable(reason)),
            Err(_) => {
                let (seconds, shown) = (within.as_secs(), tail(url));
                Err(unavailable(format!("origin held its answer for {shown} for {seconds} s")))
            }
        }
    }

    async fn segment(&self, url: &Url, slice: Option<Slice>) -> Result<Bytes, OriginError> {
        self.read_segment(url, slice, None).await
    }

    async fn opened(
        &self,
        url: &Url,
        slice: Option<Slice>,
        opener: Opener,
    ) -> Result<Bytes, OriginError> {
        self.read_segment(url, slice, Some(opener)).await
    }

    fn is_crowded(&self) -> bool {
        self.shared.budget.is_short(self.expected_room())
    }
}

/// How many bytes an answer's body will have, where that is known.
fn plain_length(answer: &Answer) -> Option<usize> {
    answer.content_length().filter(|_| !answer.is_gzip())
}

/// What signs in with the user info of an address.
fn basic(url: &Url) -> Option<HeaderValue> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (url.username(), url.password());
    if user.is_empty() && password.is_none() {
        return None;
    }
    let password = decode(password.unwrap_or_default());
    let header = http_auth::basic::encode_credentials(&decode(user), &password);
    let mut header = HeaderValue::try_from(header).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Where an answer redirects to.
fn redirect(answer: &Answer) -> Option<String> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    // Browsers take UTF-8 here as well.
    Some(String::from_utf8_lossy(answer.headers.get(LOCATION)?.as_bytes()).into_owned())
}

/// Gives the answer back when it is the whole of what was asked for.
async fn expect_ok(answer: Answer, url: &Url) -> Result<Answer, Failure> {
    let status = answer.status;
    if matches!(status, StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION) {
        return Ok(answer);
    }
    let reason = format!("origin answered {} for {}", status.as_u16(), tail(url));
    let asked = wire::retry_after(&answer.headers);
    wire::drain(answer).await;
    Err(match status {
        // A range beyond the end is as little there as a file that is not.
        StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE => {
            OriginError::Gone { reason, for_good: false }.into()
        }
        StatusCode::GONE => OriginError::Gone { reason, for_good: true }.into(),
        _ if wire::is_passing(status) => Failure::Passing { reason, asked },
        _ => unavailable(reason).into(),
    })
}

/// The same of a segment, which may be nothing where that means that nobody speaks.
async fn expect_segment(answer: Answer, url: &Url) -> Result<Answer, Failure> {
    if answer.status == StatusCode::NO_CONTENT && are_subtitles(url) {
        return Ok(answer);
    }
    expect_ok(answer, url).await
}

/// Whether the name of a segment is that of subtitles, of which some are empty.
fn are_subtitles(url: &Url) -> bool {
    let name = url.path().rsplit('/').next().unwrap_or_default();
    let name = name.split(';').next().unwrap_or_default().to_ascii_lowercase();
    name.ends_with(".vtt") || name.ends_with(".webvtt")
}

/// Whether a segment's answer can be media: no web page, and not nothing, but for subtitles.
fn is_media(url: &Url, kind: Option<&HeaderValue>, body: &[u8]) -> bool {
    let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let begins =
        |with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let page = begins(b"<!doctype html")
        || begins(b"<html")
        || (kind.contains("html") && text.first() == Some(&b'<'));
    !page && (!body.is_empty() || kind.starts_with("text/vtt") || are_subtitles(url))
}
