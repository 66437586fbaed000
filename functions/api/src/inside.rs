//! The API as the process that serves it asks it.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

/// More than any answer of the API.
const MOST: usize = 4 << 20;

/// What the API answers to a request.
///
/// # Errors
/// In words, when the path is none or the answer cannot be read.
pub async fn ask(
    router: &Router,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value), String> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
        .map_err(|_| format!("{path} is no path of the API"))?;
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status();
    let unread = |_| "the API's answer cannot be read".to_owned();
    let body = to_bytes(response.into_body(), MOST).await.map_err(unread)?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// Why the API did not do it, with every field that is wrong.
#[must_use]
pub fn reason(answer: &Value) -> String {
    let errors = answer["errors"].as_array().into_iter().flatten();
    let said: Vec<String> = errors
        .filter_map(|error| {
            Some(format!("{} {}", error["field"].as_str()?, error["detail"].as_str()?))
        })
        .collect();
    match said.as_slice() {
        [] => answer["detail"].as_str().unwrap_or("the API gave no reason").to_owned(),
        said => said.join("; "),
    }
}
