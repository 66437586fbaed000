//! CloudFront before the function `channels`: it signs what it asks the function's address for, which answers to
//! nobody else. The local AWS does not sign, and its names do not resolve.

use super::{Cloud, JSON, off_the_runtime, signed};
use crate::origin::Origin;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::Client;
use serde_json::{Value, json};
use std::path::Path;

/// Who it is; the local AWS looks at the name and not at the signature.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, \
    SignedHeaders=host, Signature=0";
/// What it hands on of an answer.
const HANDED_ON: [header::HeaderName; 3] =
    [header::CONTENT_TYPE, header::CACHE_CONTROL, header::ETAG];

#[derive(Clone)]
struct Front {
    client: Client,
    stack: String,
    /// The name of the function's address.
    host: String,
}

impl Cloud {
    /// A channel that is there after the deploy.
    pub(super) fn playout(&self) -> Value {
        let url = |name: &str| self.library.url(&format!("{name}/main.m3u8"));
        let assets = ["bars", "wheel", "slate"]
            .map(|name| json!({ "id": format!("own-{name}"), "url": url(name) }));
        let fill = json!({ "assets": ["own-bars", "own-wheel"], "aheadSeconds": 600 });
        json!({
            "assets": assets,
            "channels": [{ "id": "own", "title": "Own", "slate": "own-slate", "fill": fill, "windowSeconds": 20 }],
        })
    }

    /// Serves what viewers see, tells the function `sessions` that it is there, and says where.
    pub(super) async fn put_front(&self) -> String {
        let lambda = async |method: &'static str, path: &str, body: String| {
            let url = format!("{}{path}", self.stack.url);
            let (status, text) =
                off_the_runtime(move || signed("lambda", &url, method, &body, &JSON)).await;
            assert_eq!(status, 200, "{path}: {text}");
            serde_json::from_str::<Value>(&text).unwrap()
        };
        let host = self.front_host().await;
        let front = Front { client: crate::http::client(), stack: self.stack.url.clone(), host };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().fallback(answer).with_state(front);
        tokio::spawn(axum::serve(listener, routes).into_future());

        let path = "/2015-03-31/functions/hls-ferry-sessions/configuration";
        let mut environment = lambda("GET", path, String::new()).await["Environment"].clone();
        environment["Variables"]["FERRY_CHANNELS_URL"] = json!(here);
        lambda("PUT", path, json!({ "Environment": environment }).to_string()).await;
        here
    }

    /// The status of the answer of the function's address to somebody who is not CloudFront.
    pub async fn ask_past_the_front(&self, path: &str) -> u16 {
        let url = format!("{}{path}", self.stack.url);
        let address = self.front_host().await;
        let answer = crate::http::client().get(url).header(header::HOST, address).send().await;
        answer.unwrap().status().as_u16()
    }

    async fn front_host(&self) -> String {
        let url = format!("{}/2021-10-31/functions/hls-ferry-channels/url", self.stack.url);
        let (_, text) = off_the_runtime(move || signed("lambda", &url, "GET", "", &JSON)).await;
        let address = serde_json::from_str::<Value>(&text).unwrap();
        let address = address["FunctionUrl"].as_str().unwrap();
        address.trim_start_matches("https://").trim_end_matches('/').to_owned()
    }
}

/// VODs.
pub(super) async fn library() -> Origin {
    Origin::serve(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/library")).await
}

async fn answer(State(front): State<Front>, request: Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let url = format!("{}{}", front.stack, request.uri());
    let asked = front.client.request(request.method().clone(), url);
    let asked = asked.header(header::HOST, &front.host).header(header::AUTHORIZATION, SIGNED);
    let Ok(answer) = asked.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let status = answer.status();
    let mut headers = HeaderMap::new();
    for name in HANDED_ON {
        if let Some(value) = answer.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    match answer.bytes().await {
        Ok(body) => (status, headers, body).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
