//! What happens to machines: endpoints and names that are away for long, full disks, clocks that are set.

use crate::apache::{Apache, DIGEST};
use crate::ferry::{Clock, Ferry};
use crate::ffmpeg::Live;
use crate::network::{Network, Weather};
use crate::program::Program;
use crate::scene::Scene;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How soon after the end of a fault all must be well: an endpoint is tried every four seconds, and then catches up.
const RECOVERY: Duration = Duration::from_secs(30);

/// How soon it must be where nothing hangs: the source has target durations of 2 s, and its newest segment is listed
/// by two polls at most; what an endpoint lacks is sent within the longest wait for it.
const TWO_POLLS: Duration = Duration::from_secs(6);

fn running(session: &Value) -> bool {
    session["status"] == "running"
}

/// What a session says while something is wrong with it.
async fn unwell(scene: &Scene, id: &str, cause: &str) -> Value {
    let told = |session: &Value| session["causes"] == json!([cause]);
    let session = scene.ferry.until(id, cause, Duration::from_secs(10), told).await;
    assert_eq!(session["status"], "degraded", "{session:#}");
    session
}

#[tokio::test]
async fn an_endpoint_that_is_stopped_for_two_minutes_catches_up_without_a_gap() {
    let apaches = vec![Apache::start(DIGEST).await, Apache::start(DIGEST).await];
    // The source lists two and a half minutes.
    let mut scene = Scene::of(Ferry::serve().await, apaches, Live::listing(75).await).await;
    let id = scene.carry().await;
    scene.caught_up(RECOVERY).await;
    scene.apaches[1].down().await;
    let until = Instant::now() + Duration::from_secs(120);
    while Instant::now() < until {
        scene.publish(3).await;
        let published = scene.published.so_far().values().map(Vec::len).min().unwrap();
        let listed = scene.observers[0].segments();
        assert!(listed + 2 >= published, "the other lists {listed} of {published}");
    }
    unwell(&scene, &id, "endpoint").await;
    scene.apaches[1].up().await;
    scene.caught_up(RECOVERY).await;
    scene.ferry.until(&id, "running", RECOVERY, running).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn an_endpoint_that_is_stopped_for_longer_than_the_source_lists_lacks_that_and_no_more() {
    let mut scene = Scene::start(&[DIGEST, DIGEST]).await;
    let id = scene.carry().await;
    scene.publish(2).await;
    scene.caught_up(RECOVERY).await;
    scene.apaches[1].down().await;
    // The source lists the newest six.
    scene.publish(11).await;
    scene.apaches[1].up().await;
    scene.ferry.until(&id, "running", RECOVERY, running).await;
    scene.publish(3).await;
    let outcome = scene.end(&id).await;
    let [other, first] = &outcome.carried[..] else { panic!("two endpoints") };
    for carried in other {
        assert!(carried.missed.is_empty() && carried.ended, "{carried:?}");
    }
    for carried in first {
        let missed = carried.missed.len();
        assert!((3..=8).contains(&missed), "{carried:?}");
        let in_one_go = carried.missed.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(in_one_go && carried.ended, "{carried:?}");
    }
    assert_eq!(outcome.session["jumps"], 2, "one a rendition: {:#}", outcome.session);
}

#[tokio::test]
async fn both_endpoints_may_be_stopped() {
    let mut scene = Scene::start(&[DIGEST, DIGEST]).await;
    let id = scene.carry().await;
    scene.caught_up(RECOVERY).await;
    for apache in &mut scene.apaches {
        apache.down().await;
    }
    scene.publish(4).await;
    unwell(&scene, &id, "endpoint").await;
    for apache in &mut scene.apaches {
        apache.up().await;
    }
    scene.caught_up(RECOVERY).await;
    scene.ferry.until(&id, "running", RECOVERY, running).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn an_endpoint_that_is_killed_in_the_middle_of_uploads_has_them_whole_afterwards() {
    let mut scene = Scene::start(&[DIGEST, DIGEST]).await;
    let network = Network::before(scene.apaches[1].port()).await;
    let mut request = scene.request();
    let url = &mut request["output"]["endpoints"][1]["url"];
    *url = network.address(url.as_str().unwrap()).into();
    let id = scene.ferry.make(request).await;
    scene.caught_up(RECOVERY).await;
    for _ in 0..3 {
        // A segment of 50 kB takes a second and a half.
        network.set(Weather::Narrow(32_000));
        scene.publish(1).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.apaches[1].kill();
        network.set(Weather::Fair);
        scene.apaches[1].up().await;
        scene.caught_up(RECOVERY).await;
    }
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn a_source_whose_name_is_not_known_is_told_and_another_takes_over() {
    let scene = Scene::start(&[DIGEST]).await;
    let mut request = scene.request();
    // RFC 6761: no resolver knows it.
    request["source"] = json!({ "url": "http://source.invalid/live/main.m3u8" });
    let id = scene.ferry.make(request.clone()).await;
    let session = unwell(&scene, &id, "source").await;
    let reason = session["reason"].as_str().unwrap();
    assert!(reason.contains("source.invalid"), "{reason}");
    scene.ferry.ask(Method::DELETE, &format!("/sessions/{id}"), None).await;

    request["source"]["fallbacks"] = json!([scene.origin.url("main.m3u8")]);
    request["source"]["fallback_after_seconds"] = json!(5);
    let id = scene.ferry.make(request).await;
    scene.ferry.until(&id, "running", RECOVERY, running).await;
    let outcome = scene.end(&id).await;
    for carried in outcome.carried.iter().flatten() {
        assert!(carried.missed.is_empty() && carried.ended, "{carried:?}");
    }
}

/// How long `ferry` takes the address of a name for true.
const KNOWN: Duration = Duration::from_secs(11);

#[tokio::test]
async fn names_that_are_not_found_for_a_while_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts");
    let names = ["source.test", "endpoint.test"];
    // A file without an entry would not be read again.
    let lose = |lost: &str| {
        let kept = names.iter().chain(&["other.test"]).filter(|name| **name != lost);
        let text: String = kept.map(|name| format!("127.0.0.1 {name}\n")).collect();
        let new = file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &file).unwrap();
    };
    lose("");
    let hosts = format!("NSS_WRAPPER_HOSTS={}", file.display());
    let ferry = Ferry::serve_under(&["env", "LD_PRELOAD=libnss_wrapper.so", &hosts]).await;
    let apaches = vec![Apache::start(DIGEST).await, Apache::start(DIGEST).await];
    let scene = Scene::of(ferry, apaches, Live::listing(30).await).await;
    let mut request = scene.request();
    let networks = [
        Network::before(scene.origin.port()).await,
        Network::before(scene.apaches[1].port()).await,
    ];
    for (at, address) in ["/source/url", "/output/endpoints/1/url"].iter().enumerate() {
        let url = request.pointer_mut(address).unwrap();
        let through = networks[at].address(url.as_str().unwrap());
        *url = through.replace("127.0.0.1", names[at]).into();
    }
    let id = scene.ferry.make(request).await;
    scene.caught_up(RECOVERY).await;
    for (at, cause) in ["source", "endpoint"].into_iter().enumerate() {
        lose(names[at]);
        tokio::time::sleep(KNOWN).await;
        // A connection needs no name.
        networks[at].set(Weather::Resets(0));
        let found = |session: &Value| {
            let reason = session["reason"].as_str().unwrap_or_default();
            session["causes"] == json!([cause]) && reason.contains(" cannot be looked up")
        };
        scene.ferry.until(&id, "without a name", RECOVERY, found).await;
        networks[at].set(Weather::Fair);
        scene.publish(2).await;
        lose("");
        let ended = Instant::now();
        scene.caught_up(RECOVERY).await;
        println!("{} was back for {:?} until all had arrived", names[at], ended.elapsed());
        assert!(ended.elapsed() <= TWO_POLLS, "{}: {:?}", names[at], ended.elapsed());
    }
    scene.ferry.until(&id, "running", RECOVERY, running).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn a_disk_that_is_full_holds_up_what_is_published_and_loses_nothing() {
    // What would end it is to be an error.
    let ferry = Ferry::serve_under(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]).await;
    let apaches = vec![Apache::start(DIGEST).await];
    let scene = Scene::of(ferry, apaches, Live::listing(15).await).await;
    let id = scene.carry().await;
    scene.caught_up(RECOVERY).await;
    scene.ferry.limit_files(Some(4096));
    scene.publish(2).await;
    let session = unwell(&scene, &id, "store").await;
    let reason = session["reason"].as_str().unwrap();
    assert!(reason.contains("File too large"), "{reason}");
    let unwell = scene.ferry.ask(Method::GET, "/sessions?status=degraded", None).await.1;
    assert_eq!(unwell["sessions"][0]["id"], *id, "{unwell:#}");
    let before = scene.observers[0].segments();
    scene.publish(4).await;
    let after = scene.observers[0].segments();
    assert_eq!(after, before, "nothing is published that would be forgotten");
    scene.ferry.limit_files(None);
    scene.caught_up(RECOVERY).await;
    scene.ferry.until(&id, "running", RECOVERY, running).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn a_clock_that_is_set_by_an_hour_either_way_changes_nothing() {
    let clock = Clock::new();
    let apaches = vec![Apache::start(DIGEST).await];
    let ferry = Ferry::serve_under(&clock.under()).await;
    let mut scene = Scene::of(ferry, apaches, Live::start().await).await;
    let mut request = scene.request();
    request["source"]["fallbacks"] = json!(["http://127.0.0.1:1/main.m3u8"]);
    let id = scene.ferry.make(request).await;
    scene.caught_up(RECOVERY).await;
    for hours in [1, 0, -1, 1] {
        clock.set(hours * 3600);
        scene.publish(2).await;
        scene.caught_up(RECOVERY).await;
        // And while it does not run.
        scene.ferry.stop().await;
        clock.set(-hours * 3600);
        scene.ferry.up().await;
        scene.publish(1).await;
        scene.caught_up(RECOVERY).await;
    }
    scene.end(&id).await.is_whole();
}
