//! Requests, minutes and events of a stack, over a stand-in for AWS.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws::Environment;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, put};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use channels::World;
use futures_util::future::{Either, select};
use hls::Micros;
use lambda_runtime::Context;
use relay::ports::Clock;
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};
use tests::events;
use tests::ministack::MiniStack;
use web::clock::TokioClock;

const LIBRARY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/library");

/// Three environments of the function, a library of VODs, and a stack that waits.
struct Scene {
    _stack: MiniStack,
    worlds: Vec<World>,
    outside: String,
    told: Arc<Mutex<Vec<Value>>>,
}

fn numbered() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// The text of an answer; playlists are no text to Lambda.
fn body(answer: &Value) -> String {
    let body = answer["body"].as_str().unwrap();
    if answer["isBase64Encoded"] == true {
        String::from_utf8(BASE64_STANDARD.decode(body).unwrap()).unwrap()
    } else {
        body.to_owned()
    }
}

async fn file(Path(path): Path<String>) -> Result<Vec<u8>, StatusCode> {
    std::fs::read(format!("{LIBRARY}/{path}")).map_err(|_| StatusCode::NOT_FOUND)
}

/// A live source: a segment of 2 s every 2 s.
async fn live(Path(path): Path<String>) -> Result<Vec<u8>, StatusCode> {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    if path == "main.m3u8" {
        return file(Path("bars/main.m3u8".to_owned())).await;
    }
    let last = 10 + BEGAN.elapsed().as_secs() / 2;
    let segments: String = (last - 4..=last).map(|n| format!("#EXTINF:2,\n{n}.ts\n")).collect();
    let head = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n", last - 4);
    Ok((head + &segments).into_bytes())
}

impl Scene {
    async fn new() -> Self {
        let stack = MiniStack::start();
        let config = aws::sdk_at(&stack.url).await;
        stack.table("shelf");
        let look_up = |name: &str| match name {
            "FERRY_SHELF" => Some("shelf".to_owned()),
            "FERRY_ALSO_REACH" => Some("127.0.0.1".to_owned()),
            _ => None,
        };
        let world = || World::new(&Environment(&look_up), &config, numbered).unwrap();
        let worlds = (0..3).map(|_| world()).collect();
        let told = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&told);
        let waiting = put(async move |body: String| {
            keep.lock().unwrap().push(serde_json::from_str(&body).unwrap());
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outside = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new()
            .route("/stack", waiting)
            .route("/vod/{*path}", get(file))
            .route("/live/{*path}", get(live));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { _stack: stack, worlds, outside, told }
    }

    /// A request to one of the environments, by a route of the API or past it.
    async fn send(
        &self,
        at: usize,
        route: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let event = events::request(route, method, path, body.as_ref());
        self.worlds[at].invoke(event, Context::default()).await.unwrap()
    }

    /// A request that the API let in, and the answer's status and body.
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let answer = self.send(0, "ANY /channels/{proxy+}", method, path, body).await;
        let text = answer["body"].as_str().unwrap_or_default();
        (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(text).unwrap_or_default())
    }

    /// What a viewer gets.
    async fn view(&self, at: usize, path: &str) -> Value {
        self.send(at, "$default", "GET", path, None).await
    }

    /// What a stack asks, and what it is told.
    async fn stack(&self, kind: &str, id: Option<&str>, properties: Value) -> Value {
        let waits = format!("{}/stack", self.outside);
        let event = events::resource(kind, id, &waits, &properties, None);
        self.worlds[0].invoke(event, Context::default()).await.unwrap();
        self.told.lock().unwrap().pop().unwrap()
    }

    async fn add(&self, name: &str) {
        let url = format!("{}/vod/{name}/main.m3u8", self.outside);
        let (status, answer) =
            self.ask("POST", "/assets", Some(json!({ "id": name, "url": url }))).await;
        assert_eq!(status, 201, "{answer}");
    }
}

