//! Assets and channels that are resources of a stack: there after the deploy, and gone with it.

use api::inside::{ask, reason};
use aws::custom_resource::{Kind, NOT_MADE, Request, Resource};
use axum::Router;
use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

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
