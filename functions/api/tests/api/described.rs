//! What the OpenAPI document says is so.

use crate::world::{World, request};
use axum::http::Method;
use relay::Timestamp;
use relay::cause::Cause;
use relay::progress::{EndpointProgress, Fault, LeftOut, Progress, RenditionProgress};
use relay::session::{Address, SessionId};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use url::Url;

fn document() -> Value {
    serde_json::from_str(api::OPENAPI).unwrap()
}

fn operations(path: &Value) -> impl Iterator<Item = &String> {
    path.as_object().unwrap().keys().filter(|name| *name != "parameters")
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let (world, document) = (World::new(), document());
    assert_eq!(world.get("/openapi.json").await.json(), document);

    // A router shows its paths to nobody but who debugs it.
    let shown = format!("{:?}", world.router);
    let (shown, _) = shown.split_once("fallback_router").unwrap();
    let routes: BTreeSet<&str> = shown.split('"').filter(|text| text.starts_with('/')).collect();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(routes, paths.keys().map(String::as_str).collect());

    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for (path, described) in paths {
        let described: BTreeSet<String> = operations(described).cloned().collect();
        let served = world
            .ask(
                Method::TRACE,
                &path.replace("{id}", "x").replace("{playlist}", "a.m3u8").replace("{viewer}", "v"),
            )
            .await;
        let allowed = served.header("allow").to_ascii_lowercase();
        let served = methods.iter().map(|method| method.as_str().to_ascii_lowercase());
        let served: BTreeSet<String> =
            served.filter(|method| allowed.split(',').any(|allowed| allowed == method)).collect();
        assert_eq!(served, described, "{path}");
    }
}

/// The schema that a `$ref` names, or the schema itself.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    }
}

/// Checks that a value has what its schema says, all of it and nothing else.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(document, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let other = choices.iter().find(|one| one["type"] != "null").unwrap();
        if !value.is_null() {
            check(document, other, value, at);
        }
        return;
    }
    match value {
        Value::Object(fields) => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let names = |map: &Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(fields), names(&properties), "{at}");
            for (name, value) in fields {
                check(document, &properties[name], value, &format!("{at}.{name}"));
            }
        }
        Value::Array(values) => {
            assert!(!values.is_empty(), "{at} has nothing to check");
            for value in values {
                check(document, &schema["items"], value, at);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "integer",
                _ => "string",
            };
            let kinds = match &schema["type"] {
                Value::Array(kinds) => kinds.clone(),
                one => vec![one.clone()],
            };
            let number = kind == "integer" && kinds.contains(&json!("number"));
            let constant = schema["const"] == *value;
            assert!(number || constant || kinds.contains(&json!(kind)), "{at} is {kind}");
            if let Some(known) = schema["enum"].as_array() {
                assert!(known.contains(value), "{at} is {value}");
            }
        }
    }
}