#[tokio::test]
async fn all_environments_give_the_same_bytes_and_learn_of_edits_in_time() {
    let scene = Scene::new().await;
    for name in ["bars", "clock", "slate", "advert"] {
        scene.add(name).await;
    }
    let channel = json!({ "slate": "slate", "ads": ["advert"], "window_seconds": 20 });
    assert_eq!(scene.ask("PUT", "/channels/one", Some(channel)).await.0, 201);
    let master = scene.view(1, "/channels/one/master.m3u8").await;
    assert_eq!(master["statusCode"], 200, "{master}");
    let media = body(&master);
    let media = media.lines().find(|line| !line.starts_with('#')).unwrap();
    let media = format!("/channels/one/{media}");
    let all = async || {
        let [one, two, three] = [0, 1, 2].map(|at| scene.view(at, &media));
        futures_util::future::join3(one, two, three).await
    };
    let edit = json!({ "items": [{ "asset": "clock" }, { "asset": "bars" }] });
    assert_eq!(scene.ask("POST", "/channels/one/schedule", Some(edit)).await.0, 201);
    let mut programmes = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let (one, two, three) = all().await;
        // Asked side by side, they may stand on either side of a change.
        let texts = [body(&one), body(&two), body(&three)];
        let distinct: std::collections::BTreeSet<&String> = texts.iter().collect();
        if distinct.len() > 1 {
            let (one, two, three) = all().await;
            assert_eq!((body(&one), body(&one)), (body(&two), body(&three)), "they agree again");
        }
        let age = one["headers"]["cache-control"].as_str().unwrap_or_else(|| panic!("{one:#}"));
        assert!(age.starts_with("public, max-age="), "{age}");
        programmes.extend(texts[0].lines().filter(|line| line.contains("/vod/")).map(|line| {
            line.split("/vod/").nth(1).and_then(|path| path.split('/').next()).unwrap().to_owned()
        }));
        if programmes.contains("clock") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the edit is not played: {programmes:?}");
}

