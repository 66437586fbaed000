//! The cookies of one session.

use cookie_store::CookieStore;
use http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use std::cmp::Reverse;
use std::sync::{Mutex, PoisonError};
use url::Url;

/// Cookies that are kept; browsers keep about as many a site.
const COOKIES: usize = 64;
/// The longest `Set-Cookie` that is read: what RFC 6265 section 6.1 asks of clients.
const COOKIE_BYTES: usize = 4096;

/// The cookies that an origin set.
#[derive(Debug, Default)]
pub(crate) struct Cookies(Mutex<CookieStore>);

impl Cookies {
    /// The `Cookie` header for a request to `url`.
    pub(crate) fn to(&self, url: &Url) -> Option<HeaderValue> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut header = String::new();
        let mut cookies = store.matches(url);
        // The order of RFC 6265 section 5.4, as far as it shows.
        cookies.sort_by_key(|it| (Reverse(it.path.len()), it.name()));
        for cookie in cookies {
            let separator = if header.is_empty() { "" } else { "; " };
            header.extend([separator, cookie.name(), "=", cookie.value()]);
        }
        if header.is_empty() { None } else { HeaderValue::try_from(header).ok() }
    }

    /// Takes the cookies of an answer from `url`. One that makes it too many is not kept.
    pub(crate) fn keep(&self, headers: &HeaderMap, url: &Url) {
        for value in headers.get_all(SET_COOKIE) {
            let Some(text) = value.to_str().ok().filter(|text| text.len() <= COOKIE_BYTES) else {
                continue;
            };
            let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let Ok(cookie) = cookie_store::Cookie::parse(text.to_owned(), url) else { continue };
            // What has expired is taken out first: the store itself only marks it.
            if store.iter_any().count() >= COOKIES {
                let kept = store.iter_unexpired().cloned().map(Ok::<_, ()>).collect::<Vec<_>>();
                *store = CookieStore::from_cookies(kept, false).unwrap_or_default();
            }
            let known = store.iter_any().any(|it| it.name() == cookie.name());
            if known || store.iter_any().count() < COOKIES {
                // A cookie for another host, or one that has expired, is not an error of ours.
                let _ = store.insert(cookie, url);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(cookies: &Cookies, url: &str, values: &[&str]) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SET_COOKIE, value.parse().unwrap());
        }
        cookies.keep(&headers, &Url::parse(url).unwrap());
    }

    fn sent(cookies: &Cookies, url: &str) -> Option<String> {
        Some(cookies.to(&Url::parse(url).unwrap())?.to_str().unwrap().to_owned())
    }

    #[test]
    fn cookies_go_back_to_where_they_came_from() {
        let cookies = Cookies::default();
        let set = ["s=1; Path=/live", "t=2; Secure", "x=3; Domain=b.example", "old=4; Max-Age=0"];
        keep(&cookies, "https://a.example/live/main.m3u8", &set);
        for (url, expected) in [
            ("https://a.example/live/v0.m3u8", Some("s=1; t=2")),
            ("http://a.example/live/v0.m3u8", Some("s=1")),
            ("https://a.example/other", None),
            ("https://b.example/live/", None),
        ] {
            assert_eq!(sent(&cookies, url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn an_origin_that_sets_cookies_without_end_fills_no_memory() {
        let cookies = Cookies::default();
        let url = "https://a.example/";
        for n in 0..10 * COOKIES {
            keep(&cookies, url, &[&format!("c{n}={n}")]);
        }
        assert_eq!(sent(&cookies, url).unwrap().split("; ").count(), COOKIES);
        keep(&cookies, url, &["c1=again", &format!("long={}", "x".repeat(COOKIE_BYTES))]);
        let sent = sent(&cookies, url).unwrap();
        assert!(sent.contains("c1=again") && !sent.contains("long"), "{sent}");
    }
}
