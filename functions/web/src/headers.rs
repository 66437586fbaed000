//! The request headers of one session.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, HeaderMap,
    HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, PROXY_AUTHORIZATION, RANGE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use url::{Origin, Url};

/// Headers that tell who asks and from where, and nothing secret.
const SENT_EVERYWHERE: [&str; 5] = ["accept", "accept-language", "origin", "referer", "user-agent"];

/// Headers that say how a request is carried or what of it is wanted, which is this client's to
/// say.
const NOT_SETTABLE: [HeaderName; 20] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    EXPECT,
    // The address was judged by its own host.
    HOST,
    HeaderName::from_static("http2-settings"),
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_may_be_secret_goes_to_the_source_alone() {
        let headers = [
            header("Authorization", "Bearer t"),
            header("X-Token", "t"),
            header("User-Agent", "a player"),
            header("Referer", "https://a.example/"),
        ];
        let url = |text: &str| Url::parse(text).unwrap();
        for (source, to, sent) in [
            ("https://a.example/x", "https://a.example/y", 4),
            ("https://a.example/x", "https://a.example:443/y", 4),
            ("http://a.example/x", "https://a.example/y", 4),
            ("https://a.example/x", "http://a.example/y", 2),
            ("https://a.example/x", "https://a.example:8443/y", 2),
            ("http://a.example:8080/x", "https://a.example/y", 2),
            ("https://a.example/x", "https://b.example/y", 2),
            ("https://a.example/x", "https://b.a.example/y", 2),
        ] {
            let headers = RequestHeaders::new(&url(source), &headers).unwrap();
            assert_eq!(headers.for_url(&url(to)).len(), sent, "{source} {to}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_named_without_its_value() {
        let source = Url::parse("https://a.example/").unwrap();
        for ((name, value), error) in [
            (header("x y", "secret"), "request header \"x y\" is not a header name"),
            (header("X-A", "secret\n"), "the value of request header x-a is not valid"),
            (
                header("X-A", "secret\r\nHost: b.example"),
                "the value of request header x-a is not valid",
            ),
            (header("X-A", "secret\0"), "the value of request header x-a is not valid"),
            (
                header("X-A\r\nX-B", "secret"),
                "request header \"X-A\\r\\nX-B\" is not a header name",
            ),
            (header("X-A:", "secret"), "request header \"X-A:\" is not a header name"),
            (header("", "secret"), "request header \"\" is not a header name"),
            (header("Range", "bytes=0-1"), "request header range cannot be set"),
            (header("Content-Length", "3"), "request header content-length cannot be set"),
            (header("CONTENT-LENGTH", "3"), "request header content-length cannot be set"),
            (
                header("Transfer-Encoding", "chunked"),
                "request header transfer-encoding cannot be set",
            ),
            (
                header("transfer-encoding", " chunked"),
                "request header transfer-encoding cannot be set",
            ),
            (header("Host", "b.example"), "request header host cannot be set"),
            (header("Connection", "x-a"), "request header connection cannot be set"),
            (header("Keep-Alive", "timeout=9"), "request header keep-alive cannot be set"),
            (header("Proxy-Connection", "close"), "request header proxy-connection cannot be set"),
            (header("Upgrade", "h2c"), "request header upgrade cannot be set"),
            (header("HTTP2-Settings", "x"), "request header http2-settings cannot be set"),
            (header("Expect", "100-continue"), "request header expect cannot be set"),
        ] {
            let headers = RequestHeaders::new(&source, &[(name, value)]);
            assert_eq!(headers.unwrap_err(), error);
        }
    }
}
