//! A session that is a resource of a stack: on air after the deploy, and gone with it.

use aws::custom_resource::{Kind, NOT_MADE, Request, Resource};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request as HttpRequest, StatusCode, header};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

/// More than any answer of the API.
const MOST: usize = 1 << 20;

/// Makes the session what the stack wants it to be.
pub async fn change(router: &Router, request: &Request) -> Result<Resource, String> {
    let before = request.physical_resource_id.as_deref().filter(|id| *id != NOT_MADE);
    match request.request_type {
        Kind::Create => make(router, request).await,
        Kind::Update => {
            if let Some(id) = before {
                if request.resource_properties == request.old_resource_properties {
                    return Ok(resource(id));
                }
                // The new one goes to the same place. If it cannot be made, the stack rolls back to the old one.
                stop(router, id).await?;
            }
            make(router, request).await
        }
        Kind::Delete => {
            if let Some(id) = before {
                stop(router, id).await?;
            }
            Ok(resource(before.unwrap_or(NOT_MADE)))
        }
    }
}

async fn make(router: &Router, request: &Request) -> Result<Resource, String> {
    let (name, source) = (request.property("Name")?, request.property("SourceUrl")?);
    let channel = request.property("Channel")?;
    let body = json!({
        "name": name,
        "source": { "url": source },
        "output": { "type": "mediapackage", "channel": channel },
    });
    let (status, answer) = ask(router, Method::POST, "/sessions", Some(&body)).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match status {
        StatusCode::CREATED => {
            let id = text(&answer["id"]).ok_or("the API answered without an id")?;
            Ok(resource(&id))
        }
        // The stack may ask twice: the session that is in the way is then the one that it asked for.
        StatusCode::CONFLICT => {
            let id = text(&answer["session"]).unwrap_or_default();
            let (_, there) = ask(router, Method::GET, &format!("/sessions/{id}"), None).await?;
            let shown = source.split(['?', '#']).next().unwrap_or(source);
            if there["source"]["url"] == shown {
                return Ok(resource(&id));
            }
            Err(reason(&answer))
        }
        _ => Err(reason(&answer)),
    }
}

async fn stop(router: &Router, id: &str) -> Result<(), String> {
    let (status, answer) = ask(router, Method::DELETE, &format!("/sessions/{id}"), None).await?;
    match status {
        StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
        _ => Err(reason(&answer)),
    }
}

fn resource(id: &str) -> Resource {
    Resource { id: id.to_owned(), data: Map::new() }
}

fn reason(answer: &Value) -> String {
    answer["detail"].as_str().unwrap_or("the session API gave no reason").to_owned()
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
        .map_err(|_| "the session's id is not one".to_owned())?;
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status();
    let unread = |_| "the session API's answer cannot be read".to_owned();
    let body = to_bytes(response.into_body(), MOST).await.map_err(unread)?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}
