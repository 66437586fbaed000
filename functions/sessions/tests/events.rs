//! Events of an HTTP API and of a stack, over a stand-in for AWS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws::Environment;
use axum::routing::put;
use lambda_runtime::Context;
use serde_json::{Value, json};
use sessions::World;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use tests::events;
use tests::ministack::MiniStack;

struct Scene {
    _stack: MiniStack,
    world: World,
    /// Where the stack waits, and what it was told.
    waits: String,
    told: Arc<Mutex<Vec<Value>>>,
}

fn numbered() -> [u8; 10] {
    static NUMBER: AtomicU8 = AtomicU8::new(0);
    [0, 0, 0, 0, 0, 0, 0, 0, 0, NUMBER.fetch_add(1, Ordering::Relaxed)]
}

impl Scene {
    async fn new() -> Self {
        let stack = MiniStack::start();
        let config = aws::sdk_at(&stack.url).await;
        stack.table("table");
        let input = |number: u8| {
            let url = format!("https://in{number}.example/in/v2/x/x/channel");
            let credentials = json!({ "username": "user", "password": format!("word-{number}") });
            json!({ "id": format!("i{number}"), "url": url, "credentials": credentials })
        };
        let secret = json!({ "channel": "ferry-main", "endpoints": [input(1), input(2)] });
        let secrets = aws_sdk_secretsmanager::Client::new(&config);
        let made = secrets.create_secret().name("ferry/channels/main");
        made.secret_string(secret.to_string()).send().await.unwrap();
        let url = stack.url.clone();
        let look_up = |name: &str| match name {
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
            "AWS_REGION" => Some("us-east-1".to_owned()),
            "AWS_ENDPOINT_URL" => Some(url.clone()),
            "FERRY_TABLE" => Some("table".to_owned()),
            "FERRY_SECRETS" => Some("ferry/".to_owned()),
            // There is none: a session begins with the next minute, then.
            "FERRY_STATE_MACHINE" => {
                Some("arn:aws:states:us-east-1:000000000000:stateMachine:none".to_owned())
            }
            "FERRY_CHANNELS" => Some("main,news".to_owned()),
            _ => None,
        };
        let world = World::new(&Environment(&look_up), &config, numbered).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&told);
        let waiting = put(async move |body: String| {
            keep.lock().unwrap().push(serde_json::from_str(&body).unwrap());
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let waits = format!("http://{}/stack", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/stack", waiting);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { _stack: stack, world, waits, told }
    }

    /// A request as an HTTP API hands it on, and the answer's status and body.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let event = events::request("$default", method, path, body.as_ref());
        let answer = self.world.invoke(event, Context::default()).await.unwrap();
        let text = answer["body"].as_str().unwrap_or_default();
        let body = serde_json::from_str(text).unwrap_or_default();
        (answer["statusCode"].as_u64().unwrap(), body)
    }

    /// What a stack asks, and what it is told.
    async fn stack(&self, kind: &str, id: Option<&str>, source: &str, before: &str) -> Value {
        let properties =
            |source: &str| json!({ "Name": "main", "SourceUrl": source, "Channel": "main" });
        let (now, before) = (properties(source), properties(before));
        let event = events::resource(kind, id, &self.waits, &now, Some(&before));
        self.world.invoke(event, Context::default()).await.unwrap();
        self.told.lock().unwrap().pop().unwrap()
    }
}

#[tokio::test]
async fn sessions_to_a_deployed_channel_are_made_shown_and_stopped() {
    let scene = Scene::new().await;
    let request = |output: Value| json!({ "name": "news", "source": { "url": "https://origin.example/live.m3u8" }, "output": output });
    let channel = json!({ "type": "mediapackage" });
    let (status, made) = scene.ask("POST", "/sessions", Some(request(channel.clone()))).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["output"]["endpoints"][1]["url"], "https://in2.example/in/v2/x/x/channel");
    assert!(!made.to_string().contains("word-"), "{made}");
    let path = format!("/sessions/{}", made["id"].as_str().unwrap());

    let (status, problem) = scene.ask("POST", "/sessions", Some(request(channel.clone()))).await;
    assert_eq!((status, &problem["session"]), (409, &made["id"]), "{problem}");
    for (output, status, said) in [
        (
            json!({ "type": "mediapackage", "channel": "x" }),
            422,
            "output.channel must be one that is deployed: main, news",
        ),
        (
            json!({ "type": "mediapackage", "channel": "news" }),
            503,
            "the credentials of channel news cannot be read now",
        ),
        (json!({ "type": "webdav" }), 422, "output.endpoints must name 1 to 4 endpoints"),
    ] {
        let (got, problem) = scene.ask("POST", "/sessions", Some(request(output))).await;
        assert_eq!((got, problem["detail"].as_str().unwrap()), (status, said), "{problem}");
    }
    let (status, shown) = scene.ask("GET", &path, None).await;
    assert_eq!((status, &shown["status"]), (200, &json!("starting")));
    assert_eq!(scene.ask("GET", "/health", None).await.0, 200);
    assert_eq!(scene.ask("DELETE", &path, None).await.0, 204);
    assert_eq!(scene.ask("GET", &path, None).await.1["status"], "stopped");
    assert_eq!(scene.ask("POST", "/sessions", Some(request(channel))).await.0, 201);
    let list = scene.ask("GET", "/sessions", None).await.1;
    assert_eq!(list["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(scene.ask("GET", "/nowhere", None).await.0, 404);

    let (status, document) = scene.ask("GET", "/openapi.json", None).await;
    let output = &document["components"]["schemas"]["SessionRequest"]["properties"]["output"];
    let channel = &output["properties"]["channel"];
    assert_eq!((status, &channel["enum"]), (200, &json!(["main", "news"])));
    assert_eq!((&channel["default"], &output["required"]), (&json!("main"), &json!(["type"])));
}

#[tokio::test]
async fn a_session_comes_changes_and_goes_with_its_stack() {
    let scene = Scene::new().await;
    let (one, two) = ("https://origin.example/one.m3u8", "https://origin.example/two.m3u8");
    let made = scene.stack("Create", None, one, one).await;
    assert_eq!(made["Status"], "SUCCESS", "{made}");
    let id = made["PhysicalResourceId"].as_str().unwrap();
    let again = scene.stack("Create", None, one, one).await;
    assert_eq!(again["PhysicalResourceId"], id, "a stack may ask twice");
    let refused = scene.stack("Create", None, two, two).await;
    assert_eq!(refused["Status"], "FAILED", "{refused}");
    assert_eq!(scene.stack("Update", Some(id), one, one).await["PhysicalResourceId"], id);

    let changed = scene.stack("Update", Some(id), two, one).await;
    let new = changed["PhysicalResourceId"].as_str().unwrap();
    assert_ne!(new, id);
    // The stack then takes away what was before.
    assert_eq!(scene.stack("Delete", Some(id), one, one).await["Status"], "SUCCESS");
    let status = async |id: &str| {
        scene.ask("GET", &format!("/sessions/{id}"), None).await.1["status"].clone()
    };
    assert_eq!((status(id).await, status(new).await), (json!("stopped"), json!("starting")));
    let bad = scene.stack("Update", Some(new), "http://169.254.169.254/x", two).await;
    let reason = bad["Reason"].as_str().unwrap();
    assert!(bad["Status"] == "FAILED" && reason.contains("source.url"), "{bad}");
    assert_eq!(scene.stack("Delete", Some("not-made"), one, one).await["Status"], "SUCCESS");
}
