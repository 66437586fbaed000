//! The main job.

use crate::apache::{Apache, Auth, DIGEST};
use crate::ferry::Ferry;
use crate::ffmpeg::video;
use crate::observer::Observer;
use crate::origin::Origin;
use crate::probe;
use crate::program::Program;
use crate::published::Published;
use crate::scene::Scene;
use serde_json::json;
use std::collections::BTreeMap;

/// A request without a body, as Apache counts its bytes, is well below this; a segment is above.
const BODY: u64 = 4096;

#[tokio::test]
async fn a_live_stream_arrives_whole_at_two_endpoints() {
    let short = Auth::Digest { nonce_lifetime: 3, counted: false };
    let scene = Scene::start(&[DIGEST, short]).await;
    let id = scene.carry().await;
    scene.publish(14).await;
    let outcome = scene.end(&id).await;
    outcome.is_whole();

    let segments: usize = outcome.published.values().map(Vec::len).sum();
    assert_eq!(outcome.session["segments"], segments, "{:#}", outcome.session);
    for (apache, carried) in outcome.apaches.iter().zip(&outcome.carried) {
        probe::decode(&apache.playlist()).await;
        for carried in carried {
            let url = apache.playlist().replace("channel.m3u8", &carried.playlist);
            probe::same_packets(carried, &url, &outcome.published).await;
        }
        let mut puts: BTreeMap<String, usize> = BTreeMap::new();
        let mut refused_bodies = 0;
        for put in apache.requests() {
            if put.method == "PUT" && put.path.ends_with(".ts") && put.received > BODY {
                *puts.entry(put.path).or_default() += usize::from(put.status / 100 == 2);
                refused_bodies += usize::from(put.status == 401);
            }
        }
        assert_eq!(puts.len(), segments);
        assert!(puts.values().all(|count| *count == 1), "stored more than once: {puts:?}");
        // That nonces are short-lived can be known after the first that went stale.
        let is_short = apache.playlist() == outcome.apaches[1].playlist();
        assert!(refused_bodies <= usize::from(is_short), "{refused_bodies} bodies sent in vain");
    }
}

#[tokio::test]
async fn a_video_with_sound_and_subtitles_apart_is_carried_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    video(folder.path());
    let published = Published::watch(folder.path()).so_far();
    let origin = Origin::serve(folder.path()).await;
    let (apache, ferry) = (Apache::start(DIGEST).await, Ferry::serve().await);
    let observer = Observer::watch(&apache.playlist());
    let session = json!({
        "name": "a video",
        "source": { "url": origin.url("main.m3u8") },
        "output": { "type": "webdav", "endpoints": [apache.json()] },
    });
    let id = ferry.make(session).await;
    let session = ferry.until_ended(&id).await;
    assert_eq!(session["missed"], 0, "{session:#}");

    let all = observer.verdict(&published).await;
    let sources: Vec<&str> = all.iter().map(|carried| carried.source.as_str()).collect();
    assert_eq!(sources, ["audio/index.m3u8", "video/index.m3u8", "video/index_vtt.m3u8"]);
    for carried in &all {
        let whole = (carried.first, carried.segments, carried.ended);
        assert_eq!(whole, (0, published[&carried.source].len(), true), "{carried:?}");
        if !carried.source.contains("vtt") {
            let url = apache.playlist().replace("channel.m3u8", &carried.playlist);
            probe::same_packets(carried, &url, &published).await;
        }
    }
    probe::decode(&apache.playlist()).await;
}
