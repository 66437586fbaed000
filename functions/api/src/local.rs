//! The API of a machine, for that machine.

use crate::host;
use crate::problem::Problem;
use crate::token::is_open;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use std::net::IpAddr;

/// The routes, for who calls this machine by an address or `localhost`; `/health` and what viewers of channels read
/// stay open.
///
/// A web page that a browser on this machine shows may have the page's own name lead to this machine, and then ask
/// whatever it wants: only the name in the request tells.
pub fn for_this_machine(router: Router) -> Router {
    router.layer(from_fn(async |request: Request, next: Next| {
        if is_open(&request) || is_this_machine(&request) {
            return next.run(request).await;
        }
        let detail = "this API is for its machine, by an address or localhost: give it a token to be called otherwise";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
    }))
}

fn is_this_machine(request: &Request) -> bool {
    let named = match host::of(request) {
        Ok(Some(named)) => named,
        // No browser leaves it out.
        Ok(None) => return true,
        Err(()) => return false,
    };
    let host = named.host().trim_end_matches('.');
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok()
}
