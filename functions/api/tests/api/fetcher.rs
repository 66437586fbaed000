//! What those who come from hls-pull-push see.

use crate::world::World;
use axum::http::StatusCode;
use serde_json::{Value, json};

fn request(place: &str) -> Value {
    json!({
        "name": "news",
        "url": "https://origin.example/live/main.m3u8",
        "output": "mediapackage",
        "payload": { "ingestUrls": [
            { "url": format!("https://in.example/{place}/channel"), "username": "u", "password": "p" },
        ]},
        "concurrency": 8,
        "windowSize": 120,
    })
}

#[tokio::test]
async fn a_fetcher_is_a_session() {
    let world = World::new();
    let made = world.post("/api/v1/fetcher", &request("a")).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let id = made.json()["fetcherId"].as_str().unwrap().to_owned();
    assert!(made.json()["message"].is_string());
    let mut data = request("a");
    data["payload"]["ingestUrls"][0].as_object_mut().unwrap().retain(|name, _| name == "url");
    assert_eq!(made.json()["requestData"], data);

    assert_eq!(
        world.get("/api/v1/fetcher").await.json(),
        json!([{
            "fetcherId": id,
            "created": "2023-11-14T22:13:20.000Z",
            "name": "news",
            "url": "https://origin.example/live/main.m3u8",
            "dest": "mediapackage",
            "concurrency": 8,
            "windowSize": 120,
            "sourcePlaylistType": "NONE",
        }])
    );
    let session = world.get(&format!("/sessions/{id}")).await.json();
    assert_eq!((&session["window_seconds"], &session["name"]), (&json!(120), &json!("news")));

    let path = format!("/api/v1/fetcher/{id}");
    let stopped = world.delete(&path).await;
    assert_eq!((stopped.status, stopped.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(world.get("/api/v1/fetcher").await.json(), json!([]));
    let again = world.delete(&path).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert!(again.json()["message"].as_str().unwrap().contains(&id));
    assert_eq!(world.get(&format!("/sessions/{id}")).await.json()["status"], "stopped");
}

#[tokio::test]
async fn all_active_fetchers_are_listed() {
    let world = World::new();
    for place in 0..250_u8 {
        world.post("/api/v1/fetcher", &request(&place.to_string())).await;
    }
    assert_eq!(world.get("/api/v1/fetcher").await.json().as_array().unwrap().len(), 250);
}

#[tokio::test]
async fn what_may_be_left_out_has_its_defaults() {
    for (change, concurrency, window) in [
        (json!({}), 16, -1),
        (json!({ "concurrency": null, "windowSize": null }), 16, -1),
        (json!({ "concurrency": 1, "windowSize": -1 }), 1, -1),
        (json!({ "concurrency": 64, "windowSize": "300" }), 16, 300),
        (json!({ "concurrency": 0, "windowSize": 0, "more": "x" }), 1, -1),
    ] {
        let world = World::new();
        let mut body = request("a");
        let fields = body.as_object_mut().unwrap();
        fields.retain(|name, _| name != "concurrency" && name != "windowSize");
        fields.extend(change.as_object().unwrap().clone());
        let made = world.post("/api/v1/fetcher", &body).await;
        assert_eq!(made.status, StatusCode::OK, "{change} {}", made.text);
        let fetcher = world.get("/api/v1/fetcher").await.json()[0].clone();
        let (given, size) = (&fetcher["concurrency"], &fetcher["windowSize"]);
        assert_eq!((given, size), (&json!(concurrency), &json!(window)), "{change}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_in_its_words() {
    let ingest = |change: Value| json!({ "ingestUrls": [change] });
    for (field, value, status, message) in [
        ("output", json!("s3"), StatusCode::NOT_FOUND, "Unsupported Plugin Type 's3'"),
        ("output", Value::Null, StatusCode::BAD_REQUEST, "output is required"),
        ("name", Value::Null, StatusCode::BAD_REQUEST, "name is required"),
        ("url", json!("x"), StatusCode::BAD_REQUEST, "url is not a URL"),
        ("url", json!("http://127.0.0.1/"), StatusCode::BAD_REQUEST, "url is not allowed"),
        ("payload", Value::Null, StatusCode::BAD_REQUEST, "payload.ingestUrls must name 1 to 4"),
        ("payload", json!("x"), StatusCode::BAD_REQUEST, "payload must be an object"),
        (
            "payload",
            ingest(json!({ "url": "https://in.example/", "username": "u" })),
            StatusCode::BAD_REQUEST,
            "payload.ingestUrls[0].password is required",
        ),
        (
            "payload",
            ingest(json!({ "url": "x", "username": "u", "password": "p" })),
            StatusCode::BAD_REQUEST,
            "payload.ingestUrls[0].url is not a URL",
        ),
        ("windowSize", json!(100_000), StatusCode::BAD_REQUEST, "windowSize must be"),
    ] {
        let world = World::new();
        let mut body = request("a");
        body[field] = value.clone();
        let answer = world.post("/api/v1/fetcher", &body).await;
        assert_eq!(answer.status, status, "{field} {value} {}", answer.text);
        let given = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(given.contains(message), "{field} {value}: {given}");
    }
    let world = World::new();
    world.post("/api/v1/fetcher", &request("a")).await;
    assert_eq!(world.post("/api/v1/fetcher", &request("a")).await.status, StatusCode::CONFLICT);
    let broken = world.post_text("/api/v1/fetcher", "application/json", "{".to_owned()).await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert!(broken.json()["message"].is_string());
}
