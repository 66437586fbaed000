//! The cookies of one session.

use cookie_store::CookieStore;
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
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
        for (name, value) in store.get_request_values(url) {
            let separator = if header.is_empty() { "" } else { "; " };
            header.extend([separator, name, "=", value]);
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
