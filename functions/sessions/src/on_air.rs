//! A session that is a resource of a stack: on air after the deploy, and gone with it.

use api::inside::{ask, reason};
use aws::custom_resource::{Kind, NOT_MADE, Request, Resource};
use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

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
