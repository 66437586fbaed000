//! What went wrong, as a problem document (RFC 9457).

use crate::fields::FieldError;
use axum::Json;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use relay::ports::StoreError;
use relay::session::SessionId;
use serde::Serialize;

/// A problem document.
#[derive(Debug)]
pub struct Problem(Box<Document>);

#[derive(Debug, Serialize)]
struct Document {
    /// Names the kind of problem.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// The fields that the problem is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// The session that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    #[serde(skip)]
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem that needs no more words than its status and `detail`.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Document {
            // For this type the title is the status's own (RFC 9457 section 4.2.1).
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            session: None,
            header: None,
        }))
    }

    /// The same with a header.
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.0.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// Fields of the request are wrong.
    pub fn fields(status: StatusCode, errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{} {}", one.field, one.detail),
            several => {
                let mut names: Vec<_> = several.iter().map(|error| error.field.as_str()).collect();
                names.dedup();
                match names.as_slice() {
                    [one] => format!("{one} is wrong for {} reasons", several.len()),
                    _ => format!("{} fields are wrong: {}", names.len(), names.join(", ")),
                }
            }
        };
        let mut problem = Self::new(status, detail);
        problem.0.kind = "urn:hls-ferry:problem:invalid-request";
        problem.0.title = "The request is not valid";
        problem.0.errors = errors;
        problem
    }

    /// Another session writes there.
    pub fn taken(by: SessionId, endpoint: usize) -> Self {
        let error = FieldError {
            field: format!("output.endpoints[{endpoint}].url"),
            detail: format!(
                "is where session {by} writes to, or would share names with it, as ch and ch_video-500000 do"
            ),
        };
        let detail = format!("{} {}", error.field, error.detail);
        let mut problem = Self::new(StatusCode::CONFLICT, detail);
        problem.0.kind = "urn:hls-ferry:problem:destination-in-use";
        problem.0.title = "The destination is in use";
        problem.0.errors = vec![error];
        problem.0.session = Some(by);
        problem
    }

    /// There is no such session.
    pub fn no_session(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no session {id}"))
    }

    /// No token, or another one.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a bearer token is required")
            .header(header::WWW_AUTHENTICATE, "Bearer")
    }

    /// The status, and what is wrong in words: each field, where there are some.
    pub fn in_words(self) -> (StatusCode, String) {
        let Document { status, detail, errors, .. } = *self.0;
        let fields: Vec<_> =
            errors.iter().map(|error| format!("{} {}", error.field, error.detail)).collect();
        (as_status(status), if fields.is_empty() { detail } else { fields.join(", ") })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (as_status(self.0.status), Json(&self.0)).into_response();
        for (name, value) in std::iter::once(kind).chain(self.0.header) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

fn as_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("it was one")
}

/// The store could not be asked.
pub fn store(error: &StoreError) -> Problem {
    tracing::error!(%error, "cannot answer a request");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the sessions cannot be read or written now")
        .header(header::RETRY_AFTER, "1")
}

/// There is nothing at this path.
pub async fn no_route(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at {}", uri.path()))
}

/// There is, but not for this method.
pub async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not for {}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