fn full_progress() -> Progress {
    let fault = Some(Fault { what: "w".to_owned(), at: Timestamp(1) });
    Progress {
        causes: Cause::ALL.into(),
        renditions: vec![RenditionProgress { listed: vec![None], ..RenditionProgress::default() }],
        left_out: vec![LeftOut { name: "n".to_owned(), reason: "r".to_owned() }],
        endpoints: vec![EndpointProgress {
            address: Address::of(&Url::parse("https://in.example/a").unwrap()),
            healthy: true,
            segments: 0,
            bytes: 0,
            behind: 0,
            last_error: fault.clone(),
        }],
        last_error: fault,
        ..Progress::default()
    }
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let (world, document) = (World::new(), document());
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    let mut body = request("a");
    body["source"]["fallbacks"] = json!(["https://other.example/main.m3u8"]);
    let made = world.post("/sessions", &body).await.json();
    let id = made["id"].as_str().unwrap().to_owned();
    let carried = SessionId(id.clone());
    world.process.carried.lock().unwrap().get_mut(&carried).unwrap().progress = full_progress();
    check(&document, &schema("Session"), &world.get(&format!("/sessions/{id}")).await.json(), "");
    check(&document, &schema("SessionList"), &world.get("/sessions").await.json(), "");
    check(&document, &schema("Health"), &world.get("/health").await.json(), "");
    let taken = world.post("/sessions", &request("a")).await;
    check(&document, &schema("Problem"), &taken.json(), "");

    let fetcher = json!({
        "name": "old", "url": "https://origin.example/m.m3u8", "output": "mediapackage",
        "payload": { "ingestUrls": [{ "url": "https://in.example/b", "username": "u", "password": "p" }] },
    });
    let made = world.post("/api/v1/fetcher", &fetcher).await;
    check(&document, &schema("FetcherMade"), &made.json(), "");
    let fetchers = world.get("/api/v1/fetcher").await.json();
    check(&document, &schema("Fetcher"), &fetchers[0], "");
    let refused = world.post("/api/v1/fetcher", &fetcher).await;
    check(&document, &schema("FetcherError"), &refused.json(), "");

    let fill = json!({ "assets": ["show5"], "breaks": { "every": 3, "duration": 4 } });
    let made = json!({ "slate": "slate3", "ads": ["ad2"], "fill": fill });
    world.channel(&made).await;
    check(&document, &schema("Asset"), &world.get("/assets/ad2").await.json(), "");
    let listed = json!({ "id": "two", "loop": ["ad2"] });
    let mut channel = world.get("/channels/one").await.json();
    channel["loop"] = listed["loop"].clone();
    check(&document, &schema("Channel"), &channel, "");
    check(
        &document,
        &schema("SchedulePage"),
        &world.get("/channels/one/schedule").await.json(),
        "",
    );
    check(&document, &schema("Now"), &world.get("/channels/one/now").await.json(), "");
}

/// What each described field may hold, at its limits.
#[tokio::test]
async fn every_described_field_is_taken_and_no_other() {
    let full = json!({
        "name": "x".repeat(200),
        "source": {
            "url": "https://origin.example/live/main.m3u8",
            "headers": { "x-a": "1" },
            "fallbacks": ["https://other.example/live/main.m3u8"],
            "fallback_after_seconds": 5,
            "return_after_seconds": 3_600,
        },
        "output": {
            "type": "webdav",
            "keys": "carry",
            "endpoints": [{ "url": "https://in.example/a", "username": "u", "password": "p" }],
        },
        "window_seconds": 86_400,
        "start": "window",
        "concurrency": 16,
        "renditions": {
            "min_height": 0,
            "max_height": 2_160,
            "min_bandwidth": 0,
            "max_bandwidth": u64::MAX,
            "codecs": ["avc1"],
            "languages": ["x".repeat(64)],
            "kinds": ["audio", "video", "subtitles", "closed-captions", "i-frames"],
            "limit": 1,
        },
    });
    let world = World::new();
    let document = document();
    let schema = &document["components"]["schemas"]["SessionRequest"];
    let mut without_headers = full.clone();
    without_headers["source"]["headers"] = json!({});
    // Header names are the caller's.
    let mut described = schema.clone();
    described["properties"]["source"]["properties"]["headers"] = json!({ "type": "object" });
    // It stands in the place of a URL.
    described["properties"]["source"]["properties"].as_object_mut().unwrap().remove("channel");
    check(&document, &described, &without_headers, "");
    let made = world.post("/sessions", &full).await;
    assert_eq!(made.status, 201, "{}", made.text);
    for place in ["", "/source", "/output", "/renditions", "/output/endpoints/0"] {
        let mut body = full.clone();
        body.pointer_mut(place).unwrap()["other"] = json!(1);
        assert_eq!(world.post("/sessions", &body).await.status, 422, "{place}");
        let schema = match place {
            "" => schema,
            "/source" => &schema["properties"]["source"],
            "/output" => &schema["properties"]["output"],
            "/renditions" => &schema["properties"]["renditions"],
            _ => &schema["properties"]["output"]["properties"]["endpoints"]["items"],
        };
        assert_eq!(schema["additionalProperties"], false, "{place}");
    }
}
