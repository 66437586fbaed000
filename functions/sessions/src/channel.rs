//! Sessions to a deployed channel: its addresses and credentials are put into the request.

use aws::{Error, Secrets};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use relay::session::Endpoint;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The deployed channels.
#[derive(Clone, Debug)]
pub struct Channels {
    /// Their names; the first is where a session goes that names none.
    pub names: Vec<String>,
    /// Where their addresses and credentials are.
    pub secrets: Arc<Secrets>,
}

/// More than a request may have; the API says so in its words.
const MOST: usize = 1 << 20;

/// The routes, with `{"type": "mediapackage"}` and `{"type": "mediapackage", "channel": ".."}` as outputs.
pub fn with_channels(router: Router, channels: Channels) -> Router {
    router.layer(from_fn(move |request: Request, next: Next| {
        let channels = channels.clone();
        async move {
            match (request.method(), request.uri().path()) {
                (&Method::POST, "/sessions") => fill_in(request, next, &channels).await,
                (&Method::GET, "/openapi.json") => Json(described(&channels.names)).into_response(),
                _ => next.run(request).await,
            }
        }
    }))
}

/// The API's own description, with the deployed channels as outputs.
fn described(names: &[String]) -> Value {
    let mut document: Value = serde_json::from_str(api::OPENAPI).expect("the API's tests read it");
    let [default, ..] = names else { return document };
    let output = &mut document["components"]["schemas"]["SessionRequest"]["properties"]["output"];
    output["required"] = json!(["type"]);
    output["not"] = json!({ "required": ["channel", "endpoints"] });
    output["properties"]["channel"] = json!({
        "type": "string",
        "enum": names,
        "default": default,
        "description": "A channel of this deployment, in the place of endpoints. Its type is mediapackage.",
    });
    document
}

async fn fill_in(request: Request, next: Next, channels: &Channels) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(mut body) = to_bytes(body, MOST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if let Ok(mut asked) = serde_json::from_slice::<Value>(&body) {
        match wanted(&asked, &channels.names) {
            Ok(None) => {}
            Ok(Some(name)) => match channels.endpoints(&name).await {
                Ok(endpoints) => {
                    put(&mut asked, &endpoints);
                    body = Bytes::from(asked.to_string());
                }
                Err(error) => {
                    tracing::error!(channel = name, %error, "cannot read the channel's secret");
                    let detail = format!("the credentials of channel {name} cannot be read now");
                    return problem(StatusCode::SERVICE_UNAVAILABLE, &detail, None);
                }
            },
            Err(detail) => {
                let said = format!("output.channel {detail}");
                return problem(StatusCode::UNPROCESSABLE_ENTITY, &said, Some(&detail));
            }
        }
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    next.run(Request::from_parts(parts, Body::from(body))).await
}

impl Channels {
    async fn endpoints(&self, name: &str) -> Result<Vec<Endpoint>, Error> {
        let what = format!("the secret of channel {name}");
        let secret = self.secrets.channel(name).await?.ok_or(Error::Malformed { what })?;
        Ok(secret.endpoints())
    }
}

/// The deployed channel that a request asks for, if it does; or what is wrong with `output.channel`.
fn wanted(request: &Value, names: &[String]) -> Result<Option<String>, String> {
    let Some(output) = request.get("output").and_then(Value::as_object) else { return Ok(None) };
    if output.get("type").and_then(Value::as_str) != Some("mediapackage") {
        return Ok(None);
    }
    let given = |name: &str| output.get(name).filter(|value| !value.is_null());
    match (given("channel"), given("endpoints")) {
        (None, Some(_)) => Ok(None),
        // Without a channel deployed, endpoints are required, as the API says.
        (None, None) => Ok(names.first().cloned()),
        (Some(_), Some(_)) => Err("cannot be given beside output.endpoints".to_owned()),
        (Some(channel), None) => match names.iter().find(|name| channel == name.as_str()) {
            Some(name) => Ok(Some(name.clone())),
            None if names.is_empty() => Err("cannot be given: no channel is deployed".to_owned()),
            None => Err(format!("must be one that is deployed: {}", names.join(", "))),
        },
    }
}

/// Puts the endpoints of a channel in the place of its name.
fn put(request: &mut Value, endpoints: &[Endpoint]) {
    let Some(output) = request.get_mut("output").and_then(Value::as_object_mut) else { return };
    output.remove("channel");
    let endpoint = |endpoint: &Endpoint| {
        let mut one = Map::from_iter([("url".to_owned(), json!(endpoint.url))]);
        if let Some(credentials) = &endpoint.credentials {
            one.insert("username".to_owned(), json!(credentials.username));
            one.insert("password".to_owned(), json!(credentials.password));
        }
        Value::Object(one)
    };
    output.insert("endpoints".to_owned(), endpoints.iter().map(endpoint).collect());
}

/// A problem document (RFC 9457), as the API has them.
fn problem(status: StatusCode, detail: &str, channel: Option<&str>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    let (of, title) = match channel {
        Some(_) => ("urn:hls-ferry:problem:invalid-request", "The request is not valid"),
        None => ("about:blank", status.canonical_reason().unwrap_or("Error")),
    };
    let mut problem =
        json!({ "type": of, "title": title, "status": status.as_u16(), "detail": detail });
    if let Some(detail) = channel {
        problem["errors"] = json!([{ "field": "output.channel", "detail": detail }]);
    }
    (status, kind, problem.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_without_endpoints_is_a_deployed_channel() {
        let names = ["main".to_owned(), "sports".to_owned()];
        for (output, expected) in [
            (json!({ "type": "mediapackage" }), Ok(Some("main"))),
            (json!({ "type": "mediapackage", "channel": null }), Ok(Some("main"))),
            (json!({ "type": "mediapackage", "channel": "sports" }), Ok(Some("sports"))),
            (json!({ "type": "mediapackage", "endpoints": [] }), Ok(None)),
            (json!({ "type": "webdav" }), Ok(None)),
            (json!({ "type": 7 }), Ok(None)),
            (json!("mediapackage"), Ok(None)),
            (
                json!({ "type": "mediapackage", "channel": "news" }),
                Err("must be one that is deployed: main, sports"),
            ),
            (
                json!({ "type": "mediapackage", "channel": 7 }),
                Err("must be one that is deployed: main, sports"),
            ),
            (
                json!({ "type": "mediapackage", "channel": "main", "endpoints": [] }),
                Err("cannot be given beside output.endpoints"),
            ),
        ] {
            let found = wanted(&json!({ "output": output }), &names);
            let expected = expected.map(|name| name.map(str::to_owned)).map_err(str::to_owned);
            assert_eq!(found, expected, "{output}");
        }
        assert_eq!(wanted(&json!({ "output": { "type": "mediapackage" } }), &[]), Ok(None));
        let asked = json!({ "output": { "type": "mediapackage", "channel": "main" } });
        wanted(&asked, &[]).unwrap_err();
    }
}
