//! What both clients need of HTTP: reasons without secrets, retries, answers read to their end.

use crate::Patience;
use crate::guard::Refusal;
use crate::http::{Answer, HttpError};
use http::StatusCode;
use http::header::{DATE, HeaderMap, RETRY_AFTER};
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// The longest part of an address that a message shows.
const SHOWN: usize = 80;
/// What is read of an answer that nobody wants, so that its connection can be used again.
const DRAINED_BYTES: usize = 64 << 10;
/// How long that may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(1);
/// The first pause before a retry; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(150);
/// The longest pause that is not asked for.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The last two components of a URL's path: enough to know it again, without host, user info and
/// query string.
pub(crate) fn tail(url: &Url) -> &str {
    let path = url.path();
    let from = path.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at);
    let shown = path[from..].trim_start_matches('/');
    // A URL's path is ASCII.
    shown.get(shown.len().saturating_sub(SHOWN)..).unwrap_or(shown)
}

/// Why a request came to nothing: the last cause, which knows most and names no address.
pub(crate) fn cause(error: &HttpError, patience: &Patience) -> String {
    let sent = match error {
        HttpError::Request(sent) => sent,
        HttpError::Encoding => return error.to_string(),
    };
    if sent.is_connect() && sent.is_timeout() {
        return format!("no connection within the limit of {} s", patience.connect.as_secs());
    }
    let mut last: &dyn Error = sent;
    while let Some(next) = last.source() {
        last = next;
    }
    if std::ptr::addr_eq(last, sent) {
        return "the request failed".to_owned();
    }
    let mut text = last.to_string();
    if let Some(number) = text.find(" (os error") {
        text.truncate(number);
    }
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

/// The refusal that is behind an error.
pub(crate) fn refusal(error: &HttpError) -> Option<Refusal> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(refusal) = source.downcast_ref::<Refusal>() {
            return Some(refusal.clone());
        }
        next = source.source();
    }
    None
}

/// Whether what a status says may have passed in a moment.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502..=504 | 506..)
}

/// How long a server asks to wait (RFC 9110 section 10.2.3): seconds, or a date, which counts from
/// the server's own.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    let then = httpdate::parse_http_date(text).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

/// Reads the rest of an answer, unless it is long or slow: then its connection is dropped.
pub(crate) async fn drain(mut answer: Answer) {
    if answer.content_length().is_some_and(|length| length > DRAINED_BYTES) {
        return;
    }
    let read = async {
        let mut left = DRAINED_BYTES;
        while let Ok(Some(chunk)) = answer.chunk().await {
            let Some(rest) = left.checked_sub(chunk.len()) else { return };
            left = rest;
        }
    };
    // Whether it ended does not matter: the answer is dropped either way.
    let _ = tokio::time::timeout(DRAINED_WITHIN, read).await;
}

/// The tries that one call has left.
#[derive(Debug)]
pub(crate) struct Tries {
    deadline: Instant,
    left: u32,
    pause: Duration,
}

impl Tries {
    pub(crate) fn new(patience: &Patience, deadline: Instant) -> Self {
        Self { deadline, left: patience.tries.saturating_sub(1), pause: PAUSE }
    }

    /// How long to pause before the next try; absent: there is none. `asked` is what the server
    /// wants, `jitter` spreads what many callers do at once.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        asked: Option<Duration>,
        jitter: u8,
    ) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let own = self.pause / 2 + self.pause * u32::from(jitter) / 256;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let pause = own.max(asked.unwrap_or_default());
        (now + pause < self.deadline).then_some(pause)
    }
}

/// A number that differs from caller to caller.
pub(crate) fn jitter() -> u8 {
    RandomState::new().hash_one(()).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_the_end_of_a_path_and_nothing_else() {
        let long = format!("{}.ts", "x".repeat(200));
        for (url, shown) in [
            ("https://u:p@a.example/live/v0/812.ts?token=t#f", "v0/812.ts"),
            ("https://a.example/812.ts", "812.ts"),
            ("https://a.example/v0/", "v0/"),
            ("https://a.example", ""),
            (&format!("https://a.example/v0/{long}"), &long[long.len() - SHOWN..]),
        ] {
            assert_eq!(tail(&Url::parse(url).unwrap()), shown, "{url}");
        }
    }

    #[test]
    fn a_server_says_how_long_to_wait_in_seconds_or_by_a_date() {
        let headers = |retry: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            headers
        };
        let date = Some("Sat, 21 Nov 2026 08:00:00 GMT");
        for (retry, date, seconds) in [
            ("3", None, Some(3)),
            ("Sat, 21 Nov 2026 08:00:05 GMT", date, Some(5)),
            ("Sat, 21 Nov 2026 07:00:00 GMT", date, Some(0)),
            ("Sat, 21 Nov 2026 08:00:05 GMT", None, None),
            ("soon", date, None),
            ("-1", date, None),
        ] {
            let asked = retry_after(&headers(retry, date));
            assert_eq!(asked, seconds.map(Duration::from_secs), "{retry}");
        }
    }

    #[test]
    fn tries_end_by_number_and_by_time() {
        let patience = Patience { tries: 3, ..Patience::default() };
        let now = Instant::now();
        let mut tries = Tries::new(&patience, now + Duration::from_secs(10));
        let first = tries.next(now, None, 255).unwrap();
        let second = tries.next(now, Some(Duration::from_secs(4)), 0).unwrap();
        assert!(first >= PAUSE && first < PAUSE * 2, "{first:?}");
        assert_eq!(second, Duration::from_secs(4));
        assert_eq!(tries.next(now, None, 0), None, "three tries are two retries");
        let mut tries = Tries::new(&patience, now + Duration::from_secs(10));
        assert_eq!(tries.next(now, Some(Duration::from_secs(11)), 0), None, "too late");
    }
}
