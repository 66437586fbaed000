//! Promise 6: independent endpoints.

use crate::apache::{Apache, Auth, DIGEST};
use crate::program::Program;
use crate::scene::Scene;
use serde_json::{Value, json};
use std::time::Duration;

/// How long the one endpoint is away; the source lists its segments for 12 s.
const OUTAGE: Duration = Duration::from_secs(10);

/// Runs a stream while the second endpoint is away, which `begin` and `end` make so. `told`: what is
/// wrong can be known at once.
async fn outage(told: bool, begin: impl AsyncFn(&mut Apache), end: impl AsyncFn(&mut Apache)) {
    let mut scene = Scene::start(&[DIGEST, DIGEST]).await;
    let id = scene.carry().await;
    scene.caught_up(Duration::from_secs(30)).await;

    begin(&mut scene.apaches[1]).await;
    let before = scene.observers[0].segments();
    tokio::time::sleep(OUTAGE).await;
    let session = scene.ferry.session(&id).await;
    assert_eq!(session["endpoints"][0]["healthy"], true, "{session:#}");
    let behind = |endpoint: usize| session["endpoints"][endpoint]["behind"].as_u64().unwrap();
    assert!(behind(0) <= 2, "at most what was just published: {session:#}");
    assert!(behind(1) >= 8, "two renditions lack five segments each: {session:#}");
    if told {
        assert_eq!(session["status"], "degraded", "{session:#}");
        assert_eq!(session["causes"], json!(["endpoint"]), "{session:#}");
        assert_eq!(session["endpoints"][1]["healthy"], false, "{session:#}");
    }
    let (listed, published) =
        (scene.observers[0].segments(), scene.published.so_far().values().map(Vec::len).min());
    assert!(listed >= before + 4, "the other endpoint went from {before} to {listed} segments");
    assert!(Some(listed + 1) >= published, "the other endpoint lists {listed} of {published:?}");

    end(&mut scene.apaches[1]).await;
    let running = |session: &Value| session["status"] == "running";
    scene.ferry.until(&id, "running", Duration::from_secs(8), running).await;
    scene.caught_up(Duration::from_secs(30)).await;
    let outcome = scene.end(&id).await;
    outcome.is_whole();
    let names = |endpoint: usize| {
        let names = outcome.carried[endpoint].iter().map(|carried| carried.playlist.clone());
        names.collect::<Vec<String>>()
    };
    assert_eq!(names(0), names(1));
}

#[tokio::test]
async fn an_endpoint_that_is_down_holds_nothing_up_and_catches_up() {
    outage(true, async |apache| apache.down().await, async |apache| apache.up().await).await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_holds_nothing_up_and_catches_up() {
    outage(false, async |apache| apache.freeze().await, async |apache| apache.thaw()).await;
}

#[tokio::test]
async fn an_endpoint_that_answers_500_holds_nothing_up_and_catches_up() {
    outage(true, async |apache| apache.refuse(Some(500)), async |apache| apache.refuse(None)).await;
}

#[tokio::test]
async fn an_endpoint_is_signed_in_to_as_it_wants() {
    let one_time = Auth::Digest { nonce_lifetime: 0, counted: false };
    let counted = Auth::Digest { nonce_lifetime: 300, counted: true };
    let scene = Scene::start(&[Auth::None, Auth::Basic, one_time, counted]).await;
    let id = scene.carry().await;
    scene.publish(3).await;
    scene.end(&id).await.is_whole();
}
