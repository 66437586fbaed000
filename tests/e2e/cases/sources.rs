//! A source that fails, and promise 3: what cannot be carried is never left out in silence.

use crate::apache::DIGEST;
use crate::origin::Fault;
use crate::published::Entry;
use crate::scene::Scene;
use std::time::Duration;

#[tokio::test]
async fn a_source_that_fails_for_a_while_loses_nothing() {
    let scene = Scene::start(&[DIGEST]).await;
    let id = scene.carry().await;
    for fault in [Fault::Status(500), Fault::Truncate, Fault::Status(403), Fault::Hang] {
        scene.origin.break_down("/", fault);
        tokio::time::sleep(Duration::from_secs(5)).await;
        scene.origin.mend();
        scene.caught_up(Duration::from_secs(30)).await;
    }
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn a_segment_that_the_source_does_not_have_is_a_marked_jump() {
    let scene = Scene::start(&[DIGEST]).await;
    scene.origin.break_down("high/00004.ts", Fault::Status(404));
    let id = scene.carry().await;
    scene.publish(5).await;
    let outcome = scene.end(&id).await;
    let missed: Vec<_> =
        outcome.carried[0].iter().map(|c| (c.source.as_str(), &c.missed[..])).collect();
    assert_eq!(missed, [("high/index.m3u8", &[4][..]), ("low/index.m3u8", &[][..])]);
    assert_eq!(outcome.session["jumps"], 1, "{:#}", outcome.session);
    assert_eq!(outcome.session["missed"], 1, "{:#}", outcome.session);
    assert!(outcome.carried[0].iter().all(|carried| carried.ended));
}

/// Kills the encoder after so many segments and starts another: it uses the same numbers and names.
async fn restart_after(segments: usize) {
    let mut scene = Scene::start(&[DIGEST]).await;
    let id = scene.carry().await;
    scene.publish(segments).await;
    scene.caught_up(Duration::from_secs(30)).await;
    scene.live.restart();
    scene.publish(3).await;
    scene.caught_up(Duration::from_secs(30)).await;
    let outcome = scene.end(&id).await;
    let restarts = |entries: &Vec<Entry>| entries.iter().filter(|e| e.segment.marked).count();
    assert!(outcome.published.values().all(|entries| restarts(entries) == 1));
    outcome.is_whole();
}

#[tokio::test]
async fn a_source_that_begins_anew_goes_on_after_a_discontinuity() {
    // By then it no longer lists what it begins with again.
    restart_after(7).await;
}

#[tokio::test]
async fn a_source_that_begins_anew_with_the_names_it_still_lists_goes_on_too() {
    restart_after(2).await;
}
