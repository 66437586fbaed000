//! Where a session pulls from and pushes to, and how it signs in: what of that can be had.

use crate::fields::Errors;
use crate::request::EndpointRequest;
use relay::session::{Address, Credentials, Destination, Endpoint};
use url::Url;

/// MediaPackage has two.
const MAX_ENDPOINTS: usize = 4;
const MAX_URL: usize = 4_096;
const MAX_CREDENTIAL: usize = 1_024;
const MAX_HEADERS: usize = 32;
const MAX_HEADER_VALUE: usize = 8_192;

/// Request headers that are about the connection or the message (RFC 9110 sections 7.6 and 6), or say
/// what of a resource is wanted: those are the client's own.
const HEADERS_NOT_SETTABLE: [&str; 20] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A URL that can be asked for, without anything that belongs elsewhere.
pub(crate) fn address(
    url: Option<String>,
    field: &str,
    refuses: &(impl Fn(&Url) -> Option<String> + ?Sized),
    errors: &mut Errors,
) -> Option<Url> {
    let refusal = match url {
        None => "is required".to_owned(),
        Some(url) if url.len() > MAX_URL => format!("must be at most {MAX_URL} characters"),
        Some(url) if url.contains(|c: char| c.is_control() || c.is_whitespace()) => {
            "must hold no spaces or control characters".to_owned()
        }
        Some(url) => match Url::parse(&url) {
            Err(error) => format!("is not a URL: {error}"),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                "must begin with http:// or https://".to_owned()
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                "must not hold a user name or password".to_owned()
            }
            Ok(url) => match refuses(&url) {
                Some(reason) => format!("is not allowed: {reason}"),
                None => return Some(url),
            },
        },
    };
    errors.add(field, refusal);
    None
}

/// The places that take PUTs, each another, and none with names of another.
pub(crate) fn endpoints(
    requests: Vec<EndpointRequest>,
    refuses: &impl Fn(&Url) -> Option<String>,
    errors: &mut Errors,
) -> Option<Vec<Endpoint>> {
    if !(1..=MAX_ENDPOINTS).contains(&requests.len()) {
        errors.add("output.endpoints", format!("must name 1 to {MAX_ENDPOINTS} endpoints"));
        return None;
    }
    let mut endpoints: Vec<Option<Endpoint>> = Vec::new();
    let place = |endpoint: &Endpoint| Destination::of(&Address::of(&endpoint.url));
    for (index, request) in requests.into_iter().enumerate() {
        let path = format!("output.endpoints[{index}]");
        let endpoint = request.check(&path, refuses, errors);
        let known = endpoint.as_ref().and_then(|endpoint| {
            let same = |known: &Endpoint| place(known) == place(endpoint);
            endpoints.iter().position(|known| known.as_ref().is_some_and(same))
        });
        if let Some(known) = known {
            let detail = format!(
                "is the same place as output.endpoints[{known}].url, or would share names with it"
            );
            errors.add(format!("{path}.url"), detail);
        }
        endpoints.push(endpoint);
    }
    endpoints.into_iter().collect()
}

/// The request headers of a source, as far as they are its owner's to set.
pub(crate) fn headers(
    headers: Vec<(String, String)>,
    errors: &mut Errors,
) -> Vec<(String, String)> {
    if headers.len() > MAX_HEADERS {
        errors.add("source.headers", format!("must be at most {MAX_HEADERS}"));
    }
    let mut known: Vec<String> = Vec::new();
    for (name, value) in &headers {
        if name.is_empty() || !name.bytes().all(is_token) {
            errors.add("source.headers", format!("{name:?} is not a header name"));
            continue;
        }
        let field = format!("source.headers.{name}");
        let name = name.to_ascii_lowercase();
        let printable = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
        if HEADERS_NOT_SETTABLE.contains(&name.as_str()) {
            errors.add(field, "cannot be set");
        } else if known.contains(&name) {
            errors.add(field, "is there twice");
        } else if !value.bytes().all(printable) || value.len() > MAX_HEADER_VALUE {
            let detail = format!("must be at most {MAX_HEADER_VALUE} printable ASCII characters");
            errors.add(field, detail);
        }
        known.push(name);
    }
    headers
}

impl EndpointRequest {
    fn check(
        self,
        path: &str,
        refuses: &impl Fn(&Url) -> Option<String>,
        errors: &mut Errors,
    ) -> Option<Endpoint> {
        let credentials = credentials(self.username, self.password, path, errors);
        let url = endpoint(self.url, &format!("{path}.url"), refuses, errors)?;
        Some(Endpoint { url, credentials })
    }
}

/// An endpoint's address, as the name that everything there begins with: a playlist's without
/// `.m3u8`, a collection's with `channel` in it.
fn endpoint(
    url: Option<String>,
    field: &str,
    refuses: &impl Fn(&Url) -> Option<String>,
    errors: &mut Errors,
) -> Option<Url> {
    let mut url = address(url, field, refuses, errors)?;
    let path = url.path();
    let mut path = path.strip_suffix(".m3u8").unwrap_or(path).to_owned();
    if path.ends_with('/') {
        path.push_str("channel");
    }
    url.set_path(&path);
    url.set_fragment(None);
    Some(url)
}

fn credentials(
    username: Option<String>,
    password: Option<String>,
    path: &str,
    errors: &mut Errors,
) -> Option<Credentials> {
    for (name, value) in [("username", &username), ("password", &password)] {
        let Some(value) = value else { continue };
        if value.is_empty() || value.len() > MAX_CREDENTIAL || value.contains(char::is_control) {
            let detail = format!("must be 1 to {MAX_CREDENTIAL} characters on one line");
            errors.add(format!("{path}.{name}"), detail);
        }
    }
    match (username, password) {
        (None, None) => None,
        (Some(username), Some(password)) => Some(Credentials { username, password }),
        (Some(_), None) => {
            errors.add(format!("{path}.password"), "is required with username");
            None
        }
        (None, Some(_)) => {
            errors.add(format!("{path}.username"), "is required with password");
            None
        }
    }
}

/// Whether a byte may be in a header's name (RFC 9110 section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
