//! Channels of VODs on AWS: the function, its table and its minute, deployed to a local AWS.

use super::channels::{Watcher, decode};
use crate::apache::{Apache, DIGEST};
use crate::cloud::{Cloud, cloud};
use crate::http;
use crate::observer::Observer;
use crate::program::Program;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a change of the schedule may take to be seen: what is frozen, a programme's segment, and a busy machine.
const SEEN: Duration = Duration::from_secs(30);
/// Readers at once, each of which may meet another environment of the function.
const READERS: usize = 6;

async fn ask(cloud: &'static Cloud, method: Method, path: &str, body: Value) {
    let (status, answer) = cloud.ask(method, path, Some(body)).await;
    assert!(status == 200 || status == 201, "{path}: {status} {answer:#}");
}

/// Makes a channel of the library by the API.
async fn channel(cloud: &'static Cloud, id: &str) {
    for name in ["bars", "clock", "wheel", "slate", "advert"] {
        let url = cloud.library.url(&format!("{name}/main.m3u8"));
        ask(cloud, Method::POST, "/assets", json!({ "id": name, "url": url })).await;
    }
    let channel =
        json!({ "slate": "slate", "ads": ["advert"], "target_duration": 2, "window_seconds": 20 });
    ask(cloud, Method::PUT, &format!("/channels/{id}"), channel).await;
    let breaks = json!([{ "at": 16, "duration": 8 }]);
    let items = json!([{ "asset": "clock", "offset": 14, "breaks": breaks }, { "asset": "bars", "duration": 4 }]);
    let path = format!("/channels/{id}/schedule");
    ask(cloud, Method::POST, &path, json!({ "items": items })).await;
}

/// The renditions of a channel, watched.
fn watch(cloud: &Cloud, id: &str) -> Vec<Watcher> {
    let names = ["video_180p", "video_360p", "audio_en"];
    names.map(|name| Watcher::new(format!("{}/channels/{id}/{name}.m3u8", cloud.front))).into()
}

/// Which VODs a watcher has seen: the folders of their segments.
fn seen(watcher: &Watcher) -> BTreeSet<&str> {
    watcher.known.values().flat_map(|(uri, _, _)| uri.split('/')).collect()
}

/// Asks for a playlist several times at once: what is the same version is the same bytes.
async fn same_bytes(url: &str) {
    let client = http::client();
    let texts = (0..READERS).map(|_| async {
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        answer.text().await.unwrap()
    });
    let texts: BTreeSet<String> = futures_util::future::join_all(texts).await.into_iter().collect();
    let versions: BTreeSet<usize> =
        texts.iter().map(|text| text.matches("#EXTINF").count()).collect();
    let last: BTreeSet<&str> = texts.iter().filter_map(|text| text.lines().last()).collect();
    // Those on either side of a change end with another segment.
    assert_eq!(texts.len(), last.len(), "{versions:?} {texts:#?}");
    assert!(last.len() <= 2, "{last:?}");
}

