//! A token that every request must carry.

use crate::problem::Problem;
use axum::Router;
use axum::extract::Request;
use axum::http::{Method, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use std::sync::Arc;

/// The routes, for those who know `token` (RFC 6750); `/health` and what viewers of channels read stay open.
pub fn with_token(router: Router, token: String) -> Router {
    let token: Arc<str> = token.into();
    router.layer(from_fn(move |request: Request, next: Next| {
        let token = Arc::clone(&token);
        async move {
            if is_open(&request) || carries(&request, &token) {
                next.run(request).await
            } else {
                Problem::unauthorized().into_response()
            }
        }
    }))
}

/// Whether anybody may ask this.
pub(crate) fn is_open(request: &Request) -> bool {
    let path = request.uri().path();
    let name = path.split(';').next().unwrap_or(path);
    let of_channel =
        path.starts_with("/channels/") && (name.ends_with(".m3u8") || name.ends_with(".vtt"));
    let read = request.method() == Method::GET || request.method() == Method::HEAD;
    path == "/health" || (read && (of_channel || path == "/live/master.m3u8"))
}

fn carries(request: &Request, token: &str) -> bool {
    let Some(given) = request.headers().get(header::AUTHORIZATION) else { return false };
    let Some((scheme, given)) = given.to_str().ok().and_then(|given| given.split_once(' ')) else {
        return false;
    };
    scheme.eq_ignore_ascii_case("bearer") && same(given.trim().as_bytes(), token.as_bytes())
}

/// Whether two texts are the same, in a time that does not tell how much of them is.
fn same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && difference == 0
}