#[tokio::test]
async fn a_minute_follows_a_live_source() {
    let scene = Scene::new().await;
    scene.add("slate").await;
    assert_eq!(scene.ask("PUT", "/channels/one", Some(json!({ "slate": "slate" }))).await.0, 201);
    let end = TokioClock::new().now() + Micros::from_secs(60);
    let source = format!("{}/live/main.m3u8", scene.outside);
    let items = json!({ "items": [{ "live": source, "end": end.to_string() }] });
    let (status, answer) = scene.ask("POST", "/channels/one/schedule", Some(items)).await;
    assert_eq!(status, 201, "{answer}");
    let minute = scene.worlds[1].invoke(json!({ "tend": "schedules" }), Context::default());
    let watch = async {
        for _ in 0..60 {
            let playlist = scene.view(2, "/channels/one/video_180p.m3u8").await;
            if body(&playlist).contains("/live/180p/") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the live source is not played");
    };
    if let Either::Right((ended, _)) = select(pin!(watch), pin!(minute)).await {
        panic!("it does not go on: {ended:?}");
    }
}

#[tokio::test]
async fn viewers_read_playlists_and_nothing_else() {
    let scene = Scene::new().await;
    scene.add("bars").await;
    let channel = json!({ "loop": ["bars"] });
    assert_eq!(scene.ask("PUT", "/channels/one", Some(channel)).await.0, 201);
    for (path, status) in [
        ("/channels/one/master.m3u8", 200),
        ("/channels/one/somebody/master.m3u8", 200),
        ("/live/master.m3u8?channel=one", 302),
        ("/channels/one/empty.vtt", 200),
        ("/channels/none/master.m3u8", 404),
        ("/channels", 404),
        ("/channels/one", 404),
        ("/channels/one/now", 404),
        ("/channels/one/schedule", 404),
        ("/assets", 404),
        ("/assets/bars", 404),
        ("/sessions", 404),
    ] {
        assert_eq!(scene.view(0, path).await["statusCode"], status, "{path}");
    }
    for (method, path) in [
        ("PUT", "/channels/two"),
        ("DELETE", "/channels/one"),
        ("POST", "/assets"),
        ("DELETE", "/assets/bars"),
    ] {
        let answer = scene.send(0, "$default", method, path, Some(json!({}))).await;
        assert_eq!(answer["statusCode"], 404, "{method} {path}");
    }
    let head = scene.send(0, "$default", "HEAD", "/channels/one/master.m3u8", None).await;
    assert_eq!(
        (&head["statusCode"], &head["headers"]["content-type"]),
        (&json!(200), &json!("application/vnd.apple.mpegurl"))
    );
    assert_eq!(scene.ask("GET", "/channels/one/now", None).await.0, 200);
    assert_eq!(scene.ask("DELETE", "/channels/one", None).await.0, 204);
    assert_eq!(scene.view(0, "/channels/one/master.m3u8").await["statusCode"], 410);
}

#[tokio::test]
async fn a_minute_extends_what_is_filled_by_itself() {
    let scene = Scene::new().await;
    scene.add("bars").await;
    let fill = json!({ "assets": ["bars"], "ahead_seconds": 600 });
    assert_eq!(scene.ask("PUT", "/channels/one", Some(json!({ "fill": fill }))).await.0, 201);
    let more = json!({ "assets": ["bars"], "ahead_seconds": 3_600 });
    // As if time had gone by.
    assert_eq!(scene.ask("PUT", "/channels/one", Some(json!({ "fill": more }))).await.0, 200);
    let entries = async || {
        let path = "/channels/one/schedule?to=2100-01-01T00:00:00Z";
        scene.ask("GET", path, None).await.1["entries"].as_array().unwrap().len()
    };
    let before = entries().await;
    let minute = scene.worlds[1].invoke(json!({ "tend": "schedules" }), Context::default());
    assert_eq!(minute.await.unwrap(), Value::Null);
    assert!(before >= 160 && entries().await == before, "{before} entries, and no more in vain");
    let unknown = scene.worlds[1].invoke(json!({ "what": 1 }), Context::default()).await;
    assert!(unknown.unwrap_err().to_string().starts_with("the event is not known"));
}

#[tokio::test]
async fn assets_and_channels_come_change_and_go_with_their_stack() {
    let scene = Scene::new().await;
    let url = |name: &str| format!("{}/vod/{name}/main.m3u8", scene.outside);
    let asset = json!({ "Id": "bars", "Title": "Bars", "Url": url("bars") });
    let made = scene.stack("Create", None, asset.clone()).await;
    assert_eq!(
        (&made["Status"], &made["PhysicalResourceId"]),
        (&json!("SUCCESS"), &json!("/assets/bars")),
        "{made}"
    );
    let channel = |channel: Value| json!({ "Id": "one", "Channel": channel.to_string() });
    let first = json!({ "title": "One", "fill": { "assets": ["bars"] } });
    for kind in ["Create", "Update"] {
        let made = scene.stack(kind, None, channel(first.clone())).await;
        assert_eq!(
            (&made["Status"], &made["PhysicalResourceId"]),
            (&json!("SUCCESS"), &json!("/channels/one")),
            "{made}"
        );
    }
    assert_eq!(scene.view(2, "/channels/one/master.m3u8").await["statusCode"], 200);
    for (wrong, said) in [
        (json!({ "slate": "none" }), "slate is not an asset that was added"),
        (
            json!({ "window_seconds": 40, "fill": { "assets": ["bars"] } }),
            "only title, ads and fill can be changed",
        ),
    ] {
        let told = scene.stack("Update", Some("/channels/one"), channel(wrong)).await;
        let reason = told["Reason"].as_str().unwrap();
        assert!(told["Status"] == "FAILED" && reason.contains(said), "{told}");
    }
    let gone = json!({ "Id": "x", "Url": url("gone") });
    let told = scene.stack("Create", None, gone.clone()).await;
    assert!(told["Reason"].as_str().unwrap().contains("url cannot be read"), "{told}");
    assert_eq!(told["PhysicalResourceId"], "not-made");
    assert_eq!(scene.stack("Delete", Some("not-made"), gone).await["Status"], "SUCCESS");
    for _ in 0..2 {
        let told = scene.stack("Delete", Some("/channels/one"), channel(first.clone())).await;
        assert_eq!(told["Status"], "SUCCESS", "{told}");
        assert_eq!(
            scene.stack("Delete", Some("/assets/bars"), asset.clone()).await["Status"],
            "SUCCESS"
        );
    }
    assert_eq!(scene.view(0, "/channels/one/master.m3u8").await["statusCode"], 410);
}
