//! Assets and channels that are resources of a stack: there after the deploy, and gone with it.

use aws::custom_resource::{Kind, NOT_MADE, Request, Resource};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request as HttpRequest, StatusCode, header};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

/// More than any answer of the API.
const MOST: usize = 4 << 20;
/// A stack takes an answer of 4 KB.
const REASON: usize = 1_000;

/// Makes an asset or a channel what the stack wants it to be.
pub async fn change(router: &Router, request: &Request) -> Result<Resource, String> {
    let id = match request.request_type {
        Kind::Create | Kind::Update => make(router, request).await?,
        Kind::Delete => {
            let made = request.physical_resource_id.as_deref().unwrap_or(NOT_MADE);
            // A resource is called by its address.
            if made != NOT_MADE {
                let (status, answer) = ask(router, Method::DELETE, made, None).await?;
                let gone = [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND, StatusCode::GONE];
                if !gone.contains(&status) {
                    return Err(reason(&answer));
                }
            }
            made.to_owned()
        }
    };
    Ok(Resource { id, data: Map::new() })
}

/// Makes it, whether or not it is there, and gives its address.
async fn make(router: &Router, request: &Request) -> Result<String, String> {
    let id = request.property("Id")?;
    let (method, path, at, body) = match request.property("Channel") {
        Ok(channel) => {
            let channel: Value = serde_json::from_str(channel)
                .map_err(|error| format!("the property Channel is malformed: {error}"))?;
            let at = format!("/channels/{id}");
            (Method::PUT, at.clone(), at, channel)
        }
        Err(_) => {
            let mut asset = json!({ "id": id, "url": request.property("Url")? });
            if let Ok(title) = request.property("Title") {
                asset["title"] = json!(title);
            }
            (Method::POST, "/assets".to_owned(), format!("/assets/{id}"), asset)
        }
    };
    let (status, answer) = ask(router, method, &path, Some(&body)).await?;
    if status.is_success() { Ok(at) } else { Err(format!("{at}: {}", reason(&answer))) }
}

/// Why not, with every field that is wrong.
fn reason(answer: &Value) -> String {
    let errors = answer["errors"].as_array().into_iter().flatten();
    let said: Vec<String> = errors
        .filter_map(|error| {
            Some(format!("{} {}", error["field"].as_str()?, error["detail"].as_str()?))
        })
        .collect();
    let reason = match said.as_slice() {
        [] => answer["detail"].as_str().unwrap_or("the API gave no reason").to_owned(),
        said => said.join("; "),
    };
    reason.chars().take(REASON).collect()
}

async fn ask(
    router: &Router,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(StatusCode, Value), String> {
    let request = HttpRequest::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
        .map_err(|_| "the id is not one".to_owned())?;
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status();
    let unread = |_| "the API's answer cannot be read".to_owned();
    let body = to_bytes(response.into_body(), MOST).await.map_err(unread)?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}
