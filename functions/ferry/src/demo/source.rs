//! The demo's source: a library of test patterns, played as a channel with house ads and a slate.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Path;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};
use serde_json::{Value, json};
use tower::ServiceExt;

/// What the channel is called.
pub const CHANNEL: &str = "demo";

/// Programmes of 20 seconds, an ad and a slate, made by `tests/fixtures/make-library.sh`.
static LIBRARY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../tests/fixtures/library");

/// Longer than any answer about a schedule of an hour.
const ANSWER_BYTES: usize = 16 << 20;

/// The assets, and what they are called.
const ASSETS: [(&str, &str); 5] = [
    ("bars", "Colour bars"),
    ("clock", "Test pattern"),
    ("wheel", "Colour wheel"),
    ("advert", "House ad"),
    ("slate", "Back soon"),
];

/// Why there is no channel: what the API answered.
#[derive(Debug, thiserror::Error)]
#[error("{path} answered {status}: {text}")]
pub struct NoChannel {
    path: String,
    status: StatusCode,
    text: String,
}

/// The path of the channel.
pub fn path() -> String {
    format!("/channels/{CHANNEL}/master.m3u8")
}

/// The routes of the library.
pub fn routes() -> Router {
    Router::new().route("/library/{*path}", get(file))
}

/// Makes the channel through the API, as its users do; the library is served at `page` by then.
pub async fn make(api: &Router, page: &str) -> Result<(), NoChannel> {
    for (id, title) in ASSETS {
        let url = format!("{page}/library/{id}/main.m3u8");
        ask(api, "POST", "/assets", &json!({ "id": id, "title": title, "url": url })).await?;
    }
    let channel = json!({
        "title": "Test patterns",
        "slate": "slate",
        "ads": ["advert"],
        "target_duration": 2,
        // So that there is something to rewind into when the demo starts.
        "window_seconds": 120,
        "fill": {
            "assets": ["bars", "clock", "wheel"],
            "order": "shuffle",
            "ahead_seconds": 3_600,
            "breaks": { "every": 10, "duration": 8 },
        },
    });
    ask(api, "PUT", &format!("/channels/{CHANNEL}"), &channel).await
}

async fn ask(api: &Router, method: &str, path: &str, body: &Value) -> Result<(), NoChannel> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(body.to_string())).expect("it is a path and JSON");
    let answer = api.clone().oneshot(request).await;
    let answer = answer.unwrap_or_else(|never| match never {});
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let text = to_bytes(answer.into_body(), ANSWER_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    Err(NoChannel { path: path.to_owned(), status, text })
}

async fn file(Path(path): Path<String>) -> Response {
    let Some(file) = LIBRARY.get_file(&path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match file.path().extension().and_then(|extension| extension.to_str()) {
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("ts") => "video/mp2t",
        _ => "application/octet-stream",
    };
    let headers = [(CONTENT_TYPE, kind), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, file.contents()).into_response()
}
