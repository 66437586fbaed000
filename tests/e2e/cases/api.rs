//! The session API: mistakes, secrets, and the API of hls-pull-push.

use crate::apache::{Apache, DIGEST};
use crate::program::Program;
use crate::scene::Scene;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_wrong_password_is_told_without_the_password_and_mended_by_a_new_session() {
    let scene = Scene::start(&[DIGEST]).await;
    let mut request = scene.request();
    request["output"]["endpoints"][0]["password"] = json!("b1gMistake");
    request["source"]["url"] =
        json!(format!("{}?token=s3cretToken", request["source"]["url"].as_str().unwrap()));
    request["source"]["headers"] = json!({ "x-key": "s3cretHeader" });
    let first = scene.ferry.make(request).await;
    let degraded = |session: &Value| session["status"] == "degraded";
    let session = scene.ferry.until(&first, "degraded", Duration::from_secs(10), degraded).await;
    assert_eq!(session["causes"], json!(["denied"]), "{session:#}");
    let reason = session["reason"].as_str().unwrap();
    assert!(reason.contains("401"), "the reason says what is wrong: {reason}");
    assert_eq!(session["endpoints"][0]["healthy"], false, "{session:#}");

    // The same place cannot be written to by two.
    let (status, problem) = scene.ferry.ask(Method::POST, "/sessions", Some(scene.request())).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(&first), "it names the first: {problem}");

    let (status, _) = scene.ferry.ask(Method::DELETE, &format!("/sessions/{first}"), None).await;
    assert!(status / 100 == 2, "{status}");
    let stopped = |session: &Value| session["status"] == "stopped";
    scene.ferry.until(&first, "stopped", Duration::from_secs(5), stopped).await;
    let second = scene.carry().await;
    scene.caught_up(Duration::from_secs(30)).await;
    scene.end(&second).await.is_whole();
}

#[tokio::test]
async fn those_who_come_from_hls_pull_push_stay_on_its_api() {
    let scene = Scene::start(&[DIGEST, DIGEST]).await;
    let (ferry, source) = (&scene.ferry, scene.origin.url("main.m3u8"));
    let request = json!({
        "name": "peer", "url": source, "output": "mediapackage",
        "payload": { "ingestUrls": scene.apaches.iter().map(Apache::json).collect::<Vec<_>>() },
        "concurrency": 8, "windowSize": 600,
    });
    let (status, made) = ferry.ask(Method::POST, "/api/v1/fetcher", Some(request)).await;
    assert_eq!(status, 200, "{made}");
    let id = made["fetcherId"].as_str().unwrap().to_owned();
    let (status, all) = ferry.ask(Method::GET, "/api/v1/fetcher", None).await;
    assert_eq!(status, 200, "{all}");
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
    let told = &all[0];
    for (field, value) in [
        ("fetcherId", json!(id)),
        ("name", json!("peer")),
        ("url", json!(source)),
        ("concurrency", json!(8)),
        ("windowSize", json!(600)),
    ] {
        assert_eq!(told[field], value, "{field}: {all}");
    }
    let sessions = ferry.ask(Method::GET, "/sessions", None).await.1;
    let id_of_session = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();

    scene.publish(3).await;
    let path = format!("/api/v1/fetcher/{id}");
    let outcome = scene.stop(&id_of_session, &path, 404).await;
    for carried in outcome.carried.iter().flatten() {
        assert!(carried.segments >= 3 && carried.missed.is_empty(), "{carried:?}");
    }
}
