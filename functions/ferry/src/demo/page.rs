//! The page that plays what arrived.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// hls.js, where it was there when this was built; else nothing.
const PLAYER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hls.js"));

/// The page needs nothing from anywhere else, and is kept from asking. The picture is a blob.
const POLICY: &str = "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Whether the page can play in browsers that need a player.
pub const HAS_PLAYER: bool = !PLAYER.is_empty();

/// The routes of the page.
pub fn routes() -> Router {
    let html = include_str!("../page/index.html");
    let css = include_str!("../page/page.css");
    let script = include_str!("../page/page.js");
    let timeline = include_str!("../page/timeline.js");
    let panel = include_str!("../page/panel.js");
    let onair = include_str!("../page/onair.js");
    Router::new()
        .route("/", get(async move || part("text/html; charset=utf-8", html)))
        .route("/page.css", get(async move || part("text/css", css)))
        .route("/page.js", get(async move || part("text/javascript", script)))
        .route("/timeline.js", get(async move || part("text/javascript", timeline)))
        .route("/panel.js", get(async move || part("text/javascript", panel)))
        .route("/onair.js", get(async move || part("text/javascript", onair)))
        .route("/hls.js", get(player))
}

fn part(kind: &'static str, text: impl IntoResponse) -> Response {
    let headers =
        [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, text).into_response()
}

async fn player() -> Response {
    if HAS_PLAYER { part("text/javascript", PLAYER) } else { StatusCode::NOT_FOUND.into_response() }
}
