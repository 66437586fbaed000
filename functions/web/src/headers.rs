//! The request headers of one session.

use reqwest::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use url::{Origin, Url};

/// Headers that tell who asks and from where, and nothing secret.
const SENT_EVERYWHERE: [&str; 5] = ["accept", "accept-language", "origin", "referer", "user-agent"];

/// Headers that say how a request is carried or what of it is wanted, which is this client's to say.
const NOT_SETTABLE: [HeaderName; 14] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The headers that a session's requests carry.
///
/// What may be secret goes to the source's own host only, not to where it redirects or to other
/// hosts that its playlists name.
#[derive(Debug)]
pub(crate) struct RequestHeaders {
    source: Url,
    everywhere: HeaderMap,
    all: HeaderMap,
}

impl RequestHeaders {
    /// Checks headers; the error names the one that is wrong, not its value.
    pub(crate) fn new(source: &Url, headers: &[(String, String)]) -> Result<Self, String> {
        let (mut everywhere, mut all) = (HeaderMap::new(), HeaderMap::new());
        for (name, value) in headers {
            let Ok(header) = HeaderName::try_from(name) else {
                return Err(format!("request header {name:?} is not a header name"));
            };
            if NOT_SETTABLE.contains(&header) {
                return Err(format!("request header {header} cannot be set"));
            }
            let Ok(mut value) = HeaderValue::try_from(value) else {
                return Err(format!("the value of request header {header} is not valid"));
            };
            if SENT_EVERYWHERE.contains(&header.as_str()) {
                everywhere.append(header.clone(), value.clone());
            } else {
                value.set_sensitive(true);
            }
            all.append(header, value);
        }
        Ok(Self { source: source.clone(), everywhere, all })
    }

    /// Those for a request to `url`.
    pub(crate) fn for_url(&self, url: &Url) -> HeaderMap {
        let headers = if is_same_place(&self.source, url) { &self.all } else { &self.everywhere };
        headers.clone()
    }
}

/// Whether two addresses have one host, scheme and port; a step up from HTTP to HTTPS counts.
fn is_same_place(source: &Url, url: &Url) -> bool {
    let (source, url) = (source.origin(), url.origin());
    match (&source, &url) {
        (Origin::Tuple(from, host, 80), Origin::Tuple(to, other, 443))
            if from == "http" && to == "https" =>
        {
            host == other
        }
        _ => source == url,
    }
}
