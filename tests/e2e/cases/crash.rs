//! Promise 5: any crash.

use crate::apache::DIGEST;
use crate::program::Program;
use crate::scene::Scene;
use serde_json::Value;
use std::time::Duration;

#[tokio::test]
async fn ten_kills_in_the_middle_of_uploads_lose_nothing() {
    let mut scene = Scene::start(&[DIGEST, DIGEST]).await;
    let id = scene.carry().await;
    scene.caught_up(Duration::from_secs(30)).await;
    for kill in 0..10 {
        // Every other time an endpoint hangs, so that uploads to it are cut off for certain. The other times
        // are spread from before the source is asked to after the playlists are published.
        let frozen = if kill % 2 == 0 { Some(&scene.apaches[kill / 2 % 2]) } else { None };
        if let Some(apache) = frozen {
            apache.freeze().await;
        }
        scene.publish(1).await;
        tokio::time::sleep(Duration::from_millis(30 * kill as u64)).await;
        if frozen.is_some() {
            let lacks = |session: &Value| session["endpoints"][kill / 2 % 2]["behind"] != 0;
            scene.ferry.until(&id, "uploading", Duration::from_secs(2), lacks).await;
        }
        scene.ferry.kill().await;
        if let Some(apache) = frozen {
            apache.thaw();
        }
        scene.ferry.up().await;
    }
    scene.caught_up(Duration::from_secs(30)).await;
    let outcome = scene.end(&id).await;
    outcome.is_whole();
}

/// `KILLS=100` for a longer run, `SEED=` for the moments of another.
#[tokio::test]
async fn kills_at_random_moments_lose_nothing() {
    let number = |name, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (kills, seed) = (number("KILLS", 10), number("SEED", 1));
    let mut scene = Scene::start(&[DIGEST, DIGEST]).await;
    let id = scene.carry().await;
    scene.caught_up(Duration::from_secs(30)).await;
    let mut state: u64 = seed;
    for _ in 0..kills {
        // Of a linear congruential generator the high bits are the good ones.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis((state >> 33) % 2_500)).await;
        scene.ferry.kill().await;
        scene.ferry.up().await;
    }
    scene.caught_up(Duration::from_secs(30)).await;
    scene.end(&id).await.is_whole();
}

#[tokio::test]
async fn a_session_goes_on_after_a_stop_and_a_restart() {
    let mut scene = Scene::start(&[DIGEST]).await;
    let id = scene.carry().await;
    scene.publish(1).await;
    scene.ferry.stop().await;
    scene.publish(2).await;
    scene.ferry.up().await;
    scene.caught_up(Duration::from_secs(30)).await;
    scene.end(&id).await.is_whole();
}