#[tokio::test]
async fn a_channel_is_made_by_the_api_and_changed_while_it_plays() {
    let cloud = cloud();
    channel(cloud, "ts").await;
    let mut watchers = watch(cloud, "ts");
    let master = format!("{}/channels/ts/master.m3u8", cloud.front);
    let decoded = tokio::task::spawn_blocking(move || decode(&master, 32));
    let (began, mut edited, mut killed) = (Instant::now(), None, 0);
    while began.elapsed() < Duration::from_secs(36) {
        for watcher in &mut watchers {
            watcher.look().await;
        }
        same_bytes(&format!("{}/channels/ts/video_180p.m3u8", cloud.front)).await;
        if edited.is_none() && began.elapsed() > Duration::from_secs(4) {
            let items = json!([{ "asset": "wheel" }]);
            ask(cloud, Method::POST, "/channels/ts/schedule", json!({ "items": items })).await;
            edited = Some(Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    for watcher in &watchers {
        assert!(seen(watcher).contains("wheel"), "{} plays {:?}", watcher.url, seen(watcher));
        let boundaries: BTreeSet<u64> = watcher.known.values().map(|(_, _, it)| *it).collect();
        assert!(boundaries.len() > 4, "{} had {boundaries:?}", watcher.url);
    }
    let frames = decoded.await.unwrap();
    assert!(frames > 500, "{frames} pictures were decoded");

    // Environments that come later give what those before them gave.
    for _ in 0..2 {
        let _ended = cloud.answering.write().await;
        killed += cloud.kill("channels");
        for watcher in &mut watchers {
            watcher.look().await;
        }
    }
    assert!(killed >= 2, "{killed} environments were at work");
}

#[tokio::test]
async fn a_channel_is_carried_to_an_ingest_by_its_name() {
    let cloud = cloud();
    channel(cloud, "carried").await;
    let apache = Apache::start(DIGEST).await;
    let observer = Observer::watch(&apache.playlist());
    let session = json!({
        "name": "a channel of VODs",
        "source": { "channel": "carried" },
        "output": { "type": "mediapackage", "endpoints": [apache.json()] },
        "start": "window",
        "window_seconds": 600,
    });
    let id = cloud.make(session).await;
    let session = cloud.session(&id).await;
    let url = format!("{}/channels/carried/master.m3u8", cloud.front);
    assert_eq!(session["source"]["url"], json!(url), "{session:#}");
    let deadline = Instant::now() + Duration::from_secs(60);
    while observer.segments() < 30 {
        assert!(Instant::now() < deadline, "{:#}", cloud.session(&id).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let session = cloud.session(&id).await;
    assert_eq!(
        (&session["status"], &session["missed"]),
        (&json!("running"), &json!(0)),
        "{session:#}"
    );
    assert_eq!(observer.violations(), Vec::<String>::new());
    assert_eq!(cloud.ask(Method::DELETE, &format!("/sessions/{id}"), None).await.0, 204);
}

#[tokio::test]
async fn a_channel_by_configuration_plays_after_the_deploy_and_its_minute_extends_it() {
    let cloud = cloud();
    let mut watchers = watch(cloud, "own");
    for _ in 0..10 {
        for watcher in &mut watchers {
            watcher.look().await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for watcher in &watchers {
        assert!(
            !watcher.known.is_empty() && !seen(watcher).contains("slate"),
            "{:?}",
            seen(watcher)
        );
    }
    // As much as was asked for, but for what goes by until it is extended.
    let until = async || {
        let schedule = cloud.ask(Method::GET, "/channels/own/schedule", None).await.1;
        let last = schedule["entries"].as_array().and_then(|all| all.last()).cloned();
        last.unwrap_or_else(|| panic!("{schedule:#}"))["end"].as_str().unwrap().to_owned()
    };
    let (before, deadline) = (until().await, Instant::now() + SEEN + Duration::from_secs(150));
    while until().await <= before {
        assert!(Instant::now() < deadline, "it was not extended beyond {before}: {}", cloud.log());
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

#[tokio::test]
async fn channels_are_closed_but_for_their_playlists() {
    let cloud = cloud();
    for path in
        ["/channels", "/channels/own", "/channels/own/master.m3u8", "/assets", "/assets/own-bars"]
    {
        assert_eq!(cloud.ask_unsigned(path).await, 403, "{path}");
    }
    assert_eq!(cloud.ask_past_the_front("/channels/own/master.m3u8").await, 403);
    let client = http::client();
    for (path, status) in [
        ("/channels/own/master.m3u8", 200),
        ("/channels/own", 404),
        ("/channels/own/schedule", 404),
        ("/assets", 404),
        ("/channels/none/master.m3u8", 404),
    ] {
        let _answering = cloud.answering.read().await;
        let answer = client.get(format!("{}{path}", cloud.front)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    let refused = json!({ "id": "inside", "url": "http://169.254.169.254/main.m3u8" });
    let (status, problem) = cloud.ask(Method::POST, "/assets", Some(refused)).await;
    assert_eq!(status, 422, "{problem}");
}
