//! What is asked of the API.

use crate::world::{Answer, World};
use axum::body::Body;
use axum::http::{Method, Request};
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().build().expect("it needs nothing");
    static WORLD: World = RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let world = World::new();
            for name in ["show5", "ad2", "slate3"] {
                let asset = format!(r#"{{"id": "{name}", "url": "https://vod.example/{name}/main.m3u8"}}"#);
                let answer = world.post_text("/assets", "application/json", asset).await;
                assert!(answer.status.is_success(), "{}", answer.text);
            }
            world
        })
    });
}

/// Asks, and checks what every answer keeps: it is JSON, and no error of ours.
async fn ask(world: &World, method: Method, path: &str, body: &[u8]) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json");
    let answer = world.send(request.body(Body::from(body.to_vec())).unwrap()).await;
    assert!(!answer.status.is_server_error(), "{path}: {} {}", answer.status, answer.text);
    if !answer.text.is_empty() {
        let _ = answer.json();
    }
    answer
}

fn with_world(does: impl AsyncFn(&World)) {
    RUNTIME.with(|runtime| WORLD.with(|world| runtime.block_on(does(world))));
}

/// `POST /sessions`, and the route of those who come from hls-pull-push.
pub fn session(body: &[u8]) {
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let world = World::new();
            let made = ask(&world, Method::POST, "/sessions", body).await;
            if made.status == 201 {
                let id = made.json()["id"].as_str().unwrap().to_owned();
                let seen = ask(&world, Method::GET, &format!("/sessions/{id}"), b"").await;
                assert_eq!(seen.json(), made.json());
                let taken = ask(&world, Method::POST, "/sessions", body).await;
                assert_eq!(taken.status, 409, "{}", taken.text);
                let gone = ask(&world, Method::DELETE, &format!("/sessions/{id}"), b"").await;
                assert_eq!(gone.status, 204, "{}", gone.text);
            }
            ask(&world, Method::POST, "/api/v1/fetcher", body).await;
        });
    });
}

/// `PUT /channels/{id}`.
pub fn channel(body: &[u8]) {
    with_world(async |world| {
        let put = ask(world, Method::PUT, "/channels/one", body).await;
        if put.status.is_success() {
            for path in ["", "/schedule", "/now", "/master.m3u8"] {
                let path = format!("/channels/one{path}");
                let answer = world.get(&path).await;
                // What has nothing to play says so with a 503.
                assert_ne!(answer.status, 500, "{path}: {}", answer.text);
            }
            world.delete("/channels/one").await;
        }
    });
}

/// `POST /channels/{id}/schedule`.
pub fn schedule(body: &[u8]) {
    with_world(async |world| {
        let made = br#"{"slate": "slate3", "ads": ["ad2"]}"#;
        let made = ask(world, Method::PUT, "/channels/two", made).await;
        assert!(made.status.is_success(), "{}", made.text);
        let first = br#"{"items": [{"asset": "show5", "breaks": [{"at": 4, "duration": 4}]}]}"#;
        ask(world, Method::POST, "/channels/two/schedule", first).await;
        ask(world, Method::POST, "/channels/two/schedule", body).await;
        let shown = ask(world, Method::GET, "/channels/two/schedule", b"").await;
        assert!(shown.status.is_success(), "{}", shown.text);
        for playlist in ["master.m3u8", "video_360p.m3u8"] {
            let answer = world.get(&format!("/channels/two/{playlist}")).await;
            assert_ne!(answer.status, 500, "{playlist}: {}", answer.text);
        }
        world.delete("/channels/two").await;
    });
}
