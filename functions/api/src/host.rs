//! The host that a request is for.

use crate::problem::Problem;
use axum::Router;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;

/// The routes, for requests that say once and readably which host they are for (RFC 9112 section 3.2); the others are
/// answered 400. HTTP/1.0 need not say it.
pub fn for_one_host(router: Router) -> Router {
    router.layer(from_fn(async |request: Request, next: Next| match flaw(&request) {
        None => next.run(request).await,
        Some(flaw) => Problem::new(StatusCode::BAD_REQUEST, flaw).into_response(),
    }))
}

/// What is wrong with how a request names its host.
fn flaw(request: &Request) -> Option<&'static str> {
    let mut named = request.headers().get_all(header::HOST).iter();
    match (named.next(), named.next()) {
        (None, _) if request.version() == Version::HTTP_11 => {
            Some("the request names no host: HTTP/1.1 wants the header Host")
        }
        (_, Some(_)) => Some("the request has more than one header Host"),
        (Some(one), None) if !one.is_empty() && read(one).is_none() => {
            Some("the header Host of the request is none")
        }
        (None, _) | (Some(_), None) => None,
    }
}

/// The host that a request is for: that of its target counts before the header's (RFC 9112 section 3.2.2). Absent:
/// it names none; an error: nobody can read it.
pub(crate) fn of(request: &Request) -> Result<Option<Authority>, ()> {
    let named = || {
        let header = request.headers().get(header::HOST);
        header.map(|one| read(one).ok_or(())).transpose()
    };
    request.uri().authority().map_or_else(named, |target| Ok(Some(target.clone())))
}

/// A name and a port: nobody signs in by this.
fn read(header: &HeaderValue) -> Option<Authority> {
    header.to_str().ok().filter(|text| !text.contains('@'))?.parse().ok()
}
